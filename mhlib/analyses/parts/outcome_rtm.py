"""Whoever scores high today scores lower next time: how much of the fall of the served that explains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.outcome_counted import Counted, cases, counted
from mhlib.analyses.parts.outcome_expected import LINE, STATED_ERROR, UNSERVED, Expected, expectation, robust_line
from mhlib.analyses.parts.sections import Drawn, refused_design
from mhlib.analyses.parts.trial import Trial, arms_refusal, without_control
from mhlib.errors import DesignError
from mhlib.findings import Estimate, Message, Refused, message
from mhlib.stats.effects import cluster_robust, uncontrolled_positives_refusal

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

# Pupils of one kind below whom a band of scores shows no mean.
FEWEST_IN_BAND = 10
FEWEST_CASES = 20
LEAST_DF = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RtmSection:
    """The fall observed and expected, by band, and what a before-after report would have claimed."""

    claim: Drawn | Refused
    table: Drawn | Refused
    bands: Drawn | Refused
    curve: Drawn | Refused
    reading: list[Message]


def section(trial: Trial, params: Params) -> RtmSection:
    """Observed and expected fall of the served who were cases at the start; the remainder is never called an effect."""
    found = counted(trial, params)
    known = isinstance(found, Counted)
    expected = expectation(
        trial, params, reliability=(found.reliability, found.reliability_error) if known else None,
        least_change=found.least_change if known else None,
    )  # fmt: skip
    claim = _claim(trial, params)
    if isinstance(expected, Refused):
        return RtmSection(claim=claim, table=expected, bands=expected, curve=expected, reading=[])
    bands = _bands(expected)
    curve = bands if isinstance(bands, Refused) else _curve(expected)
    said = _reading(trial, expected, stated=known and found.retest is None)
    return RtmSection(claim=claim, table=_table(expected), bands=bands, curve=curve, reading=said)


def _claim(trial: Trial, params: Params) -> Drawn | Refused:
    """In a trial, the before-after of the served beside the difference between the arms; else why there is no such claim."""
    if not len(trial.people) or not trial.has_baseline or params.case_cutoff is None:
        return counted(trial, params)
    people = trial.compared
    high = people[cases(people["b"], params)]
    refused = uncontrolled_positives_refusal(
        screened_by_cutoff=params.screened,
        n_unserved_retested=int((high["treated"] == 0).sum()),
        has_control=trial.controlled,
    )
    if refused := refused or arms_refusal(trial) or (without_control() if not trial.controlled else None):
        return refused
    if high["treated"].value_counts().reindex([0.0, 1.0]).fillna(0).min() < FEWEST_CASES:
        return Refused(
            "few_cases",
            message("Fewer than {least} cases at the start in an arm: their change is not shown.", least=FEWEST_CASES),
            message("More schools, or a longer roll-out."),
        )  # fmt: skip
    try:
        return _illustration(trial, params, high)
    except DesignError as error:
        return refused_design(error)


def _illustration(trial: Trial, params: Params, high: pd.DataFrame) -> Drawn | Refused:
    sign = 1.0 if params.better == "lower" else -1.0
    frame = high.assign(
        gain=sign * (high["b"] - high["y"]), unserved=1 - high["treated"], away=high["b"] - high["b"].mean()
    )
    rows = []
    for name, formula, term, n in (
        ("claim_served", "gain ~ unserved", "Intercept", int((high["treated"] == 1).sum())),
        ("claim_unserved", "gain ~ treated", "Intercept", int((high["treated"] == 0).sum())),
        ("claim_difference", "gain ~ treated + away", "treated", len(high)),
    ):
        fit = cluster_robust(formula, frame, cluster=trial.cluster, arm="treated", conf_level=params.conf_level)
        if isinstance(fit, Refused):
            return fit
        value, low, high_end, df = robust_line(fit, term)
        low, high_end = (low, high_end) if df >= LEAST_DF else (math.nan, math.nan)
        rows.append({"term": name, "estimate": value, "conf_low": low, "conf_high": high_end, "n_used": n})
    return Drawn(table=pd.DataFrame(rows), axis=message("change for the better (points)"), rule=0.0)


def _table(expected: Expected) -> Drawn:
    """Observed, expected and remainder: points for the fall, shares for the rest."""
    rows = []
    for row in expected.table.to_dict("records"):
        fall = row["outcome"] == "fall"
        # Where nobody had the outcome no resample can differ: that is no certainty.
        known = row["conf_high"] - row["conf_low"] > 1e-9
        # The gate reads the kind of each number from its column, so shares and points have their own columns.
        names = ("observed_fall", "expected_fall") if fall else ("observed_share", "expected_share")
        rows.append({"term": f"remainder_{row['outcome']}", names[0]: row["observed"], names[1]: row["expected"],
                     "estimate": row["remainder"], "conf_low": row["conf_low"] if known else math.nan,
                     "conf_high": row["conf_high"] if known else math.nan, "n_used": _behind(expected)})  # fmt: skip
    order = [
        "term",
        "observed_fall",
        "expected_fall",
        "observed_share",
        "expected_share",
        "estimate",
        "conf_low",
        "conf_high",
        "n_used",
    ]
    frame = pd.DataFrame(rows)
    return Drawn(table=frame[[name for name in order if name in frame]])


def _behind(expected: Expected) -> int:
    """The fewer of the two groups, where there are two."""
    return min(expected.n_served, expected.n_unserved) if expected.basis in (UNSERVED, LINE) else expected.n_served


def _bands(expected: Expected) -> Drawn | Refused:
    """Mean later score by band of the earlier one, served and not served."""
    if not len(expected.bands):
        return Refused(
            "no_bands",
            message("No unserved pupils with the same scores were measured again, so there are no bands of scores to compare."),
            message("A retest, over the same interval, of pupils with high scores who are not served yet."),
        )  # fmt: skip
    bands = expected.bands
    shown = bands[(bands["n_served"] >= FEWEST_IN_BAND) & (bands["n_unserved"] >= FEWEST_IN_BAND)]
    if shown.empty:
        return Refused("no_bands", message("No band of scores holds enough pupils of both kinds."),
                       message("More pupils with high scores who are not served yet, measured again."))  # fmt: skip
    rows = pd.DataFrame({
        "band": [_named(low, high) for low, high in zip(shown["low"], shown["high"], strict=True)],
        "before_served": shown["mean_before_served"], "after_served": shown["mean_after_served"],
        "after_unserved": shown["mean_after_unserved"], "n_used": shown[["n_served", "n_unserved"]].min(axis=1).astype(int),
    })  # fmt: skip
    return Drawn(table=rows.reset_index(drop=True))


def _named(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def _curve(expected: Expected) -> Drawn:
    """Later score over earlier score, served and not served, band by band."""
    rows = []
    for name in ("served", "unserved"):
        mine = expected.bands[expected.bands[f"n_{name}"] >= FEWEST_IN_BAND]
        rows += [{"group": f"fall_{name}", "x": (row["low"] + row["high"]) / 2, "y": row[f"mean_after_{name}"],
                  "n_used": int(row[f"n_{name}"])} for row in mine.to_dict("records")]  # fmt: skip
    table = pd.DataFrame(rows)
    return Drawn(table=table.sort_values(["group", "x"], ignore_index=True), x_axis=message("score at the start (points)"),
                 y_axis=message("mean score later (points)"), points=True)  # fmt: skip


def _reading(trial: Trial, expected: Expected, *, stated: bool) -> list[Message]:
    row = expected.table.set_index("outcome").loc["fall"]
    remainder = Estimate(row["remainder"], _behind(expected), row["conf_low"], row["conf_high"])
    said = [_sentence(expected.basis, observed=Estimate(row["observed"], expected.n_served),
                      expected=Estimate(row["expected"], _behind(expected)), remainder=remainder)]  # fmt: skip
    said += _formula_said(expected, stated=stated)
    if arms_refusal(trial) is None and trial.randomised:
        said.append(message("Lots made the arms alike here, so the effect is the difference between the arms. This section "
                            "only shows what a report without a control would have claimed."))  # fmt: skip
    return said


def _formula_said(expected: Expected, *, stated: bool) -> list[Message]:
    """What the formula supposes; nothing where unserved pupils were measured."""
    if expected.basis in (UNSERVED, LINE):
        return []
    said = [
        message("The formula supposes normal scores. It is a makeshift for pupils who were not served, and no proof.")
    ]
    if expected.mean_supposed:
        said.append(
            message(
                "Nobody with a low score was measured, so even the mean of all pupils is inferred from those chosen."
            )
        )
    if stated:
        said.append(
            message(
                "The stated reliability comes without an error; one of {error} is supposed.", error=f"{STATED_ERROR:g}"
            )
        )
    return said


def _sentence(basis: str, **values: Estimate) -> Message:
    if basis == UNSERVED:
        return message("Served pupils who were cases at the start changed for the better by {observed} points. "
                       "Unserved pupils with the same "
                       "scores did so by {expected} over the same time. The remainder of {remainder} is not by itself "
                       "an effect of the "
                       "programme.", **values)  # fmt: skip
    if basis == LINE:
        return message("Served pupils who were cases at the start changed for the better by {observed} points. A line "
                       "through unserved pupils "
                       "just short of the cut-off, carried on to the scores of the served, expects {expected}. The "
                       "remainder of {remainder} "
                       "rests on that line and is not by itself an effect of the programme.", **values)  # fmt: skip
    return message("Served pupils who were cases at the start changed for the better by {observed} points. A formula "
                   "for normal scores expects "
                   "{expected} with no service at all. The remainder of {remainder} rests on that formula and is not "
                   "an effect of the "
                   "programme.", **values)  # fmt: skip

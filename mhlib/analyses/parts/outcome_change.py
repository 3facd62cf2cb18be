"""What the change means for a pupil: reliable change, recovery, and the number of pupils to serve for one more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.outcome_counted import CONTROL, PROGRAMME, Counted, cases, counted, few_clusters
from mhlib.analyses.parts.outcome_expected import Expected, expectation
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.trial import Trial, arms_refusal
from mhlib.findings import Estimate, Message, Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

# Names of the library's outcomes as the report has them.
SHARES = ("recovered", "reliable_recovery", "improved", "unchanged", "worse")
NEEDED = ("recovered", "reliable_recovery", "improved")
# The library counts the served cases; what it calls below_cutoff is recovery.
EXPECTED = {
    "recovered": "below_cutoff",
    "reliable_recovery": "reliable_recovery",
    "improved": "improved",
    "worse": "worse",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChangeSection:
    """Thresholds, outcomes by arm, differences with the number needed, and a picture of the shares."""

    thresholds: Drawn | Refused
    outcomes: Drawn | Refused
    differences: Drawn | Refused
    shares: Drawn | Refused
    reading: list[Message]


def section(trial: Trial, params: Params) -> ChangeSection:
    """Reliable change by Jacobson and Truax, counted as services report it."""
    found = counted(trial, params)
    if isinstance(found, Refused):
        return ChangeSection(thresholds=found, outcomes=found, differences=found, shares=found, reading=[])
    unlike = arms_refusal(trial)
    few = few_clusters(trial, found.people)
    expected = _expected(trial, params, found) if unlike else None
    return ChangeSection(
        thresholds=_thresholds(found, params), outcomes=_outcomes(found, params, few, expected),
        differences=unlike or few or _differences(found), shares=_parts(found),
        reading=_reading(found, params, unlike, expected),
    )  # fmt: skip


def _expected(trial: Trial, params: Params, found: Counted) -> Expected | Refused:
    return expectation(
        trial, params, reliability=(found.reliability, found.reliability_error), least_change=found.least_change
    )


def _thresholds(found: Counted, params: Params) -> Drawn:
    """Error of a score and of a change, the least reliable change, and the cut-offs; those without norms stay out."""
    jt, n = found.thresholds, len(found.people)
    behind = found.retest.n_used if found.retest else n
    used: dict[str, object] = {"term": "retest_used", "estimate": found.reliability, "n_used": behind}
    if found.retest:
        used |= {"conf_low": found.retest.conf_low, "conf_high": found.retest.conf_high}
    rows = [used, *({"term": name, "estimate": value, "n_used": n} for name, value in (
        ("error_of_score", jt.se_measurement), ("error_of_change", jt.se_difference), ("least_change", jt.least_change),
        ("case_from", float(params.case_cutoff))))]  # fmt: skip
    norms = (("cutoff_ill", jt.cutoff_a, found.n_norm), ("cutoff_peers", jt.cutoff_b, n),
             ("cutoff_between", jt.cutoff_c, found.n_norm))  # fmt: skip
    rows += [
        {"term": name, "estimate": value, "n_used": behind} for name, value, behind in norms if not math.isnan(value)
    ]
    table = pd.DataFrame(rows)
    lacking = () if not math.isnan(jt.cutoff_c) else (message("Cut-offs b and c need the mean of unselected peers, "
                                                              "which these data "
                                                              "do not hold."),)  # fmt: skip
    return Drawn(table=table, lacking=lacking)


def _arms(found: Counted) -> pd.DataFrame:
    """The library's table with the arms named; where nobody is a control, all are of the programme."""
    return found.result.table.assign(arm=[PROGRAMME if arm == "all" else str(arm) for arm in found.result.table["arm"]])


def _outcomes(found: Counted, params: Params, few: Refused | None, expected: Expected | Refused | None) -> Drawn:
    """One row an arm and outcome with count, denominator, share and interval, and the share to expect without service."""
    table = _arms(found)
    table = table[table["denominator"] > 0]
    rows = []
    for row in table.to_dict("records"):
        name, share = row["outcome"], row["share"]
        starting = name in ("finished", "not_case_at_start")
        rows.append({
            "arm_shown": row["arm"], "term": f"share_{name}", "numerator": row["count"], "denominator": row["denominator"],
            "estimate": row["count"] / row["denominator"] if starting else share,
            "conf_low": math.nan if few else row["conf_low"], "conf_high": math.nan if few else row["conf_high"],
            "expected_share": _share_expected(found, params, row["arm"], name, expected),
        })  # fmt: skip
    rows = [row for row in rows if row["term"] != "share_finished"]
    frame = pd.DataFrame(rows)
    return Drawn(table=frame if frame["expected_share"].notna().any() else frame.drop(columns="expected_share"))


def _share_expected(found: Counted, params: Params, arm: str, name: str, expected: Expected | Refused | None) -> float:
    """Of the served only, and only where the share concerns cases at the start, as the expectation does."""
    if not isinstance(expected, Expected) or arm != PROGRAMME or name not in (*EXPECTED, "unchanged"):
        return math.nan
    served = found.people[found.people["treated"] == 1]
    if name not in ("recovered", "reliable_recovery") and not cases(served["b"], params).all():
        return math.nan
    rows = expected.table.set_index("outcome")["expected"]
    if name == "unchanged":
        return (
            1 - float(rows["improved"]) - float(rows["worse"]) if {"improved", "worse"} <= set(rows.index) else math.nan
        )
    value = float(rows.get(EXPECTED[name], math.nan))
    return min(max(value, 0.0), 1.0) if not math.isnan(value) else math.nan


def _differences(found: Counted) -> Drawn:
    """Programme minus control for each outcome, with the number needed in words."""
    table = found.result.differences
    n = found.result.table.set_index(["outcome", "arm"])["denominator"]
    rows = []
    for row in table.to_dict("records"):
        name = row["outcome"]
        behind = int(n.loc[(name, CONTROL)] + n.loc[(name, PROGRAMME)])
        if math.isnan(row["difference"]):
            continue
        rows.append({"term": f"difference_{name}", "estimate": row["difference"], "conf_low": row["conf_low"],
                     "conf_high": row["conf_high"], "needed_said": _needed(row, behind) if name in NEEDED else None,
                     "n_used": behind})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def _needed(row: dict, n: int) -> Message:
    """One over the difference; no number where the interval of the difference holds 0."""
    if math.isnan(row["needed_low"]):
        return message("Not defined: the interval of the difference holds 0.")
    low, high = sorted(abs(row[name]) for name in ("needed_low", "needed_high"))
    value = Estimate(abs(row["number_needed"]), n, low, high, digits=0)
    cases_only = row["outcome"] != "improved"
    if row["difference"] > 0:
        return message("{n} cases for one more", n=value) if cases_only else message("{n} pupils for one more", n=value)
    return message("{n} cases for one fewer", n=value) if cases_only else message("{n} pupils for one fewer", n=value)


def _parts(found: Counted) -> Drawn:
    """Four parts of everybody measured twice that add up to all: reliable recovery, other improvement, unchanged, worse."""
    rows = []
    for arm, mine in _arms(found).groupby("arm", sort=False):
        count = mine.set_index("outcome")["count"]
        n = int(count["finished"])
        parts = {"part_recovery": count["reliable_recovery"], "part_improved": count["improved"] - count["reliable_recovery"],
                 "part_unchanged": count["unchanged"], "part_worse": count["worse"]}  # fmt: skip
        rows += [
            {"arm_shown": arm, "term": name, "proportion": value / n, "denominator": n} for name, value in parts.items()
        ]
    return Drawn(table=pd.DataFrame(rows), x_axis=message("share of pupils measured at both times"))


def _reading(
    found: Counted, params: Params, unlike: Refused | None, expected: Expected | Refused | None
) -> list[Message]:
    least = Estimate(found.least_change, len(found.people), digits=1)
    said = [_reliability_said(found, least), _cutoffs_said(found, params)]
    if unlike is None:
        return said
    said.append(message("These shares are no result of the programme: they hold what would have happened without it."))
    if isinstance(expected, Refused) or not {"below_cutoff"} <= set(expected.table["outcome"]):
        said.append(message("What share would have recovered anyway cannot be told from these data."))
    return said


def _reliability_said(found: Counted, least: Estimate) -> Message:
    if found.retest is None:
        return message("A change counts as reliable from {least} points, by the retest reliability of {reliability} "
                       "that is stated beforehand.",
                       least=least, reliability=f"{found.reliability:.2f}")  # fmt: skip
    value = Estimate(found.reliability, found.retest.n_used)
    return message("A change counts as reliable from {least} points. The reliability of {reliability} is that of "
                   "pupils without the programme over "
                   "the same time: true change lowers it, so fewer changes count as reliable than after a short retest.",
                   least=least, reliability=value)  # fmt: skip


def _cutoffs_said(found: Counted, params: Params) -> Message:
    value = f"{params.case_cutoff:g}"
    if math.isnan(found.thresholds.cutoff_c):
        return message("Recovery is counted at the stated cut-off of {value} points, and at no other.", value=value)
    return message("Recovery is counted at the stated cut-off of {value} points. The cut-offs a, b and c of Jacobson "
                   "and Truax stand beside "
                   "it for comparison; they come from these pupils and decide on nothing.", value=value)  # fmt: skip

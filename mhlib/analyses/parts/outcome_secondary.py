"""Later occasions and the share of cases, corrected for their number; and whether a null is a null."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.outcome_effect import adjusted, formula, icc_of, pooled_sd, robust
from mhlib.analyses.parts.outcome_names import in_words, occasion_name
from mhlib.analyses.parts.sections import Drawn, refused_design, tried
from mhlib.analyses.parts.trial import Trial, arms_refusal
from mhlib.errors import DesignError
from mhlib.findings import Estimate, Message, Refused, message
from mhlib.stats.effects import (
    adjust_pvalues,
    cluster_tost,
    hedges_g_from_model,
    random_intercept_logit,
    romano_wolf,
    wild_cluster_bootstrap,
)

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SecondarySection:
    """Everything beside the primary outcome."""

    outcomes: Drawn | Refused
    cases: Drawn | Refused
    equivalence: Drawn | Refused
    reading: list[Message]


def section(trial: Trial, params: Params) -> SecondarySection:
    """Effects at later occasions with Holm and Romano-Wolf, on being a case at the end, and the equivalence test."""
    if refused := arms_refusal(trial):
        return SecondarySection(outcomes=refused, cases=refused, equivalence=refused, reading=[])
    equivalence, said = _equivalence(trial, params)
    if params.design == "wait_list" and params.later:
        said.append(message("After the wait the control pupils are served too: a later difference compares "
                            "those served early with those served late, and says nothing of a lasting effect."))  # fmt: skip
    return SecondarySection(
        outcomes=_outcomes(trial, params), cases=_cases(trial, params), equivalence=equivalence, reading=said
    )


def _outcomes(trial: Trial, params: Params) -> Drawn | Refused:
    """One row an occasion after the primary one, each among those measured then."""
    if not params.later:
        return Refused("no_later", message("The plan names no outcome beside the primary one."),
                       message("A later measurement of the same pupils, as parameter later."))  # fmt: skip
    rows, tests, lacking = [], [], []
    for occasion in params.later:
        people = _measured_at(trial, occasion)
        if people["treated"].nunique() < 2:
            lacking.append(message("{occasion}: nobody, or nobody of one arm, was measured, so no difference is given.",
                                   occasion=occasion_name(occasion)))  # fmt: skip
            continue
        try:
            frame, names = adjusted(trial, params, people)
            fit = robust(trial, params, frame, names)
        except DesignError as error:
            return refused_design(error)
        if isinstance(fit, Refused):
            return fit
        rows.append({"group": occasion, **_standardised(trial, fit, frame)})
        tests.append(_wild(trial, params, frame, names))
    return _corrected(rows, tests, lacking)


def _corrected(rows: list[dict[str, object]], tests: list[object], lacking: list[Message]) -> Drawn | Refused:
    """Holm's and Romano and Wolf's p-values beside the plain ones."""
    if not rows:
        return Refused("nothing_measured", lacking[0],
                       message("A later measurement of the same pupils, as parameter later."))  # fmt: skip
    table = pd.DataFrame(rows)
    table["p_holm"] = adjust_pvalues(table["p_value"].to_numpy()).adjusted
    if len(tests) > 1 and not any(isinstance(test, Refused) or test.refused for test in tests):
        table["p_romano_wolf"] = romano_wolf(tests).adjusted
    return Drawn(table=table, axis=message("difference (points)"), rule=0.0, lacking=tuple(lacking))


def _measured_at(trial: Trial, occasion: str) -> pd.DataFrame:
    people = trial.people[trial.people["treated"].notna()].assign(y=lambda frame: frame[f"y_{occasion}"])
    return people[people["y"].notna() & people["covered"]]


def _wild(trial: Trial, params: Params, frame, names) -> object:
    base = robust(trial, params, frame, names, estimand="pupil")
    return base if isinstance(base, Refused) else wild_cluster_bootstrap(base, "treated", seed=params.seed)


def _standardised(trial: Trial, fit: object, frame: pd.DataFrame) -> dict[str, object]:
    row = fit.to_frame().set_index("term").loc["treated"]
    n1, n0 = (int((frame["treated"] == arm).sum()) for arm in (1, 0))
    g = hedges_g_from_model(row["estimate"], row["std_error"], sd=pooled_sd(frame), n_treated=n1, n_control=n0,
                            icc=icc_of(trial, frame), cluster_size=len(frame) / fit.n_clusters, df=max(float(row["df"]), 1.0),
                            n_clusters=fit.n_clusters, conf_level=fit.conf_level)  # fmt: skip
    return {"estimate": row["estimate"], "conf_low": row["conf_low"], "conf_high": row["conf_high"], "df": row["df"],
            "p_value": row["p_value"], "g": g.g, "n_used": fit.n_used}  # fmt: skip


def _cases(trial: Trial, params: Params) -> Drawn | Refused:
    """Being a case at the end: the difference of shares, and the odds ratio by two models."""
    if params.case_cutoff is None:
        return Refused("no_case_cutoff", message("No score is stated from which a pupil counts as a case."),
                       message("The cut-off of a published source, as parameter case_cutoff."))  # fmt: skip
    frame, names = adjusted(trial, params)
    above = frame["y"] >= params.case_cutoff if params.better == "lower" else frame["y"] <= params.case_cutoff
    frame = frame.assign(case=above.astype(float))
    rows, lacking = [], []
    linear = tried(robust, trial, params, frame, names, outcome="case")
    logit = tried(
        robust, trial, params, frame, names, outcome="case", family="binomial", estimand="pupil", root="whitened"
    )
    plain = [name for name in names if not name.startswith("z_stratum")]
    mixed = tried(
        random_intercept_logit, formula("case", plain), frame, group=trial.cluster, conf_level=params.conf_level
    )
    for name, found, odds in (
        ("case_difference", linear, False),
        ("case_logit", logit, True),
        ("case_mixed_logit", mixed, True),
    ):
        if isinstance(found, Refused):
            lacking.append(in_words(found).why)
            continue
        table = found.fixed if name == "case_mixed_logit" else found.to_frame()
        row = table.set_index("term").loc["treated"]
        values = {part: float(row[part]) for part in ("estimate", "conf_low", "conf_high")}
        values = {part: math.exp(value) if odds else value for part, value in values.items()}
        rows.append(
            {"term": name, **values, "df": row.get("df", math.nan), "p_value": row["p_value"], "n_used": found.n_used}
        )
    if not rows:
        return linear
    return Drawn(table=pd.DataFrame(rows), lacking=tuple(lacking))


def _equivalence(trial: Trial, params: Params) -> tuple[Drawn | Refused, list[Message]]:
    """Two one-sided tests against the smallest effect that would matter."""
    try:
        frame, names = adjusted(trial, params)
        fit = robust(trial, params, frame, names)
    except DesignError as error:
        return refused_design(error), []
    if isinstance(fit, Refused):
        return fit, []
    margin = params.margin * pooled_sd(frame)
    found = cluster_tost(fit, "treated", low=-margin, high=margin, alpha=params.alpha)
    refused = found if isinstance(found, Refused) else found.refused
    if refused is not None:
        return in_words(refused), []
    row = {"group": "equivalence", "estimate": found.estimate, "conf_low": found.conf_low, "conf_high": found.conf_high,
           "bound_low": -margin, "bound_high": margin, "p_value": found.p_value, "n_used": found.n_used}  # fmt: skip
    value = Estimate(found.estimate, found.n_used, found.conf_low, found.conf_high)
    said = _verdict(found, params, value, margin)
    return Drawn(table=pd.DataFrame([row])), [said]


def _verdict(found: object, params: Params, value: Estimate, margin: float) -> Message:
    shared = {"value": value, "margin": f"{margin:.2f}"}
    if found.equivalent:
        return message("The whole interval {value} lies within ±{margin} points: whatever the programme does, it is smaller than "
                       "what was said to matter.", **shared)  # fmt: skip
    if found.conf_low > 0 or found.conf_high < 0:
        return message("The interval {value} lies on one side of nought and is not within ±{margin} points: the arms are not "
                       "equivalent.", **shared)  # fmt: skip
    return message("The interval {value} holds nought and reaches beyond ±{margin} points: neither an effect nor its absence is "
                   "shown.", **shared)  # fmt: skip

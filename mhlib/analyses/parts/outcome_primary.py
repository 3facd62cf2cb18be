"""The primary result as planned, and every other way in which it could have been computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts import outcome_covariance
from mhlib.analyses.parts.outcome_effect import Effect, adjusted, effect_of, formula, robust
from mhlib.analyses.parts.outcome_names import in_words
from mhlib.analyses.parts.sections import Drawn, refused_design, tried
from mhlib.analyses.parts.trial import FEW_CLUSTERS, UNLIKE, Trial, arms_refusal, other_design
from mhlib.errors import DesignError
from mhlib.findings import Check, Estimate, Message, Refused, message
from mhlib.stats.effects import (
    ClusterRobustResult,
    cluster_influence,
    cluster_robust,
    compare_estimands,
    effect_size_check,
    mixed_cluster_robust,
    multilevel,
    school_permutation,
    wild_cluster_bootstrap,
)

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

NOT_A_LEVEL = message("The mixed model has no level for the unit that was allocated, so its own error is not shown.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrimarySection:
    """What the comparison of the arms says, in the way of the plan and in others."""

    effect: Effect | Refused
    means: Drawn | Refused
    estimate: Drawn | Refused
    inference: Drawn | Refused
    multiverse: Drawn | Refused
    arms: Drawn | Refused
    covariance: Drawn | Refused
    covariance_reading: list[Message]
    reading: list[Message]
    checks: list[Check]


def section(trial: Trial, params: Params) -> PrimarySection:
    """Analysis of covariance with cluster-robust errors, the mixed model, and the resampling tests beside it."""
    if trial.design in UNLIKE:
        return _nothing(other_design())
    if refused := arms_refusal(trial):
        return _nothing(refused)
    try:
        frame, names = adjusted(trial, params)
        fit = robust(trial, params, frame, names)
    except DesignError as error:
        return _nothing(refused_design(error))
    if isinstance(fit, Refused):
        return _nothing(fit)
    effect = effect_of(trial, fit, frame, message("analysis of covariance with cluster-robust errors (CR2)"))
    other = _other_estimand(trial, params, frame, names)
    beside = outcome_covariance.section(trial, params, frame)
    return PrimarySection(
        effect=effect, means=_means(fit, frame), estimate=_estimate(effect), inference=_inference(trial, params, frame, names, fit),
        multiverse=_multiverse(trial, params, frame, names, fit), arms=_arms(trial, params),
        covariance=beside.table, covariance_reading=beside.reading,
        reading=_reading(trial, fit, other), checks=[effect_size_check(effect.g, n_used=effect.n_used), *beside.checks],
    )  # fmt: skip


def _nothing(refused: Refused) -> PrimarySection:
    return PrimarySection(
        effect=refused, means=refused, estimate=refused, inference=refused, multiverse=refused, arms=refused, covariance=refused,
        covariance_reading=[], reading=[], checks=[],
    )  # fmt: skip


def _means(fit: ClusterRobustResult, frame: pd.DataFrame) -> Drawn:
    """Adjusted mean of each arm, at the average of every covariate."""
    from mhlib.stats.effects import robust_contrast

    found = robust_contrast(
        fit, {"arm_control": {"Intercept": 1.0}, "arm_programme": {"Intercept": 1.0, "treated": 1.0}}
    )
    table = found.to_frame()[["term", "estimate", "conf_low", "conf_high"]].rename(columns={"term": "arm_shown"})
    raw = frame.groupby("treated")["y"].agg(["mean", "std", "count"]).loc[[0.0, 1.0]]
    table = table.assign(mean=raw["mean"].to_numpy(), sd=raw["std"].to_numpy(), n_used=raw["count"].to_numpy())
    return Drawn(table=table[["arm_shown", "n_used", "mean", "sd", "estimate", "conf_low", "conf_high"]])


def _estimate(effect: Effect) -> Drawn:
    """The effect in points and in standard deviations."""
    base = {"n_used": effect.n_used, "n_units": effect.n_clusters}
    rows = [
        {"term": "effect_points", "estimate": effect.estimate, "conf_low": effect.conf_low, "conf_high": effect.conf_high,
         "df": effect.df, "p_value": effect.p_value, **base},
        {"term": "effect_g", "estimate": effect.g, "conf_low": effect.g_low, "conf_high": effect.g_high, **base},
    ]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def _row(name: str, fit: object, term: str = "treated") -> dict[str, object]:
    row = fit.to_frame().set_index("term").loc[term]
    return {"group": name, "estimate": row["estimate"], "conf_low": row["conf_low"], "conf_high": row["conf_high"],
            "df": row.get("df", math.nan), "p_value": row["p_value"], "n_used": fit.n_used}  # fmt: skip


def _inference(trial: Trial, params: Params, frame, names, fit: ClusterRobustResult) -> Drawn:
    """One estimate, several ways to judge its uncertainty; with few clusters the resampling ones count."""
    rows, lacking = [_row("by_cr2", fit)], []
    mixed = mixed_model(trial, frame, names, params)
    if not isinstance(mixed, Refused):
        if _holds_unit(trial):
            rows.append(_mixed_row(mixed, frame))
        else:
            lacking.append(NOT_A_LEVEL)
        rows += _mixed_robust_row(mixed, frame, trial)
    # Resampling judges least squares over pupils; of the school average it would judge another estimate.
    base = fit if fit.estimand == "pupil" else robust(trial, params, frame, names, estimand="pupil")
    wild = wild_cluster_bootstrap(base, "treated", seed=params.seed, conf_level=params.conf_level)
    for name, found in (("by_wild", wild), ("by_permutation", _permuted(trial, base, params))):
        refused = found if isinstance(found, Refused) else getattr(found, "refused", None)
        if refused is not None:
            lacking.append(in_words(refused).why)
            continue
        rows.append({"group": name, "estimate": found.estimate, "conf_low": found.conf_low, "conf_high": found.conf_high,
                     "df": math.nan, "p_value": found.p_value, "n_used": found.n_used})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows), axis=message("difference (points)"), rule=0.0, lacking=tuple(lacking))


def _permuted(trial: Trial, fit: ClusterRobustResult, params: Params) -> object:
    """Only where lots were drawn does a permutation of schools say anything."""
    if not trial.randomised:
        return Refused(
            "not_randomised",
            message("No permutation test: no lots were drawn, so there is no allocation to repeat."),
            message("Nothing."),
        )
    return tried(school_permutation, fit, "treated", seed=params.seed, conf_level=params.conf_level)


def mixed_model(trial: Trial, frame: pd.DataFrame, names: list[str], params: Params, outcome: str = "y") -> object:
    """The nested model, or why there is none."""
    if not trial.levels:
        return Refused("no_levels", message("No nesting is declared, so there is no mixed model."), message("Nothing."))
    # A random intercept of the strata takes the place of their fixed effects.
    if params.stratum in trial.levels:
        names = [name for name in names if not name.startswith("z_stratum")]
    try:
        return multilevel(formula(outcome, names), frame, groups=list(trial.levels), conf_level=params.conf_level)
    except DesignError as error:
        return refused_design(error)


def _mixed_row(mixed: object, frame: pd.DataFrame) -> dict[str, object]:
    row = mixed.fixed.set_index("term").loc["treated"]
    return {"group": "by_mixed", "estimate": row["estimate"], "conf_low": row["conf_low"], "conf_high": row["conf_high"],
            "df": row["df"], "p_value": row["p_value"], "n_used": mixed.n_used}  # fmt: skip


def _holds_unit(trial: Trial) -> bool:
    """Whether the model has the unit allocated among its levels; without it its own error takes that unit's pupils as unlike."""
    return trial.cluster in (*trial.levels, "pupil_pid")


def _mixed_robust_row(mixed: object, frame: pd.DataFrame, trial: Trial) -> list[dict[str, object]]:
    """The mixed model's estimate, its error not trusting the model's variances; by its widest level, as its effects tie that.

    Where the unit allocated is wider still, by that unit; where it is neither, there is no such error.
    """
    within = frame.groupby(trial.cluster)[trial.levels[0]].nunique().max() == 1
    found = tried(mixed_cluster_robust, mixed, frame, cluster=None if within else trial.cluster)
    return [] if isinstance(found, Refused) else [_row("by_mixed_cr2", found)]


def _other_estimand(trial: Trial, params: Params, frame, names) -> object:
    pupil = robust(trial, params, frame, names, estimand="pupil")
    return pupil if isinstance(pupil, Refused) else compare_estimands(pupil, "treated", alpha=params.alpha)


def _multiverse(trial: Trial, params: Params, frame, names, fit: ClusterRobustResult) -> Drawn:
    """Every defensible specification in one figure; the planned one first. None of the others can replace it."""
    plain = [name for name in names if name != "z_b"]
    rows = [_row("spec_planned", fit)]
    other = "school" if params.estimand == "pupil" else "pupil"
    specs = {"spec_cr3": (names, {"kind": "CR3"}, "y")}
    if fit.n_clusters < fit.n_used:
        specs[f"spec_{other}"] = (names, {"estimand": other}, "y")
    if trial.has_baseline:
        frame = frame.assign(change=frame["y"] - frame["b"])
        specs |= {"spec_change": (plain, {}, "change"), "spec_unadjusted": (plain, {}, "y")}
    for name, (columns, options, outcome) in specs.items():
        found = robust(trial, params, frame, columns, outcome=outcome, **options)
        if not isinstance(found, Refused):
            rows.append(_row(name, found))
    mixed = mixed_model(trial, frame, names, params)
    if not isinstance(mixed, Refused) and _holds_unit(trial):
        rows.append(_mixed_row(mixed, frame) | {"group": "spec_mixed"})
    rows += _with_attributes(trial, params, frame, names)
    rows += _without_extremes(fit)
    return Drawn(table=pd.DataFrame(rows), axis=message("difference (points)"), rule=0.0)


def _with_attributes(trial: Trial, params: Params, frame, names) -> list[dict[str, object]]:
    """With sex and level as further covariates, where the source knows them."""
    # Within strata of schools the level is already held constant.
    wanted = ("sex",) if params.stratum else ("sex", "level")
    known = [
        name
        for name in wanted
        if name in frame and name not in (*params.covariates, params.stratum) and frame[name].nunique() > 1
    ]
    if not known:
        return []
    terms = [f"C({name})" for name in known]
    found = tried(cluster_robust, formula("y", [*names, *terms]), frame.astype({name: str for name in known}), cluster=trial.cluster,
                           estimand=params.estimand, conf_level=params.conf_level)  # fmt: skip
    return [] if isinstance(found, Refused) else [_row("spec_attributes", found)]


def _without_extremes(fit: ClusterRobustResult) -> list[dict[str, object]]:
    """The smallest and the largest effect that leaving out one cluster gives; they are no intervals."""
    if fit.n_clusters == fit.n_used:
        return []
    found = cluster_influence(fit, "treated")
    if isinstance(found, Refused):
        return []
    return [{"group": name, "estimate": value, "conf_low": math.nan, "conf_high": math.nan, "df": math.nan,
             "p_value": math.nan, "n_used": fit.n_used}
            for name, value in (("spec_without_one_low", found.lowest), ("spec_without_one_high", found.highest))]  # fmt: skip


def _arms(trial: Trial, params: Params) -> Drawn | Refused:
    """Every arm against the control, in trials with more than two."""
    if len(trial.treated_arms) < 2:
        return Refused(
            "two_arms", message("There are two arms only; the primary result compares them."), message("Nothing.")
        )
    people = trial.people[trial.people["arm"].isin([trial.control, *trial.treated_arms]) & trial.people["analysed"]]
    frame, names = adjusted(trial, params, people)
    dummies = {f"arm_{at}": (frame["arm"] == arm).astype(float) for at, arm in enumerate(trial.treated_arms)}
    frame = frame.assign(**dummies)
    fit = cluster_robust(formula("y", [*list(dummies)[1:], *names], "arm_0"), frame, cluster=trial.cluster,
                         estimand=params.estimand, conf_level=params.conf_level)  # fmt: skip
    if isinstance(fit, Refused):
        return fit
    from mhlib.stats.effects import adjust_pvalues

    rows = pd.DataFrame([_row(arm, fit, f"arm_{at}") for at, arm in enumerate(trial.treated_arms)])
    return Drawn(table=rows.assign(p_holm=adjust_pvalues(rows["p_value"].to_numpy()).adjusted))


def _worded(fit: ClusterRobustResult) -> Estimate:
    row = fit.to_frame().set_index("term").loc["treated"]
    return Estimate(float(row["estimate"]), fit.n_used, float(row["conf_low"]), float(row["conf_high"]))


def _reading(trial: Trial, fit: ClusterRobustResult, other: object) -> list[Message]:
    said = []
    if fit.n_clusters == fit.n_used:
        return said
    if fit.n_clusters < FEW_CLUSTERS:
        said.append(message("With fewer than {few} clusters the errors themselves are uncertain: read the interval of the "
                            "mixed model, the wild bootstrap or the permutation beside the robust one, and trust none that "
                            "stands alone.",
                            few=FEW_CLUSTERS))  # fmt: skip
    if not isinstance(other, Refused) and getattr(other, "refused", None) is None:
        values = {name: _worded(getattr(other, name)) for name in ("pupil", "school")}
        template = (
            message("Averaged over pupils the difference is {pupil} points, over schools {school}: large and small clusters do "
                    "not gain alike, and the two averages answer different questions.", **values)
            if other.check.passed is False
            else message("Averaged over pupils the difference is {pupil} points, over schools {school}; nothing speaks for a "
                         "difference between large and small clusters.", **values)
        )  # fmt: skip
        said.append(template)
    return said

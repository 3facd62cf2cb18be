"""What teachers learned, what they kept of it, and whether the tests can tell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import (
    FEW_CLUSTERS,
    Training,
    without_before,
    without_comparison,
    without_follow_up,
)
from mhlib.analyses.parts.training_effect import contrast_row, effect_at, kept, mixed, repeated, robust
from mhlib.analyses.parts.training_names import measure_name, occasion_name
from mhlib.analyses.parts.training_tests import ceiling, ceiling_checks, drift, guessing
from mhlib.findings import Check, Estimate, Message, Refused, message
from mhlib.stats.effects import (
    RetentionRatioResult,
    adjust_pvalues,
    cluster_influence,
    cluster_robust,
    effect_size_check,
    mixed_anova_complete,
)
from mhlib.stats.intervals import wald

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

POINTS = message("difference (points)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LearningSection:
    """Learning in the way of the plan and in others, what is kept, other measures, and the tests themselves."""

    effect: Effect | Refused
    later: Effect | Refused
    kept: RetentionRatioResult | Refused
    estimate: Drawn | Refused
    means: Drawn
    changes: Drawn | Refused
    methods: Drawn | Refused
    retention: Drawn | Refused
    anova: Drawn | Refused
    others: Drawn | Refused
    multiverse: Drawn | Refused
    ceiling: Drawn | Refused
    drift: Drawn | Refused
    guessing: Drawn | Refused
    reading: list[Message]
    checks: list[Check]


def section(training: Training, params: Params) -> LearningSection:
    """Differences of the arms at both occasions, the share kept, and what speaks of the tests."""
    effect = _effect(training, params, training.primary)
    later = _effect(training, params, training.follow_up) if training.has_follow_up else without_follow_up()
    share = _kept(training, params, effect, later)
    tests, models = ceiling(training, params), _models(training, params)
    return LearningSection(
        effect=effect, later=later, kept=share, estimate=_estimate(training, effect, later), means=_means(training, params),
        changes=_changes(training, params), methods=_methods(training, params, models), retention=_retention(share),
        anova=_anova(training, params), others=_others(training, params, later), multiverse=multiverse(training, params, models),
        ceiling=tests,
        drift=drift(training, params), guessing=guessing(training, params), reading=_reading(training, params, effect, share),
        checks=[*_size_checks(effect), *ceiling_checks(tests, params)],
    )  # fmt: skip


def comparison_refusal(training: Training) -> Refused | None:
    """Why no difference of the arms is an effect; None where it may be."""
    return None if training.controlled and training.design != "before_after" else without_comparison()


def _effect(training: Training, params: Params, occasion: str) -> Effect | Refused:
    if refused := comparison_refusal(training):
        return refused
    return tried(effect_at, training, params, training.measure, occasion)


def _kept(
    training: Training, params: Params, effect: Effect | Refused, later: Effect | Refused
) -> RetentionRatioResult | Refused:
    if refused := comparison_refusal(training):
        return refused
    if not training.has_follow_up:
        return without_follow_up()
    lacking = next((one for one in (effect, later) if isinstance(one, Refused)), None)
    share = lacking or tried(kept, training, params)
    return share if isinstance(share, Refused) or _gained(training, params, effect) else without_gain()


def _gained(training: Training, params: Params, effect: Effect) -> bool:
    """Whether the whole interval right after the training lies on the better side of nought."""
    return effect.better("lower" if training.measure in params.lower_is_better else "higher")[1] > 0


def without_gain() -> Refused:
    """No share of a gain that was none: what lasts would be harm."""
    return Refused(
        "no_gain",
        message(
            "Right after the training the trained were not better than the others, so there is no gain to keep a part of."
        ),
        message("Nothing: what was not gained cannot be kept."),
    )


def _estimate(training: Training, effect: Effect | Refused, later: Effect | Refused) -> Drawn | Refused:
    """Both occasions, in points and in deviations before the training."""
    if isinstance(effect, Refused):
        return effect
    rows = []
    for occasion, found in ((training.primary, effect), (training.follow_up, later)):
        if not isinstance(found, Refused):
            base = {"occasion": occasion, "n_used": found.n_used, "n_units": found.n_clusters}
            rows += [
                {"term": "gain_points", "estimate": found.estimate, "conf_low": found.conf_low, "conf_high": found.conf_high,
                 "df": found.df, "p_value": found.p_value, **base},
                {"term": "gain_g", "estimate": found.g, "conf_low": found.g_low, "conf_high": found.g_high, **base},
            ]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows)[["occasion", *(name for name in rows[0] if name != "occasion")]])


def _means(training: Training, params: Params) -> Drawn:
    """Mean of each arm at each occasion with its interval, of those tested then; occasions 1, 2, 3 in the order of time."""
    rows = []
    for (treated, time), part in training.long().dropna(subset=["score"]).groupby(["treated", "time"]):
        arm = "arm_trained" if treated == 1 else "arm_untrained"
        low, high = _interval(part, training.cluster, params.conf_level)
        rows.append({"group": arm, "occasion": training.occasions[time], "x": time + 1, "y": part["score"].mean(), "low": low,
                     "high": high, "sd": part["score"].std(ddof=1), "n_used": len(part)})  # fmt: skip
    rows.sort(key=lambda row: (row["group"] == "arm_trained", row["x"]))
    return Drawn(table=pd.DataFrame(rows), x_axis=message("occasion, in the order of time"),
                 y_axis=message("mean (points)"), points=True)  # fmt: skip


def _interval(part: pd.DataFrame, cluster: str, level: float) -> tuple[float, float]:
    """Of a mean, by clusters; none where there is one cluster."""
    groups = part.groupby(cluster)["score"].agg(["sum", "count"])
    n, k = groups["count"].sum(), len(groups)
    if k < 2:
        return math.nan, math.nan
    residual = groups["sum"] - groups["count"] * groups["sum"].sum() / n
    error = math.sqrt(k / (k - 1) * float((residual**2).sum())) / n
    return wald(float(groups["sum"].sum() / n), error, level, k - 1)


def _changes(training: Training, params: Params) -> Drawn | Refused:
    """Change within each arm since the start; without the other arm beside it, it is no effect."""
    if not training.has_baseline:
        return without_before()
    rows = []
    for treated, name in ((0.0, "arm_untrained"), (1.0, "arm_trained")):
        mine = training.teachers[training.teachers["treated"] == treated]
        for occasion in training.occasions[1:]:
            frame = mine.assign(change=mine[f"{training.measure}_{occasion}"] - mine["b"]).dropna(subset=["change"])
            if frame.empty:
                continue
            fit = tried(_mean_change, frame, training.cluster, params.conf_level)
            if not isinstance(fit, Refused):
                rows.append(
                    {"group": name, "subgroup": occasion, **_interval_of(fit, "Intercept"), "n_used": fit.n_used}
                )
    if not rows:
        return Refused("no_change", message("No change since the start can be estimated."), message("More teachers."))
    return Drawn(table=pd.DataFrame(rows), axis=message("change since the start (points)"), rule=0.0)


def _mean_change(frame: pd.DataFrame, cluster: str, level: float) -> object:
    return cluster_robust("change ~ 1", frame, cluster=cluster, conf_level=level)


def _interval_of(fit: object, term: str) -> dict[str, float]:
    row = fit.to_frame().set_index("term").loc[term]
    return {name: float(row[name]) for name in ("estimate", "conf_low", "conf_high")}


def _models(training: Training, params: Params) -> dict[str, object]:
    """The two models of all occasions, or why they are not there; none without a baseline or a comparison."""
    if comparison_refusal(training) or not training.has_baseline:
        return {}
    found = {name: tried(model, training, params) for name, model in (("by_mixed", mixed), ("by_waves", repeated))}
    undone = Refused("not_converged", message("A model that did not converge is not shown."), message("More teachers."))
    return {name: fit if isinstance(fit, Refused) or fit.converged else undone for name, fit in found.items()}


def _methods(training: Training, params: Params, models: dict[str, object]) -> Drawn | Refused:
    """The same differences by three methods, each with the teachers that it uses."""
    if refused := comparison_refusal(training):
        return refused
    rows, lacking, sd = [], [], training.sd
    later = [(training.primary, "post_gain")] + ([(training.follow_up, "later_gain")] if training.has_follow_up else [])
    for occasion, _ in later:
        found = tried(effect_at, training, params, training.measure, occasion)
        if isinstance(found, Refused):
            lacking.append(found.why)
            continue
        rows.append(
            contrast_row(robust(training, params, training.measure, occasion), "by_cr2", "treated", occasion, sd)
        )
    for name, fit in models.items():
        if isinstance(fit, Refused):
            lacking.append(fit.why)
        else:
            rows += [contrast_row(fit, name, term, occasion, sd) for occasion, term in later]
    if not rows:
        return Refused("no_method", lacking[0], message("More teachers, from more schools."))
    return Drawn(table=pd.DataFrame(rows), axis=POINTS, rule=0.0, lacking=tuple(lacking))


def _retention(share: RetentionRatioResult | Refused) -> Drawn | Refused:
    """The share kept with Fieller's interval, and what was lost in points."""
    if isinstance(share, Refused):
        return share
    table = share.to_frame().assign(n_used=share.n_used)
    names = {"retention": "kept_share", "post_gain": "kept_post", "follow_gain": "kept_later", "change": "kept_change"}
    table = table.assign(term=table["term"].map(names))
    return Drawn(table=table[["term", "estimate", "conf_low", "conf_high", "df", "p_value", "n_used"]])


def _anova(training: Training, params: Params) -> Drawn | Refused:
    """Analysis of variance of complete teachers; refused as soon as it would drop one."""
    if refused := comparison_refusal(training):
        return refused
    if len(training.occasions) < 2:
        return without_before()
    found = tried(mixed_anova_complete, training.long(), outcome="score", within="occasion", between="arm",
                  subject="teacher_pid", conf_level=params.conf_level)  # fmt: skip
    if isinstance(found, Refused):
        return found
    names = {"arm": "anova_arm", "occasion": "anova_occasion", "interaction": "anova_interaction"}
    table = found.table.assign(test=found.table["term"].map(names), n_used=found.n_used)
    table = table.rename(columns={"estimate": "f_value", "den_df": "df"})
    return Drawn(table=table[["test", "f_value", "df", "p_value", "n_used"]])


def _others(training: Training, params: Params, later: Effect | Refused) -> Drawn | Refused:
    """Every measure at both occasions but the primary result, in deviations before the training, corrected for their number."""
    if refused := comparison_refusal(training):
        return refused
    rows, lacking = [], []
    for measure in training.data.measures:
        for occasion in (name for name in (training.primary, training.follow_up) if name):
            if (measure, occasion) == (training.measure, training.primary):
                continue
            known = (measure, occasion) == (training.measure, training.follow_up)
            found = later if known else tried(effect_at, training, params, measure, occasion)
            if isinstance(found, Refused):
                lacking.append(found.why)
                continue
            rows.append({"group": measure, "subgroup": occasion, "estimate": found.g, "conf_low": found.g_low,
                         "conf_high": found.g_high, "difference_points": found.estimate, "p_value": found.p_value,
                         "better_said": _better(found, measure in params.lower_is_better), "n_used": found.n_used})  # fmt: skip
    if not rows:
        return Refused("one_outcome", message("The primary result is the only one: no other measure, no later occasion."),
                       message("Further measures, as parameter measures."))  # fmt: skip
    table = pd.DataFrame(rows)
    table["p_holm"] = adjust_pvalues(table["p_value"].to_numpy()).adjusted
    axis = message("difference (standard deviations before the training)")
    return Drawn(table=table, axis=axis, rule=0.0, lacking=tuple(lacking))


def _better(found: Effect, lower: bool) -> Message:
    """Which way the whole interval points."""
    if not (found.conf_low > 0 or found.conf_high < 0):
        return message("not told from none")
    return message("better") if (found.estimate > 0) != lower else message("worse")


def multiverse(training: Training, params: Params, models: dict[str, object] | None = None) -> Drawn | Refused:
    """Every other way to compute the primary result; none of them can replace the planned one."""
    if refused := comparison_refusal(training):
        return refused
    effect = tried(effect_at, training, params, training.measure, training.primary)
    if isinstance(effect, Refused):
        return effect
    planned = robust(training, params, training.measure, training.primary)
    other = "school" if params.estimand == "teacher" else "pupil"
    specs, adjusts = {"spec_cr3": {"kind": "CR3"}}, training.has_baseline and training.sd > 0
    if planned.n_clusters < planned.n_used:
        specs["spec_teacher" if other == "pupil" else "spec_school"] = {"estimand": other}
        specs |= {"spec_context": {"context": True}} if adjusts else {}
    if adjusts:
        specs |= {"spec_change": {"outcome": "change", "drop": ("z_b",)}, "spec_unadjusted": {"drop": ("z_b",)}}
    fits = {"spec_planned": planned}
    fits |= {
        name: tried(robust, training, params, training.measure, training.primary, **how) for name, how in specs.items()
    }
    rows = [contrast_row(fit, name, "treated", training.primary, training.sd) for name, fit in fits.items()
            if not isinstance(fit, Refused)]  # fmt: skip
    models = _models(training, params) if models is None else models
    for name, fit in models.items():
        if not isinstance(fit, Refused):
            shown = "spec_mixed" if name == "by_mixed" else name
            rows.append(contrast_row(fit, shown, "post_gain", training.primary, training.sd))
    rows += _without_extremes(planned)
    kept_columns = ["group", "estimate", "conf_low", "conf_high", "df", "p_value", "n_used"]
    return Drawn(table=pd.DataFrame(rows)[kept_columns], axis=POINTS, rule=0.0)


def _without_extremes(fit: object) -> list[dict[str, object]]:
    """The smallest and the largest difference that leaving out one unit gives; they are no intervals."""
    if fit.n_clusters == fit.n_used:
        return []
    found = tried(_influence, fit)
    if isinstance(found, Refused):
        return []
    return [{"group": name, "estimate": value, "conf_low": math.nan, "conf_high": math.nan, "df": math.nan,
             "p_value": math.nan, "n_used": fit.n_used}
            for name, value in (("spec_without_one_low", found.lowest), ("spec_without_one_high", found.highest))]  # fmt: skip


def _influence(fit: object) -> object:
    return cluster_influence(fit, "treated")


def _reading(
    training: Training, params: Params, effect: Effect | Refused, share: RetentionRatioResult | Refused
) -> list[Message]:
    if isinstance(effect, Refused):
        return [effect.why]
    said = [effect.p_refused.why] if effect.p_refused else []
    if effect.n_clusters < FEW_CLUSTERS:
        said.append(message("With fewer than {few} units the errors themselves are uncertain.", few=FEW_CLUSTERS))
    if not isinstance(share, Refused):
        value = Estimate(share.retention, share.n_used, share.conf_low, share.conf_high)
        said.append(message("Of the difference right after the training, {share} is still there ({occasion}); 1 would be all "
                            "of it, 0 nothing.", share=value, occasion=occasion_name(training.follow_up)))  # fmt: skip
    if training.has_follow_up and training.design == "wait_list":
        said.append(message("The later difference is one of training only if the comparison was still untrained then."))
    if training.data.measures[1:]:
        said.append(message("The result is {measure}; every other measure stands below it and is corrected for their number.",
                            measure=measure_name(training.measure)))  # fmt: skip
    return said


def _size_checks(effect: Effect | Refused) -> list[Check]:
    return [] if isinstance(effect, Refused) else [effect_size_check(effect.g, n_used=effect.n_used)]

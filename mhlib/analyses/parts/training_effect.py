"""The models behind what a training did to teachers: analysis of covariance, its two occasions at once, mixed models."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.outcome_effect import Effect, formula
from mhlib.analyses.parts.outcome_names import in_words
from mhlib.analyses.parts.training import Training
from mhlib.findings import Message, Refused, message
from mhlib.stats.effects import (
    ClusterRobustResult,
    RetentionRatioResult,
    cluster_robust,
    hedges_g_from_model,
    multilevel,
    retention_ratio_from_model,
    unstructured_waves,
)

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

ESTIMAND = {"teacher": "pupil", "school": "school"}
METHOD = message("analysis of covariance with cluster-robust errors (CR2)")


def rows_at(training: Training, measure: str, occasion: str) -> pd.DataFrame:
    """Teachers of both arms with the measure at the occasion (and at baseline, where there is one): ``y``, ``b``."""
    people = training.teachers[training.teachers["treated"].notna()]
    people = people.assign(y=people[f"{measure}_{occasion}"])
    people = people[people["y"].notna()]
    if not training.baseline:
        return people.drop(columns="b")
    people = people.assign(b=people[f"{measure}_{training.baseline}"])
    return people[people["b"].notna()]


def adjusted(training: Training, params: Params, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows with centred ``z_b``, covariates ``z_<name>`` and block dummies, and the names of these."""
    numbers = {"z_b": frame["b"]} if "b" in frame else {}
    for name in params.covariates:
        if pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name]):
            numbers[f"z_{name}"] = frame[name]
        else:
            numbers |= _dummies(frame[name], f"z_{name}")
    if params.block:
        numbers |= _dummies(frame["block"], "z_block")
    numbers = {name: column.astype(float) for name, column in numbers.items()}
    numbers = {name: column for name, column in numbers.items() if column.std(ddof=0) > 0}
    centred = pd.DataFrame({name: column - column.mean() for name, column in numbers.items()}, index=frame.index)
    return pd.concat([frame, centred], axis=1), list(centred)


def _dummies(column: pd.Series, prefix: str) -> dict[str, pd.Series]:
    levels = sorted(column.dropna().astype(str).unique())[1:]
    return {f"{prefix}_{at}": (column.astype(str) == level).where(column.notna()) for at, level in enumerate(levels)}


def analysed(training: Training, params: Params, occasion: str) -> pd.Index:
    """Labels of the teachers behind the primary measure's difference at an occasion: tested then and before, nothing missing."""
    frame, names = adjusted(training, params, rows_at(training, training.measure, occasion))
    return frame.index[frame[[*names, training.cluster]].notna().all(axis=1)]


def robust(
    training: Training,
    params: Params,
    measure: str,
    occasion: str,
    *,
    drop: tuple[str, ...] = (),
    context: bool = False,
    **options: object,
) -> ClusterRobustResult | Refused:
    """CR2 by the unit that was allocated, of one measure at one occasion.

    `drop` names covariates to leave out; `context` adds the unit's own mean before the training.
    """
    frame, names = adjusted(training, params, rows_at(training, measure, occasion))
    if context:
        frame = frame.assign(z_unit=frame.groupby(training.cluster)["z_b"].transform("mean"))
        names = [*names, "z_unit"]
    outcome = options.pop("outcome", "y")
    if outcome == "change":
        frame = frame.assign(change=frame["y"] - frame["b"])
    given = {"estimand": ESTIMAND[params.estimand], "conf_level": params.conf_level, "arm": "treated"} | options
    names = [name for name in names if name not in drop]
    return cluster_robust(formula(outcome, names), frame, cluster=training.cluster, **given)


def effect_at(training: Training, params: Params, measure: str, occasion: str) -> Effect | Refused:
    """The difference of the arms in one measure at one occasion; standardised by the deviation before the training."""
    frame = rows_at(training, measure, occasion)
    if frame["treated"].nunique() < 2:
        return Refused(
            "not_tested",
            message("At one occasion one of the arms was not tested in this measure, so the arms cannot be compared."),
            message("The same measure in both arms at every occasion."),
        )
    fit = robust(training, params, measure, occasion)
    if isinstance(fit, Refused):
        return fit
    row, refused = fit.to_frame().set_index("term").loc["treated"], fit.refusals.get("treated")
    sd = training.sd_of(measure)
    n1, n0 = (int((frame["treated"] == arm).sum()) for arm in (1, 0))
    standard = None if not sd > 0 else hedges_g_from_model(
        row["estimate"], row["std_error"], sd=sd, n_treated=n1, n_control=n0, icc=icc_of(training, frame),
        cluster_size=len(frame) / max(fit.n_clusters, 1), df=max(float(row["df"]), 1.0), n_clusters=fit.n_clusters,
        conf_level=fit.conf_level,
    )  # fmt: skip
    g = (math.nan,) * 3 if standard is None else (standard.g, standard.conf_low, standard.conf_high)
    return Effect(
        estimate=row["estimate"], std_error=row["std_error"], conf_low=row["conf_low"], conf_high=row["conf_high"],
        df=row["df"], p_value=row["p_value"], sd=sd, g=g[0], g_low=g[1], g_high=g[2],
        n_used=fit.n_used, n_clusters=fit.n_clusters, method=METHOD, p_refused=in_words(refused) if refused else None,
    )  # fmt: skip


def icc_of(training: Training, frame: pd.DataFrame) -> float:
    """Intraclass correlation within the unit allocated, given the arm; 0 where teachers were allocated."""
    if training.cluster == "teacher_pid" or frame[training.cluster].nunique() == len(frame):
        return 0.0
    fit = multilevel("y ~ treated", frame, groups=[training.cluster])
    return float(fit.icc.loc[fit.icc["term"] == f"icc {training.cluster}", "estimate"].iloc[0])


def kept(training: Training, params: Params, measure: str | None = None) -> RetentionRatioResult | Refused:
    """Follow-up difference over post difference, from both analyses of covariance at once, so that they covary rightly."""
    measure = measure or training.measure
    parts = []
    for at, occasion in enumerate((training.primary, training.follow_up)):
        frame, names = adjusted(training, params, rows_at(training, measure, occasion))
        # The primary result leaves these teachers out: a share of other differences than those above it would be none of them.
        frame = frame.dropna(subset=names)
        own = {f"{name}_{at}": frame[name] for name in names}
        size = frame.groupby(training.cluster)["y"].transform("size") if params.estimand == "school" else 1.0
        part = frame[[*dict.fromkeys((training.cluster, "teacher_pid")), "y", "treated"]]
        parts.append(part.assign(at_later=float(at), weight=1.0 / size, **own))
    names = _covariates(parts)
    frame = pd.concat(parts, ignore_index=True).fillna(dict.fromkeys(names, 0.0))
    frame["post_gain"] = (1 - frame["at_later"]) * frame["treated"]
    frame["later_gain"] = frame["at_later"] * frame["treated"]
    # Where teachers were allocated the teacher is the cluster: its two rows go together.
    weights = "weight" if params.estimand == "school" else None
    formula_of_both = "y ~ " + " + ".join(["at_later", "post_gain", "later_gain", *names])
    fit = cluster_robust(
        formula_of_both, frame, cluster=training.cluster, weights=weights, conf_level=params.conf_level
    )
    if isinstance(fit, Refused):
        return fit
    found = retention_ratio_from_model(fit, post="post_gain", follow="later_gain")
    return found if isinstance(found, Refused) else replace(found, n_used=int(frame["teacher_pid"].nunique()))


def _covariates(parts: list[pd.DataFrame]) -> list[str]:
    return [name for part in parts for name in part if name.startswith("z_")]


def waves(training: Training, params: Params, measure: str | None = None) -> tuple[pd.DataFrame, str]:
    """Long rows with a 0/1 column for each later occasion and for the trained then, and the formula of the fixed effects.

    The first occasion is the baseline. Where lots were drawn, the arms start from one mean (constrained baseline, Liang &
    Zeger 2000 Sankhya B 62:134); else each from its own.
    """
    frame, later = training.long(measure), ["post", "later"][: len(training.occasions) - 1]
    for at, name in enumerate(later, start=1):
        frame[f"at_{name}"] = (frame["time"] == at).astype(float)
        frame[f"{name}_gain"] = frame[f"at_{name}"] * frame["treated"]
    terms = [*(f"at_{name}" for name in later), *(f"{name}_gain" for name in later)]
    if not training.randomised:
        terms = ["treated", *terms]
    if params.block:
        dummies = {name: column.astype(float) for name, column in _dummies(frame["block"], "z_block").items()}
        frame, terms = frame.assign(**dummies), [*terms, *dummies]
    return frame, "score ~ " + " + ".join(terms)


def mixed(training: Training, params: Params, measure: str | None = None) -> object:
    """Teachers in schools, every test that was taken: random intercepts, and gains that differ from school to school.

    Without the school's own gain the model would count every teacher of a school as a further proof of the training.
    """
    frame, terms = waves(training, params, measure)
    above = [name for name in training.levels if name in frame]
    options = {"slope": "after", "slope_level": above[0], "slope_correlated": False} if above else {}
    frame["after"] = (frame["time"] > 0).astype(float)
    return multilevel(terms, frame, groups=[*above, "teacher_pid"], conf_level=params.conf_level, **options)


def repeated(training: Training, params: Params, measure: str | None = None) -> object:
    """Any variances and correlations of the occasions; schools are not allowed for."""
    frame, terms = waves(training, params, measure)
    if (frame.groupby("time")["score"].nunique() < 2).any():
        return all_alike()
    return unstructured_waves(terms, frame, unit="teacher_pid", wave="time", conf_level=params.conf_level)


def all_alike() -> Refused:
    """No variances of an occasion at which everybody scores the same."""
    return Refused(
        "all_alike",
        message("At one occasion every teacher has the same score, or nobody has one."),
        message("Scores that tell teachers apart at every occasion."),
    )


def contrast_row(fit: object, name: Message | str, term: str, occasion: str, sd: float) -> dict[str, object]:
    """One row of a model's fixed effects, in points and in deviations before the training."""
    table = fit.fixed if hasattr(fit, "fixed") else fit.to_frame()
    row = table.set_index("term").loc[term]
    people = getattr(fit, "n_units", None) or getattr(fit, "n_groups", {}).get("teacher_pid") or fit.n_used
    g = row["estimate"] / sd if sd > 0 else math.nan
    return {"group": name, "occasion": occasion, "estimate": row["estimate"], "conf_low": row["conf_low"],
            "conf_high": row["conf_high"], "df": row["df"], "p_value": row["p_value"], "g": g,
            "n_used": int(people)}  # fmt: skip

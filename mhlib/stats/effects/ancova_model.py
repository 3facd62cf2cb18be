"""Analysis of covariance of a trial or of intact groups, clusters allowed for, with the analyses that might disagree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mhlib.errors import DesignError
from mhlib.findings import Refused, message
from mhlib.stats import inputs
from mhlib.stats.effects.ancova_fits import clustered_fit, effect_weights, mean_weights, three_fits
from mhlib.stats.effects.ancova_levels import explained, mixed, mixed_effects, single_rows_refusal
from mhlib.stats.effects.ancova_lord import lord_check
from mhlib.stats.effects.ancova_record import AncovaResult
from mhlib.stats.effects.ancova_rows import AncovaRows, ancova_rows
from mhlib.stats.effects.effect_size_hedges import hedges_g_from_model
from mhlib.stats.effects.effect_size_record import HedgesGResult
from mhlib.stats.effects.robust_contrasts import RobustContrastResult, robust_contrast
from mhlib.stats.effects.robust_fit import ESTIMANDS, clusters_by_arm
from mhlib.stats.effects.robust_refusals import (
    FEWEST_DF,
    carried_refusal,
    few_df_refusal,
    one_cluster_in_arm_refusal,
    one_cluster_refusal,
)

ALLOCATIONS = ("intact", "randomised")


def ancova(
    data: pd.DataFrame,
    *,
    outcome: str,
    baseline: str,
    arm: str,
    reference: object,
    covariates: Sequence[str] = (),
    cluster: str,
    strata: str | None = None,
    school_mean_baseline: bool = True,
    estimand: str = "pupil",
    allocation: str = "intact",
    factorial: tuple[str, str, str] | None = None,
    same_scale: bool = True,
    conf_level: float = 0.95,
) -> AncovaResult | Refused:
    """Compare arms given the baseline, with CR2 errors, and say whether the change score would tell another story.

    Parameters
    ----------
    data : DataFrame, one row a pupil
    outcome, baseline : str
        Numeric columns.
    arm : str
        Two arms or more, of any type; `reference` is the one that all others are compared with.
    reference : object
    covariates : sequence of str
        Measured before allocation. Numbers enter as they are, other columns as dummies.
    cluster : str
        Unit that was allocated: school or class; the pupil where pupils were.
    strata : str, optional
        Column of strata within which clusters were allocated: dummies in every model.
    school_mean_baseline : bool
        Add the cluster's mean baseline, so that pupils and schools may have different slopes. Left out by itself where
        every cluster has one baseline.
    estimand : {'pupil', 'school'}
        Average over pupils or over clusters.
    allocation : {'intact', 'randomised'}
        'randomised' only where chance made the arms: a missing baseline then stays in by the indicator method, and
        ANCOVA is right where it and the change score differ. 'intact' leaves such rows out, and neither is identified.
    factorial : (str, str, str), optional
        Arms of a 2 x 2 trial beside the reference: first alone, second alone, both. ("cc", "tv", "cctv")
    same_scale : bool
        Baseline and outcome are the same score; else there is no change score.
    conf_level : float

    Returns
    -------
    AncovaResult or Refused
        Refused (`one_cluster`, `one_cluster_in_arm`) where no error can be had, and (`arm_without_baseline`) where nobody
        in an arm has a baseline.

    Raises
    ------
    DataError
        A column the table lacks, text for a number, a row without arm or cluster, nothing left.
    DesignError
        One arm, an outcome or baseline that does not vary, columns made from each other, a stratum that differs within a
        cluster.
    ParamsError
        A reference that is no arm, a column named twice, an unknown option.

    Notes
    -----
    y = a + arms + b (baseline - mean) + c (cluster's mean) + covariates. Rows without outcome or a covariate are left out
    and counted. With a dozen schools the mean baseline of schools takes df: where it leaves fewer than 4 the interval is
    refused, and it may be left out. The Lord check is cautious with few schools. p-values of several arms are not adjusted
    here (:func:`adjust_pvalues`). References: Lord (1967) Psychol Bull 68:304; White & Thompson (2005) Stat Med 24:993;
    Van Breukelen (2006) J Clin Epidemiol 59:920; Pustejovsky & Tipton (2018) JBES 36:672; WWC Handbook 5.0, appendix E.
    Checked against: tests/oracle/ancova_values.csv (lm, lmer, clubSandwich).
    """
    where = "ancova"
    inputs.one_of(estimand, tuple(ESTIMANDS), where=where, name="estimand")
    inputs.one_of(allocation, ALLOCATIONS, where=where, name="allocation")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    rows = ancova_rows(
        data,
        outcome=outcome,
        baseline=baseline,
        arm=arm,
        reference=reference,
        covariates=list(covariates),
        cluster=cluster,
        strata=strata,
        keep_missing_baseline=allocation == "randomised",
        where=where,
    )
    arms = clusters_by_arm(pd.Series(rows.arm), rows.code)
    refused = one_cluster_refusal(len(rows.clusters)) or one_cluster_in_arm_refusal(arms) or no_baseline_refusal(rows)
    if refused is not None:
        return refused
    return compared(
        rows,
        school_mean=school_mean_baseline,
        estimand=estimand,
        allocation=allocation,
        factorial=factorial,
        same_scale=same_scale,
        conf_level=conf_level,
    )


def compared(
    rows: AncovaRows,
    *,
    school_mean: bool,
    estimand: str,
    allocation: str,
    factorial: tuple[str, str, str] | None,
    same_scale: bool,
    conf_level: float,
) -> AncovaResult:
    """All analyses of checked rows."""
    options, n_out = {"estimand": estimand, "conf_level": conf_level}, sum(rows.excluded.values())
    weights = effect_weights(rows, factorial)
    x, names = rows.columns(school_mean=school_mean)
    fit = clustered_fit(rows, x, rows.y, names, n_excluded=n_out, **options)
    means, effects = robust_contrast(fit, mean_weights(fit, rows)), robust_contrast(fit, weights)
    plain, few = rows.base_columns
    post = robust_contrast(clustered_fit(rows, plain, rows.y, few, n_excluded=n_out, **options), weights)
    change, lord = changes(rows, weights, school_mean, same_scale, allocation == "randomised", options)
    lmm, table, icc = levels(rows, x, names, weights, conf_level)
    lost = int((~rows.observed).sum())
    return AncovaResult(
        arms=rows.arms,
        means=means,
        effects=effects,
        lmm=lmm,
        post_only=post,
        change_score=change,
        g=standardised(rows, effects, icc, conf_level),
        lord=lord,
        explained=table,
        refusals={**means.refusals, **effects.refusals},
        checks=(*fit.checks, *(found.check for found in lord.values())),
        fit=fit,
        allocation=allocation,
        estimand=estimand,
        baseline_missing=lost,
        excluded=rows.excluded,
        n_clusters=fit.n_clusters,
        n_used=fit.n_used,
        n_excluded=n_out,
        method=described(fit.method, names, lost),
        conf_level=conf_level,
    )


def changes(
    rows: AncovaRows, weights: dict, school_mean: bool, same_scale: bool, randomised: bool, options: dict
) -> tuple[RobustContrastResult | Refused, dict]:
    """Change score and Lord check on the rows with a baseline."""
    if not same_scale:
        return other_scale_refusal(), {}
    seen = rows if rows.observed.all() else rows.kept(rows.observed)
    arms = clusters_by_arm(pd.Series(seen.arm), seen.code)
    refused = one_cluster_in_arm_refusal(arms | {place: 0 for place in range(len(seen.arms)) if place not in arms})
    if refused is not None:
        return refused, {}
    fits = three_fits(seen, school_mean=school_mean, **options)
    lord = {name: lord_check(seen, fits, place, randomised=randomised) for place, name in enumerate(seen.arms) if place}
    return robust_contrast(fits["change_score"], weights), lord


def levels(rows: AncovaRows, x: np.ndarray, names: list[str], weights: dict, conf_level: float) -> tuple:
    """Mixed model, what baseline and covariates explain, and the intraclass correlation before (0 without clusters)."""
    if len(rows.clusters) == len(rows.y):
        refused = single_rows_refusal()
        return refused, refused, 0.0
    bare = rows.base_columns[0][:, : len(rows.arms)]
    before, after = mixed(rows, bare, conf_level), mixed(rows, x, conf_level)
    found = explained(before, after)
    return mixed_effects(after, names, weights), found.table, found.icc


def standardised(
    rows: AncovaRows, effects: RobustContrastResult, icc: float, conf_level: float
) -> dict[str, HedgesGResult | Refused]:
    """WWC g of each arm less the reference."""
    whole, found = rows.whole_clusters and len(rows.clusters) < len(rows.y), {}
    for place in range(1, len(rows.arms)):
        name, error, df = effects.names[place - 1], effects.std_errors[place - 1], effects.df[place - 1]
        if math.isnan(error) or not df >= FEWEST_DF:
            found[name] = carried_refusal(name) if math.isnan(error) else few_df_refusal(name, df)
            continue
        pair = [rows.y[rows.arm == one] for one in (0, place)]
        clusters = len(np.unique(rows.code[np.isin(rows.arm, (0, place))]))
        found[name] = hedges_g_from_model(
            float(effects.estimates[place - 1]),
            float(error),
            sd=pooled_within(pair),
            n_treated=len(pair[1]),
            n_control=len(pair[0]),
            icc=icc if whole else 0.0,
            cluster_size=(len(pair[0]) + len(pair[1])) / clusters if whole else 1.0,
            df=float(df),
            n_clusters=clusters,
            rule="wwc",
            conf_level=conf_level,
        )
    return found


def pooled_within(parts: list[np.ndarray]) -> float:
    """Deviation pooled within two arms.

    Raises
    ------
    DesignError
        No spread within the arms.
    """
    squares = sum(float(((part - part.mean()) ** 2).sum()) for part in parts)
    if not squares > 0:
        raise DesignError("ancova(outcome)", "does not vary within the arms", allowed="an outcome that varies")
    return math.sqrt(squares / (sum(len(part) for part in parts) - 2))


def no_baseline_refusal(rows: AncovaRows) -> Refused | None:
    """Refusal (code `arm_without_baseline`) where nobody in some arm was measured before."""
    if len(np.unique(rows.arm[rows.observed])) == len(rows.arms):
        return None
    return Refused(
        "arm_without_baseline",
        message("Nobody in one arm was measured before the programme: the arms cannot be compared given the baseline."),
        message("Measure every arm before the programme; until then compare the outcome alone."),
    )


def other_scale_refusal() -> Refused:
    """Refusal of the change score where baseline and outcome are different scores, code `baseline_other_scale`."""
    return Refused(
        "baseline_other_scale",
        message("Baseline and outcome are different scores: their difference is no change."),
        message("Measure the outcome's own score before the programme too."),
    )


def described(method: str, names: list[str], lost: int) -> str:
    """Method of the fit, with what was made of the baseline."""
    parts = ["ANCOVA", method]
    parts += ["mean baseline of the cluster"] if "baseline mean of cluster" in names else []
    parts += ["indicator of a missing baseline"] if lost else []
    return ", ".join(parts)

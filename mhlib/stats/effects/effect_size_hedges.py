"""Hedges' g of two arms: pupils alone, schools in both arms or in one, from rows, summaries or a model's estimate."""

from __future__ import annotations

import math

import numpy as np

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs
from mhlib.stats.effects.effect_size_moments import Arm, smd_variance, spread_moments
from mhlib.stats.effects.effect_size_record import HedgesGResult, standardised

SCALES, RULES = ("total", "within"), ("hedges", "wwc")
CLUSTERED = ("both", "treated", "control")


def hedges_g(
    score: object,
    treated: object,
    *,
    cluster: object = None,
    icc: float | None = None,
    scale: str = "total",
    rule: str = "hedges",
    conf_level: float = 0.95,
) -> HedgesGResult:
    """Hedges' g of two groups of pupils.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
        Rows without a score are left out and counted in `n_excluded`.
    treated : array-like of 0/1 or bool, shape (n,)
    cluster : array-like, shape (n,), optional
        School or class that was allocated as a whole; without it pupils are taken as independent.
    icc : float, optional
        Intraclass correlation; estimated from the rows within arms (analysis of variance, cut at 0) when not given.
    scale : {'total', 'within'}
        Deviation of pupils within arms (WWC), or within clusters; the latter needs `cluster`.
    rule : {'hedges', 'wwc'}
        Hedges' exact correction and variance, or the WWC's 1 - 3/(4h - 1) and d²/(2h); they differ in the third digit.
    conf_level : float

    Returns
    -------
    HedgesGResult
        Interval by the noncentral t for independent pupils, else by t with clusters less 2 degrees of freedom.

    Raises
    ------
    DataError
        A missing or other arm than 0 and 1, a row without a cluster.
    DesignError
        Fewer than two scores in an arm, no spread, a cluster in both arms, fewer than two clusters in an arm.

    Notes
    -----
    Total: d = gamma diff / S, variance eta (1/nT + 1/nC) + d²/(2h) (Hedges: gamma² d²/(2h)), for clusters of any size.
    Within: variance (1/nT + 1/nC) eta/(1 - rho) + d²/(2(N - m)). References: Hedges (1981, 2007); WWC Handbook 5.0.
    Checked against: values of tests/stats/test_effect_sizes.py (effectsize, VIVECampbell, pingouin).
    """
    where = "hedges_g"
    checked_choices(scale, rule, conf_level, where=where)
    score = inputs.numeric(score, where=where, name="score")
    arm = inputs.without_missing(
        inputs.binary(treated, where=where, name="treated"), where=where, name="treated", remedy="name each arm"
    )
    inputs.same_length(where, score=score, treated=arm, cluster=cluster)
    known = ~np.isnan(score)
    code = None if cluster is None else inputs.codes(np.asarray(cluster)[known], where=where, name="cluster")[0]
    score, arm = score[known], arm[known]
    means, spreads, sizes = arm_summary(score, arm, where=where)
    found = {"n_excluded": int((~known).sum()), "rule": rule, "conf_level": conf_level}
    if code is None:
        if scale == "within":
            raise DesignError(f"{where}(scale)", "'within' needs clusters", remedy="give cluster= or scale='total'")
        return hedges_g_from_summary(*means, *spreads, *sizes, **found)
    arms, between, within = clusters_of(score, arm, code, where=where)
    rho = anova_icc(between, within, arms, len(score)) if icc is None else icc
    return clustered_g(
        means[0] - means[1], pooled(spreads, sizes), arms, rho, within_sd=math.sqrt(within), scale=scale, **found
    )


def hedges_g_from_summary(
    mean_treated: float,
    mean_control: float,
    sd_treated: float,
    sd_control: float,
    n_treated: int,
    n_control: int,
    *,
    icc: float | None = None,
    cluster_size: float | None = None,
    clustered: str = "both",
    scale: str = "total",
    r_squared: float = 0.0,
    n_covariates: int = 0,
    rule: str = "hedges",
    conf_level: float = 0.95,
    n_excluded: int = 0,
) -> HedgesGResult:
    """Hedges' g from means, deviations and numbers, as a publication gives them.

    Parameters
    ----------
    mean_treated, mean_control : float
        Adjusted means where `n_covariates` is given.
    sd_treated, sd_control : float
        Standard deviations of pupils (never of means, never standard errors), unadjusted.
    n_treated, n_control : int
        Pupils.
    icc, cluster_size : float, optional
        Intraclass correlation and average pupils a cluster; both or neither.
    clustered : {'both', 'treated', 'control'}
        Arms that have clusters: 'treated' for group therapy against single waiting pupils.
    scale, rule, conf_level
        As in :func:`hedges_g`.
    r_squared : float
        Share of the variance that covariates explain, of adjusted means.
    n_covariates : int
        Their number, taken off the degrees of freedom.

    Returns
    -------
    HedgesGResult

    Raises
    ------
    DataError
        Numbers that are impossible, or only one of `icc` and `cluster_size`.

    Notes
    -----
    Checked against: values of tests/stats/test_effect_sizes.py (VIVECampbell; WWC Handbook 5.0).
    """
    where = "hedges_g_from_summary"
    checked_choices(scale, rule, conf_level, where=where)
    inputs.one_of(clustered, CLUSTERED, where=where, name="clustered")
    n = [inputs.count(size, where=where, name="n") for size in (n_treated, n_control)]
    if min(n) < 2 or not (min(sd_treated, sd_control) >= 0 and max(sd_treated, sd_control) > 0):
        raise DataError(where, "holds an arm of fewer than 2 pupils, or no spread", allowed="2 pupils and a spread")
    if (icc is None) != (cluster_size is None):
        raise DataError(where, "gives one of icc and cluster_size", allowed="both, or neither")
    if not 0 <= r_squared < 1:
        raise DataError(f"{where}(r_squared)", f"is {r_squared}", allowed="0 to below 1")
    difference, sd = mean_treated - mean_control, pooled((sd_treated, sd_control), n)
    extra = {"r_squared": r_squared, "n_covariates": n_covariates, "n_excluded": n_excluded}
    if icc is not None:
        arms = tuple(
            Arm.of_average(size, cluster_size) if clustered in ("both", name) else Arm.unclustered(size)
            for name, size in zip(("treated", "control"), n, strict=True)
        )
        choices = {"scale": scale, "rule": rule, "conf_level": conf_level}
        return clustered_g(difference, sd, arms, icc, within_sd=None, **choices, **extra)
    if scale == "within":
        raise DesignError(f"{where}(scale)", "'within' needs clusters", remedy="give icc and cluster_size")
    d, df = difference / sd, sum(n) - 2 - n_covariates
    return standardised(
        d,
        smd_variance(d, *n, eta=1.0, df=df, r_squared=r_squared),
        h=df,
        interval_df=None if r_squared == 0 and n_covariates == 0 else df,
        rule=rule,
        n_treated=n[0],
        n_control=n[1],
        conf_level=conf_level,
        sd=sd,
        scale="total",
        icc=None,
        eta=None,
        n_clusters=None,
        n_excluded=n_excluded,
        method="Hedges' g, independent pupils",
    )


def hedges_g_from_model(
    estimate: float,
    std_error: float,
    *,
    sd: float,
    n_treated: int,
    n_control: int,
    icc: float,
    cluster_size: float,
    df: float,
    n_clusters: int | None = None,
    rule: str = "hedges",
    conf_level: float = 0.95,
) -> HedgesGResult:
    """Hedges' g of an adjusted difference whose standard error already allows for clusters.

    Parameters
    ----------
    estimate, std_error : float
        Adjusted difference and its cluster-robust or multilevel error, in the scale's unit.
    sd : float
        Unadjusted deviation of pupils, pooled within arms.
    n_treated, n_control : int
        Pupils.
    icc, cluster_size : float
        Unconditional intraclass correlation, and average pupils a cluster.
    df : float
        Degrees of freedom of the standard error, for the interval.
    n_clusters, rule, conf_level
        As in :func:`hedges_g`.

    Returns
    -------
    HedgesGResult

    Raises
    ------
    DataError
        A deviation or error that is not above 0.

    Notes
    -----
    d = gamma b / S, variance (gamma SE / S)² + d²/(2h). Reference: WWC Handbook 5.0, appendix E.
    Checked against: :func:`hedges_g` where nothing is adjusted (tests/stats/test_effect_sizes.py).
    """
    where = "hedges_g_from_model"
    checked_choices("total", rule, conf_level, where=where)
    if not (sd > 0 and std_error > 0 and df > 0):
        raise DataError(where, "holds an error, deviation or df that is not above 0", allowed="positive numbers")
    arms = (Arm.of_average(n_treated, cluster_size), Arm.of_average(n_control, cluster_size))
    moments = spread_moments(arms, icc)
    d = moments.gamma * estimate / sd
    return standardised(
        d,
        (moments.gamma * std_error / sd) ** 2 + d**2 / (2 * moments.h),
        h=moments.h,
        interval_df=df,
        rule=rule,
        n_treated=n_treated,
        n_control=n_control,
        conf_level=conf_level,
        sd=sd,
        scale="total",
        icc=icc,
        eta=moments.eta,
        n_clusters=n_clusters,
        n_excluded=0,
        method="Hedges' g of an adjusted difference by its own standard error, total deviation",
    )


def clustered_g(
    difference: float,
    sd: float,
    arms: tuple[Arm, Arm],
    rho: float,
    *,
    within_sd: float | None,
    scale: str,
    rule: str,
    conf_level: float,
    n_excluded: int = 0,
    r_squared: float = 0.0,
    n_covariates: int = 0,
) -> HedgesGResult:
    """Hedges' g with clusters, by the total deviation or that within clusters."""
    moments = spread_moments(arms, rho)
    clusters = sum(arm.n_clusters for arm in arms if arm.clustered)
    single = sum(arm.n for arm in arms if not arm.clustered)
    if scale == "within":
        # Without rows the deviation within clusters follows from the total one and the intraclass correlation.
        sd = sd / moments.gamma * math.sqrt(1 - rho) if within_sd is None else within_sd
        d, h = difference / sd, arms[0].n + arms[1].n - clusters - (1 if single else 0) - n_covariates
        eta, shrink = moments.eta / (1 - rho), 1.0
    else:
        d, h, eta = moments.gamma * difference / sd, moments.h - n_covariates, moments.eta
        shrink = moments.gamma**2 if rule == "hedges" else 1.0
    # One-arm clustering: the free pupils of the other arm count as units of their own.
    units = clusters + single - 2 - n_covariates
    return standardised(
        d,
        smd_variance(d, arms[0].n, arms[1].n, eta=eta, df=h, r_squared=r_squared, shrink=shrink),
        h=h,
        interval_df=max(units, 1.0),
        rule=rule,
        n_treated=arms[0].n,
        n_control=arms[1].n,
        conf_level=conf_level,
        sd=sd,
        scale=scale,
        icc=float(rho),
        eta=moments.eta,
        n_clusters=round(clusters),
        n_excluded=n_excluded,
        method=f"Hedges' g, {scale} deviation, clusters "
        + ("in both arms" if all(arm.clustered for arm in arms) else "in one arm"),
    )


def checked_choices(scale: str, rule: str, conf_level: float, *, where: str) -> None:
    """Refuse choices that are not known."""
    inputs.one_of(scale, SCALES, where=where, name="scale")
    inputs.one_of(rule, RULES, where=where, name="rule")
    inputs.open_unit(conf_level, where=where, name="conf_level")


def pooled(spreads: tuple[float, float], sizes: tuple[int, int]) -> float:
    """Standard deviation pooled within arms."""
    squares = sum((n - 1) * sd**2 for sd, n in zip(spreads, sizes, strict=True))
    return math.sqrt(squares / (sum(sizes) - 2))


def arm_summary(score: np.ndarray, arm: np.ndarray, *, where: str) -> tuple[tuple, tuple, tuple]:
    """Means, deviations and sizes of treated and control."""
    parts = [score[arm == value] for value in (1, 0)]
    if min(len(part) for part in parts) < 2 or max(float(np.ptp(part)) for part in parts) == 0:
        raise DesignError(where, "an arm has fewer than two scores, or no score varies", allowed="two scores an arm")
    return (
        tuple(float(part.mean()) for part in parts),
        tuple(float(part.std(ddof=1)) for part in parts),
        tuple(len(part) for part in parts),
    )


def clusters_of(score: np.ndarray, arm: np.ndarray, code: np.ndarray, *, where: str) -> tuple[tuple, float, float]:
    """Clusters of each arm, and the mean squares between (within arms) and within clusters."""
    size, share = np.bincount(code), np.bincount(code, weights=arm) / np.bincount(code)
    if n_both := int(((share > 0) & (share < 1)).sum()):
        raise DesignError(
            f"{where}(cluster)",
            f"{n_both} clusters are in both arms",
            allowed="clusters allocated as a whole",
            remedy="leave cluster= out where pupils were allocated within schools, or use a model",
        )
    treated = share == 1
    if min(treated.sum(), (~treated).sum()) < 2 or len(score) <= len(size):
        raise DesignError(
            f"{where}(cluster)", "an arm has a single cluster, or every cluster a single pupil", allowed="2 clusters"
        )
    mean = np.bincount(code, weights=score) / size
    within = float(((score - mean[code]) ** 2).sum()) / (len(score) - len(size))
    centre = {value: score[arm == value].mean() for value in (0, 1)}
    offset = mean - np.where(treated, centre[1], centre[0])
    between = float((size * offset**2).sum()) / (len(size) - 2)
    return (Arm.of_sizes(size[treated]), Arm.of_sizes(size[~treated])), between, within


def anova_icc(between: float, within: float, arms: tuple[Arm, Arm], n: int) -> float:
    """Intraclass correlation within arms by the analysis of variance for unequal clusters, cut at 0."""
    average = (n - sum(arm.squares / arm.n for arm in arms)) / (sum(arm.n_clusters for arm in arms) - 2)
    spread = max((between - within) / average, 0.0)
    return spread / (spread + within) if spread + within > 0 else 0.0

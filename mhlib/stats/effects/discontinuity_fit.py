"""Regression discontinuity at a screening cut-off, sharp or fuzzy, honest about a score of few values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.effects.discontinuity_bandwidth import shortest_bandwidth
from mhlib.stats.effects.discontinuity_cells import ScoreCells, cells_of_rows
from mhlib.stats.effects.discontinuity_curvature import quartic_curvature
from mhlib.stats.effects.discontinuity_honest import honest_jump, ratio_by_delta, ratio_by_inversion
from mhlib.stats.effects.discontinuity_local import KERNELS, LocalJump, kernel_weights, local_jump
from mhlib.stats.effects.discontinuity_record import RddResult, blank, points_of
from mhlib.stats.effects.discontinuity_refusals import (
    FEWEST_WITHIN,
    LEAST_F,
    curvature_check,
    few_values_refusal,
    first_stage_check,
    mass_points_check,
    unbounded_refusal,
    unknown_curvature_refusal,
    weak_first_stage_refusal,
)
from mhlib.stats.effects.discontinuity_robust import robust_estimates
from mhlib.stats.effects.robust_refusals import FEWEST_DF, clusters_check, few_df_refusal, one_cluster_refusal

LADDER = (0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for beside the data: bounds on the curvature of outcome and uptake, bandwidth, kernel, level."""

    curvatures: tuple[float, float]
    bandwidth: float | None
    kernel: str
    conf_level: float
    fuzzy: bool


def rdd(
    data: pd.DataFrame,
    *,
    outcome: str,
    running: str,
    cutoff: float,
    treated: str | None = None,
    cluster: str | None = None,
    covariates: Sequence[str] | None = None,
    bandwidth: float | None = None,
    curvature: float | tuple[float, float] | None = None,
    kernel: str = "triangular",
    robust: bool = True,
    conf_level: float = 0.95,
) -> RddResult | Refused:
    """Effect at a cut-off of a score: jump of the outcome, or with uptake the effect on those whom the cut-off served.

    Parameters
    ----------
    data : DataFrame, one row a pupil
        Rows that miss score, outcome, uptake or a covariate are left out and counted in `n_excluded`.
    outcome, running : str
        Columns of numbers; treated by design from `cutoff` on (score >= cut-off).
    cutoff : float
        In units of the score.
    treated : str, optional
        Column of 0/1, who was in fact served: fuzzy design.
    cluster : str, optional
        Column of the school; every row needs one. Without it pupils are taken as independent.
    covariates : sequence of str, optional
        Columns of numbers measured before; adjusted for with one slope each on both sides.
    bandwidth : float, optional
        In units of the score; by default that whose honest interval is expected to be shortest.
    curvature : float or (float, float), optional
        Largest second derivative of the mean outcome in the score on either side, in outcome units per squared point;
        the pair gives uptake's too. By default the rule of thumb: the largest of a quartic on each side, over the
        scores of the 95 % of its pupils who are nearest to the cut-off.
    kernel : {'triangular', 'uniform'}
    robust : bool
        Whether to ask rdrobust too (seconds at 130,000 rows).
    conf_level : float

    Returns
    -------
    RddResult or Refused
        Refused (`too_few_score_values`, `curvature_unknown`, `one_cluster`) where nothing honest can be given; within
        the record the effect is refused on its own (`weak_first_stage`, `unbounded_effect`), so are rdrobust's rows.

    Raises
    ------
    DataError
        Columns the table lacks, uptake other than 0 and 1, rows without school, no complete row.
    DesignError
        Nobody on one side of the cut-off.
    ParamsError
        A bandwidth that holds fewer than two values a side; a curvature that is negative; an unknown kernel.

    Notes
    -----
    Local lines a side with kernel weights w; jump = sum w y. Largest bias M * integral |sum_{x > t} w(x)(x - t)| dt;
    interval by the quantile of |T + bias/error|, T with degrees of freedom from how evenly schools carry the estimate.
    Errors are about the mean of each value of the score (so that a bent line does not widen them), CR1 by school. The
    cut-off itself is reached by extrapolation from below: for an integer score from `cutoff` - 1. The rule of thumb is
    no proof: a bound from subject knowledge, fixed in the plan, is better.
    References: Armstrong & Kolesár (2018) Econometrica 86:655, (2020) Quant Econ 11:1; Kolesár & Rothe (2018) AER 108:2277;
    Noack & Rothe (2024) Econometrica 92:687; Calonico, Cattaneo & Titiunik (2014) Econometrica 82:2295.
    Checked against: tests/oracle/discontinuity_*.csv (RDHonest's published numbers; base R).
    """
    where = "rdd"
    inputs.one_of(kernel, KERNELS, where=where, name="kernel")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    cells, complete = cells_of_rows(
        data, outcome=outcome, running=running, cutoff=cutoff, treated=treated, cluster=cluster, covariates=covariates,
        where=where,
    )  # fmt: skip
    demand_bandwidth(cells, bandwidth, kernel, where=where)
    refused = few_values_refusal(cells) or (one_cluster_refusal(cells.n_clusters) if cluster is not None else None)
    if refused is not None:
        return refused
    fuzzy = treated is not None
    rules = tuple(quartic_curvature(cells, np.eye(len(cells.names))[i]) for i in range(1 + fuzzy))
    given = given_curvatures(curvature, where=where)
    curvatures = tuple(given[i] if i < len(given) else rules[i] for i in range(1 + fuzzy))
    if any(math.isnan(one) for one in curvatures):
        return unknown_curvature_refusal()
    settings = Settings((*curvatures, 0.0)[:2], bandwidth, kernel, conf_level, fuzzy)
    rows = None
    if robust:
        used = data.loc[complete]
        school = None if cluster is None else pd.factorize(used[cluster])[0]
        values = np.column_stack([inputs.numeric(used[name], where=where, name=name) for name in cells.names])
        score = inputs.numeric(used[running], where=where, name=running)
        rows = robust_estimates(cells, values, score - cutoff, school, fuzzy=fuzzy, conf_level=conf_level)
    return put_together(cells, settings, rows, cutoff=cutoff, rule_of_thumb=rules[0], given=bool(given))


def demand_bandwidth(cells: ScoreCells, bandwidth: float | None, kernel: str, *, where: str) -> None:
    """Refuse a bandwidth that holds too few values to draw a line a side."""
    if bandwidth is None:
        return
    held = (
        kernel_weights(cells.distance, np.array([bandwidth]), kernel)[0] > 0 if bandwidth > 0 else cells.above & False
    )
    values = min(int((held & cells.above).sum()), int((held & ~cells.above).sum()))
    if values < FEWEST_WITHIN:
        raise ParamsError(
            f"{where}(bandwidth)",
            f"is {bandwidth} and holds {values} values of the score on a side",
            allowed=f"a bandwidth with {FEWEST_WITHIN} values or more on each side",
            remedy="leave it out to have it chosen",
        )


def given_curvatures(curvature: float | tuple[float, float] | None, *, where: str) -> tuple[float, ...]:
    """The bounds as given: none, one for the outcome, or two."""
    given = () if curvature is None else tuple(float(one) for one in np.atleast_1d(curvature))
    if len(given) > 2 or not all(math.isfinite(one) and one >= 0 for one in given):
        raise ParamsError(
            f"{where}(curvature)",
            "is no bound",
            allowed="a number >= 0, or two: of the outcome and of uptake",
            remedy="give the largest change of slope by one point of the score",
        )
    return given


def combinations_of(
    cells: ScoreCells, bandwidth: float, kernel: str, *, fuzzy: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Outcome and uptake less what the covariates explain of them within the bandwidth, each of shape (V,)."""
    first = cells.n_targets
    found = np.eye(len(cells.names))[:first]
    if len(cells.names) > first:
        found[:, first:] = -covariate_slopes(cells, bandwidth, kernel, first).T
    return found[0], (found[1] if fuzzy else None)


def covariate_slopes(cells: ScoreCells, bandwidth: float, kernel: str, targets: int) -> np.ndarray:
    """Slopes of the first variables on the covariates beside two local lines, shape (V - targets, targets)."""
    smooth = kernel_weights(cells.distance, np.array([bandwidth]), kernel)[0]
    above = cells.above.astype(float)
    basis = np.column_stack([np.ones(len(above)), cells.distance, above, above * cells.distance])
    counts, totals = cells.counts, cells.totals
    heavy = basis * smooth[:, None]
    ruled = np.linalg.pinv((heavy * counts[:, None]).T @ basis)
    along = heavy.T @ totals
    cross = np.einsum("k,kij->ij", smooth, cells.squares) - along.T @ ruled @ along
    return np.linalg.lstsq(cross[targets:, targets:], cross[targets:, :targets], rcond=1e-10)[0]


def chosen_jump(cells: ScoreCells, settings: Settings) -> tuple[LocalJump, np.ndarray, np.ndarray | None]:
    """Jumps at the bandwidth given or chosen, and the mixtures that are outcome and uptake.

    A fuzzy design chooses twice: for the jump of the outcome, then for the mixture outcome less ratio times uptake.
    """
    m_top, m_bottom = settings.curvatures
    h = settings.bandwidth
    asked = {"kernel": settings.kernel, "conf_level": settings.conf_level, "fewest": FEWEST_WITHIN}
    if h is None:
        h = shortest_bandwidth(cells, np.eye(len(cells.names))[0], m_top, **asked)
        top, bottom = combinations_of(cells, h, settings.kernel, fuzzy=settings.fuzzy)
        if settings.fuzzy:
            pilot = local_jump(cells, h, kernel=settings.kernel)
            below = float(bottom @ pilot.jumps)
            ratio = float(top @ pilot.jumps) / below if abs(below) > 1e-12 else 0.0
            h = shortest_bandwidth(cells, top - ratio * bottom, m_top + abs(ratio) * m_bottom, **asked)
    top, bottom = combinations_of(cells, h, settings.kernel, fuzzy=settings.fuzzy)
    return local_jump(cells, h, kernel=settings.kernel), top, bottom


def put_together(
    cells: ScoreCells, settings: Settings, rows: object, *, cutoff: float, rule_of_thumb: float, given: bool
) -> RddResult:
    """Intervals, refusals and checks of one discontinuity."""
    jump, top, bottom = chosen_jump(cells, settings)
    parts, refusals = intervals_of(jump, top, bottom, settings)
    effect = parts["ratio_inverted"] if settings.fuzzy else parts["reduced_form"]
    effect_refused = {"effect": refusals["effect"]} if "effect" in refusals else {}
    if isinstance(rows, Refused):
        refusals, rows = {**refusals, "robust": rows}, None
    checks = [mass_points_check(cells), curvature_check(settings.curvatures[0], rule_of_thumb, cells.n_used)]
    checks += [clusters_check(cells.n_clusters)] if cells.n_clusters else []
    if settings.fuzzy:
        checks.append(first_stage_check(parts["first_stage"].estimate, parts["f_statistic"], cells.n_used))
    nothing = math.nan
    return RddResult(
        estimate=nothing if effect_refused else effect.estimate,
        std_error=nothing if effect_refused else effect.std_error,
        max_bias=nothing if effect_refused else effect.max_bias,
        conf_low=effect.conf_low,
        conf_high=effect.conf_high,
        p_value=effect.p_value,
        df=jump.df,
        **parts,
        robust=rows,
        curvature=settings.curvatures[0],
        uptake_curvature=settings.curvatures[1] if settings.fuzzy else nothing,
        curvature_rule="given" if given else "rule of thumb",
        rule_of_thumb=rule_of_thumb,
        rule_of_thumb_full=quartic_curvature(cells, np.eye(len(cells.names))[0], nearest=1.0),
        ladder=curvature_ladder(cells, settings),
        cutoff=cutoff,
        bandwidth=jump.bandwidth,
        kernel=settings.kernel,
        n_below=jump.n_below,
        n_above=jump.n_above,
        values_below=jump.values_below,
        values_above=jump.values_above,
        discrete=jump.discrete,
        n_clusters=cells.n_clusters,
        refusals=refusals,
        checks=tuple(checks),
        points=points_of(cells, cutoff),
        cells=cells,
        n_used=cells.n_used,
        n_excluded=cells.n_excluded,
        method=method_of(settings, jump, cells),
        conf_level=settings.conf_level,
    )


def intervals_of(
    jump: LocalJump, top: np.ndarray, bottom: np.ndarray | None, settings: Settings
) -> tuple[dict[str, object], dict[str, Refused]]:
    """Honest intervals of outcome, uptake and ratio, and what has to be refused among them."""
    m_top, m_bottom = settings.curvatures
    level, refusals = {"conf_level": settings.conf_level}, {}
    parts = {"reduced_form": honest_jump(jump, top, m_top, **level), "f_statistic": math.nan}
    parts |= {"first_stage": None, "ratio_delta": None, "ratio_inverted": None}
    if bottom is not None:
        first = honest_jump(jump, bottom, m_bottom, **level)
        f = (first.estimate / first.std_error) ** 2 if first.std_error > 0 else math.inf if first.estimate else 0.0
        parts |= {"first_stage": first, "f_statistic": f}
        if f < LEAST_F:
            refusals["effect"] = weak_first_stage_refusal(f)
        else:
            parts["ratio_delta"] = ratio_by_delta(jump, top, bottom, settings.curvatures, **level)
            parts["ratio_inverted"] = ratio_by_inversion(jump, top, bottom, settings.curvatures, **level)
            if not math.isfinite(parts["ratio_inverted"].conf_high - parts["ratio_inverted"].conf_low):
                refusals["effect"] = unbounded_refusal()
        if "effect" in refusals:
            ratio = first if parts["ratio_inverted"] is None else parts["ratio_inverted"]
            empty = blank(type(ratio)(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, jump.df))
            parts |= {"ratio_delta": empty, "ratio_inverted": empty}
    if jump.df < FEWEST_DF:
        refusals["error"] = few_df_refusal("jump", jump.df)
        named = ("reduced_form", "first_stage", "ratio_delta", "ratio_inverted")
        parts |= {name: blank(parts[name]) for name in named if parts[name] is not None}
    return parts, refusals


def curvature_ladder(cells: ScoreCells, settings: Settings) -> pd.DataFrame:
    """The effect with the bounds halved, as they are, and doubled, each at its own bandwidth."""
    rows = []
    for factor in LADDER:
        varied = Settings(
            tuple(factor * one for one in settings.curvatures), settings.bandwidth, settings.kernel,
            settings.conf_level, settings.fuzzy,
        )  # fmt: skip
        jump, top, bottom = chosen_jump(cells, varied)
        parts, _ = intervals_of(jump, top, bottom, varied)
        one = parts["ratio_inverted"] if settings.fuzzy else parts["reduced_form"]
        rows.append(
            {"factor": factor, "curvature": varied.curvatures[0], "bandwidth": jump.bandwidth, "estimate": one.estimate,
             "max_bias": one.max_bias, "conf_low": one.conf_low, "conf_high": one.conf_high}
        )  # fmt: skip
    return pd.DataFrame(rows)


def method_of(settings: Settings, jump: LocalJump, cells: ScoreCells) -> str:
    """How the numbers came about, in one line."""
    design = "fuzzy regression discontinuity" if settings.fuzzy else "sharp regression discontinuity"
    errors = f"CR1 by {cells.n_clusters} clusters" if cells.n_clusters else "independent rows"
    about = "the mean of each score" if jump.discrete else "the local lines"
    return (
        f"{design}, local lines ({settings.kernel} kernel, bandwidth {jump.bandwidth:.3g}), honest interval for a second "
        f"derivative of at most {settings.curvatures[0]:.3g}, errors about {about}, {errors}"
    )

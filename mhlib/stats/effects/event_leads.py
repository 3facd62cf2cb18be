"""Leads and lags of a roll-out: the test of the terms before, its power, and honest bounds."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, stats

from mhlib.errors import DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.effects.did_inference import Inferred, Joint, joint_zero
from mhlib.stats.effects.did_record import StaggeredResult, judged
from mhlib.stats.effects.did_refusals import no_leads_refusal, pretrend_check, weak_leads_refusal
from mhlib.stats.effects.event_honest import (
    MOST_ERRORS,
    MOST_MBAR,
    HonestBound,
    breakdown,
    relative_magnitudes,
    smoothness,
)
from mhlib.stats.effects.event_record import EventStudyResult, PreTrendPower
from mhlib.stats.effects.robust_refusals import FEWEST_DF, few_df_refusal


def event_study(
    found: StaggeredResult,
    *,
    target: str = "average",
    mbar: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0),
    smooth: tuple[float, ...] | None = None,
    power: tuple[float, ...] = (0.5, 0.8),
    alpha: float = 0.05,
) -> EventStudyResult:
    """Effects by time since the start, with what the terms before can and cannot say about parallel trends.

    Parameters
    ----------
    found : StaggeredResult
        Of `did_staggered`, not by 'did2s', whose leads have no common base.
    target : str
        'average' of the lags, or one as 'e=0'.
    mbar : sequence of float
        Steps after at most so many times the largest step before.
    smooth : sequence of float, optional
        Changes of the trend's slope a term; by default 0, 0.5, 1 and 2 standard errors of the target.
    power : sequence of float
        Chances with which the test should find a trend.
    alpha : float
        Of the test of the terms before.

    Returns
    -------
    EventStudyResult
        `pre_test` is refused (`no_term_before`, `too_few_schools_for_leads`) and so are the bounds, with NaN beside it.

    Raises
    ------
    DesignError
        No lag with an error.
    ParamsError
        'did2s'; a target that is not among the lags; limits below 0.

    Notes
    -----
    Test: Hotelling's F with the degrees of freedom of Krishnamoorthy & Yu (2004). Power: the same test's noncentral F when
    the trends differ by slope x (e + 1); the bias is slope x mean(e + 1) over the target, and is larger still among studies
    that pass (Roth 2022 AER Insights 4:305). Bounds: Rambachan & Roth (2023) Rev Econ Stud 90:2555; smoothness by
    the shortest fixed-length interval, relative magnitudes by the union of intervals (cautious).
    Checked against: tests/oracle/did_values.csv (R), the figures published with HonestDiD (did_medicaid.csv).
    """
    where = "event_study"
    inputs.open_unit(alpha, where=where, name="alpha")
    for chance in power:
        inputs.open_unit(chance, where=where, name="power")
    if found.estimator == "did2s":
        raise ParamsError(f"{where}(found)", "the leads of 'did2s' have no common base", allowed="another method")
    if any(limit < 0 for limit in (*mbar, *(smooth or ()))):
        raise ParamsError(f"{where}(mbar, smooth)", "a limit is below 0", allowed="0 or more")
    events, rows = block(found)
    effects = found.inferred.of(rows)
    n_leads = int((events < -1).sum())
    weights = target_weights(events[n_leads:], target, where)
    refusals: dict[str, Refused] = {}
    test, ladder = tested(effects, events[:n_leads], weights, power, alpha, refusals)
    judged_rows = judged(tuple(f"e={e}" for e in events), effects, found.conf_level)
    refusals |= judged_rows.pop("refusals")
    bounds, limits = honest(effects, n_leads, weights, mbar, smooth, found.conf_level, refusals, target)
    strongest = ladder[-1] if ladder else PreTrendPower(math.nan, math.nan, math.nan)
    n_all = sum(kind == "dynamic" for kind in found.aggregation)
    return EventStudyResult(
        event_times=events,
        **judged_rows,
        target=target,
        effect=relative_magnitudes(effects, n_leads, weights, 0.0, found.conf_level),
        pre_test=test,
        power=ladder,
        bounds=bounds,
        breakdown_mbar=limits[0],
        breakdown_smoothness=limits[1],
        refusals=refusals,
        checks=(pretrend_check(test.p_value, strongest.slope, strongest.bias, strongest.power),) if ladder else (),
        n_dropped=n_all - len(events),
        inferred=effects,
        n_schools=found.n_schools,
        n_used=found.n_used,
        n_excluded=found.n_excluded,
        method=f"event study of {found.method}; bounds by Rambachan & Roth (2023)",
        conf_level=found.conf_level,
    )


def block(found: StaggeredResult) -> tuple[np.ndarray, np.ndarray]:
    """Event times with an error, consecutive about -1, and their places in the result."""
    place = {int(term[2:]): i for i, term in enumerate(found.terms) if found.aggregation[i] == "dynamic"}
    usable = {e for e, i in place.items() if found.std_errors[i] > 0}
    if 0 not in usable:
        raise DesignError(
            "event_study",
            "the first term under the programme has no effect with an error",
            allowed="two schools or more in every group of one start",
            remedy="join starts that lie close together, or leave a school that began alone out and say so",
        )
    last, first = 0, -1
    while last + 1 in usable:
        last += 1
    while first - 1 in usable:
        first -= 1
    events = np.array([*range(first, -1), *range(last + 1)], dtype=int)
    return events, np.array([place[e] for e in events])


def target_weights(lags: np.ndarray, target: str, where: str) -> np.ndarray:
    """Weights of the lags in the target."""
    if target == "average":
        return np.full(len(lags), 1 / len(lags))
    known = [f"e={e}" for e in lags]
    inputs.one_of(target, ("average", *known), where=where, name="target")
    return (np.array(known) == target).astype(float)


def tested(
    effects: Inferred, leads: np.ndarray, target: np.ndarray, power: tuple[float, ...], alpha: float, refusals: dict
) -> tuple[Joint, tuple[PreTrendPower, ...]]:
    """Joint test of the leads and the trends it would find; both empty where refused."""
    none = Joint(math.nan, len(leads), math.nan, math.nan)
    if not len(leads):
        refusals["pre_test"] = no_leads_refusal()
        return none, ()
    before = effects.of(np.arange(len(leads)))
    test = joint_zero(before)
    if not test.df2 >= FEWEST_DF:
        refusals["pre_test"] = weak_leads_refusal(len(leads))
        return Joint(math.nan, test.df1, test.df2, math.nan), ()
    bias = float(target @ (np.arange(len(target)) + 1))
    slopes = [detected_slope(before.covariance, leads, test, chance, alpha) for chance in power]
    return test, tuple(PreTrendPower(chance, s, s * bias) for chance, s in zip(power, slopes, strict=True))


def detected_slope(covariance: np.ndarray, leads: np.ndarray, test: Joint, power: float, alpha: float) -> float:
    """Slope of a straight difference in trends that the joint test finds with a given chance."""
    if power <= alpha:
        return 0.0
    path = (leads + 1).astype(float)
    per_square = float(path @ np.linalg.solve(covariance, path))
    if math.isinf(test.df2):
        limit = stats.chi2.isf(alpha, test.df1)
        reached = lambda nc: stats.ncx2.sf(limit, test.df1, nc) - power  # noqa: E731
    else:
        limit = stats.f.isf(alpha, test.df1, test.df2)
        reached = lambda nc: stats.ncf.sf(limit, test.df1, test.df2, nc) - power  # noqa: E731
    top = 1.0
    while reached(top) < 0:
        top *= 2
    return math.sqrt(optimize.brentq(reached, 1e-12, top, xtol=1e-12) / per_square)


def honest(
    effects: Inferred,
    n_leads: int,
    target: np.ndarray,
    mbar: tuple[float, ...],
    smooth: tuple[float, ...] | None,
    conf_level: float,
    refusals: dict,
    name: str,
) -> tuple[tuple[HonestBound, ...], tuple[float, float]]:
    """Bounds at every limit, and both breakdown values; empty without leads or below 4 degrees of freedom."""
    at = effects.turned(np.concatenate([np.zeros(n_leads), target])[None])
    if n_leads == 0:
        refusals["honest"] = no_leads_refusal()
        return (), (math.nan, math.nan)
    if not at.df[0] >= FEWEST_DF:
        refusals["honest"] = few_df_refusal(name, at.df[0])
        return (), (math.nan, math.nan)
    if np.linalg.matrix_rank(effects.covariance[:n_leads, :n_leads], hermitian=True) < n_leads:
        refusals["honest"] = weak_leads_refusal(n_leads)
        return (), (math.nan, math.nan)
    error = float(at.std_errors[0])
    ladder = tuple(error * step for step in (0.0, 0.5, 1.0, 2.0)) if smooth is None else smooth

    def by_size(limit: float) -> HonestBound:
        return relative_magnitudes(effects, n_leads, target, limit, conf_level)

    def by_bend(limit: float) -> HonestBound:
        return smoothness(effects, n_leads, target, limit, conf_level)

    bounds = (*(by_size(limit) for limit in mbar), *(by_bend(limit) for limit in ladder))
    return bounds, (breakdown(by_size, MOST_MBAR), breakdown(by_bend, MOST_ERRORS * error))

"""The fall to expect when scores are normal: a marked second best where no unserved pupil was measured again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import integrate, stats

from mhlib.errors import ParamsError
from mhlib.stats import inputs
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExpectedFallResult:
    """Fall in SD of the screen and shares to expect, with no service, of pupils in the top tail of a normal screen."""

    fall: float
    improved: float
    below_cutoff: float
    reliable_recovery: float
    worse: float
    reliability: float
    top: float
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `fall` (in SD), `improved`, `below_cutoff`, `reliable_recovery`, `worse` (shares)."""
        names = ("fall", "improved", "below_cutoff", "reliable_recovery", "worse")
        return term_frame([{"term": name, "estimate": getattr(self, name)} for name in names])


def expected_fall(*, reliability: float, top: float, conf_level: float = 0.95) -> ExpectedFallResult:
    """What happens to the top share of a normal screen at a retest when nothing is done.

    Parameters
    ----------
    reliability : float
        Retest reliability, 0–1.
    top : float
        Share of pupils who screen positive, 0–1.
    conf_level : float
        Of the reliable change: .95 is beyond 1.96 errors.

    Returns
    -------
    ExpectedFallResult
        Fall in standard deviations; shares of the positives who are reliably improved, under the cut-off, both, or
        reliably worse.

    Raises
    ------
    ParamsError
        A share or reliability outside 0–1.

    Notes
    -----
    fall = (1 - r) phi(z) / top; shares by integrating the normal retest given the screen.
    References: Davis (1976) Am J Epidemiol 104:493; James (1973) Biometrics 29:121.
    Checked against: tests/oracle/change_fall_normal.csv (R integrate).
    """
    where = "expected_fall"
    r = inputs.open_unit(reliability, where=where, name="reliability")
    share = inputs.open_unit(top, where=where, name="top")
    cut = float(stats.norm.isf(share))
    least = float(stats.norm.ppf((1 + conf_level) / 2)) * math.sqrt(2 * (1 - r))
    spread = math.sqrt(1 - r * r)

    def tail(bound: object, upper: bool = False) -> float:
        over = stats.norm.sf if upper else stats.norm.cdf
        value = integrate.quad(lambda x: stats.norm.pdf(x) * over((bound(x) - r * x) / spread), cut, 12, epsabs=1e-12)[
            0
        ]
        return value / share

    return ExpectedFallResult(
        fall=(1 - r) * float(stats.norm.pdf(cut)) / share,
        improved=tail(lambda x: x - least),
        below_cutoff=tail(lambda x: cut),
        reliable_recovery=tail(lambda x: min(cut, x - least)),
        worse=tail(lambda x: x + least, upper=True),
        reliability=r,
        top=share,
        n_used=0,
        n_excluded=0,
        method="truncated normal screen, no service",
        conf_level=conf_level,
    )


def normal_expectation(
    start: np.ndarray,
    outcome: np.ndarray,
    chosen: np.ndarray,
    count: np.ndarray,
    *,
    sign: int,
    cutoff: float,
    least_change: float | None,
    reliability: tuple[float, float],
    population: tuple[float, float] | None,
    keep: np.ndarray,
) -> dict[str, object]:
    """Expectation by the normal formula at each served pupil's own score, with what it owes to its three parameters.

    `start` is the screen of all pupils, `chosen` marks served positives with a retest in it, `keep` marks the same pupils
    in the rows of `outcome`.
    """
    r, r_se = reliability
    inputs.open_unit(r, where="regression_to_mean", name="reliability")
    if not r_se >= 0:
        raise ParamsError(
            "regression_to_mean(reliability)", "has no standard error", allowed="(estimate, standard error)"
        )
    n, total = count[chosen].sum(), count.sum()
    severity = sign * start
    mean = float((count * severity).sum() / total)
    sd = math.sqrt(float((count * (severity - mean) ** 2).sum() / total))
    if population is not None:
        mean, sd = sign * population[0], float(population[1])
    half = 0.5 if np.all(start == np.round(start)) else 0.0
    mine, weight = severity[chosen], count[chosen] / n

    def at(rho: float, centre: float, spread: float) -> np.ndarray:
        rows = expected_rows(mine, rho, centre, spread, sign * cutoff, least_change, half)
        return weight @ rows

    expected, step = at(r, mean, sd), 1e-4
    by_r = (at(min(r + step, 1 - 1e-9), mean, sd) - at(r - step, mean, sd)) / (2 * step)
    by_mean = (at(r, mean + step, sd) - at(r, mean - step, sd)) / (2 * step)
    by_sd = (at(r, mean, sd + step) - at(r, mean, sd - step)) / (2 * step)
    residual = outcome[keep] - expected_rows(mine, r, mean, sd, sign * cutoff, least_change, half)
    remainder = weight @ residual
    influence = np.zeros((len(start), outcome.shape[1]))
    if population is None:
        influence -= np.outer((severity - mean) / total, by_mean)
        influence -= np.outer(((severity - mean) ** 2 - sd**2) / (2 * sd * total), by_sd)
    influence[chosen] += (residual - remainder) / n
    return {
        "observed": weight @ outcome[keep],
        "expected": expected,
        "remainder": remainder,
        "influence": influence,
        "expected_se": np.abs(by_r) * r_se,
        "extra_variance": (by_r * r_se) ** 2,
        "n_outside": 0,
    }


def expected_rows(
    severity: np.ndarray, r: float, mean: float, sd: float, cutoff: float, least_change: float | None, half: float
) -> np.ndarray:
    """Expected outcomes at each score, shape (n, 2 or 5); `half` a point corrects whole-number scores."""
    centre, spread = mean + r * (severity - mean), sd * math.sqrt(1 - r * r)
    columns = [severity - centre, stats.norm.cdf((cutoff - half - centre) / spread)]
    if least_change is not None:
        reach = severity - least_change + half
        columns += [
            stats.norm.cdf((reach - centre) / spread),
            stats.norm.cdf((np.minimum(cutoff - half, reach) - centre) / spread),
            stats.norm.sf((severity + least_change - half - centre) / spread),
        ]
    return np.column_stack(columns)

"""Repeated measures with an unstructured covariance of the waves (MMRM), missing waves and all, Satterthwaite's df."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import optimize, stats

from mhlib.errors import DesignError, ParamsError
from mhlib.findings import Check, Refused, message
from mhlib.stats import inputs
from mhlib.stats.effects.nested_contrasts import weights_of_terms
from mhlib.stats.effects.nested_design import Design, columns_of, complete_rows, design_of, parsed
from mhlib.stats.effects.nested_fit import LEAST_DF, from_centred, inverse_where_curved
from mhlib.stats.effects.nested_optimise import AGREE
from mhlib.stats.effects.waves_covariance import WaveDeviance, patterns_of
from mhlib.stats.terms import term_frame

MOST_WAVES = 8
# Change of the deviance that is left by one more Newton step, at most.
FLAT = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnstructuredWavesResult:
    """Fixed effects and the covariance of the waves.

    Attributes
    ----------
    fixed : pandas.DataFrame
        `term, estimate, std_error, conf_low, conf_high, p_value, statistic, df`; no p-value below 4 df.
    waves : tuple
        Their labels, in order.
    covariance : ndarray, shape (t, t)
        Of the waves, given the fixed effects.
    deviance, loglik : float
    converged : bool
        Finite likelihood, flat, curved everywhere, and a second optimiser at the same deviance.
    n_patterns : int
        Patterns of missing waves.
    beta_covariance, jacobian, information : ndarray
        What any contrast needs; see :func:`wave_contrasts`.
    check : Check
    """

    fixed: pd.DataFrame = field(repr=False)
    waves: tuple[object, ...]
    covariance: np.ndarray
    deviance: float
    loglik: float
    converged: bool
    n_patterns: int
    terms: tuple[str, ...] = field(repr=False)
    estimates: np.ndarray = field(repr=False)
    beta_covariance: np.ndarray = field(repr=False)
    jacobian: np.ndarray = field(repr=False)
    information: np.ndarray = field(repr=False)
    check: Check
    n_units: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    @property
    def correlation(self) -> np.ndarray:
        """Of the waves, shape (t, t)."""
        sd = np.sqrt(np.diag(self.covariance))
        return self.covariance / np.outer(sd, sd)

    def to_frame(self) -> pd.DataFrame:
        """Fixed effects, with `df, n_used`."""
        return self.fixed.assign(n_used=self.n_used)


def unstructured_waves(
    formula: str,
    data: pd.DataFrame,
    *,
    unit: str,
    wave: str,
    method: str = "reml",
    conf_level: float = 0.95,
) -> UnstructuredWavesResult | Refused:
    """Linear model of repeated measures whose waves may have any variances and correlations.

    Parameters
    ----------
    formula : str
        `outcome ~ fixed effects`, as `y ~ baseline + arm * C(month)`.
    data : pandas.DataFrame
        One row a unit and wave; rows with a missing value are left out and counted, the unit's other waves stay.
    unit, wave : str
        Columns; two to eight waves, their order that of sorted values (or categories).
    method : {'reml', 'ml'}
    conf_level : float

    Returns
    -------
    UnstructuredWavesResult or Refused
        Refused (`waves_not_seen_together`) where no unit was seen at some two waves, or fewer units than needed.

    Raises
    ------
    DataError, DesignError, ParamsError
        As :func:`multilevel`; DesignError too for a unit twice at a wave, one wave, or more than eight.

    Notes
    -----
    Units are taken as independent: where schools were allocated put CR2 by school beside it. Valid where what is missing
    depends on what was seen (MAR). df: Satterthwaite, 2v²/(g'Ag), from exact derivatives. References: Mallinckrodt et al.
    (2008) Drug Inf J 42:303; Giesbrecht & Burns (1985) Biometrics 41:477.
    Checked against: tests/oracle/slopes_values.csv (nlme::gls, corSymm with varIdent).
    """
    where = "unstructured_waves"
    inputs.one_of(method, ("reml", "ml"), where=where, name="method")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if unit == wave:
        raise ParamsError(f"{where}(wave)", "is the unit", allowed="two columns")
    read = parsed(formula, where=where)
    frame, _ = complete_rows(data, list(dict.fromkeys([*columns_of(read), unit, wave])), where=where)
    design = design_of(read, (), frame, where=where)
    code, units = pd.factorize(frame[unit])
    place, labels = pd.factorize(frame[wave], sort=True)
    demand_waves(code, place, len(labels), where=where)
    refused = seen_together_refusal(code, place, len(labels))
    if refused is not None:
        return refused
    patterns = patterns_of(np.column_stack([design.x, design.y]), code, place, len(labels))
    deviance = WaveDeviance(patterns, len(labels), design.x.shape[1], reml=method == "reml")
    return waves_record(
        deviance,
        design,
        waves=tuple(labels),
        n_units=len(units),
        n_used=len(frame),
        n_excluded=len(data) - len(frame),
        method=method,
        conf_level=conf_level,
    )


def demand_waves(code: np.ndarray, place: np.ndarray, n_waves: int, *, where: str) -> None:
    """Two to eight waves, each once a unit."""
    if not 2 <= n_waves <= MOST_WAVES:
        raise DesignError(f"{where}(wave)", f"{n_waves} waves", allowed=f"2 to {MOST_WAVES}", remedy="use multilevel")
    if n_twice := int(pd.Series(code * n_waves + place).duplicated().sum()):
        raise DesignError(f"{where}(unit)", f"{n_twice} rows repeat a unit's wave", allowed="one row a unit and wave")


def seen_together_refusal(code: np.ndarray, place: np.ndarray, n_waves: int) -> Refused | None:
    """Refusal (code `waves_not_seen_together`) where some covariance has no unit to come from."""
    seen = np.zeros((code.max() + 1, n_waves))
    seen[code, place] = 1
    if (seen.T @ seen).min() >= n_waves + 1:
        return None
    return Refused(
        "waves_not_seen_together",
        message("Too few people were seen at both of some two waves: how these go together cannot be told."),
        message("Follow the same people from wave to wave, or use a random intercept, which needs less."),
    )


def start_of(deviance: WaveDeviance, share: float) -> np.ndarray:
    """L of equal variances and a common correlation, of the size of the residuals without it."""
    first = deviance.point(np.eye(deviance.n_waves)[deviance.slots])
    both = np.append(-first.beta, 1.0)
    rss = sum(np.einsum("i,jjil,l->", both, each.products, both) for each in deviance.patterns)
    v = (1 - share) * np.eye(deviance.n_waves) + share
    return np.linalg.cholesky(v * rss / deviance.n)[deviance.slots]


STOPS = {"L-BFGS-B": {"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-5}, "BFGS": {"maxiter": 1000, "gtol": 1e-5}}


def searched(deviance: WaveDeviance, start: np.ndarray, method: str) -> np.ndarray:
    """One optimiser over log-diagonal and off-diagonal entries of L, in units of the start's spread."""
    own, unit = deviance.diagonal, float(np.abs(start).max())
    # A deviance of a hundred thousand would hide its last units from a stopping rule.
    base = float(deviance.point(start).deviance)
    weight = 1 / math.sqrt(sum(each.count for each in deviance.patterns))

    def theta_of(x: np.ndarray) -> np.ndarray:
        return unit * np.where(own, np.exp(np.where(own, np.clip(x * weight, -30, 30), 0.0)), x * weight)

    def function(x: np.ndarray) -> tuple[float, np.ndarray]:
        theta = theta_of(x)
        with np.errstate(all="ignore"):
            here = deviance.point(theta)
        if not np.isfinite(here.deviance):
            return 1e300, np.zeros(len(x))
        return float(here.deviance) - base, here.gradient * weight * np.where(own, theta, unit)

    first = np.where(own, np.log(np.where(own, start, 1.0) / unit), start / unit) / weight
    return theta_of(optimize.minimize(function, first, jac=True, method=method, options=STOPS[method]).x)


def polished(deviance: WaveDeviance, theta: np.ndarray) -> tuple[np.ndarray, bool]:
    """Newton steps to the flat point; whether it is one, and curved upwards everywhere."""
    for _ in range(8):
        here = deviance.point(theta)
        hessian, _ = deviance.second(theta)
        if not np.isfinite(hessian).all() or np.linalg.eigvalsh(hessian)[0] <= 0:
            return theta, False
        step = np.linalg.solve(hessian, here.gradient)
        if here.gradient @ step / 2 < FLAT**2:
            return theta, True
        if not deviance.point(theta - step).deviance <= here.deviance:
            return theta, bool(here.gradient @ step / 2 < FLAT)
        theta = theta - step
    return theta, bool(here.gradient @ step / 2 < FLAT)


def waves_record(
    deviance: WaveDeviance, design: Design, *, method: str, conf_level: float, **rest: object
) -> UnstructuredWavesResult:
    """Fit, by two optimisers, and put into words and tables."""
    ends = [searched(deviance, start_of(deviance, share), how) for share, how in ((0.5, "L-BFGS-B"), (0.2, "BFGS"))]
    values = [float(deviance.point(end).deviance) for end in ends]
    theta, flat = polished(deviance, ends[int(np.argmin(values))])
    here = deviance.point(theta)
    converged = bool(np.isfinite(here.deviance) and flat and max(values) - float(here.deviance) < AGREE)
    hessian, jacobian = deviance.second(theta)
    back, factor = from_centred(design), deviance.factor(theta)
    beta = back @ here.beta
    if design.intercept is not None:
        beta[design.intercept] += design.shift[0]
    found = {
        "terms": design.names,
        "estimates": beta,
        "beta_covariance": back @ here.inverse @ back.T,
        "jacobian": back @ jacobian @ back.T,
        "information": inverse_where_curved(hessian),
    }
    rows = judged(np.eye(len(beta)), conf_level=conf_level, **{k: v for k, v in found.items() if k != "terms"})
    return UnstructuredWavesResult(
        fixed=term_frame([{"term": name, **row} for name, row in zip(design.names, rows, strict=True)]),
        covariance=factor @ factor.T,
        deviance=float(here.deviance),
        loglik=-float(here.deviance) / 2,
        converged=converged,
        n_patterns=len(deviance.patterns),
        check=waves_check(converged),
        method=f"repeated measures, unstructured covariance, {method.upper()}, Satterthwaite df",
        conf_level=conf_level,
        **found,
        **rest,
    )


def judged(
    contrast: np.ndarray,
    *,
    estimates: np.ndarray,
    beta_covariance: np.ndarray,
    jacobian: np.ndarray,
    information: np.ndarray,
    conf_level: float,
) -> list[dict[str, float]]:
    """Estimate, error, Satterthwaite df, interval and p-value of each contrast."""
    rows = []
    for row in contrast:
        variance = row @ beta_covariance @ row
        gradient = jacobian @ row @ row
        spread = gradient @ information @ gradient
        error, df = math.sqrt(variance), 2 * variance**2 / spread if spread > 0 else math.inf
        estimate, half = row @ estimates, stats.t.ppf((1 + conf_level) / 2, df) * error
        p = float(2 * stats.t.sf(abs(estimate / error), df)) if df >= LEAST_DF else math.nan
        named = {"estimate": estimate, "std_error": error, "conf_low": estimate - half, "conf_high": estimate + half}
        rows.append({**named, "p_value": p, "statistic": estimate / error, "df": df})
    return rows


def wave_contrasts(
    result: UnstructuredWavesResult, rows: Mapping[str, Mapping[str, float]], *, conf_level: float | None = None
) -> pd.DataFrame:
    """Sums of fixed effects by label, as `{"arm at month 8": {"arm": 1, "arm:C(month)[T.8]": 1}}`.

    Parameters
    ----------
    result : UnstructuredWavesResult
    rows : mapping of label to mapping of term to weight
    conf_level : float, optional

    Returns
    -------
    pandas.DataFrame
        As `fixed`.

    Raises
    ------
    ParamsError
        A term the model does not have.

    Notes
    -----
    Checked against: tests/oracle/slopes_values.csv (nlme::gls with another reference wave).
    """
    matrix = np.array([weights_of_terms(row, result.terms) for row in rows.values()])
    parts = {name: getattr(result, name) for name in ("estimates", "beta_covariance", "jacobian", "information")}
    found = judged(matrix, conf_level=conf_level or result.conf_level, **parts)
    return term_frame([{"term": label, **row} for label, row in zip(rows, found, strict=True)])


def waves_check(converged: bool) -> Check:
    """Check that the answer is one."""
    name = message("Two optimisers agree on the covariance of the waves")
    if converged:
        return Check(
            name, True, message("Finite likelihood, gradient near nought, and the same deviance from two starts.")
        )
    return Check(name, False, message("They do not: read a random intercept instead."))

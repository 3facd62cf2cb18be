"""Do groups differ in a slope? Correlated random intercept and slope at one level, beside the random intercept alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import ParamsError
from mhlib.findings import Check, Refused, message
from mhlib.stats.effects.nested_design import columns_of, complete_rows, parsed
from mhlib.stats.effects.nested_model import multilevel, varying
from mhlib.stats.effects.nested_record import MultilevelResult
from mhlib.stats.effects.slopes_identified import slope_refusal
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomSlopeResult:
    """A model with random intercept and slope, and what it adds to the random intercept.

    Attributes
    ----------
    slope, group : str
    fit, intercept_fit : MultilevelResult
        With and without the random slope, on the same rows; for contrasts, adjusted means and group effects.
    intercept_variance, slope_variance, covariance, residual_variance : float
    correlation : float
        Of intercept and slope, where the slope's column is 0; NaN where a variance is 0.
    ratio : float
        Likelihood ratio against the random intercept; 0 at least.
    p_value : float
        By the even mixture of chi-squared with 1 and with 2 df: a variance cannot lie below 0, so 2 df alone is too
        cautious. NaN unless both fits converged.
    converged : bool
        Both fits: finite likelihood, flat, and two optimisers at the same deviance.
    boundary : tuple of str
        The group, where a variance is 0 or the correlation is -1 or 1.
    checks : tuple of Check
    """

    slope: str
    group: str
    fit: MultilevelResult = field(repr=False)
    intercept_fit: MultilevelResult = field(repr=False)
    intercept_variance: float
    slope_variance: float
    covariance: float
    residual_variance: float
    correlation: float
    ratio: float
    p_value: float
    converged: bool
    boundary: tuple[str, ...]
    checks: tuple[Check, ...]
    n_groups: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Fixed effects, variances, correlation and the test, told apart by `kind`; with `df, n_used`."""
        rows = [{**row, "kind": "fixed"} for row in self.fit.fixed.to_dict("records")]
        rows += [{**row, "kind": "variance"} for row in self.fit.variances.to_dict("records")]
        rows.append({"term": "correlation of intercept and slope", "estimate": self.correlation, "kind": "correlation"})
        test = {"term": "likelihood ratio of the slope", "estimate": self.ratio, "p_value": self.p_value}
        return term_frame([*rows, {**test, "kind": "test"}]).assign(n_used=self.n_used)


def random_slope(
    formula: str,
    data: pd.DataFrame,
    *,
    slope: str,
    group: str,
    method: str = "reml",
    conf_level: float = 0.95,
) -> RandomSlopeResult | Refused:
    """Mixed model whose intercept and slope differ from group to group, and the test that the slope does.

    Parameters
    ----------
    formula : str
        `outcome ~ fixed effects`; it should hold the slope's column, whose mean slope is else taken to be 0.
    data : pandas.DataFrame
        One row an occasion (group: the pupil) or a pupil (group: the school). Rows with a missing value in a column used
        are left out and counted.
    slope : str
        Numeric column: time, or a pupil's baseline. Put its 0 where the intercept is to be read.
    group : str
    method : {'reml', 'ml'}
    conf_level : float

    Returns
    -------
    RandomSlopeResult or Refused
        Refused (`slope_not_identified`) where the four variances cannot be told apart, as with two waves.

    Raises
    ------
    DataError, DesignError, ParamsError
        As :func:`multilevel`; ParamsError too where slope and group are one column.

    Notes
    -----
    V = Z Psi Z' + sigma² I, Z = [1, slope]; fitted by the engine of :func:`multilevel` from sums by group, groups with the
    same Z'Z added up. Both models hold the same fixed effects, so REML criteria may be compared. Reference: Stram & Lee
    (1994) Biometrics 50:1171; Bates et al. (2015) J Stat Softw 67(1).
    Checked against: tests/oracle/slopes_values.csv, tests/oracle/multilevel_fixed.csv (lme4, lmerTest).
    """
    where = "random_slope"
    if slope == group:
        raise ParamsError(f"{where}(slope)", "is the group", allowed="a column that varies within groups")
    read = parsed(formula, where=where)
    used = list(dict.fromkeys([*columns_of(read), slope, group]))
    frame, _ = complete_rows(data, used, where=where)
    values = np.asarray(varying(frame[slope], slope, where=where))
    refused = slope_refusal(slope, values, frame[group])
    if refused is not None:
        return refused
    options = {"groups": group, "method": method, "conf_level": conf_level}
    full = multilevel(formula, frame, slope=slope, **options)
    plain = multilevel(formula, frame, **options)
    return slope_record(full, plain, slope=slope, group=group, n_excluded=len(data) - len(frame))


def slope_record(
    full: MultilevelResult, plain: MultilevelResult, *, slope: str, group: str, n_excluded: int
) -> RandomSlopeResult:
    """Put two fits together."""
    parts = full.variances.set_index("part")["estimate"]
    product = parts["intercept"] * parts["slope"]
    converged = full.converged and plain.converged
    ratio = max(plain.deviance - full.deviance, 0.0)
    return RandomSlopeResult(
        slope=slope,
        group=group,
        fit=full,
        intercept_fit=plain,
        intercept_variance=float(parts["intercept"]),
        slope_variance=float(parts["slope"]),
        covariance=float(parts["covariance"]),
        residual_variance=float(parts["residual"]),
        correlation=float(parts["covariance"] / math.sqrt(product)) if product > 0 else math.nan,
        ratio=float(ratio),
        p_value=mixture_p(ratio) if converged else math.nan,
        converged=converged,
        boundary=full.boundary,
        checks=(convergence_check(converged), boundary_check(full.boundary)),
        n_groups=full.n_groups[group],
        n_used=full.n_used,
        n_excluded=n_excluded,
        method=f"{full.method}, correlated slope of {slope}",
        conf_level=full.conf_level,
    )


def mixture_p(ratio: float) -> float:
    """Upper tail of the even mixture of chi-squared with 1 and with 2 df; 1 where there is no gain at all."""
    return 1.0 if ratio <= 0 else float((stats.chi2.sf(ratio, 1) + stats.chi2.sf(ratio, 2)) / 2)


def convergence_check(converged: bool) -> Check:
    """Check that the answer is one."""
    name = message("Two optimisers agree on the model with and without the slope")
    if converged:
        return Check(
            name, True, message("Finite likelihood, gradient near nought, and the same deviance from two starts.")
        )
    return Check(name, False, message("They do not: no test of the slope is given, and no digit should be read."))


def boundary_check(boundary: tuple[str, ...]) -> Check:
    """Check that the fit lies within its bounds."""
    name = message("The random intercept and slope are two things")
    if not boundary:
        return Check(name, True, message("Both variances are above 0 and their correlation lies within -1 and 1."))
    return Check(
        name,
        False,
        message("A variance is 0, or the correlation is -1 or 1: the data do not carry both; read the simpler model."),
    )

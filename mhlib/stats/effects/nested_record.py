"""The record of a fitted nested model and of many of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.stats.effects.nested_fit import NestedFit, at_boundary, estimated
from mhlib.stats.effects.nested_variances import icc_table, variance_table
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultilevelResult:
    """A linear mixed model with nested random effects.

    Attributes
    ----------
    outcome, formula : str
    fixed : pandas.DataFrame
        `term, estimate, std_error, conf_low, conf_high, p_value, statistic, df` of each column of the fixed effects;
        t intervals and p-values with Satterthwaite's df; no p-value below 4 df.
    variances : pandas.DataFrame
        `term, estimate` (variance or covariance)`, std_error, conf_low, conf_high, sd, level, part`, highest level first,
        residual last; Wald intervals on the log scale.
    icc : pandas.DataFrame
        `icc <level>`: share of the variance at that level; `alike in one <level>`: correlation of two rows that share a
        group of it.
    converged : bool
        Finite likelihood, flat, and a second optimiser at the same deviance.
    boundary : tuple of str
        Levels whose variance is zero, or whose slope and intercept are one thing (singular fit).
    deviance, loglik : float
        -2 log-likelihood (the REML criterion under REML) and its half with the sign turned.
    gradient, disagreement : float
        Slope left at the answer, in units of a parameter's own size over sqrt(n); deviance of the worse optimiser less the
        better.
    n_evaluations : int
    n_groups : dict
        Groups a level, the highest first.
    missing : dict
        Values missing in each column used.
    slope : str or None
    core : NestedFit
        For contrasts, adjusted means and group effects.
    """

    outcome: str
    formula: str
    fixed: pd.DataFrame = field(repr=False)
    variances: pd.DataFrame = field(repr=False)
    icc: pd.DataFrame = field(repr=False)
    converged: bool
    boundary: tuple[str, ...]
    deviance: float
    loglik: float
    gradient: float
    disagreement: float
    n_evaluations: int
    n_groups: Mapping[str, int]
    missing: Mapping[str, int]
    slope: str | None
    core: NestedFit = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Fixed effects, variances and ICCs, told apart by `kind`: 'fixed', 'variance', 'icc'."""
        parts = (("fixed", self.fixed), ("variance", self.variances), ("icc", self.icc))
        rows = [{**row, "kind": kind} for kind, frame in parts for row in frame.to_dict("records")]
        return term_frame(rows)

    def effect(self, term: str) -> Mapping[str, float]:
        """One row of `fixed`."""
        return self.fixed.set_index("term").loc[term].to_dict()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultilevelOutcomes:
    """One model, many outcomes.

    Attributes
    ----------
    fits : dict of str to MultilevelResult
    n_used, n_excluded : int
        Of the outcome with most rows.
    """

    fits: Mapping[str, MultilevelResult] = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Rows of each fit with `outcome`, `converged` and `n_used`."""
        return pd.concat(
            [fit.to_frame().assign(outcome=name, converged=fit.converged, n_used=fit.n_used)
             for name, fit in self.fits.items()],
            ignore_index=True,
        )  # fmt: skip


def record_of(fit: NestedFit, *, conf_level: float, **rest: object) -> MultilevelResult:
    """Put a fit into words and tables."""
    terms = estimated(fit, np.eye(len(fit.beta)), conf_level)
    fixed = term_frame([{"term": name, **row} for name, row in zip(fit.design.names, terms, strict=True)])
    kind = "REML" if fit.deviance.reml else "ML"
    shape = " in ".join(fit.nesting.names)
    return MultilevelResult(
        fixed=fixed,
        variances=variance_table(fit, conf_level),
        icc=icc_table(fit, conf_level),
        converged=fit.optimum.converged,
        boundary=at_boundary(fit),
        deviance=fit.optimum.deviance,
        loglik=-fit.optimum.deviance / 2,
        gradient=fit.optimum.gradient,
        disagreement=fit.optimum.disagreement,
        n_evaluations=fit.optimum.evaluations,
        n_groups=fit.nesting.sizes,
        core=fit,
        method=f"linear mixed model, {kind}, random effects of {shape}, Satterthwaite df",
        conf_level=conf_level,
        **rest,
    )

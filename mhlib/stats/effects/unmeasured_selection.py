"""How much stronger than observed selection would hidden selection have to be? Oster's delta."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OsterResult:
    """Oster's delta and the effect if hidden selection were as strong as observed.

    Attributes
    ----------
    delta : float
        Hidden over observed selection that brings the effect to `target`; beyond 1 is usually called robust, a negative
        one means that hidden selection would have to run against the observed.
    adjusted : float
        Effect at delta = 1 and the given r_max (the root nearest to the controlled estimate).
    """

    delta: float
    adjusted: float
    uncontrolled: float
    controlled: float
    r_max: float
    target: float
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `delta`, `adjusted`, `uncontrolled`, `controlled`."""
        return term_frame(
            [
                {"term": name, "estimate": getattr(self, name)}
                for name in ("delta", "adjusted", "uncontrolled", "controlled")
            ]
        )


def oster_delta(
    outcome: object,
    treatment: object,
    controls: object,
    *,
    r_max: float | None = None,
    target: float = 0.0,
) -> OsterResult:
    """Proportional selection of Oster, from rows.

    Parameters
    ----------
    outcome, treatment : array-like, shape (n,)
    controls : DataFrame or array-like, shape (n, k), k >= 1
    r_max : float, optional
        R2 if all hidden causes were controlled for; 1.3 times the controlled R2, at most 1, when absent.
    target : float
        Effect to be reached, 0 as a rule.

    Returns
    -------
    OsterResult
        Rows with a gap are left out and counted.

    Raises
    ------
    DataError
        Columns of different lengths, text.
    DesignError
        Controls that change neither R2 nor estimate, or determine the treatment.
    ParamsError
        An r_max below the controlled R2 or above 1.

    Notes
    -----
    Oster (2019) J Bus Econ Stat 37:187, proposition 3. The tests rebuild populations in which delta is known.
    """
    where = "oster_delta"
    table = np.asarray(controls, dtype=float)
    table = table[:, None] if table.ndim == 1 else table
    inputs.same_length(where, outcome=outcome, treatment=treatment, controls=table)
    y, x = (inputs.numeric(v, where=where, name=n) for v, n in ((outcome, "outcome"), (treatment, "treatment")))
    rows = np.column_stack([y, x, table])
    kept = ~np.isnan(rows).any(axis=1)
    return oster_from_covariance(
        np.cov(rows[kept], rowvar=False),
        r_max=r_max,
        target=target,
        n_used=int(kept.sum()),
        n_excluded=int((~kept).sum()),
    )


def oster_from_covariance(
    covariance: object, *, r_max: float | None = None, target: float = 0.0, n_used: int = 0, n_excluded: int = 0
) -> OsterResult:
    """As :func:`oster_delta`, from the covariance of outcome, treatment and controls in this order.

    Parameters
    ----------
    covariance : array-like, shape (2 + k, 2 + k)
    r_max, target
        As in :func:`oster_delta`.
    n_used, n_excluded : int
        Carried into the record.

    Returns
    -------
    OsterResult

    Raises
    ------
    DesignError
        As in :func:`oster_delta`.
    ParamsError
        An r_max below the controlled R2 or above 1.
    """
    where = "oster_delta"
    s = np.asarray(covariance, dtype=float)
    syy, sxx = s[0, 0], s[1, 1]
    plain = s[0, 1] / sxx
    r_plain = plain * s[0, 1] / syy
    inner = s[1:, 1:]
    if np.linalg.matrix_rank(inner) < len(inner):
        raise DesignError(where, "controls determine each other or the treatment", remedy="leave some out")
    slopes = np.linalg.solve(inner, s[1:, 0])
    full, r_full = float(slopes[0]), float(slopes @ s[1:, 0] / syy)
    residual = float(1 / np.linalg.inv(inner)[0, 0])
    top = min(1.3 * r_full, 1.0) if r_max is None else float(r_max)
    if not r_full <= top <= 1 + 1e-12:
        raise ParamsError(f"{where}(r_max)", "lies below the controlled R2 or above 1", allowed=f"{r_full:.3f} to 1")
    moved, gained, room = plain - full, (r_full - r_plain) * syy, (top - r_full) * syy
    if gained <= 1e-12 * syy:
        raise DesignError(where, "the controls explain nothing of the outcome", remedy="no selection to compare with")
    # Proposition 3 as polynomials in v = controlled estimate - effect: delta = above(v) / below(v).
    cubic = residual * sxx - residual**2
    above = np.array([cubic, 2 * residual * moved * sxx, gained * residual + sxx * residual * moved**2, 0.0])
    below = np.array([cubic, residual * moved * sxx, room * (sxx - residual), room * moved * sxx])
    v = full - target
    bottom = float(np.polyval(below, v))
    roots = np.roots(np.trim_zeros(above - below, "f"))
    real = roots[np.abs(roots.imag) < 1e-8 * (1 + np.abs(roots.real))].real
    return OsterResult(
        delta=float(np.polyval(above, v)) / bottom if bottom else math.inf,
        adjusted=full - float(min(real, key=abs)) if len(real) else math.nan,
        uncontrolled=float(plain),
        controlled=full,
        r_max=top,
        target=float(target),
        n_used=n_used,
        n_excluded=n_excluded,
        method=f"Oster (2019), r_max {top:.3f}",
        conf_level=math.nan,
    )

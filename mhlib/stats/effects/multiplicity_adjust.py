"""P-values adjusted for the number of outcomes: Holm, Benjamini–Hochberg, and Romano–Wolf from bootstrap draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.wild_clusters import WildBootstrapResult
from mhlib.stats.multiplicity import benjamini_hochberg, holm
from mhlib.stats.terms import term_frame

METHODS = {"holm": "Holm (1979)", "bh": "Benjamini & Hochberg (1995)"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AdjustedPValuesResult:
    """P-values of several outcomes as they are and adjusted; NaN where none was given, which then counts for nothing."""

    names: tuple[str, ...]
    p_values: np.ndarray
    adjusted: np.ndarray
    n_tests: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row an outcome: `p_value` and `p_adjusted`."""
        rows = [{"term": name, "p_value": p} for name, p in zip(self.names, self.p_values, strict=True)]
        return term_frame(rows).assign(p_adjusted=self.adjusted, n_tests=self.n_tests)


def adjust_pvalues(
    p_values: object, *, method: str = "holm", names: Sequence[str] | None = None, conf_level: float = 0.95
) -> AdjustedPValuesResult:
    """P-values adjusted for how many hypotheses were tested.

    Parameters
    ----------
    p_values : array-like of numbers from 0 to 1, shape (m,)
        A missing one (a refused test) stays missing and does not count.
    method : {'holm', 'bh'}
        Chance of any false finding, or expected share of false findings.
    names : sequence of str, optional

    Returns
    -------
    AdjustedPValuesResult

    Raises
    ------
    DataError
        A p-value outside 0 to 1, or names of another number.
    ParamsError
        An unknown method.

    Notes
    -----
    Checked against: R's p.adjust and pingouin.multicomp (tests/stats/test_effect_sizes.py).
    """
    inputs.one_of(method, tuple(METHODS), where="adjust_pvalues", name="method")
    p = inputs.numeric(p_values, where="adjust_pvalues", name="p_values")
    if ((p < 0) | (p > 1)).any():
        raise DataError("adjust_pvalues(p_values)", "holds numbers outside 0 to 1", allowed="p-values")
    names = tuple(f"p{i + 1}" for i in range(len(p))) if names is None else tuple(names)
    inputs.same_length("adjust_pvalues", p_values=p, names=names)
    return AdjustedPValuesResult(
        names=names,
        p_values=p,
        adjusted=(holm if method == "holm" else benjamini_hochberg)(p),
        n_tests=int((~np.isnan(p)).sum()),
        n_used=int((~np.isnan(p)).sum()),
        n_excluded=int(np.isnan(p).sum()),
        method=METHODS[method],
        conf_level=conf_level,
    )


def romano_wolf(results: Sequence[WildBootstrapResult], *, names: Sequence[str] | None = None) -> AdjustedPValuesResult:
    """P-values adjusted by the dependence of the outcomes, from wild bootstraps that shared their signs.

    Parameters
    ----------
    results : sequence of WildBootstrapResult
        One an outcome (or treatment), of the same clusters, weights, seed and number of draws.
    names : sequence of str, optional
        Of the outcomes; the terms by default.

    Returns
    -------
    AdjustedPValuesResult
        Never larger than Holm's beyond the draws' own error where outcomes go together.

    Raises
    ------
    ParamsError
        No result, or results whose draws do not belong together.

    Notes
    -----
    Step-down: p of the j-th largest |t| is (1 + number of draws whose largest |t*| among it and the smaller ones reaches
    |t|) / (1 + draws), made monotone. Reference: Romano & Wolf (2005, 2016) Stat Probab Lett 113:38.
    Checked against: a loop over draws and Holm's bound (tests/stats/test_effect_sizes.py).
    """
    drawn = {(one.weights, one.seed, one.n_draws, one.n_clusters) for one in results}
    if len(drawn) != 1:
        raise ParamsError(
            "romano_wolf(results)",
            f"holds {len(drawn)} kinds of draws",
            allowed="bootstraps of the same clusters with the same weights, seed and number of draws",
            remedy="fit every outcome to the same schools and give every bootstrap one seed",
        )
    names = tuple(one.term for one in results) if names is None else tuple(names)
    inputs.same_length("romano_wolf", results=results, names=names)
    size = np.abs([one.statistic for one in results])
    reached = np.abs(np.array([one.draws for one in results]))
    return AdjustedPValuesResult(
        names=names,
        p_values=np.array([one.p_value for one in results]),
        adjusted=stepped_down(size, reached),
        n_tests=len(size),
        n_used=len(size),
        n_excluded=0,
        method=f"Romano & Wolf (2016), {reached.shape[1]} draws",
        conf_level=results[0].conf_level,
    )


def stepped_down(size: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """Adjusted p-values of statistics, shape (m,), from draws, shape (m, B)."""
    order = np.argsort(-size, kind="stable")
    largest = np.maximum.accumulate(reached[order][::-1], axis=0)[::-1]
    share = (1 + (largest >= size[order][:, None] * (1 - 1e-9)).sum(axis=1)) / (1 + reached.shape[1])
    adjusted = np.empty(len(size))
    adjusted[order] = np.maximum.accumulate(share)
    return adjusted

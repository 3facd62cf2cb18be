"""Omega hierarchical and total: how much of a sum score is one general factor, and how much is anything common at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs
from mhlib.stats.measurement.correlation_input import demand_inverse, item_names, pearson
from mhlib.stats.measurement.efa_extraction import LEAST_UNIQUENESS, extract
from mhlib.stats.measurement.efa_model import METHODS, demand_few_factors
from mhlib.stats.measurement.efa_rotation import rotate
from mhlib.stats.measurement.item_matrix import checked_covariance, covariance, item_matrix
from mhlib.stats.terms import term_frame

OBLIQUE = ("oblimin", "promax")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OmegaHierarchicalResult:
    """Parts of the variance of a sum score, 0–1, under a general factor and group factors at right angles to it.

    Attributes
    ----------
    omega_h : float
        Share due to the general factor: how far the sum may be read as one thing.
    omega_t : float
        Share due to all factors: how reliable the sum is.
    ecv : float
        General factor's part of the common variance of the items.
    general : pandas.Series
        Loadings of the items, in the items' own unit.
    group : pandas.DataFrame
        Loadings on the group factors `F1, F2, ...`.
    omega_group : pandas.Series
        Share of the variance of the sum score due to each group factor.
    uniquenesses : pandas.Series
    heywood : tuple of str
        Items (or `second order`) where a uniqueness ended at its bound: not credible.
    """

    omega_h: float
    omega_t: float
    ecv: float
    general: pd.Series = field(repr=False)
    group: pd.DataFrame = field(repr=False)
    omega_group: pd.Series = field(repr=False)
    uniquenesses: pd.Series = field(repr=False)
    heywood: tuple[str, ...]
    n_items: int
    n_used: int | None
    n_excluded: int
    method: str
    conf_level: float = math.nan

    def to_frame(self) -> pd.DataFrame:
        """Terms `omega_h`, `omega_t`, `ecv` and `omega_F1, ...`; no interval is known, so bounds are NaN."""
        rows = [{"term": name, "estimate": getattr(self, name)} for name in ("omega_h", "omega_t", "ecv")]
        rows += [{"term": f"omega_{name}", "estimate": float(value)} for name, value in self.omega_group.items()]
        return term_frame(rows).assign(n_items=self.n_items, n_used=self.n_used)


def omega_hierarchical(
    items: object, n_factors: int = 3, *, method: str = "minres", rotation: str = "oblimin"
) -> OmegaHierarchicalResult:
    """Omega hierarchical and total of the sum of items by Schmid and Leiman's transformation.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k)
        Reversed items already turned by the codebook.
    n_factors : int
        Group factors, 2 or more; with 2 the general factor is only identified by taking both loadings as equal.
    method : {'minres', 'ml'}
    rotation : {'oblimin', 'promax'}

    Returns
    -------
    OmegaHierarchicalResult
        People who miss any item are left out and counted.

    Raises
    ------
    DataError
        Text or infinite values; items that are sums of others.
    DesignError
        Fewer than two group factors, more than the items can tell apart, or group factors that run against each other.
    ParamsError
        An unknown method or rotation.

    Notes
    -----
    Oblique factors of the correlations, one minres factor of their correlations phi = b b' + diag(w): general loadings
    L b, group loadings L sqrt(w). omega_h = (s'g)^2 / s'Rs and omega_t = 1 - sum(s^2 u) / s'Rs with s the spreads of the
    items, so that both speak of the raw sum; of standardised items when given a correlation matrix, as psych does.
    References: Schmid & Leiman (1957); McDonald (1999); Zinbarg et al. (2005) Psychometrika 70:123.
    Checked against: tests/oracle/efa_values.csv (psych::omega on Thurstone's and Holzinger and Swineford's tests).
    """
    matrix = item_matrix(items, where="omega_hierarchical")
    return omega_hierarchical_from_covariance(
        covariance(matrix.complete),
        matrix.n_used,
        n_factors,
        method=method,
        rotation=rotation,
        names=matrix.names,
        n_excluded=matrix.n_excluded,
    )


def omega_hierarchical_from_covariance(
    cov: object,
    n: int,
    n_factors: int = 3,
    *,
    method: str = "minres",
    rotation: str = "oblimin",
    names: Sequence[str] | None = None,
    n_excluded: int = 0,
) -> OmegaHierarchicalResult:
    """Omega hierarchical and total from the covariance (or correlation) of the items.

    Parameters
    ----------
    cov : array-like, shape (k, k)
    n : int
        People behind it.
    n_factors, method, rotation
        As in :func:`omega_hierarchical`.
    names : sequence of str, optional
    n_excluded : int
        Carried into the record.

    Returns
    -------
    OmegaHierarchicalResult
        The same digits as :func:`omega_hierarchical` on the rows.

    Raises
    ------
    DataError, DesignError, ParamsError
        As :func:`omega_hierarchical`.

    Notes
    -----
    Checked against: tests/oracle/efa_values.csv (psych::omega on Thurstone's and Holzinger and Swineford's tests).
    """
    where = "omega_hierarchical_from_covariance"
    inputs.one_of(method, tuple(METHODS), where=where, name="method")
    inputs.one_of(rotation, OBLIQUE, where=where, name="rotation")
    sample = checked_covariance(cov, n, where=where)
    if n_factors < 2:
        raise DesignError(
            f"{where}(n_factors)", "one group factor leaves no general one", allowed="2 or more", remedy="use omega"
        )
    demand_few_factors(len(sample), n_factors, where=where)
    demand_inverse(pearson(sample), where=where)
    found = extract(pearson(sample), n_factors, method)
    rotated = rotate(found.loadings, rotation)
    second = second_order(rotated.phi, where=where)
    general, group = rotated.loadings @ second, rotated.loadings * np.sqrt(np.maximum(1 - second**2, 0.0))
    spread, items = np.sqrt(np.diag(sample)), item_names(names, len(sample), where=where)
    heywood = [item for item, unique in zip(items, found.unique, strict=True) if unique <= LEAST_UNIQUENESS * 1.0001]
    return omega_record(
        general * spread,
        group * spread[:, None],
        found.unique * spread**2,
        spread**2,
        float(sample.sum()),
        items,
        heywood=(*heywood, *(["second order"] if (1 - second**2 <= LEAST_UNIQUENESS * 1.0001).any() else [])),
        n_used=int(n),
        n_excluded=n_excluded,
        method=f"Schmid-Leiman of {n_factors} {method} factors, {rotation} rotation",
    )


def omega_from_bifactor(
    general: object,
    group: object,
    uniquenesses: object,
    *,
    cov: object = None,
    names: Sequence[str] | None = None,
    n: int | None = None,
) -> OmegaHierarchicalResult:
    """Omega hierarchical and total from the loadings of a bifactor model, as a CFA fits it.

    Parameters
    ----------
    general : array-like, shape (k,)
    group : array-like, shape (k, q)
        0 where an item does not belong; factors of variance 1, at right angles to each other and the general one.
    uniquenesses : array-like, shape (k,)
        Residual variances, 0 or more, in the square of the loadings' unit.
    cov : array-like, shape (k, k), optional
        Observed covariance; the variance of the sum score is then the observed one, else the model's.
    names : sequence of str, optional
    n : int, optional
        Carried into the record.

    Returns
    -------
    OmegaHierarchicalResult

    Raises
    ------
    DataError
        Shapes that do not fit, missing numbers, a negative uniqueness.

    Notes
    -----
    omega_h = (sum g)^2 / V, omega_t = ((sum g)^2 + sum_k (sum l_k)^2) / V; with `cov`, omega_t = 1 - sum u / V.
    Reference: Reise (2012) Multivariate Behavioral Research 47:667.
    Checked against: tests/oracle/efa_arrays.csv (psych::omega's loadings give its omegas again).
    """
    where = "omega_from_bifactor"
    general, group, unique = (np.asarray(part, dtype=float) for part in (general, group, uniquenesses))
    problems = []
    if general.ndim != 1 or group.ndim != 2 or not len(general) == len(group) == len(unique) or unique.ndim != 1:
        problems.append("shapes do not fit each other")
    elif not all(np.isfinite(part).all() for part in (general, group, unique)) or (unique < 0).any():
        problems.append("hold missing numbers or a negative uniqueness")
    if problems:
        raise DataError.of_many(f"{where}(loadings)", problems, remedy="give k, (k, q) and k finite numbers")
    model = float(general.sum() ** 2 + (group.sum(axis=0) ** 2).sum() + unique.sum())
    items = item_names(names, len(general), where=where)
    observed = model if cov is None else float(checked_covariance(cov, 3 if n is None else n, where=where).sum())
    return omega_record(
        general,
        group,
        unique,
        general**2 + (group**2).sum(axis=1) + unique,
        observed,
        items,
        heywood=tuple(item for item, value in zip(items, unique, strict=True) if value == 0),
        n_used=n,
        n_excluded=0,
        method=f"bifactor loadings, {'model' if cov is None else 'observed'} variance of the sum score",
    )


def second_order(phi: np.ndarray, *, where: str) -> np.ndarray:
    """Loadings of factors on the general one; with two factors their correlation is shared alike.

    Raises
    ------
    DesignError
        Two factors that run against each other: nothing general is there.
    """
    if len(phi) > 2:
        found = extract(phi, 1, "minres").loadings[:, 0]
        return found * (1.0 if found.sum() >= 0 else -1.0)
    if phi[0, 1] < 0:
        raise DesignError(
            where, "the two factors run against each other", remedy="look for a wrongly keyed item; use omega by factor"
        )
    return np.full(2, math.sqrt(phi[0, 1]))


def omega_record(
    general: np.ndarray,
    group: np.ndarray,
    unique: np.ndarray,
    variances: np.ndarray,
    total: float,
    items: tuple[str, ...],
    **record: object,
) -> OmegaHierarchicalResult:
    """The record of general and group loadings over the variance of the sum score."""
    if not total > 0:
        raise DesignError("omega_hierarchical", "the sum of the items does not vary")
    factors = [f"F{number}" for number in range(1, group.shape[1] + 1)]
    # In items of variance 1, so that an item with a wide range does not count for more.
    shares = general**2 / variances, (group**2).sum(axis=1) / variances
    return OmegaHierarchicalResult(
        omega_h=float(general.sum() ** 2 / total),
        omega_t=float(1 - unique.sum() / total),
        ecv=float(shares[0].sum() / (shares[0].sum() + shares[1].sum())),
        general=pd.Series(general, items, name="general"),
        group=pd.DataFrame(group, items, factors),
        omega_group=pd.Series(group.sum(axis=0) ** 2 / total, factors, name="omega_group"),
        uniquenesses=pd.Series(unique, items, name="uniqueness"),
        n_items=len(items),
        **record,
    )

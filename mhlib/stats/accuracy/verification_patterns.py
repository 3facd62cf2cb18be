"""Everyone tested, collapsed to distinct patterns of test and covariates: what every correction is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DataError
from mhlib.stats.accuracy.verification_counts import VerificationCounts
from mhlib.stats.clustered import variance_of_total

Cluster = tuple[np.ndarray, int]
# Columns of `Patterns.people`.
NONCASE, CASE, UNVERIFIED = 0, 1, 2
# Clusters times kinds of people beyond this are summed row by row.
LARGEST_TABLE = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """Counts by pattern and status.

    Attributes
    ----------
    test : ndarray of 0/1, shape (k,)
    covariates : DataFrame of k rows, or None
    people : ndarray, shape (k, 3)
        Verified non-cases, verified cases, unverified.
    pattern : ndarray of int, shape (n,), or None
        Pattern of each row; None where only counts are known.
    status : ndarray of int, shape (n,), or None
        Column of `people` of each row.
    groups : (codes, number of clusters) or None
    by_cluster : ndarray, shape (clusters, 3 k), or None
        People of each kind in each cluster, where that is a small table; then no error needs the rows again.
    """

    test: np.ndarray
    covariates: pd.DataFrame | None
    people: np.ndarray
    pattern: np.ndarray | None = field(default=None, repr=False)
    status: np.ndarray | None = field(default=None, repr=False)
    groups: Cluster | None = field(default=None, repr=False)
    by_cluster: np.ndarray | None = field(default=None, repr=False)

    @property
    def n_all(self) -> np.ndarray:
        """People by pattern."""
        return self.people.sum(axis=1)

    @property
    def n_seen(self) -> np.ndarray:
        """Verified people by pattern."""
        return self.people[:, NONCASE] + self.people[:, CASE]

    @property
    def n_case(self) -> np.ndarray:
        """Verified cases by pattern."""
        return self.people[:, CASE]

    @property
    def n_unseen(self) -> np.ndarray:
        """Unverified people by pattern."""
        return self.people[:, UNVERIFIED]

    @property
    def df(self) -> float:
        """Clusters - 1, infinite without clusters."""
        return np.inf if self.groups is None else self.groups[1] - 1

    def variance(self, influence: np.ndarray) -> float:
        """Variance of an estimate from the influence of a row of each kind, shape (k, 3).

        Independent rows: the sum of squares, which is the delta method. Clusters: as in `variance_of_total`.
        """
        if self.groups is None:
            return float((self.people * influence**2).sum())
        if self.by_cluster is not None:
            return variance_of_total(self.by_cluster @ influence.ravel(), None)
        return variance_of_total(influence[self.pattern, self.status], self.groups)

    def counts(self) -> VerificationCounts:
        """The six cells over all patterns."""
        tn, fn, unseen_negative = self.people[self.test == 0].sum(axis=0)
        fp, tp, unseen_positive = self.people[self.test == 1].sum(axis=0)
        return VerificationCounts(*(int(x) for x in (tp, fp, fn, tn, unseen_positive, unseen_negative)))


def patterns_of_rows(
    test: np.ndarray, case: np.ndarray, seen: np.ndarray, covariates: object, groups: Cluster | None
) -> Patterns:
    """Patterns of rows, in one pass.

    Raises
    ------
    DataError
        Covariates with missing values.
    """
    if covariates is None:
        pattern, side, frame = test.astype(np.int64), np.array([0.0, 1.0]), None
    else:
        pattern, first, frame = distinct(test, covariate_frame(covariates))
        side = test[first]
    status = np.where(seen, case, UNVERIFIED).astype(np.int64)
    size = 3 * len(side)
    kind = pattern * 3 + status
    people = np.bincount(kind, minlength=size).reshape(-1, 3).astype(float)
    table = None
    if groups is not None and groups[1] * size <= LARGEST_TABLE:
        table = np.bincount(groups[0] * size + kind, minlength=groups[1] * size).reshape(groups[1], size).astype(float)
    return Patterns(side, frame, people, pattern, status, groups, table)


def covariate_frame(covariates: object) -> pd.DataFrame:
    """Covariates as a frame without a missing value.

    Raises
    ------
    DataError
        Rows that miss a covariate.
    """
    frame = pd.DataFrame(covariates).reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    if n_missing := int(frame.isna().any(axis=1).sum()):
        raise DataError(
            "verification_corrected(covariates)",
            f"{n_missing} of {len(frame)} rows miss a covariate",
            allowed="a value in every row",
            remedy="give missing a level of its own, or leave the covariate out",
        )
    return frame


def distinct(test: np.ndarray, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Pattern of each row, the first row of each pattern, and the covariates of the patterns."""
    code = test.astype(np.int64)
    # Column by column, renumbered each time: no product of levels can overflow, and no row is ever sorted whole.
    for name in frame.columns:
        level, labels = pd.factorize(frame[name])
        code = pd.factorize(code * len(labels) + level)[0]
    code, _ = pd.factorize(code)
    first = np.empty(code.max(initial=-1) + 1, dtype=np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]
    return code, first, frame.iloc[first].reset_index(drop=True)


def patterns_of_tables(tables: Sequence[VerificationCounts]) -> Patterns:
    """Patterns of one table a stratum; strata are a covariate without order."""
    people = np.array(
        [[[t.tn, t.fn, t.negative_unverified], [t.fp, t.tp, t.positive_unverified]] for t in tables], dtype=float
    ).reshape(-1, 3)
    # A side of a stratum in which nobody was tested is no pattern, as it is none from rows.
    there = people.sum(axis=1) > 0
    names = [f"s{number}" for number in np.repeat(np.arange(len(tables)), 2)]
    strata = pd.DataFrame({"stratum": names})[there].reset_index(drop=True) if len(tables) > 1 else None
    return Patterns(np.tile([0.0, 1.0], len(tables))[there], strata, people[there])

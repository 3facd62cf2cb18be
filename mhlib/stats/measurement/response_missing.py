"""Which answers are missing: by item, in which combinations, by group, and whether at random."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs
from mhlib.stats.measurement.response_little import LittleTest, distinct_patterns, little_test
from mhlib.stats.monitoring.proportions import proportion
from mhlib.stats.multiplicity import holm
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MissingAnswersResult:
    """Missing answers by item and in combination.

    Attributes
    ----------
    table : pandas.DataFrame
        What :meth:`to_frame` gives.
    patterns : pandas.DataFrame
        `missing` (tuple of item names, empty when complete), `n_missing_items, n, share`, commonest first.
    n_patterns : int
        Patterns in all; the table may hold fewer.
    n_in_other_patterns : int
        People whose pattern is not in the table.
    by_group : pandas.DataFrame
        `item, group, estimate, conf_low, conf_high, n_missing, n, p_value, p_holm`: share missing in each group, with
        one test an item of equal shares. Empty without groups.
    share_complete, share_empty, share_broke_off : float
        People (0–1) with every answer, with none, and with all answers up to some item and none after it.
    little : LittleTest or None
        Asked for with `little=True`.
    """

    table: pd.DataFrame = field(repr=False)
    patterns: pd.DataFrame = field(repr=False)
    n_patterns: int
    n_in_other_patterns: int
    by_group: pd.DataFrame = field(repr=False)
    share_complete: float
    share_empty: float
    share_broke_off: float
    little: LittleTest | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row an item: term, share missing (0–1) with interval, `n_missing, n`."""
        return self.table.copy()


def missing_answers(
    items: object,
    *,
    group: object = None,
    cluster: object = None,
    most_patterns: int = 20,
    little: bool = False,
    conf_level: float = 0.95,
) -> MissingAnswersResult:
    """Missing answers of a questionnaire.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k)
        One row a person, NaN (or NA) for a missing answer, in the order asked.
    group : array-like, shape (n,), optional
        Missing groups become a group of their own, named "not stated".
    cluster : array-like, shape (n,), optional
        School or class; intervals and the test by group are then cluster-robust.
    most_patterns : int
        Rows of the table of patterns.
    little : bool
        Add Little's test that answers are missing completely at random. With very many pupils it always rejects.
    conf_level : float

    Returns
    -------
    MissingAnswersResult
        Everybody is used; nobody is left out.

    Raises
    ------
    DataError
        Text, infinite values, a name twice, columns of different lengths.
    DesignError
        No row or no item.

    Notes
    -----
    The test by group is Pearson's chi2, with clusters a Wald test of linearised shares, F with g - 1 df.
    Checked against: tests/oracle/missing_bfi.csv (R's table and chisq.test; Little's test from lavaan's FIML moments).
    """
    where = "missing_answers"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    names, values = answers_of(items, where=where)
    inputs.same_length(where, items=values, group=group, cluster=cluster)
    missing = np.isnan(values)
    n, k = missing.shape
    table, n_patterns, rest = pattern_table(missing, names, most_patterns)
    n_answers = k - missing.sum(axis=1)
    leading = np.where(missing.any(axis=1), missing.argmax(axis=1), k)
    broke_off = (leading == n_answers) & (n_answers > 0) & (n_answers < k)
    return MissingAnswersResult(
        table=term_frame([item_row(name, missing[:, i], cluster, conf_level) for i, name in enumerate(names)]),
        patterns=table,
        n_patterns=n_patterns,
        n_in_other_patterns=rest,
        by_group=pd.DataFrame() if group is None else group_table(missing, names, group, cluster, conf_level),
        share_complete=float((n_answers == k).mean()),
        share_empty=float((n_answers == 0).mean()),
        share_broke_off=float(broke_off.mean()),
        little=little_test(values) if little else None,
        n_used=n,
        n_excluded=0,
        method="share missing, " + ("Wilson intervals" if cluster is None else "cluster-robust intervals"),
        conf_level=conf_level,
    )


def answers_of(items: object, *, where: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and answers as floats, missing as NaN."""
    frame = items if isinstance(items, pd.DataFrame) else pd.DataFrame(np.asarray(items))
    if frame.columns.has_duplicates:
        raise DataError(f"{where}(items)", "two columns share a name", allowed="one name per item")
    if not frame.size:
        raise DesignError(f"{where}(items)", "no row or no item", remedy="give one row a person, one column an item")
    try:
        values = frame.to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        raise DataError(
            f"{where}(items)", "holds something that is not a number", remedy="map text answers to numbers first"
        ) from None
    if n_infinite := int(np.isinf(values).sum()):
        raise DataError(f"{where}(items)", f"{n_infinite} infinite values", allowed="finite numbers and missing")
    return tuple(map(str, frame.columns)), values


def item_row(name: str, missing: np.ndarray, cluster: object, conf_level: float) -> dict[str, object]:
    """Share missing of one item."""
    found = proportion(missing, cluster=cluster, conf_level=conf_level)
    return {
        "term": name, "estimate": found.proportion, "std_error": found.std_error, "conf_low": found.conf_low,
        "conf_high": found.conf_high, "n_missing": found.numerator, "n": found.denominator,
    }  # fmt: skip


def pattern_table(missing: np.ndarray, names: tuple[str, ...], most: int) -> tuple[pd.DataFrame, int, int]:
    """The commonest patterns, how many there are, and how many people have another one."""
    patterns, code = distinct_patterns(missing)
    n = np.bincount(code)
    order = np.lexsort((patterns.sum(axis=1), -n))[:most]
    rows = [
        {
            "missing": tuple(name for name, gone in zip(names, patterns[i], strict=True) if gone),
            "n_missing_items": int(patterns[i].sum()), "n": int(n[i]), "share": n[i] / len(missing),
        }
        for i in order
    ]  # fmt: skip
    return pd.DataFrame(rows), len(n), len(missing) - int(n[order].sum())


def group_table(
    missing: np.ndarray, names: tuple[str, ...], group: object, cluster: object, conf_level: float
) -> pd.DataFrame:
    """Share missing of each item in each group, with a test of equal shares."""
    labels = pd.Series(group).reset_index(drop=True).astype(object)
    labels = labels.where(labels.notna(), "not stated").astype(str)
    code, groups = pd.factorize(labels, sort=True)
    schools = None if cluster is None else pd.Series(cluster).reset_index(drop=True)
    rows, tests = [], []
    for item, name in enumerate(names):
        tests.append(equal_shares(missing[:, item], code, len(groups), schools))
        for place, label in enumerate(groups):
            who = code == place
            found = item_row(name, missing[who, item], group_clusters(schools, who), conf_level)
            bounds = {key: found[key] for key in ("estimate", "conf_low", "conf_high", "n_missing", "n")}
            rows.append({"item": name, "group": label, **bounds, "p_value": tests[-1]})
    table = pd.DataFrame(rows)
    return table.assign(p_holm=np.repeat(holm(np.array(tests)), len(groups)))


def group_clusters(schools: pd.Series | None, who: np.ndarray) -> pd.Series | None:
    """Clusters of one group, None when it sits in a single one, which carries no spread between clusters."""
    if schools is None or schools[who].nunique() < 2:
        return None
    return schools[who].reset_index(drop=True)


def equal_shares(missing: np.ndarray, code: np.ndarray, n_groups: int, schools: pd.Series | None) -> float:
    """P value of equal shares; NaN with one group, nothing missing, or too few clusters."""
    n = np.bincount(code, minlength=n_groups).astype(float)
    hits = np.bincount(code, weights=missing, minlength=n_groups)
    overall = hits.sum() / n.sum()
    if n_groups < 2 or not 0 < overall < 1:
        return math.nan
    if schools is None:
        chi2 = ((hits - n * overall) ** 2 / (n * overall * (1 - overall))).sum()
        return float(stats.chi2.sf(chi2, n_groups - 1))
    where, n_schools = inputs.codes(schools, where="missing_answers", name="cluster")
    shares = hits / n
    influence = (missing - shares[code]) / n[code]
    sums = np.bincount(where * n_groups + code, weights=influence, minlength=n_schools * n_groups)
    sums = sums.reshape(n_schools, n_groups)
    covariance = n_schools / (n_schools - 1) * sums.T @ sums if n_schools > 1 else np.zeros((n_groups, n_groups))
    contrast = np.eye(n_groups)[1:] - np.eye(n_groups)[0]
    spread, gap = contrast @ covariance @ contrast.T, contrast @ shares
    if n_schools <= n_groups or np.linalg.matrix_rank(spread) < n_groups - 1:
        return math.nan
    statistic = float(gap @ np.linalg.solve(spread, gap)) / (n_groups - 1)
    return float(stats.f.sf(statistic, n_groups - 1, n_schools - 1))

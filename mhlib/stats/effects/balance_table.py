"""Who was in each arm before the programme: means or shares side by side, their distance, and no p-value."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Check
from mhlib.stats import inputs
from mhlib.stats.effects.balance_classes import (
    balance_check,
    cox_index,
    expected_by_chance,
    pooled_sd,
    standardised,
    weighted_moments,
    wwc_class,
)
from mhlib.stats.effects.robust_rows import coded
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BalanceResult:
    """Baseline of two arms or more, one row a column (or level of a text column) and arm other than the reference.

    Attributes
    ----------
    rows : DataFrame
        `term, column, level, arm, kind` ('mean' or 'share'), `value, reference_value` (means or shares 0-1), `sd,
        reference_sd`, `difference` (Hedges' g or Cox's index; Hedges' g too where a share is 0 or 1), `index` ('hedges_g' or
        'cox'), `variance_ratio` (NaN for shares), `missing, reference_missing` (shares 0-1), `wwc` ('fine', 'adjust',
        'fails', 'unknown'), `expected_by_chance` (NaN without clusters).
    largest : float
        Largest absolute difference; NaN when none is known.
    arms : mapping of str to int
        Rows by arm, the reference first.
    n_clusters : mapping of str to int
        Clusters by arm; empty without clusters.
    checks : tuple of Check
    conf_level : float
        NaN: a description of the sample carries no interval.
    """

    rows: pd.DataFrame
    largest: float
    arms: dict[str, int]
    n_clusters: dict[str, int]
    checks: tuple[Check, ...]
    n_used: int
    n_excluded: int
    method: str
    conf_level: float = math.nan

    def to_frame(self) -> pd.DataFrame:
        """One row a column and arm; `estimate` is the standardised difference. There is no p-value on purpose."""
        return term_frame(self.rows.rename(columns={"difference": "estimate"}).to_dict("records"))


def baseline_balance(
    data: pd.DataFrame,
    *,
    arm: str,
    columns: Sequence[str],
    weights: str | np.ndarray | None = None,
    cluster: str | None = None,
    reference: object = None,
) -> BalanceResult:
    """Compare arms before the programme by standardised differences and the WWC's classes.

    Parameters
    ----------
    data : DataFrame, one row a pupil
        Rows without arm (or with weights: without weight) are left out and counted. A missing value of a column leaves that
        column's row only, and its share by arm is shown.
    arm : str
        Two values or more; `reference` is the first in sorted order unless named.
    columns : sequence of str
        Numbers are compared by mean, numbers of 0 and 1 and booleans by share, text by the share of each level.
    weights : str or array, shape (n,), optional
        Weights of pupils: means, shares and variances are weighted, the unit stays the unweighted deviation within arms.
    cluster : str, optional
        School or class: adds what an allocation of whole clusters would give by chance.

    Returns
    -------
    BalanceResult

    Raises
    ------
    DataError
        A column the table lacks, no row with an arm, negative weights.
    DesignError
        A single arm.
    ParamsError
        A reference that is no arm; no column.

    Notes
    -----
    g = w (m1 - m0) / S, S pooled within arms; shares: w (logit p1 - logit p0) / 1.65; w = 1 - 3 / (4n - 9). Classes: to .05
    fine, to .25 adjust, beyond fails. A test of baseline differences answers no question after allocation, so none is made.
    References: What Works Clearinghouse Handbook 5.0 (2022); Cox (1970); Austin (2009) Stat Med 28:3083.
    Checked against: tests/oracle/weights_balance.csv (R by hand, MatchIt's lalonde).
    """
    where, columns = "baseline_balance", list(columns)
    if not columns:
        raise ParamsError(f"{where}(columns)", "names no column", allowed="columns measured before the programme")
    named = [arm, *columns, *([cluster] if cluster else []), *([weights] if isinstance(weights, str) else [])]
    if lacking := [name for name in dict.fromkeys(named) if name not in data.columns]:
        raise DataError(where, f"the table has no column {', '.join(lacking)}", allowed="columns of the table")
    given = data[weights] if isinstance(weights, str) else weights
    weight = np.ones(len(data)) if given is None else inputs.numeric(given, where=where, name="weights")
    inputs.same_length(where, data=data, weights=weight)
    keep = data[arm].notna().to_numpy() & ~np.isnan(weight)
    if not keep.any():
        raise DataError(f"{where}({arm})", "no row names an arm", allowed="an arm for every pupil")
    used, weight = data[keep], inputs.weights_of(weight[keep], int(keep.sum()), where=where)
    code = None if cluster is None else coded(used[cluster], where=where, name=cluster)[0]
    arms = ordered_arms(used[arm], reference, where=where)
    label = used[arm].to_numpy()
    rows = [
        row
        for other in arms[1:]
        for column in columns
        for row in rows_of_column(used[column], column, label, (arms[0], other), weight, code)
    ]
    table = pd.DataFrame(rows)
    known = table["difference"].abs().dropna()
    return BalanceResult(
        rows=table,
        largest=float(known.max()) if len(known) else math.nan,
        arms={str(one): int((label == one).sum()) for one in arms},
        n_clusters={} if code is None else {str(one): len(np.unique(code[label == one])) for one in arms},
        checks=(balance_check(table["wwc"].tolist()),),
        n_used=len(used),
        n_excluded=len(data) - len(used),
        method="standardised differences (Hedges' g, Cox's index), WWC classes"
        + (", weighted" if given is not None else ""),
    )


def ordered_arms(values: pd.Series, reference: object, *, where: str) -> list:
    """Arms in sorted order, the reference first."""
    arms = sorted(values.unique(), key=lambda one: (str(type(one)), one))
    if len(arms) < 2:
        raise DesignError(f"{where}({values.name})", "names one arm only", allowed="two arms or more",
                          remedy="add the pupils with whom the programme's pupils are to be compared")  # fmt: skip
    if reference is None:
        return arms
    if reference not in arms:
        raise ParamsError(f"{where}(reference)", "is no arm of the table", allowed=", ".join(map(str, arms)))
    return [reference, *(one for one in arms if one != reference)]


def rows_of_column(
    column: pd.Series, name: str, label: np.ndarray, pair: tuple, weight: np.ndarray, code: np.ndarray | None
) -> Iterator[dict[str, object]]:
    """A row for a numeric column, one for each level of a text column (of two levels for the second)."""
    missing = column.isna().to_numpy()
    lost = {key: float(missing[label == one].mean()) for key, one in
            zip(("reference_missing", "missing"), pair, strict=True)}  # fmt: skip
    keep = ~missing & ((label == pair[0]) | (label == pair[1]))
    arm = (label[keep] == pair[1]).astype(int)
    for level, share, values in levels_of(column, keep):
        found = compared(values, arm, weight[keep], None if code is None else code[keep], share=share)
        term = name if level is None else f"{name}[{level}]"
        yield {"term": term, "column": name, "level": level, "arm": str(pair[1]), **found, **lost}


def levels_of(column: pd.Series, keep: np.ndarray) -> Iterator[tuple[str | None, bool, np.ndarray]]:
    """Level (None for numbers), whether it is a share, and the values of the rows kept."""
    if pd.api.types.is_numeric_dtype(column):
        values = inputs.numeric(column[keep], where="baseline_balance", name=str(column.name))
        yield None, bool(np.isin(values, (0.0, 1.0)).all()), values
        return
    levels, values = sorted(column.dropna().unique(), key=str), column[keep].to_numpy()
    for level in levels[1:] if len(levels) == 2 else levels:
        yield str(level), True, (values == level).astype(float)


def compared(
    values: np.ndarray, arm: np.ndarray, weight: np.ndarray, code: np.ndarray | None, *, share: bool
) -> dict[str, object]:
    """Means or shares of two arms, their distance, and its class."""
    parts = [(values[arm == one], weight[arm == one]) for one in (0, 1)]
    (reference, spread0), (value, spread1) = (weighted_moments(*part) for part in parts)
    seen = all(len(part[0]) > 0 for part in parts)
    difference, index = math.nan, "cox" if share else "hedges_g"
    if seen and share:
        difference = cox_index(value, reference, len(values))
    if seen and math.isnan(difference):
        sd, index = pooled_sd((parts[0][0], parts[1][0])), "hedges_g"
        difference = standardised(value - reference, sd, len(values))
    chance = expected_by_chance(values, arm, code) if seen and code is not None else math.nan
    return {
        "kind": "share" if share else "mean",
        "value": value,
        "reference_value": reference,
        "sd": math.sqrt(spread1),
        "reference_sd": math.sqrt(spread0),
        "difference": difference,
        "index": index,
        "variance_ratio": math.nan if share or not spread0 > 0 else spread1 / spread0,
        "wwc": wwc_class(difference),
        "expected_by_chance": chance,
    }

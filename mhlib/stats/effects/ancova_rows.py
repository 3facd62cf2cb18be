"""From a table to the columns of an analysis of covariance; what is left out, and which baselines are missing, is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.robust_rows import coded, constant_within

# Spread left within clusters, as a share of all, below which a baseline is the same for a whole cluster.
FLAT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AncovaRows:
    """Rows with an outcome, an arm, a cluster and every covariate: n rows, g clusters, e further columns.

    Attributes
    ----------
    y, baseline : ndarray, shape (n,)
        A missing baseline is NaN.
    arm : ndarray of int, shape (n,)
        0 is the reference.
    arms : tuple of str
        Their names, the reference first.
    extra : ndarray, shape (n, e)
        Covariates and dummies of strata.
    code : ndarray of int, shape (n,)
        Cluster, 0 to g - 1.
    excluded : mapping of str to int
        Rows left out by the first reason that applies.
    """

    y: np.ndarray
    baseline: np.ndarray
    arm: np.ndarray
    arms: tuple[str, ...]
    extra: np.ndarray = field(repr=False)
    extra_names: tuple[str, ...]
    code: np.ndarray = field(repr=False)
    clusters: pd.Index = field(repr=False)
    strata: np.ndarray | None = field(repr=False)
    excluded: Mapping[str, int]

    @property
    def arm_terms(self) -> tuple[str, ...]:
        """Names of the arms' columns, the reference having none."""
        return tuple(f"arm[{name}]" for name in self.arms[1:])

    @property
    def observed(self) -> np.ndarray:
        """Rows with a baseline."""
        return ~np.isnan(self.baseline)

    @property
    def whole_clusters(self) -> bool:
        """Each cluster lies in one arm."""
        first = np.zeros(len(self.clusters), dtype=int)
        first[self.code] = self.arm
        return bool((first[self.code] == self.arm).all())

    def kept(self, keep: np.ndarray) -> AncovaRows:
        """Some of the rows, clusters that are left numbered anew."""
        code, found = pd.factorize(self.code[keep], sort=True)
        return AncovaRows(
            y=self.y[keep],
            baseline=self.baseline[keep],
            arm=self.arm[keep],
            arms=self.arms,
            extra=self.extra[keep],
            extra_names=self.extra_names,
            code=code,
            clusters=self.clusters[found],
            strata=None if self.strata is None else self.strata[found],
            excluded=self.excluded,
        )

    @property
    def base_columns(self) -> tuple[np.ndarray, list[str]]:
        """Intercept, arms and further columns: the model without a baseline."""
        dummies = (self.arm[:, None] == np.arange(1, len(self.arms))).astype(float)
        x = np.column_stack([np.ones(len(self.y)), dummies, self.extra])
        return x, ["Intercept", *self.arm_terms, *self.extra_names]

    def columns(self, *, school_mean: bool) -> tuple[np.ndarray, list[str]]:
        """The same with the baseline, its mean in the cluster, and an indicator where some are missing."""
        x, names = self.base_columns
        seen = self.observed
        own = np.where(seen, self.baseline - self.baseline[seen].mean(), 0.0)
        added, called = [own], ["baseline"]
        if school_mean:
            mean = cluster_mean(own, seen, self.code)
            if np.abs(own - mean)[seen].max() > FLAT * np.abs(own).max():
                added, called = [*added, mean], [*called, "baseline mean of cluster"]
        if not seen.all():
            added, called = [*added, (~seen).astype(float)], [*called, "baseline missing"]
        return np.column_stack([x, *added]), [*names, *called]


def cluster_mean(values: np.ndarray, seen: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Mean of what was seen in each row's cluster; 0, the mean of all, where nothing was."""
    count = np.bincount(code, weights=seen)
    return (np.bincount(code, weights=values) / np.maximum(count, 1))[code]


def ancova_rows(
    data: pd.DataFrame,
    *,
    outcome: str,
    baseline: str,
    arm: str,
    reference: object,
    covariates: Sequence[str],
    cluster: str,
    strata: str | None,
    keep_missing_baseline: bool,
    where: str,
) -> AncovaRows:
    """Check the table and take its columns.

    Raises
    ------
    DataError
        A column the table lacks, text for a number, a row without arm, cluster or stratum, nothing left.
    DesignError
        One arm only, an outcome or a baseline that does not vary.
    ParamsError
        A reference that is no arm, a column named twice.
    """
    named = [outcome, baseline, arm, *covariates, cluster, *([strata] if strata else [])]
    if len(set(named)) != len(named) - (arm == cluster):
        raise ParamsError(where, "names a column twice", allowed="different columns")
    if lacking := [name for name in named if name not in data.columns]:
        raise DataError(where, f"the table has no column {', '.join(lacking)}", allowed="columns of the table")
    y = inputs.numeric(data[outcome], where=where, name=outcome)
    base = inputs.numeric(data[baseline], where=where, name=baseline)
    absent = data[list(covariates)].isna().any(axis=1).to_numpy() if covariates else np.zeros(len(data), dtype=bool)
    reasons = {"outcome": np.isnan(y), "covariates": absent}
    reasons |= {} if keep_missing_baseline else {"baseline": np.isnan(base)}
    keep, excluded = np.ones(len(data), dtype=bool), {}
    for name, lost in reasons.items():
        excluded[name], keep = int((keep & lost).sum()), keep & ~lost
    used = data[keep]
    if used.empty:
        raise DataError(where, "no row is complete", allowed="rows with outcome, baseline and covariates")
    code, clusters = coded(used[cluster], where=where, name=cluster)
    layer = None if strata is None else constant_within(used[strata], code, where=where, name=strata)
    arms, place = arm_codes(used[arm], reference, where=where, name=arm)
    demand_spread(y[keep], base[keep], where=where)
    extra, names = dummies_of(used, covariates, where=where)
    if layer is not None:
        inside = layer[code][:, None] == np.arange(1, layer.max() + 1)
        extra = np.column_stack([extra, inside.astype(float)])
        names = [*names, *(f"stratum {i + 1}" for i in range(1, layer.max() + 1))]
    return AncovaRows(
        y=y[keep],
        baseline=base[keep],
        arm=place,
        arms=arms,
        extra=extra,
        extra_names=tuple(names),
        code=code,
        clusters=clusters,
        strata=layer,
        excluded=excluded,
    )


def arm_codes(values: pd.Series, reference: object, *, where: str, name: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Names of the arms, the reference first, and each row's place among them."""
    code, labels = coded(values, where=where, name=name)
    shown = [str(label) for label in labels]
    if str(reference) not in shown:
        raise ParamsError(f"{where}(reference)", f"'{reference}' is no arm", allowed="one of " + ", ".join(shown))
    if len(shown) < 2:
        raise DesignError(f"{where}({name})", "holds one arm only", allowed="two arms or more")
    order = [shown.index(str(reference))]
    order += [i for i in range(len(shown)) if i not in order]
    return tuple(shown[i] for i in order), np.argsort(order)[code]


def demand_spread(y: np.ndarray, base: np.ndarray, *, where: str) -> None:
    """Outcome and baseline vary."""
    seen = base[~np.isnan(base)]
    for name, values in (("outcome", y), ("baseline", seen)):
        if len(values) < 2 or np.ptp(values) == 0:
            raise DesignError(f"{where}({name})", "is missing or the same in every row", allowed=f"a varying {name}")


def dummies_of(used: pd.DataFrame, covariates: Sequence[str], *, where: str) -> tuple[np.ndarray, list[str]]:
    """Numbers as they are, about their mean; of every other column one dummy a group but the first."""
    columns, names = [], []
    for name in covariates:
        values = used[name]
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            number = inputs.numeric(values, where=where, name=name)
            columns, names = [*columns, number - number.mean()], [*names, name]
            continue
        code, labels = coded(values, where=where, name=name)
        columns += [(code == i).astype(float) for i in range(1, len(labels))]
        names += [f"{name}[{label}]" for label in labels[1:]]
    if flat := [name for name, values in zip(names, columns, strict=True) if np.ptp(values) == 0]:
        raise DesignError(f"{where}(covariates)", f"the same in every row: {', '.join(flat)}", remedy="leave them out")
    return np.column_stack(columns) if columns else np.empty((len(used), 0)), names

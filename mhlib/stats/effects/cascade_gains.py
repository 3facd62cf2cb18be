"""Mean gain of each tier of a cascade from rows, with a covariance that allows for people trained together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.clustered import cluster_sums

FEWEST_RESAMPLES = 100


@dataclass(frozen=True, slots=True)
class TierSums:
    """What each cluster adds: people and sums of gains by tier, shape (clusters, tiers)."""

    n: np.ndarray
    total: np.ndarray
    tiers: tuple[object, ...]
    n_excluded: int

    @property
    def means(self) -> np.ndarray:
        """Mean gain of each tier, shape (tiers,)."""
        return self.total.sum(axis=0) / self.n.sum(axis=0)

    @property
    def covariance(self) -> np.ndarray:
        """Of the means, shape (tiers, tiers): sums of squares over clusters, each tier by its own g / (g - 1)."""
        part = (self.total - self.n * self.means) / self.n.sum(axis=0)
        groups = (self.n > 0).sum(axis=0)
        inflate = np.sqrt(groups / (groups - 1))
        return part.T @ part * np.outer(inflate, inflate)


def tier_sums(gain: object, tier: object, *, tiers: object, cluster: object, where: str) -> TierSums:
    """Sums by cluster and tier of rows; rows without a gain are left out and counted.

    Raises
    ------
    DataError
        Columns of different lengths, a row without tier or cluster, a tier that was not named.
    DesignError
        A tier without two clusters (or people).
    """
    inputs.same_length(where, gain=gain, tier=tier, cluster=cluster)
    order = tuple(tiers)
    values = inputs.numeric(gain, where=where, name="gain")
    place = pd.Index(order).get_indexer(pd.Series(tier).reset_index(drop=True))
    if len(order) < 2 or len(set(order)) < len(order):
        raise ParamsError(
            f"{where}(tiers)", "names fewer than two tiers, or one twice", allowed="the city's first, the class's last"
        )
    if n_other := int((place < 0).sum()):
        raise DataError(
            f"{where}(tier)", f"{n_other} rows belong to no tier named", allowed="the tiers named in `tiers`"
        )
    kept = ~np.isnan(values)
    people = np.arange(len(values)) if cluster is None else pd.Series(cluster).to_numpy()
    code, n_clusters = inputs.codes(people[kept], where=where, name="cluster")
    shape = (n_clusters, len(order))
    cell, size = code * len(order) + place[kept], n_clusters * len(order)
    n = cluster_sums(np.ones(int(kept.sum())), (cell, size)).reshape(shape)
    total = cluster_sums(values[kept], (cell, size)).reshape(shape)
    if ((n > 0).sum(axis=0) < 2).any():
        raise DesignError(
            where, "a tier has fewer than two clusters or people with a gain", allowed="two or more in each tier"
        )
    return TierSums(n, total, order, int((~kept).sum()))


def resampled_means(sums: TierSums, *, n_boot: int, seed: int | None, where: str) -> np.ndarray:
    """Mean gains in resamples of whole clusters, shape (n_boot, tiers).

    Clusters are drawn within the set of tiers in which they stand, so that no tier is ever empty.

    Raises
    ------
    ParamsError
        No seed, or fewer than 100 resamples.
    """
    problems = []
    if seed is None:
        problems.append("resampled clusters need a seed")
    if n_boot < FEWEST_RESAMPLES:
        problems.append(f"n_boot is {n_boot}, at least {FEWEST_RESAMPLES} resamples are needed")
    if problems:
        raise ParamsError.of_many(where, problems)
    rng = np.random.default_rng(seed)
    kinds = (sums.n > 0) @ (1 << np.arange(len(sums.tiers)))
    n, total = (np.zeros((n_boot, len(sums.tiers))) for _ in range(2))
    for kind in np.unique(kinds):
        inside = np.flatnonzero(kinds == kind)
        times = rng.multinomial(len(inside), np.full(len(inside), 1 / len(inside)), size=n_boot)
        n += times @ sums.n[inside]
        total += times @ sums.total[inside]
    return total / n


def composition_differences(covariates: pd.DataFrame, tier: object, *, tiers: object) -> pd.DataFrame:
    """How the people of each tier differ from those of the first, in standard deviations.

    Parameters
    ----------
    covariates : DataFrame of numbers, shape (n, p)
        Years of service, first-wave score, share of women (0/1) and the like.
    tier : array-like, shape (n,)
    tiers : sequence
        The city's first, the class's last.

    Returns
    -------
    DataFrame
        `tier, covariate, n, mean, difference, standardised_difference, n_missing`; the first tier is the comparison. The SD
        is the root of the two tiers' mean variance (Austin 2009 Stat Med 28:3083).

    Raises
    ------
    DataError
        Columns of different lengths, text, a tier that was not named.
    """
    where, order = "composition_differences", tuple(tiers)
    inputs.same_length(where, covariates=covariates, tier=tier)
    place = pd.Index(order).get_indexer(pd.Series(tier).reset_index(drop=True))
    if n_other := int((place < 0).sum()):
        raise DataError(
            f"{where}(tier)", f"{n_other} rows belong to no tier named", allowed="the tiers named in `tiers`"
        )
    rows = []
    for name in covariates:
        values = inputs.numeric(covariates[name], where=where, name=str(name))
        first = values[(place == 0) & ~np.isnan(values)]
        for i, label in enumerate(order):
            all_of = values[place == i]
            own = all_of[~np.isnan(all_of)]
            rows.append({"tier": label, "covariate": name, "n": len(own), **difference(own, first),
                         "n_missing": len(all_of) - len(own)})  # fmt: skip
    return pd.DataFrame(rows)


def difference(own: np.ndarray, first: np.ndarray) -> dict[str, float]:
    """Mean, and difference from the first tier; NaN where either has fewer than two people."""
    if min(len(own), len(first)) < 2:
        return {"mean": own.mean() if len(own) else np.nan, "difference": np.nan, "standardised_difference": np.nan}
    gap, sd = own.mean() - first.mean(), np.sqrt((own.var(ddof=1) + first.var(ddof=1)) / 2)
    standard = gap / sd if sd > 0 else (0.0 if gap == 0 else np.nan)
    return {"mean": float(own.mean()), "difference": float(gap), "standardised_difference": float(standard)}

"""Clusters of a model with a random slope, each in its own rows: the covariance as it stands, for clusters of at most 1,000."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mhlib.errors import DesignError
from mhlib.stats.effects.mixed_blocks import BATCH, Block
from mhlib.stats.effects.nested_fit import NestedFit
from mhlib.stats.effects.nested_groups import Nesting

# An eigenproblem of so many rows takes a third of a second, and each cluster needs three.
MOST_ROWS = 1_000


def row_blocks(
    w: np.ndarray, slope: np.ndarray, nesting: Nesting, cluster: np.ndarray, effects: Sequence[np.ndarray]
) -> Iterator[Block]:
    """Cut the rows by cluster.

    Parameters
    ----------
    w : ndarray, shape (n, p + 1)
        Columns, then residuals.
    slope : ndarray, shape (n,)
    nesting, cluster
        As in :func:`mhlib.stats.effects.mixed_blocks.blocks_of`.
    effects : sequence of ndarray, shape (1, 1) or (2, 2)
        Covariance of the random effects of each level over the residual variance, from the lowest.

    Raises
    ------
    DesignError
        A cluster of more than 1,000 rows.
    """
    code, group, groups = cluster[nesting.code], nesting.code, [nesting.code]
    for parent in nesting.parents:
        group = parent[group]
        groups.append(group)
    size, order = np.bincount(code), np.argsort(code, kind="stable")
    demand_short(int(size.max()))
    first, z, p = np.r_[0, np.cumsum(size)[:-1]], np.column_stack([np.ones(len(w)), slope]), w.shape[1] - 1
    for n in np.unique(size):
        every = np.flatnonzero(size == n)
        for place in np.array_split(every, max(1, -(-len(every) * n * n // BATCH))):
            at = order[first[place][:, None] + np.arange(n)]
            v = np.broadcast_to(np.eye(n), (len(place), n, n))
            for psi, label in zip(effects, groups, strict=True):
                mine = z[at][..., : len(psi)]
                same = label[at][:, :, None] == label[at][:, None, :]
                v = v + same * (mine @ psi @ np.swapaxes(mine, 1, 2))
            yield Block(place=place, x=w[at][..., :p], e=w[at][..., p], plain=np.empty((len(place), 0)), cells=v)


def demand_short(most: int) -> None:
    """No cluster is too large for its rows to be worked on one by one."""
    if most > MOST_ROWS:
        raise DesignError(
            "mixed_cluster_robust(result)",
            f"has a random slope and a cluster of {most:,} rows",
            allowed=f"with a random slope at most {MOST_ROWS:,} rows a cluster",
            remedy="fit without slope=: the robust error is right whether slopes differ or not",
        )


def relative_effects(fit: NestedFit) -> list[np.ndarray]:
    """Covariance of each level's random effects over the residual variance, from the lowest level."""
    found, place = [], 0
    for slots in fit.deviance.slots:
        factor = np.zeros([max(row for row, _ in slots) + 1] * 2)
        for slot in slots:
            factor[slot] = fit.theta[place]
            place += 1
        found.append(factor @ factor.T)
    return found

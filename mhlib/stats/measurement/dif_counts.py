"""Who answered what at which level: the counts by item, stratum, group and answer behind every test of item bias."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.measurement.item_matrix import item_matrix

WIDEST, MOST_LEVELS = 100, 1000


@dataclass(frozen=True, slots=True)
class Answers:
    """Complete rows as answer codes: `code` (item, person) counts up from `lowest`; `group` 0 is the reference.

    `external` is the stratum of each person by a score from outside and `levels` its values, both None otherwise.
    """

    code: np.ndarray
    lowest: np.ndarray
    group: np.ndarray
    groups: tuple[str, ...]
    names: tuple[str, ...]
    n_excluded: int
    external: np.ndarray | None = None
    levels: np.ndarray | None = None
    cluster: tuple[np.ndarray, int] | None = None

    @property
    def n_used(self) -> int:
        """People with every answer, a group and a level."""
        return self.code.shape[1]


@dataclass(frozen=True, slots=True)
class Tables:
    """`counts` (item, stratum, group, answer) with `answers` (item, answer) and `levels` (item, stratum) as their values.

    Only the first `n_answers` answers of an item occur.
    """

    counts: np.ndarray
    answers: np.ndarray
    levels: np.ndarray
    n_answers: np.ndarray
    by_cluster: tuple[np.ndarray, ...] | None = field(default=None, repr=False)

    @property
    def n_clusters(self) -> int | None:
        """Clusters behind `by_cluster`, whose arrays are (cluster, stratum, group, answer), one an item."""
        return None if self.by_cluster is None else self.by_cluster[0].shape[0]


def checked_answers(
    items: object, group: object, *, reference: object, match: object, cluster: object, where: str
) -> Answers:
    """Complete rows as codes; whoever misses an item, the group or the outside level is left out and counted."""
    matrix = item_matrix(items, where=where)
    labels = pd.Series(group).reset_index(drop=True)
    outside = None if isinstance(match, str) else inputs.numeric(match, where=where, name="match")
    inputs.same_length(where, items=matrix.every, group=labels, match=outside, cluster=cluster)
    keep = labels.notna().to_numpy(copy=True)
    if matrix.n_excluded:
        keep &= ~np.isnan(matrix.every).any(axis=1)
    if outside is not None:
        keep &= ~np.isnan(outside)
    if not keep.any():
        raise DesignError(where, "nobody answered every item and named a group", remedy="collect complete answers")
    names, codes = group_codes(labels[keep], reference, where=where)
    values = matrix.every if keep.all() else matrix.every[keep]
    code, lowest = answer_codes(values, matrix.names, where=where)
    strata = (None, None) if outside is None else outside_strata(outside[keep], where=where)
    clusters = None
    if cluster is not None:
        clusters = inputs.codes(pd.Series(cluster).reset_index(drop=True)[keep], where=where, name="cluster")
    return Answers(code, lowest, codes, names, matrix.names, int((~keep).sum()), *strata, clusters)


def group_codes(labels: pd.Series, reference: object, *, where: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Group names with the reference first and the others in sorted order, and each person's code."""
    code, uniques = pd.factorize(labels)
    uniques = list(uniques)
    found = sorted(uniques, key=str)
    if len(found) < 2:
        raise DesignError(f"{where}(group)", f"{len(found)} group among complete rows", allowed="two or more groups")
    if reference not in found:
        raise ParamsError(
            f"{where}(reference)", f"'{reference}' is no group here", allowed=f"one of the {len(found)} labels of group"
        )
    order = sorted(found, key=lambda name: name != reference)
    place = {str(name): position for position, name in enumerate(order)}
    return tuple(place), np.array([place[str(name)] for name in uniques])[code]


def answer_codes(values: np.ndarray, names: tuple[str, ...], *, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Answers (item, person) counted up from each item's lowest; all must be whole, in a narrow range, and vary."""
    lowest = values.min(axis=0)
    spread = values.max(axis=0) - lowest
    if (spread > WIDEST).any() or (spread == 0).any():
        at_fault = [name for name, width in zip(names, spread, strict=True) if width > WIDEST or width == 0]
        raise DesignError(
            f"{where}(items)", "no variation, or a range too wide, in " + ", ".join(at_fault),
            allowed=f"answers that differ by 1 to {WIDEST}", remedy="leave these items out",
        )  # fmt: skip
    above = values - lowest
    # Small codes are turned on their side, not floats: a quarter of the memory to walk through.
    code = above.astype(np.int16)
    whole = (code == above).all(axis=0) & (lowest == np.floor(lowest))
    if not whole.all():
        fractional = ", ".join(name for name, fine in zip(names, whole, strict=True) if not fine)
        raise DataError(
            f"{where}(items)", f"answers that are not whole numbers in {fractional}", allowed="whole numbers"
        )
    return np.ascontiguousarray(code.T), lowest


def outside_strata(score: np.ndarray, *, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Stratum of each person by a score from outside, and the values of the strata."""
    levels, code = np.unique(score, return_inverse=True)
    if not 2 <= len(levels) <= MOST_LEVELS:
        raise DesignError(
            f"{where}(match)", f"{len(levels)} distinct levels", allowed=f"2 to {MOST_LEVELS}",
            remedy="round the score, or cut it into classes",
        )  # fmt: skip
    return code, levels


def aggregate(answers: Answers, anchor: np.ndarray, *, match: object) -> Tables:
    """Count every item's answers by stratum and group, in one pass over the rows per item.

    Under 'total' the stratum is the sum of the anchor items and the item itself; under 'rest' the item is left out.
    """
    k, n_groups = len(answers.code), len(answers.groups)
    width = answers.code.max(axis=1) + 1
    total = answers.code[anchor].sum(axis=0)
    n_strata = int(total.max()) + int(width.max()) if answers.external is None else len(answers.levels)
    counts = np.zeros((k, n_strata, n_groups, int(width.max())), dtype=np.int64)
    by_cluster = []
    for item in range(k):
        cell = (stratum(answers, total, anchor, item, match) * n_groups + answers.group) * width[item]
        cell += answers.code[item]
        shape = (n_strata, n_groups, int(width[item]))
        counts[item, ..., : width[item]] = count_cells(cell, shape)
        if answers.cluster is not None:
            code, n = answers.cluster
            by_cluster.append(count_cells(cell + code * int(np.prod(shape)), (n, *shape)))
    base = answers.levels
    if base is None:
        base = np.arange(n_strata, dtype=float)
    reach = np.arange(counts.shape[-1])
    return packed(counts, answers.lowest[:, None] + reach, np.broadcast_to(base, (k, n_strata)), by_cluster)


def packed(counts: np.ndarray, answers: np.ndarray, levels: np.ndarray, by_cluster: list[np.ndarray]) -> Tables:
    """Tables in which the answers that nobody gave to an item stand behind those that somebody gave."""
    seen = counts.sum(axis=(1, 2)) > 0
    order = np.argsort(~seen, axis=1, kind="stable")
    clusters = [part[..., seen[item, : part.shape[-1]]] for item, part in enumerate(by_cluster)]
    return Tables(
        np.take_along_axis(counts, order[:, None, None, :], axis=3),
        np.take_along_axis(np.broadcast_to(answers, order.shape), order, axis=1),
        levels,
        seen.sum(axis=1),
        tuple(clusters) if clusters else None,
    )


def stratum(answers: Answers, total: np.ndarray, anchor: np.ndarray, item: int, match: object) -> np.ndarray:
    """Stratum of each person for one item."""
    if answers.external is not None:
        return answers.external
    if match == "total":
        return total if anchor[item] else total + answers.code[item]
    return total - answers.code[item] if anchor[item] else total


def count_cells(cell: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Number of rows in each cell."""
    return np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)


def checked_tables(counts: object, answers: object, levels: object, *, where: str) -> Tables:
    """Tables from counts given by hand."""
    array = np.asarray(counts)
    if array.ndim != 4 or array.shape[2] < 2 or array.shape[3] < 2:
        raise DataError(f"{where}(counts)", "has the wrong shape", allowed="(item, stratum, group >= 2, answer >= 2)")
    if not np.isfinite(array).all() or (array < 0).any() or (array != np.floor(array)).any():
        raise DataError(f"{where}(counts)", "holds something that is not a count", allowed="whole numbers, 0 or more")
    k, n_strata, _, n_answers = array.shape
    value = np.arange(n_answers, dtype=float) if answers is None else np.asarray(answers, dtype=float)
    level = np.arange(n_strata, dtype=float) if levels is None else np.asarray(levels, dtype=float)
    if value.shape[-1] != n_answers or level.shape[-1] != n_strata:
        raise DataError(where, "answers or levels do not fit the counts", allowed="one value per answer and stratum")
    n_flat = int(((array.sum(axis=(1, 2)) > 0).sum(axis=1) < 2).sum())
    if n_flat:
        raise DesignError(f"{where}(counts)", f"{n_flat} items have one answer only", remedy="leave these items out")
    return packed(array.astype(np.int64), value, np.broadcast_to(level, (k, n_strata)), [])

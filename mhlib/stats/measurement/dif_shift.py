"""What item bias does to the total: points gained or lost at equal level, and pupils carried over the cut-off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DesignError, ParamsError
from mhlib.findings import Refused, message
from mhlib.stats import inputs
from mhlib.stats.measurement.dif_counts import Answers, checked_answers
from mhlib.stats.measurement.dif_items import too_few_clusters
from mhlib.stats.terms import term_frame

CHUNK = 50
TERMS = ("shift", "shift_at_cutoff", "share_observed", "share_equated", "share_moved", "n_moved", "share_without")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DifImpactResult:
    """How biased items move the focal group's total and its share at or above the cut-off.

    Attributes
    ----------
    shift : float
        Points that the flagged items add to the focal group's total at equal level, averaged over the focal group.
    shift_at_cutoff : float
        The same among focal pupils who would stand at the cut-off, or a point below, if they answered the flagged
        items like the reference group.
    share_observed, share_equated : float
        Focal pupils (0–1) at or above the cut-off as scored, and with the flagged items answered as the reference
        group answers at equal level.
    share_moved, n_moved : float
        Observed less equated, as a share and as a number of focal pupils: above 0, bias adds positives.
    share_without : float
        Focal pupils positive when the flagged items are left out and the cut-off on the rest is set so that the
        reference group keeps its share of positives.
    table : pandas.DataFrame
        One row a term with its percentile interval.
    share_supported : float
        Focal pupils at whose level the reference group has answers; the shares and shifts concern these.
    """

    shift: float
    shift_at_cutoff: float
    share_observed: float
    share_equated: float
    share_moved: float
    n_moved: float
    share_without: float
    share_supported: float
    table: pd.DataFrame = field(repr=False)
    flagged: tuple[str, ...]
    anchors: tuple[str, ...]
    reference: str
    focal: str
    cutoff: float
    reliability: tuple[float, float]
    n_focal: int
    n_boot: int
    seed: int
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `shift, shift_at_cutoff, share_observed, share_equated, share_moved, n_moved, share_without`."""
        return self.table.copy()


def dif_impact(
    items: object,
    group: object,
    *,
    reference: object,
    flagged: Sequence[str],
    cutoff: float,
    focal: object = None,
    cluster: object = None,
    n_boot: int = 1000,
    seed: int = 1,
    conf_level: float = 0.95,
) -> DifImpactResult | Refused:
    """Shift of the total by biased items, and how many focal pupils it carries over the cut-off.

    Parameters
    ----------
    items : DataFrame or array-like of whole numbers, shape (n, k)
        As in :func:`dif`; the total is their sum.
    group : array-like, shape (n,)
    reference : label
    flagged : sequence of str
        Names of the biased items, as `DifResult.flagged`.
    cutoff : float
        Positive when the total >= cutoff.
    focal : label, optional
        The group to look at; needed with more than two groups, of which the others are then left out (not counted as
        excluded).
    cluster : array-like, shape (n,), optional
        Whole schools are then drawn again; otherwise pupils within each group.
    n_boot, seed : int
    conf_level : float

    Returns
    -------
    DifImpactResult or Refused
        People who miss an item or the group are left out and counted. Refused `dif_none_flagged` when no item is
        flagged, `dif_too_few_anchors` when fewer than two items are left, `dif_too_few_clusters` below 10 clusters.

    Raises
    ------
    ParamsError
        A flagged name that is no item; a focal group that is missing or unknown.
    DesignError, DataError
        As in :func:`dif`.

    Notes
    -----
    Level is the true score on the items not flagged, mean_g + alpha_g (s - mean_g) within each group (Kelley 1923,
    alpha by Cronbach), because pupils of two groups with one observed score s differ in level when the groups do:
    SIBTEST's correction (Shealy & Stout 1993, Psychometrika 58:159). The reference group's answers at that level are
    read off between its two neighbouring scores, and averaged over the focal group (standardisation, Dorans & Kulick
    1986). Alpha is held at its estimate in the bootstrap, means are not.
    Checked against: a planted shift recovered in tests/stats/test_recovery_dif.py; no package gives this number.
    """
    where = "dif_impact"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    answers = checked_answers(items, group, reference=reference, match="total", cluster=cluster, where=where)
    answers, focal_name = two_groups(answers, focal, where=where)
    if unknown := [name for name in flagged if name not in answers.names]:
        raise ParamsError(f"{where}(flagged)", f"{len(unknown)} names are no item", allowed="names of the items")
    biased = np.isin(answers.names, list(flagged))
    if refused := nothing_to_do(biased) or too_few_clusters(answers.cluster):
        return refused
    counts = joint_counts(answers, biased)
    alphas = tuple(anchor_alpha(answers.code[~biased][:, answers.group == g]) for g in (0, 1))
    bound = math.ceil(cutoff - answers.lowest.sum())
    point = shifts(counts.sum(axis=0, keepdims=True).astype(float), bound, alphas)[0]
    drawn = np.concatenate(list(resampled(counts, answers.cluster is not None, n_boot, seed, bound, alphas)))
    tail = (1 - conf_level) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail], axis=0)
    error = np.nanstd(drawn, axis=0, ddof=1)
    rows = [
        {"term": term, "estimate": point[i], "std_error": error[i], "conf_low": low[i], "conf_high": high[i]}
        for i, term in enumerate(TERMS)
    ]
    names = np.array(answers.names)
    return DifImpactResult(
        **dict(zip(TERMS, map(float, point[:-1]), strict=True)),
        share_supported=float(point[-1]),
        table=term_frame(rows),
        flagged=tuple(map(str, names[biased])),
        anchors=tuple(map(str, names[~biased])),
        reference=answers.groups[0],
        focal=focal_name,
        cutoff=cutoff,
        reliability=alphas,
        n_focal=int((answers.group == 1).sum()),
        n_boot=n_boot,
        seed=seed,
        n_clusters=None if answers.cluster is None else answers.cluster[1],
        n_used=answers.n_used,
        n_excluded=answers.n_excluded,
        method="standardisation at equal true score (Kelley), percentile bootstrap of "
        + ("pupils" if answers.cluster is None else "clusters"),
        conf_level=conf_level,
    )


def two_groups(answers: Answers, focal: object, *, where: str) -> tuple[Answers, str]:
    """The reference and one focal group only."""
    others = answers.groups[1:]
    if focal is None and len(others) > 1:
        raise ParamsError(f"{where}(focal)", f"{len(answers.groups)} groups", remedy="name the focal group")
    name = others[0] if focal is None else str(focal)
    if name not in others:
        raise ParamsError(f"{where}(focal)", "is no group beside the reference")
    place = answers.groups.index(name)
    keep = (answers.group == 0) | (answers.group == place)
    cluster = None
    if answers.cluster is not None:
        cluster = inputs.codes(answers.cluster[0][keep], where=where, name="cluster")
    return Answers(
        answers.code[:, keep], answers.lowest, (answers.group[keep] > 0).astype(np.int64), (answers.groups[0], name),
        answers.names, answers.n_excluded, cluster=cluster,
    ), name  # fmt: skip


def nothing_to_do(biased: np.ndarray) -> Refused | None:
    """A refusal when no item is flagged, or too few are left to stand on."""
    if not biased.any():
        return Refused(
            "dif_none_flagged",
            message("No item was flagged, so bias moves nobody over the cut-off."),
            message("Nothing further is needed."),
        )
    if (~biased).sum() < 2:
        return Refused(
            "dif_too_few_anchors",
            message("Fewer than two items are free of bias, so there is nothing to compare the groups on."),
            message("A second questionnaire of the same trait whose items work alike in both groups."),
        )
    return None


def joint_counts(answers: Answers, biased: np.ndarray) -> np.ndarray:
    """People by cluster (one when there is none), group, sum of the anchors, sum of the flagged items."""
    rest, tested = answers.code[~biased].sum(axis=0), answers.code[biased].sum(axis=0)
    code, n = answers.cluster or (np.zeros_like(answers.group), 1)
    shape = (n, 2, int(rest.max()) + 1, int(tested.max()) + 1)
    cell = ((code * 2 + answers.group) * shape[2] + rest) * shape[3] + tested
    return np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)


def anchor_alpha(code: np.ndarray) -> float:
    """Cronbach's alpha of the anchors in one group, cut at .05 and 1 so that levels stay ordered."""
    matrix = np.atleast_2d(np.cov(code))
    k, total = len(matrix), float(matrix.sum())
    if total <= 0:
        raise DesignError("dif_impact(items)", "the items without bias do not vary within a group")
    return float(np.clip(k / (k - 1) * (1 - np.trace(matrix) / total), 0.05, 1))


def resampled(
    counts: np.ndarray, by_cluster: bool, n_boot: int, seed: int, bound: int, alphas: tuple[float, float]
) -> object:
    """Estimates of resampled clusters, or of people resampled within each group, a chunk at a time."""
    rng = np.random.default_rng(seed)
    flat = counts.reshape(len(counts), -1).astype(float)
    for start in range(0, n_boot, CHUNK):
        size = min(CHUNK, n_boot - start)
        if by_cluster:
            drawn = rng.multinomial(len(flat), np.full(len(flat), 1 / len(flat)), size=size) @ flat
        else:
            halves = flat.reshape(2, -1)
            drawn = np.stack([rng.multinomial(int(h.sum()), h / h.sum(), size=size) for h in halves], axis=1)
        yield shifts(drawn.reshape(size, *counts.shape[1:]).astype(float), bound, alphas)


def shifts(counts: np.ndarray, bound: int, alphas: tuple[float, float]) -> np.ndarray:
    """The seven terms and the supported share for each table (draw, group, anchor sum, flagged sum)."""
    by_level = counts.sum(axis=3)
    n_levels, n_sums = counts.shape[2:]
    level, value = np.arange(n_levels), np.arange(n_sums)
    n_group = by_level.sum(axis=2)
    mean = (by_level * level).sum(axis=2) / n_group
    # Reference score with the focal pupil's true score: mean_0 + alpha_0 (s' - mean_0) = mean_1 + alpha_1 (s - mean_1).
    twin = mean[:, :1] + (mean[:, 1:] + alphas[1] * (level - mean[:, 1:]) - mean[:, :1]) / alphas[0]
    share, supported = interpolated(counts[:, 0], by_level[:, 0], np.clip(twin, 0, n_levels - 1))
    focal = counts[:, 1] * supported[..., None]
    n_focal = focal.sum(axis=(1, 2))
    weight = focal.sum(axis=2)
    gap = (focal * value).sum(axis=2) - weight * (share * value).sum(axis=2)
    positive = (level[:, None] + value) >= bound
    near = np.abs(level[:, None] + value - bound + 0.5) < 1
    at_cutoff = weight * (share * near).sum(axis=2)
    per_level = np.divide(gap, weight, out=np.zeros_like(gap), where=weight > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = (focal * positive).sum(axis=(1, 2)) / n_focal
        equated = (weight * (share * positive).sum(axis=2)).sum(axis=1) / n_focal
        local = (per_level * at_cutoff).sum(axis=1) / at_cutoff.sum(axis=1)
        shift = gap.sum(axis=1) / n_focal
    return np.stack(
        [shift, local, observed, equated, observed - equated, (observed - equated) * n_focal,
         share_without(counts, by_level, positive), n_focal / n_group[:, 1]], axis=1,
    )  # fmt: skip


def interpolated(counts: np.ndarray, by_level: np.ndarray, twin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reference distribution of the flagged sum at fractional levels, and where it exists.

    Between two levels it is their average by distance; a level without reference pupils leaves the other alone.
    """
    below = np.minimum(np.floor(twin).astype(int), by_level.shape[1] - 2)
    fraction = twin - below
    rows = np.arange(len(twin))[:, None]
    parts = [(1 - fraction) * (by_level[rows, below] > 0), fraction * (by_level[rows, below + 1] > 0)]
    total = parts[0] + parts[1]
    share = counts / np.maximum(by_level, 1)[..., None]
    mixed = parts[0][..., None] * share[rows, below] + parts[1][..., None] * share[rows, below + 1]
    return mixed / np.where(total > 0, total, 1)[..., None], total > 1e-9


def share_without(counts: np.ndarray, by_level: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Focal share positive on the anchors alone, at the cut-off (cut between scores) that keeps the reference share."""
    n_group = by_level.sum(axis=2)
    target = (counts[:, 0] * positive).sum(axis=(1, 2)) / n_group[:, 0]
    tails = by_level[..., ::-1].cumsum(axis=2)[..., ::-1] / n_group[..., None]
    tails = np.concatenate([tails, np.zeros((*tails.shape[:2], 1))], axis=2)[:, :, ::-1]
    return np.array([np.interp(goal, pair[0], pair[1]) for goal, pair in zip(target, tails, strict=True)])

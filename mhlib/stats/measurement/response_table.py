"""How good are the answers? Careless patterns by several indices, and what changes without those they flag."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DataError
from mhlib.findings import Message, message
from mhlib.stats import inputs
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.item_matrix import ItemMatrix, item_matrix
from mhlib.stats.measurement.reliability import alpha_from_covariance
from mhlib.stats.measurement.response_flags import FlagRules, Index, checked_bounds, response_flags
from mhlib.stats.monitoring.proportions import proportion
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResponseQualityResult:
    """Shares flagged by index, how the indices overlap and lean on the score, and results with and without.

    Attributes
    ----------
    table : pandas.DataFrame
        What :meth:`to_frame` gives.
    overlap : pandas.DataFrame
        `first, second, n_both, share_of_first` for every ordered pair of indices.
    with_without : pandas.DataFrame
        `without, n_without, statistic, everybody, remaining, difference`: alpha, mean score and (with a cut-off) share
        positive of everybody and of those an index does not flag.
    run_lengths : pandas.DataFrame
        `run, n`: people by their longest run of equal answers.
    rules : dict of str to Message
        Whom each index flags.
    reading : Message
        Nothing was dropped.
    """

    table: pd.DataFrame = field(repr=False)
    overlap: pd.DataFrame = field(repr=False)
    with_without: pd.DataFrame = field(repr=False)
    run_lengths: pd.DataFrame = field(repr=False)
    rules: Mapping[str, Message] = field(repr=False)
    reading: Message = field(repr=False)
    floor_legal: bool
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row an index, then `any` and `two_or_more`: term, share flagged with interval, and more.

        `n_flagged, n_known, mean_index, min_index, max_index, r_score, r_low, r_high` (index with sum score),
        `score_flagged, score_rest` (mean scores), `flagged_positive, flagged_negative` (shares flagged on either side
        of the cut-off, NaN without one).
        """
        return self.table.copy()


def response_quality(
    items: object,
    *,
    keyed: object = None,
    cutoff: float | None = None,
    cluster: object = None,
    lowest: float | None = None,
    scales: Mapping[str, Sequence[str]] | None = None,
    lie: object = None,
    seconds: object = None,
    person_fit: object = None,
    rules: FlagRules | None = None,
    conf_level: float = 0.95,
) -> ResponseQualityResult:
    """Signs of careless answering, and what they would change.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k)
        Answers as given, in the order asked, not turned.
    keyed : DataFrame or array-like, shape (n, k), optional
        The same with reversed items turned, when the scale has such; scores, alpha and even-odd use it. Without it the
        scale has no reversed items, and the lowest answer to everything is a legal answer that nothing flags.
    cutoff : float, optional
        Positive when the sum of (keyed) items >= cutoff.
    cluster : array-like, shape (n,), optional
        School or class; intervals of shares are then cluster-robust.
    lowest : float, optional
        Lowest answer of the codebook; the lowest seen when left out.
    scales : mapping of str to sequence of str, optional
        Items of three or more subscales; adds `even_odd`.
    lie, seconds, person_fit : array-like, shape (n,), optional
        Lie score, seconds for the whole questionnaire, lz computed elsewhere; add `lie`, `speed`, `person_fit`.
        Missing values are unknown: not flagged, and outside the share's denominator.
    rules : FlagRules, optional
        Bounds; the defaults stand in :class:`FlagRules`.
    conf_level : float

    Returns
    -------
    ResponseQualityResult
        Indices need all answers: people who miss an item are left out and counted in `n_excluded`. Nobody is dropped
        from any other analysis.

    Raises
    ------
    DataError
        Text, infinite values, columns of different lengths.
    DesignError
        An item that does not vary or is a sum of others.
    ParamsError
        A bound out of range, a lie score without `lie_at`, unfit `scales`.

    Notes
    -----
    The indices are confounded with severity: a pupil who feels worst everywhere answers the highest to everything
    (Conijn et al. 2019). So each is shown beside its association with the score, and results are given with and without.
    References: Meade & Craig (2012); Johnson (2005); Dunn et al. (2018); Huang et al. (2012); Curran (2016).
    Checked against: tests/oracle/response_bfi25.csv (R).
    """
    where = "response_quality"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    matrix = item_matrix(items, where=where)
    keep = ~np.isnan(matrix.every).any(axis=1)
    turned = None if keyed is None else checked_keyed(keyed, matrix, keep)
    groups = None
    if cluster is not None:
        inputs.same_length(where, items=matrix.every, cluster=cluster)
        groups = pd.Series(cluster).reset_index(drop=True)[keep].reset_index(drop=True)
    indices = response_flags(
        matrix, turned, checked_bounds(rules or FlagRules()), keep=keep, lowest=lowest, scales=scales, lie=lie,
        seconds=seconds, person_fit=person_fit,
    )  # fmt: skip
    answers = matrix.complete if turned is None else turned
    score = answers.sum(axis=1)
    positive = None if cutoff is None else score >= cutoff
    times = np.sum([index.flagged for index in indices.values()], axis=0)
    joined = {
        "any": Index(times.astype(float), times > 0, message("flagged by one index or more")),
        "two_or_more": Index(times.astype(float), times > 1, message("flagged by two indices or more")),
    }
    rows = [
        index_row(name, index, score, positive, groups, conf_level) for name, index in {**indices, **joined}.items()
    ]
    run, n_run = np.unique(indices["long_string"].value.astype(int), return_counts=True)
    return ResponseQualityResult(
        table=term_frame(rows),
        overlap=overlap(indices),
        with_without=with_without({**indices, **joined}, answers, score, positive),
        run_lengths=pd.DataFrame({"run": run, "n": n_run}),
        rules={name: index.rule for name, index in {**indices, **joined}.items()},
        reading=message(
            "Nobody was dropped. These signs also mark pupils who feel very unwell, so results are shown with and "
            "without the flagged."
        ),
        floor_legal=turned is None,
        n_used=matrix.n_used,
        n_excluded=matrix.n_excluded,
        method="indices of careless answering on complete answers, "
        + ("Wilson intervals" if groups is None else "cluster-robust intervals"),
        conf_level=conf_level,
    )


def checked_keyed(keyed: object, matrix: ItemMatrix, keep: np.ndarray) -> np.ndarray:
    """Turned items of the people kept; whoever has every raw answer must have every turned one."""
    turned = item_matrix(keyed, where="response_quality(keyed)")
    if turned.every.shape != matrix.every.shape:
        raise DataError("response_quality(keyed)", "differs in shape from items", allowed="the same people and items")
    if n_missing := int(np.isnan(turned.every[keep]).any(axis=1).sum()):
        raise DataError(
            "response_quality(keyed)", f"{n_missing} people with all answers lack a turned one",
            remedy="turn the items by the codebook",
        )  # fmt: skip
    return turned.every[keep]


def index_row(
    name: str,
    index: Index,
    score: np.ndarray,
    positive: np.ndarray | None,
    groups: pd.Series | None,
    conf_level: float,
) -> dict[str, object]:
    """One row of the table."""
    known = ~np.isnan(index.value)
    if not known.any():
        return {"term": name, "n_flagged": 0, "n_known": 0}
    flagged, points = index.flagged[known], score[known]
    share = proportion(flagged, cluster=None if groups is None else groups[known], conf_level=conf_level)
    r, low, high = correlation(index.value[known], points, conf_level)
    sides = {}
    if positive is not None:
        sides = {
            "flagged_positive": mean_of(flagged[positive[known]]),
            "flagged_negative": mean_of(flagged[~positive[known]]),
        }
    value = index.value[known]
    return {
        "term": name, "estimate": share.proportion, "std_error": share.std_error, "conf_low": share.conf_low,
        "conf_high": share.conf_high, "n_flagged": int(flagged.sum()), "n_known": int(known.sum()),
        "mean_index": float(value.mean()), "min_index": float(value.min()), "max_index": float(value.max()),
        "r_score": r, "r_low": low, "r_high": high, "score_flagged": mean_of(points[flagged]),
        "score_rest": mean_of(points[~flagged]), **sides,
    }  # fmt: skip


def mean_of(values: np.ndarray) -> float:
    """Mean, NaN of nothing."""
    return float(values.mean()) if len(values) else math.nan


def correlation(first: np.ndarray, second: np.ndarray, conf_level: float) -> tuple[float, float, float]:
    """Pearson's r with Fisher's interval; NaN where one does not vary or fewer than four people are known."""
    if len(first) < 4 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan, math.nan, math.nan
    r = float(np.clip(np.corrcoef(first, second)[0, 1], -1, 1))
    if abs(r) > 1 - 1e-12:
        return r, r, r
    half = critical(conf_level) / math.sqrt(len(first) - 3)
    return r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def overlap(indices: Mapping[str, Index]) -> pd.DataFrame:
    """People flagged by both of two indices."""
    rows = [
        {
            "first": a, "second": b, "n_both": (both := int((first.flagged & second.flagged).sum())),
            "share_of_first": both / n if (n := int(first.flagged.sum())) else math.nan,
        }
        for a, first in indices.items() for b, second in indices.items() if a != b
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["first", "second", "n_both", "share_of_first"])


def with_without(
    indices: Mapping[str, Index], answers: np.ndarray, score: np.ndarray, positive: np.ndarray | None
) -> pd.DataFrame:
    """Alpha, mean score and share positive of everybody and of those left when an index's flags are set aside."""
    columns = [score] if positive is None else [score, positive]
    base = np.round(answers.mean(axis=0))
    everyone, rows = sums(answers - base, columns), []
    whole = statistics(everyone)
    for name, index in indices.items():
        # What is left is everyone less the few flagged: whole-number sums lose nothing by it.
        aside = sums(answers[index.flagged] - base, [column[index.flagged] for column in columns])
        part = statistics([one - other for one, other in zip(everyone, aside, strict=True)])
        for statistic, everybody in whole.items():
            rows.append(
                {
                    "without": name, "n_without": int(index.flagged.sum()), "statistic": statistic,
                    "everybody": everybody, "remaining": part[statistic], "difference": part[statistic] - everybody,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def sums(centred: np.ndarray, columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """People, sums and cross-products of the items, and sums of further columns."""
    totals = np.array([column.sum() for column in columns], dtype=float)
    return [np.array(float(len(centred))), centred.sum(axis=0), centred.T @ centred, totals]


def statistics(found: Sequence[np.ndarray]) -> dict[str, float]:
    """Alpha, mean score and share positive from sums; alpha is NaN when an item does not vary."""
    n, total, cross, columns = found
    if n < 1:
        return dict.fromkeys(("alpha", "mean_score", "share_positive")[: 1 + len(columns)], math.nan)
    scatter = cross - np.outer(total, total) / n
    varies = n > 2 and (np.diag(scatter) > 1e-9 * np.diag(cross)).all()
    alpha = alpha_from_covariance(scatter / (n - 1), int(n)).alpha if varies else math.nan
    return dict(zip(("alpha", "mean_score", "share_positive"), (alpha, *map(float, columns / n)), strict=False))

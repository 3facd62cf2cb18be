"""Indices of careless answering, one value a person; each says nothing alone, and severe illness can look like it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs


def longest_run(answers: np.ndarray, *, above: float = -math.inf) -> np.ndarray:
    """Longest run of identical neighbouring answers of each person, of answers above `above` only.

    Parameters
    ----------
    answers : ndarray, shape (n, k)
        In the order in which the items were asked.
    above : float
        A run of answers at or below it counts as 0: on a scale without reversed items the lowest answer to everything
        is what a healthy pupil gives.

    Returns
    -------
    ndarray of int, shape (n,)

    Notes
    -----
    Reference: Johnson (2005) Journal of Research in Personality 39:103. Checked against:
    tests/oracle/response_bfi25.csv (R's rle).
    """
    columns = np.ascontiguousarray(answers.astype(np.float32).T)
    run = (columns[0] > above).astype(np.int32)
    longest = run.copy()
    for before, now in itertools.pairwise(columns):
        counted = now > above
        run = np.where(now == before, run + counted, counted)
        np.maximum(longest, run, out=longest)
    return longest


def spread_within(answers: np.ndarray) -> np.ndarray:
    """Standard deviation (k - 1) of each person's answers: intra-individual response variability (IRV).

    Notes
    -----
    Reference: Dunn, Heggestad, Shanock & Theilgard (2018). Checked against: tests/oracle/response_bfi25.csv (R's sd).
    """
    k = answers.shape[1]
    # About the first answer, so that one answer to everything gives exactly 0; a product is the quickest row sum.
    about, ones = answers - answers[:, :1], np.ones(k)
    return np.sqrt(np.maximum((about * about) @ ones - (about @ ones) ** 2 / k, 0) / (k - 1))


def mahalanobis(answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared distance of each person's answers from the mean, and its p value by chi2 with k df.

    Raises
    ------
    DesignError
        Items that are a sum of each other, or fewer people than items.

    Notes
    -----
    Reference: Meade & Craig (2012) Psychological Methods 17:437. Checked against: tests/oracle/response_bfi25.csv (R's
    mahalanobis).
    """
    n, k = answers.shape
    centred = answers - answers.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / max(n - 1, 1))
    if n <= k or values[0] <= 1e-10 * values[-1]:
        raise DesignError(
            "mahalanobis(items)", "one item is the sum of others, or fewer people than items",
            remedy="leave sum scores and duplicates out",
        )  # fmt: skip
    scaled = centred @ (vectors / np.sqrt(values))
    distance = np.einsum("ij,ij->i", scaled, scaled)
    return distance, stats.chi2.sf(distance, k)


def even_odd(answers: np.ndarray, names: Sequence[str], scales: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Correlation over subscales of a person's even and odd halves, stepped up by Spearman and Brown.

    Parameters
    ----------
    answers : ndarray, shape (n, k)
        Reversed items turned.
    names : sequence of str
    scales : mapping
        Items of each subscale, at least three subscales of two items or more.

    Returns
    -------
    ndarray, shape (n,)
        NaN for people whose halves do not vary. -1 where the correlation is -1 or the formula falls below.

    Raises
    ------
    ParamsError
        Fewer than three subscales, a subscale of one item, a name that is no item.

    Notes
    -----
    2 r / (1 + r). Reference: Johnson (2005). Checked against: numpy's corrcoef, person by person.
    """
    place = {name: position for position, name in enumerate(names)}
    if len(scales) < 3 or any(len(items) < 2 for items in scales.values()):
        raise ParamsError(
            "even_odd(scales)", f"{len(scales)} subscales", allowed="three or more, of two or more items each"
        )
    if unknown := [name for items in scales.values() for name in items if name not in place]:
        raise ParamsError("even_odd(scales)", f"{len(unknown)} names are no item", allowed="names of the items")
    halves = [
        np.stack([answers[:, [place[name] for name in items[start::2]]].mean(axis=1) for items in scales.values()], 1)
        for start in (1, 0)
    ]
    centred = [half - half.mean(axis=1, keepdims=True) for half in halves]
    size = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    flat = size < 1e-9
    r = np.where(flat, np.nan, (centred[0] * centred[1]).sum(axis=1) / np.where(flat, 1, size))
    return np.maximum(2 * r / np.maximum(1 + r, 1e-12), -1)


def outside_index(values: object, keep: np.ndarray, *, name: str) -> np.ndarray:
    """A column computed or recorded elsewhere, for the people kept."""
    array = inputs.numeric(values, where="response_quality", name=name)
    if len(array) != len(keep):
        raise DataError(
            f"response_quality({name})", f"{len(array)} values for {len(keep)} rows", allowed="one value per person"
        )
    return array[keep]

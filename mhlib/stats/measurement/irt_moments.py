"""First and second moments of ordered items under the model: expected values, derivatives, covariance (for C2, M2).

First moments are the shares of every category but the lowest; second moments are the means of products of two items'
category ranks. With binary items these are the moments of M2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.stats.measurement.irt_curves import Curves, Layout, category_scores, sum_by_item


@dataclass(frozen=True, slots=True)
class Moments:
    """Expected moments (r,), their derivatives (r, parameters), their covariance for one person (r, r)."""

    expected: np.ndarray
    derivative: np.ndarray
    covariance: np.ndarray
    correlation: np.ndarray


def ranks_of(layout: Layout) -> np.ndarray:
    """Rank of every category within its item, shape (K,)."""
    return np.arange(len(layout.item_of_category)) - layout.first_category[layout.item_of_category]


def pairs_of(k: int) -> tuple[np.ndarray, np.ndarray]:
    """Both items of every pair."""
    return np.triu_indices(k, 1)


def observed_moments(codes: np.ndarray, counts: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Moments of complete patterns, and the correlations of the ranks."""
    n, (i, j) = counts.sum(), pairs_of(layout.n_items)
    rank = codes.astype(float)
    upper = [counts @ (codes[:, item] == c) / n for item, c in inner_categories(layout)]
    product = (rank * counts[:, None]).T @ rank / n
    mean = counts @ rank / n
    cov = product - np.outer(mean, mean)
    spread = np.sqrt(np.diag(cov))
    return np.concatenate([upper, product[i, j]]), cov / np.outer(spread, spread)


def inner_categories(layout: Layout) -> list[tuple[int, int]]:
    """(item, rank) of every category but the lowest."""
    return [(int(j), int(r)) for j, r in zip(layout.item_of_category, ranks_of(layout), strict=True) if r > 0]


def model_moments(found: Curves, theta: np.ndarray, weight: np.ndarray, layout: Layout) -> Moments:
    """Moments implied by the model over points `theta` with `weight`."""
    rank = ranks_of(layout)
    inner = np.flatnonzero(rank > 0)
    (i, j), p = pairs_of(layout.n_items), found.probability
    mean, square = sum_by_item(p * rank[:, None], layout), sum_by_item(p * rank[:, None] ** 2, layout)
    product = (mean * weight) @ mean.T
    expected = np.concatenate([p[inner] @ weight, product[i, j]])
    scores = category_scores(found, theta, layout)
    of_share = np.einsum("pcq,cq,q->cp", scores, p, weight, optimize=True)[inner]
    owner = np.concatenate([np.arange(layout.n_items), layout.item_of_boundary])
    of_mean = np.einsum("pcq,cq,c->pq", scores, p, rank.astype(float), optimize=True)
    cross = (of_mean * weight) @ mean.T
    of_product = np.where(owner == i[:, None], cross[:, j].T, 0) + np.where(owner == j[:, None], cross[:, i].T, 0)
    centre = mean @ weight
    cov = product - np.outer(centre, centre)
    np.fill_diagonal(cov, square @ weight - centre**2)
    spread = np.sqrt(np.diag(cov))
    second = second_moments(p, mean, square, weight, inner, layout)
    return Moments(
        expected,
        np.concatenate([of_share, of_product]),
        second - np.outer(expected, expected),
        cov / np.outer(spread, spread),
    )


def second_moments(
    p: np.ndarray, mean: np.ndarray, square: np.ndarray, weight: np.ndarray, inner: np.ndarray, layout: Layout
) -> np.ndarray:
    """E(m m') of the moments of one person: products over items, corrected wherever two moments share an item."""
    item, rank = layout.item_of_category[inner], ranks_of(layout)[inner]
    (i, j), upper = pairs_of(layout.n_items), p[inner]
    pair = mean[i] * mean[j]
    shares = (upper * weight) @ upper.T
    shares[item[:, None] == item] = 0
    np.fill_diagonal(shares, upper @ weight)
    mixed = (upper * weight) @ pair.T
    raw = (upper * weight) @ mean.T
    for own, other in ((i, j), (j, i)):
        mixed = np.where(item[:, None] == own, rank[:, None] * raw[:, other], mixed)
    products = (pair * weight) @ pair.T
    for s in range(layout.n_items):
        with_s = np.flatnonzero((i == s) | (j == s))
        other = i[with_s] + j[with_s] - s
        products[np.ix_(with_s, with_s)] = (mean[other] * (weight * square[s])) @ mean[other].T
    np.fill_diagonal(products, (square[i] * square[j]) @ weight)
    return np.block([[shares, mixed], [mixed.T, products]])

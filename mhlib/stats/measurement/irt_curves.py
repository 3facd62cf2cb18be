"""Category probabilities of the graded response model (Samejima, 1969) and their derivatives, all items at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each item's boundaries and categories stand in the stacked arrays.

    A boundary b of item j is P(X_j above b) = logistic(a_j theta + d_b), d falling within an item. Category c lies
    between `upper[c]` and `lower[c]`, rows of the boundary curves padded with a row of ones and a row of zeros.
    """

    n_items: int
    item_of_boundary: np.ndarray
    item_of_category: np.ndarray
    above: np.ndarray
    below: np.ndarray
    upper: np.ndarray
    lower: np.ndarray
    first_boundary: np.ndarray
    first_category: np.ndarray

    @property
    def n_parameters(self) -> int:
        """Slopes and intercepts."""
        return self.n_items + len(self.item_of_boundary)


@dataclass(frozen=True, slots=True)
class Curves:
    """At Q points: probabilities of categories (K, Q), and of boundaries (B, Q) with their logistic density."""

    probability: np.ndarray
    boundary: np.ndarray
    density: np.ndarray


def layout_of(n_categories: np.ndarray) -> Layout:
    """The layout of items with these numbers of categories."""
    cuts = n_categories - 1
    n_boundaries = int(cuts.sum())
    first_boundary = np.concatenate([[0], np.cumsum(cuts)])
    first_category = np.concatenate([[0], np.cumsum(n_categories)])
    above = np.concatenate([first_category[j] + 1 + np.arange(cuts[j]) for j in range(len(cuts))])
    upper = np.full(first_category[-1], n_boundaries)
    lower = np.full(first_category[-1], n_boundaries + 1)
    upper[above] = lower[above - 1] = np.arange(n_boundaries)
    return Layout(
        n_items=len(cuts),
        item_of_boundary=np.repeat(np.arange(len(cuts)), cuts),
        item_of_category=np.repeat(np.arange(len(cuts)), n_categories),
        above=above,
        below=above - 1,
        upper=upper,
        lower=lower,
        first_boundary=first_boundary,
        first_category=first_category,
    )


def curves(slopes: np.ndarray, intercepts: np.ndarray, theta: np.ndarray, layout: Layout) -> Curves:
    """Curves of all items at `theta`."""
    boundary = expit(np.outer(slopes[layout.item_of_boundary], theta) + intercepts[:, None])
    padded = np.concatenate([boundary, np.ones((1, len(theta))), np.zeros((1, len(theta)))])
    probability = np.maximum(padded[layout.upper] - padded[layout.lower], TINY)
    return Curves(probability, boundary, boundary * (1 - boundary))


def expected_derivative(found: Curves, theta: np.ndarray, ratio: np.ndarray, layout: Layout) -> np.ndarray:
    """Gradient (slopes, then intercepts) of sum_cq r_cq log P_cq, where `ratio` = r / P."""
    pull = found.density * (ratio[layout.above] - ratio[layout.below])
    by_slope = np.bincount(layout.item_of_boundary, weights=pull @ theta, minlength=layout.n_items)
    return np.concatenate([by_slope, pull.sum(axis=1)])


def category_scores(found: Curves, theta: np.ndarray, layout: Layout) -> np.ndarray:
    """Derivatives d log P_c(theta_q) / d parameter, shape (parameters, K, Q), zero outside an item's own parameters."""
    scores = np.zeros((layout.n_parameters, *found.probability.shape))
    padded = np.concatenate([found.density, np.zeros((2, len(theta)))])
    change = (padded[layout.upper] - padded[layout.lower]) / found.probability
    scores[layout.item_of_category, np.arange(len(change))] = theta * change
    rows = layout.n_items + np.arange(len(found.density))
    scores[rows, layout.above] = found.density / found.probability[layout.above]
    scores[rows, layout.below] = -found.density / found.probability[layout.below]
    return scores


def complete_information(scores: np.ndarray, found: Curves, people: np.ndarray, layout: Layout) -> np.ndarray:
    """Expected information about the parameters if theta were seen; `people` (k, Q) answer item j at theta_q."""
    weight = found.probability * people[layout.item_of_category]
    information = np.zeros((layout.n_parameters, layout.n_parameters))
    for j in range(layout.n_items):
        own = np.r_[j, layout.n_items + np.arange(layout.first_boundary[j], layout.first_boundary[j + 1])]
        part = slice(layout.first_category[j], layout.first_category[j + 1])
        rows = scores[own, part].reshape(len(own), -1)
        information[np.ix_(own, own)] = (rows * weight[part].ravel()) @ rows.T
    return information


def curvature(found: Curves, theta: np.ndarray, ratio: np.ndarray, layout: Layout) -> np.ndarray:
    """sum_cq (r/P)_cq d2 P_c(theta_q) / d parameters, shape (parameters, parameters)."""
    bend = found.density * (1 - 2 * found.boundary) * (ratio[layout.above] - ratio[layout.below])
    n, item = layout.n_items, layout.item_of_boundary
    result = np.zeros((layout.n_parameters, layout.n_parameters))
    rows = n + np.arange(len(bend))
    result[rows, rows] = bend.sum(axis=1)
    result[item, rows] = result[rows, item] = bend @ theta
    result[np.arange(n), np.arange(n)] = np.bincount(item, weights=bend @ theta**2, minlength=n)
    return result


def item_information(found: Curves, slopes: np.ndarray, layout: Layout) -> np.ndarray:
    """Fisher information about theta of each item, shape (k, Q): sum_c (dP_c/dtheta)^2 / P_c."""
    padded = np.concatenate([found.density, np.zeros((2, found.density.shape[1]))])
    change = slopes[layout.item_of_category, None] * (padded[layout.upper] - padded[layout.lower])
    return sum_by_item(change**2 / found.probability, layout)


def sum_by_item(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Sum of rows (K, Q) over the categories of each item, shape (k, Q)."""
    return np.add.reduceat(values, layout.first_category[:-1], axis=0)

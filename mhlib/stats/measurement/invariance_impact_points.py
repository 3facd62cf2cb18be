"""What non-invariance does to the score: points by which a group differs at an equal level of the trait."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import ndtr

from mhlib.errors import DesignError
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.invariance_ordinal import OrdinalInvarianceResult
from mhlib.stats.measurement.ordinal_dwls import DwlsFit
from mhlib.stats.terms import term_frame

LEVELS = np.linspace(-3, 3, 61)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InvarianceImpactResult:
    """Differences of the later groups from the first, in points of the sum score.

    Attributes
    ----------
    effects : pandas.DataFrame
        `group, scale` ('total' or a factor), `observed` (difference of means), `from_trait` (what the difference of
        the trait would make if the items worked as in the first group), `estimate` (the rest: what the items make),
        `std_error, conf_low, conf_high, p_value` of the estimate, `largest` (largest absolute difference at an equal
        level within 2 standard deviations of the first group) and `range` (points that the scale spans).
    items : pandas.DataFrame
        `group, item, estimate, std_error, conf_low, conf_high, p_value`.
    curve : pandas.DataFrame
        `group, level, expected`: expected total score by level of the trait (all factors alike), in standard deviations
        of the first group.
    """

    effects: pd.DataFrame = field(repr=False)
    items: pd.DataFrame = field(repr=False)
    curve: pd.DataFrame = field(repr=False)
    reference: str
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms as 'group: total', then 'group: item'."""
        totals = self.effects.assign(term=self.effects["group"] + ": " + self.effects["scale"])
        items = self.items.assign(term=self.items["group"] + ": " + self.items["item"])
        return term_frame([*totals.to_dict("records"), *items.to_dict("records")])


@dataclass(frozen=True, slots=True)
class Contrast:
    """Points of each item in one later group, and their slopes by the moments of every group.

    Attributes
    ----------
    observed, from_trait : numpy.ndarray, shape (k,)
    covariance : numpy.ndarray, shape (k, k)
        Of `observed - from_trait`.
    """

    observed: np.ndarray
    from_trait: np.ndarray
    covariance: np.ndarray


def invariance_impact(result: OrdinalInvarianceResult) -> InvarianceImpactResult:
    """Effect of non-invariance on the sum score.

    Parameters
    ----------
    result : OrdinalInvarianceResult
        From :func:`invariance_wlsmv` with the steps 'configural' and 'intercepts', parameterization 'theta'.

    Returns
    -------
    InvarianceImpactResult
        Items with two categories are judged too: the later groups' items come from the configural step, the trait's
        means and variances from the intercepts step.

    Raises
    ------
    DesignError
        A step that is not there, or scales instead of residual variances.

    Notes
    -----
    A group's mean score less the mean it would have if its pupils, with their own distribution of the trait (intercepts
    step), answered by the first group's loadings and thresholds (configural step): sum of
    Phi((lambda'kappa - tau) / sqrt(1 + lambda'Psi lambda)) over thresholds. The trait's scale is tied by the assumption
    that items differ on average not at all; a shift that all items share cannot be told from a difference of the trait.
    Items left free by `partial` do not tie it: with `partial=("x1~1",)` the other items do, and the whole of x1's shift
    shows.
    Errors by the delta method through thresholds, correlations and their whole Gamma. Compare Nye and Drasgow (2011)
    J Appl Psychol 96:966; Gunn, Grimm and Edwards (2020) SEM 27:503.
    """
    where = "invariance_impact"
    if not {"configural", "intercepts"} <= set(result.fits):
        raise DesignError(where, "needs the steps configural and intercepts", remedy="run them in invariance_wlsmv")
    free, tied = result.fits["configural"], result.fits["intercepts"]
    if free.parameterization != "theta":
        raise DesignError(where, "needs parameterization theta", remedy="run invariance_wlsmv with it")
    effects, items = [], []
    for g in range(1, len(result.groups)):
        contrast = contrast_of(result, free.solution, tied.solution, g)
        gap = largest_gap(result, g)
        for scale, member in scales(free.solution):
            row = row_of(contrast, member, result.conf_level)
            span = float(sum(result.gaps[i].sum() for i in np.flatnonzero(member)))
            effects.append({"group": result.groups[g], "scale": scale, **row, "largest": gap[member], "range": span})
        for i, name in enumerate(free.solution.model.built.observed):
            row = row_of(contrast, np.arange(len(contrast.observed)) == i, result.conf_level)
            items.append({"group": result.groups[g], "item": name, **row})
    for row in effects:
        row["largest"] = float(np.abs(row["largest"].sum(axis=0)).max())
    return InvarianceImpactResult(
        effects=pd.DataFrame(effects),
        items=pd.DataFrame(items).drop(columns=["observed", "from_trait"]),
        curve=curves(result),
        reference=result.groups[0],
        n_used=result.n_used,
        n_excluded=result.n_excluded,
        method="difference in points at an equal trait, delta-method intervals",
        conf_level=result.conf_level,
    )


def scales(free: DwlsFit) -> Iterator[tuple[str, np.ndarray]]:
    """All items, then with several factors the items of each."""
    loading = free.found.at.loading[0] != 0
    yield "total", np.ones(len(loading), dtype=bool)
    if loading.shape[1] > 1:
        for j, name in enumerate(free.model.built.latent):
            yield name, loading[:, j]


def row_of(contrast: Contrast, member: np.ndarray, conf_level: float) -> dict[str, float]:
    """Sum over items with its error."""
    observed, trait = float(contrast.observed[member].sum()), float(contrast.from_trait[member].sum())
    error = math.sqrt(max(float(contrast.covariance[np.ix_(member, member)].sum()), 0.0))
    estimate, half = observed - trait, critical(conf_level) * error
    return {
        "observed": observed,
        "from_trait": trait,
        "estimate": estimate,
        "std_error": error,
        "conf_low": estimate - half,
        "conf_high": estimate + half,
        "p_value": 2 * float(stats.norm.sf(abs(estimate / error))) if error > 0 else math.nan,
    }


def contrast_of(result: OrdinalInvarianceResult, free: DwlsFit, tied: DwlsFit, g: int) -> Contrast:
    """Points of group g against the first, item by item."""
    gaps, item = np.concatenate(result.gaps), free.model.item
    cut, own = len(item), np.eye(len(result.gaps))[item].T
    data = result.fits["configural"].data
    means = [own @ (gaps * ndtr(-data.values[one, :cut])) for one in (0, g)]
    expected, by_free, by_tied = expected_points(free, tied, gaps, g)
    slopes = [moment_slopes(free, data, own @ by_free), moment_slopes(tied, data, own @ by_tied)]
    covariance = np.zeros((len(own), len(own)))
    for one in range(len(data.n)):
        slope = -(slopes[0][one] + slopes[1][one])
        if one == g:
            steps = data.values[one, :cut]
            height = gaps * np.exp(-0.5 * steps**2) / math.sqrt(2 * math.pi)
            slope[:, :cut] -= own * (height / data.root[one, :cut])
        covariance += slope @ data.spread[one] @ slope.T / data.n[one]
    return Contrast(means[1] - means[0], own @ expected - means[0], covariance)


def expected_points(
    free: DwlsFit, tied: DwlsFit, gaps: np.ndarray, g: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points per threshold of group g's trait under the first group's items, and slopes by both models' parameters."""
    item, at, trait = free.model.item, free.found.at, tied.found.at
    loading, psi, kappa = at.loading[0][item], trait.latent[g], trait.mean[g]
    # One residual variance only: a user may have freed or fixed it, so it is read and not taken for 1.
    own = free.found.residual[0][item]
    variance = own + np.einsum("ta,ab,tb->t", loading, psi, loading)
    z = (loading @ kappa + at.intercept[0][item] - at.threshold[0]) / np.sqrt(variance)
    height = gaps * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    step = height / np.sqrt(variance)
    by_free, by_tied = np.zeros((len(item), free.model.built.n_free)), np.zeros((len(item), tied.model.built.n_free))
    slot = free.model.built.slots["threshold"]
    by_free[slot.row, slot.index[0]] = -step[slot.row]
    slot = free.model.built.slots["loading"]
    by_loading = step[:, None] * kappa - (height * z / variance)[:, None] * (loading @ psi)
    for row, col, place in zip(slot.row, slot.col, slot.index[0], strict=True):
        mine = (item == row) & (place >= 0)
        by_free[mine, place] += by_loading[mine, col]
    slot = tied.model.built.slots["mean"]
    for row, place in zip(slot.row, slot.index[g], strict=True):
        if place >= 0:
            by_tied[:, place] += step * loading[:, row]
    slot = tied.model.built.slots["latent"]
    for row, col, place in zip(slot.row, slot.col, slot.index[g], strict=True):
        if place >= 0:
            twice = 1.0 if row == col else 2.0
            by_tied[:, place] -= twice * 0.5 * height * z / variance * loading[:, row] * loading[:, col]
    return gaps * ndtr(z), by_free, by_tied


def moment_slopes(fit: DwlsFit, data, by_parameter: np.ndarray) -> list[np.ndarray]:
    """Slopes by each group's weighted moments, through the weighted fit."""
    through = by_parameter @ fit.bread
    return [
        math.sqrt(share) * through[:, active] @ block.T
        for share, active, block in zip(data.share, fit.model.active, fit.blocks, strict=True)
    ]


def item_curves(result: OrdinalInvarianceResult, g: int) -> np.ndarray:
    """Expected points of each item of group g by level of the trait, shape (k, levels)."""
    free, tied = result.fits["configural"].solution, result.fits["intercepts"].solution
    item, at = free.model.item, free.found.at
    kappa, spread = tied.found.at.mean[g], np.sqrt(np.diag(tied.found.at.latent[g]))
    own = (LEVELS[None, :] - kappa[:, None]) / spread[:, None]
    reach = at.loading[g][item] @ own + (at.intercept[g][item] - at.threshold[g])[:, None]
    chance = ndtr(reach / np.sqrt(free.found.residual[g][item])[:, None])
    return np.eye(len(result.gaps))[item].T @ (np.concatenate(result.gaps)[:, None] * chance)


def largest_gap(result: OrdinalInvarianceResult, g: int) -> np.ndarray:
    """Difference of the items' curves from the first group within 2 standard deviations, shape (k, levels)."""
    return (item_curves(result, g) - item_curves(result, 0))[:, np.abs(LEVELS) <= 2]


def curves(result: OrdinalInvarianceResult) -> pd.DataFrame:
    """Expected total score by level in every group."""
    frames = [
        pd.DataFrame({"group": name, "level": LEVELS, "expected": item_curves(result, g).sum(axis=0)})
        for g, name in enumerate(result.groups)
    ]
    return pd.concat(frames, ignore_index=True)

"""Solves for the latent means that give each level its planted prevalence, sensitivity and positive rate.

The chance of a PHQ-9 score of 10 or more given the latent distress is exact (a convolution of the items' category
chances, answers left out and careless answerers included); it is averaged over a fixed quasi-random pilot of pupils
with their school, class, grade and sex, and the means are found as roots.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm, qmc

from mhlib.data.synthetic import planted
from mhlib.data.synthetic.instruments import PHQ_9

PILOT = 2**13
GRID = np.linspace(-9, 12, 1051)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelModel:
    """What the answers of one level are drawn from.

    Attributes
    ----------
    other, case : float
        Mean latent distress of non-cases and of cases.
    threshold : float
        A pupil is a case when his liability exceeds it.
    sd_school, sd_class : float
        Standard deviations of the clusters' shifts; a pupil's own part has standard deviation 1.
    icc_school_positive, icc_class_positive : float
        What the planted clusters amount to for the yes or no of the screen: school, and class within school.
    """

    other: float
    case: float
    threshold: float
    sd_school: float
    sd_class: float
    icc_school_positive: float
    icc_class_positive: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pilot:
    """Standard normal parts of pilot pupils (school, class, own), and what grade and sex shift."""

    school: np.ndarray
    klass: np.ndarray
    own: np.ndarray
    fixed: np.ndarray

    def shift(self, sd_school: float, sd_class: float) -> np.ndarray:
        """Everything that moves a pupil's whole group."""
        return self.fixed + sd_school * self.school + sd_class * self.klass


def chance_positive(theta: np.ndarray) -> np.ndarray:
    """P(PHQ-9 >= 10 | theta) of an attentive pupil, at most one answer left out and the total then prorated.

    Two answers left out are taken as one (3 pupils in a thousand); more leave a pupil unscored.
    """
    chance = PHQ_9.chances(theta)
    whole = _tail(chance, planted.CUTOFF)
    needed = -(-planted.CUTOFF * (PHQ_9.n_items - 1) // PHQ_9.n_items)
    without = [_tail(np.delete(chance, item, axis=1), needed) for item in range(PHQ_9.n_items)]
    complete = (1 - planted.MISSING_ITEM) ** PHQ_9.n_items
    return complete * whole + (1 - complete) * np.mean(without, axis=0)


def _tail(chance: np.ndarray, at: int) -> np.ndarray:
    """P(sum of the items >= at), by convolution; `chance` is (n, items, options)."""
    total = np.ones((len(chance), 1))
    options = chance.shape[2]
    for item in range(chance.shape[1]):
        wider = np.zeros((len(chance), total.shape[1] + options - 1))
        for option in range(options):
            wider[:, option : option + total.shape[1]] += total * chance[:, item, option, None]
        total = wider
    return total[:, at:].sum(axis=1)


@cache
def positive_curve() -> np.ndarray:
    """P(PHQ-9 >= 10) at the points of `GRID`, a share of pupils answering carelessly: half straight down, half at random."""
    tossed = _tail(np.full((1, PHQ_9.n_items, PHQ_9.n_options), 1 / PHQ_9.n_options), planted.CUTOFF)[0]
    return (1 - planted.CARELESS) * chance_positive(GRID) + planted.CARELESS / 2 * tossed


def pilot_of(level: str) -> Pilot:
    """The same pilot pupils every time."""
    points = qmc.Sobol(5, scramble=True, rng=20260901).random(PILOT)
    grades = planted.GRADES[level]
    grade = np.floor(points[:, 3] * grades)
    sex = (points[:, 4] < 0.5) - 0.5
    fixed = planted.SEX_SHIFT * sex + planted.GRADE_SHIFT[level] * (grade - (grades - 1) / 2)
    school, klass, own = norm.ppf(points[:, :3]).T
    return Pilot(school=school, klass=klass, own=own, fixed=fixed)


@cache
def level_models() -> dict[str, LevelModel]:
    """The model of every level."""
    return {level: _solved(level) for level in planted.LEVELS}


def _solved(level: str) -> LevelModel:
    given, pilot = planted.ACCURACY[level], pilot_of(level)
    spread, slope, found = 1.0, 1.0, None
    # The clusters' share is of a variance that depends on the means, which depend on the clusters: rounds settle it.
    for _ in range(6):
        sd_school, sd_class = np.sqrt(np.array([planted.ICC_SCHOOL, planted.ICC_CLASS]) * spread) / slope
        shift = pilot.shift(sd_school, sd_class)
        threshold = brentq(lambda at, shift=shift: chance_case(at, shift).mean() - given.prevalence, -2, 6, xtol=1e-6)
        chance = chance_case(threshold, shift)
        other = _mean_for(1 - given.specificity, shift + pilot.own, 1 - chance)
        case = _mean_for(given.sensitivity, shift + pilot.own, chance)
        spread = _variance_within(pilot, shift + pilot.own, chance, other, case)
        # A group's shift moves its distress directly, and again through the cases it makes.
        rise = planted.SHARED_LIABILITY * norm.pdf(threshold - planted.SHARED_LIABILITY * shift).mean()
        slope = 1 + (case - other) * rise
        found = (other, case, threshold, float(sd_school), float(sd_class))
    names = ("other", "case", "threshold", "sd_school", "sd_class")
    return LevelModel(**dict(zip(names, found, strict=True)), **_binary_clustering(pilot, given, *found))


def chance_case(threshold: float, shift: np.ndarray) -> np.ndarray:
    """P(case) of a pupil whose group is shifted by `shift`; the pupil's own liability is standard normal."""
    return norm.sf(threshold - planted.SHARED_LIABILITY * shift)


def _mean_for(goal: float, deviation: np.ndarray, weight: np.ndarray) -> float:
    curve = positive_curve()
    return brentq(
        lambda mean: np.average(np.interp(mean + deviation, GRID, curve), weights=weight) - goal, -6, 8, xtol=1e-6
    )


def _variance_within(pilot: Pilot, deviation: np.ndarray, chance: np.ndarray, other: float, case: float) -> float:
    """Variance of latent distress within grade and sex, cases and non-cases together."""
    fixed = np.unique(pilot.fixed, return_inverse=True)[1]
    mean = np.bincount(fixed, other + deviation + chance * (case - other)) / np.bincount(fixed)
    apart = other + deviation - mean[fixed]
    return float(np.mean((1 - chance) * apart**2 + chance * (apart + case - other) ** 2))


def _binary_clustering(pilot, given, other, case, threshold, sd_school, sd_class) -> dict[str, float]:
    """ICC of the screen's yes or no that the planted clusters imply, on nodes of the school and the class shift."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    weights = weights / weights.sum()
    curve, some = positive_curve(), slice(0, 1024)
    rate = np.empty((9, 9))
    for row, school in enumerate(nodes):
        for column, klass in enumerate(nodes):
            shift = pilot.fixed[some] + sd_school * school + sd_class * klass
            chance = chance_case(threshold, shift)
            with_case = np.interp(case + shift + pilot.own[some], GRID, curve)
            without = np.interp(other + shift + pilot.own[some], GRID, curve)
            rate[row, column] = np.mean(chance * with_case + (1 - chance) * without)
    mean = weights @ rate @ weights
    by_school = rate @ weights
    total = given.positive_rate * (1 - given.positive_rate)
    between = weights @ (by_school - mean) ** 2
    within = weights @ ((rate - by_school[:, None]) ** 2) @ weights
    return {"icc_school_positive": float(between / total), "icc_class_positive": float(within / total)}

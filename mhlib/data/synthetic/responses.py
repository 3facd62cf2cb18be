"""Item-level answers of six waves from a latent distress whose accuracy as a screen is planted per level.

The chance of a PHQ-9 score of 10 or more given the latent trait is exact (a convolution of the items' category
chances); the means of cases and non-cases are then solved for, so that the planted sensitivity and positive rate hold
in expectation over schools, classes, sexes and careless answerers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import norm

from mhlib.data.synthetic import planted
from mhlib.data.synthetic.planted import rng_of


@dataclass(frozen=True, slots=True)
class Instrument:
    """How a scale's items answer to the latent distress."""

    key: str
    n_items: int
    n_options: int
    shared: float
    first: float
    step: float
    reverse: tuple[int, ...] = ()
    sign: int = 1

    @property
    def slopes(self) -> np.ndarray:
        """Loading of each item."""
        return np.linspace(0.62, 0.80, self.n_items)

    @property
    def thresholds(self) -> np.ndarray:
        """Category bounds, shape (n_items, n_options - 1), in SDs of the item's latent answer."""
        base = self.first + self.step * np.arange(self.n_options - 1)
        return base + np.linspace(-0.25, 0.25, self.n_items)[:, None]


INSTRUMENTS = (
    Instrument("phq_9", 9, 4, 1.0, 0.35, 0.75),
    Instrument("gad_7", 7, 4, 0.80, 0.45, 0.75),
    Instrument("ces_dc", 20, 4, 0.85, 0.30, 0.70, reverse=(4, 8, 12, 16)),
    Instrument("who_5", 5, 6, 0.70, -1.6, 0.65, sign=-1),
)


def chance_positive(theta: np.ndarray) -> np.ndarray:
    """P(PHQ-9 >= 10 | theta) for an attentive pupil: exact, by convolving the nine items' category chances."""
    tool = INSTRUMENTS[0]
    below = norm.cdf((tool.thresholds[None] - tool.slopes[:, None] * theta[:, None, None])
                     / np.sqrt(1 - tool.slopes**2)[:, None])  # fmt: skip
    edges = np.concatenate([np.zeros((*below.shape[:2], 1)), below, np.ones((*below.shape[:2], 1))], axis=2)
    chance = np.diff(edges, axis=2)
    total = np.ones((len(theta), 1))
    for item in range(tool.n_items):
        wider = np.zeros((len(theta), total.shape[1] + tool.n_options - 1))
        for option in range(tool.n_options):
            wider[:, option : option + total.shape[1]] += total * chance[:, item, option, None]
        total = wider
    return total[:, planted.CUTOFF :].sum(axis=1)


def solve_means() -> dict[str, tuple[float, float]]:
    """Latent means of non-cases and cases that give each level its planted accuracy."""
    grid = np.linspace(-7, 9, 1601)
    curve = chance_positive(grid)
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    weights = weights / weights.sum()
    careless_positive = planted.CARELESS / 2 * _random_positive()

    def rate(mean: float) -> float:
        points = mean + nodes[:, None] + np.array([-0.5, 0.5]) * planted.SEX_SHIFT
        attentive = (weights[:, None] * np.interp(points, grid, curve)).sum() / 2
        return (1 - planted.CARELESS) * attentive + careless_positive

    means = {}
    for level, accuracy in planted.ACCURACY.items():
        targets = (1 - accuracy.specificity, accuracy.sensitivity)
        means[level] = tuple(brentq(lambda m, goal=goal: rate(m) - goal, -6, 8) for goal in targets)
    return means


def _random_positive() -> float:
    """P(PHQ-9 >= 10) of someone who answers at random; the other half of the careless answers all zeros."""
    total = np.ones(1)
    for _ in range(INSTRUMENTS[0].n_items):
        total = np.convolve(total, np.full(4, 0.25))
    return float(total[planted.CUTOFF :].sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Latent:
    """The truth about each pupil and wave; written to the truth folder only."""

    liability: np.ndarray
    school: np.ndarray
    klass: np.ndarray
    trait: np.ndarray


def latent(seed: int, n_pupils: int, n_schools: int, n_classes: int) -> Latent:
    """Standard normal parts of everyone's distress."""
    rng = rng_of(seed, "latent")
    return Latent(
        liability=rng.random(n_pupils).astype("float32"),
        school=rng.normal(0, np.sqrt(planted.ICC_SCHOOL), n_schools).astype("float32"),
        klass=rng.normal(0, np.sqrt(planted.ICC_CLASS), n_classes).astype("float32"),
        trait=rng.standard_normal(n_pupils, dtype="float32"),
    )


def distress(
    rng: np.random.Generator, truth: Latent, place: pd.DataFrame, sex: np.ndarray, means: dict
) -> tuple[np.ndarray, np.ndarray]:
    """Latent distress and true case status of the pupils of one wave."""
    level = place["level"].to_numpy()
    prevalence = pd.Series(level).map({k: v.prevalence for k, v in planted.ACCURACY.items()}).to_numpy()
    case = truth.liability[place["pupil"]] < prevalence
    mean = np.empty(len(place), dtype="float32")
    for name, (without, with_case) in means.items():
        here = level == name
        mean[here] = np.where(case[here], with_case, without)
    own = 1 - planted.ICC_SCHOOL - planted.ICC_CLASS
    person = np.sqrt(planted.STABILITY) * truth.trait[place["pupil"]]
    person = person + np.sqrt(1 - planted.STABILITY) * rng.standard_normal(len(place), dtype="float32")
    cluster = truth.school[place["school"]] + truth.klass[place["class"]]
    theta = mean + cluster + np.sqrt(own) * person + planted.SEX_SHIFT * (sex[place["pupil"]] - 0.5)
    return theta.astype("float32"), case


def answers(rng: np.random.Generator, theta: np.ndarray, careless: np.ndarray) -> dict[str, np.ndarray]:
    """Raw answers (int8, -1 for left out) of every instrument, careless pupils included."""
    columns = {}
    for tool in INSTRUMENTS:
        own = theta if tool.shared == 1 else _related(rng, theta, tool.shared)
        picked = _picked(rng, tool, own * tool.sign)
        picked[careless == 1] = 0
        at_random = np.flatnonzero(careless == 2)
        picked[at_random] = rng.integers(0, tool.n_options, (len(at_random), tool.n_items))
        for number in tool.reverse:
            picked[:, number - 1] = tool.n_options - 1 - picked[:, number - 1]
        picked[rng.random(picked.shape, dtype="float32") < planted.MISSING_ITEM] = -1
        columns |= {f"{tool.key}_{j + 1}": picked[:, j] for j in range(tool.n_items)}
    return columns


def _related(rng: np.random.Generator, theta: np.ndarray, shared: float) -> np.ndarray:
    noise = rng.standard_normal(len(theta), dtype="float32")
    centre = theta.mean()
    return centre + shared * (theta - centre) + np.sqrt(1 - shared**2) * theta.std() * noise


def _picked(rng: np.random.Generator, tool: Instrument, theta: np.ndarray) -> np.ndarray:
    slopes = tool.slopes.astype("float32")
    noise = rng.standard_normal((len(theta), tool.n_items), dtype="float32") * np.sqrt(1 - slopes**2)
    inner = slopes * theta[:, None] + noise
    picked = np.zeros(inner.shape, dtype="int8")
    for option in range(tool.n_options - 1):
        picked += inner >= tool.thresholds[:, option].astype("float32")
    return picked


def carelessness(rng: np.random.Generator, n: int) -> np.ndarray:
    """0 attentive, 1 all zeros, 2 at random."""
    draw = rng.random(n, dtype="float32")
    return np.where(draw < planted.CARELESS / 2, 1, np.where(draw < planted.CARELESS, 2, 0)).astype("int8")

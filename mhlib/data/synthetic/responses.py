"""Item-level answers of six waves from a latent distress whose accuracy as a screen is planted per level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.data.synthetic import planted
from mhlib.data.synthetic.calibration import LevelModel
from mhlib.data.synthetic.instruments import INSTRUMENTS, Instrument
from mhlib.data.synthetic.planted import rng_of

# How a pupil answers: as asked, the same option down the page, or at random.
ATTENTIVE, STRAIGHT, AT_RANDOM = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Latent:
    """Standard normal parts that last: one a school, a class, a pupil (distress) and a pupil (liability)."""

    school: np.ndarray
    klass: np.ndarray
    trait: np.ndarray
    liability: np.ndarray


def latent(seed: int, n_pupils: int, n_schools: int, n_classes: int) -> Latent:
    """The lasting parts of everyone's distress; they go to the truth folder only."""
    rng = rng_of(seed, "latent")
    school, klass, trait, liability = (
        rng.standard_normal(n, dtype="float32") for n in (n_schools, n_classes, n_pupils, n_pupils)
    )
    return Latent(school=school, klass=klass, trait=trait, liability=liability)


def distress(
    rng: np.random.Generator, truth: Latent, place: pd.DataFrame, sex: np.ndarray, models: dict[str, LevelModel]
) -> tuple[np.ndarray, np.ndarray]:
    """Latent distress and true case status of the pupils of one wave.

    Parameters
    ----------
    rng : Generator
    truth : Latent
    place : DataFrame, one row a pupil
        Rows of pupil, school and class, with level and grade.
    sex : ndarray
        0 boy, 1 girl, of every pupil.
    models : dict
        Of `calibration.level_models`.

    Returns
    -------
    (ndarray of float32, ndarray of bool)
    """
    level, pupil = place["level"].to_numpy(), place["pupil"].to_numpy()
    of_level = {name: level == name for name in planted.LEVELS}
    shift = planted.SEX_SHIFT * (sex[pupil] - 0.5) + _grade_shift(of_level, place["grade"].to_numpy())
    sd_school, sd_class = (_by_level(of_level, {k: getattr(m, part) for k, m in models.items()})
                           for part in ("sd_school", "sd_class"))  # fmt: skip
    shift = shift + sd_school * truth.school[place["school"]] + sd_class * truth.klass[place["class"]]
    liability = planted.SHARED_LIABILITY * shift + _lasting(rng, truth.liability[pupil], planted.CASE_STABILITY)
    case = liability > _by_level(of_level, {name: model.threshold for name, model in models.items()})
    mean = np.where(case, *(_by_level(of_level, {k: getattr(m, part) for k, m in models.items()})
                            for part in ("case", "other")))  # fmt: skip
    theta = mean + shift + _lasting(rng, truth.trait[pupil], planted.STABILITY)
    return theta.astype("float32"), case


def _lasting(rng: np.random.Generator, trait: np.ndarray, stability: float) -> np.ndarray:
    """Standard normal, correlated `stability` with the same pupil's value of another wave."""
    return np.sqrt(stability) * trait + np.sqrt(1 - stability) * rng.standard_normal(len(trait), dtype="float32")


def _by_level(of_level: dict[str, np.ndarray], values: dict[str, float]) -> np.ndarray:
    out = np.zeros(len(next(iter(of_level.values()))), dtype="float32")
    for name, here in of_level.items():
        out[here] = values[name]
    return out


def _grade_shift(of_level: dict[str, np.ndarray], grade: np.ndarray) -> np.ndarray:
    middle = {name: planted.FIRST_GRADE[name] + (planted.GRADES[name] - 1) / 2 for name in planted.LEVELS}
    return _by_level(of_level, planted.GRADE_SHIFT) * (grade - _by_level(of_level, middle))


def answers(rng: np.random.Generator, theta: np.ndarray, careless: np.ndarray) -> dict[str, np.ndarray]:
    """Raw answers of every instrument.

    Parameters
    ----------
    theta : ndarray
        Latent distress.
    careless : ndarray of int
        Of `carelessness`.

    Returns
    -------
    dict of ndarray (int8)
        -1 for an answer left out. Items worded in reverse are as the pupil ticked them: not turned.
    """
    columns = {}
    straight, at_random = np.flatnonzero(careless == STRAIGHT), np.flatnonzero(careless == AT_RANDOM)
    for tool in INSTRUMENTS:
        own = theta if tool.shared == 1 else _related(rng, theta, tool.shared)
        picked = _picked(rng, tool, own * np.float32(tool.sign))
        for number in tool.reverse:
            picked[:, number - 1] = tool.n_options - 1 - picked[:, number - 1]
        picked[straight] = 0
        picked[at_random] = rng.integers(0, tool.n_options, (len(at_random), tool.n_items), dtype="int8")
        picked[rng.random(picked.shape, dtype="float32") < planted.MISSING_ITEM] = -1
        columns |= dict(zip(tool.columns, np.ascontiguousarray(picked.T), strict=True))
    return columns


def _related(rng: np.random.Generator, theta: np.ndarray, shared: float) -> np.ndarray:
    noise = rng.standard_normal(len(theta), dtype="float32")
    centre = theta.mean()
    return (centre + shared * (theta - centre) + np.sqrt(1 - shared**2) * theta.std() * noise).astype("float32")


def _picked(rng: np.random.Generator, tool: Instrument, theta: np.ndarray) -> np.ndarray:
    slopes = tool.slopes.astype("float32")
    inner = rng.standard_normal((len(theta), tool.n_items), dtype="float32")
    inner *= np.sqrt(1 - slopes**2)
    inner += slopes * theta[:, None]
    picked = np.zeros(inner.shape, dtype="int8")
    for option in range(tool.n_options - 1):
        picked += inner >= tool.thresholds[:, option].astype("float32")
    return picked


def carelessness(rng: np.random.Generator, n: int) -> np.ndarray:
    """How each pupil answers; half of the careless tick straight down the page, half at random."""
    draw = rng.random(n, dtype="float32")
    kinds = [draw < planted.CARELESS / 2, draw < planted.CARELESS]
    return np.select(kinds, [STRAIGHT, AT_RANDOM], ATTENTIVE).astype("int8")

"""How a chosen cut-off moves from resample to resample, and what it is worth on people it was not chosen on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse, stats

from mhlib.errors import DataError
from mhlib.stats.accuracy.cutoff_rules import Rule, best, curves_of, highest
from mhlib.stats.accuracy.placements import Cluster
from mhlib.stats.accuracy.resampling import Schools, blocks

# How often a person can stand in one Poisson resample; P(more) < 1e-9.
MOST_TIMES = 12
# A cut-off is read by people: a score with more distinct values is to be rounded before the choice is resampled.
MOST_LEVELS = 2_000
# Share of the out-of-bag value in Efron's .632 estimate.
OUT_OF_BAG = 0.632


@dataclass(frozen=True, slots=True)
class Screened:
    """Everyone screened: level, status (0 non-case, 1 case, 2 unverified), weight where verified, school."""

    level: np.ndarray
    status: np.ndarray
    weight: np.ndarray
    cluster: Cluster | None
    n_levels: int

    def tables(self) -> np.ndarray:
        """Sums by level of non-cases, cases (both weighted) and people, shape (3, levels)."""
        return table_of(self.level, self.status, self.weight, np.ones(len(self.level)), self.n_levels)


@dataclass(frozen=True, slots=True)
class Moves:
    """Places chosen in each resample by one rule (-1: none), and the accuracy there in the bag and out of it."""

    place: np.ndarray
    sensitivity_in: np.ndarray
    specificity_in: np.ndarray
    sensitivity_out: np.ndarray
    specificity_out: np.ndarray


def table_of(
    level: np.ndarray, status: np.ndarray, weight: np.ndarray, people: np.ndarray, n_levels: int
) -> np.ndarray:
    """Sums by level of weighted non-cases and cases, and of people."""
    verified = status < 2
    of_reference = np.bincount(
        status[verified] * n_levels + level[verified], weights=(weight * people)[verified], minlength=2 * n_levels
    )
    screened = np.bincount(level, weights=people, minlength=n_levels)
    return np.concatenate([of_reference, screened]).reshape(3, n_levels)


def moves(screened: Screened, rules: list[Rule], seed: int, n_boot: int) -> list[Moves]:
    """Choice of every rule in every resample; all rules see the same resamples.

    Raises
    ------
    DataError
        More distinct scores than a cut-off is read in.
    """
    if screened.n_levels > MOST_LEVELS:
        raise DataError(
            "cutoffs(score)",
            f"{screened.n_levels} distinct scores",
            allowed=f"up to {MOST_LEVELS} when the choice is resampled",
            remedy="round the score to the unit in which the cut-off will be read",
        )
    found: list[list[Moves]] = [[] for _ in rules]
    for inside, outside in resamples(screened, seed, n_boot):
        curves, judged = curves_of(*inside), curves_of(*outside)
        for rule, kept in zip(rules, found, strict=True):
            place = highest(best(curves, rule))
            at = (np.arange(len(place)), place)
            values = (curves.sensitivity, curves.specificity, judged.sensitivity, judged.specificity)
            kept.append(Moves(place, *(np.where(place >= 0, value[at], math.nan) for value in values)))
    return [joined(parts) for parts in found]


def joined(parts: list[Moves]) -> Moves:
    """Blocks of resamples end to end."""
    names = ("place", "sensitivity_in", "specificity_in", "sensitivity_out", "specificity_out")
    return Moves(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def resamples(screened: Screened, seed: int, n_boot: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of tables of those drawn and of those not drawn, each of shape (3, block, levels)."""
    if screened.cluster is None:
        yield from resampled_people(screened, seed, n_boot)
        return
    level, status, weight, n_levels = screened.level, screened.status, screened.weight, screened.n_levels
    code, n_groups = screened.cluster
    rows, verified = np.arange(len(level)), status < 2
    column = np.concatenate([status[verified] * n_levels + level[verified], 2 * n_levels + level])
    value = np.concatenate([weight[verified], np.ones(len(level))])
    school = np.concatenate([code[rows[verified]], code])
    sums = sparse.csr_array((value, (school, column)), shape=(n_groups, 3 * n_levels))
    sums.sum_duplicates()
    for times in Schools(sums, n_levels).times(seed, n_boot):
        drawn, left = (np.asarray((sums.T @ part.T).T) for part in (times, (times == 0).astype(float)))
        yield by_kind(drawn, n_levels), by_kind(left, n_levels)


def by_kind(flat: np.ndarray, n_levels: int) -> np.ndarray:
    """Flat sums as non-cases, cases and people: (3, block, levels)."""
    return flat.reshape(len(flat), 3, n_levels).transpose(1, 0, 2)


def resampled_people(screened: Screened, seed: int, n_boot: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Poisson bootstrap: every person stands Poisson(1) times in a resample, and is out of the bag with 0.

    People alike in level, status and weight are drawn together: how many of them stand 0, 1, 2... times is multinomial.
    """
    frame = pd.DataFrame({"level": screened.level, "status": screened.status, "weight": screened.weight})
    kinds = frame.groupby(["level", "status", "weight"], sort=True).size().rename("number").reset_index()
    number, level, status, weight = (kinds[name].to_numpy() for name in ("number", "level", "status", "weight"))
    n, n_levels, verified = len(kinds), screened.n_levels, status < 2
    column = np.concatenate([(status * n_levels + level)[verified], 2 * n_levels + level])
    row = np.concatenate([np.arange(n)[verified], np.arange(n)])
    place = sparse.csr_array((np.concatenate([weight[verified], np.ones(n)]), (row, column)), shape=(n, 3 * n_levels))
    share = stats.poisson.pmf(np.arange(MOST_TIMES), 1.0)
    rng = np.random.default_rng(seed)
    for size in blocks(n_boot, n * MOST_TIMES + 3 * n_levels):
        drawn = rng.multinomial(number, share / share.sum(), size=(size, n))
        bag, out = drawn @ np.arange(MOST_TIMES, dtype=float), drawn[:, :, 0].astype(float)
        yield tuple(by_kind(np.asarray((place.T @ part.T).T), n_levels) for part in (bag, out))


@dataclass(frozen=True, slots=True)
class Corrected:
    """What resamples say about one choice: Youden's J, sensitivity and specificity on people it was not chosen on.

    `share` is how often the chosen cut-off was chosen again, `n_none` counts resamples without a choice.
    """

    youden_out_of_bag: float
    youden_632: float
    sensitivity_632: float
    specificity_632: float
    optimism: float
    cutoff_low: float
    cutoff_high: float
    share: float
    n_none: int
    frequencies: pd.DataFrame | None


UNCORRECTED = Corrected(*[math.nan] * 8, 0, None)


def corrected(
    found: Moves, values: np.ndarray, sign: int, place: int, apparent: tuple[float, float], conf_level: float
) -> Corrected:
    """Corrected values of the choice at `place` whose apparent (sensitivity, specificity) is given."""
    # Only resamples that leave cases and non-cases out can judge; so both measures rest on the same ones.
    judged = np.isfinite(found.sensitivity_out) & np.isfinite(found.specificity_out)
    out = [mean_or_nan(part[judged]) for part in (found.sensitivity_out, found.specificity_out)]
    blend = [(1 - OUT_OF_BAG) * own + OUT_OF_BAG * other for own, other in zip(apparent, out, strict=True)]
    youden_632 = sum(blend) - 1
    chosen = found.place[found.place >= 0]
    tail = (1 - conf_level) / 2
    low, high = (
        np.quantile(sign * values[chosen], [tail, 1 - tail], method="inverted_cdf") if len(chosen) else [math.nan] * 2
    )
    return Corrected(
        youden_out_of_bag=sum(out) - 1,
        youden_632=youden_632,
        sensitivity_632=blend[0],
        specificity_632=blend[1],
        optimism=sum(apparent) - 1 - youden_632,
        cutoff_low=float(low),
        cutoff_high=float(high),
        share=float((chosen == place).mean()) if len(chosen) else math.nan,
        n_none=int((found.place < 0).sum()),
        frequencies=frequencies_of(chosen, values, sign),
    )


def mean_or_nan(values: np.ndarray) -> float:
    """Mean, NaN of nothing."""
    return float(values.mean()) if len(values) else math.nan


def frequencies_of(chosen: np.ndarray, values: np.ndarray, sign: int) -> pd.DataFrame:
    """How often each cut-off was chosen, as a share of the resamples in which any was."""
    number = np.bincount(chosen, minlength=len(values))
    table = pd.DataFrame({"cutoff": sign * values + 0.0, "share": number / max(len(chosen), 1)})
    return table[number > 0].sort_values("cutoff").reset_index(drop=True)

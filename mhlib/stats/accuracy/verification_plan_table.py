"""How many screen-negatives to interview, and whom: the collection plan of a screen that verified positives only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.intervals import on_logit
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VerificationPlan:
    """What each number of interviewed negatives would buy.

    Attributes
    ----------
    table : pandas.DataFrame
        `n_negative_verified, probability, expected_missed_cases, sensitivity, conf_low, conf_high, width, specificity,
        specificity_low, specificity_high`.
    n_needed : int or None
        Fewest negatives for an interval of sensitivity no wider than the target; None without a target or when even
        all negatives do not reach it.
    """

    table: pd.DataFrame
    n_needed: int | None
    sensitivity: float
    specificity: float
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row per number of negatives: the expected sensitivity and its interval."""
        rows = [
            {
                "term": "sensitivity",
                "estimate": row["sensitivity"],
                "conf_low": row["conf_low"],
                "conf_high": row["conf_high"],
                "n_negative_verified": int(row["n_negative_verified"]),
            }
            for row in self.table.to_dict("records")
        ]
        return term_frame(rows).assign(n_used=self.n_used)


def verification_plan(
    n_positive: int,
    n_negative: int,
    *,
    ppv: float,
    miss_rate: float,
    n_positive_verified: int,
    n_negative_verified: Sequence[int] = (200, 500, 1000, 2000, 5000),
    target_width: float | None = None,
    conf_level: float = 0.95,
) -> VerificationPlan:
    """Expected sensitivity and its interval by the number of screen-negatives interviewed.

    Parameters
    ----------
    n_positive, n_negative : int
        People above and below the cut-off.
    ppv : float
        Case rate expected among positives, 0–1.
    miss_rate : float
        Case rate expected among negatives, 0–1.
    n_positive_verified : int
        Positives interviewed.
    n_negative_verified : sequence of int
        Numbers of negatives to plan for, drawn at random from all negatives.
    target_width : float, optional
        Widest acceptable interval of sensitivity, 0–1.
    conf_level : float

    Returns
    -------
    VerificationPlan

    Raises
    ------
    ParamsError
        A rate outside 0–1, or more interviews than people.

    Notes
    -----
    The delta-method error of the Begg-Greenes estimate at its expected counts, on the logit scale:
    Se = N1 ppv / (N1 ppv + N0 miss). Reference: Begg & Greenes (1983).
    Checked against: tests/stats/test_accuracy.py (the planning table, computed in R).
    """
    where = "verification_plan"
    problems = plan_problems(n_positive, n_negative, ppv, miss_rate, n_positive_verified, n_negative_verified)
    if target_width is not None and not 0 < target_width < 1:
        problems.append("target_width lies between 0 and 1")
    if problems:
        raise ParamsError.of_many(where, problems)
    inputs.open_unit(conf_level, where=where, name="conf_level")
    people = Screened(n_positive, n_negative, ppv, miss_rate, n_positive_verified, conf_level)
    table = pd.DataFrame([people.row(n) for n in n_negative_verified])
    return VerificationPlan(
        table=table,
        n_needed=None if target_width is None else people.fewest(target_width),
        sensitivity=people.sensitivity,
        specificity=people.specificity,
        n_used=n_positive + n_negative,
        n_excluded=0,
        method="Begg & Greenes (1983) at expected counts, logit interval",
        conf_level=conf_level,
    )


def plan_problems(
    n_positive: int,
    n_negative: int,
    ppv: float,
    miss_rate: float,
    n_positive_verified: int,
    n_negative_verified: Sequence[int],
) -> list[str]:
    """Everything wrong with a plan's numbers."""
    problems = [f"{name} lies between 0 and 1" for name, p in (("ppv", ppv), ("miss_rate", miss_rate)) if not 0 < p < 1]
    if n_positive < 1 or n_negative < 1:
        problems.append("n_positive and n_negative are at least 1")
    if not 1 <= n_positive_verified <= n_positive:
        problems.append("n_positive_verified lies between 1 and n_positive")
    if not n_negative_verified or not all(1 <= n <= n_negative for n in n_negative_verified):
        problems.append("every n_negative_verified lies between 1 and n_negative")
    return problems


@dataclass(frozen=True, slots=True)
class Screened:
    """A screened population with its expected case rates."""

    n_positive: int
    n_negative: int
    ppv: float
    miss_rate: float
    n_positive_verified: int
    conf_level: float

    @property
    def found(self) -> float:
        """Cases expected above the cut-off."""
        return self.n_positive * self.ppv

    @property
    def missed(self) -> float:
        """Cases expected below the cut-off."""
        return self.n_negative * self.miss_rate

    @property
    def sensitivity(self) -> float:
        """Share of cases above the cut-off."""
        return self.found / (self.found + self.missed)

    @property
    def specificity(self) -> float:
        """Share of non-cases below the cut-off."""
        well_below, well_above = self.n_negative - self.missed, self.n_positive - self.found
        return well_below / (well_below + well_above)

    def interval(self, above: float, below: float, n_negative_verified: int, share: float) -> tuple[float, float]:
        """Logit interval of above / (above + below), where both are people times a rate of those interviewed."""
        spread_above = self.ppv * (1 - self.ppv) / self.n_positive_verified
        spread_below = self.miss_rate * (1 - self.miss_rate) / n_negative_verified
        # On the logit scale the ratio of two estimated numbers is a difference of logs. The numbers above and below
        # the cut-off are themselves binomial: 1/N1 + 1/N0.
        variance = (
            spread_above * (self.n_positive / above) ** 2
            + spread_below * (self.n_negative / below) ** 2
            + 1 / self.n_positive
            + 1 / self.n_negative
        )
        return on_logit(share, math.sqrt(variance) * share * (1 - share), self.conf_level)

    def row(self, n: int) -> dict[str, float]:
        """What `n` interviewed negatives buy."""
        low, high = self.interval(self.found, self.missed, n, self.sensitivity)
        sp_above, sp_below = self.n_positive - self.found, self.n_negative - self.missed
        sp_low, sp_high = self.interval(sp_above, sp_below, n, self.specificity)
        return {
            "n_negative_verified": n,
            "probability": n / self.n_negative,
            "expected_missed_cases": n * self.miss_rate,
            "sensitivity": self.sensitivity,
            "conf_low": low,
            "conf_high": high,
            "width": high - low,
            "specificity": self.specificity,
            "specificity_low": sp_low,
            "specificity_high": sp_high,
        }

    def fewest(self, target_width: float) -> int | None:
        """Fewest negatives whose interval is narrow enough, by bisection: width falls as n grows."""
        low, high = 0, self.n_negative
        if self.row(high)["width"] > target_width:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.row(middle)["width"] <= target_width else (middle, high)
        return high


def allocate_verification(
    score: object,
    *,
    cutoff: float,
    n: int,
    bands: Sequence[float],
    case_rate: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Share `n` interviews of screen-negatives out over score bands, more of them just below the cut-off.

    Parameters
    ----------
    score : array-like of numbers
        Everyone screened; people at or above `cutoff` are left aside.
    cutoff : float
        Positive when score >= cutoff.
    n : int
        Interviews to share out; all negatives when there are fewer.
    bands : sequence of float
        Inner edges below the cut-off: [5] makes two bands, below 5 and from 5 to the cut-off.
    case_rate : sequence of float, optional
        Case rate expected in each band, low to high, 0–1. Default: halved with each band further from the cut-off.

    Returns
    -------
    pandas.DataFrame
        `band, low, high, n_people, n_sample, probability`; `band` counts from 0 upward, `high` is exclusive. Every band
        with people gets at least one interview when `n` allows.

    Raises
    ------
    ParamsError
        Bands beyond the cut-off, or rates that do not fit the bands.

    Notes
    -----
    Neyman allocation: interviews in proportion to people times sqrt(p(1 - p)). Reference: Neyman (1934).
    """
    where = "allocate_verification"
    score = inputs.numeric(score, where=where, name="score")
    inputs.without_missing(score, where=where, name="score", remedy="leave unscored rows out and report how many")
    inner = np.sort(np.asarray(bands, dtype=float))
    if len(inner) and inner[-1] >= cutoff:
        raise ParamsError(f"{where}(bands)", "an edge lies at or above the cut-off", allowed="edges below the cut-off")
    rates = np.asarray(0.1 * 0.5 ** np.arange(len(inner), -1, -1) if case_rate is None else case_rate, dtype=float)
    if len(rates) != len(inner) + 1 or not ((rates > 0) & (rates < 1)).all():
        raise ParamsError(f"{where}(case_rate)", "does not fit the bands", allowed="one rate between 0 and 1 per band")
    edges = np.concatenate([[-math.inf], inner, [cutoff]])
    negative = score[score < cutoff]
    people = np.bincount(np.searchsorted(inner, negative, side="right"), minlength=len(rates))
    sample = neyman(people, np.sqrt(rates * (1 - rates)), inputs.count(n, where=where, name="n"))
    with np.errstate(invalid="ignore"):
        probability = sample / people
    columns = {"low": edges[:-1], "high": edges[1:], "n_people": people, "n_sample": sample, "probability": probability}
    return pd.DataFrame({"band": np.arange(len(rates)), **columns})


def neyman(people: np.ndarray, spread: np.ndarray, n: int) -> np.ndarray:
    """Whole numbers that sum to `n` (or to everyone), in proportion to people times spread, none above its band."""
    n = min(n, int(people.sum()))
    sample = np.where(people > 0, 1, 0) if n >= (people > 0).sum() else np.zeros(len(people), dtype=int)
    # One interview at a time to the band furthest behind its share, which keeps every band within its people.
    claim = people * spread
    while (left := n - int(sample.sum())) > 0:
        room = people - sample
        open_claim = np.where(room > 0, claim, 0.0)
        step = np.minimum(np.floor(left * open_claim / open_claim.sum()).astype(int), room)
        if step.sum() == 0:
            behind = np.where(room > 0, claim / (sample + 1), -1.0)
            step[int(np.argmax(behind))] = 1
        sample = sample + step
    return sample


def draw_verification_sample(strata: object, sizes: Mapping[object, int], *, seed: int) -> pd.DataFrame:
    """Draw people to interview at random within strata, and say with which probability.

    Parameters
    ----------
    strata : array-like, shape (n,)
        Stratum of each person, as a score band; missing = not to be drawn.
    sizes : mapping of stratum to int
        How many to draw; strata left out are not drawn from.
    seed : int

    Returns
    -------
    pandas.DataFrame
        `position` (row number from 0, rising), `stratum`, `probability`. The same seed gives the same people.

    Raises
    ------
    DataError
        A stratum with fewer people than are to be drawn, or unknown.
    """
    where = "draw_verification_sample"
    labels = pd.Series(strata).reset_index(drop=True)
    places = {stratum: np.flatnonzero((labels == stratum).fillna(False).to_numpy(dtype=bool)) for stratum in sizes}
    problems = [
        f"a stratum of {len(places[stratum])} people cannot give {size}"
        for stratum, size in sizes.items()
        if not 0 <= size <= len(places[stratum])
    ]
    if problems:
        raise DataError.of_many(f"{where}(sizes)", problems, remedy="draw at most as many as there are")
    rng = np.random.default_rng(seed)
    drawn = [
        pd.DataFrame(
            {
                "position": rng.choice(places[stratum], size=size, replace=False),
                "stratum": stratum,
                "probability": size / len(places[stratum]),
            }
        )
        for stratum, size in sizes.items()
        if size
    ]
    if not drawn:
        return pd.DataFrame({"position": [], "stratum": [], "probability": []}).astype({"position": int})
    return pd.concat(drawn).sort_values("position").reset_index(drop=True)

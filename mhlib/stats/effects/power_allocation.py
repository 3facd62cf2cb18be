"""A list that says which school gets which arm, drawn by lot within strata, and the same again from the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AllocationResult:
    """Who gets what.

    Attributes
    ----------
    table : DataFrame
        One row a unit in the order given: `unit, stratum, arm, place` (place in the drawn order of its stratum).
    counts : DataFrame
        Units by stratum (rows) and arm (columns).
    """

    table: pd.DataFrame
    counts: pd.DataFrame
    arms: tuple[str, ...]
    seed: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `<stratum>: <arm>` with the number of units as estimate."""
        cells = [(stratum, arm) for stratum in self.counts.index for arm in self.arms]
        return term_frame([{"term": f"{s}: {a}", "estimate": float(self.counts.loc[s, a])} for s, a in cells])


def allocation(
    units: object,
    *,
    seed: int,
    strata: object = None,
    arms: Sequence[str] = ("control", "programme"),
    ratio: Sequence[int] | None = None,
) -> AllocationResult:
    """Draw arms by lot for units known beforehand, balanced within strata and overall.

    Parameters
    ----------
    units : array-like, shape (n,)
        Schools (or classes), each once.
    seed : int
        Publish it with the list; the same units, strata and seed give the same list in whatever order they come.
    strata : array-like, shape (n,), optional
        For example district by stage.
    arms : sequence of str
        Two or more; the steps of a roll-out count as arms.
    ratio : sequence of int, optional
        How many units of each arm in a block; one each when absent.

    Returns
    -------
    AllocationResult

    Raises
    ------
    DataError
        A unit twice or without a name or stratum.
    ParamsError
        Fewer than two arms, a ratio that does not fit them, a missing seed.

    Notes
    -----
    Permuted blocks of sum(ratio) units within strata. What is left over of a stratum takes part of one more block, arms
    that have had fewest units so far first, so that with equal ratios arms differ by one at most in each stratum and overall.
    Reference: Zelen (1974); CONSORT 2025 items on sequence generation.
    """
    where = "allocation"
    if seed is None or len(arms) < 2 or len(set(arms)) != len(arms):
        raise ParamsError(where, "needs a seed and two or more arms of different names")
    shares = [1] * len(arms) if ratio is None else list(ratio)
    if len(shares) != len(arms) or any(int(part) != part or part < 1 for part in shares):
        raise ParamsError(f"{where}(ratio)", "does not fit the arms", allowed="a whole number above 0 for each arm")
    inputs.same_length(where, units=units, strata=strata)
    table = pd.DataFrame({"unit": pd.Series(units).reset_index(drop=True)})
    table["stratum"] = "all" if strata is None else pd.Series(strata).reset_index(drop=True)
    if table.isna().any(axis=None) or table["unit"].duplicated().any():
        raise DataError(f"{where}(units)", "a unit stands there twice, or lacks its name or stratum")
    # Sorted by text, so that the list does not depend on the order in which the file happens to name schools.
    order = table.assign(unit=table["unit"].astype(str), stratum=table["stratum"].astype(str)).sort_values(
        ["stratum", "unit"]
    )
    rng = np.random.default_rng([int(seed), 20070117])
    block = np.repeat(np.arange(len(arms)), shares)
    arm, place = np.empty(len(table), dtype=int), np.empty(len(table), dtype=int)
    used = np.zeros(len(arms))
    for _, members in order.groupby("stratum", sort=True):
        drawn = rng.permutation(members.index.to_numpy())
        whole = len(drawn) // len(block) * len(block)
        blocks = [rng.permutation(block) for _ in range(whole // len(block))]
        arm[drawn] = np.concatenate([*blocks, remaining_arms(len(drawn) - whole, block, used / shares, rng)])
        place[drawn] = np.arange(1, len(drawn) + 1)
        used += np.bincount(arm[drawn], minlength=len(arms))
    table["arm"], table["place"] = np.array(list(arms), dtype=object)[arm], place
    counts = pd.crosstab(table["stratum"], table["arm"]).reindex(columns=list(arms), fill_value=0)
    return AllocationResult(
        table=table,
        counts=counts,
        arms=tuple(arms),
        seed=int(seed),
        n_used=len(table),
        n_excluded=0,
        method=f"permuted blocks of {len(block)} within {len(counts)} strata, seed {seed}",
        conf_level=float("nan"),
    )


def remaining_arms(n: int, block: np.ndarray, used: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Arms of the last units of a stratum: a part of one block, arms least used so far first, ties and order by lot."""
    shuffled = rng.permutation(block)
    return rng.permutation(shuffled[np.argsort(used[shuffled], kind="stable")][:n])

"""Rounding of counts: to the policy's step, and more coarsely where they are large.

Of two large counts, one of whose people are all among the other's, the difference may be a few: pupils who answered and
pupils whose answers could be scored. Rounded to 5, both together give it to within 8. A step of 20 from 1,000 people and of
100 from 10,000 leaves it open to within 38, takes nothing that anybody needs, and spares hiding one of the two.
"""

from __future__ import annotations

import numpy as np

from mhlib.report.policy import Policy

# From how many people, at least which step.
COARSER = ((1_000, 20), (10_000, 100))
# A denominator from which one decimal of a percentage does not give the count back.
ONE_DECIMAL_FROM = 1_000
NEAR_WHOLE = 1e-6


def step(n: np.ndarray | float, policy: Policy) -> np.ndarray:
    """The step to which counts are rounded, shape of `n`: a multiple of the policy's own, which is 1 for published data."""
    found = np.full(np.shape(n), policy.round_to)
    if policy.round_to > 1:
        for least, wide in COARSER:
            found = np.where(np.asarray(n) >= least, policy.round_to * -(-wide // policy.round_to), found)
    return found


def rounded(n: np.ndarray | float, policy: Policy, *, fine: bool = False) -> np.ndarray:
    """Counts to the nearest multiple of the step, halves upwards; `fine` to the policy's own step whatever their size.

    Percentages are made of counts rounded finely: coarse ones would move their last digit.
    """
    # Sums of weights may miss their whole number by a hair.
    near = np.rint(n)
    n = np.where(np.abs(np.asarray(n) - near) < NEAR_WHOLE, near, n)
    width = policy.round_to if fine else step(n, policy)
    return (width * np.floor(np.asarray(n) / width + 0.5)).astype(np.int64)


def shown_interval(counts: np.ndarray, policy: Policy) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest count behind each shown one, shape of `counts`: no shown count is below the least cell."""
    shown = rounded(counts, policy)
    # Just below a size from which rounding is coarser, counts round upwards by the finer step.
    low, high = np.ceil(shown - step(shown - 1, policy) / 2), np.ceil(shown + step(shown, policy) / 2) - 1
    return np.maximum(low, policy.min_cell), high


def share_decimals(total: float) -> int:
    """Decimals of a percentage over so many people: from 1,000 one does not give the count back."""
    return 1 if total >= ONE_DECIMAL_FROM else 0


def share_interval(n: int, total: int, policy: Policy) -> tuple[float, float]:
    """Least and greatest count that a shown percentage and a shown total allow.

    The percentage is made of counts rounded finely, `a` of `b`: every `b` that the shown total allows, with every `a` that
    gives this percentage.
    """
    half = 0.5 * 10.0 ** -(2 + share_decimals(total))
    (low,), (high,) = shown_interval(np.array([total]), policy)
    least, most = rounded(np.array([low, high]), policy, fine=True)
    share = np.round(rounded(n, policy, fine=True) / rounded(total, policy, fine=True), 2 + share_decimals(total))
    a_low = policy.round_to * np.ceil((share - half) * least / policy.round_to - 1e-9)
    a_high = policy.round_to * np.floor((share + half) * most / policy.round_to + 1e-9)
    return max(np.ceil(a_low - policy.round_to / 2), policy.min_cell), np.ceil(a_high + policy.round_to / 2) - 1

"""Interviews as a city would hold them: most of the positives, and a few hundred negatives drawn with known chances."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.data.synthetic import planted

# Screen-negatives of a band whom even the smallest city interviews.
FEWEST = 40


def prorated_total(answers: np.ndarray, allowed: int = 2) -> np.ndarray:
    """PHQ-9 total of raw answers (-1 for left out); NaN where more than `allowed` are missing."""
    there = answers >= 0
    n = there.sum(axis=1)
    total = np.where(there, answers, 0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(answers.shape[1] - n <= allowed, total / n * answers.shape[1], np.nan)


def interviews(
    rng: np.random.Generator, total: np.ndarray, case: np.ndarray, *, scale: float, packs: frozenset[str]
) -> pd.DataFrame:
    """Who is interviewed, why, with which chance, and what is found.

    Returns
    -------
    DataFrame with `row` (position among those who answered), `sampled`, `probability`, `case`, `grade`.
    """
    with np.errstate(invalid="ignore"):
        chance = np.where(total >= planted.CUTOFF, planted.VERIFIED_POSITIVE, 0.0)
        for (low, high), wanted in planted.NEGATIVE_BANDS.items():
            inside = (total >= low) & (total < high + 1)
            chance[inside] = min(1.0, max(wanted * scale, FEWEST) / max(inside.sum(), 1))
    drawn = chance
    if "nonignorable_verification" in packs:
        drawn = np.clip(np.where(case, 1.12, 0.9) * chance, 0, 1)
    row = np.flatnonzero(rng.random(len(total)) < drawn)
    found = case[row].copy()
    if "fallible_interview" in packs:
        wrong = rng.random(len(row)) < np.where(found, 0.10, 0.03)
        found ^= wrong
    grade = np.where(found, rng.choice([1, 2, 3], len(row), p=[0.55, 0.35, 0.10]), 0)
    sampled = np.where(total[row] >= planted.CUTOFF, "positive", "negative_sample")
    return pd.DataFrame({"row": row, "sampled": sampled, "probability": chance[row], "case": found,
                         "grade": grade.astype("int8")})  # fmt: skip

"""Reliability and factor promises beside what one writes without us."""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from mhlib.stats.measurement import (
    cronbach_alpha,
    icc,
    item_analysis,
    parallel_analysis,
    retest,
)

PUPILS, SCHOOLS, ITEMS = 130_000, 129, 20


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, numbers to compare)."""
    import pingouin

    rng = np.random.default_rng(2)
    pupils, n_boot, looped = (13_000, 200, 5) if quick else (PUPILS, 2000, 20)
    trait = rng.normal(size=(pupils, 1))
    items = np.clip(np.round(1.2 + trait + rng.normal(size=(pupils, ITEMS))), 0, 3)
    frame, school = pd.DataFrame(items), rng.integers(0, SCHOOLS, pupils)
    first = np.round(10 + 4 * trait[:, 0] + 2 * rng.normal(size=pupils))
    second = np.round(10 + 4 * trait[:, 0] + 2 * rng.normal(size=pupils))
    person = np.arange(pupils)
    long = pd.DataFrame(
        {"person": np.tile(person, 2), "occasion": np.repeat([1, 2], pupils), "score": np.concatenate([first, second])}
    )

    def described() -> tuple[float, np.ndarray]:
        """Alpha by pingouin, then item by item what psych::alpha prints."""
        alpha = pingouin.cronbach_alpha(frame)[0]
        rest = [frame[name].corr(frame.drop(columns=name).sum(axis=1)) for name in frame]
        without = [pingouin.cronbach_alpha(frame.drop(columns=name))[0] for name in frame]
        return alpha, np.array([rest, without])

    def chance() -> int:
        """Rows drawn anew for each set of chance data: components above the mean."""
        draw = np.random.default_rng(1)
        sets = [np.linalg.eigvalsh(np.corrcoef(draw.normal(size=(ITEMS, pupils)))) for _ in range(20)]
        above = np.linalg.eigvalsh(np.corrcoef(items.T))[::-1] > np.mean(sets, axis=0)[::-1]
        return int(np.argmin(above))

    def resampled() -> np.ndarray:
        """Rows of whole schools drawn again, one alpha at a time."""
        draw, rows = np.random.default_rng(1), [np.flatnonzero(school == one) for one in range(SCHOOLS)]
        alphas = []
        for _ in range(looped):
            drawn = items[np.concatenate([rows[one] for one in draw.integers(0, SCHOOLS, SCHOOLS)])]
            cov = np.cov(drawn.T)
            alphas.append(ITEMS / (ITEMS - 1) * (1 - np.trace(cov) / cov.sum()))
        return np.array(alphas)

    def their_icc() -> pd.DataFrame:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pingouin.intraclass_corr(long, targets="person", raters="occasion", ratings="score")

    pair = np.column_stack([first, second])
    return [
        ("alpha + item analysis, 20 items", "pingouin and pandas, item by item (psych::alpha 1.65 s)",
         lambda: (cronbach_alpha(frame), item_analysis(frame).to_frame()), described,
         lambda a, b: abs(a[0].alpha - b[0]) < 1e-9
         and np.allclose(a[1][["estimate", "alpha_if_deleted"]].to_numpy().T, b[1])),
        ("parallel analysis, 20 sets, factors and components", "numpy, components only (psych 8.6 s)",
         lambda: parallel_analysis(items, seed=1, n_iter=20, rule="mean"), chance,
         lambda a, b: a.n_components_mean == b),
        ("parallel analysis, 20 sets, by squared multiple correlations", "numpy, components only",
         lambda: parallel_analysis(items, seed=1, n_iter=20, rule="mean", communality="smc"), chance,
         lambda a, b: a.n_components_mean == b),
        ("ICC, six forms, 130,000 pairs", "pingouin, interval of 2 digits (psych::ICC 11.4 s)",
         lambda: icc(pair), their_icc, lambda a, b: np.allclose(a.forms["estimate"], b["ICC"], atol=1e-9)),
        ("retest with SEM, SDC and limits, 130,000 pairs", "pingouin, ICC only",
         lambda: retest(first, second), their_icc,
         lambda a, b: abs(a.to_frame()["estimate"][0] - b["ICC"].iloc[1]) < 1e-9),
        (f"alpha, {n_boot} resamples of schools", f"numpy loop ({looped} timed, x {n_boot / looped:g})",
         lambda: cronbach_alpha(items, ci="school_bootstrap", cluster=school, n_boot=n_boot, seed=1), resampled,
         lambda a, b: a.conf_low - 2 * a.std_error < b.mean() < a.conf_high + 2 * a.std_error
         and abs(b.mean() - a.alpha) < a.std_error),
    ]  # fmt: skip

"""Nested mixed models beside statsmodels, on what it can do, and beside V written out."""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from mhlib.stats.effects import multilevel, multilevel_outcomes, nested_statistics
from mhlib.stats.effects.nested_deviance import Deviance

SCHOOLS, CLASSES, PUPILS = 129, 3000, 130_000
LEVELS = ["school", "class", "pupil"]


def city(pupils: int, schools: int, classes: int) -> pd.DataFrame:
    """Three waves, 6 and 12 % of the second and third lost: 366,764 rows for 130,000 pupils."""
    rng = np.random.default_rng(1)
    school_of = np.sort(np.r_[np.arange(schools), rng.integers(0, schools, classes - schools)])
    class_of = rng.integers(0, classes, pupils)
    arm = rng.permutation(schools) < schools // 2
    effect = rng.normal(0, 0.2, schools)[school_of] + rng.normal(0, 0.2, classes)
    own, waves = rng.normal(0, 0.6, pupils), []
    for wave, lost in ((0, 0.0), (1, 0.06), (2, 0.12)):
        here = np.flatnonzero(rng.random(pupils) >= lost)
        school = school_of[class_of[here]]
        y = effect[class_of[here]] + own[here] - 0.12 * (wave > 0) - 0.08 * arm[school] * (wave > 0)
        waves.append(
            pd.DataFrame(
                {
                    "school": school,
                    "class": class_of[here],
                    "pupil": here,
                    "t1": float(wave == 1),
                    "t2": float(wave == 2),
                    "time": float(wave),
                    "arm": arm[school].astype(float),
                    "y": y + rng.normal(0, 0.7, len(here)),
                }
            )
        )
    return pd.concat(waves, ignore_index=True)


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, numbers to compare)."""
    import statsmodels.formula.api as smf

    size = (13_000, 13, 300) if quick else (PUPILS, SCHOOLS, CLASSES)
    data, formula = city(*size), "y ~ arm * (t1 + t2)"
    rng = np.random.default_rng(2)
    for place in range(5):
        data[f"z{place}"] = data["y"] + rng.normal(0, 0.5, len(data))
    outcomes = ["y", *(f"z{place}" for place in range(5))]
    few = data[data["school"] < (2 if quick else 13)]
    # Two schools of which one has the programme.
    treated = data.groupby("school")["arm"].first()
    pair = [int(treated.idxmax()), int(treated.idxmin())]
    two = data[data["school"].isin(pair)]
    fitted = multilevel(formula, data, groups=LEVELS)
    theta = fitted.core.theta

    def written_out() -> np.ndarray:
        """One step of generalised least squares with V of each school as a matrix."""
        cross, side = 0.0, 0.0
        for school in pair:
            rows = two[two["school"] == school]
            same = [rows[level].to_numpy()[:, None] == rows[level].to_numpy() for level in LEVELS[::-1]]
            v = np.eye(len(rows)) + sum(ratio**2 * each for ratio, each in zip(theta, same, strict=True))
            t1, t2, arm = (rows[name].to_numpy() for name in ("t1", "t2", "arm"))
            x = np.column_stack([np.ones(len(rows)), arm, t1, t2, arm * t1, arm * t2])
            solved = np.linalg.solve(v, np.column_stack([x, rows["y"]]))
            cross, side = cross + x.T @ solved[:, :6], side + x.T @ solved[:, 6]
        return np.linalg.solve(cross, side)[2:]

    def of_two() -> np.ndarray:
        sums = nested_statistics(formula, two, groups=LEVELS).sums
        return Deviance(sums, reml=True, correlated=True).point(theta).beta[2:]

    def mixed_lm(rows: pd.DataFrame, right: str, slope: str | None) -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return smf.mixedlm(f"y ~ {right}", rows, groups="pupil", re_formula=slope).fit(reml=True)

    scale = len(data) / len(few)
    return [
        (f"school/class/pupil, REML, df, {len(data):,} rows",
         f"numpy, V of 2 schools written out, one step (lme4 + lmerTest 157 s; x {size[1] / 2})",
         lambda: multilevel(formula, data, groups=LEVELS), written_out,
         lambda a, b: a.converged and np.allclose(of_two(), b, atol=1e-8)),
        # MixedLM on all rows is too slow to wait for; ours fits the part as well, for numbers to compare.
        (f"pupils only, REML, df: {len(data):,} rows and {len(few):,}, both timed",
         f"statsmodels MixedLM, only {few['school'].nunique()} schools, {len(few):,} rows, scaled up (x {scale:.1f})",
         lambda: (multilevel(formula, data, groups="pupil"), multilevel(formula, few, groups="pupil"))[1],
         lambda: mixed_lm(few, "arm * (t1 + t2)", None),
         lambda a, b: np.allclose(a.fixed["estimate"], b.fe_params, atol=1e-5) and abs(a.loglik - b.llf) < 1e-2),
        (f"pupils with a slope of time, {len(few):,} rows", "statsmodels MixedLM, the same",
         lambda: multilevel("y ~ arm * time", few, groups="pupil", slope="time"),
         lambda: mixed_lm(few, "arm * time", "~time"),
         # MixedLM may stop short of the optimum: ours must be as good or better.
         lambda a, b: a.loglik > b.llf - 1e-3 and np.allclose(a.fixed["estimate"], b.fe_params, atol=1e-3)),
        (f"six outcomes, three levels, {len(data):,} rows", "one by one",
         lambda: multilevel_outcomes(outcomes, "arm * (t1 + t2)", data, groups=LEVELS),
         lambda: [multilevel(f"{name} ~ arm * (t1 + t2)", data, groups=LEVELS) for name in outcomes],
         lambda a, b: all(abs(a.fits[f.outcome].deviance - f.deviance) < 1e-6 for f in b)),
    ]  # fmt: skip

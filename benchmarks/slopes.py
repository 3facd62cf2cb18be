"""Random slopes, waves with any covariance and ANCOVA at the size of a city, beside what one writes without us."""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from mhlib.stats.effects.ancova_model import ancova
from mhlib.stats.effects.slopes_model import random_slope
from mhlib.stats.effects.waves_unstructured import unstructured_waves

PUPILS, SCHOOLS, WAVES = 130_000, 129, 4


def city(pupils: int) -> pd.DataFrame:
    """Four waves of pupils whose slopes differ, some waves lost; half of the schools treated."""
    rng = np.random.default_rng(3)
    school = np.sort(rng.integers(0, SCHOOLS, pupils))
    own, slope = rng.normal(0, 0.6, pupils), rng.normal(0, 0.2, pupils)
    waves = []
    for wave in range(WAVES):
        here = np.flatnonzero(rng.random(pupils) >= 0.06 * wave)
        arm = (school[here] % 2).astype(float)
        y = own[here] + slope[here] * wave - 0.05 * arm * wave + rng.normal(0, 0.7, len(here))
        waves.append(pd.DataFrame({"school": school[here], "pupil": here, "arm": arm, "t": float(wave), "y": y}))
    return pd.concat(waves, ignore_index=True)


def wide(rows: pd.DataFrame) -> pd.DataFrame:
    """First and second wave side by side."""
    first, second = (rows[rows["t"] == wave].set_index("pupil") for wave in (0, 1))
    return second.assign(pre=first["y"]).dropna().reset_index()


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, numbers to compare)."""
    import statsmodels.formula.api as smf

    rows = city(PUPILS // 10 if quick else PUPILS)
    few = rows[rows["pupil"] < (1_300 if quick else 2_600)]
    scale, n_few, pairs = len(rows) / len(few), few["pupil"].nunique(), wide(rows)
    own = random_slope("y ~ arm * t", few, slope="t", group="pupil")
    part = unstructured_waves("y ~ arm * C(t)", few, unit="pupil", wave="t")

    def mixed_lm() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return smf.mixedlm("y ~ arm * t", few, groups="pupil", re_formula="~t").fit(reml=True)

    def one_step() -> np.ndarray:
        """Generalised least squares of the part with its covariance written out pupil by pupil, one step."""
        cross, side = 0.0, 0.0
        for _, each in few.groupby("pupil"):
            wave = each["t"].to_numpy().astype(int)
            x = np.eye(WAVES)[wave]
            x = np.column_stack([x, x * each["arm"].to_numpy()[:, None]])
            solved = np.linalg.solve(part.covariance[np.ix_(wave, wave)], np.column_stack([x, each["y"]]))
            cross, side = cross + x.T @ solved[:, :8], side + x.T @ solved[:, 8]
        return np.linalg.solve(cross, side)

    def by_columns() -> object:
        table = pairs.assign(mean=pairs.groupby("school")["pre"].transform("mean"))
        return smf.ols("y ~ arm + pre + mean", table).fit(
            cov_type="cluster", cov_kwds={"groups": table["school"].to_numpy()}
        )

    call = {"outcome": "y", "baseline": "pre", "arm": "arm", "reference": 0.0, "cluster": "school"}
    return [
        (f"random slope of time, REML, df, test, {len(rows):,} rows", f"statsmodels MixedLM, {n_few:,} pupils (x {scale:.1f})",
         lambda: random_slope("y ~ arm * t", rows, slope="t", group="pupil"), mixed_lm,
         lambda a, b: a.converged and abs(own.fit.loglik - b.llf) < 1e-2
         and np.allclose(own.fit.fixed["estimate"], b.fe_params, atol=1e-4)),
        (f"unstructured waves, REML, df, {len(rows):,} rows", f"numpy, one step, {n_few:,} pupils (x {scale:.1f})",
         lambda: unstructured_waves("y ~ arm * C(t)", rows, unit="pupil", wave="t"), one_step,
         lambda a, b: a.converged and abs(part.fixed.set_index("term").loc["arm", "estimate"] - b[4]) < 1e-6),
        (f"ANCOVA, change, LMM, g, Lord check, {len(pairs):,} pupils", "statsmodels OLS, CR1S: ANCOVA alone",
         lambda: ancova(pairs, **call), by_columns,
         lambda a, b: abs(a.effects.estimates[0] - b.params["arm"]) < 1e-9),
    ]  # fmt: skip

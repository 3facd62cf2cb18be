"""Areas under the curve, their comparison, their bootstraps and the cut-off studio, beside what one writes today."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from mhlib.stats.accuracy import bootstrap_roc, compare_roc, cutoff_studio, roc

PUPILS, SCHOOLS, TIMED = 130_000, 129, 10


def rows() -> dict[str, np.ndarray]:
    """Two whole-number scores, a continuous one, 5 % cases, schools that differ."""
    rng = np.random.default_rng(1)
    school = rng.integers(0, SCHOOLS, PUPILS)
    case = rng.random(PUPILS) < 0.05
    trait = rng.normal(size=PUPILS) + 0.3 * rng.normal(size=SCHOOLS)[school] + 1.2 * case
    first, second = (np.clip(np.round(20 + 8 * (trait + rng.normal(size=PUPILS))), 0, top) for top in (60, 27))
    fine = trait + rng.normal(size=PUPILS)
    return {"school": school, "case": case, "first": first, "second": second, "fine": fine}


def delong_by_sorting(scores: np.ndarray, case: np.ndarray) -> float:
    """z of the paired test from midranks (Sun & Xu 2014), as Python recipes have it."""
    from scipy.stats import rankdata

    m, n = int(case.sum()), int((~case).sum())
    ill = np.stack([(rankdata(s)[case] - rankdata(s[case])) / n for s in scores])
    well = np.stack([1 - (rankdata(s)[~case] - rankdata(s[~case])) / m for s in scores])
    spread = np.cov(ill) / m + np.cov(well) / n
    gap = ill[1].mean() - ill[0].mean()
    return float(gap / np.sqrt(spread[0, 0] + spread[1, 1] - 2 * spread[0, 1]))


def school_loop(score: np.ndarray, case: np.ndarray, school: np.ndarray, times: int) -> tuple[float, float]:
    """What one writes with sklearn: draw schools with return, put their rows together, one area at a time."""
    from sklearn.metrics import roc_auc_score

    rng, by_school = np.random.default_rng(2), [np.flatnonzero(school == one) for one in range(SCHOOLS)]
    areas = []
    for _ in range(times):
        drawn = np.concatenate([by_school[one] for one in rng.integers(0, SCHOOLS, SCHOOLS)])
        areas.append(roc_auc_score(case[drawn], score[drawn]))
    return float(np.mean(areas)), float(np.std(areas, ddof=1))


def youden_loop(score: np.ndarray, case: np.ndarray, times: int) -> list[float]:
    """Cut-off of largest Youden's J in resamples of people, from sklearn's curve."""
    from sklearn.metrics import roc_curve

    rng, found = np.random.default_rng(3), []
    for _ in range(times):
        drawn = rng.integers(0, len(score), len(score))
        alarms, hits, cut = roc_curve(case[drawn], score[drawn])
        found.append(float(cut[np.argmax(hits - alarms)]))
    return found


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, same?); a peer called a loop is timed on ten resamples and is to be scaled."""
    from sklearn.metrics import roc_auc_score

    d, n_boot = rows(), 200 if quick else 2000
    case, school = d["case"], d["school"]
    pair = pd.DataFrame({"first": d["first"], "second": d["second"]})
    scale = f"sklearn loop ({TIMED} timed, x {n_boot / TIMED:g})"

    def near(ours: object, theirs: tuple[float, float]) -> bool:
        return abs(ours.auc - theirs[0]) < 4 * ours.std_error

    def school_bootstrap(name: str) -> tuple[Callable, Callable]:
        return (
            lambda: bootstrap_roc(d[name], case, cluster=school, seed=1, n_boot=n_boot),
            lambda: school_loop(d[name], case, school, TIMED),
        )

    def studio() -> object:
        return cutoff_studio(d["first"], case, capacity=13_000, cost_ratio=10, target_sensitivity=0.8,
                             target_specificity=0.8, n_boot=n_boot, seed=1)  # fmt: skip

    return [
        ("area with DeLong interval, whole-number score", "sklearn, area only (pROC 46 ms with interval)",
         lambda: roc(d["first"], case), lambda: roc_auc_score(case, d["first"]), lambda a, b: abs(a.auc - b) < 1e-12),
        ("paired DeLong, whole-number scores", "midranks in scipy (pROC 78 ms, MLstatkit 106 ms)",
         lambda: compare_roc(pair, case), lambda: delong_by_sorting(pair.to_numpy().T, case),
         lambda a, b: abs(a.differences["statistic"].iloc[0] - b) < 1e-6),
        (f"{n_boot} resamples of schools, whole-number score", scale, *school_bootstrap("first"), near),
        (f"{n_boot} resamples of schools, continuous score", scale, *school_bootstrap("fine"), near),
        (f"{n_boot} resamples of all five cut-offs and their optimism", f"{scale}, Youden alone",
         studio, lambda: youden_loop(d["first"], case, TIMED),
         lambda a, b: a.choices["youden"].cutoff_low <= np.median(b) <= a.choices["youden"].cutoff_high),
    ]  # fmt: skip

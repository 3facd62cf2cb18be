"""Accuracy corrected for who was interviewed, beside what one writes with statsmodels and sklearn today.

No R or Python package at hand corrects with covariates and schools; PVBcorrect (R) bootstraps for its intervals.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from mhlib.stats.accuracy import (
    latent_class,
    verification_corrected,
    verification_corrected_roc,
    verification_sensitivity,
)

PUPILS, SCHOOLS, TIMED = 130_000, 129, 20


def rows() -> dict[str, object]:
    """Screen score, interview of some, sex, grade, boarding and school."""
    rng = np.random.default_rng(1)
    school = rng.integers(0, SCHOOLS, PUPILS)
    covariates = pd.DataFrame(
        {"sex": rng.integers(0, 2, PUPILS), "grade": rng.integers(7, 13, PUPILS), "boards": rng.integers(0, 2, PUPILS)}
    )
    trait = rng.normal(size=PUPILS) + 0.3 * rng.normal(size=SCHOOLS)[school] + 0.3 * covariates["sex"].to_numpy()
    score = np.clip(np.round(6 + 4 * trait + 2 * rng.normal(size=PUPILS)), 0, 27)
    case = rng.random(PUPILS) < 1 / (1 + np.exp(3.5 - 1.5 * trait))
    chance = np.where(score >= 11, 0.9, 0.05)
    seen = rng.random(PUPILS) < chance
    reference = pd.Series(np.where(seen, case, np.nan))
    return {"score": score, "case": case, "seen": seen, "reference": reference, "covariates": covariates,
            "school": school, "chance": chance}  # fmt: skip


def by_rows(d: dict) -> tuple[float, float]:
    """Begg & Greenes with statsmodels: a logistic model of the verified rows, everyone predicted."""
    import statsmodels.api as sm

    design = sm.add_constant(np.column_stack([d["score"] >= 11, d["covariates"]]).astype(float))
    fit = sm.Logit(d["case"][d["seen"]].astype(float), design[d["seen"]]).fit(disp=0)
    return shares(design[:, 1], fit.predict(design))


def shares(test: np.ndarray, case: np.ndarray) -> tuple[float, float]:
    return float((test * case).sum() / case.sum()), float(((1 - test) * (1 - case)).sum() / (1 - case).sum())


def imputed_by_rows(d: dict, times: int) -> tuple[float, float]:
    """Proper imputation with statsmodels, row by row."""
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    design = sm.add_constant(np.column_stack([d["score"] >= 11, d["covariates"]]).astype(float))
    fit = sm.Logit(d["case"][d["seen"]].astype(float), design[d["seen"]]).fit(disp=0)
    found = []
    for drawn in rng.multivariate_normal(fit.params, fit.cov_params(), times):
        filled = np.where(d["seen"], d["case"], rng.random(PUPILS) < 1 / (1 + np.exp(-design @ drawn)))
        found.append(shares(design[:, 1], filled.astype(float)))
    return tuple(np.mean(found, axis=0))


def area_loop(d: dict, times: int) -> float:
    """What one writes with sklearn: draw schools with return, weigh the verified, one area at a time."""
    from sklearn.metrics import roc_auc_score

    rng, seen = np.random.default_rng(2), np.flatnonzero(d["seen"])
    by_school = [seen[d["school"][seen] == one] for one in range(SCHOOLS)]
    areas = []
    for _ in range(times):
        drawn = np.concatenate([by_school[one] for one in rng.integers(0, SCHOOLS, SCHOOLS)])
        areas.append(roc_auc_score(d["case"][drawn], d["score"][drawn], sample_weight=1 / d["chance"][drawn]))
    return float(np.median(areas))


def latent_loop(tests: np.ndarray, times: int = 200) -> float:
    """EM row by row, as written in a few lines of numpy; prevalence after so many steps."""
    prevalence, sens, spec = 0.3, np.full(tests.shape[1], 0.7), np.full(tests.shape[1], 0.8)
    for _ in range(times):
        ill = prevalence * np.prod(np.where(tests, sens, 1 - sens), axis=1)
        share = ill / (ill + (1 - prevalence) * np.prod(np.where(tests, 1 - spec, spec), axis=1))
        prevalence = share.mean()
        sens, spec = share @ tests / share.sum(), (1 - share) @ ~tests / (1 - share).sum()
    return float(prevalence)


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, same numbers?)."""
    d, n_boot, m = rows(), 200 if quick else 2000, 10 if quick else 50
    given = {"cutoff": 11, "covariates": d["covariates"]}
    rng = np.random.default_rng(5)
    ill = rng.random((PUPILS, 1)) < 0.2
    tests = np.where(ill, rng.random((PUPILS, 4)) < 0.8, rng.random((PUPILS, 4)) < 0.1)

    def near(a: object, b: tuple[float, float], within: float) -> bool:
        return abs(a.sensitivity - b[0]) < within and abs(a.specificity - b[1]) < within

    return [
        ("Begg-Greenes, logistic in 3 covariates, errors by school", "statsmodels Logit by rows (no errors)",
         lambda: verification_corrected(d["score"], d["reference"], model="logistic", cluster=d["school"], **given),
         lambda: by_rows(d), lambda a, b: near(a, b, 1e-8)),
        ("weights estimated by a logistic model, errors by school", "statsmodels Logit by rows (no errors)",
         lambda: verification_corrected(d["score"], d["reference"], method="ipw", model="logistic",
                                        cluster=d["school"], **given),
         lambda: by_rows(d), lambda a, b: near(a, b, 0.02)),
        (f"multiple imputation, m = {m}", f"statsmodels and numpy by rows, m = {m}",
         lambda: verification_corrected(d["score"], d["reference"], method="mi", m=m, seed=1, **given),
         lambda: imputed_by_rows(d, m), lambda a, b: near(a, b, 0.02)),
        (f"multiple imputation with schools, m = {m}", f"statsmodels and numpy by rows, no schools, m = {m}",
         lambda: verification_corrected(d["score"], d["reference"], method="mi", m=m, seed=1, cluster=d["school"],
                                        **given),
         lambda: imputed_by_rows(d, m), lambda a, b: near(a, b, 0.03)),
        (f"verification-corrected area, {n_boot} resamples of schools", f"sklearn loop, {TIMED} resamples only",
         lambda: verification_corrected_roc(d["score"], d["reference"], seed=1, n_boot=n_boot, cluster=d["school"],
                                            verification_probability=d["chance"]),
         lambda: area_loop(d, TIMED), lambda a, b: abs(a.auc - b) < 0.01),
        ("sensitivity surface, 7 x 7 odds ratios, schools, area", "Begg & Greenes once, statsmodels by rows",
         lambda: verification_sensitivity(d["score"], d["reference"], model="logistic", cluster=d["school"],
                                          thresholds={"sensitivity": 0.4}, **given),
         lambda: by_rows(d),
         lambda a, b: abs(a.table.query("odds_ratio_positive == 1 and odds_ratio_negative == 1")["sensitivity"].iloc[0]
                          - b[0]) < 1e-8),
        ("latent classes, 4 tests, with standard errors", "numpy EM by rows, 200 steps, no errors",
         lambda: latent_class(pd.DataFrame(tests)), lambda: latent_loop(tests),
         lambda a, b: abs(a.prevalence[0] - b) < 1e-4),
    ]  # fmt: skip

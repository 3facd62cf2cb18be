"""Do intervals of change hold what was planted? A null city, losses at random and not, schools that differ.

The protocol of test_recovery.py: the Monte Carlo interval (Wilson, family-wise over the claims) must meet nominal plus or
minus one point. Truth is what the generator plants, never what the method assumes.
"""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mhlib.stats.effects import (
    lee_bounds,
    meta_analysis,
    multiple_imputation,
    pool,
    regression_to_mean,
    reliable_change,
    tipping_point,
)

# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 11
SCHOOLS, SIZE, RELIABILITY = 60, 100, 0.7


def null_city(rng, *, skewed=False):
    """Two screens of pupils of whom nobody is helped: half the schools 'serve' their positives. Whole-number scores."""
    n = SCHOOLS * SIZE
    school = np.repeat(np.arange(SCHOOLS), SIZE)
    truth = 0.2 * rng.standard_normal(SCHOOLS)[school] + math.sqrt(0.96) * rng.standard_normal(n)
    scores = []
    for _ in range(2):
        z = math.sqrt(RELIABILITY) * truth + math.sqrt(1 - RELIABILITY) * rng.standard_normal(n)
        # A skewed scale: most pupils near the floor, a long upper tail, as symptom counts are.
        scores.append(np.round(np.clip(stats.norm.cdf(z) ** 3 * 27 if skewed else 10 + 4 * z, 0, 27)))
    return *scores, (school % 2).astype(float), school


def before_after(before, after, chosen, school):
    """The naive claim: mean fall of served positives with a t interval of school sums."""
    fall, code = (before - after)[chosen], pd.factorize(school[chosen])[0]
    mean, g = fall.mean(), code.max() + 1
    sums = np.bincount(code, weights=fall - mean)
    half = stats.t.ppf(0.975, g - 1) * math.sqrt(g / (g - 1) * (sums**2).sum()) / len(fall)
    return mean - half, mean + half


@pytest.mark.slow
@pytest.mark.parametrize("skewed", [False, True], ids=["normal", "skewed"])
def test_a_null_city_leaves_no_remainder_where_before_after_finds_an_effect(claims, skewed):
    design = f"null city, {'skewed' if skewed else 'normal'} scores, top sixth, reliability .7"
    study = claims(
        "regression to the mean", design, n=f"{SCHOOLS} schools of {SIZE}", seed=[31, 20261124, skewed], family=FAMILY
    )
    hits = dict.fromkeys(["fall, linearised", "fall, resamples", "reliable recovery, linearised"], 0)
    naive = formula = 0
    for k in range(study.replicates):
        before, after, served, school = null_city(study.rng, skewed=skewed)
        cutoff = 15 if skewed else 14
        given = {"cutoff": cutoff, "least_change": 6, "cluster": school}
        found = regression_to_mean(before, after, served, **given).table.set_index("outcome")
        hits["fall, linearised"] += found.at["fall", "conf_low"] <= 0 <= found.at["fall", "conf_high"]
        hits["reliable recovery, linearised"] += (
            found.at["reliable_recovery", "conf_low"] <= 0 <= found.at["reliable_recovery", "conf_high"]
        )
        drawn = regression_to_mean(before, after, served, n_boot=400, seed=k, **given).table.set_index("outcome")
        hits["fall, resamples"] += drawn.at["fall", "conf_low"] <= 0 <= drawn.at["fall", "conf_high"]
        low, high = before_after(before, after, (before >= cutoff) & (served == 1), school)
        naive += low <= 0 <= high
        if skewed:
            unserved = np.where(served == 1, after, np.nan)
            r = np.corrcoef(before, after)[0, 1]
            guess = regression_to_mean(before, unserved, served, reliability=(r, 0.006), **given).table.set_index(
                "outcome"
            )
            formula += guess.at["fall", "conf_low"] <= 0 <= guess.at["fall", "conf_high"]
    study.fail({"before-after of served positives": naive}, below=0.05)
    if skewed:
        study.fail({"normal formula, skewed scores": formula}, below=0.90)
    study.cover({f"remainder of the {name}": hit for name, hit in hits.items()})


@pytest.mark.slow
def test_shares_of_reliable_change_are_covered(claims):
    study = claims("reliable change", "normal scores, schools that differ", n=f"{SCHOOLS} schools of {SIZE}", seed=[32, 20261124],
                   family=FAMILY)  # fmt: skip
    # Planted: schools' shares are beta, so that the true share over schools is their mean.
    hits, truth = 0, 0.3
    for k in range(study.replicates):
        share = study.rng.beta(truth * 20, (1 - truth) * 20, SCHOOLS)
        better = study.rng.random((SCHOOLS, SIZE)) < share[:, None]
        found = reliable_change(np.full(SCHOOLS * SIZE, 12.0), np.where(better, 2.0, 12.0).ravel(), cutoff=10, least_change=6,
                                cluster=np.repeat(np.arange(SCHOOLS), SIZE), seed=k, n_boot=400)  # fmt: skip
        row = found.table.set_index("outcome").loc["improved"]
        hits += row["conf_low"] <= truth <= row["conf_high"]
    study.cover({"share reliably improved, resamples of schools": hits})


def trial_with_loss(rng, schools=40, size=25):
    """A null trial in which treated pupils who felt worse at mid-term stay away from the post-test, and controls at random."""
    school = np.repeat(np.arange(schools), size)
    arm = (school % 2).astype(float)
    level = math.sqrt(0.1) * rng.standard_normal(schools)[school]
    before = level + rng.standard_normal(schools * size)
    middle = 0.5 * before + level + rng.standard_normal(schools * size)
    after = 0.6 * middle + 0.2 * before + level + 0.7 * rng.standard_normal(schools * size)
    stays = rng.random(schools * size) < np.where(arm == 1, 1 / (1 + np.exp(1.5 * middle - 1)), 0.75)
    return pd.DataFrame(
        {"school": school, "arm": arm, "before": before, "middle": middle, "after": np.where(stays, after, np.nan)}
    )


@pytest.mark.slow
def test_imputation_with_levels_of_schools_is_covered_where_complete_cases_fail(claims):
    study = claims("multiple imputation", "null trial, loss by mid-term score in one arm (MAR), 40 schools", n="1,000 pupils",
                   seed=[33, 20261124], family=FAMILY, replicates=1000,
                   why="each replicate runs 20 chains; 1,000 give the interval a point and a half either way")  # fmt: skip
    hits = complete = 0
    for k in range(study.replicates):
        data = trial_with_loss(study.rng)
        imputed = multiple_imputation(data, m=20, seed=k, cluster="school", method="norm", iterations=2)
        found = tipping_point(
            imputed, outcome="after", treated="arm", covariates=["before"], cluster="school", shift_treated=[0]
        )
        hits += found.conf_low <= 0 <= found.conf_high
        seen = data.dropna()
        low, high = by_school(seen)
        complete += low <= 0 <= high
    study.fail({"complete cases, same model": complete}, below=0.80)
    study.cover({"pooled effect, MI with a level of each school": hits})


def by_school(table):
    """Interval of the treatment in least squares on arm and baseline, CR1 by school, of complete cases."""
    design = np.column_stack([np.ones(len(table)), table["arm"], table["before"]])
    bread = np.linalg.inv(design.T @ design)
    b = bread @ design.T @ table["after"].to_numpy()
    part = (design @ bread[1]) * (table["after"].to_numpy() - design @ b)
    sums = np.bincount(table["school"], weights=part)
    g, n = len(np.unique(table["school"])), len(table)
    half = stats.t.ppf(0.975, g - 2) * math.sqrt(g / (g - 1) * (n - 1) / (n - 3) * (sums**2).sum())
    return b[1] - half, b[1] + half


@pytest.mark.slow
def test_lee_bounds_hold_the_effect_on_those_always_seen(claims):
    study = claims("Lee bounds", "monotone loss that depends on the outcome, 40 schools", n="2,000 pupils", seed=[34, 20261124],
                   family=FAMILY)  # fmt: skip
    schools, size, effect = 40, 50, -0.3
    school = np.repeat(np.arange(schools), size)
    arm = school % 2
    held = inside = naive = 0
    for k in range(study.replicates):
        y0 = 0.2 * study.rng.standard_normal(schools)[school] + study.rng.standard_normal(len(school))
        # Ill pupils leave; the programme keeps some of them, and drives nobody away.
        u = 0.8 * y0 + 0.6 * study.rng.standard_normal(len(school))
        y = np.where(u < np.where(arm == 1, 1.3, 0.7), y0 + effect * arm, np.nan)
        found = lee_bounds(y, arm, cluster=school, seed=k, n_boot=200)
        held += found.conf_low <= effect <= found.conf_high
        inside += found.lower - 0.15 <= effect <= found.upper + 0.15
        half = 1.96 * math.sqrt(sum(np.nanvar(y[arm == a]) / np.isfinite(y[arm == a]).sum() for a in (0, 1)))
        naive += abs(found.unadjusted - effect) <= half
    study.find({"effect within the interval of Imbens & Manski": held}, least=0.94)
    study.find({"effect within .15 SD of the bounds": inside}, least=0.90)
    study.fail({"difference of those seen": naive}, below=0.85)


@pytest.mark.slow
@pytest.mark.parametrize("k", [12, 40])
def test_the_next_school_lies_in_the_prediction_interval(claims, k):
    study = claims("meta-analysis", "schools' effects normal, SD .2, errors .05–.20", n=f"{k} schools", seed=[35, 20261124, k],
                   family=FAMILY)  # fmt: skip
    mean = wald = predicted = 0
    for _ in range(study.replicates):
        se = study.rng.uniform(0.05, 0.20, k)
        y = 0.1 + 0.2 * study.rng.standard_normal(k) + se * study.rng.standard_normal(k)
        found = meta_analysis(y, se)
        mean += found.conf_low <= 0.1 <= found.conf_high
        predicted += found.predicted_low <= 0.1 + 0.2 * study.rng.standard_normal() <= found.predicted_high
        w = 1 / se**2
        wald += abs((w * y).sum() / w.sum() - 0.1) <= 1.96 / math.sqrt(w.sum())
    study.fail({"one effect for all schools (fixed)": wald}, below=0.80)
    study.cover({"mean effect, Knapp & Hartung": mean})
    # With few schools tau2 itself is unsure, which the interval of metafor does not take into account; bounds as a quarter run allows.
    study.find({"effect of the next school": predicted}, least=0.86 if k < 20 else 0.90)


@pytest.mark.slow
def test_pooled_intervals_are_nominal_with_few_imputations(claims):
    study = claims(
        "multiple imputation",
        "normal mean, 40 % lost at random, m = 5",
        n="30 pupils",
        seed=[36, 20261124],
        family=FAMILY,
    )
    hits = 0
    for _ in range(study.replicates):
        seen = study.rng.standard_normal(18)
        q, u = [], []
        for _ in range(5):
            # Proper draws from the posterior of mean and variance.
            s2 = 17 * seen.var(ddof=1) / study.rng.chisquare(17)
            m = seen.mean() + math.sqrt(s2 / 18) * study.rng.standard_normal()
            whole = np.concatenate([seen, m + math.sqrt(s2) * study.rng.standard_normal(12)])
            q.append(whole.mean())
            u.append(whole.var(ddof=1) / 30)
        row = pool(q, u, df_complete=29).table.iloc[0]
        hits += row["conf_low"] <= 0 <= row["conf_high"]
    study.cover({"pooled mean, Barnard & Rubin": hits})

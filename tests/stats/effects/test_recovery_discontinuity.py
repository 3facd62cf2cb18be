"""Do honest intervals at an integer cut-off hold what was planted, and do broken assumptions show?

Scores 0-27, cut-off 10, uptake 15 % below and 70 % from it on, pupils in schools that differ. Truth is what the generator
plants. The hardest outcome that a bound M allows bends by M one way below the cut-off and the other way above it: there an
honest interval must be nominal, elsewhere it may be cautious.
"""

import math

import numpy as np
import pandas as pd
import pytest

from mhlib.stats.effects.discontinuity_cells import summed
from mhlib.stats.effects.discontinuity_curvature import quartic_curvature
from mhlib.stats.effects.discontinuity_density import density_at_cutoff, heaping
from mhlib.stats.effects.discontinuity_fit import Settings, chosen_jump, intervals_of
from mhlib.stats.effects.discontinuity_ladders import covariate_jumps
from mhlib.stats.effects.discontinuity_robust import RobustEstimates, robust_estimates

# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 12
CUTOFF, EFFECT, BOUND = 10, -2.0, 0.08
UPTAKE = (0.15, 0.70)


def town(rng, schools, size, *, bend=BOUND, effect=EFFECT):
    """Distance to the cut-off, outcome and uptake, and the school; the outcome bends by `bend`, one way a side."""
    n = schools * size
    school = np.repeat(np.arange(schools), size)
    level = rng.standard_normal(schools)[school]
    score = rng.binomial(27, 1 / (1 + np.exp(0.9 - 0.35 * rng.standard_normal(n) - 0.2 * level)))
    x = (score - CUTOFF).astype(float)
    served = (rng.random(n) < np.where(x >= 0, UPTAKE[1], UPTAKE[0])).astype(float)
    curve = 0.5 * x + np.where(x >= 0, 1, -1) * bend / 2 * x**2
    y = curve + effect * served + 0.6 * level + 3 * rng.standard_normal(n)
    return x, np.column_stack([y, served]), school


def intervals(x, values, school, curvatures, *, bandwidth=None, fuzzy=True):
    """Honest intervals of the jump of the outcome and of the ratio, from the sums of one town."""
    cells = summed(x, values, school, school.max() + 1, names=("y", "served"), n_excluded=0)
    cells = type(cells)(**{name: getattr(cells, name) for name in cells.__slots__} | {"n_targets": 2})
    if curvatures is None:
        curvatures = tuple(quartic_curvature(cells, one) for one in np.eye(2))
    settings = Settings(tuple(curvatures), bandwidth, "triangular", 0.95, fuzzy)
    jump, top, bottom = chosen_jump(cells, settings)
    return intervals_of(jump, top, bottom, settings)[0]


def holds(one, truth):
    """Whether an interval holds the truth; one that excludes nothing holds it."""
    return math.isnan(one.conf_low) or one.conf_low <= truth <= one.conf_high


@pytest.mark.slow
@pytest.mark.parametrize(("schools", "size"), [(129, 24), (30, 60)])
def test_honest_intervals_hold_the_hardest_outcome_and_a_bound_too_small_fails(claims, schools, size):
    study = claims("regression discontinuity", f"hardest outcome under the bound, fuzzy, {schools} schools",
                   n=f"{schools} schools of {size}", seed=[71, 20261126, schools], family=FAMILY)  # fmt: skip
    truth = EFFECT * (UPTAKE[1] - UPTAKE[0])
    hits = dict.fromkeys(["jump, bound given", "effect on the served, bound given", "uptake, bound given"], 0)
    rule = small = wide = 0
    for _ in range(study.replicates):
        x, values, school = town(study.rng, schools, size)
        parts = intervals(x, values, school, (BOUND, 0.0))
        hits["jump, bound given"] += holds(parts["reduced_form"], truth)
        hits["effect on the served, bound given"] += holds(parts["ratio_inverted"], EFFECT)
        hits["uptake, bound given"] += holds(parts["first_stage"], UPTAKE[1] - UPTAKE[0])
        thumb = intervals(x, values, school, None, fuzzy=False)
        rule += holds(thumb["reduced_form"], truth)
        parts = intervals(x, values, school, (BOUND / 20, 0.0), fuzzy=False)
        small += holds(parts["reduced_form"], truth)
        parts = intervals(x, values, school, (0.0, 0.0), bandwidth=20.0, fuzzy=False)
        wide += holds(parts["reduced_form"], truth)
    study.fail({"jump, bound a twentieth of the truth": small}, below=0.90)
    study.fail({"jump, lines through all scores, no bias allowed": wide}, below=0.50)
    study.cover({name: hit for name, hit in hits.items() if name != "effect on the served, bound given"})
    study.cover({"effect on the served, bound given": hits["effect on the served, bound given"]}, cautious=True)
    study.cover({"jump, rule-of-thumb bound": rule}, cautious=True)


@pytest.mark.slow
@pytest.mark.parametrize(("schools", "size"), [(129, 24), (30, 60)])
def test_a_null_city_has_no_effect_and_a_planted_one_is_found(claims, schools, size):
    study = claims("regression discontinuity", f"gentle bend, sharp jump tested, {schools} schools",
                   n=f"{schools} schools of {size}", seed=[72, 20261126, schools], family=FAMILY)  # fmt: skip
    alarms = found = 0
    for _ in range(study.replicates):
        x, values, school = town(study.rng, schools, size, bend=0.02, effect=0.0)
        parts = intervals(x, values, school, (BOUND / 2, 0.0), fuzzy=False)
        alarms += parts["reduced_form"].p_value <= 0.05
        values[:, 0] += -4 * values[:, 1]
        parts = intervals(x, values, school, (BOUND / 2, 0.0), fuzzy=False)
        found += parts["reduced_form"].p_value <= 0.05
    study.size({"no effect, bound twice the bend": alarms}, least=0.0)
    study.find({"effect of 4 on the served": found}, least=0.60)


@pytest.mark.slow
def test_what_rdrobust_does_with_few_values(claims):
    study = claims("regression discontinuity", "hardest outcome, rdrobust on 28 values, 129 schools",
                   n="129 schools of 60", seed=[73, 20261126], family=FAMILY, replicates=400,
                   why="rdrobust takes a hundred times as long as the honest interval")  # fmt: skip
    truth = EFFECT * (UPTAKE[1] - UPTAKE[0])
    robust = conventional = given = 0
    for _ in range(study.replicates):
        x, values, school = town(study.rng, 129, 60)
        cells = summed(x, values[:, :1], school, 129, names=("y",), n_excluded=0)
        found = robust_estimates(cells, values[:, :1], x, school, fuzzy=False, conf_level=0.95)
        if isinstance(found, RobustEstimates):
            given += 1
            conventional += found.table[0, 2] <= truth <= found.table[0, 3]
            robust += found.table[2, 2] <= truth <= found.table[2, 3]
    study.find({"rdrobust gives an interval": given}, least=0.5)
    study.find({"conventional interval holds the jump": conventional}, of=given, most=0.93)
    study.find({"robust interval holds the jump": robust}, of=given, least=0.85)


@pytest.mark.slow
def test_pushed_scores_and_heaps_are_found_and_smooth_ones_are_not(claims):
    study = claims("regression discontinuity", "histogram of scores, 60 schools that differ", n="60 schools of 100",
                   seed=[74, 20261126], family=FAMILY,
        replicates=500,
        why="each replicate fits some thirty smooth histograms; 500 give the interval two points either way")  # fmt: skip
    alarms = pushed = heaped = wrong = habit = 0
    for _ in range(study.replicates):
        x, _, school = town(study.rng, 60, 100)
        score = x + CUTOFF
        alarms += density_at_cutoff(score, cutoff=CUTOFF, cluster=school).p_value <= 0.05
        moved = np.where((score == 9) & (study.rng.random(len(score)) < 0.25), 10, score)
        pushed += density_at_cutoff(moved, cutoff=CUTOFF, cluster=school).p_value <= 0.05
        rounded = np.where(np.isin(score, [14, 16]) & (study.rng.random(len(score)) < 0.4), 15, score)
        table = heaping(rounded, cluster=school).table.set_index("score")
        heaped += table.at[15, "heap"] == "more"
        wrong += table.at[6, "heap"] != ""
        # Two schools in which every 9 is entered as a 10 or the reverse: chance habits that balance over schools.
        swings = study.rng.choice([-1, 0, 1], size=60)[school]
        habits = np.where((swings > 0) & (score == 9), 10, np.where((swings < 0) & (score == 10), 9, score))
        p = density_at_cutoff(habits, cutoff=CUTOFF).p_value
        habit += p <= 0.05
    study.size({"smooth scores, rule-of-thumb bend": alarms}, least=0.0)
    study.find({"a quarter of the 9s entered as 10": pushed}, least=0.90)
    study.find({"a heap on 15": heaped}, least=0.85)
    study.find({"no heap named where there is none": wrong}, most=0.05)
    study.fail({"binomial test where schools have habits": habit}, above=0.10)


@pytest.mark.slow
def test_covariates_that_do_not_jump_are_left_alone(claims):
    study = claims("regression discontinuity", "three covariates, Holm, 40 schools", n="40 schools of 50",
                   seed=[75, 20261126], family=FAMILY, replicates=500,
                   why="each replicate fits three covariates with their own bound and ladder")  # fmt: skip
    alarms = 0
    for _ in range(study.replicates):
        x, _, school = town(study.rng, 40, 50)
        noise = study.rng.standard_normal((len(x), 3))
        rows = pd.DataFrame(
            {"x": x, "school": school, "a": noise[:, 0], "b": noise[:, 1] + 0.1 * x, "c": noise[:, 2] + 0.004 * x**2}
        )
        asked = {"covariates": ["a", "b", "c"], "running": "x", "cutoff": 0, "cluster": "school"}
        alarms += (covariate_jumps(rows, **asked).table["p_adjusted"] <= 0.05).any()
    study.size({"any of three covariates": alarms}, least=0.0)

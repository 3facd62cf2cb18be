"""Coverage and size of interrupted time series and stepped wedges when the truth is known, by the house's protocol."""

import numpy as np
import pandas as pd
import pytest

from mhlib.stats.effects.nested_model import multilevel
from mhlib.stats.effects.series_fit import (
    autocorrelated,
    autocorrelated_rates,
    newey_west,
    newey_west_lag,
    plain_least_squares,
    quasi_poisson,
)
from mhlib.stats.effects.series_record import contrasts_of, estimated
from mhlib.stats.effects.series_rows import weeks_of
from mhlib.stats.effects.wedge_models import fitted_models, mixed_row, robust_row
from mhlib.stats.effects.wedge_permutation import permuted_schedule
from mhlib.stats.effects.wedge_rollout import null_variances
from mhlib.stats.effects.wedge_rows import rollout_of

pytestmark = pytest.mark.slow
# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 13
DAY = 20261126
FIT = "each replicate fits mixed models, 0.05 s"


def series(n, start):
    """A blank weekly series and its contrasts."""
    k = np.arange(n)
    frame = pd.DataFrame({"week": k, "y": np.cos(k)})
    weeks = weeks_of(frame, outcome="y", time="week", start=start, weights=None, season=None, control=None, exposure=None,
                     where="test")  # fmt: skip
    return weeks, contrasts_of(weeks, (8,) if n - start > 8 else (4,))


def noise(rng, n, rho):
    """AR(1) from its stationary state."""
    e = rng.normal(size=n)
    e[0] /= np.sqrt(1 - rho**2)
    for i in range(1, n):
        e[i] += rho * e[i - 1]
    return e


def held(fit, row, true):
    one = estimated(fit, row, 0.95)
    return one["conf_low"] <= true <= one["conf_high"]


@pytest.mark.parametrize(("half", "rho"), [(20, 0.3), (20, 0.6), (10, 0.3)])
def test_interrupted_series(claims, half, rho):
    study = claims("interrupted time series", f"AR(1) {rho}, level -1 and slope -0.05 at the start",
                   n=f"{half} + {half} weeks", seed=[61, half, round(10 * rho), DAY], family=FAMILY)  # fmt: skip
    n, (weeks, rows) = 2 * half, series(2 * half, half)
    beta, ones, lag = np.array([10, 0.02, -1.0, -0.05]), np.ones(2 * half), newey_west_lag(2 * half)
    terms = ("level change", "average effect")
    ar, plain, robust = dict.fromkeys(terms, 0), 0, 0
    for _ in range(study.replicates):
        y = weeks.x @ beta + noise(study.rng, n, rho)
        first = autocorrelated(weeks.x, y, ones, weeks.place)
        for term in terms:
            ar[term] += held(first, rows[term], rows[term] @ beta)
        row = rows["average effect"]
        plain += held(plain_least_squares(weeks.x, y, ones), row, row @ beta)
        robust += held(newey_west(weeks.x, y, ones, lag), row, row @ beta)
    where = f"{half} + {half} weeks, AR {rho}"
    study.fail({f"Newey-West alone, {where}": robust}, below=0.92)
    study.fail({f"weeks as independent, {where}": plain}, below=0.92)
    study.cover({f"{term}, AR(1) by REML, {where}": count for term, count in ar.items()}, cautious=True)


def test_rates_with_memory(claims):
    study = claims("interrupted time series", "counts about 25 a week, log rate AR(1) 0.5 with SD 0.2, level -0.3",
                   n="20 + 20 weeks", seed=[65, DAY], family=FAMILY, replicates=600,
                   why="each replicate iterates the fit of the working response")  # fmt: skip
    weeks, rows = series(40, 20)
    beta, risk = np.array([0, 0, -0.3, 0]), np.full(40, 25.0)
    covered, plain, row = 0, 0, rows["average effect"]
    for _ in range(study.replicates):
        memory = 0.2 * np.sqrt(1 - 0.5**2) * noise(study.rng, 40, 0.5)
        y = study.rng.poisson(risk * np.exp(weeks.x @ beta + memory)).astype(float)
        covered += held(autocorrelated_rates(weeks.x, y, risk, weeks.place), row, -0.3)
        plain += held(quasi_poisson(weeks.x, y, risk, newey_west_lag(40)), row, -0.3)
    study.fail({"rates, Newey-West alone": plain}, below=0.93)
    study.cover({"rates, AR(1) by REML": covered}, cautious=True)


def wedge(rng, schools, *, steps, pupils, effect, period_sd):
    """Rows of a cross-sectional stepped wedge; `effect` by periods under the programme, school SD 0.4, pupil SD 1."""
    school, period, _ = (part.ravel() for part in np.indices((schools, steps + 1, pupils)))
    exposure = np.maximum(period - school * steps // schools, 0)
    y = 0.4 * rng.normal(size=schools)[school] + period_sd * rng.normal(size=(schools, steps + 1))[school, period]
    frame = pd.DataFrame({"school": school, "period": period, "treated": (exposure > 0) * 1.0})
    frame["y"] = y + 0.1 * period + np.asarray(effect)[exposure] + rng.normal(size=len(school))
    return rollout_of(frame, outcome="y", school="school", period="period", treated="treated", pupil=None, classroom=None,
                      where="test")  # fmt: skip


def contains(row, true):
    return row["conf_low"] <= true <= row["conf_high"]


def test_a_stepped_wedge_of_24_schools(claims):
    study = claims("stepped wedge", "4 steps, 15 pupils a period, constant effect 0.3, school-by-period SD 0.35", n="24 schools",
                   seed=[62, DAY], family=FAMILY, replicates=400, why=FIT)  # fmt: skip
    hits = dict.fromkeys(("constant effect", "average over exposure", "constant effect, CR2"), 0)
    ignored, wrong = 0, 0
    for _ in range(study.replicates):
        made = wedge(study.rng, 24, steps=4, pupils=15, effect=[0] + 4 * [0.3], period_sd=0.35)
        models = fitted_models(made, 0.95)
        hits["constant effect"] += contains(mixed_row(models.constant), 0.3)
        hits["average over exposure"] += contains(mixed_row(models.growing), 0.3)
        hits["constant effect, CR2"] += contains(robust_row(models.robust_constant), 0.3)
        ignored += contains(multilevel("y ~ C(period) + treated", made.rows, groups="school").effect("treated"), 0.3)
        shared, own = null_variances(made)
        found = permuted_schedule(made.schedule, made.means - 0.3 * made.schedule, shared=shared, own=own, n_draws=199,
                                  seed=1, conf_level=0.95, where="test")  # fmt: skip
        wrong += found.p_value <= 0.05
    study.fail({"school by period ignored": ignored}, below=0.93)
    study.cover(hits)
    study.size({"permutation of the schedule, 24 schools": wrong})


def test_an_effect_that_grows(claims):
    # Effects 0, 0.2, 0.4, 0.6 in the first to fourth period under the programme: the average is 0.3.
    study = claims("stepped wedge", "effect grows from 0 to 0.6 over four periods, average 0.3", n="24 schools",
                   seed=[63, DAY], family=FAMILY, replicates=400, why=FIT)  # fmt: skip
    constant, average = 0, 0
    for _ in range(study.replicates):
        models = fitted_models(
            wedge(study.rng, 24, steps=4, pupils=12, effect=[0, 0, 0.2, 0.4, 0.6], period_sd=0.1), 0.95
        )
        constant += contains(mixed_row(models.constant), 0.3)
        average += contains(mixed_row(models.growing), 0.3)
    study.fail({"constant effect where it grows": constant}, below=0.8)
    study.cover({"average over exposure where it grows": average})


def test_six_schools_by_permutation(claims):
    study = claims("stepped wedge", "6 schools, 3 steps, no effect, all 90 orders", n="6 schools", seed=[64, DAY],
                   family=FAMILY)  # fmt: skip
    schedule = (np.arange(4)[None, :] > (np.arange(6) // 2)[:, None]).astype(float)
    wrong = 0
    for _ in range(study.replicates):
        means = 0.4 * study.rng.normal(size=(6, 1)) + 0.3 * study.rng.normal(size=(6, 4))
        found = permuted_schedule(
            schedule, means, shared=0.16, own=0.09, n_draws=199, seed=1, conf_level=0.95, where="test"
        )
        wrong += found.p_value <= 0.05
    study.size({"permutation of the schedule, 6 schools": wrong})

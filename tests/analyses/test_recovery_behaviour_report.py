"""Does the report's change in the share of cases named hold what was planted, when interviews are drawn by score?

Cases only are drawn: pupils who are none play no part in this estimate. One in ten cases scores below the cut-off, where
one in a hundred is interviewed and stands for a hundred.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses.parts import training_behaviour
from mhlib.analyses.parts import training_behaviour_change as change
from mhlib.data.synthetic import planted
from mhlib.findings import Refused

pytestmark = pytest.mark.slow
# Claims of this file that must be nominal.
FAMILY = 5
AREA = "naming of cases by teachers"
PARAMS = SimpleNamespace(conf_level=0.95)
GAIN = planted.NOMINATION["case_after"] - planted.NOMINATION["case_before"]
BANDS = [0.90, 0.085, 0.015]
CHANCES = np.array([0.85, 0.009, 0.0055])
WAVES, START = 6, 5
MANY = {"replicates": 400, "fewest": 100, "why": "each replicate fits regressions on tens of thousands of interviews"}


def cases(rng, *, schools, pupils, gain=GAIN, spread=0.03, by_naming=1.0):
    """Interviewed cases of a city; `by_naming` below 1 thins the interviews of pupils who were not named, unknown to all."""
    size = np.clip(rng.lognormal(np.log(0.86 * pupils), 0.55, schools), 0.2 * pupils, 3 * pupils)
    trained = np.zeros(schools)
    trained[rng.permutation(schools)[: (schools + 1) // 2]] = 1
    n = rng.poisson(0.089 * np.repeat(size, WAVES))
    cell = np.repeat(np.arange(schools * WAVES), n)
    school, wave = cell // WAVES, cell % WAVES + 1
    band = rng.choice(3, len(cell), p=BANDS)
    before = np.clip(planted.NOMINATION["case_before"] + rng.normal(0, spread, schools), 0.02, 0.9)
    post = (wave >= START).astype(float)
    named = rng.random(len(cell)) < before[school] + gain * trained[school] * post
    chance = CHANCES[band] * np.where(named, 1.0, by_naming)
    kept = rng.random(len(cell)) < chance
    found = {"school_pid": school, "wave": wave, "treated": trained[school], "post": post, "named": named * 1.0,
             "weight": 1 / CHANCES[band], "positive": (band == 0) * 1.0}  # fmt: skip
    return pd.DataFrame({name: column[kept] for name, column in found.items()}).assign(
        case=1.0, effect=lambda rows: rows["treated"] * rows["post"]
    )


def of_all(rows):
    return training_behaviour.gained(rows, PARAMS)


def of_positive(rows):
    rows = rows[rows["positive"] == 1]
    return change.effect_of(change.fitted(rows, PARAMS, "named"), n_used=len(rows))


def holds(effect, truth):
    return bool(effect.conf_low <= truth <= effect.conf_high)


def test_cases_named_in_a_city_like_the_demo(claims):
    study = claims(
        AREA,
        "waiting schools, interviews by score",
        n="129 schools, 1,000 pupils each",
        seed=(31,),
        family=FAMILY,
        **MANY,
    )
    counts, errors = {"all cases": 0, "screen-positive cases": 0}, []
    for _ in range(study.replicates):
        rows = cases(study.rng, schools=129, pupils=1000)
        found = of_all(rows)
        counts["all cases"] += holds(found, GAIN)
        counts["screen-positive cases"] += holds(of_positive(rows), GAIN)
        errors.append(found.estimate - GAIN)
    study.cover({f"interval of the change, {name}": count for name, count in counts.items()})
    study.near({"bias of the change among all cases": errors}, -0.006, 0.006)


def test_no_change_in_naming_is_no_change(claims):
    study = claims(
        AREA, "no effect of the training", n="60 schools, 1,000 pupils each", seed=(32,), family=FAMILY, **MANY
    )
    wrong = 0
    for _ in range(study.replicates):
        wrong += not holds(of_all(cases(study.rng, schools=60, pupils=1000, gain=0.0)), 0.0)
    study.size({"naming said to have changed, all cases": wrong})


def test_cases_named_in_few_schools(claims):
    study = claims(AREA, "few schools", n="20 schools, 1,000 pupils each", seed=(33,), family=FAMILY, **MANY)
    counts, given, drawn = {"all cases, where given": 0, "screen-positive cases": 0}, 0, 0
    while given < study.replicates:
        rows = cases(study.rng, schools=20, pupils=1000)
        found, drawn = of_all(rows), drawn + 1
        if drawn <= study.replicates:
            counts["screen-positive cases"] += holds(of_positive(rows), GAIN)
        if not isinstance(found, Refused):
            given += 1
            counts["all cases, where given"] += holds(found, GAIN)
    study.cover({f"interval of the change in few schools, {name}": count for name, count in counts.items()})
    study.find({"change among all cases refused in few schools": drawn - given}, least=0.3, most=0.7, of=drawn)


def test_interviews_that_hang_on_naming_break_it(claims):
    study = claims(
        AREA,
        "unnamed pupils interviewed half as often",
        n="129 schools, 1,000 pupils each",
        seed=(34,),
        family=FAMILY,
        **MANY,
    )
    inside = {}
    for thinned in (0.5, 1.0):
        inside[thinned] = 0
        for _ in range(study.replicates):
            rows = cases(study.rng, schools=129, pupils=1000, by_naming=thinned)
            one = np.average(rows["named"][rows["post"] == 0], weights=rows["weight"][rows["post"] == 0])
            inside[thinned] += abs(one - planted.NOMINATION["case_before"]) < 0.05
    study.fail({"share of cases named within five points of the truth": inside[0.5]}, below=0.5)
    study.find({"the same where interviews do not hang on naming": inside[1.0]}, least=0.9)

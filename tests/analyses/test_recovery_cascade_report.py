"""Whole sections of made cascades: does the report's share arriving in the class hold what was planted, and when not?

Truth is what the generator plants (gains of 1.60, 1.40, 1.22, .97 SD, the city's own). `passed_on` is what the section uses;
the section's other parts cost ten times as much and draw nothing of it.
"""

from itertools import pairwise

import numpy as np
import pytest

from mhlib.analyses.parts.training_cascade_gains import tier_rows
from mhlib.analyses.parts.training_cascade_share import passed_on
from mhlib.analyses.parts.training_cascade_trainers import trainers
from mhlib.findings import Refused

from .cascades import GAINS, TIERS, frame_of, params_of, scored, training_from

pytestmark = pytest.mark.slow
# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 4
AREA = "cascade report"
ARRIVING = GAINS["class"] / GAINS["city"]
SLOW = "a replicate takes 25 ms"


def study_of(claims, design, n, seed, replicates=1000, why=SLOW):
    return claims(AREA, design, n=n, seed=[seed, 20261126], family=FAMILY, replicates=replicates, why=why)


def shares(study, frame, params, **planted):
    """What the report would say, replicate by replicate."""
    for _ in range(study.replicates):
        data = training_from(scored(frame, study.rng, **planted), params)
        yield passed_on(data, params, tier_rows(data, params))


def holds(found) -> bool:
    return not isinstance(found, Refused) and found.conf_low <= ARRIVING <= found.conf_high


def steps_held(passed) -> np.ndarray:
    """Whether each step's interval holds the planted one."""
    planted = [GAINS[below] / GAINS[above] for above, below in pairwise(TIERS)]
    table = passed.found.steps
    return ((table["conf_low"] <= planted) & (planted <= table["conf_high"])).to_numpy()


def test_the_share_arriving_is_covered_where_schools_gain_unlike(claims):
    study = study_of(claims, "30 of 60 schools by lot, 3 trainers at the top; schools gain unlike, trainers alike",
                     "1,500 teachers", 71)  # fmt: skip
    params, frame = params_of(), frame_of(trainers=(3, 12, 20, 40))
    found = list(shares(study, frame, params))
    assert {one.by for one in found} == {"unit"}
    steps = np.mean([steps_held(one) for one in found], axis=0) * study.replicates
    study.cover({"share arriving in the class": sum(holds(one.share) for one in found)})
    study.cover({"first step, city to town": round(steps[0]), "last step, school to class": round(steps[2])})
    study.find({"share arriving refused": sum(isinstance(one.share, Refused) for one in found)}, most=0.05)


def test_the_share_arriving_is_covered_where_trainers_teach_unlike(claims):
    why = f"{SLOW}. Degrees of freedom are those of the poorest end, so the interval is cautious"
    study = study_of(claims, "30 of 60 schools by lot, 8, 12, 20, 40 trainers; schools gain unlike, trainers teach unlike (SD .25)",
                     "1,500 teachers", 72, why=why)  # fmt: skip
    params, frame = params_of(), frame_of(trainers=(8, 12, 20, 40))
    found = list(shares(study, frame, params, by_trainer=0.25))
    assert {one.by for one in found} == {"both"}
    study.cover(
        {"share arriving, errors by school and by trainer": sum(holds(one.share) for one in found)}, cautious=True
    )


def test_three_trainers_at_the_top_tell_of_no_others_and_the_report_says_so(claims):
    study = study_of(claims, "as above, but 3 trainers at the top who teach unlike (SD .3)", "1,500 teachers", 73, 400)
    params, frame = params_of(), frame_of(trainers=(3, 12, 20, 40))
    held, warned = 0, 0
    for _ in range(study.replicates):
        data = training_from(scored(frame, study.rng, by_trainer=0.3), params)
        passed = passed_on(data, params, tier_rows(data, params))
        held, warned = held + holds(passed.share), warned + (not passed.share.beyond_trainers)
    study.fail({"share arriving over trainers like these, errors by school": held}, below=0.90)
    study.find({"report says that it tells of these trainers only": warned}, least=0.95)


def test_without_the_untrained_the_share_lies_too_near_to_one(claims):
    study = study_of(claims, "nobody untrained, a second test alone gives .3 SD", "900 teachers", 74, 400)
    params = params_of(design="before_after", arms=["trained"])
    frame = frame_of(trainers=(3, 12, 20, 40))
    found = list(shares(study, frame[frame["arm"] == "trained"].reset_index(drop=True), params, retest=0.3))
    study.fail({"share arriving, second test counted as gain": sum(holds(one.share) for one in found)}, below=0.90)
    assert all(not one.rows.net for one in found)
    beside = sum(holds(one.share) for one in shares(study, frame, params_of(), retest=0.3))
    study.find({"the same with the untrained beside them": beside}, least=0.90)


def test_no_share_arrives_of_a_gain_that_is_none(claims):
    study = study_of(claims, "nothing gained at any tier", "1,500 teachers", 75, 400)
    params, frame = params_of(), frame_of(trainers=(3, 12, 20, 40))
    nothing = dict.fromkeys(TIERS, 0.0)
    found = [one.share for one in shares(study, frame, params, gains=nothing)]
    refused = [isinstance(one, Refused) and one.code == "no_gain_at_the_top" for one in found]
    study.find({"share arriving refused": sum(refused)}, least=0.88)


@pytest.mark.parametrize("spread", [0.0, 0.2])
def test_groups_outside_the_funnel_are_few_whether_or_not_trainers_differ(claims, spread):
    why = "a replicate has 80 groups; the limits take the spread as known, so the share is near and not nominal"
    study = study_of(claims, f"3, 12, 20, 40 trainers, spread of trainers {spread} SD", "1,500 teachers", 76, 60, why)
    params, frame = params_of(), frame_of(trainers=(3, 12, 20, 40))
    shares_out = []
    for _ in range(study.replicates):
        data = training_from(scored(frame, study.rng, by_school=0.0, by_trainer=spread), params)
        shares_out.append(outside(trainers(data, params, tier_rows(data, params)).funnel.table))
    study.near({f"groups outside the limits of 95%, spread {spread}": shares_out}, 0.035, 0.06)


def outside(table) -> float:
    """Share of points beyond the limits of 95 %."""
    points = table[table["group"] == "casc_trainer_group"]
    limit = table[(table["group"] == "casc_limit_95") & (table["y"] > 0)].sort_values("x")
    return float((points["y"].abs() > np.interp(points["x"], limit["x"], limit["y"])).mean())

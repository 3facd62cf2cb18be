"""Coverage and size of staggered difference-in-differences with few schools, where two-way effects and bent trends fail."""

import numpy as np
import pandas as pd
import pytest

from mhlib.stats.effects.did_cohorts import cohort_moments, contrasts_of
from mhlib.stats.effects.did_comparison import two_way_fit
from mhlib.stats.effects.did_inference import inferred, joint_zero
from mhlib.stats.effects.did_panel import Panel
from mhlib.stats.effects.event_honest import relative_magnitudes, smoothness
from mhlib.stats.intervals import wald

pytestmark = pytest.mark.slow
# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 13
TERMS, LABELS = 7, [str(t) for t in range(8)]
# Schools by place of the first term under the programme; 7 is never.
DESIGNS = {
    12: {3: 4, 5: 4, 7: 4},
    40: {3: 5, 4: 9, 5: 11, 7: 15},
    129: {3: 19, 4: 30, 5: 40, 7: 40},
}


def starts(schools):
    return np.repeat(list(DESIGNS[schools]), list(DESIGNS[schools].values()))


def panel(y, first):
    g, n_terms = y.shape
    return Panel(
        y, first, np.ones(g), np.empty((g, 0)), pd.RangeIndex(g), pd.RangeIndex(n_terms), g * n_terms, 0, 0, 0, 0
    )


def drawn(rng, first, effect, trend=0.0):
    """School means of seven terms: levels, wandering and own error; the effect by time under the programme, a trend apart."""
    since = np.arange(TERMS) - first[:, None]
    noise = rng.normal(size=(len(first), TERMS)) * 0.15 + np.cumsum(rng.normal(size=(len(first), TERMS)) * 0.1, axis=1)
    level = 0.3 * rng.normal(size=(len(first), 1)) + 0.2 * rng.normal(size=TERMS)
    apart = trend * np.arange(TERMS) * (first < TERMS)[:, None]
    return level + noise + apart + np.where((since >= 0) & (first < TERMS)[:, None], effect * (since + 1), 0.0)


def effects(y, first, errors="cohort", control="never"):
    moments = cohort_moments(panel(y, first))
    found = contrasts_of(moments, control, LABELS)
    return found, inferred(moments, found, errors)


def holds(found, at, truth):
    low, high = wald(found.estimates[at], found.std_errors[at], 0.95, found.df[at])
    return low <= truth <= high


def truths(first, effect):
    """Overall and dynamic means of an effect that grows by `effect` a term."""
    cells = [(g, t) for g in first[first < TERMS] for t in range(g, TERMS)]
    longest = TERMS - first.min()
    return effect * np.mean([t - g + 1 for g, t in cells]), effect * (longest + 1) / 2


@pytest.mark.parametrize("schools", [12, 40, 129])
def test_growing_effects_are_covered_and_two_way_is_wrong(claims, schools):
    study = claims("difference-in-differences", f"staggered roll-out in {schools} schools, effect growing by .15 a term",
                   n=f"{schools} schools", seed=[91, schools, 20261126], family=FAMILY)  # fmt: skip
    first = starts(schools)
    overall, dynamic = truths(first, 0.15)
    names = (
        "overall effect",
        "dynamic mean",
        "overall effect, not yet treated",
        "influence functions",
        "two-way effects",
    )
    hits = dict.fromkeys(names, 0)
    for _ in range(study.replicates):
        y = drawn(study.rng, first, 0.15)
        found, by_cohort = effects(y, first)
        at = found.terms.index("overall"), found.terms.index("overall_dynamic")
        hits["overall effect"] += holds(by_cohort, at[0], overall)
        hits["dynamic mean"] += holds(by_cohort, at[1], dynamic)
        other, not_yet = effects(y, first, control="not_yet")
        hits["overall effect, not yet treated"] += holds(not_yet, other.terms.index("overall"), overall)
        if schools == 12:
            hits["influence functions"] += holds(effects(y, first, errors="influence")[1], at[1], dynamic)
        else:
            two_way = two_way_fit(panel(y, first), 0.95)
            hits["two-way effects"] += two_way.conf_low[0] <= overall <= two_way.conf_high[0]
    large, naive = hits.pop("influence functions"), hits.pop("two-way effects")
    if schools == 12:
        study.fail({"influence functions and the normal, 12 schools": large}, below=0.94)
    else:
        study.fail({f"two-way effects under growing effects, {schools} schools": naive}, below=0.9)
    study.cover({f"{name}, {schools} schools": count for name, count in hits.items()})


@pytest.mark.parametrize("schools", [40, 129])
def test_size_of_the_test_of_the_terms_before(claims, schools):
    study = claims("test of the terms before", f"staggered roll-out in {schools} schools, parallel trends",
                   n=f"{schools} schools", seed=[92, schools, 20261126], family=FAMILY)  # fmt: skip
    first = starts(schools)
    hits = {"Hotelling, df by cohort": 0, "chi-square": 0}
    for _ in range(study.replicates):
        y = drawn(study.rng, first, 0.1)
        found, by_cohort = effects(y, first)
        leads = np.array([i for i, term in enumerate(found.terms) if term.startswith("e=-")])
        hits["Hotelling, df by cohort"] += joint_zero(by_cohort.of(leads)).p_value < 0.05
        hits["chi-square"] += joint_zero(effects(y, first, errors="influence")[1].of(leads)).p_value < 0.05
    large = hits.pop("chi-square")
    if schools == 40:
        study.fail({"chi-square, 40 schools": large}, above=0.06)
    study.size({f"{name}, {schools} schools": count for name, count in hits.items()})


def test_a_trend_apart_breaks_the_effect_and_honest_bounds_hold(claims):
    study = claims("honest bounds", "129 schools, the treated drift apart by .05 a term, no effect", n="129 schools",
                   seed=[93, 20261126], family=FAMILY)  # fmt: skip
    first = starts(129)
    names = ("parallel trends assumed", "smoothness, M = 0", "relative magnitudes, Mbar = 1", "trend is found")
    hits = dict.fromkeys(names, 0)
    for _ in range(study.replicates):
        found, by_cohort = effects(drawn(study.rng, first, 0.0, trend=0.05), first)
        rows = np.array([i for i, kind in enumerate(found.aggregation) if kind == "dynamic"])
        leads = sum(found.terms[i].startswith("e=-") for i in rows)
        path, target = by_cohort.of(rows), np.full(len(rows) - leads, 1 / (len(rows) - leads))
        plain = relative_magnitudes(path, leads, target, 0.0, 0.95)
        bend = smoothness(path, leads, target, 0.0, 0.95)
        size = relative_magnitudes(path, leads, target, 1.0, 0.95)
        hits["parallel trends assumed"] += plain.conf_low <= 0 <= plain.conf_high
        hits["smoothness, M = 0"] += bend.conf_low <= 0 <= bend.conf_high
        hits["relative magnitudes, Mbar = 1"] += size.conf_low <= 0 <= size.conf_high
        hits["trend is found"] += joint_zero(path.of(np.arange(leads))).p_value < 0.05
    study.fail({"parallel trends assumed": hits["parallel trends assumed"]}, below=0.9)
    study.find({"the test of the terms before finds the trend": hits["trend is found"]}, most=0.95)
    study.cover({"smoothness, M = 0, straight trend": hits["smoothness, M = 0"]})
    study.cover({"relative magnitudes, Mbar = 1": hits["relative magnitudes, Mbar = 1"]}, cautious=True)

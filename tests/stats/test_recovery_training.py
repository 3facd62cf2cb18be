"""Do intervals of teacher training hold what was planted: a gain of 1.08 SD that fades to .73, a cascade, certificates, stocks?

The protocol of test_recovery.py: the Monte Carlo interval (Wilson, family-wise over the claims) must meet nominal plus or
minus one point. Truth is what the generator plants, never what the method assumes.
"""

import math

import numpy as np
import pytest
from scipy import stats

from mhlib.findings import Refused
from mhlib.stats.accuracy.vignette_confidence import confidence_calibration
from mhlib.stats.accuracy.vignette_rates import deviates_of, sensitivity_and_criterion
from mhlib.stats.accuracy.vignette_signal import vignette_detection
from mhlib.stats.effects.cascade_share import cascade_from_rows, cascade_product
from mhlib.stats.effects.retention_decay import decay_refresher_interval
from mhlib.stats.effects.retention_fieller import fieller
from mhlib.stats.effects.retention_ratio_interval import retention_ratio_from_model
from mhlib.stats.effects.robust_fit import cluster_robust_from_sums
from mhlib.stats.effects.robust_sums import sums_of_rows
from mhlib.stats.intervals import critical
from mhlib.stats.monitoring.hazard_curves import greenwood, on_log_log, unit_variances
from mhlib.stats.monitoring.hazard_incidence import cumulative_incidence
from mhlib.stats.monitoring.hazard_table import event_table, spells_of
from mhlib.stats.monitoring.hazard_tests import gray_test, rank_test
from mhlib.stats.monitoring.stock_projection import staffing_projection

# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 22
POST, FOLLOW = 1.08, 0.73
WAVES = np.array([[1.0, 0, 0], [1, 1, 0], [1, 0, 1]])


def trained_teachers(rng, school, alone=0.0):
    """Scores of three waves in SDs: schools differ in level and in gain, a teacher's waves are correlated."""
    g = school.max() + 1
    gains = 0.3 * rng.standard_normal((g, 1)) + 0.2 * rng.standard_normal((g, 2))
    level = 0.4 * rng.standard_normal(g)[school] + 0.7 * rng.standard_normal(len(school))
    scores = level[:, None] + 0.6 * rng.standard_normal((len(school), 3))
    scores[:, 1:] += np.array([POST, FOLLOW]) + gains[school]
    return scores


def kept_share(scores, cluster):
    """Retention by the cluster-robust regression of scores on waves."""
    n = len(scores)
    design, code = np.tile(WAVES, (n, 1)), np.repeat(cluster, 3)
    sums = sums_of_rows(
        design, scores.ravel(), code, names=("one", "post", "follow"), weights=None, clusters=None, strata=None, n_absorbed=0
    )  # fmt: skip
    return retention_ratio_from_model(cluster_robust_from_sums(sums), post="post", follow="follow")


@pytest.mark.slow
@pytest.mark.parametrize("schools", [12, 129])
def test_the_share_kept_is_covered(claims, schools):
    study = claims("retention ratio", "1.08 SD fading to .73, schools of 4 to 12 teachers that differ", n=f"{schools} schools",
                   seed=[61, 20261126, schools], family=FAMILY)  # fmt: skip
    school = np.repeat(np.arange(schools), 4 + np.arange(schools) * 5 % 9)
    hits = nothing_lost = alone = 0
    for _ in range(study.replicates):
        scores = trained_teachers(study.rng, school)
        found = kept_share(scores, school)
        hits += found.conf_low <= FOLLOW / POST <= found.conf_high
        nothing_lost += found.p_value < 0.05
        if schools == 12:
            teachers = kept_share(scores, np.arange(len(school)))
            alone += teachers.conf_low <= FOLLOW / POST <= teachers.conf_high
    if schools == 12:
        study.fail({"12 schools: teachers taken as independent": alone}, below=0.93)
    study.cover({f"{schools} schools: share of the gain kept, Fieller by CR2": hits})
    study.find({f"{schools} schools: that something was lost": nothing_lost}, least=0.5 if schools == 12 else 0.97)


@pytest.mark.slow
def test_nothing_lost_is_claimed_at_the_nominal_rate(claims):
    study = claims("retention ratio", "1.08 SD kept whole, schools of 4 to 12 teachers", n="12 schools", seed=[62, 20261126],
                   family=FAMILY)  # fmt: skip
    school = np.repeat(np.arange(12), 4 + np.arange(12) * 5 % 9)
    wrong = 0
    for _ in range(study.replicates):
        scores = trained_teachers(study.rng, school)
        scores[:, 2] += POST - FOLLOW
        wrong += kept_share(scores, school).p_value < 0.05
    study.size({"that something was lost, where nothing was": wrong})


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "strength"), [(FOLLOW / POST, 1.0), (1.5, 1.0)], ids=["fading", "growing"])
def test_the_delta_interval_fails_near_no_gain(claims, ratio, strength):
    study = claims("retention ratio near no gain", f"post gain of one standard error, true ratio {ratio:.2f}", n="two gains",
                   seed=[63, 20261126, round(100 * ratio)], family=FAMILY, replicates=4000, fewest=4000,
                   why="judged among the replicates in which a gain was shown")  # fmt: skip
    whole = shown = delta = kept = 0
    for _ in range(study.replicates):
        post, follow = strength + study.rng.standard_normal(), ratio * strength + study.rng.standard_normal()
        found = fieller(follow, post, np.eye(2))
        # The whole Fieller set, bounded or not, holds the ratios that the contrast does not reject.
        whole += abs(follow - ratio * post) <= stats.norm.ppf(0.975) * math.sqrt(1 + ratio**2)
        shown += found.bounded
        if found.bounded:
            delta += abs(found.value - ratio) <= stats.norm.ppf(0.975) * found.std_error
            kept += found.conf_low <= ratio <= found.conf_high
    study.find({f"ratio {ratio:.2f}: delta interval, where the gain is told from none": delta}, most=0.90, of=shown)
    study.find(
        {f"ratio {ratio:.2f}: Fieller, where the gain is told from none by luck": kept}, least=0.78, most=0.94, of=shown
    )
    study.find({f"ratio {ratio:.2f}: refused": study.replicates - shown}, least=0.75)
    study.cover({f"ratio {ratio:.2f}: whole Fieller set": whole})


CASCADE = {"city": (1.08, 12), "town": (0.90, 20), "school": (0.75, 40), "class": (0.60, 129)}


@pytest.mark.slow
def test_the_share_that_arrives_is_covered(claims):
    study = claims("cascade", "gains 1.08, .90, .75, .60 SD in 12, 20, 40, 129 courses of 5 to 11 people", n="1,600 people",
                   seed=[64, 20261126], family=FAMILY, replicates=1000,
                   why="each replicate draws courses again 300 times; 1,000 give a point and a half either way")  # fmt: skip
    size = {name: 5 + np.arange(courses) * 3 % 7 for name, (_, courses) in CASCADE.items()}
    tier = np.repeat(list(CASCADE), [sizes.sum() for sizes in size.values()])
    course = np.concatenate([np.repeat(np.arange(len(s)), s) + 1000 * i for i, s in enumerate(size.values())])
    mean = np.repeat([gain for gain, _ in CASCADE.values()], [sizes.sum() for sizes in size.values()])
    code = np.unique(course, return_inverse=True)[1]
    ends = np.cumsum([sizes.sum() for sizes in size.values()])[:-1]
    truth, hits = 0.60 / 1.08, dict.fromkeys(["Fieller", "log", "resamples of courses", "people as independent"], 0)
    for k in range(study.replicates):
        gain = mean + 0.3 * study.rng.standard_normal(code.max() + 1)[code] + 0.8 * study.rng.standard_normal(len(code))
        found = cascade_from_rows(gain, tier, cluster=course, seed=k, n_boot=300)
        means, errors = zip(
            *[(one.mean(), one.std(ddof=1) / math.sqrt(len(one))) for one in np.split(gain, ends)], strict=True
        )
        alone = cascade_product(means, errors)
        for name, low, high in (
            ("Fieller", found.conf_low, found.conf_high),
            ("log", found.log_low, found.log_high),
            ("resamples of courses", found.boot_low, found.boot_high),
            ("people as independent", alone.conf_low, alone.conf_high),
        ):
            hits[name] += low <= truth <= high
    study.fail({"share that arrives, people as independent": hits.pop("people as independent")}, below=0.93)
    study.find(
        {"share that arrives, resamples of courses (12 at the top)": hits.pop("resamples of courses")}, least=0.85
    )
    study.cover({f"share that arrives, {name}": hit for name, hit in hits.items()})


# Events 1, 2 and 3: renewed, lapsed, left; a month.
RATES = {1: 0.03, 2: 0.02, 3: 0.015}


def certificates(rng, school, frailty):
    """Months to the first of three events in schools that share a frailty, seen for 12 to 36 months; and the truth."""
    n, total = len(school), sum(RATES.values())
    shared = rng.gamma(1 / frailty, frailty, school.max() + 1)[school] if frailty else np.ones(n)
    time = rng.exponential(1 / total, n) / shared
    cause = rng.choice(list(RATES), n, p=np.array(list(RATES.values())) / total)
    seen = rng.integers(12, 37, n)
    return np.minimum(np.ceil(time), seen), np.where(np.ceil(time) <= seen, cause, 0)


def true_incidence(cause, t, frailty):
    total = sum(RATES.values())
    left = math.exp(-total * t) if not frailty else (1 + frailty * total * t) ** (-1 / frailty)
    return RATES[cause] / total * (1 - left)


def share_at(month, time, event, cause, school=None):
    """Interval of one cause's incidence at a month, by the parts of which cumulative_incidence is made."""
    spells = spells_of(time, event, cluster=school, where="test")
    whole, place = event_table(spells), spells.causes.index(cause)
    if school is None:
        variance, quantile = greenwood(whole)[1], critical(0.95)
    else:
        _, variance, units = unit_variances(spells, whole, clustered=True)
        quantile = critical(0.95, units - 1)
    at = np.searchsorted(whole.time, month, side="right") - 1
    low, high = on_log_log(whole.incidence[place, [at]], np.sqrt(variance[place, [at]]), quantile)
    return low[0], high[0]


@pytest.mark.slow
@pytest.mark.parametrize(("schools", "frailty"), [(0, 0.0), (12, 0.4), (40, 0.4)])
def test_shares_that_lapse_are_covered(claims, schools, frailty):
    design = f"{schools} schools that differ (gamma {frailty})" if schools else "teachers who stand alone"
    study = claims(
        "cumulative incidence",
        design,
        n="240 certificates, 3 events",
        seed=[65, 20261126, schools],
        family=FAMILY,
        fewest=2000,
    )
    school = np.arange(240) % (schools or 240)
    truth, cluster = true_incidence(2, 18, frailty), school if schools else None
    hits = naive = ignored = 0
    for k in range(study.replicates):
        time, event = certificates(study.rng, school, frailty)
        low, high = share_at(18, time, event, 2, cluster)
        if k == 0:
            public = cumulative_incidence(time, event, cluster=cluster).at([18]).set_index("cause").loc[2]
            assert (low, high) == pytest.approx((public["conf_low"], public["conf_high"]))
        hits += low <= truth <= high
        if schools == 12:
            low, high = share_at(18, time, event, 2)
            ignored += low <= truth <= high
        if not schools:
            low, high = share_at(18, time, event == 2, True)
            naive += low <= truth <= high
    if not schools:
        study.fail({"1 - Kaplan-Meier, leaving and renewal taken as censoring": naive}, below=0.80)
    if schools == 12:
        study.fail({"12 schools: ignored": ignored}, below=0.93)
    study.cover({f"{schools} schools: share lapsed by 18 months" if schools else "share lapsed by 18 months": hits})


@pytest.mark.slow
@pytest.mark.parametrize("schools", [0, 24])
def test_curves_that_are_alike_are_called_different_at_the_nominal_rate(claims, schools):
    name = f"{schools} schools in two arms that differ" if schools else "teachers who stand alone"
    study = claims(
        "tests of cumulative incidence",
        name,
        n="240 certificates, 3 events",
        seed=[66, 20261126, schools],
        family=FAMILY,
    )
    school, frailty = np.arange(240) % (schools or 240), 0.15 if schools else 0.0
    wrong, ignored = dict.fromkeys(["log-rank", "Gray-type"], 0), 0
    for _ in range(study.replicates):
        time, event = certificates(study.rng, school, frailty)
        spells = spells_of(time, event, group=school % 2, cluster=school if schools else None, where="test")
        wrong["log-rank"] += rank_test(spells, robust=bool(schools), clustered=bool(schools))["p_value"] < 0.05
        wrong["Gray-type"] += gray_test(spells, 1, clustered=bool(schools))["p_value"] < 0.05
        if schools:
            alone = spells_of(time, event, group=school % 2, where="test")
            ignored += rank_test(alone, robust=False, clustered=False)["p_value"] < 0.05
    if schools:
        study.fail({"log-rank that ignores schools": ignored}, above=0.07)
    study.size({f"{test}, {name}": count for test, count in wrong.items()})


@pytest.mark.slow
@pytest.mark.parametrize("teachers", [12, 60])
def test_detection_is_covered_where_teachers_lean_differently(claims, teachers):
    study = claims("vignettes", "d' 1.4, criterion .1 with SD .4 over teachers, 10 vignettes to refer and 10 not",
                   n=f"{teachers} teachers", seed=[67, 20261126, teachers], family=FAMILY)  # fmt: skip
    teacher, case = np.repeat(np.arange(teachers), 20), np.tile([0.0, 1.0], 10 * teachers)
    pooled = 1.4 / math.sqrt(1 + 0.4**2)
    d = c = own = alone = 0
    for _ in range(study.replicates):
        leaning = 0.1 + 0.4 * study.rng.standard_normal(teachers)[teacher]
        referred = (1.4 * (case - 0.5) + study.rng.standard_normal(len(case)) > leaning) * 1.0
        found = vignette_detection(referred, case, cluster=teacher)
        yes = [int(referred[case == key].sum()) for key in (1, 0)]
        answers = deviates_of(yes[0], 10 * teachers, yes[1], 10 * teachers, "loglinear")
        _, _, leans, error = sensitivity_and_criterion(answers)
        d += found.d_prime_low <= pooled <= found.d_prime_high
        c += found.criterion_low <= 0.1 / math.sqrt(1.16) <= found.criterion_high
        own += found.d_prime_low <= 1.4 <= found.d_prime_high
        alone += abs(leans - 0.1 / math.sqrt(1.16)) <= critical(0.95) * error
    study.fail({f"{teachers} teachers: criterion, answers as independent": alone}, below=0.90)
    if teachers == 60:
        study.fail({"60 teachers: pooled d' as a teacher's own": own}, below=0.85)
    study.cover({f"{teachers} teachers: pooled d'": d, f"{teachers} teachers: criterion": c})


@pytest.mark.slow
def test_confidence_that_is_noisily_measured_flattens_the_slope(claims):
    study = claims("confidence", "teachers who know themselves, confidence measured with reliability 1 and .6", n="200 teachers",
                   seed=[68, 20261126], family=FAMILY, replicates=1000,
                   why="no headline: 1,000 give a point and a half either way")  # fmt: skip
    exact = noisy = bias = 0
    for _ in range(study.replicates):
        able = np.clip(0.5 + 0.12 * study.rng.standard_normal(200), 0.05, 0.95)
        score = np.clip(able + 0.05 * study.rng.standard_normal(200), 0, 1)
        sure = np.clip(able + 0.12 * math.sqrt(2 / 3) * study.rng.standard_normal(200), 0, 1)
        row = confidence_calibration(able, score).to_frame().set_index("term").loc["slope"]
        exact += row["conf_low"] <= 1 <= row["conf_high"]
        frame = confidence_calibration(sure, score).to_frame().set_index("term")
        noisy += frame.at["slope", "conf_low"] <= 1 <= frame.at["slope", "conf_high"]
        bias += frame.at["bias", "conf_low"] <= 0 <= frame.at["bias", "conf_high"]
    study.fail({"slope 1, confidence of reliability .6": noisy}, below=0.10)
    study.cover({"slope 1, confidence without noise": exact, "no bias, noisy confidence": bias})


@pytest.mark.slow
def test_the_time_to_the_floor_is_covered_by_the_right_shape_only(claims):
    study = claims("decay", "1.08 exp(-.04 t), measured at 0, 3, 6 and 12 months, floor .5", n="4 gains of SE .06, r .5",
                   seed=[69, 20261126], family=FAMILY)  # fmt: skip
    t, v = np.array([0.0, 3, 6, 12]), 0.06**2 * (0.5 + 0.5 * np.eye(4))
    truth, root = math.log(1.08 / 0.5) / 0.04, np.linalg.cholesky(v)
    far = math.log(1.08 / 0.2) / 0.04
    hits = linear = 0
    for _ in range(study.replicates):
        gain = 1.08 * np.exp(-0.04 * t) + root @ study.rng.standard_normal(4)
        found = decay_refresher_interval(t, gain, v, floor=0.5)
        hits += not isinstance(found, Refused) and found.conf_low <= truth <= found.conf_high
        straight = decay_refresher_interval(t, gain, v, floor=0.2, shape="linear")
        linear += straight.conf_low <= far <= straight.conf_high
    study.fail({"time to a low floor, a straight line drawn on": linear}, below=0.70)
    study.cover({"time to the floor, exponential": hits})


@pytest.mark.slow
def test_the_holders_of_the_last_term_lie_in_the_forecast(claims):
    study = claims("staffing forecast", "400 holders, leave .04, lapse .05, renew .3, 25 new a term; 3 past terms, 6 ahead",
                   n="one city", seed=[70, 20261126], family=FAMILY)  # fmt: skip
    hits = sure = drift = 0
    for k in range(study.replicates):
        rng = study.rng
        past = {"leave": (rng.binomial(1200, 0.04), 1200), "lapse": (rng.binomial(1150, 0.05), 1150),
                "renew": (rng.binomial(120, 0.3), 120), "new": rng.poisson(25, 3)}  # fmt: skip
        holders, changed = (future(rng, leave) for leave in (0.04, 0.08))
        given = {"required": 450, "lapsed": 60, "seed": k, "n_sim": 800, **past}
        last = staffing_projection(400, **given).table.iloc[-1]
        hits += last["conf_low"] <= holders <= last["conf_high"]
        drift += last["conf_low"] <= changed <= last["conf_high"]
        known = staffing_projection(400, parameter_uncertainty=False, **{**given, "n_sim": 400}).table.iloc[-1]
        sure += known["conf_low"] <= holders <= known["conf_high"]
    study.fail({"rates of the past taken as known": sure}, below=0.85)
    study.fail({"forecast, where twice as many leave from now on": drift}, below=0.80)
    study.cover({"holders in the last term": hits})


def future(rng, leave, holders=400, idle=60):
    """Holders after six terms."""
    for _ in range(6):
        holders, idle = holders - rng.binomial(holders, leave), idle - rng.binomial(idle, leave)
        lost, back = rng.binomial(holders, 0.05), rng.binomial(idle, 0.3)
        holders, idle = holders - lost + back + rng.poisson(25), idle + lost - back
    return holders

"""Vignettes, confidence, retention, decay, cascade, certificates over time and stocks: against R, by hand, at edges."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.accuracy.vignette_confidence import confidence_calibration
from mhlib.stats.accuracy.vignette_signal import vignette_detection, vignette_detection_from_counts
from mhlib.stats.effects import cluster_robust, multilevel
from mhlib.stats.effects.cascade_gains import composition_differences
from mhlib.stats.effects.cascade_share import cascade_from_rows, cascade_product
from mhlib.stats.effects.retention_anova import mixed_anova_complete, people_dropped
from mhlib.stats.effects.retention_decay import decay_refresher_interval
from mhlib.stats.effects.retention_fieller import fieller
from mhlib.stats.effects.retention_guessing import guessing_corrected
from mhlib.stats.effects.retention_ratio_interval import retention_ratio, retention_ratio_from_model
from mhlib.stats.monitoring.hazard_incidence import cumulative_incidence
from mhlib.stats.monitoring.hazard_regression import cause_specific_hazard
from mhlib.stats.monitoring.hazard_table import event_table, spells_of
from mhlib.stats.monitoring.stock_flows import arrivals_of, flow_of
from mhlib.stats.monitoring.stock_projection import staffing_projection

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
# R prints fifteen digits; what remains is the order of summation.
EXACT = 1e-9
TIERS = ("city", "town", "school", "class")


def table(name):
    return pd.read_csv(ORACLE / f"training_{name}.csv")


ANSWERS, MGUS, LUNG, CASCADE = (table(name) for name in ("answers", "mgus_rows", "lung_rows", "cascade_rows"))


def test_every_table_has_the_common_columns():
    frames = [
        vignette_detection_from_counts(20, 25, 7, 25).to_frame(),
        confidence_calibration([0.1, 0.5, 0.9, 0.4], [0.2, 0.4, 0.6, 0.5]).to_frame(),
        retention_ratio(1.08, 0.73, [[0.02, 0.01], [0.01, 0.02]]).to_frame(),
        guessing_corrected([[1, 0], [1, 1], [0, 0]], options=4).to_frame(),
        decay_refresher_interval([0, 3, 6], [1.0, 0.9, 0.8], [0.1, 0.1, 0.1], floor=0.5).to_frame(),
        cascade_product([1.0, 0.8], [0.1, 0.1], tiers=("a", "b")).to_frame(),
        cumulative_incidence([1, 2, 3], [1, 0, 1]).to_frame(),
        cause_specific_hazard(LUNG["time"], LUNG["event"], LUNG[["sex"]]).to_frame(),
        staffing_projection(50, required=60, leave=(5, 100), lapse=(5, 100), new=[5], seed=1).to_frame(),
        mixed_anova_complete(complete_btheb(), **BTHEB_COLUMNS).to_frame(),
    ]
    for frame in frames:
        assert list(frame.columns[:6]) == ["term", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
        assert frame["term"].is_unique


# ---- vignettes ---------------------------------------------------------------------------------------------------------


def test_detection_as_in_r_and_as_published():
    for row in table("signal").itertuples():
        found = vignette_detection_from_counts(
            row.hits, row.cases, row.false_alarms, row.noncases, correction="loglinear" if row.loglinear else "none"
        )
        got = (found.d_prime, found.d_prime_error, found.criterion, found.criterion_error)
        assert got == pytest.approx((row.d_prime, row.d_error, row.criterion, row.c_error), rel=EXACT)
    first = vignette_detection_from_counts(20, 25, 7, 25)
    assert (round(first.d_prime, 7), round(first.criterion, 7)) == (1.3589793, -0.1216049)
    assert round(vignette_detection_from_counts(20, 25, 7, 25, correction="none").d_prime, 7) == 1.4244627


def test_detection_by_teacher_as_in_r_survey():
    found, want = (
        vignette_detection(ANSWERS["referred"], ANSWERS["case"], cluster=ANSWERS["teacher"]),
        table("signal_clustered").iloc[0],
    )
    # survey's denominators are the rows, ours the rows + 1 of the corrected rate only in the deviate.
    assert (found.d_prime, found.criterion) == pytest.approx((want["d_prime"], want["criterion"]), rel=EXACT)
    assert (found.d_prime_error, found.criterion_error) == pytest.approx((want["d_error"], want["c_error"]), rel=1e-8)
    assert found.df == 59
    half = stats.t.ppf(0.975, 59) * want["d_error"]
    assert found.d_prime_high - found.d_prime == pytest.approx(half, rel=1e-8)


def test_rows_and_counts_give_the_same_digits():
    rows = vignette_detection(ANSWERS["referred"], ANSWERS["case"])
    by_case = ANSWERS.groupby("case")["referred"].agg(["sum", "size"])
    counts = vignette_detection_from_counts(*by_case.loc[1], *by_case.loc[0])
    assert (rows.d_prime, rows.d_prime_error) == (counts.d_prime, counts.d_prime_error)
    pd.testing.assert_frame_equal(rows.types, counts.types)


def test_over_and_under_referral_by_type():
    kind = ["internalising"] * 4 + ["normal distress"] * 4
    found = vignette_detection([1, 0, 0, np.nan, 1, 0, 0, 0], [1] * 4 + [0] * 4, vignette_type=kind)
    types = found.types.set_index("term")
    assert types.at["internalising", "error"] == "under-referral" and types.at["internalising", "n_wrong"] == 2
    assert types.at["normal distress", "error"] == "over-referral" and types.at["normal distress", "estimate"] == 0.25
    assert (found.n_used, found.n_excluded) == (7, 1)
    whole = found.confusion[found.confusion["type"] == "all"].set_index("should_refer")
    assert whole.loc[True, ["referred", "not_referred"]].tolist() == [1, 2]


def test_faults_of_vignettes():
    alike = vignette_detection([1, 0], [1, 1])
    assert isinstance(alike, Refused) and alike.code == "one_kind_of_vignette"
    with pytest.raises(DesignError, match="loglinear"):
        vignette_detection_from_counts(25, 25, 7, 25, correction="none")
    with pytest.raises(DataError, match="split these types"):
        vignette_detection([1, 0, 1], [1, 0, 0], vignette_type=["a", "a", "b"])
    with pytest.raises(DataError, match="right answer"):
        vignette_detection([1, 0], [1, np.nan])
    with pytest.raises(DataError, match="more answers"):
        vignette_detection_from_counts(30, 25, 7, 25)
    with pytest.raises(DesignError, match="one cluster"):
        vignette_detection([1, 0], [1, 0], cluster=["a", "a"])


def test_a_perfect_kind_keeps_binomial_errors_and_few_clusters_get_no_interval():
    perfect = vignette_detection([1, 1, 1, 0, 1, 0], [1, 1, 1, 0, 0, 0], cluster=list("abcabc"))
    assert "ignore clusters" in perfect.method and math.isfinite(perfect.d_prime_high)
    few = vignette_detection([1, 1, 0, 0, 1, 0], [1, 1, 1, 0, 0, 0], cluster=list("abcabc"))
    assert few.df == 2 and math.isnan(few.d_prime_low) and math.isfinite(few.d_prime_error)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 40), st.integers(0, 40))
def test_exchanging_the_answers_turns_criterion_and_keeps_detection(hits, false_alarms):
    found = vignette_detection_from_counts(hits, 40, false_alarms, 40)
    turned = vignette_detection_from_counts(40 - false_alarms, 40, 40 - hits, 40)
    assert turned.d_prime == pytest.approx(found.d_prime, abs=1e-9)
    assert turned.criterion == pytest.approx(-found.criterion, abs=1e-9)


def test_confidence_against_competence_as_in_r():
    rows, want = table("confidence_rows"), table("confidence").set_index("term")
    found = (
        confidence_calibration(rows["confidence"], rows["competence"], cluster=rows["school"])
        .to_frame()
        .set_index("term")
    )
    for term in ("slope", "intercept", "bias", "over-confident"):
        assert found.loc[term, ["estimate", "std_error", "df"]].tolist() == pytest.approx(
            want.loc[term, ["estimate", "std_error", "df"]].tolist(), rel=1e-7
        )
    assert found.loc["over-confident", ["conf_low", "conf_high"]].tolist() == pytest.approx(
        want.loc["over-confident", ["low", "high"]].tolist(), rel=1e-7
    )
    alone = confidence_calibration(rows["confidence"], rows["competence"])
    assert alone.to_frame().set_index("term").at["slope", "std_error"] == pytest.approx(
        want.at["slope_alone", "std_error"], rel=EXACT
    )


def test_quadrants_by_hand_and_faults_of_confidence():
    found = confidence_calibration([0.9, 0.8, 0.2, 0.1, np.nan], [0.5, 0.9, 0.8, 0.1, 0.4])
    assert found.quadrants["n"].tolist() == [1, 1, 1, 1]
    assert (found.over_confident, found.n_used, found.n_excluded) == (0.25, 4, 1)
    with pytest.raises(DataError, match="outside 0–1"):
        confidence_calibration([1, 2, 3], [0.1, 0.2, 0.3])
    with pytest.raises(DesignError, match="equally sure"):
        confidence_calibration([0.5, 0.5, 0.5], [0.1, 0.2, 0.3])
    with pytest.raises(ParamsError, match="competence_cut"):
        confidence_calibration([0.1, 0.2, 0.3], [0.1, 0.2, 0.3], competence_cut=70)


# ---- retention ---------------------------------------------------------------------------------------------------------


def test_fieller_as_found_by_search():
    for row in table("fieller").itertuples():
        found = fieller(row.a, row.b, np.array([[row.vaa, row.vab], [row.vab, row.vbb]]), df=row.df)
        assert (found.value, found.conf_low, found.conf_high) == pytest.approx((row.ratio, row.low, row.high), rel=1e-8)
        kept = retention_ratio(row.b, row.a, [[row.vbb, row.vab], [row.vab, row.vaa]], df=row.df)
        assert (kept.conf_low, kept.conf_high) == (found.conf_low, found.conf_high)


def test_retention_by_hand():
    # Errors of 0 for the post gain: the ratio is a plain mean divided by a number.
    found = retention_ratio(2.0, 1.0, [[1e-18, 0.0], [0.0, 0.04]])
    assert found.conf_low == pytest.approx((1 - stats.norm.ppf(0.975) * 0.2) / 2, abs=1e-7)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(1 / 0.2), rel=1e-6)
    assert found.retention == 0.5 and found.change == -1.0


def test_no_ratio_of_a_gain_that_may_be_none():
    refused = retention_ratio(0.3, 0.2, [[0.03, 0.0], [0.0, 0.03]], n_used=80)
    assert isinstance(refused, Refused) and refused.code == "no_gain_to_keep"
    assert "before and after" in refused.what_to_collect.template
    assert retention_ratio(1.0, 0.5, [[0.01, 0], [0, 0.01]], df=3).code == "few_degrees_of_freedom"
    with pytest.raises(DataError, match="no covariance"):
        retention_ratio(1.0, 0.5, [[0.01, 0.02], [0.02, 0.01]])
    with pytest.raises(DataError, match="shape"):
        retention_ratio(1.0, 0.5, [0.1, 0.1])
    with pytest.raises(ParamsError, match="finite"):
        retention_ratio(math.nan, 0.5, np.eye(2))


@settings(deadline=None, max_examples=60)
@given(st.floats(0.5, 2), st.floats(-1, 2), st.floats(0.01, 0.2), st.floats(0.01, 0.2), st.floats(-0.9, 0.9))
def test_limits_are_where_the_contrast_is_just_rejected(post, follow, s1, s2, r):
    v = np.array([[s1**2, r * s1 * s2], [r * s1 * s2, s2**2]])
    found = retention_ratio(post, follow, v)
    for end in (found.conf_low, found.conf_high):
        z = (follow - end * post) / math.sqrt(v[1, 1] - 2 * end * v[0, 1] + end**2 * v[0, 0])
        assert abs(z) == pytest.approx(stats.norm.ppf(0.975), rel=1e-5)
    other = retention_ratio(10 * post, 10 * follow, 100 * v)
    assert other.conf_low == pytest.approx(found.conf_low, rel=1e-6, abs=1e-9)


def test_retention_from_models_as_in_r():
    rows, want = table("retention_rows"), table("retention").set_index("model")
    given = {"post": "wave[T.m2]", "follow": "wave[T.m8]"}
    mixed = retention_ratio_from_model(multilevel("bdi ~ wave", rows, groups=["subject"]), **given)
    robust = retention_ratio_from_model(cluster_robust("bdi ~ wave", rows, cluster="subject"), **given)
    for found, name, close in ((mixed, "lmer", 2e-5), (robust, "CR2", 1e-8)):
        got = (found.retention, found.conf_low, found.conf_high, found.df)
        assert got == pytest.approx(want.loc[name, ["ratio", "low", "high", "df"]].tolist(), rel=close)
        assert found.n_used + found.n_excluded == len(rows)
    by_weights = retention_ratio_from_model(
        cluster_robust("bdi ~ wave", rows, cluster="subject"), post={"wave[T.m2]": 2}, follow={"wave[T.m8]": 2}
    )
    assert by_weights.retention == pytest.approx(robust.retention, rel=EXACT)
    with pytest.raises(ParamsError, match="no fitted model"):
        retention_ratio_from_model("fit", **given)
    with pytest.raises(ParamsError, match="no term"):
        retention_ratio_from_model(
            multilevel("bdi ~ wave", rows, groups=["subject"]), post="nothing", follow="wave[T.m8]"
        )


def test_guessing_by_hand():
    found = guessing_corrected([[1, 1, 1, 1], [1, 0, 0, 0], [1, np.nan, 0, np.nan], [np.nan] * 4], options=4)
    assert found.scores[:3].tolist() == pytest.approx([1.0, (1 - 1) / 4, (1 - 1 / 3) / 4])
    assert math.isnan(found.scores[3]) and (found.n_used, found.n_excluded, found.n_at_chance) == (3, 1, 1)
    assert found.chance == 0.25
    strict = guessing_corrected([[1, 1], [1, np.nan], [0, 1]], options=[2, 4], omitted="exclude")
    assert strict.n_excluded == 1 and strict.scores[2] == pytest.approx((-1 + 1) / 2)
    grouped = guessing_corrected([[1, 1], [1, 0], [0, 1], [0, 0]], options=3, cluster=["a", "a", "b", "b"])
    # Means of two schools 0.625 and -.125: half their difference.
    assert (grouped.mean, grouped.std_error) == pytest.approx((0.25, 0.375))


def test_faults_of_guessing():
    with pytest.raises(ParamsError, match="answers to each item"):
        guessing_corrected([[1, 0], [0, 1]], options=1)
    with pytest.raises(DesignError, match="fewer than two people"):
        guessing_corrected([[1, 0]], options=4)
    with pytest.raises(DataError, match="neither 0 nor 1"):
        guessing_corrected([[1, 2], [0, 1]], options=4)


@settings(deadline=None, max_examples=40)
@given(st.integers(2, 6), st.integers(0, 2**31))
def test_blind_guessing_scores_nothing(options, seed):
    right = (np.random.default_rng(seed).random((4000, 20)) < 1 / options) * 1.0
    found = guessing_corrected(right, options=options)
    assert abs(found.mean) < 5 * found.std_error
    assert found.mean == pytest.approx((found.uncorrected - 1 / options) / (1 - 1 / options), abs=1e-12)


# ---- decay -------------------------------------------------------------------------------------------------------------

TIMES, GAINS, ERRORS = [0, 3, 6, 12], [1.08, 0.95, 0.73, 0.58], np.array([0.09, 0.10, 0.11, 0.12])
SHARED = np.outer(ERRORS, ERRORS) * (0.4 + 0.6 * np.eye(4))


def test_decay_as_in_r():
    for row in table("decay").itertuples():
        found = decay_refresher_interval(TIMES, GAINS, SHARED, floor=0.5, shape=row.shape)
        start = row.b0 if row.shape == "linear" else math.exp(row.b0)
        assert (found.start, found.rate) == pytest.approx((start, -row.b1), rel=1e-6)
        assert found.rate_error == pytest.approx(row.se1, rel=1e-5)
        got = (found.time_to_floor, found.conf_low, found.conf_high)
        assert got == pytest.approx((row.time, row.low, row.high), rel=1e-5)
        assert found.p_fit == pytest.approx(stats.chi2.sf(row.misfit, 2), rel=1e-5) and found.fit.passed


def test_a_decay_that_is_not_seen_has_no_end():
    flat = decay_refresher_interval([0, 3, 6], [1.0, 0.98, 0.97], [0.1, 0.1, 0.1], floor=0.5, shape="linear")
    assert flat.conf_high == math.inf and 0 < flat.conf_low < 30 and flat.refresh_by == flat.conf_low
    rising = decay_refresher_interval([0, 3, 6], [1.0, 2.0, 3.0], [0.01, 0.01, 0.01], floor=0.5)
    assert rising.time_to_floor == math.inf and rising.conf_low == math.inf
    bent = decay_refresher_interval([0, 3, 6], [1.0, 0.2, 0.9], [0.01, 0.01, 0.01], floor=0.1, shape="linear")
    assert bent.fit.passed is False


def test_refusals_and_faults_of_decay():
    assert decay_refresher_interval([0, 6, 6], [1, 0.9, 0.8], [0.1] * 3, floor=0.5).code == "too_few_measurements"
    assert decay_refresher_interval([0, 3, 6], [0.6, 0.5, 0.4], [0.1] * 3, floor=0.5).code == "at_the_floor_already"
    assert (
        decay_refresher_interval([0, 3, 6], [1, 0.9, 0.8], [0.1] * 3, floor=0.5, df=2).code == "few_degrees_of_freedom"
    )
    with pytest.raises(DesignError, match="linear"):
        decay_refresher_interval([0, 3, 6], [1, 0.9, 0.8], [0.1] * 3, floor=0.0)
    with pytest.raises(DataError, match="before training"):
        decay_refresher_interval([-1, 3, 6], [1, 0.9, 0.8], [0.1] * 3, floor=0.5)


# ---- cascade -----------------------------------------------------------------------------------------------------------


def test_cascade_as_in_r():
    found, want = (
        cascade_from_rows(CASCADE["gain"], CASCADE["tier"], cluster=CASCADE["course"], seed=1),
        table("cascade"),
    )
    assert found.gains["estimate"].tolist() == pytest.approx(want["mean"].tolist(), rel=EXACT)
    assert found.gains["std_error"].tolist() == pytest.approx(want["std_error"].tolist(), rel=1e-8)
    assert (found.share, found.conf_low, found.conf_high) == pytest.approx(
        tuple(want.loc[0, ["share", "low", "high"]]), rel=1e-7
    )
    assert found.df == 8 and found.steps["estimate"].prod() == pytest.approx(found.share, rel=EXACT)
    assert found.conf_low < found.boot_low < found.share < found.boot_high < found.conf_high
    again = cascade_from_rows(CASCADE["gain"], CASCADE["tier"], cluster=CASCADE["course"], seed=1)
    assert (again.boot_low, again.boot_high) == (found.boot_low, found.boot_high)


def test_courses_that_train_two_tiers_tie_their_gains():
    apart = cascade_from_rows(CASCADE["gain"], CASCADE["tier"], cluster=CASCADE["course"], seed=1)
    together = cascade_from_rows(CASCADE["gain"], CASCADE["tier"], cluster=CASCADE["course"].str.split().str[1], seed=1)
    # Good courses are good in every tier here: ratios of their gains are surer than those of strangers.
    assert together.share == pytest.approx(apart.share, rel=EXACT) and together.std_error < apart.std_error


def test_the_delta_interval_of_the_product_by_hand():
    found = cascade_product([1.0, 0.8, 0.5], [0.1, 0.1, 0.1], tiers=("a", "b", "c"), n=(10, 20, 30))
    relative = math.sqrt(0.1**2 / 1.0**2 + 0.1**2 / 0.5**2)
    assert (found.log_low, found.log_high) == pytest.approx(
        (0.5 * math.exp(-1.959963985 * relative), 0.5 * math.exp(1.959963985 * relative)), rel=1e-8
    )
    assert found.steps["term"].tolist() == ["a -> b", "b -> c"] and found.n_used == 60


def test_refusals_and_faults_of_the_cascade():
    assert cascade_product([0.1, 0.8], [0.1, 0.1], tiers=("a", "b")).code == "no_gain_at_the_top"
    middle = cascade_product([1.0, 0.1, 0.5], [0.1, 0.1, 0.1], tiers=("a", "b", "c"))
    assert set(middle.refusals) == {"b -> c"} and math.isnan(middle.steps["estimate"].iloc[1]) and middle.share == 0.5
    with pytest.raises(ParamsError, match="do not fit"):
        cascade_product([1.0, 0.8], [0.1, 0.1])
    with pytest.raises(ParamsError, match="seed"):
        cascade_from_rows(CASCADE["gain"], CASCADE["tier"], cluster=CASCADE["course"])
    with pytest.raises(DataError, match="no tier named"):
        cascade_from_rows(CASCADE["gain"], CASCADE["tier"], tiers=("city", "class"), seed=1)
    with pytest.raises(DesignError, match="fewer than two"):
        cascade_from_rows([1.0, 1.1, 0.5], ["city", "city", "class"], tiers=("city", "class"), seed=1)


def test_composition_by_hand():
    frame = composition_differences(
        pd.DataFrame({"years": [10.0, 12, 20, 22, np.nan]}), list("aabbb"), tiers=("a", "b")
    )
    row = frame.set_index("tier").loc["b"]
    assert (row["difference"], row["standardised_difference"], row["n_missing"]) == (
        10,
        pytest.approx(10 / math.sqrt(2)),
        1,
    )
    found = cascade_product([1.0, 0.8], [0.1, 0.1], tiers=("a", "b"), composition=frame)
    assert found.checks[0].passed is False


# ---- mixed analysis of variance ----------------------------------------------------------------------------------------

BTHEB_COLUMNS = {"outcome": "bdi", "within": "month", "between": "treatment", "subject": "subject"}


def btheb():
    wide = pd.read_csv(ORACLE / "change_btheb_rows.csv").assign(subject=range(100))
    long = wide.melt(["subject", "treatment"], [f"bdi_{m}m" for m in (2, 3, 5, 8)], "month", "bdi")
    return long.sort_values(["subject", "month"]).reset_index(drop=True)


def complete_btheb():
    rows = btheb()
    return rows[rows.groupby("subject")["bdi"].transform("count") == 4].reset_index(drop=True)


def test_anova_of_complete_cases_as_in_r():
    found, want = mixed_anova_complete(complete_btheb(), **BTHEB_COLUMNS), table("anova").set_index("term")
    got = found.to_frame().set_index("term")
    for term in want.index:
        assert got.loc[term, ["estimate", "p_value", "num_df", "den_df"]].tolist() == pytest.approx(
            want.loc[term, ["F", "p", "df1", "df2"]].tolist(), rel=1e-8
        )
    assert round(got.at["treatment", "estimate"], 5) == 8.35875 and round(got.at["treatment", "p_value"], 6) == 0.005667
    assert found.n_used == 52


def test_anova_says_whom_it_would_drop():
    rows = btheb()
    assert people_dropped(rows, **BTHEB_COLUMNS) == (48, 100)
    # A wave that is missing as a row counts as one that is missing as a value; people without any wave are gone then.
    assert people_dropped(rows.dropna(), **BTHEB_COLUMNS) == (45, 97)
    refused = mixed_anova_complete(rows, **BTHEB_COLUMNS)
    assert refused.code == "anova_would_drop_people" and refused.why.values["lost"].n == 48
    with pytest.raises(DataError, match="repeat a wave"):
        mixed_anova_complete(pd.concat([rows, rows.head(1)]), **BTHEB_COLUMNS)
    with pytest.raises(DataError, match="no column"):
        mixed_anova_complete(rows.drop(columns="month"), **BTHEB_COLUMNS)
    with pytest.raises(DesignError, match="nothing to compare"):
        mixed_anova_complete(complete_btheb().query("treatment == 1"), **BTHEB_COLUMNS)


# ---- time to event -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "options", "scale"),
    [("plain", {}, 1), ("weighted", {"weights": MGUS["weight"]}, 1),
     ("clustered", {"weights": MGUS["weight"], "cluster": MGUS["cluster"]}, math.sqrt(25 / 24))],
)  # fmt: skip
def test_incidence_of_competing_events_as_in_r(case, options, scale):
    found = cumulative_incidence(MGUS["time"], MGUS["event"], **options)
    want = table("curves").query("case == @case")
    got = found.at([20, 60, 120, 200]).assign(cause=lambda f: f["cause"].astype(str)).set_index(["cause", "time"])
    want = want.set_index(["cause", "time"])
    got = got.loc[want.index]
    assert np.allclose(got["estimate"], want["estimate"], rtol=EXACT)
    assert np.allclose(got["std_error"], scale * want["std_error"], rtol=1e-8)
    if case != "clustered":
        assert np.allclose(got[["conf_low", "conf_high"]], want[["low", "high"]], rtol=1e-8)


def test_lung_as_in_r():
    found = cumulative_incidence(LUNG["time"], LUNG["event"], group=LUNG["sex"])
    want = table("medians")
    for got, column in (("median", "median"), ("conf_low", "low"), ("conf_high", "high")):
        assert found.medians[got].tolist() == want[column].tolist()
    assert found.medians["median"].tolist() == [270, 426]
    assert found.tests["statistic"].tolist() == pytest.approx([10.32674195], abs=1e-8)
    whole = cumulative_incidence(LUNG["time"], LUNG["event"]).at([180, 365]).query("cause == 'event-free'")
    assert whole["estimate"].round(6).tolist() == [0.721671, 0.409242]


def test_tests_of_groups_as_in_r():
    want = table("gray").set_index("test")["statistic"]
    by_sex = cumulative_incidence(MGUS["time"], MGUS["event"], group=MGUS["sex"])
    age = pd.cut(MGUS["age"], [0, 65, 75, 200]).astype(str)
    by_age = cumulative_incidence(MGUS["time"], MGUS["event"], group=age)
    assert by_sex.tests["statistic"].iloc[0] == pytest.approx(want["mgus_sex"], rel=EXACT)
    assert (
        by_age.tests["statistic"].iloc[0] == pytest.approx(want["mgus_age"], rel=EXACT)
        and by_age.tests["df"].iloc[0] == 2
    )
    # Gray's own covariance is another estimate of the same: a few per cent where events are few.
    assert by_sex.tests["statistic"].iloc[1:].tolist() == pytest.approx(want[["gray_1", "gray_2"]].tolist(), rel=0.02)
    # Unpooled, it departs from Gray's pooled one where groups truly differ (59 for 54, both beyond any doubt).
    assert by_age.tests["statistic"].iloc[2] == pytest.approx(want["gray_age_2"], rel=0.12)
    alike = cumulative_incidence(MGUS["time"], MGUS["event"], group=np.arange(1, 301) * 11 % 3)
    assert alike.tests["statistic"].iloc[1:].tolist() == pytest.approx(
        want[["gray_null_1", "gray_null_2"]].tolist(), rel=0.06
    )
    robust = cumulative_incidence(MGUS["time"], MGUS["event"], group=MGUS["sex"], cluster=MGUS["cluster"])
    assert robust.tests["statistic"].iloc[0] == pytest.approx(want["robust_sex"] * 24 / 25, rel=EXACT)


def test_late_entry_as_in_r():
    entry = np.minimum(np.arange(1, 301) * 13 % 17, MGUS["time"] / 2)
    found = cumulative_incidence(MGUS["time"], MGUS["event"] > 0, entry=entry)
    want, got = table("entry"), found.at(table("entry")["time"]).query("cause == 'event-free'")
    assert np.allclose(got[["estimate", "std_error"]], want[["estimate", "std_error"]], rtol=1e-8)


def test_cox_as_in_r():
    want = table("cox").set_index(["case", "term"])
    lung = cause_specific_hazard(LUNG["time"], LUNG["event"], LUNG[["sex", "age"]]).table.set_index("term")
    assert lung.loc["sex", ["estimate", "std_error"]].tolist() == pytest.approx([-0.5132185171, 0.1674579624], abs=1e-8)
    for term in ("sex", "age"):
        assert lung.loc[term, ["estimate", "std_error"]].tolist() == pytest.approx(
            want.loc[("lung", term)].tolist(), rel=1e-6
        )
    given = {"covariates": MGUS[["age"]], "ties": "breslow"}
    one = cause_specific_hazard(MGUS["time"], MGUS["event"], cause=1, **given).table.iloc[0]
    assert one[["estimate", "std_error"]].tolist() == pytest.approx(want.loc[("cause_1", "age")].tolist(), rel=1e-6)
    two = cause_specific_hazard(MGUS["time"], MGUS["event"], cause=2, cluster=MGUS["cluster"], **given).table.iloc[0]
    estimate, error = want.loc[("clustered", "age")]
    assert two[["estimate", "std_error"]].tolist() == pytest.approx([estimate, error * math.sqrt(25 / 24)], rel=1e-5)


def test_incidence_by_hand():
    # Five certificates: one renewed at 1, one left at 2, one lapsed at 3, two still valid (seen to 2 and 4).
    event = ["renewed", "left", "", "lapsed", ""]
    found = cumulative_incidence([1, 2, 2, 3, 4], event)
    at = found.at([0.5, 3.5, 5]).set_index(["cause", "time"])["estimate"]
    assert at["event-free", 0.5] == 1 and at["left", 0.5] == 0
    assert at["renewed", 3.5] == pytest.approx(1 / 5) and at["left", 3.5] == pytest.approx(4 / 5 / 4)
    assert at["lapsed", 3.5] == pytest.approx(3 / 5 / 2) and at["event-free", 3.5] == pytest.approx(3 / 5 / 2)
    assert math.isnan(at["lapsed", 5]), "beyond the longest spell nothing is known"
    assert found.medians["median"].tolist() == [3.0]


def test_a_group_to_whom_nothing_happened_keeps_its_line():
    found = cumulative_incidence([1, 2, 3, 4, 5, 6], ["left", "lapsed", "left", "", "", ""], group=list("aaabbb"))
    at = found.at([4, 7]).set_index(["group", "cause", "time"])["estimate"]
    assert at["b", "event-free", 4] == 1 and at["b", "left", 4] == 0 and math.isnan(at["b", "left", 7])
    assert math.isnan(at["a", "left", 4]) and found.medians["median"].tolist()[0] == 2
    assert len(found.tests) == 3 and np.isfinite(found.tests["statistic"]).all()


def test_rows_without_time_are_counted_and_order_does_not_matter():
    rows = MGUS.sample(frac=1, random_state=1)
    some = cumulative_incidence([*rows["time"], np.nan, 3], [*rows["event"], 1, None])
    whole = cumulative_incidence(MGUS["time"], MGUS["event"])
    assert (some.n_used, some.n_excluded) == (300, 2)
    pd.testing.assert_frame_equal(some.curves, whole.curves, check_exact=False, rtol=1e-12)


def test_faults_of_time_to_event():
    with pytest.raises(DataError, match="end before they begin"):
        cumulative_incidence([-1, 2], [1, 0])
    with pytest.raises(DesignError, match="nothing happened"):
        cumulative_incidence([1, 2], [0, 0])
    with pytest.raises(DesignError, match="one cluster"):
        cumulative_incidence([1, 2], [1, 0], cluster=["a", "a"])
    with pytest.raises(DataError, match="name no group"):
        cumulative_incidence([1, 2], [1, 0], group=["a", None])
    with pytest.raises(ParamsError, match="never happened"):
        cause_specific_hazard([1, 2, 3], [1, 0, 1], pd.DataFrame({"x": [1, 2, 3]}), cause="left")
    with pytest.raises(DesignError, match="fewer events"):
        cause_specific_hazard([1, 2, 3], [1, 0, 0], pd.DataFrame({"x": [1, 2, 3]}))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), min_size=4, max_size=60))
def test_shares_add_to_one_and_people_as_clusters_change_nothing_but_the_factor(rows):
    time, event = (np.array(column) for column in zip(*rows, strict=True))
    if not event.any():
        return
    curve = event_table(spells_of(time, event, where="test"))
    assert np.allclose(curve.survival + curve.incidence.sum(axis=0), 1)
    alone = cumulative_incidence(time, event).curves
    grouped = cumulative_incidence(time, event, cluster=np.arange(len(time))).curves
    factor = math.sqrt(len(time) / (len(time) - 1))
    assert np.allclose(grouped["std_error"], factor * alone["std_error"], rtol=1e-7, atol=1e-6, equal_nan=True)


def test_blocks_of_units_give_the_same_digits(monkeypatch):
    options = {"weights": MGUS["weight"], "group": MGUS["sex"]}
    whole = cumulative_incidence(MGUS["time"], MGUS["event"], **options)
    monkeypatch.setattr("mhlib.stats.monitoring.hazard_table.CELLS_AT_ONCE", 5_000)
    parts = cumulative_incidence(MGUS["time"], MGUS["event"], **options)
    pd.testing.assert_frame_equal(whole.curves, parts.curves, check_exact=False, rtol=1e-10)
    assert whole.tests["statistic"].tolist() == pytest.approx(parts.tests["statistic"].tolist(), rel=1e-9)


# ---- stocks and flows --------------------------------------------------------------------------------------------------

PAST = {"leave": (20, 600), "lapse": (22, 580), "renew": (5, 20), "new": [30, 40, 30]}


def test_projection_with_known_rates_has_the_closed_moments():
    want = table("stock")
    found = staffing_projection(
        300, required=400, lapsed=30, n_sim=60_000, seed=5, parameter_uncertainty=False, **PAST
    ).table
    assert found["mean"].tolist() == pytest.approx(want["mean"].tolist(), abs=0.3)
    assert found["std_error"].tolist() == pytest.approx(want["sd"].tolist(), rel=0.015)


def test_projection_is_repeatable_and_wider_when_rates_are_unsure():
    first, again = (staffing_projection(300, required=400, lapsed=30, seed=5, **PAST) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, again.table)
    sure = staffing_projection(300, required=400, lapsed=30, seed=5, parameter_uncertainty=False, **PAST)
    width = [(one.table["conf_high"] - one.table["conf_low"]).iloc[-1] for one in (first, sure)]
    assert width[0] > 1.2 * width[1]
    assert first.chance_low <= first.chance_full <= first.chance_high and first.chance_full >= first.chance_full_at_end


def test_projection_edges():
    still = staffing_projection(300, required=300, leave=(0, 10**6), lapse=(0, 10**6), new=[0, 0], seed=1, terms=2)
    assert still.chance_full > 0.99 and abs(still.table["estimate"] - 300).max() <= 1
    places = staffing_projection(100, required=150, leave=(0, 10**6), lapse=(0, 10**6), new=(10**6, 10**6), planned=[20, 30],
                                 terms=2, seed=1)  # fmt: skip
    assert places.table["estimate"].tolist() == [120, 150] and places.chance_full > 0.99
    assert staffing_projection(300, required=400, leave=(0, 0), lapse=(1, 9), new=[3], seed=1).code == "no_past_flows"
    with pytest.raises(ParamsError, match="seed"):
        staffing_projection(300, required=400, **PAST)
    with pytest.raises(ParamsError, match="required"):
        staffing_projection(300, required=[400, 410], seed=1, **PAST)
    with pytest.raises(DataError, match="more events than people"):
        staffing_projection(300, required=400, leave=(9, 3), lapse=(1, 9), new=[3], seed=1)
    with pytest.raises(DataError, match="pair of counts"):
        staffing_projection(300, required=400, leave="few", lapse=(1, 9), new=[3], seed=1)


def test_spread_between_terms_by_hand():
    flow = flow_of([(2, 100), (10, 100), (2, 100), (10, 100)], where="test", name="leave")
    # Each term is 4 off 6 expected, variance 5.64: chi-square 4 x 16 / 5.64 over 3.
    assert flow.dispersion == pytest.approx(4 * 16 / 5.64 / 3)
    assert flow_of([(2, 100), (10, 100)], where="test", name="leave").dispersion == 1
    assert arrivals_of([10, 30, 10, 30], where="test", name="new").dispersion == pytest.approx(400 / 3 / 20)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 400), st.integers(0, 60), st.integers(1, 50), st.integers(0, 2**31))
def test_holders_are_never_negative_and_more_need_is_met_less_often(stock, lapsed, need, seed):
    given_ = {"lapsed": lapsed, "seed": seed, "n_sim": 200, **PAST}
    easy = staffing_projection(stock, required=stock + need, **given_)
    hard = staffing_projection(stock, required=stock + 2 * need, **given_)
    assert (easy.table["conf_low"] >= 0).all() and hard.chance_full <= easy.chance_full

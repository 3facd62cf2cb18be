"""Alpha by school, score descriptions, intraclass correlations and retests: R, peers, by hand, edges and properties."""

import itertools
import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.measurement import (
    SchoolSums,
    alpha_from_covariance,
    alpha_from_school_sums,
    cronbach_alpha,
    icc,
    icc_from_moments,
    item_analysis,
    pair_occasions,
    retest,
    retest_from_moments,
    score_description,
    score_description_from_counts,
)

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
VALUES = pd.read_csv(ORACLE / "efa_values.csv").set_index(["case", "name"])["value"]
# Shrout & Fleiss (1979), table 2: six people, four judges.
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def schooled(seed: int, n: int = 600, n_schools: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    school = rng.integers(0, n_schools, n)
    trait = rng.normal(size=(n, 1)) + 0.7 * rng.normal(size=n_schools)[school][:, None]
    return np.round(2 + trait + rng.normal(size=(n, 4))), school


# Alpha and its intervals


def test_feldt_holds_at_130000_pupils_where_r_does_not():
    # R's qf() goes over to chi-square beyond df2 = 4e5: .869557-.871547 there, 2.5 % too narrow; exact .869531-.871573.
    # The anchors print the bounds alone: this alpha is the one that has both of them.
    alpha, k, n = 0.8705542, 20, 130_000
    cov = np.full((k, k), alpha / (k - (k - 1) * alpha))
    np.fill_diagonal(cov, 1.0)
    found = alpha_from_covariance(cov, n)
    assert found.alpha == pytest.approx(alpha, abs=1e-12)
    assert (found.conf_low, found.conf_high) == pytest.approx((0.869531, 0.871573), abs=1e-6)
    # F by another road: the beta distribution.
    df1, df2 = n - 1, (n - 1) * (k - 1)
    for bound, p in ((found.conf_low, 0.975), (found.conf_high, 0.025)):
        share = stats.beta.ppf(p, df1 / 2, df2 / 2)
        assert bound == pytest.approx(1 - (1 - alpha) * share / (1 - share) * df2 / df1, abs=1e-9)


def test_resampled_schools_equal_rows_drawn_again():
    items, school = schooled(1)
    found = cronbach_alpha(items, ci="school_bootstrap", cluster=school, n_boot=200, seed=5, conf_level=0.9)
    schools = np.random.default_rng(5).integers(0, 20, size=(200, 20))
    order = pd.unique(school)
    rows = [np.flatnonzero(school == name) for name in order]
    drawn = [
        alpha_from_covariance(np.cov(items[np.concatenate([rows[g] for g in picked])].T), 600).alpha
        for picked in schools
    ]
    assert found.alpha == pytest.approx(cronbach_alpha(items).alpha, abs=1e-12)
    assert (found.conf_low, found.conf_high) == pytest.approx(tuple(np.quantile(drawn, [0.05, 0.95])), abs=1e-10)
    assert found.std_error == pytest.approx(np.std(drawn, ddof=1), abs=1e-10)
    assert (found.n_clusters, found.n_boot, found.seed) == (20, 200, 5)
    assert found.method == "Cronbach's alpha, percentile interval of 200 resamples of 20 schools"


def test_the_bootstrap_t_of_schools():
    from mhlib.stats.measurement.school_sums import resampled_alpha, school_errors, school_sums, school_weights

    items, school = schooled(8)
    code, n_schools = pd.factorize(school)[0], 20
    sums = school_sums(items, code, n_schools)
    # The linearised error against the slope of log(1 - alpha) in the weight of each school.
    steps = 1e-5 * np.eye(n_schools)
    weigh = np.ones((n_schools, n_schools))
    alpha = cronbach_alpha(items).alpha
    slope = (np.log(1 - resampled_alpha(sums, weigh + steps)) - np.log(1 - resampled_alpha(sums, weigh - steps))) / 2e-5
    assert school_errors(sums, np.ones((1, 20)))[0] == pytest.approx(np.sqrt((slope**2).sum()), rel=1e-7)
    found = cronbach_alpha(items, ci="school_bootstrap_t", cluster=school, n_boot=300, seed=2)
    weights = school_weights(20, n_boot=300, seed=2, where="")
    distance = (np.log(1 - resampled_alpha(sums, weights)) - np.log(1 - alpha)) / school_errors(sums, weights)
    low, high = np.log(1 - alpha) - np.sqrt((slope**2).sum()) * np.quantile(distance, [0.975, 0.025])
    assert (found.conf_low, found.conf_high) == pytest.approx((1 - np.exp(high), 1 - np.exp(low)), abs=1e-7)
    assert found.conf_low < alpha < found.conf_high
    assert found.method == "Cronbach's alpha, bootstrap-t interval of 300 resamples of 20 schools"


def test_both_doors_of_the_school_bootstrap_agree_and_rerun_to_the_bit():
    items, school = schooled(2)
    options = {"ci": "school_bootstrap", "cluster": school, "n_boot": 100, "seed": 3}
    found, again = (cronbach_alpha(items, **options) for _ in range(2))
    assert (found.conf_low, found.conf_high) == (again.conf_low, again.conf_high)
    frame = pd.DataFrame(items).groupby(school, sort=False)
    total = items.sum(axis=1)
    sums = SchoolSums(
        frame.size().to_numpy(),
        frame.sum().to_numpy(),
        pd.Series((items**2).sum(axis=1)).groupby(school, sort=False).sum().to_numpy(),
        pd.Series(total**2).groupby(school, sort=False).sum().to_numpy(),
    )
    other = alpha_from_school_sums(sums, n_boot=100, seed=3)
    assert (other.alpha, other.conf_low, other.conf_high) == pytest.approx(
        (found.alpha, found.conf_low, found.conf_high), abs=1e-12
    )


def test_missing_answers_and_empty_schools_in_the_bootstrap():
    items, school = schooled(3)
    items[:5, 0] = np.nan
    items[school == 7, 1] = np.nan
    found = cronbach_alpha(items, ci="school_bootstrap", cluster=school, n_boot=100, seed=1)
    kept = ~np.isnan(items).any(axis=1)
    assert (found.n_clusters, found.n_used, found.n_excluded) == (19, kept.sum(), (~kept).sum())
    assert found.alpha == pytest.approx(cronbach_alpha(items[kept]).alpha)
    assert found.alpha_standardised == pytest.approx(cronbach_alpha(items[kept]).alpha_standardised)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"ci": "school_bootstrap", "seed": 1}, ParamsError, "go together"),
        ({"cluster": True}, ParamsError, "go together"),
        ({"ci": "school_bootstrap", "cluster": True}, ParamsError, "need a seed"),
        ({"ci": "school_bootstrap", "cluster": True, "seed": 1, "n_boot": 20}, ParamsError, "at least 100"),
        ({"ci": "school_bootstrap", "cluster": "few", "seed": 1}, DesignError, "3 schools cannot be drawn"),
        ({"ci": "school_bootstrap", "cluster": "short", "seed": 1}, DataError, "different lengths"),
        ({"ci": "duhachek"}, ParamsError, "not known"),
    ],
)
def test_what_the_bootstrap_refuses(options, error, text):
    items, school = schooled(4)
    columns = {True: school, "few": school % 3, "short": school[:-1]}
    if "cluster" in options:
        options = {**options, "cluster": columns[options["cluster"]]}
    with pytest.raises(error, match=text):
        cronbach_alpha(items, **options)


def test_sums_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="do not fit"):
        alpha_from_school_sums(SchoolSums(np.ones(3), np.ones((4, 2)), np.ones(3), np.ones(3)), seed=1)


def test_a_first_block_far_from_the_rest_does_no_harm():
    from mhlib.stats.measurement.item_matrix import covariance

    rows = np.random.default_rng(1).normal(size=(9000, 3)) * 1e-3
    rows[:4096] += 1e-3
    assert covariance(rows + 1e6) == pytest.approx(np.cov((rows + 1e6).T), rel=1e-9, abs=1e-12)
    far = np.concatenate([np.full((4097, 2), 1e7), np.random.default_rng(2).normal(size=(400_000, 2))])
    assert covariance(far) == pytest.approx(np.cov(far.T), rel=1e-12)


# Scores and items


def test_score_description_of_bfi():
    counts = pd.read_csv(ORACLE / "bfi_n_sum.csv")
    cov = pd.read_csv(ORACLE / "bfi_n_sum_cov.csv").to_numpy()
    found = score_description_from_counts(
        counts["total"], counts["Freq"], lowest=5, highest=30, reliability=alpha_from_covariance(cov, 2436).alpha
    )
    for name in ("mean", "sd", "alpha", "sem", "floor", "ceiling"):
        assert getattr(found, name) == pytest.approx(VALUES["bfi_n_sum", name], abs=1e-9), name
    assert found.sdc == pytest.approx(VALUES["bfi_n_sum", "sdc"], abs=1e-9)
    # As printed in the anchors, whose factor is 1.96 in full: SD, SEM, SDC95, floor and ceiling in per cent.
    assert (found.sd, found.sem) == pytest.approx((6.00116297, 2.56758), abs=1e-6)
    assert found.sdc * 1.96 / stats.norm.ppf(0.975) == pytest.approx(7.11696865, abs=1e-7)
    assert (100 * found.floor, 100 * found.ceiling) == pytest.approx((3.0378, 1.1084), abs=5e-5)
    assert list(found.to_frame()["term"]) == ["mean", "sd", "floor", "ceiling", "alpha", "sem", "sdc"]


def test_both_doors_describe_a_score_alike():
    items, _ = schooled(5)
    items = np.clip(items, 0, 4)
    found = score_description(items, answer_range=(0, 4))
    values, counts = np.unique(items.sum(axis=1), return_counts=True)
    other = score_description_from_counts(values, counts, lowest=0, highest=16, reliability=cronbach_alpha(items).alpha)
    assert found.to_frame()["estimate"].to_numpy() == pytest.approx(other.to_frame()["estimate"].to_numpy(), abs=0)
    assert found.mean == pytest.approx(items.sum(axis=1).mean())
    assert found.sd == pytest.approx(items.sum(axis=1).std(ddof=1))


def test_the_ends_of_a_subgroup_are_those_of_the_scale():
    # Nobody in this subgroup answers 0: seen as its own world 1 would pass for the floor.
    items = np.array([[1, 2, 1], [2, 1, 3], [1, 1, 1], [3, 2, 2], [2, 3, 3]])
    assert score_description(items).floor == pytest.approx(0.2)
    assert score_description(items, answer_range=(0, 3)).floor == 0
    assert item_analysis(items).to_frame()["floor"].tolist() == pytest.approx([0.4, 0.4, 0.4])
    assert item_analysis(items, answer_range=(0, 3)).to_frame()["floor"].tolist() == [0, 0, 0]
    for function in (item_analysis, score_description):
        with pytest.raises(DataError, match="4 answers lie outside the range"):
            function(items, answer_range=(0, 2))
        with pytest.raises(ParamsError, match="wrong way round"):
            function(items, answer_range=(3, 0))


def test_scores_out_of_range_or_alone_are_refused():
    with pytest.raises(DataError, match="2 scores lie outside"):
        score_description_from_counts([1, 9], [3, 2], lowest=0, highest=8)
    with pytest.raises(DesignError, match="at least 2"):
        score_description_from_counts([1], [1], lowest=0, highest=8)


# Intraclass correlations


def test_shrout_and_fleiss():
    found = icc(JUDGES).forms
    # As printed in the anchors.
    printed = [0.1657417684, 0.2897637795, 0.7148407148, 0.4427971337, 0.6200505476, 0.9093155424]
    assert found["estimate"].to_numpy() == pytest.approx(printed, abs=1e-10)
    assert tuple(found.loc["ICC(2,1)", ["conf_low", "conf_high"]]) == pytest.approx((0.01878651, 0.76108437), abs=1e-8)
    r = pd.read_csv(ORACLE / "icc_shrout_fleiss.csv")
    for ours, theirs in {"estimate": "icc", "f": "f", "df2": "df2", "p_value": "p", "conf_low": "low"}.items():
        assert found[ours].to_numpy() == pytest.approx(r[theirs].to_numpy(), abs=1e-9), ours
    assert found["conf_high"].to_numpy() == pytest.approx(r["high"].to_numpy(), abs=1e-9)
    assert found.loc["ICC(3,k)", "estimate"] == pytest.approx(cronbach_alpha(JUDGES).alpha, abs=1e-12)


def test_icc_equals_pingouin():
    import pingouin

    items, _ = schooled(6, n=80)
    long = pd.DataFrame(items).reset_index().melt("index", var_name="rater", value_name="value")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pingouin calls pandas in a way that pandas is about to drop
        theirs = pingouin.intraclass_corr(long, targets="index", raters="rater", ratings="value")
    ours = icc(items).forms
    assert ours["estimate"].to_numpy() == pytest.approx(theirs["ICC"].to_numpy(), abs=1e-10)
    column = next(name for name in theirs if name.startswith("CI95"))
    bounds = np.stack(theirs[column].to_numpy())
    # pingouin rounds its bounds.
    assert ours[["conf_low", "conf_high"]].to_numpy() == pytest.approx(bounds, abs=0.00501)


def test_both_doors_of_icc_agree_and_the_missing_are_counted():
    ratings = pd.DataFrame(JUDGES.astype(float), columns=list("abcd"))
    ratings.loc[len(ratings)] = [1, np.nan, 2, 3]
    found = icc(ratings)
    other = icc_from_moments(JUDGES.mean(axis=0), np.cov(JUDGES.T), 6)
    assert (found.n_used, found.n_excluded) == (6, 1)
    for column in ("estimate", "conf_low", "conf_high", "p_value"):
        assert found.forms[column].to_numpy() == pytest.approx(other.forms[column].to_numpy(), abs=1e-12)


def test_perfect_and_shifted_ratings():
    column = np.array([1.0, 2, 3, 4, 6])
    perfect = icc(np.column_stack([column, column])).forms
    assert perfect["estimate"].tolist() == [1] * 6 and perfect["conf_low"].tolist() == [1] * 6
    # A judge who gives 2 more: consistent, not in agreement. MS people 2 var = 7.4, raters 10, error 0:
    shifted = icc(np.column_stack([column, column + 2])).forms
    assert shifted.loc["ICC(3,1)", "estimate"] == 1
    assert shifted.loc["ICC(2,1)", "estimate"] == pytest.approx(7.4 / (7.4 + 2 * 10 / 5))


def test_what_icc_refuses():
    with pytest.raises(DesignError, match="do not differ"):
        icc([[1, 4], [4, 1], [2, 3], [3, 2]])
    with pytest.raises(DesignError, match="fewer than two items"):
        icc([[1], [2], [3]])
    with pytest.raises(DataError, match="do not fit"):
        icc_from_moments([1, 2, 3], np.eye(2), 10)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.floats(0.1, 20), st.floats(-50, 50))
def test_icc_knows_no_unit_and_keeps_its_order(seed, k, unit, origin):
    rng = np.random.default_rng(seed)
    ratings = rng.normal(size=(12, k)) + rng.normal(size=(12, 1))
    plain, moved = icc(ratings).forms, icc(unit * ratings + origin).forms
    assert plain["estimate"].to_numpy() == pytest.approx(moved["estimate"].to_numpy(), rel=1e-6, abs=1e-6)
    inside = plain["conf_low"].le(plain["estimate"] + 1e-12) & plain["estimate"].le(plain["conf_high"] + 1e-12)
    assert inside.all() and (plain["estimate"] <= 1).all()


# Retests


def test_retest_by_hand_and_against_psych():
    # Judges 1 and 4: differences -1 -4 0 -1 -1 1, sum -6, squares 20; so mean -1 and variance (20 - 6) / 5 = 2.8.
    found = retest(JUDGES[:, 0], JUDGES[:, 3]).to_frame().set_index("term")
    value = found["estimate"]
    assert value["mean_difference"] == pytest.approx(-1)
    assert value["sd_difference"] == pytest.approx(math.sqrt(2.8))
    assert value["sem_consistency"] == pytest.approx(math.sqrt(1.4))
    # Occasions: MS 6 * 1 / 2 = 3, so variance between them (3 - 1.4) / 6.
    sem = math.sqrt(1.4 + 1.6 / 6)
    assert value["sem_agreement"] == pytest.approx(sem)
    assert value["sdc_individual"] == pytest.approx(stats.norm.ppf(0.975) * math.sqrt(2) * sem)
    assert value["sdc_group"] == pytest.approx(value["sdc_individual"] / math.sqrt(6))
    assert value["loa_high"] == pytest.approx(-1 + stats.norm.ppf(0.975) * math.sqrt(2.8))
    forms = icc(JUDGES[:, [0, 3]]).forms
    for term, form in (("icc_agreement", "ICC(2,1)"), ("icc_consistency", "ICC(3,1)")):
        ours = found.loc[term, ["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float)
        assert ours == pytest.approx(forms.loc[form, ["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float))
    paired = stats.ttest_rel(JUDGES[:, 3], JUDGES[:, 0])
    assert found.at["mean_difference", "p_value"] == pytest.approx(paired.pvalue)
    interval = paired.confidence_interval()
    assert (found.at["mean_difference", "conf_low"], found.at["mean_difference", "conf_high"]) == pytest.approx(
        (interval.low, interval.high)
    )
    r = stats.pearsonr(JUDGES[:, 0], JUDGES[:, 3]).confidence_interval()
    assert (found.at["pearson_r", "conf_low"], found.at["pearson_r", "conf_high"]) == pytest.approx((r.low, r.high))


def test_limits_of_agreement_have_bland_and_altmans_error():
    rng = np.random.default_rng(1)
    first = rng.normal(size=50)
    second = first + rng.normal(size=50)
    found = retest(first, second).to_frame().set_index("term")
    spread = found.at["sd_difference", "estimate"]
    half = stats.t.ppf(0.975, 49) * spread * math.sqrt(1 / 50 + stats.norm.ppf(0.975) ** 2 / (2 * 49))
    assert found.at["loa_low", "conf_high"] - found.at["loa_low", "estimate"] == pytest.approx(half)


def test_both_doors_of_a_retest_agree():
    rng = np.random.default_rng(2)
    pair = np.round(rng.normal(20, 5, size=(40, 1)) + rng.normal(0, 3, size=(40, 2)))
    pair[3, 1] = np.nan
    found = retest(*pair.T)
    kept = np.delete(pair, 3, axis=0)
    other = retest_from_moments(39, kept.mean(axis=0), np.cov(kept.T))
    pd.testing.assert_frame_equal(found.to_frame(), other.to_frame(), rtol=1e-9)
    assert (found.n_used, found.n_excluded, found.n_outside) == (39, 1, 0)


def test_a_retest_by_schools_equals_rows_drawn_again():
    items, school = schooled(7)
    found = retest(items[:, 0], items[:, 1], cluster=school, n_boot=150, seed=4)
    schools = np.random.default_rng(4).integers(0, 20, size=(150, 20))
    rows = [np.flatnonzero(school == name) for name in pd.unique(school)]
    drawn = []
    for chosen in schools:
        picked = np.concatenate([rows[g] for g in chosen])
        drawn.append(retest(items[picked, 0], items[picked, 1]).to_frame()["estimate"].to_numpy())
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    frame = found.to_frame()
    assert frame["conf_low"].to_numpy() == pytest.approx(low, abs=1e-9)
    assert frame["conf_high"].to_numpy() == pytest.approx(high, abs=1e-9)
    assert frame["estimate"].to_numpy() == pytest.approx(
        retest(items[:, 0], items[:, 1]).to_frame()["estimate"].to_numpy(), abs=1e-10
    )
    assert "150 resamples of 20 schools" in found.method


def test_pairs_are_made_by_person_never_by_row():
    rows = pd.DataFrame(
        {
            "person": ["c", "a", "b", "b", "a", "d"],
            "wave": [1, 1, 1, 2, 2, 2],
            "score": [30, 10, 20, 22, 11, 40],
            "day": pd.to_datetime(["2026-03-02"] * 3 + ["2026-03-16", "2026-03-20", "2026-03-16"]),
        }
    )
    pairs = pair_occasions(rows["score"], rows["person"], rows["wave"], day=rows["day"])
    assert pairs.loc[["a", "b"], ["first", "second", "time_between"]].to_numpy().tolist() == [
        [10, 11, 18],
        [20, 22, 14],
    ]
    assert pairs.loc[["c", "d"]].isna().any(axis=1).all()
    turned = pair_occasions(rows["score"], rows["person"], rows["wave"], occasions=(2, 1))
    assert turned.at["a", "first"] == 11


def test_pairs_outside_the_time_are_counted():
    time = [14, 14, 20, 90, np.nan, 15]
    found = retest(JUDGES[:, 0], JUDGES[:, 3], time_between=time, within=(7, 28))
    assert (found.n_used, found.n_excluded, found.n_outside) == (4, 2, 2)
    assert found.time_between[0.5] == pytest.approx(14.5)


def pairs_of(person, occasion, **options):
    return pair_occasions(np.arange(len(person)), person, occasion, **options)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: retest([1, 2], [2, 1]), DesignError, "2 people have both scores"),
        (lambda: retest([1, 1, 1], [2, 1, 3]), DesignError, "does not vary"),
        (lambda: retest([1, 2, 3], [2, 1]), DataError, "different lengths"),
        (lambda: retest([1, 2, 3], [2, 1, 3], within=(1, 2)), ParamsError, "needs the time"),
        (lambda: retest([1, 2, 3], [2, 1, 3], time_between=[1, 1, 1], within=(2, 1)), ParamsError, "wrong way"),
        (lambda: retest([1, 2, 3], [2, 1, 3], cluster=[1, 2, 3], seed=1), DesignError, "3 schools"),
        (lambda: retest_from_moments(9, [1, 2, 3], np.eye(2)), DataError, "two occasions"),
        (lambda: pairs_of(["a", "a"], [1, 1]), ParamsError, "1 occasions are in the rows"),
        (lambda: pairs_of(["a", "a", "b"], [1, 1, 2]), DataError, "1 rows repeat a person"),
        (lambda: pairs_of(["a", None], [1, 2]), DataError, "1 rows name no person"),
        (lambda: pairs_of(["a", "a", "a"], [1, 2, 3]), ParamsError, "3 occasions"),
        (lambda: pairs_of(["a", "a"], [1, 2], occasions=(1, 7)), ParamsError, "two different occasions"),
    ],
)
def test_what_a_retest_refuses(call, error, text):
    with pytest.raises(error, match=text):
        call()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_turning_the_occasions_round_turns_the_difference(seed):
    rng = np.random.default_rng(seed)
    pair = np.round(rng.normal(10, 4, size=(15, 1)) + rng.normal(0, 3, size=(15, 2)))
    there, back = (retest(a, b).to_frame().set_index("term") for a, b in itertools.permutations(pair.T))
    assert there.at["loa_low", "estimate"] == pytest.approx(-back.at["loa_high", "estimate"])
    for term in ("icc_agreement", "icc_consistency", "sem_agreement", "sdc_individual", "pearson_r"):
        assert there.at[term, "estimate"] == pytest.approx(back.at[term, "estimate"])
    assert there["conf_low"].dropna().le(there.loc[there["conf_low"].notna(), "estimate"] + 1e-9).all()

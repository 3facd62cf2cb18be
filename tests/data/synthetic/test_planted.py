"""The city is what it was told to be: four figures a level, clusters, stability, effects."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhlib.data.synthetic import calibration, interventions, planted, training
from mhlib.data.synthetic.instruments import INSTRUMENTS, PHQ_9
from mhlib.data.synthetic.people import people
from mhlib.data.synthetic.verification import prorated_total


def test_specificity_follows_by_hand():
    # 1000 pupils, 100 cases of whom 90 are found, 300 positives: 210 false among 900.
    assert planted.Accuracy(0.10, 0.90, 0.30).specificity == pytest.approx(1 - 210 / 900)
    assert planted.Accuracy(0.10, 0.90, 0.30).ppv == pytest.approx(0.30)


@given(st.floats(0.01, 0.5), st.floats(0.5, 0.99), st.floats(0.5, 0.99))
def test_the_four_figures_agree(prevalence, sensitivity, specificity):
    rate = prevalence * sensitivity + (1 - prevalence) * (1 - specificity)
    assert planted.Accuracy(prevalence, sensitivity, rate).specificity == pytest.approx(specificity)


def test_predictive_values_of_the_two_scenarios():
    assert planted.ppv_scenarios()["ppv"].round(2).tolist() == [0.07, 0.26]


def test_the_convolution_agrees_with_enumeration():
    chance = PHQ_9.chances(np.array([0.4]))[:, :4]
    cells = itertools.product(range(4), repeat=4)
    enumerated = sum(np.prod([chance[0, j, x] for j, x in enumerate(cell)]) for cell in cells if sum(cell) >= 5)
    assert calibration._tail(chance, 5)[0] == pytest.approx(enumerated)


@pytest.mark.parametrize("tool", INSTRUMENTS, ids=lambda tool: tool.key)
def test_the_chances_of_an_item_add_up_to_one(tool):
    np.testing.assert_allclose(tool.chances(np.linspace(-4, 4, 9)).sum(axis=2), 1)


def test_prorating_needs_seven_answers():
    answers = np.array([[1] * 9, [2] * 8 + [-1], [2] * 7 + [-1] * 2, [2] * 6 + [-1] * 3])
    np.testing.assert_allclose(prorated_total(answers), [9, 18, 18, np.nan])


def screened(made) -> pd.DataFrame:
    response = made.table("response")
    answers = response[[f"phq_9_{j}" for j in range(1, 10)]].to_numpy(dtype=float, na_value=-1)
    scored = response[["pupil_pid", "wave", "grade"]].assign(total=prorated_total(answers))
    table = scored.merge(made.truth("truth_wave"), on=["pupil_pid", "wave"]).dropna(subset="total")
    return table.assign(positive=table["total"] >= planted.CUTOFF)


def standard_error(people: pd.DataFrame, column: str, share: float, model) -> float:
    """Of a share with schools as clusters; where schools are too few for that, from the planted clustering."""
    schools = people.groupby("school_pid")[column].agg(["sum", "size"])
    if len(schools) >= 10:
        apart = schools["sum"] - share * schools["size"]
        return float(np.sqrt((apart**2).sum() * len(schools) / (len(schools) - 1)) / schools["size"].sum())
    n, classes = len(people), people.groupby("class_pid").size()
    effect = 1 + ((schools["size"] ** 2).sum() / n - 1) * model.icc_school_positive
    effect += ((classes**2).sum() / n - 1) * model.icc_class_positive
    return float(np.sqrt(effect * share * (1 - share) / n))


def distances(made, wave: int) -> pd.DataFrame:
    rows, everyone = [], screened(made)
    for level, here in everyone[everyone["wave"] == wave].groupby("level"):
        told, model = planted.ACCURACY[level], calibration.level_models()[level]
        parts = {
            "prevalence": (here, "true_case", told.prevalence),
            "sensitivity": (here[here["true_case"]], "positive", told.sensitivity),
            "specificity": (here[~here["true_case"]].assign(negative=lambda x: ~x["positive"]), "negative",
                            told.specificity),
            "positive_rate": (here, "positive", told.positive_rate),
        }  # fmt: skip
        for figure, (some, column, share) in parts.items():
            error = standard_error(some, column, share, model)
            rows.append((level, figure, share, some[column].mean(), (some[column].mean() - share) / error))
    return pd.DataFrame(rows, columns=["level", "figure", "planted", "realised", "distance"])


@pytest.mark.parametrize("wave", [1, 6])
def test_a_small_city_is_what_was_planted(small, wave):
    found = distances(small, wave)
    assert len(found) == 12
    assert (found["distance"].abs() < 3.3).all(), found.to_string()


@pytest.mark.slow
@pytest.mark.parametrize("wave", range(1, 7))
def test_the_city_is_what_was_planted(city, wave):
    found = distances(city, wave)
    assert len(found) == 16
    assert (found["distance"].abs() < 3.3).all(), found.to_string()


@pytest.mark.slow
def test_the_citys_positive_rates_lie_within_half_a_point(city):
    everyone = screened(city)
    rate = everyone.groupby("level")["positive"].mean()
    for level in ("P", "J", "S"):
        assert abs(rate[level] - planted.ACCURACY[level].positive_rate) < 0.005


def nested(people: pd.DataFrame) -> tuple[float, float]:
    """ICC of schools and of classes within schools by nested analysis of variance, within level and grade."""
    y = people["theta"] - people.groupby(["level", "grade", "sex"])["theta"].transform("mean")
    n = len(people)
    school = y.groupby(people["school_pid"]).agg(["mean", "size"])
    klass = y.groupby([people["school_pid"], people["class_pid"]]).agg(["mean", "size"])
    of = klass.index.get_level_values(0)
    mine, its = klass["size"].to_numpy(), school.loc[of]
    within = ((y - y.groupby(people["class_pid"]).transform("mean")) ** 2).sum() / (n - len(klass))
    classes = (mine * (klass["mean"].to_numpy() - its["mean"].to_numpy()) ** 2).sum() / (len(klass) - len(school))
    schools = (school["size"] * school["mean"] ** 2).sum() / (len(school) - 1)
    split = (mine**2 / its["size"].to_numpy()).sum()
    class_variance = (classes - within) / ((n - split) / (len(klass) - len(school)))
    k2, k3 = (split - (mine**2).sum() / n), n - (school["size"] ** 2).sum() / n
    school_variance = (schools - within - k2 / (len(school) - 1) * class_variance) / (k3 / (len(school) - 1))
    total = within + class_variance + school_variance
    return school_variance / total, class_variance / total


@pytest.mark.slow
def test_clusters_have_their_planted_share(city):
    sex = city.table("pupil")[["pupil_pid", "sex"]]
    everyone = screened(city).merge(sex, on="pupil_pid")
    school, klass = nested(everyone[everyone["wave"] == 6])
    # 129 schools leave a standard error of about .0025, 3,100 classes one of about .002.
    assert abs(school - planted.ICC_SCHOOL) < 0.0075
    assert abs(klass - planted.ICC_CLASS) < 0.006


@pytest.mark.slow
def test_girls_and_higher_grades_are_worse_and_pupils_stay_alike(city):
    everyone = screened(city).merge(city.table("pupil")[["pupil_pid", "sex"]], on="pupil_pid")
    assert everyone.groupby("sex")["positive"].mean().diff().iloc[-1] > 0.01
    by_grade = everyone.groupby("grade")["positive"].mean()
    assert by_grade.loc[:9].is_monotonic_increasing and by_grade.loc[10:].is_monotonic_increasing
    wide = everyone.pivot(index="pupil_pid", columns="wave", values="theta")
    assert 0.5 < wide[1].corr(wide[2]) < 0.75


def test_the_sample_of_interviews_is_the_stated_one(small):
    everyone = screened(small).drop(columns="school_pid")
    seen = small.table("assessment").merge(everyone, on=["pupil_pid", "wave"])
    assert (seen["case"] == seen["true_case"]).all()
    assert ((seen["sampled"] == "positive") == seen["positive"]).all()
    assert (seen.loc[seen["positive"], "probability"] == planted.VERIFIED_POSITIVE).all()
    share = seen["positive"].sum() / everyone["positive"].sum()
    assert abs(share - planted.VERIFIED_POSITIVE) < 0.04
    weight = (1 / seen["probability"]).groupby(seen["positive"]).sum()
    assert weight[False] == pytest.approx((~everyone["positive"]).sum(), rel=0.25)


def trial_effect(outcome: pd.DataFrame, design: str, occasion: str) -> float:
    here = outcome[(outcome["design"] == design) & (outcome["occasion"] == occasion)]
    mean = here.groupby("arm")["distress"].mean()
    return mean["intervention"] - mean["control"]


@pytest.mark.slow
def test_designs_find_their_planted_effect_over_many_cities():
    folk = people(3, 48, 16_000)
    pids = (np.arange(10**6).astype(str).astype(object),) * 3
    made = [interventions.interventions(seed, folk.place, *pids)["outcome"] for seed in range(60)]
    truth = interventions.planted_effects().set_index(["design", "occasion"])["effect_sd"]
    for key in [("school_rct", "post"), ("school_rct", "follow_up"), ("wait_list", "post"), ("wait_list", "follow_up")]:
        found = np.array([trial_effect(outcome, *key) for outcome in made])
        assert abs(found.mean() - truth[key]) < 4 * found.std() / np.sqrt(len(found)), key
    jumps = np.array([jump(outcome) for outcome in made])
    assert abs(jumps.mean() - truth["above_cutoff", "post"]) < 4 * jumps.std() / np.sqrt(len(jumps))
    rise = np.array([trial_effect(outcome, "staggered", "term_6") for outcome in made])
    assert abs(rise.mean() - truth["staggered", "term_3_of_exposure"]) < 4 * rise.std() / np.sqrt(len(rise))


def jump(outcome: pd.DataFrame) -> float:
    here = outcome[(outcome["design"] == "above_cutoff") & (outcome["occasion"] == "post")]
    above = (here["running"] >= 0).to_numpy(float)
    design = np.column_stack([np.ones(len(here)), above, here["running"]])
    return float(np.linalg.lstsq(design, here["distress"], rcond=None)[0][1])


def test_everyone_at_the_cutoff_is_served_and_nobody_below(small):
    outcome, dose = small.table("outcome"), small.table("dose")
    here = outcome[(outcome["design"] == "above_cutoff") & (outcome["occasion"] == "pre")]
    served = set(dose.loc[dose["design"] == "above_cutoff", "pupil_pid"])
    assert served == set(here.loc[here["running"] >= 0, "pupil_pid"])
    assert (here["running"] == here["score"] - interventions.CUT).all()


@pytest.mark.slow
def test_training_moves_each_test_as_planted(city):
    score = city.table("training_score")
    for test, gains in planted.TRAINING_EFFECTS.items():
        sd = training.TESTS[test][1]
        for occasion, gain in gains.items():
            here = score[score["occasion"] == occasion].groupby(["school_pid", "arm"])[test].mean().reset_index()
            arms = here.groupby("arm")[test].agg(["mean", "var", "size"])
            error = np.sqrt((arms["var"] / arms["size"]).sum()) / sd
            assert abs((arms["mean"]["training"] - arms["mean"]["wait_list"]) / sd - gain) < 4 * error

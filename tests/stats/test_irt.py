"""Item response theory against mirt's printed values and R's optim, by enumeration, at the edges and as properties."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.measurement import (
    dif_likelihood_ratio,
    graded_fit,
    graded_response,
    graded_response_from_counts,
    item_fit,
    local_dependence,
    measurement_precision,
    person_fit,
    theta_scores,
)
from mhlib.stats.measurement import irt_likelihood as likelihood
from mhlib.stats.measurement.graded_precision import curve_at, posterior_moments
from mhlib.stats.measurement.irt_answers import coded_answers, patterns_of
from mhlib.stats.measurement.irt_curves import category_scores, curves, item_information, layout_of
from mhlib.stats.measurement.irt_dif_models import index_between, two_groups
from mhlib.stats.measurement.irt_information import observed_information
from mhlib.stats.measurement.irt_moments import inner_categories, model_moments, pairs_of
from mhlib.stats.measurement.irt_problem import POINTS, Problem, evaluate, numeric_information, point_weights
from mhlib.stats.measurement.irt_sum_scores import item_parts, sum_score_probabilities, without_each
from mhlib.stats.measurement.person_fit_lz import log_likelihood_parts

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
LSAT = pd.read_csv(ORACLE / "irt_lsat.csv")
BFI = pd.read_csv(ORACLE / "irt_bfi_n.csv")
QUESTIONS, NEUROTIC = [f"Q{j}" for j in range(1, 6)], [f"N{j}" for j in range(1, 6)]


def rows_of(frame: pd.DataFrame, count: str) -> pd.DataFrame:
    return frame.loc[frame.index.repeat(frame[count])].reset_index(drop=True)


def anchors(data: str) -> pd.DataFrame:
    table = pd.read_csv(ORACLE / "irt_anchors.csv")
    return table[table["data"] == data]


def agree(found: dict[str, float], data: str) -> None:
    """Every anchor of a data set is found, within the tolerance written beside it."""
    wanted = anchors(data)
    assert set(wanted["quantity"]) == set(found)
    for row in wanted.itertuples():
        assert found[row.quantity] == pytest.approx(row.value, abs=row.tolerance), row.quantity


def simulate(rng, n, slopes, thresholds, mean=0.0, shift=None):
    """Answers 0, 1, ... of people with theta N(mean, 1), and their theta."""
    theta = rng.normal(mean, 1, n)
    b = np.asarray(thresholds, dtype=float) + (0 if shift is None else np.asarray(shift)[:, None])
    p = 1 / (1 + np.exp(-np.asarray(slopes)[:, None] * (theta[:, None, None] - b)))
    return (rng.random((n, len(slopes), 1)) < p).sum(axis=2), theta


@pytest.fixture(scope="module")
def lsat7():
    return graded_response_from_counts(LSAT[QUESTIONS], LSAT["lsat7"])


@pytest.fixture(scope="module")
def bfi():
    return graded_response(rows_of(BFI, "count")[NEUROTIC].dropna())


@pytest.fixture(scope="module")
def polytomous():
    rng = np.random.default_rng(5)
    answers, _ = simulate(rng, 1500, [1.2, 1.8, 2.2, 1.0, 1.5], np.sort(rng.normal(0.5, 1, (5, 3)), axis=1))
    frame = pd.DataFrame(answers, columns=list("abcde"))
    return frame, graded_response(frame)


def test_lsat7_equals_mirt(lsat7):
    # Tolerances above 1e-4 are mirt's: its EM stops at a change of 1e-4, and our log-likelihood is never the lower one.
    found = {"loglik": lsat7.log_likelihood, "aic": lsat7.aic, "a2": lsat7.slopes[1], "d2": lsat7.intercepts[1]}
    overall, items, ld = graded_fit(lsat7), item_fit(lsat7).items, local_dependence(lsat7).pairs.set_index("second")
    found |= {"m2": overall.statistic, "m2_p": overall.p_value}
    found |= {f"s_x2_{j + 1}": value for j, value in enumerate(items["statistic"])}
    ld = ld[ld["first"] == "Q1"]
    found |= {f"ld_1{j}": ld.at[f"Q{j}", "statistic"] for j in range(2, 6)}
    found |= {f"v_1{j}": ld.at[f"Q{j}", "cramers_v"] for j in range(2, 6)}
    codes, counts = lsat7.patterns.codes, lsat7.patterns.counts
    gap, variance = log_likelihood_parts(lsat7, codes, posterior_moments(lsat7, codes)[0])
    found |= {f"zh_{j + 1}": value for j, value in enumerate(gap @ counts / np.sqrt(variance @ counts))}
    table = measurement_precision(lsat7).by_sum_score
    found |= {f"eap_sum_{s}": table.at[s, "theta"] for s in range(6)}
    found |= {f"sd_sum_{s}": table.at[s, "std_error"] for s in (0, 5)}
    found |= {f"expected_sum_{s}": 1000 * table.at[s, "share_expected"] for s in (0, 3)}
    error = np.sqrt(np.diag(lsat7.covariance))
    layout = lsat7.layout
    blocks = likelihood.blocks_of(lsat7.patterns, layout)
    problem = Problem(layout, (blocks,), np.arange(10))
    x = np.concatenate([lsat7.slopes, lsat7.intercepts])
    d1 = np.sqrt(np.linalg.inv(numeric_information(x, problem))[5, 5])
    agree(found | {"se_a1": error[0], "se_a3": error[2], "se_d1": d1}, "lsat7")
    assert (items["df"] == 2).all() and (overall.df, overall.n_used) == (5, 1000)
    assert (overall.rmsea, overall.rmsea_low, overall.rmsea_high) == pytest.approx((0.037, 0.009, 0.065), abs=5e-4)


def test_lsat6_and_its_rasch_model_equal_mirt():
    free = graded_response_from_counts(LSAT[QUESTIONS], LSAT["lsat6"])
    rasch = graded_response_from_counts(LSAT[QUESTIONS], LSAT["lsat6"], slopes="common")
    found = {"loglik": free.log_likelihood, "rasch_loglik": rasch.log_likelihood}
    found |= {"rasch_variance": rasch.slopes[0] ** 2, "rasch_m2": graded_fit(rasch).statistic}
    found |= {f"a{j + 1}": a for j, a in enumerate(free.slopes)}
    found |= {f"b{j + 1}": b[0] for j, b in enumerate(free.thresholds)}
    agree(found | {"s_x2_p_1": item_fit(free).items.at[0, "p_value"]}, "lsat6")
    assert graded_fit(rasch).df == 9 and rasch.n_parameters == 6


def test_bfi_equals_mirt(bfi):
    agree({"loglik": bfi.log_likelihood} | {f"a{j + 1}": a for j, a in enumerate(bfi.slopes)}, "bfi_n")
    assert bfi.log_likelihood > -21079.6639
    assert (bfi.n_used, bfi.n_parameters, bfi.converged, bfi.notes) == (2694, 30, True, ())
    assert bfi.bic == pytest.approx(-2 * bfi.log_likelihood + 30 * np.log(2694))


def test_dif_of_bfi_by_gender_equals_mirt():
    rows = rows_of(BFI, "count").dropna()
    found = dif_likelihood_ratio(rows[NEUROTIC], rows["gender"], reference=1, purify=False, cutoffs=[20])
    values = {f"lr_{j + 1}": value for j, value in enumerate(found.items["statistic"])}
    agree(values | {"p_2": found.items.at[1, "p_value"]}, "bfi_n_gender")
    assert (found.items["df"] == 6).all() and found.items["converged"].all()
    parts = found.items["uniform_statistic"] + found.items["nonuniform_statistic"]
    assert parts.to_numpy() == pytest.approx(found.items["statistic"].to_numpy(), abs=1e-6)
    assert found.to_frame()["term"].tolist() == [*NEUROTIC, "latent_mean", "latent_sd"]
    assert found.latent_mean > 0 and found.latent_mean_se == pytest.approx(0.049, abs=0.005)


def test_information_of_the_published_science_parameters():
    # From mirt's printed parameters alone (3 digits); the fit to the answers themselves is in test_irt_science.py.
    slopes = np.array([1.041754681, 1.225961809, 2.293371713, 1.094915137])
    d = np.array([4.864, 2.640, -1.466, 2.924, 0.901, -2.266, 5.238, 2.216, -1.965, 3.348, 0.992, -1.688])
    layout = layout_of(np.full(4, 4))
    theta = np.arange(-3.0, 4)
    info = item_information(curves(slopes, d, theta, layout), slopes, layout).sum(axis=0)
    fine = item_information(curves(slopes, d, POINTS, layout), slopes, layout).sum(axis=0)
    found = {f"information_{t:.0f}": i for t, i in zip(theta, info, strict=True)}
    reliability = float(point_weights(0.0, 1.0) @ (fine / (fine + 1)))
    agree(found | {"marginal_reliability": reliability}, "science")


@pytest.mark.parametrize("data", ["lsat6", "lsat7", "bfi_n"])
def test_estimates_and_errors_equal_optim_in_r(data, bfi):
    table = pd.read_csv(ORACLE / "irt_optim.csv")
    table = table[(table["data"] == data) & (table["model"] == "free")]
    model = bfi if data == "bfi_n" else graded_response_from_counts(LSAT[QUESTIONS], LSAT[data])
    # R integrates over 121 points to +-8 and stops at a gradient of about 1e-3.
    assert model.log_likelihood == pytest.approx(table["loglik"].iloc[0], abs=2e-4)
    found = np.concatenate([model.slopes, model.intercepts])
    assert found == pytest.approx(table["estimate"].to_numpy(), abs=2e-3)
    blocks = likelihood.blocks_of(model.patterns, model.layout)
    at = evaluate(found, Problem(model.layout, (blocks,), np.arange(len(found)))).groups[0]
    louis = observed_information(blocks, at.curves, at.expected, POINTS, at.weight, model.layout)
    assert np.sqrt(np.diag(np.linalg.inv(louis))) == pytest.approx(table["std_error"].to_numpy(), rel=5e-3)


def test_the_rasch_model_equals_a_mixed_logistic_regression():
    table = pd.read_csv(ORACLE / "irt_optim.csv")
    table = table[table["model"] == "common"].set_index("term")
    model = graded_response_from_counts(LSAT[QUESTIONS], LSAT["lsat6"], slopes="common")
    assert model.log_likelihood == pytest.approx(table["loglik"].iloc[0], abs=1e-4)
    assert model.slopes[0] == pytest.approx(table.at["sd", "estimate"], abs=1e-4)
    assert model.intercepts == pytest.approx(table["estimate"].iloc[1:].to_numpy(), abs=1e-4)


def test_one_binary_item_by_hand():
    layout = layout_of(np.array([2, 2]))
    slopes, intercepts, theta = np.array([1.5, 0.8]), np.array([0.3, -0.4]), np.array([0.2])
    found = curves(slopes, intercepts, theta, layout)
    p = 1 / (1 + np.exp(-(1.5 * 0.2 + 0.3)))
    assert found.probability[:2, 0] == pytest.approx([1 - p, p])
    assert item_information(found, slopes, layout)[0, 0] == pytest.approx(1.5**2 * p * (1 - p))
    assert category_scores(found, theta, layout)[0, :, 0] == pytest.approx([-0.2 * p, 0.2 * (1 - p), 0, 0])


def test_sum_scores_and_moments_by_enumeration():
    layout = layout_of(np.array([3, 2, 4]))
    slopes, intercepts = np.array([1.2, -0.7, 2.0]), np.array([1.0, -0.5, 0.2, 1.5, 0.1, -1.0])
    found = curves(slopes, intercepts, POINTS, layout)
    parts, steps = item_parts(found.probability, layout.first_category), [np.arange(m) for m in (3, 2, 4)]
    weight = point_weights(0.0, 1.0)
    everything = list(itertools.product(range(3), range(2), range(4)))
    chance = np.array([np.prod([parts[j][x[j]] for j in range(3)], axis=0) for x in everything])
    sums = np.array([sum(x) for x in everything])
    whole = sum_score_probabilities(parts, steps)
    assert whole == pytest.approx(np.array([chance[sums == s].sum(axis=0) for s in range(7)]), abs=1e-14)
    rest = without_each(parts, steps)[1]
    assert rest == pytest.approx(sum_score_probabilities([parts[0], parts[2]], [steps[0], steps[2]]), abs=1e-14)
    moments = model_moments(found, POINTS, weight, layout)
    i, j = pairs_of(3)
    values = np.array(
        [[*(x[a] == c for a, c in inner_categories(layout)), *(x[a] * x[b] for a, b in zip(i, j, strict=True))]
         for x in everything], dtype=float)  # fmt: skip
    p = chance @ weight
    mean = p @ values
    assert moments.expected == pytest.approx(mean, abs=1e-13)
    assert moments.covariance == pytest.approx((values * p[:, None]).T @ values - np.outer(mean, mean), abs=1e-13)
    for k in range(layout.n_parameters):
        move = np.eye(layout.n_parameters)[k] * 1e-6
        near = [
            model_moments(
                curves(slopes + s * move[:3], intercepts + s * move[3:], POINTS, layout), POINTS, weight, layout
            )
            for s in (1, -1)
        ]
        numeric = (near[0].expected - near[1].expected) / 2e-6
        assert moments.derivative[:, k] == pytest.approx(numeric, abs=1e-8)


def test_halves_and_pieces_give_the_same_likelihood_gradient_and_information(polytomous, monkeypatch):
    _, model = polytomous
    x = np.concatenate([model.slopes, model.intercepts]) * 1.05
    results = []
    for cells in (8_000_000, 0):
        monkeypatch.setattr(likelihood, "DENSE_LIMIT", cells)
        monkeypatch.setattr(likelihood, "PIECE", 100)
        blocks = likelihood.blocks_of(model.patterns, model.layout)
        problem = Problem(model.layout, (blocks,), np.arange(len(x)))
        at = evaluate(x, problem)
        g = at.groups[0]
        louis = observed_information(blocks, g.curves, g.expected, POINTS, g.weight, model.layout)
        assert louis == pytest.approx(numeric_information(x, problem), rel=1e-4, abs=1e-3)
        results.append((len(blocks), at.loglik, at.gradient, louis))
    assert results[0][0] == 1 and results[1][0] > 1
    for first, second in zip(results[0][1:], results[1][1:], strict=True):
        assert first == pytest.approx(second, rel=1e-9, abs=1e-8)


def test_the_gradient_of_two_groups_is_the_derivative_of_their_likelihood():
    rows = rows_of(BFI, "count")
    models = two_groups(coded_answers(rows[NEUROTIC], where="test"), (rows["gender"] == 2).to_numpy())
    index = index_between(models.layout, frozenset({1}), frozenset({2}))
    problem = Problem(models.layout, models.groups, index)
    x = np.bincount(index, weights=models.start) / np.bincount(index)
    x[-2:] = 0.4, 0.3
    at = evaluate(x, problem)
    for p in (0, 1, 7, len(x) - 8, len(x) - 2, len(x) - 1):
        move = np.eye(len(x))[p] * 1e-5
        numeric = (evaluate(x + move, problem).loglik - evaluate(x - move, problem).loglik) / 2e-5
        assert at.gradient[p] == pytest.approx(numeric, rel=1e-5, abs=1e-3)


def test_missing_answers_count_as_far_as_given(polytomous):
    frame, model = polytomous
    holes = frame.astype(float).mask(np.random.default_rng(1).random(frame.shape) < 0.15)
    holes.loc[0] = np.nan
    found = graded_response(holes)
    assert found.n_excluded == 1 and found.n_used == len(frame) - 1 and found.converged
    assert found.slopes == pytest.approx(model.slopes, abs=0.35)
    assert np.diag(found.covariance)[0] > np.diag(model.covariance)[0]
    scores = theta_scores(found, holes)
    assert np.isnan(scores.theta[0]) and scores.n_excluded == 1
    tested = graded_fit(found)
    assert tested.n_used == int(holes.notna().all(axis=1).sum()) and tested.n_used + tested.n_excluded == len(frame)


def test_the_precision_at_the_cutoff(polytomous):
    frame, model = polytomous
    found = measurement_precision(model, cutoffs=[8])
    row = found.at_cutoffs.iloc[0]
    assert curve_at(model, np.array([row["theta"]]))["expected_score"].iloc[0] == pytest.approx(8, abs=1e-9)
    assert row["std_error_theta"] == pytest.approx(row["information"] ** -0.5)
    near = np.random.default_rng(2).random((200_000, 5, 1))
    b = np.array(model.thresholds)
    p = 1 / (1 + np.exp(-model.slopes[:, None] * (row["theta"] - b)))
    assert (near < p).sum(axis=(1, 2)).std() == pytest.approx(row["std_error_score"], rel=0.01)
    assert found.by_sum_score["share_expected"].sum() == pytest.approx(1)
    assert found.to_frame()["term"].tolist()[-1] == "standard error at 8"
    scores = theta_scores(model, frame)
    assert scores.reliability == pytest.approx(found.empirical_reliability)
    with pytest.raises(ParamsError, match=r"99 is outside; above 0 and below 15"):
        measurement_precision(model, cutoffs=[99])


def test_a_reversed_item_is_named_and_not_turned(polytomous):
    frame, model = polytomous
    turned = graded_response(frame.assign(b=3 - frame["b"]))
    assert turned.negative == ("b",) and turned.slopes[1] == pytest.approx(-model.slopes[1], abs=1e-4)
    assert turned.log_likelihood == pytest.approx(model.log_likelihood, abs=1e-6)
    assert any("run against the rest" in note.template for note in turned.notes)
    at = measurement_precision(turned, cutoffs=[8])
    assert np.isnan(at.at_cutoffs["theta"].iloc[0]) and at.notes
    mirrored = graded_response(3 - frame)
    assert (mirrored.slopes > 0).all() and mirrored.slopes == pytest.approx(model.slopes, abs=1e-4)


def test_rare_categories_are_merged_downwards_and_keep_a_value():
    column = [0] * 40 + [1] * 30 + [2] * 2 + [3] * 28
    frame = pd.DataFrame({"a": column, "b": column[::-1]})
    answers = coded_answers(frame, where="x", min_count=5)
    assert answers.merged == (("a", 2.0, 1.0), ("b", 2.0, 1.0))
    assert answers.values[0].tolist() == [0, 1, 3] and (answers.codes[:, 0] == 2).sum() == 28
    lowest = coded_answers(pd.DataFrame({"a": [0] + [1] * 9 + [2] * 9, "b": [0, 1] * 9 + [1]}), where="x", min_count=3)
    assert lowest.merged[0] == ("a", 0.0, 1.0)
    side = np.arange(100) % 2
    group_without = coded_answers(frame.assign(a=np.where(side == 1, frame["a"].clip(upper=1), frame["a"])),
                                  where="x", group=side)  # fmt: skip
    assert group_without.merged == (("a", 2.0, 1.0), ("a", 3.0, 1.0)) and group_without.values[1].tolist() == [
        0,
        1,
        2,
        3,
    ]


def test_person_fit_finds_random_answers_and_spares_extreme_ones():
    rng = np.random.default_rng(11)
    b = np.sort(rng.normal(0.3, 1, (9, 3)), axis=1)
    answers, _ = simulate(rng, 4000, rng.uniform(1.5, 2.5, 9), b)
    answers[:200] = rng.integers(0, 4, (200, 9))
    answers[200:220], answers[220:240] = 3, 0
    model = graded_response(answers)
    found = person_fit(model, answers, seed=4)
    assert found.odd[:200].mean() > 0.5 and not found.odd[200:240].any()
    assert found.odd[240:].mean() < 0.06 and found.share_expected <= 0.05
    assert found.n_used == 4000 and found.to_frame()["term"].tolist()[0] == "share_odd"
    assert found.share == person_fit(model, answers, seed=4).share
    few = pd.DataFrame(answers.astype(float))
    few.iloc[0, 3:] = np.nan
    assert np.isnan(person_fit(model, few).lz[0]) and person_fit(model, few).n_excluded == 1


def test_planted_dif_is_found_and_moves_the_total():
    rng = np.random.default_rng(3)
    slopes, b = rng.uniform(1.3, 2.2, 5), np.sort(rng.normal(0.3, 0.8, (5, 2)), axis=1)
    first, _ = simulate(rng, 900, slopes, b)
    second, _ = simulate(rng, 900, slopes, b, mean=-0.5, shift=[0.7, 0, 0, 0, 0])
    items = pd.DataFrame(np.vstack([first, second]), columns=list("abcde"))
    group = np.repeat(["city", "village"], 900)
    found = dif_likelihood_ratio(items, group, reference="city", cutoffs=[5])
    assert found.flagged == ("a",) and found.anchors == tuple("bcde") and found.n_rounds >= 2
    row = found.items.set_index("item").loc["a"]
    assert row["signed_area"] < -0.2 and row["p_holm"] < 1e-6 and row["nonuniform_p"] > 0.001
    assert found.latent_mean == pytest.approx(-0.5, abs=0.12) and found.at_cutoffs["shift"].iloc[0] < -0.2
    again = dif_likelihood_ratio(items, group, reference="city", anchors=list("bcde"), cutoffs=[5])
    assert again.items["item"].tolist() == ["a"] and again.anchors == tuple("bcde")
    assert again.items["statistic"].iloc[0] == pytest.approx(row["statistic"], abs=1e-5)
    other = dif_likelihood_ratio(items, group, reference="village", purify=False)
    same = dif_likelihood_ratio(items, group, reference="city", purify=False)
    assert other.items["statistic"].to_numpy() == pytest.approx(same.items["statistic"].to_numpy(), abs=2e-3)


def test_what_cannot_be_carried_is_refused(polytomous):
    frame, _ = polytomous
    small = dif_likelihood_ratio(frame, np.arange(len(frame)) < 100, reference=False)
    assert isinstance(small, Refused) and small.code == "dif_small_group"
    three = graded_response(frame[["a", "b", "c"]].ge(2).astype(int))
    assert graded_fit(three).code == "irt_too_few_items"
    lost = graded_response(frame, max_iterations=2)
    assert not lost.converged and lost.notes
    for call in (graded_fit, item_fit, local_dependence, measurement_precision):
        assert call(lost).code == "irt_not_converged"
    for call in (person_fit, theta_scores):
        assert call(lost, frame).code == "irt_not_converged"
    twins = graded_response(frame.assign(b=frame["a"]))
    assert not twins.converged and any("could not be pinned down" in note.template for note in twins.notes)


def test_bad_input_is_told(polytomous):
    frame, model = polytomous
    with pytest.raises(DataError, match="not a number"):
        graded_response(frame.assign(a="x"))
    with pytest.raises(DesignError, match="fewer than two categories were used in a"):
        graded_response(frame.assign(a=1))
    with pytest.raises(DesignError, match=r"20 people for 20 parameters"):
        graded_response(frame.iloc[np.r_[:20]].assign(**{c: np.arange(20) % 4 for c in frame}))
    with pytest.raises(ParamsError, match="is not known"):
        graded_response(frame, slopes="other")
    with pytest.raises(DataError, match="no count"):
        graded_response_from_counts(frame, np.full(len(frame), 0.5))
    with pytest.raises(DataError, match="not the items of the model"):
        theta_scores(model, frame[list("edcba")])
    with pytest.raises(DataError, match="1 answers to a are outside the model's categories"):
        theta_scores(model, frame.assign(a=[9, *frame["a"][1:]]))
    with pytest.raises(ParamsError, match="3 groups"):
        dif_likelihood_ratio(frame, np.arange(len(frame)) % 3, reference=0)
    with pytest.raises(ParamsError, match="no such item: z"):
        dif_likelihood_ratio(frame, np.arange(len(frame)) % 2, reference=0, anchors=["z"])
    with pytest.raises(DataError, match="1 of 1500 rows name no group"):
        dif_likelihood_ratio(frame, [None, *(["x", "y"] * 750)[1:]], reference="x")


def test_people_repeated_ten_times_cost_no_more_patterns_and_shrink_the_errors(polytomous):
    frame, model = polytomous
    ten = graded_response(pd.concat([frame] * 10, ignore_index=True))
    assert ten.n_patterns == model.n_patterns and ten.slopes == pytest.approx(model.slopes, abs=1e-5)
    assert np.sqrt(10) * np.sqrt(np.diag(ten.covariance)) == pytest.approx(np.sqrt(np.diag(model.covariance)), rel=1e-3)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10_000))
def test_order_and_labels_do_not_matter_and_both_doors_agree(seed):
    rng = np.random.default_rng(seed)
    answers, _ = simulate(rng, 400, rng.uniform(0.8, 2.5, 4), np.sort(rng.normal(0, 1, (4, 2)), axis=1))
    model = graded_response(answers)
    order, columns = rng.permutation(400), rng.permutation(4)
    moved = graded_response(answers[order][:, columns])
    assert moved.slopes == pytest.approx(model.slopes[columns], abs=2e-3)
    assert graded_response(10 + 5 * answers).slopes.tolist() == model.slopes.tolist()
    found = patterns_of(answers, np.array([3] * 4))
    other = graded_response_from_counts(found.codes, found.counts)
    assert (other.log_likelihood, *other.slopes) == (model.log_likelihood, *model.slopes)
    frame = model.to_frame()
    assert (frame["conf_low"] <= frame["estimate"]).all() or not model.converged
    precision = measurement_precision(model)
    assert 0 < precision.marginal_reliability < 1 and (precision.curve["information"] > 0).all()


def test_results_are_frozen_and_identical_on_rerun(polytomous):
    frame, model = polytomous
    assert graded_response(frame).slopes.tolist() == model.slopes.tolist()
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.aic = 0

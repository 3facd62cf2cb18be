"""Response quality and missing answers against R (tests/oracle/make_dif.R), by hand, at the edges and as properties."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats.measurement.reliability import cronbach_alpha
from mhlib.stats.measurement.response_flags import FlagRules
from mhlib.stats.measurement.response_indices import even_odd, longest_run, mahalanobis, spread_within
from mhlib.stats.measurement.response_missing import missing_answers
from mhlib.stats.measurement.response_table import response_quality

ORACLE = Path(__file__).resolve().parents[1] / "oracle"
BFI = pd.read_csv(ORACLE / "response_bfi25_rows.csv")
TURNED = BFI.assign(**{name: 7 - BFI[name] for name in ("A1", "C4", "C5", "E1", "E2", "O2", "O5")})
SCALES = {letter: [f"{letter}{i}" for i in range(1, 6)] for letter in "ACENO"}
MISSING = pd.read_csv(ORACLE / "missing_bfi_rows.csv")


def test_indices_equal_r_on_bfi25():
    wanted = pd.read_csv(ORACLE / "response_bfi25.csv").iloc[0]
    answers = BFI.to_numpy(dtype=float)
    distance, p_value = mahalanobis(answers)
    assert distance.max() == pytest.approx(wanted["top"], abs=1e-9) == pytest.approx(106.280477, abs=5e-7)
    assert (p_value < 0.001).sum() == wanted["beyond"] == 84
    assert (
        spread_within(answers).mean()
        == pytest.approx(wanted["mean_irv"], abs=1e-12)
        == pytest.approx(1.59361654, abs=5e-9)
    )
    run, n = np.unique(longest_run(answers), return_counts=True)
    assert run.tolist() == [*range(1, 11), 25]
    assert n.tolist() == [2, 504, 974, 535, 270, 84, 46, 12, 4, 1, 4]


def test_the_record_on_bfi25():
    found = response_quality(BFI, keyed=TURNED, scales=SCALES, cutoff=110)
    table = found.to_frame().set_index("term")
    assert table["n_flagged"].to_dict() == {
        "straight_line": 4, "long_string": 4, "irv": 4, "mahalanobis": 84, "even_odd": 301, "any": 363, "two_or_more": 28,
    }  # fmt: skip
    assert table.at["mahalanobis", "estimate"] == pytest.approx(84 / 2436)
    assert table.at["irv", "min_index"] == 0
    assert not found.floor_legal and found.n_used == 2436
    pair = found.overlap.set_index(["first", "second"])["n_both"]
    assert pair["mahalanobis", "even_odd"] == pair["even_odd", "mahalanobis"] == 24
    _, p_value = mahalanobis(BFI.to_numpy(dtype=float))
    changed = found.with_without.set_index(["without", "statistic"])
    left = TURNED[p_value >= 0.001]
    assert changed.at[("mahalanobis", "alpha"), "remaining"] == pytest.approx(cronbach_alpha(left).alpha)
    assert changed.at[("mahalanobis", "alpha"), "everybody"] == pytest.approx(cronbach_alpha(TURNED).alpha)
    assert changed.at[("mahalanobis", "share_positive"), "remaining"] == pytest.approx((left.sum(axis=1) >= 110).mean())
    assert changed.at[("mahalanobis", "mean_score"), "difference"] == pytest.approx(
        left.sum(axis=1).mean() - TURNED.sum(axis=1).mean()
    )


def test_even_odd_is_the_correlation_of_halves():
    value = even_odd(TURNED.to_numpy(dtype=float), list(TURNED), SCALES)
    for person in (0, 17, 400):
        row = TURNED.iloc[person]
        even = [row[[items[1], items[3]]].mean() for items in SCALES.values()]
        odd = [row[[items[0], items[2], items[4]]].mean() for items in SCALES.values()]
        r = np.corrcoef(even, odd)[0, 1]
        assert value[person] == pytest.approx(max(2 * r / (1 + r), -1))


def healthy_and_ill():
    rng = np.random.default_rng(8)
    items = np.clip(np.round(1 + rng.normal(size=(300, 1)) + rng.normal(size=(300, 12))), 0, 3)
    items[:40], items[40:50] = 0, 3
    return pd.DataFrame(items)


def test_a_floor_pattern_is_a_legal_answer_and_the_highest_to_everything_is_flagged():
    items = healthy_and_ill()
    found = response_quality(items, cutoff=20)
    table = found.to_frame().set_index("term")
    ceiling = int((items == 3).all(axis=1).sum())
    assert found.floor_legal and table.at["straight_line", "n_flagged"] == ceiling >= 10
    assert table.at["irv", "n_flagged"] == ceiling
    # All of them are positives: to drop them would lower the share positive, which the record shows.
    assert table.at["straight_line", "flagged_negative"] == 0
    moved = found.with_without.set_index(["without", "statistic"]).loc[("straight_line", "share_positive")]
    assert moved["difference"] < 0 and moved["n_without"] == ceiling
    # With reversed items the same pattern contradicts itself.
    odd = items.copy()
    odd[11] = 3 - odd[11]
    both = response_quality(items, keyed=odd).to_frame().set_index("term")
    assert both.at["straight_line", "n_flagged"] == ceiling + int((items == 0).all(axis=1).sum())


def test_a_run_at_the_floor_counts_only_with_reversed_items():
    answers = np.array([[0, 0, 0, 0, 1, 1], [2, 2, 2, 0, 0, 0], [0, 0, 0, 0, 0, 0], [3, 3, 3, 3, 3, 3]], dtype=float)
    assert longest_run(answers).tolist() == [4, 3, 6, 6]
    assert longest_run(answers, above=0).tolist() == [2, 3, 0, 6]


def test_what_was_collected_elsewhere_joins_in():
    items = healthy_and_ill()
    n = len(items)
    lie, seconds, fit = np.arange(n) % 10, np.full(n, 60.0), np.linspace(-3, 3, n)
    seconds[:5], seconds[5:9] = 12, np.nan
    rules = FlagRules(lie_at=7, seconds_per_item=2, person_fit_below=-2)
    table = response_quality(items, lie=lie, seconds=seconds, person_fit=fit, rules=rules).to_frame().set_index("term")
    assert table.at["lie", "n_flagged"] == (lie >= 7).sum()
    assert (table.at["speed", "n_flagged"], table.at["speed", "n_known"]) == (5, n - 4)
    assert table.at["speed", "estimate"] == pytest.approx(5 / (n - 4))
    assert table.at["person_fit", "n_flagged"] == (fit < -2).sum()
    stricter = FlagRules(lie_at=8)
    assert response_quality(items, lie=lie, rules=stricter).to_frame().set_index("term").at["lie", "n_flagged"] == 60


def test_missing_rows_and_clusters():
    items = healthy_and_ill().astype(float)
    items.iloc[7, 3] = np.nan
    school = np.arange(300) // 20
    plain, clustered = response_quality(items), response_quality(items, cluster=school)
    assert (plain.n_used, plain.n_excluded) == (299, 1)
    row = [result.to_frame().set_index("term").loc["straight_line"] for result in (plain, clustered)]
    assert row[0]["estimate"] == row[1]["estimate"]
    # The ten ceiling patterns sit in one school.
    assert row[1]["std_error"] > 1.5 * row[0]["std_error"]


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [({"lie": np.zeros(300)}, ParamsError, "lie_at"), ({"seconds": [1.0]}, DataError, "one value per person"),
     ({"keyed": np.ones((3, 12))}, DesignError, "variation"), ({"keyed": healthy_and_ill()[[0, 1]]}, DataError, "shape"),
     ({"scales": {"a": [0, 1]}}, ParamsError, "three or more"),
     ({"rules": FlagRules(long_string_at=40)}, ParamsError, "number of items"),
     ({"rules": FlagRules(mahalanobis_p=0)}, ParamsError, "between 0 and 1"),
     ({"rules": FlagRules(seconds_per_item=0)}, ParamsError, "above 0"),
     ({"scales": {"a": ["0", "1"], "b": ["2", "3"], "c": ["4", "zz"]}}, ParamsError, "no item")],
)  # fmt: skip
def test_faults_are_told(change, error, text):
    with pytest.raises(error, match=text):
        response_quality(healthy_and_ill(), **change)


def test_a_sum_among_the_items_is_told():
    items = healthy_and_ill()
    with pytest.raises(DesignError, match="sum of others"):
        response_quality(items.assign(total=items.sum(axis=1)))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=1, max_size=20))
def test_runs_are_those_of_a_slow_count(rows):
    from itertools import groupby

    answers = np.array(rows, dtype=float)
    for above in (-np.inf, 0):
        slow = [max([len(list(run)) for value, run in groupby(row) if value > above] or [0]) for row in rows]
        assert longest_run(answers, above=above).tolist() == slow


def test_missing_answers_equal_r():
    wanted = pd.read_csv(ORACLE / "missing_bfi.csv").iloc[0]
    found = missing_answers(MISSING.drop(columns="gender"), group=MISSING["gender"], little=True)
    assert (found.n_used, found.n_patterns) == (wanted["n"], wanted["patterns"])
    assert found.share_complete == pytest.approx(wanted["complete"])
    table = found.to_frame().set_index("term")
    assert (table.at["N1", "n_missing"], table.at["O1", "n_missing"]) == (wanted["missing_n1"], wanted["missing_o1"])
    assert found.by_group.iloc[0]["p_value"] == pytest.approx(wanted["p_gender_n1"], abs=1e-12)
    # lavaan's optimiser stops by its own tolerance.
    assert found.little.chi2 == pytest.approx(wanted["little"], rel=1e-7) and found.little.df == wanted["little_df"]


def test_little_by_hand():
    # One item always seen, one seen by half: both patterns share the mean of the first, so nothing speaks against chance.
    values = np.array([[0, 1], [1, 2], [2, 0], [0, np.nan], [1, np.nan], [2, np.nan]])
    found = missing_answers(values, little=True).little
    assert found.chi2 == pytest.approx(0, abs=1e-9) and found.df == 1 and found.n_patterns == 2
    # Shift the second half: mean gap 3, every row's variance about the common mean 2/3 + 9/4.
    values[3:, 0] += 3
    found = missing_answers(values, little=True).little
    assert found.chi2 == pytest.approx(6 * 1.5**2 / (2 / 3 + 9 / 4))


def test_patterns_and_breaking_off():
    gone = np.nan
    values = np.array([[1, 2, 3], [1, 2, gone], [1, gone, gone], [gone, 2, 3], [gone, gone, gone], [2, 3, gone]])
    found = missing_answers(pd.DataFrame(values, columns=list("abc")), most_patterns=2)
    assert found.patterns.iloc[0]["missing"] == ("c",) and found.patterns.iloc[0]["n"] == 2
    assert found.n_patterns == 5 and found.n_in_other_patterns == 3
    assert found.share_broke_off == pytest.approx(3 / 6) and found.share_empty == pytest.approx(1 / 6)
    assert found.to_frame()["n_missing"].tolist() == [2, 2, 4]


def test_missing_by_group_keeps_the_unnamed_and_heeds_schools():
    rng = np.random.default_rng(2)
    school = np.repeat(np.arange(40), 50)
    lost = rng.random(2000) < np.repeat(rng.beta(0.5, 4, 40), 50)
    values = pd.DataFrame({"a": np.where(lost, np.nan, rng.integers(0, 3, 2000)), "b": rng.integers(0, 3, 2000)})
    group = pd.Series(np.where(school < 20, "rural", "urban")).mask(np.arange(2000) % 100 == 0)
    found = missing_answers(values, group=group, cluster=school)
    assert set(found.by_group["group"]) == {"rural", "urban", "not stated"}
    two = ["rural", "urban"]
    from statsmodels.regression.linear_model import OLS

    named = group.notna().to_numpy()
    peer = OLS(lost[named] * 1.0, np.column_stack([np.ones(named.sum()), group[named] == "urban"]).astype(float))
    t = peer.fit(cov_type="cluster", cov_kwds={"groups": school[named]}).tvalues[1]
    n = named.sum()
    wanted = stats.f.sf(t**2 * (n - 1) / (n - 2), 1, 39)
    clear = missing_answers(values[named], group=group[named], cluster=school[named]).by_group
    assert clear.loc[0, "p_value"] == pytest.approx(wanted)
    naive = missing_answers(values[group.notna()], group=group[group.notna()]).by_group
    robust = missing_answers(values[group.notna()], group=group[group.notna()], cluster=school[group.notna()]).by_group
    assert robust.loc[0, "p_value"] > naive.loc[0, "p_value"]
    assert robust.loc[robust["group"].isin(two), "estimate"].tolist() == naive["estimate"].tolist()
    assert np.isnan(robust.set_index("item").loc["b", "p_value"]).all(), "nothing missing, nothing to test"


@pytest.mark.parametrize(
    ("items", "error"),
    [([["x", 1]], DataError), ([[np.inf, 1]], DataError), (np.empty((0, 3)), DesignError),
     (pd.DataFrame([[1, 2]], columns=["a", "a"]), DataError)],
)  # fmt: skip
def test_faults_of_missing_answers_are_told(items, error):
    with pytest.raises(error):
        missing_answers(items)


def test_little_needs_items_answered_together():
    with pytest.raises(DesignError, match="never answered together"):
        missing_answers([[1, np.nan], [2, np.nan], [np.nan, 1], [np.nan, 2]], little=True)


def test_patterns_of_very_many_items_are_told_apart(rng):
    table = rng.random((500, 150)) < 0.02
    table[250:] = table[:250]
    values = np.where(table, np.nan, 1.0)
    found = missing_answers(values, most_patterns=1000)
    wanted = pd.DataFrame(table).value_counts()
    assert found.n_patterns == len(wanted) and found.patterns["n"].tolist() == wanted.tolist()
    mixed = missing_answers(values[rng.permutation(500)], most_patterns=1000)
    pd.testing.assert_frame_equal(found.patterns, mixed.patterns)

"""Groups made alike by weights: by hand, on files made here whose truth is known, and where no effect may be given."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.analyses.parts import outcome_hidden, outcome_matched
from mhlib.findings import Refused
from mhlib.report.disclosure import Gate
from mhlib.report.language import words

OPEN, PUBLIC = Gate.of("open_data"), Gate.of("public")
GIVEN = {
    "evaluation": "intervention_outcomes", "source": "t.csv", "as_of": "2026-01-01", "seed": 1, "outcome": "distress",
    "n_boot": 200, "n_imputations": 5, "design": "matched", "allocated": "pupil_pid", "cluster": "school_pid",
    "columns": {"pupil_pid": "id", "school_pid": "school", "arm": "group"}, "arms": ["control", "programme"],
    "occasions": {"pre": "before", "post": "after"}, "baseline": "pre", "primary": "post", "levels": ["school_pid"],
    "case_cutoff": 29.0, "reliability": 0.7,
}  # fmt: skip
DRAWN = ("estimate", "love", "overlap", "balance", "estimators", "effective")
PLANTED = -2.0


def read(folder, monkeypatch, frame: pd.DataFrame, **changes):
    monkeypatch.setenv("MHLIB_DATA", str(folder))
    frame.to_csv(folder / "t.csv", index=False)
    params = analysis.Params.from_mapping(GIVEN | changes, where="test")
    return analysis.load(params), params


def section(folder, monkeypatch, frame: pd.DataFrame, **changes):
    return outcome_matched.section(*read(folder, monkeypatch, frame, **changes))


def by_hand() -> pd.DataFrame:
    """Chances 1/3 at a baseline of 10 and 2/3 at 20; service moves the outcome by -1 and by -3 there."""
    rows = []
    for base, served, unserved, change in ((10, 30, 60, -1), (20, 60, 30, -3)):
        for arm, n, mean in (("programme", served, base + change), ("control", unserved, base)):
            rows += [{"group": arm, "school": f"s{at % 10}", "before": base, "after": mean + (1 if at // 10 % 2 else -1)}
                     for at in range(n)]  # fmt: skip
            if n // 10 % 2:
                # An odd number of rounds over the schools: the last one has no noise, so that means stay whole.
                for row in rows[-10:]:
                    row["after"] = mean
    return pd.DataFrame(rows).assign(id=lambda frame: [f"p{at}" for at in range(len(frame))])


def chosen(
    seed: int = 1, *, schools: int = 40, pupils: int = 60, hidden: float = 0.0, strong: float = 0.6
) -> pd.DataFrame:
    """Whoever is worse off, a girl or older is likelier to be served; `hidden` acts on service and outcome, unmeasured."""
    rng = np.random.default_rng(seed)
    n, school = schools * pupils, np.repeat(np.arange(schools), pupils)
    cause, sex, age = rng.normal(size=n), rng.integers(0, 2, n), rng.integers(10, 16, n)
    base = np.round(22 + 5 * rng.normal(size=n) + rng.normal(0, 1, schools)[school])
    odds = strong * (base - 22) / 5 + 0.5 * (sex - 0.5) + 0.2 * (age - 12.5) + hidden * cause - 0.4
    served = rng.random(n) < 1 / (1 + np.exp(-odds))
    after = 22 + 0.6 * (base - 22) + sex + 0.5 * (age - 12.5) + 2 * hidden * cause + PLANTED * served
    after = after + rng.normal(0, 1, schools)[school] + rng.normal(0, 4, n)
    return pd.DataFrame({
        "id": [f"p{at}" for at in range(n)], "school": [f"s{at}" for at in school], "sex": sex, "age": age,
        "group": np.where(served, "programme", "control"), "before": base, "after": after.round(2),
        "boards": rng.choice(["yes", "no"], n), "level": np.where(school % 3 == 0, "P", "J"),
    })  # fmt: skip


FULL = {
    "columns": GIVEN["columns"] | {"sex": "sex", "boarding": "boards", "level": "level"},
    "values": {"boarding": {"yes": True, "no": False}}, "covariates": ["sex", "age", "level"],
}  # fmt: skip


def ways(found) -> pd.DataFrame:
    return found.estimators.table.set_index("group")


def said(messages, gate: Gate = OPEN) -> str:
    return " ".join(words(one, "en", gate) for one in messages)


def codes(found) -> set[str]:
    return {getattr(found, name).code for name in ("effect", *DRAWN)}


# --- what it gives -----------------------------------------------------------------------------------------------------
def test_the_weighted_differences_by_hand(tmp_path, monkeypatch):
    found = section(tmp_path, monkeypatch, by_hand())
    # Overlap: n e (1 - e) = 20 and 20, so the plain mean of -1 and -3; the served: 30 and 60 of 90; all: 90 and 90.
    table = ways(found)["estimate"]
    assert found.effect.estimate == pytest.approx(-2.0, abs=1e-6)
    assert table["matched_overlap"] == pytest.approx(-2.0, abs=1e-6)
    assert table["matched_entropy"] == pytest.approx(-7 / 3, abs=1e-6)
    assert table["matched_ipw"] == pytest.approx(-2.0, abs=1e-6)
    # 43/3 of the served less 40/3 of the unserved.
    assert table["matched_unadjusted"] == pytest.approx(1.0, abs=1e-9)
    # Overlap weights are 2/3 and 1/3 of the served: (30 * 2/3 + 60 / 3)² / (30 * 4/9 + 60 / 9) = 80.
    worth = found.effective.table.set_index("analysis_named").loc["matched_overlap"]
    assert (worth["effective_served"], worth["effective_unserved"]) == (pytest.approx(80), pytest.approx(80))


def test_the_planted_effect_lies_in_the_interval_and_the_plain_difference_hides_it(tmp_path, monkeypatch):
    found = section(tmp_path, monkeypatch, chosen(), **FULL)
    effect = found.effect
    assert effect.conf_low < PLANTED < effect.conf_high < 0
    assert effect.n_used == 2400 and effect.n_clusters == 40
    assert effect.g_low < effect.g < effect.g_high < 0
    assert ways(found).loc["matched_unadjusted", "conf_high"] > -1
    assert "no effect" in words(ways(found).loc["matched_unadjusted", "about_said"], "en", OPEN)
    assert "could have been in either group" in said(found.reading)


def test_a_hidden_cause_misleads_and_the_report_says_how_strong_one_must_be(tmp_path, monkeypatch):
    trial, params = read(tmp_path, monkeypatch, chosen(hidden=1.0), **FULL)
    found = outcome_matched.section(trial, params)
    # What was measured is alike, every check holds, and the interval misses the truth all the same.
    assert all(check.passed for check in found.checks)
    assert found.effect.conf_low > PLANTED
    hidden = outcome_hidden.section(trial, params, found.effect)
    table = hidden.values.table.set_index("term")["estimate"]
    assert table["e_value"] > 1 and 0 < table["robustness_value"] < 1
    assert "robustness_value_alpha" not in table, "its significance supposes pupils who stand alone"
    assert set(hidden.benchmarks.table["group"]) == {"b", "sex", "age"}
    assert next(light for light in found.domains if "not measured" in light.name.template).state == "watch"


def test_balance_before_and_after(tmp_path, monkeypatch):
    found = section(tmp_path, monkeypatch, chosen(), **FULL)
    table = found.balance.table.set_index("property_named")
    assert table.loc["start_b", "g"] > 0.25
    assert table.loc[table["adjusted_for"], "g_weighted"].abs().max() < 1e-8
    # Boarding was not adjusted for and is looked at all the same.
    assert not table.loc["start_boarding", "adjusted_for"]
    assert abs(table.loc["start_boarding", "g_weighted"]) > 1e-6
    love = found.love.table
    assert list(love["term"].unique()) == ["weighting_before", "weighting_after"] and len(love) == 2 * len(table)


def test_what_is_not_adjusted_for_may_stay_unlike(tmp_path, monkeypatch):
    frame = chosen()
    frame["boards"] = np.where((frame["group"] == "programme") & (frame["age"] > 10), "yes", "no")
    found = section(tmp_path, monkeypatch, frame, **FULL)
    check = next(one for one in found.checks if "not adjusted for" in one.name.template)
    assert check.passed is False
    assert next(light for light in found.domains if light.name.template == "Alike after weighting").state == "bad"


def test_whoever_misses_a_covariate_is_counted(tmp_path, monkeypatch):
    frame = chosen()
    frame["age"] = frame["age"].astype(float)
    frame.loc[:29, "age"] = math.nan
    frame.loc[30:59, "boards"] = None
    trial, params = read(tmp_path, monkeypatch, frame, **FULL | {"covariates": ["sex", "age", "boarding"]})
    found = outcome_matched.section(trial, params)
    assert found.effect.n_used == 2340
    assert "60 pupils miss a covariate" in said(found.reading)
    assert not isinstance(outcome_hidden.section(trial, params, found.effect).values, Refused)


def test_pupils_without_schools_are_independent(tmp_path, monkeypatch):
    columns = {"pupil_pid": "id", "arm": "group"}
    trial, params = read(tmp_path, monkeypatch, chosen(schools=10), columns=columns, cluster="", levels=[])
    found = outcome_matched.section(trial, params)
    assert found.effect.n_clusters == found.effect.n_used == 600
    assert "robustness_value_alpha" in set(outcome_hidden.section(trial, params, found.effect).values.table["term"])


def test_no_exact_count_passes_the_gate(tmp_path, monkeypatch):
    found = section(tmp_path, monkeypatch, chosen(), **FULL)
    served = int((chosen()["group"] == "programme").sum())
    assert served % 5, "else the test says nothing"
    for name in DRAWN:
        frame = PUBLIC.frame(getattr(found, name).to_frame(), where=name)
        numbers = [cell for cell in frame.to_numpy().ravel() if isinstance(cell, (int, float))]
        assert numbers and not np.isclose(numbers, served).any(), name
    assert str(served) not in said(found.reading, PUBLIC)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.01, 0.99), min_size=10, max_size=300))
def test_every_bin_of_the_overlap_holds_ten_pupils_and_nobody_is_lost(chances):
    found = outcome_matched.bins(np.array(chances))
    assert sum(n for _, _, n in found) == len(chances)
    assert min(n for _, _, n in found) >= 10
    assert all(high == pytest.approx(low) for (_, high, _), (low, _, _) in pairwise(found))


def test_every_name_stands_in_the_vocabulary_and_the_rest_of_the_report_holds(tmp_path, monkeypatch):
    trial, params = read(tmp_path, monkeypatch, chosen(schools=20), **FULL)
    found = outcome_matched.section(trial, params)
    for name in DRAWN:
        assert len(PUBLIC.frame(getattr(found, name).to_frame(), where=name))
    result = analysis.estimate(trial, params)
    assert analysis.answer(result, params) and analysis.lights(result, params)


# --- what it refuses ---------------------------------------------------------------------------------------------------
def test_another_design_leaves_no_trace(tmp_path, monkeypatch):
    found = section(tmp_path, monkeypatch, by_hand(), design="school_rct")
    assert codes(found) == {"other_design"} and found.domains == found.checks == found.reading == []


@pytest.mark.parametrize(
    ("change", "code"),
    [({"baseline": ""}, "no_baseline"), ({"arms": ["none", "programme"]}, "no_control")],
)
def test_without_baseline_or_controls_nothing_is_given(tmp_path, monkeypatch, change, code):
    assert codes(section(tmp_path, monkeypatch, by_hand(), **change)) == {code}


def test_a_panel_has_no_pupils_to_weigh(tmp_path, monkeypatch):
    frame = pd.DataFrame(
        {"u": list("ab") * 4, "t": np.repeat(range(4), 2), "y": range(8), "e": [0, 0, 0, 0, 1, 0, 1, 0]}
    )
    columns = {"unit": "u", "time": "t", "outcome": "y", "exposure": "e"}
    found = section(tmp_path, monkeypatch, frame, columns=columns, allocated="unit", cluster="", occasions={}, baseline="",
                    primary="", levels=[])  # fmt: skip
    assert codes(found) == {"no_pupils"}


def test_service_that_follows_from_the_baseline_is_refused(tmp_path, monkeypatch):
    frame = chosen(schools=10)
    frame["group"] = np.where(frame["before"] > 22, "programme", "control")
    found = section(tmp_path, monkeypatch, frame)
    assert codes(found) == {"design"}


def test_groups_that_hardly_overlap_get_no_effect_but_show_why(tmp_path, monkeypatch):
    frame = chosen(schools=10)
    frame["group"] = np.where(frame["before"] > 22, "programme", "control")
    # A few served from all over below the cut-off, and as many unserved just above it, let the logit exist.
    swapped = frame[frame["before"].between(21, 24)].index[::3]
    frame.loc[swapped, "group"] = np.where(frame.loc[swapped, "group"] == "control", "programme", "control")
    found = section(tmp_path, monkeypatch, frame)
    assert isinstance(found.effect, Refused) and found.effect.code == "no_overlap"
    assert found.estimators.code == found.estimate.code == "no_overlap"
    assert not isinstance(found.overlap, Refused)
    assert next(light for light in found.domains if "Counterparts" in light.name.template).state == "bad"


def test_a_handful_of_effective_pupils_is_refused(tmp_path, monkeypatch):
    frame = chosen(schools=10)
    served = np.flatnonzero(frame["group"] == "programme")
    found = section(tmp_path, monkeypatch, frame.drop(index=served[8:]))
    assert found.effect.code == found.estimate.code == found.estimators.code == "few_effective_pupils"


def test_nobody_with_every_covariate(tmp_path, monkeypatch):
    frame = by_hand().assign(age=lambda rows: np.where(rows["group"] == "control", np.nan, 12.0))
    found = section(tmp_path, monkeypatch, frame, covariates=["age"])
    assert codes(found) == {"no_complete_rows"}


def test_few_schools_give_no_interval(tmp_path, monkeypatch):
    found = section(tmp_path, monkeypatch, chosen(schools=3, pupils=100))
    assert math.isnan(found.effect.conf_low) and math.isnan(found.effect.p_value)
    assert next(light for light in found.domains if "agree" in light.name.template).state == "unknown"

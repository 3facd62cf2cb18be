"""Whom teachers name and how pupils fare: a city made by hand, by the simulator, and sources that must be refused."""

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import teacher_training as analysis
from mhlib.analyses.parts import training_behaviour, training_pupils
from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.sections import Drawn
from mhlib.data.synthetic import planted, training, workforce
from mhlib.findings import Refused
from mhlib.report.disclosure import Gate

SCHOOLS, PUPILS, WAVES, START = 40, 120, 6, 5
GIVEN = {
    "evaluation": "teacher_training", "source": "town", "as_of": "2026-03-20", "seed": 1, "design": "wait_list",
    "assignment_unit": "school_pid", "occasions": {"pre": "pre", "post": "post", "later": "three_months"}, "baseline": "pre",
    "primary": "post", "follow_up": "later", "primary_measure": "knowledge", "levels": ["school_pid"],
    "measures": ["knowledge"], "ranges": {"knowledge": [0, 40]}, "named_from_wave": START, "cutoff": 10,
}  # fmt: skip
FLAT = {
    "evaluation": "teacher_training", "source": "t.csv", "as_of": "2026-01-01", "seed": 1, "design": "teacher_rct",
    "assignment_unit": "teacher_pid", "arms": ["wait", "trained"], "occasions": {"pre": "pre", "post": "post"}, "baseline": "pre",
    "primary": "post", "primary_measure": "score", "measures": ["score"], "ranges": {"score": [0, 100]}, "tier": "",
}  # fmt: skip
NAMING = planted.NOMINATION
DAYS = pd.date_range("2023-09-05", periods=WAVES, freq="152D")
GAIN = NAMING["case_after"] - NAMING["case_before"]


def teachers(seed=3):
    """Tables of teachers and training of the forty schools, as the simulator makes them, and which schools were trained."""
    school = pd.DataFrame({"school_pid": [f"S{at:03d}" for at in range(SCHOOLS)], "size_weight": 1.0})
    made = workforce.teachers(seed, school, 6_000)
    trained = workforce.trained_schools(seed, school["school_pid"].to_numpy())
    return made | training.training(seed, made["teacher"], school, trained), trained


def pupils(trained, seed=5, *, effect=0.0, by_naming=1.0):
    """Screens, interviews, names given and cases of every wave, from the planted chances; `effect` in points of the score."""
    rng, parts = np.random.default_rng(seed), []
    school = np.repeat(np.arange(SCHOOLS), PUPILS)
    for wave in range(1, WAVES + 1):
        n, after = len(school), trained[school] & (wave >= START)
        case = rng.random(n) < 0.2
        answers = rng.binomial(3, np.where(case, 0.55, 0.18)[:, None], (n, 9))
        shift = rng.random(n) < abs(effect) / 3 if effect else np.zeros(n, dtype=bool)
        answers[:, :3] = np.where((shift & after)[:, None], np.maximum(answers[:, :3] - 1, 0), answers[:, :3])
        score = answers.sum(axis=1)
        chance = np.where(score >= 10, 0.85, 0.20)
        named = rng.random(n) < np.where(
            case, np.where(after, NAMING["case_after"], NAMING["case_before"]), NAMING["other_before"]
        )
        parts.append(pd.DataFrame({
            "pupil_pid": [f"P{at:05d}" for at in range(n)], "school_pid": [f"S{at:03d}" for at in school], "wave": wave,
            **{f"phq_9_{j + 1}": answers[:, j] for j in range(9)}, "case": case, "chance": chance, "named": named,
            "seen": rng.random(n) < chance * np.where(named, 1.0, by_naming), "day": DAYS[wave - 1],
            "sampled": np.where(score >= 10, "positive", "negative_sample"),
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def tables(rows, seed=9):
    """The city's tables of what happened to pupils."""
    rng = np.random.default_rng(seed)
    who = ["pupil_pid", "school_pid", "wave"]
    named, seen = rows[rows["named"]], rows[rows["seen"]]
    cases = seen[seen["case"]].assign(case_pid=lambda frame: [f"K{at}" for at in range(len(frame))])
    wait = pd.to_timedelta(rng.integers(10, 80, len(cases)), unit="D")
    return {
        "response": rows[[*who, *(f"phq_9_{j}" for j in range(1, 10))]],
        "enrolment": rows[who],
        "nomination": named[who].assign(teacher_pid="T1", named_on=named["day"], concern=1),
        "assessment": seen[[*who, "sampled", "case"]].assign(probability=seen["chance"]),
        "case": cases[["case_pid", *who]].assign(opened=cases["day"], level="school"),
        "event": pd.DataFrame({"case_pid": cases["case_pid"], "kind": np.where(rng.random(len(cases)) < 0.6, "referred", "closed"),
                               "date": cases["day"] + wait}),
    }  # fmt: skip


def town(root, made):
    (root / "town").mkdir(exist_ok=True)
    for path in (root / "town").glob("*.parquet"):
        path.unlink()
    for name, table in made.items():
        table.to_parquet(root / "town" / f"{name}.parquet")


@pytest.fixture(scope="module")
def made():
    """Everything the forty schools hold, the rows behind it, and which were trained."""
    staff, trained = teachers()
    rows = pupils(trained)
    kept = ("teacher", "training_score", "training_event", "training_enrolment")
    return {name: staff[name] for name in kept} | tables(rows), rows, trained


def loaded(root, made, monkeypatch, **changes):
    town(root, made)
    monkeypatch.setenv("MHLIB_DATA", str(root))
    params = analysis.Params.from_mapping(GIVEN | changes, where="test")
    return params, analysis.load(params)


@pytest.fixture(scope="module")
def found(made, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        params, data = loaded(tmp_path_factory.mktemp("data"), made[0], patch, conf_level=0.99, alpha=0.01)
        return params, data, training_behaviour.section(data, params), training_pupils.section(data, params)


def without(made, *names):
    return {name: table for name, table in made.items() if name not in names}


def inside(row, truth):
    return row["conf_low"] <= truth <= row["conf_high"]


def test_what_was_planted_lies_inside_the_intervals(found):
    behaviour = found[2]
    assert behaviour.gained.conf_low <= GAIN <= behaviour.gained.conf_high
    assert behaviour.gained.conf_low > 0
    shares = behaviour.accuracy.table.set_index(["term", "arm_shown", "period_shown"])
    assert inside(shares.loc["sensitivity", "arm_trained", "naming_after"], NAMING["case_after"])
    for group in (
        ("arm_trained", "naming_before"),
        ("arm_untrained", "naming_before"),
        ("arm_untrained", "naming_after"),
    ):
        assert inside(shares.loc[("sensitivity", *group)], NAMING["case_before"])
        assert inside(shares.loc[("specificity", *group)], 1 - NAMING["other_before"])
    estimates = behaviour.estimate.table.set_index("term")
    assert inside(estimates.loc["naming_gain_positive"], 100 * GAIN)
    assert inside(estimates.loc["naming_gain_school"], 100 * GAIN)
    assert inside(estimates.loc["naming_gain_clean"], 100 * GAIN)
    assert inside(estimates.loc["naming_others"], 0.0)
    assert inside(estimates.loc["naming_rate"], 1000 * 0.2 * GAIN)


def test_predictive_value_is_that_of_the_planted_chances(found):
    table = found[2].ppv.table.set_index(["arm_shown", "period_shown"])
    for group, chance in (
        (("arm_trained", "naming_before"), NAMING["case_before"]),
        (("arm_trained", "naming_after"), NAMING["case_after"]),
    ):
        true = 0.2 * chance / (0.2 * chance + 0.8 * NAMING["other_before"])
        assert inside(table.loc[group], true)


def test_change_is_of_the_arms_within_waves(found, made):
    _, rows, trained = made
    seen = rows[rows["seen"] & rows["case"]]
    arm = dict(zip([f"S{at:03d}" for at in range(SCHOOLS)], trained, strict=True))
    mine = seen["school_pid"].map(arm).to_numpy(dtype=float)
    waves = (seen["wave"].to_numpy()[:, None] == np.arange(1, WAVES + 1)).astype(float)
    design = np.column_stack([waves, mine, mine * (seen["wave"].to_numpy() >= START)])
    root = np.sqrt(1 / seen["chance"].to_numpy())
    by_hand = np.linalg.lstsq(design * root[:, None], seen["named"].to_numpy(dtype=float) * root, rcond=None)[0][-1]
    assert found[2].gained.estimate == pytest.approx(by_hand, abs=1e-10)


def test_with_interviews_of_every_wave_it_is_the_difference_of_four_shares(found, made):
    _, rows, trained = made
    seen = rows[rows["seen"] & rows["case"]]
    arm = dict(zip([f"S{at:03d}" for at in range(SCHOOLS)], trained, strict=True))
    share = {}
    for t in (True, False):
        for after in (True, False):
            part = seen[(seen["school_pid"].map(arm) == t) & ((seen["wave"] >= START) == after)]
            share[t, after] = (part["named"] / part["chance"]).sum() / (1 / part["chance"]).sum()
    by_hand = share[True, True] - share[True, False] - share[False, True] + share[False, False]
    assert found[2].gained.estimate == pytest.approx(by_hand, abs=0.01)


def test_rates_are_of_all_enrolled(found, made):
    _, rows, trained = made
    first = found[2].rates_table.table.iloc[0]
    part = rows[(rows["wave"] == 1) & rows["school_pid"].isin([f"S{at:03d}" for at in np.flatnonzero(trained)])]
    assert (first["arm_shown"], first["n_used"]) == ("arm_trained", len(part))
    assert first["per_thousand"] == pytest.approx(1000 * part["named"].mean())
    assert first["per_thousand_low"] < first["per_thousand"] < first["per_thousand_high"]


def test_flow_counts_shrink(found):
    table = found[2].flow.table
    for a, b in (("n_named", "n_named_screened"), ("n_named_screened", "n_named_positive"), ("n_named", "n_named_interviewed"),
                 ("n_named_interviewed", "n_named_case")):  # fmt: skip
        assert (table[a] >= table[b]).all()


def test_waits_and_dose_and_trends_are_given(found):
    behaviour = found[2]
    waits = behaviour.waits.table
    assert list(waits["days_from"].unique()) == [30, 60]
    assert waits["estimate"].between(0, 1).all()
    last = waits[
        (waits["arm_shown"] == "arm_trained") & (waits["period_shown"] == "naming_before") & (waits["days_from"] == 60)
    ]
    assert 0.30 < last["estimate"].iloc[0] < 0.75
    assert set(behaviour.dose.table["term"]) <= {"naming_dose", "naming_dose_trained"}
    assert behaviour.pretrend.table["tested_terms"].iloc[0] == START - 2
    honest = behaviour.honest.table
    width = (honest["conf_high"] - honest["conf_low"]).to_numpy()
    assert (np.diff(width) > 0).all()


def test_waves_while_training_went_on_are_noticed(found, made, tmp_path, monkeypatch):
    early = next(one for one in found[2].checks if one.name.template.startswith("Waves before"))
    assert early.passed is False
    table = found[2].estimate.table.set_index("term")
    assert table.loc["naming_gain_clean", "n_used"] < table.loc["naming_gain_positive", "n_used"]
    late = made[0]["training_event"].assign(held_on=DAYS[START - 1] - pd.Timedelta(days=9))
    params, data = loaded(tmp_path, made[0] | {"training_event": late}, monkeypatch)
    result = training_behaviour.section(data, params)
    assert next(one for one in result.checks if one.name.template.startswith("Waves before")).passed is True
    assert "naming_gain_clean" not in set(result.estimate.table["term"])
    assert result.dose.table["term"].to_list()[0] == "naming_dose"


def test_pupils_null_is_said_with_what_is_excluded(found):
    pupils_ = found[3]
    assert pupils_.effect.conf_low <= 0 <= pupils_.effect.conf_high
    assert pupils_.positives.conf_low <= 0 <= pupils_.positives.conf_high
    said = [one.template for one in pupils_.reading]
    assert training_pupils.NULL.template in said
    assert training_pupils.NO_MATTER.template in said
    row = pupils_.detectable.table.iloc[0]
    assert 0 < row["excluded_sd"] < found[0].margin
    assert row["p_equivalent"] < 0.05
    assert row["excluded_points"] == pytest.approx(row["excluded_sd"] * pupils_.effect.sd)


def test_null_with_a_narrow_margin_is_no_proof(found, made, tmp_path, monkeypatch):
    params, data = loaded(tmp_path, made[0], monkeypatch, margin=0.001)
    result = training_pupils.section(data, params)
    assert training_pupils.NO_PROOF.template in [one.template for one in result.reading]
    assert result.detectable.table["p_equivalent"].iloc[0] > 0.05


def test_an_effect_on_pupils_is_found_where_it_is_planted(made, tmp_path, monkeypatch):
    rows = pupils(made[2], effect=-3.0)
    params, data = loaded(tmp_path, made[0] | tables(rows), monkeypatch)
    result = training_pupils.section(data, params)
    assert result.effect.conf_high < 0
    assert result.reading[0].template == training_pupils.BETTER.template
    assert result.positives.conf_high < 0


def test_every_table_passes_the_gate_and_names_nobody(found):
    gate = Gate.of("public")
    for section in found[2:]:
        for name in section.__slots__:
            part = getattr(section, name)
            if isinstance(part, Drawn):
                gated = gate.frame(part.table, where=name)
                assert not gated.astype(str).apply(lambda column: column.str.fullmatch(r"[SPTK]\d+")).any().any()
                assert "n_used" in part.table or name == "flow"
            else:
                assert isinstance(part, Effect | list), (name, part)


@pytest.mark.parametrize("design", ["matched", "wait_list"])
def test_without_lots_the_page_says_so(made, tmp_path, monkeypatch, design):
    params, data = loaded(tmp_path, made[0], monkeypatch, design=design)
    said = [one.template for one in training_behaviour.section(data, params).reading]
    assert any("Lots did not decide" in one for one in said) == (design == "matched")


def test_interviews_that_hang_on_naming_are_refused(made, tmp_path, monkeypatch):
    rows = pupils(made[2], by_naming=0.6)
    params, data = loaded(tmp_path, made[0] | tables(rows), monkeypatch)
    result = training_behaviour.section(data, params)
    for part in (result.gained, result.ppv, result.accuracy, result.event):
        assert isinstance(part, Refused)
        assert part.code == "interviews_by_naming"
    assert list(result.estimate.table["term"]) == ["naming_rate"]
    assert isinstance(result.agreement, Drawn)


def test_without_interviews_there_is_agreement_and_no_accuracy(made, tmp_path, monkeypatch):
    params, data = loaded(tmp_path, without(made[0], "assessment"), monkeypatch)
    result = training_behaviour.section(data, params)
    assert {result.gained.code, result.ppv.code, result.accuracy.code} == {"no_interviews"}
    assert isinstance(result.agreement, Drawn)
    assert isinstance(result.rates, Drawn)
    assert list(result.estimate.table["term"]) == ["naming_rate"]


def test_without_nominations_nothing_is_said(made, tmp_path, monkeypatch):
    params, data = loaded(tmp_path, without(made[0], "nomination"), monkeypatch)
    result = training_behaviour.section(data, params)
    assert all(getattr(result, name).code == "no_table" for name in training_behaviour.FIELDS)
    assert result.reading == [] and result.checks == []


@pytest.mark.parametrize(("changes", "code"), [
    ({"named_from_wave": None}, "no_start"),
    ({"named_from_wave": 9}, "one_period"),
    ({"arms": ["training"], "design": "before_after"}, "no_comparison"),
])  # fmt: skip
def test_no_change_without_before_after_and_comparison(made, tmp_path, monkeypatch, changes, code):
    params, data = loaded(tmp_path, made[0], monkeypatch, **changes)
    behaviour, result = training_behaviour.section(data, params), training_pupils.section(data, params)
    assert (
        behaviour.gained.code == behaviour.estimate.code * 0 + code if isinstance(behaviour.estimate, Refused) else True
    )
    assert behaviour.gained.code == result.effect.code == code
    assert isinstance(behaviour.ppv, Drawn)
    assert isinstance(behaviour.before_after, Drawn if code == "no_comparison" else Refused)
    assert result.reading == []


def test_teachers_trained_one_by_one_give_pupils_no_arm(made, tmp_path, monkeypatch):
    params, data = loaded(tmp_path, made[0], monkeypatch, assignment_unit="teacher_pid", design="teacher_rct")
    assert training_behaviour.section(data, params).gained.code == "not_by_school"
    assert training_pupils.section(data, params).effect.code == "not_by_school"


@pytest.mark.parametrize(("absent", "part", "code"), [
    ("training_event", "dose", "no_table"), ("event", "waits", "no_dates"), ("case", "waits", "no_dates"),
])  # fmt: skip
def test_what_is_lacking_is_named(made, tmp_path, monkeypatch, absent, part, code):
    params, data = loaded(tmp_path, without(made[0], absent), monkeypatch)
    result = training_behaviour.section(data, params)
    assert getattr(result, part).code == code
    assert isinstance(result.gained, Effect)


def test_without_answers_and_without_a_cutoff(made, tmp_path, monkeypatch):
    params, data = loaded(tmp_path, without(made[0], "response"), monkeypatch)
    behaviour, result = training_behaviour.section(data, params), training_pupils.section(data, params)
    assert result.effect.code == behaviour.agreement.code == "no_table"
    assert isinstance(behaviour.gained, Effect)
    assert behaviour.checks[0].passed is None
    params, data = loaded(tmp_path, made[0], monkeypatch, cutoff=None)
    behaviour, result = training_behaviour.section(data, params), training_pupils.section(data, params)
    assert behaviour.agreement.code == result.positives.code == result.shares.code == "no_cutoff"
    assert isinstance(result.effect, Effect)


def test_without_a_roll_the_screened_are_the_pupils(made, tmp_path, monkeypatch):
    params, data = loaded(tmp_path, without(made[0], "enrolment"), monkeypatch)
    assert isinstance(training_behaviour.section(data, params).rates, Drawn)
    params, data = loaded(tmp_path, without(made[0], "enrolment", "response"), monkeypatch)
    assert training_behaviour.section(data, params).rates.code == "no_table"


def test_a_few_interviews_carry_no_share(made, tmp_path, monkeypatch):
    some = made[0]["assessment"]
    few = some[some["wave"] < START].head(60)
    params, data = loaded(tmp_path, made[0] | {"assessment": few}, monkeypatch)
    result = training_behaviour.section(data, params)
    assert isinstance(result.gained, Refused)
    assert isinstance(result.ppv, Refused)


def test_records_that_cannot_be_placed_are_counted(made, tmp_path, monkeypatch):
    tables_ = made[0]
    names = tables_["nomination"]
    stray = names.head(12).assign(school_pid="S999", pupil_pid=[f"X{at}" for at in range(12)])
    odd = tables_["assessment"].copy()
    odd.loc[odd.index[:7], "probability"] = 0.0
    changed = {"nomination": pd.concat([names, names.head(15), stray], ignore_index=True), "assessment": odd}
    params, data = loaded(tmp_path, tables_ | changed, monkeypatch)
    check = next(
        one for one in training_behaviour.section(data, params).checks if "naming and interviews" in one.name.template
    )
    counted = {name: value.n for name, value in check.detail.values.items()}
    assert counted == {"unplaced": 12, "unweighted": 7, "repeated": 15}
    assert check.passed is False


def test_a_file_of_teachers_alone_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("MHLIB_DATA", str(tmp_path))
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "teacher_pid": range(40),
            "arm": ["wait", "trained"] * 20,
            "score_pre": rng.normal(50, 9, 40),
            "score_post": 55.0,
        }
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    params = analysis.Params.from_mapping(FLAT, where="test")
    data = analysis.load(params)
    assert {getattr(training_behaviour.section(data, params), name).code for name in training_behaviour.FIELDS} == {
        "no_table"
    }
    assert {getattr(training_pupils.section(data, params), name).code for name in training_pupils.FIELDS} == {
        "no_table"
    }


def test_the_smallest_city_runs_and_gives_no_number_without_an_interval(small, monkeypatch):
    monkeypatch.setenv("MHLIB_SYNTHETIC", str(small))
    params = analysis.Params.from_mapping(GIVEN | {"source": "synthetic:small"}, where="test")
    data = analysis.load(params)
    behaviour, result = training_behaviour.section(data, params), training_pupils.section(data, params)
    assert behaviour.gained.code == "few_degrees_of_freedom"
    assert isinstance(behaviour.rates, Drawn)
    for section in (behaviour, result):
        for name in ("estimate", "before_after", "event_table", "honest"):
            part = getattr(section, name)
            assert isinstance(part, Refused) or part.table["conf_low"].notna().all(), name
    few = [
        one
        for section in (behaviour, result)
        for one in section.checks
        if one.name.template == "Schools behind the standard error"
    ]
    assert few
    assert not any(one.passed for one in few)


def test_another_cutoff_than_that_of_the_interviews_is_noticed(made, tmp_path, monkeypatch):
    params, data = loaded(tmp_path, made[0], monkeypatch, cutoff=6)
    result = training_behaviour.section(data, params)
    assert result.checks[0].passed is None
    assert "this cut-off" in result.checks[0].detail.template
    assert isinstance(result.gained, Effect)

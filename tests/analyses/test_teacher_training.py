"""Teacher training on the synthetic city, on published data, by hand, and on designs that must be refused."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import teacher_training as analysis
from mhlib.analyses.parts import training_checklist, training_learning
from mhlib.analyses.parts.training_effect import contrast_row, mixed
from mhlib.data.synthetic import planted, training, workforce
from mhlib.errors import DataError, ParamsError
from mhlib.findings import Refused

ROOT = Path(__file__).resolve().parents[2]
CITY = {
    "evaluation": "teacher_training", "source": "town", "as_of": "2026-03-20", "seed": 1, "design": "wait_list",
    "assignment_unit": "school_pid", "occasions": {"pre": "pre", "post": "post", "later": "three_months"}, "baseline": "pre",
    "primary": "post", "follow_up": "later", "primary_measure": "knowledge", "levels": ["school_pid"],
    "measures": ["knowledge", "stigma", "helping", "help_seeking"], "lower_is_better": ["stigma"],
    "ranges": {"knowledge": [0, 40], "stigma": [0, 50], "helping": [0, 50], "help_seeking": [0, 36]},
}  # fmt: skip
CIRCUITS = {
    "evaluation": "teacher_training", "source": "electric_circuits_teacher_pd_dev.csv", "as_of": "2010-01-01", "seed": 1,
    "columns": {"teacher_pid": "teacher_id", "arm": "any_training", "block": "site", "knowledge_pre": "pre_pct",
                "knowledge_post": "post_pct"},
    "values": {"arm": {"0": "comparison", "1": "trained"}}, "design": "teacher_rct", "assignment_unit": "teacher_pid",
    "block": "block", "arms": ["comparison", "trained"], "occasions": {"pre": "pre", "post": "post"}, "baseline": "pre",
    "primary": "post", "primary_measure": "knowledge", "measures": ["knowledge"], "ranges": {"knowledge": [0, 100]},
}  # fmt: skip
FLAT = {
    "evaluation": "teacher_training", "source": "t.csv", "as_of": "2026-01-01", "seed": 1, "design": "school_rct",
    "assignment_unit": "school_pid", "arms": ["wait", "trained"],
    "occasions": {"pre": "pre", "post": "post", "later": "later"}, "baseline": "pre", "primary": "post", "follow_up": "later",
    "primary_measure": "score", "measures": ["score"], "levels": ["school_pid"], "ranges": {"score": [0, 100]},
}  # fmt: skip


def run(given, **changes):
    params = analysis.Params.from_mapping(given | changes, where="test")
    data = analysis.load(params)
    return params, data, analysis.estimate(data, params)


@pytest.fixture
def tiny(small, monkeypatch):
    """The small city, whose six schools are too few for an interval."""
    monkeypatch.setenv("MHLIB_SYNTHETIC", str(small))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Teachers and training of eighty schools, as the city makes them."""
    root = tmp_path_factory.mktemp("data")
    (root / "town").mkdir()
    school = pd.DataFrame({"school_pid": [f"S{at:03d}" for at in range(80)], "size_weight": 1.0})
    made = workforce.teachers(3, school, 40_000)
    trained = workforce.trained_schools(3, school["school_pid"].to_numpy())
    made |= training.training(3, made["teacher"], school, trained)
    for name in ("teacher", "certificate", "training_score", "training_tier"):
        made[name].to_parquet(root / "town" / f"{name}.parquet")
    return root


@pytest.fixture
def city(folder, monkeypatch):
    monkeypatch.setenv("MHLIB_DATA", str(folder))


@pytest.fixture(scope="module")
def found(folder):
    """Parameters, data and result of the eighty schools."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MHLIB_DATA", str(folder))
        return run(CITY)


@pytest.fixture(scope="module")
def circuits():
    """The published file of the electric circuits."""
    shared = Path(os.environ.get("MHLIB_SHARED_DATA", ROOT.parent / "shared" / "data"))
    path = shared / CIRCUITS["source"]
    if not path.is_file():
        pytest.skip("the real data sets are not here; set MHLIB_SHARED_DATA to their folder")
    return path


@pytest.fixture(scope="module")
def published(circuits):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MHLIB_DATA", str(circuits.parent))
        return run(CIRCUITS)


def teachers(schools=24, each=10, gain=6.0, later=3.0, spread=0.0, seed=7) -> pd.DataFrame:
    """A made trial: school_rct, scores about 50 with SD 8, some missing."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(schools), each)
    trained = school % 2
    base = 50 + rng.normal(0, 2, schools)[school] + rng.normal(0, 6, len(school))
    own = rng.normal(0, 1, schools)[school] * spread
    frame = pd.DataFrame({"teacher_pid": [f"t{at}" for at in range(len(school))], "school_pid": [f"s{at}" for at in school],
                          "arm": np.where(trained, "trained", "wait"), "score_pre": base + rng.normal(0, 3, len(school))})  # fmt: skip
    for name, more in (("post", gain), ("later", later)):
        frame[f"score_{name}"] = base + trained * (more + own) + rng.normal(0, 3, len(school))
    scores = ["score_pre", "score_post", "score_later"]
    return frame.round(dict.fromkeys(scores, 2))


def flat(folder: Path, monkeypatch, frame: pd.DataFrame, **changes):
    monkeypatch.setenv("MHLIB_DATA", str(folder))
    frame.to_csv(folder / "t.csv", index=False)
    return run(FLAT, **changes)


def checks(data, params) -> dict[str, object]:
    return {check.name.template: check.passed for check in analysis.check(data, params)}


def test_the_city_gives_back_what_was_planted(found):
    params, data, result = found
    learning = result.learning
    for arms, when in ((learning.effect, "post"), (learning.later, "three_months")):
        assert arms.conf_low < 5 * planted.TRAINING_EFFECTS["knowledge"][when] < arms.conf_high
    assert (
        learning.kept.conf_low < planted.TRAINING["three_months"] / planted.TRAINING["post"] < learning.kept.conf_high
    )
    others = learning.others.table.set_index(["group", "subgroup"])
    nothing = others.loc[("help_seeking", "post")]
    assert nothing["conf_low"] < 0 < nothing["conf_high"] and nothing["p_holm"] >= nothing["p_value"]
    assert others.loc[("stigma", "post"), "better_said"].template == "better"
    assert ("knowledge", "post") not in others.index and ("knowledge", "later") in others.index
    assert result.design.strength == "strong" and not result.design.reach
    assert all(passed is not False for passed in checks(data, params).values())


def test_the_city_loses_teachers_and_says_whom_each_method_leaves_out(found):
    _, data, result = found
    dropped = result.flow.dropped.table.set_index("term")
    complete = data.teachers[["b", "y", "f"]].notna().all(axis=1)
    assert dropped.loc["uses_anova", "n_used"] == complete.sum() < len(complete)
    assert dropped.loc["uses_mixed", "n_excluded"] == 0
    assert (dropped["n_used"] + dropped["n_excluded"] == len(data.teachers)).all()
    assert result.learning.anova.code == "anova_would_drop_people"
    assert result.learning.anova.why.values["lost"].n == dropped.loc["uses_anova", "n_excluded"]
    assert result.flow.level == "low" and result.learning.drift.code == result.learning.guessing.code == "no_items"


def test_rows_of_a_city_can_be_chosen_by_role(city, found):
    params = analysis.Params.from_mapping(CITY | {"where": {"role": ["head"]}}, where="test")
    heads = analysis.load(params).teachers
    everybody = found[1].teachers
    assert set(heads["role"]) == {"head"} and len(heads) == (everybody["role"] == "head").sum()


def test_who_moved_is_counted_and_nobody_changes_arm(folder, tmp_path, monkeypatch):
    scores = pd.read_parquet(folder / "town" / "training_score.parquet")
    late = scores.index[scores["occasion"] == "post"][:12]
    scores.loc[late, "school_pid"] = "S999"
    (tmp_path / "town").mkdir()
    scores.to_parquet(tmp_path / "town" / "training_score.parquet")
    monkeypatch.setenv("MHLIB_DATA", str(tmp_path))
    params = analysis.Params.from_mapping(CITY, where="test")
    data = analysis.load(params)
    assert data.data.moved == 12 and "S999" not in set(data.teachers["school_pid"])
    assert not data.data.tables and data.data.table("teacher") is None
    assert checks(data, params)["Teachers stayed in their school"] is False
    scores.loc[late, "arm"] = scores.loc[late, "arm"].map({"training": "wait_list", "wait_list": "training"})
    scores.to_parquet(tmp_path / "town" / "training_score.parquet")
    with pytest.raises(DataError, match="12 teachers stand in more than one arm"):
        analysis.load(params)


def test_a_small_city_has_too_few_schools_and_other_tables(tiny):
    _, data, result = run(CITY, source="synthetic:small")
    assert result.learning.effect.p_refused.code == "few_degrees_of_freedom" and math.isnan(
        result.learning.effect.conf_low
    )
    assert result.learning.reading[0] is result.learning.effect.p_refused.why
    assert result.learning.kept.code == "few_degrees_of_freedom" and result.design.strength == "weakened"
    assert {"teacher", "certificate", "nomination", "workload"} <= set(data.data.tables)
    assert {"role", "level", "hired_on"} <= set(data.teachers)
    assert list(data.data.read("assessment", columns=["pupil_pid", "case"])) == ["pupil_pid", "case"]
    assert data.data.table("training_tiers") is None and data.data.read("no_such_table") is None


def test_electric_circuits_as_published_and_not_beyond_its_sites(published, circuits):
    params, data, result = published
    effect = result.learning.effect
    assert effect.estimate == pytest.approx(20.1596, abs=5e-5)
    fit = training_learning.robust(data, params, "knowledge", "post")
    assert fit.model_errors[list(fit.terms).index("treated")] == pytest.approx(1.9058, abs=5e-5)
    assert effect.std_error == pytest.approx(1.9058, rel=0.02)
    assert checks(data, params)["Enough sites to speak beyond them"] is False
    assert result.design.reach[0].values["n"] == 4 == pd.read_csv(circuits)["site"].nunique()
    assert isinstance(result.learning.kept, Refused) and result.learning.kept.code == "no_follow_up"


def test_the_analysis_of_variance_is_the_test_of_the_gains_where_nobody_is_lost(published):
    # Published gains: 1.935 (9.805) of 31 and 23.208 (11.600) of 80; F of the interaction is t squared of their difference.
    _, _, result = published
    pooled = (30 * 9.805**2 + 79 * 11.600**2) / 109
    expected = (23.208 - 1.935) ** 2 / (pooled * (1 / 31 + 1 / 80))
    row = result.learning.anova.table.set_index("test").loc["anova_interaction"]
    assert row["f_value"] == pytest.approx(expected, rel=1e-3) and row["df"] == 109


def test_one_missing_test_refuses_the_analysis_of_variance(circuits, tmp_path, monkeypatch):
    frame = pd.read_csv(circuits)
    frame.loc[3, "post_pct"] = np.nan
    frame.to_csv(tmp_path / "electric_circuits_teacher_pd_dev.csv", index=False)
    monkeypatch.setenv("MHLIB_DATA", str(tmp_path))
    _, _, result = run(CIRCUITS)
    assert result.learning.anova.why.values["lost"].n == 1
    assert result.learning.effect.n_used == 110 and result.flow.loss.table["numerator"].sum() == 1


def test_classes_of_star_as_teachers_within_schools(shared_data, tmp_path, monkeypatch):
    pupils = pd.read_csv(shared_data / "star_class_size.csv.gz", dtype={"tch": str})
    pupils = pupils[(pupils["gr"] == "K") & pupils["cltype"].isin(["reg", "small"])].dropna(subset=["math"])
    classes = pupils.groupby(["tch", "sch", "cltype"], as_index=False)["math"].mean()
    classes = classes[classes.groupby("sch")["cltype"].transform("nunique") == 2]
    names = {"tch": "teacher_pid", "sch": "school_pid", "cltype": "arm", "math": "score_post"}
    classes.rename(columns=names).to_csv(tmp_path / "t.csv", index=False)
    monkeypatch.setenv("MHLIB_DATA", str(tmp_path))
    only = {"occasions": {"post": "post"}, "baseline": "", "follow_up": "", "levels": [], "ranges": {}}
    drawn = {"design": "teacher_rct", "assignment_unit": "teacher_pid", "arms": ["reg", "small"], "block": "school_pid"}
    params = analysis.Params.from_mapping(FLAT | only | drawn, where="test")
    effect = training_learning.effect_at(analysis.load(params), params, "score", "post")
    within = classes.assign(small=(classes["cltype"] == "small").astype(float))
    within[["math", "small"]] -= within.groupby("sch")[["math", "small"]].transform("mean")
    by_hand = (within["math"] @ within["small"]) / (within["small"] @ within["small"])
    assert effect.estimate == pytest.approx(by_hand, rel=1e-9) and effect.n_used == len(classes)


def test_without_a_test_before_only_the_later_scores_are_compared(tmp_path, monkeypatch):
    frame = teachers()
    _, data, result = flat(tmp_path, monkeypatch, frame, occasions={"post": "post", "later": "later"}, baseline="")
    means = frame.groupby("arm")["score_post"].mean()
    assert result.learning.effect.estimate == pytest.approx(means["trained"] - means["wait"], rel=1e-9)
    assert not data.has_baseline and result.learning.changes.code == "no_baseline"
    assert set(result.learning.methods.table["group"]) == {"by_cr2"}
    assert "uses_mixed" not in set(result.flow.dropped.table["term"])


def test_what_is_kept_rests_on_the_primary_result(tmp_path, monkeypatch):
    _, _, result = flat(tmp_path, monkeypatch, teachers())
    learning = result.learning
    assert learning.kept.post_gain == pytest.approx(learning.effect.estimate, rel=1e-9)
    assert learning.kept.follow_gain == pytest.approx(learning.later.estimate, rel=1e-9)
    assert learning.kept.conf_low < 0.5 < learning.kept.conf_high
    assert learning.kept.n_used == 240
    _, _, other = flat(tmp_path, monkeypatch, teachers(), estimand="school")
    assert other.learning.kept.post_gain == pytest.approx(other.learning.effect.estimate, rel=1e-9)


def test_nothing_is_kept_of_a_gain_that_is_none(tmp_path, monkeypatch):
    _, _, result = flat(tmp_path, monkeypatch, teachers(gain=0.0, later=0.0, seed=8))
    assert result.learning.effect.conf_low < 0 < result.learning.effect.conf_high
    assert result.learning.kept.code == "no_gain_to_keep" and result.learning.retention is result.learning.kept


def test_the_mixed_model_lets_schools_gain_differently(tmp_path, monkeypatch):
    errors = []
    for spread in (0.0, 6.0):
        params, data, result = flat(tmp_path, monkeypatch, teachers(each=40, spread=spread))
        row = contrast_row(mixed(data, params), "by_mixed", "post_gain", "post", data.sd)
        robust = result.learning.effect
        errors.append(row["conf_high"] - row["conf_low"])
        assert (row["conf_high"] - row["conf_low"]) / (robust.conf_high - robust.conf_low) > 0.6
    assert errors[1] > 2 * errors[0]


def test_a_change_without_a_comparison_is_no_effect(tmp_path, monkeypatch):
    frame = teachers()
    frame = frame[frame["arm"] == "trained"]
    params, data, result = flat(tmp_path, monkeypatch, frame, design="before_after", arms=["trained"])
    learning = result.learning
    for name in ("effect", "later", "kept", "estimate", "methods", "anova", "others", "multiverse"):
        if name != "later":
            assert getattr(learning, name).code == "no_comparison", name
    assert result.design.strength == "none" and result.flow.loss.code == "no_comparison"
    change = learning.changes.table.set_index("subgroup").loc["post"]
    assert change["estimate"] == pytest.approx((frame["score_post"] - frame["score_pre"]).mean(), rel=1e-9)
    assert checks(data, params)["Enough units an arm to tell the training from the units"] is False


def test_before_after_stays_no_effect_with_two_arms_in_the_file(tmp_path, monkeypatch):
    _, _, result = flat(tmp_path, monkeypatch, teachers(), design="before_after")
    assert result.learning.effect.code == "no_comparison" and result.design.strength == "none"


def test_few_schools_weaken_lots_and_many_losses_leave_the_boundary(tmp_path, monkeypatch):
    _, _, result = flat(tmp_path, monkeypatch, teachers(schools=6))
    assert result.design.strength == "weakened" and result.design.reach[0].values["n"] == 6
    frame = teachers()
    frame.loc[(frame["arm"] == "trained") & (frame.index % 3 == 0), "score_post"] = np.nan
    params, data, result = flat(tmp_path, monkeypatch, frame)
    assert result.flow.level == "high" and checks(data, params)["Losses stay within the boundary"] is False


def test_losses_between_the_boundaries_are_named(tmp_path, monkeypatch):
    frame = teachers()
    trained = frame.index[frame["arm"] == "trained"]
    frame.loc[trained[:10], "score_post"] = np.nan
    _, _, result = flat(tmp_path, monkeypatch, frame)
    assert result.flow.level == "tolerable"
    assert result.flow.reading[0].values["level"].template == "low only under the optimistic assumption"


def test_a_test_that_is_too_easy_is_found(tmp_path, monkeypatch):
    frame = teachers()
    frame.loc[frame.index % 4 == 0, "score_post"] = 100.0
    params, data, result = flat(tmp_path, monkeypatch, frame)
    assert checks(data, params)["The test leaves room to rise"] is False
    table = result.learning.ceiling.table
    assert table.loc[table["occasion"] == "post", "at_best"].to_numpy() == pytest.approx([0.3, 0.2])
    params, data, _ = flat(tmp_path, monkeypatch, frame, ranges={"score": [0, 90]})
    assert checks(data, params)["Every score lies within its range"] is False


def item_rows() -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Four questions; the untrained learn the first by themselves, nothing else changes there."""
    frame = teachers(schools=24, each=10)
    rng = np.random.default_rng(5)
    names = {when: [f"q{k}_{when}" for k in range(1, 5)] for when in ("pre", "post")}
    for k, (before, after) in enumerate(zip(names["pre"], names["post"], strict=True)):
        frame[before] = (rng.random(len(frame)) < 0.4).astype(float)
        frame[after] = 1.0 if k == 0 else frame[before]
    return frame, names


def test_a_question_that_became_easier_for_the_untrained_is_found(tmp_path, monkeypatch):
    frame, names = item_rows()
    _, _, result = flat(tmp_path, monkeypatch, frame, items=names, options=[2])
    found = result.learning.drift.table.set_index("item")
    untrained = frame[frame["arm"] == "wait"]
    rise = (untrained["q1_post"] - untrained["q1_pre"]).mean()
    assert found.loc["1", "estimate"] == pytest.approx(rise * 3 / 4) and found.loc["2", "estimate"] == pytest.approx(
        -rise / 4
    )
    assert found.loc["1", "p_holm"] < 0.001 and found.loc["1", "conf_low"] > 0


def test_guessing_is_taken_out_by_hand(tmp_path, monkeypatch):
    frame, names = item_rows()
    _, _, result = flat(tmp_path, monkeypatch, frame, items=names, options=[4])
    row = result.learning.guessing.table.set_index(["occasion", "arm_shown"]).loc[("pre", "arm_untrained")]
    right = frame.loc[frame["arm"] == "wait", names["pre"]].to_numpy().mean()
    assert row["right_share"] == pytest.approx(right) and row["chance_share"] == 0.25
    assert row["estimate"] == pytest.approx(right - (1 - right) / 3)
    _, _, result = flat(tmp_path, monkeypatch, frame, items=names)
    assert result.learning.guessing.code == "no_options"


def test_without_an_untrained_arm_questions_cannot_be_judged(tmp_path, monkeypatch):
    frame, names = item_rows()
    frame = frame[frame["arm"] == "trained"]
    _, _, result = flat(tmp_path, monkeypatch, frame, items=names, options=[2], design="before_after", arms=["trained"])
    assert result.learning.drift.code == "no_untrained_answers"


def test_teachers_drawn_within_schools_may_tell_each_other(published):
    _, _, result = published
    said = {light.name.template: light.state for light in result.design.domains}
    assert said["What the trained tell the others"] == "watch" and said["Plan"] == "bad"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"primary": "end"}, "occasion end is not among occasions"),
        ({"confidence": "sureness"}, "measure sureness is not among measures"),
        ({"ranges": {"knowledge": [40, 0]}}, "ranges: knowledge must be the lowest and the highest score"),
        ({"design": "guess"}, "design must be"),
        ({"columns": {"grade": "g"}}, "columns: grade not in the contract"),
        ({"columns": {"arm": "a"}}, "columns: a table of scores has its own names"),
    ],
)
def test_wrong_parameters_are_named(city, changes, words):
    with pytest.raises(ParamsError, match=words):
        run(CITY, **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arms": ["control", "training"]}, "nobody in arm control"),
        ({"levels": ["district"]}, "no column district"),
        ({"covariates": ["age"]}, "no column age"),
        ({"where": {"role": "pilot"}}, "no row is left"),
        ({"where": {"colour": "red"}}, "where: no column colour"),
        ({"occasions": {"pre": "pre", "post": "post", "later": "a_year"}}, "no occasion a_year"),
        ({"measures": ["knowledge", "stigma", "helping", "help_seeking", "wisdom"]}, "no measure wisdom"),
    ],
)
def test_a_city_without_what_is_asked_for_says_so(city, changes, words):
    with pytest.raises(DataError, match=words):
        run(CITY, **changes)


def test_a_file_that_breaks_its_contract_says_so_without_a_value(tmp_path, monkeypatch):
    frame = teachers()
    for spoiled, words in (
        (frame.assign(teacher_pid="t1"), "occur more than once"),
        (frame.astype({"score_post": object}).assign(score_post="secret"), "240 rows are no number"),
        (frame.drop(columns="score_later"), "no column for score_later"),
        (frame.drop(columns="school_pid"), "no column school_pid"),
        (frame.assign(arm=None), "empty"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            flat(tmp_path, monkeypatch, spoiled)
        assert "secret" not in str(caught.value)
    with pytest.raises(DataError, match="no row is left"):
        flat(tmp_path, monkeypatch, frame, where={"school_pid": "nowhere"})


def test_teachers_of_a_third_arm_are_counted_and_not_compared(tmp_path, monkeypatch):
    frame = teachers()
    frame.loc[frame["school_pid"].isin(["s0", "s1", "s2"]), "arm"] = "book"
    _, _, result = flat(tmp_path, monkeypatch, frame)
    assert result.learning.effect.n_used == 210
    assert result.flow.reading[-1].values["n"].n == 30
    _, _, result = flat(tmp_path, monkeypatch, teachers())
    assert "{n} tested teachers belong" not in result.flow.reading[-1].template


def test_an_arm_that_was_not_tested_later_is_not_compared_later(tmp_path, monkeypatch):
    frame = teachers()
    frame.loc[frame["arm"] == "wait", "score_later"] = np.nan
    _, _, result = flat(tmp_path, monkeypatch, frame)
    assert result.learning.later.code == result.learning.kept.code == "not_tested"
    assert result.learning.effect.conf_low > 0 and set(result.learning.methods.table["occasion"]) >= {"post"}


def test_answers_and_units_are_checked_at_the_door(tmp_path, monkeypatch):
    frame, names = item_rows()
    with pytest.raises(DataError, match="column q1_pre: 1 rows are neither 0 nor 1"):
        flat(tmp_path, monkeypatch, frame.assign(q1_pre=[7.0, *frame["q1_pre"][1:]]), items=names)
    with pytest.raises(DataError, match="1 teachers without school_pid"):
        flat(tmp_path, monkeypatch, frame.assign(school_pid=[None, *frame["school_pid"][1:]]))


def test_every_figure_counts_people_and_no_person_leaves(found):
    _, data, result = found
    known = set(data.teachers["teacher_pid"]) | set(data.teachers["school_pid"])
    for part in (result.design, result.flow, result.learning):
        for name in part.__slots__:
            shown = getattr(part, name)
            if hasattr(shown, "table") and isinstance(shown.table, pd.DataFrame):
                cells = {str(cell) for cell in shown.table.to_numpy().ravel()}
                assert not known & cells, name
    assert result.learning.estimate.table["n_used"].max() < len(data.teachers)
    assert math.isfinite(result.learning.effect.g)


@pytest.mark.parametrize("design", ["wait_list", "before_after"])
def test_the_checklist_counts_on_and_leads_to_sections(published, design):
    _, data, _ = published
    items = training_checklist.checklist(randomised=design == "wait_list")
    assert [item.number for item in items] == [str(at) for at in range(1, 28)]
    assert all(item.section or item.lacking for item in items)
    whole = analysis.checklist(data)
    cells = json.loads((ROOT / "notebooks/teacher_training.ipynb").read_text("utf-8"))["cells"]
    heads = {line[3:].strip() for cell in cells if cell["cell_type"] == "markdown" for line in cell["source"]
             if line.startswith("## ")}  # fmt: skip
    assert len(whole) == 36 and {item.section for item in whole} - {""} <= heads


def said_of(result, params) -> tuple[list[str], dict[str, str]]:
    sentences = [one.template for one in analysis.answer(result, params)]
    return sentences, {light.name.template: light.state for light in analysis.lights(result, params)}


def test_the_answer_of_the_town_says_what_was_learned_and_what_was_lost(found):
    params, _, result = found
    sentences, lights = said_of(result, params)
    assert sentences[0].startswith("In {measure} the trained did better by {value} points")
    assert any(one.startswith("A part of it is lost again") for one in sentences)
    assert "No plan was frozen before the data were seen: read every figure as exploratory." in sentences
    assert (
        lights["Teachers learned because of it"]
        == lights["They kept it"]
        == lights["It holds beyond the sites"]
        == "good"
    )
    assert lights["The tests can tell"] == "watch"


def test_the_answer_on_four_sites_warns_of_them_and_of_the_size(published):
    params, _, result = published
    sentences, lights = said_of(result, params)
    assert any("is not to be carried to other sites" in one for one in sentences)
    assert any(
        one.startswith("A difference of this size tells of a test close to what was taught") for one in sentences
    )
    assert lights["It holds beyond the sites"] == "bad" and lights["They kept it"] == "unknown"


def test_the_answer_turns_with_the_better_direction(found):
    params, _, result = found
    turned = params.model_copy(update={"lower_is_better": ["knowledge"]})
    sentences, lights = said_of(result, turned)
    assert sentences[0].startswith("In {measure} the trained did worse by {value} points")
    value = analysis.answer(result, turned)[0].values["value"]
    assert value.value == pytest.approx(result.learning.effect.estimate) and value.low > 0
    assert lights["Teachers learned because of it"] == lights["They learned enough to matter"] == "bad"


def test_the_answer_without_comparison_or_interval_or_with_losses_concludes_nothing(tmp_path, monkeypatch, tiny):
    params, _, result = run(CITY, source="synthetic:small")
    sentences, lights = said_of(result, params)
    assert "nothing can be concluded" in sentences[0] and lights["Teachers learned because of it"] == "unknown"
    frame = teachers()
    params, _, result = flat(tmp_path, monkeypatch, frame, design="before_after")
    sentences, lights = said_of(result, params)
    assert sentences[0].startswith("Whether teachers learned because of the training is not known")
    assert lights["The design can speak of causes"] == "bad"
    frame.loc[(frame["arm"] == "trained") & (frame.index % 3 == 0), "score_post"] = np.nan
    params, _, result = flat(tmp_path, monkeypatch, frame)
    sentences, lights = said_of(result, params)
    assert lights["Enough teachers were tested"] == "bad" and lights["The design can speak of causes"] == "watch"
    assert any(one.startswith("So many teachers were not tested") for one in sentences)

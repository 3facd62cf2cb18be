"""Skill of trained teachers: planted values, hand-made judgements, and every design that must be refused."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from mhlib.analyses import teacher_training as analysis
from mhlib.analyses.parts import training_skill as skill
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training_skill_change import changes, contrast_of
from mhlib.analyses.parts.training_skill_rows import judged
from mhlib.data.synthetic import planted, training, workforce
from mhlib.findings import Refused
from mhlib.report.disclosure import Gate

CITY = {
    "evaluation": "teacher_training", "source": "town", "as_of": "2026-03-20", "seed": 1, "design": "wait_list",
    "assignment_unit": "school_pid", "occasions": {"pre": "pre", "post": "post", "later": "three_months"}, "baseline": "pre",
    "primary": "post", "follow_up": "later", "primary_measure": "knowledge", "confidence": "confidence",
    "competence": "vignettes_right", "measures": ["knowledge", "confidence", "vignettes_right"],
    "ranges": {"knowledge": [0, 40], "confidence": [1, 5], "vignettes_right": [0, 10]},
}  # fmt: skip
FLAT = {
    "evaluation": "teacher_training", "source": "t.csv", "as_of": "2026-01-01", "seed": 1, "design": "school_rct",
    "assignment_unit": "school_pid", "arms": ["wait_list", "training"], "occasions": {"pre": "pre", "post": "post"},
    "baseline": "pre", "primary": "post", "primary_measure": "score", "measures": ["score"], "ranges": {"score": [0, 100]},
}  # fmt: skip
KINDS = np.array(["internalising", "self_harm", "normal_distress", "normal_distress"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Teachers and training of eighty schools, as the city makes them."""
    root = tmp_path_factory.mktemp("skill")
    (root / "town").mkdir()
    school = pd.DataFrame({"school_pid": [f"S{at:03d}" for at in range(80)], "size_weight": 1.0})
    made = workforce.teachers(3, school, 40_000)
    trained = workforce.trained_schools(3, school["school_pid"].to_numpy())
    made |= training.training(3, made["teacher"], school, trained)
    for name in ("teacher", "training_score", "training_tier", "vignette", "role_play"):
        made[name].to_parquet(root / "town" / f"{name}.parquet")
    return root


@pytest.fixture(scope="module")
def city(folder):
    """Parameters, data and section of the eighty schools."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MHLIB_DATA", str(folder))
        params = analysis.Params.from_mapping(CITY, where="test")
        data = analysis.load(params)
    return params, data, skill.section(data, params)


def made(tmp_path, monkeypatch, *, schools=12, each=4, frame=None, **changed):
    """A hand-made trial without tables: every second school is trained."""
    school = np.repeat(np.arange(schools), each)
    rng = np.random.default_rng(5)
    if frame is None:
        frame = pd.DataFrame(
            {"score_pre": rng.normal(50, 8, len(school)), "score_post": rng.normal(55, 8, len(school))}
        )
    frame = frame.assign(teacher_pid=[f"t{at}" for at in range(len(school))], school_pid=[f"s{at}" for at in school],
                         arm=np.where(school % 2, "training", "wait_list"))  # fmt: skip
    monkeypatch.setenv("MHLIB_DATA", str(tmp_path))
    frame.to_csv(tmp_path / "t.csv", index=False)
    params = analysis.Params.from_mapping(FLAT | changed, where="test")
    return params, analysis.load(params)


def with_table(data, name, frame):
    """The same study, with a table."""
    return replace(data, data=replace(data.data, tables={**data.data.tables, name: frame}))


def judgements(data, *, occasions=("pre", "post"), right=0.75, seed=1, sure=None) -> pd.DataFrame:
    """Four vignettes a teacher and occasion."""
    rng = np.random.default_rng(seed)
    people = data.teachers[["teacher_pid", "school_pid", "arm"]]
    parts = []
    for occasion in occasions:
        rows = people.loc[people.index.repeat(len(KINDS))].reset_index(drop=True)
        kind = np.tile(KINDS, len(people))
        case = (kind != "normal_distress").astype(int)
        hit = rng.random(len(rows)) < right
        rows = rows.assign(occasion=occasion, vignette=np.tile(np.arange(1, 5), len(people)), kind=kind, case=case,
                           referred=np.where(hit, case, 1 - case))  # fmt: skip
        parts.append(rows.assign(sure=rng.integers(50, 100, len(rows)) if sure is None else sure))
    return pd.concat(parts, ignore_index=True)


def talks(data, n=24, seed=2) -> pd.DataFrame:
    """Two ratings of the first n teachers."""
    rng = np.random.default_rng(seed)
    who, able = data.teachers["teacher_pid"].to_numpy()[:n], rng.normal(12, 3, n)
    parts = [pd.DataFrame({"teacher_pid": who, "rater": rater, "score": np.clip(np.round(able + rng.normal(0, 1, n)), 0, 20),
                           "critical_error": (rng.random(n) < 0.3).astype(int)}) for rater in ("a", "b")]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def refused(found, code: str) -> bool:
    assert isinstance(found, Refused), found
    assert found.why.template and found.what_to_collect.template
    return found.code == code


def test_the_city_gives_back_what_was_planted(city):
    _, _, found = city
    wanted = planted.VIGNETTES["trained"] - planted.VIGNETTES["untrained"]
    assert found.gained.conf_low < wanted < found.gained.conf_high and found.gained.conf_low > 0
    assert found.leaning.conf_low < 0 < found.leaning.conf_high
    assert found.gained.n_clusters == 80 and np.isnan(found.gained.g)
    table = found.detection.table.set_index(["arm_shown", "occasion", "term"])
    for arm, occasion, apart in (("arm_trained", "pre", "untrained"), ("arm_trained", "post", "trained"),
                                 ("arm_untrained", "pre", "untrained"), ("arm_untrained", "post", "untrained")):  # fmt: skip
        for term, value in (("d_prime", planted.VIGNETTES[apart]), ("criterion", planted.VIGNETTES["criterion"])):
            row = table.loc[(arm, occasion, term)]
            assert row["conf_low"] - 0.06 < value < row["conf_high"] + 0.06, (arm, occasion, term)
    raters = found.raters.table.set_index("term").loc["talk_icc"]
    assert raters["conf_low"] < planted.ROLE_PLAY["icc"] < raters["conf_high"]


def test_errors_fall_by_kind_as_detection_rises(city):
    _, _, found = city
    rise = norm.cdf(0.5 * 1.5 - 0.25) - norm.cdf(0.5 - 0.25), norm.cdf(-0.5 - 0.25) - norm.cdf(-0.75 - 0.25)
    for row in found.kinds.table.to_dict("records"):
        fall = -100 * (rise[1] if row["group"] == "normal_distress" else rise[0])
        assert row["conf_low"] - 1 < fall < row["conf_high"] + 1 and row["p_holm"] < 0.05
    errors = found.errors.table.set_index(["kind_shown", "arm_shown", "occasion"])
    confusion = found.confusion.table.set_index(["kind_shown", "arm_shown", "occasion"])
    key = ("normal_distress", "arm_trained", "post")
    assert errors.loc[key, "term"] == "over_referral"
    assert errors.loc[key, "estimate"] == pytest.approx(confusion.loc[key, "referred_share"])
    # One kind alone is no total of its own.
    assert "kind_all_others" not in errors.index and "kind_all_cases" in errors.index


def test_the_curve_lies_above_chance_and_higher_where_trained(city):
    _, _, found = city
    areas = found.areas.table.set_index(["arm_shown", "occasion"])["estimate"]
    assert areas[("arm_trained", "post")] > areas[("arm_untrained", "post")] > 0.5
    points = found.roc.table
    assert set(points["group"]) == {"arm_trained", "arm_untrained"}
    for _, one in points.groupby("group"):
        assert one["x"].is_monotonic_increasing and one["y"].is_monotonic_increasing
        assert (one["y"] >= one["x"] - 1e-12).all() and one.iloc[-1][["x", "y"]].tolist() == [1, 1]


def test_confidence_beside_competence(city):
    _, data, found = city
    rows = found.calibration.table.set_index(["group", "arm_shown", "term"])
    assert ("by_scale", "arm_trained", "confidence_bias") not in rows.index  # a scale and a count have no common unit
    assert ("by_vignettes", "arm_trained", "confidence_bias") in rows.index
    corners = found.quadrants.table.groupby(["group", "arm_shown"])["proportion"].sum()
    assert np.allclose(corners, 1)
    after = data.teachers[data.teachers["treated"] == 1].dropna(subset=["confidence_post", "vignettes_right_post"])
    over = ((after["confidence_post"] >= 4) & (after["vignettes_right_post"] < 7)).mean()
    assert rows.loc[("by_scale", "arm_trained", "confidence_over"), "estimate"] == pytest.approx(over)
    share = found.right.table.set_index(["group", "subgroup"]).loc[("arm_trained", "post"), "estimate"]
    assert share == pytest.approx(data.teachers.loc[data.teachers["treated"] == 1, "vignettes_right_post"].mean() / 10)


def test_every_part_passes_the_gate_and_names_nobody(city):
    _, _, found = city
    for one in fields(found):
        part = getattr(found, one.name)
        if isinstance(part, Drawn):
            assert not {"teacher_pid", "school_pid", "trainer_pid", "cluster"} & set(part.table), one.name
            Gate.of("public").frame(part.table, where=one.name)


def test_what_the_city_cannot_tell_is_refused(city):
    _, _, found = city
    assert refused(found.later, "no_later_judgement")
    assert refused(found.talk_gained, "no_untrained_talks")
    assert refused(found.talk_decay, "one_occasion") and refused(found.drills, "no_drills")
    assert refused(found.reliability, "no_items") and refused(found.invariance, "no_items")
    assert [one.template for one in found.change.lacking] == [found.later.why.template]


def test_change_is_the_change_of_differences_by_hand(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch)
    data = with_table(data, "vignette", judgements(data))
    found = judged(data, params)
    by_hand = {"d_prime": 0.0, "criterion": 0.0}
    for treated, occasion, sign in ((1, "post", 1), (1, "pre", -1), (0, "post", -1), (0, "pre", 1)):
        cell = found.cell(float(treated), occasion)
        parts = [cell[cell["case"] == case]["referred"] for case in (1, 0)]
        z = [norm.ppf((part.sum() + 0.5) / (len(part) + 1)) for part in parts]
        by_hand["d_prime"] += sign * (z[0] - z[1])
        by_hand["criterion"] -= sign * (z[0] + z[1]) / 2
    made_of = changes(data, params, found, "post")
    for term, value in by_hand.items():
        assert made_of[term].estimate == pytest.approx(value, abs=1e-12)


def test_its_error_is_that_of_resampled_schools(city):
    params, data, found = city
    rows = judged(data, params).rows
    cells = rows.groupby(["treated", "cluster", "occasion", "case"])["referred"].agg(["sum", "size"])
    sums = cells.unstack(["occasion", "case"])
    rng, drawn = np.random.default_rng(4), []
    arms = {arm: part.to_numpy() for arm, part in sums.groupby(level="treated")}
    at = {name: place for place, name in enumerate(sums.columns)}
    for _ in range(600):
        change = {}
        for arm, part in arms.items():
            total = part[rng.integers(0, len(part), len(part))].sum(axis=0)
            z = {(when, case): norm.ppf((total[at["sum", when, case]] + 0.5) / (total[at["size", when, case]] + 1))
                 for when in ("pre", "post") for case in (0.0, 1.0)}  # fmt: skip
            change[arm] = z["post", 1.0] - z["post", 0.0] - z["pre", 1.0] + z["pre", 0.0]
        drawn.append(change[1.0] - change[0.0])
    assert found.gained.std_error == pytest.approx(np.std(drawn), rel=0.15)


def test_without_tables_everything_is_refused_and_counts_stay(tmp_path, monkeypatch, city):
    params, data = made(tmp_path, monkeypatch)
    found = skill.section(data, params)
    for name in ("gained", "leaning", "detection", "detection_figure", "change", "confusion", "errors", "kinds", "roc", "areas",
                 "raters", "critical", "talk", "talk_gained", "talk_decay", "sureness", "calibration", "quadrants"):  # fmt: skip
        assert refused(getattr(found, name), "no_table"), name
    assert refused(found.right, "no_competence_measure") and refused(found.later, "no_follow_up")
    assert found.checks == [] and found.talk_reading == [] and found.reading
    _, whole, _ = city
    params, tables = city[0], {k: v for k, v in whole.data.tables.items() if k not in ("vignette", "role_play")}
    counted = skill.section(replace(whole, data=replace(whole.data, tables=tables)), params)
    assert refused(counted.gained, "no_table") and len(counted.right.table) == 6
    assert set(counted.calibration.table["group"]) == {"by_scale"} and counted.calibration.lacking


def test_few_units_give_no_interval(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch, schools=4, each=12)
    data = with_table(with_table(data, "vignette", judgements(data)), "role_play", talks(data, 30))
    found = skill.section(data, params)
    assert np.isfinite(found.gained.estimate) and np.isnan([found.gained.conf_low, found.gained.p_value]).all()
    assert refused(found.gained.p_refused, "few_units") and refused(found.kinds, "few_units")
    assert any(one.template == found.gained.p_refused.why.template for one in found.reading)
    for part in (found.detection, found.errors, found.areas, found.critical, found.talk):
        assert part.table["conf_low"].isna().all()
    assert found.checks[0].passed is False


def test_one_school_in_all_is_refused(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch, schools=2, each=20)
    data = with_table(data, "vignette", judgements(data))
    found = skill.section(data, params)
    assert refused(found.detection, "no_cell") and refused(found.errors, "no_cell")
    assert isinstance(found.gained, Refused) or np.isnan(found.gained.conf_low)


def test_designs_decide_what_is_compared(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch)
    both = judgements(data)
    assert refused(
        skill.section(with_table(data, "vignette", both[both["arm"] == "training"]), params).gained, "no_comparison"
    )
    after = with_table(data, "vignette", judgements(data, occasions=("post",)))
    lots = changes(after, params, judged(after, params), "post")["d_prime"]
    assert "after the training" in lots.method.template and np.isfinite(lots.conf_low)
    matched, later = made(tmp_path, monkeypatch, design="matched")
    later = with_table(later, "vignette", judgements(later, occasions=("post",)))
    assert refused(changes(later, matched, judged(later, matched), "post"), "no_baseline")
    alone, served = made(tmp_path, monkeypatch, design="before_after")
    served = with_table(served, "vignette", judgements(served))
    found = skill.section(served, alone)
    assert refused(found.gained, "no_comparison") and refused(found.kinds, "no_comparison")
    assert len(found.detection.table) == 8
    words = [one.template for one in skill.section(with_table(data, "vignette", both), params).reading]
    assert not any("Lots did not decide" in text for text in words)


def test_matched_studies_say_that_lots_did_not_decide(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch, design="matched")
    data = with_table(with_table(data, "vignette", judgements(data)), "role_play", talks(data, 40))
    found = skill.section(data, params)
    assert any("Lots did not decide" in one.template for one in found.reading)
    assert refused(found.talk_gained, "no_earlier_talks")


def test_vignettes_that_cannot_tell(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch)
    rows = judgements(data)
    cases = with_table(data, "vignette", rows[rows["case"] == 1])
    found = skill.section(cases, params)
    assert refused(found.gained, "one_kind_of_vignette") and refused(found.detection, "no_cell")
    assert refused(found.roc, "no_rated_judgements")
    every = with_table(data, "vignette", rows.assign(referred=rows["case"]))
    assert refused(skill.section(every, params).gained, "all_alike")
    other = with_table(data, "vignette", rows.assign(arm="third"))
    assert refused(skill.section(other, params).gained, "no_judgements")
    flat = skill.section(with_table(data, "vignette", rows.assign(sure=80)), params)
    assert refused(flat.roc, "no_rated_judgements") and len(flat.detection.table) == 8
    before = skill.section(with_table(data, "vignette", judgements(data, occasions=("pre",))), params)
    assert refused(before.gained, "no_later_judgement") and refused(before.roc, "no_rated_judgements")
    assert refused(before.sureness, "no_rated_judgements") and refused(before.calibration, "no_calibration")


def test_those_left_out_are_counted(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch)
    rows = judgements(data)
    rows.loc[rows["teacher_pid"].isin(["t0", "t1"]), "arm"] = "third"
    found = judged(with_table(data, "vignette", rows), params)
    assert found.n_left_out == 2 and found.people() == 46 and found.left_out[0].values["n"].n == 2


def test_a_kind_with_both_answers_is_parted(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch)
    rows = judgements(data)
    rows.loc[rows["vignette"] == 4, "kind"] = "self_harm"
    found = skill.section(with_table(data, "vignette", rows), params)
    mixed = found.errors.table[found.errors.table["kind_shown"] == "self_harm"]
    assert set(mixed["term"]) == {"over_referral", "under_referral"} and len(found.kinds.table) == 4


def test_teachers_by_lot_are_their_own_units(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch, design="teacher_rct", assignment_unit="teacher_pid")
    data = with_table(with_table(data, "vignette", judgements(data)), "role_play", talks(data, 40))
    found = skill.section(data, params)
    assert found.gained.n_clusters == found.gained.n_used == 48 and found.gained.conf_low < found.gained.estimate
    gained = found.talk_gained.table.set_index("term")
    scores = talks(data, 40).groupby("teacher_pid")["score"].mean()
    arm = data.teachers.set_index("teacher_pid")["treated"].loc[scores.index]
    wanted = scores[arm == 1].mean() - scores[arm == 0].mean()
    assert gained.loc["gained_talk_points", "estimate"] == pytest.approx(wanted)


def test_talks_that_cannot_tell(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch)
    rows = talks(data)
    three = pd.concat([rows, rows[rows["rater"] == "a"].assign(rater="c")])
    assert refused(skill.section(with_table(data, "role_play", three), params).raters, "not_two_raters")
    assert refused(skill.section(with_table(data, "role_play", talks(data, 2)), params).critical, "few_talks")
    unknown = rows.assign(teacher_pid="x" + rows["teacher_pid"])
    assert refused(skill.section(with_table(data, "role_play", unknown), params).raters, "few_talks")
    one = rows[rows["teacher_pid"].isin(["t0", "t1", "t2", "t3"])]
    found = skill.section(with_table(data, "role_play", one), params)
    assert refused(found.talk, "no_talk_mean") and found.critical.table["conf_low"].isna().all()
    two = rows[rows["teacher_pid"].isin([f"t{at}" for at in range(8)])]
    assert refused(skill.section(with_table(data, "role_play", two), params).talk_gained, "no_talk_difference")
    alike = skill.section(with_table(data, "role_play", rows.assign(critical_error=0)), params)
    assert "talk_kappa" not in set(alike.raters.table["term"]) and len(alike.raters.lacking) == 2
    assert [check.passed for check in alike.checks][-1] is None
    single = skill.section(with_table(data, "role_play", rows.drop(index=0)), params)
    assert single.raters.table["n_used"].eq(23).all() and single.raters.lacking[0].values["n"].n == 1


def test_talks_of_teachers_without_arm_are_refused(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch)
    data = with_table(data, "role_play", talks(data))
    data = replace(data, teachers=data.teachers.assign(treated=np.nan))
    assert refused(skill.section(data, params).critical, "no_arm")


def answered(n, seed=3, easier=0.0) -> pd.DataFrame:
    """Ten questions before and after of n teachers; the first becomes easier for its own sake."""
    rng = np.random.default_rng(seed)
    able, frame = rng.normal(0, 1.5, n), {}
    for when, more in (("pre", 0.0), ("post", 0.5)):
        for at in range(10):
            own = easier if when == "post" and at == 0 else 0.0
            chance = 1 / (1 + np.exp(-(able + more + own + 0.2 * (at - 5))))
            frame[f"q{at}_{when}"] = (rng.random(n) < chance).astype(int)
    frame = pd.DataFrame(frame)
    scores = {f"score_{when}": frame[[f"q{at}_{when}" for at in range(10)]].sum(axis=1) for when in ("pre", "post")}
    return frame.assign(**scores)


ITEMS = {when: [f"q{at}_{when}" for at in range(10)] for when in ("pre", "post")}


def test_the_knowledge_test_is_reliable_and_one_question_drifts(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch, schools=100, each=20, frame=answered(2000, easier=2.0), items=ITEMS,
                        design="teacher_rct", assignment_unit="teacher_pid")  # fmt: skip
    found = skill.section(data, params)
    rows = found.reliability.table.set_index(["occasion", "term"])
    items = data.data.items["pre"]
    variance = items.var(ddof=1)
    kr20 = 10 / 9 * (1 - variance.sum() / items.sum(axis=1).var(ddof=1))
    assert rows.loc[("pre", "alpha"), "estimate"] == pytest.approx(kr20)
    assert rows.loc[("pre", "ordinal_alpha"), "estimate"] > kr20 and ("post", "omega") in rows.index
    drifted = found.invariance.table.set_index("item")
    assert drifted.loc["1", "flagged"] and drifted.loc["1", "conf_low"] > 0.2
    # By chance about one question in fifty is flagged too; none of the others comes near.
    assert drifted["flagged"].sum() <= 2 and drifted["easier_after"].drop("1").abs().max() < 0.15
    # Each trained teacher counts once.
    assert drifted["n_used"].eq(1000).all()
    assert {check.name.template: check.passed for check in found.checks} == {
        "The knowledge test is reliable enough for groups": True,
        "No question became easier for its own sake": False,
    }
    again = skill.section(data, params).invariance.table
    pd.testing.assert_frame_equal(again, found.invariance.table)


def test_schools_are_resampled_where_there_are_enough(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch, schools=24, each=20, frame=answered(480), items=ITEMS, n_boot=200)
    found = skill.section(data, params)
    assert found.reliability.table["conf_low"].notna().all()
    assert not found.invariance.table["flagged"].all() and found.invariance.table["n_used"].eq(240).all()


def test_items_that_cannot_tell(tmp_path, monkeypatch):
    once = {"post": ITEMS["post"]}
    params, data = made(tmp_path, monkeypatch, frame=answered(48), items=once)
    assert refused(skill.section(data, params).invariance, "no_items_twice")
    params, data = made(tmp_path, monkeypatch, frame=answered(48), items=ITEMS)
    assert refused(skill.section(data, params).invariance, "dif_group_too_small")
    known = answered(48) * 0 + 1
    params, data = made(tmp_path, monkeypatch, frame=known, items=ITEMS)
    found = skill.section(data, params)
    assert refused(found.reliability, "no_reliability") and refused(found.invariance, "no_varied_questions")


def test_contrasts_need_every_cell(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch)
    rows = judgements(data)
    lone = rows[(rows["arm"] == "training") | (rows["occasion"] == "post")]
    data = with_table(data, "vignette", lone)
    assert refused(contrast_of(data, params, judged(data, params), "post"), "no_comparison")


def test_a_measure_of_counts_needs_its_range(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch, competence="score", confidence="score", ranges={})
    found = skill.section(data, params)
    assert refused(found.right, "no_competence_measure")
    counted, empty = made(tmp_path, monkeypatch, competence="score")
    empty = replace(empty, teachers=empty.teachers.assign(score_pre=np.nan, score_post=np.nan))
    assert refused(skill.section(empty, counted).right, "no_counts")


def test_no_curve_lists_the_answers_of_a_few(tmp_path, monkeypatch):
    params, data = made(tmp_path, monkeypatch)
    found = skill.section(with_table(data, "vignette", judgements(data)), params)
    assert refused(found.roc, "too_few_to_draw") and refused(found.sureness, "too_few_to_draw")
    assert len(found.areas.table) == 4
    params, data = made(tmp_path, monkeypatch, each=5)
    found = skill.section(with_table(data, "vignette", judgements(data)), params)
    assert set(found.roc.table["group"]) == set(found.sureness.table["group"]) == {"arm_trained", "arm_untrained"}

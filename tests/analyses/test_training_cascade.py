"""What arrives of a cascade: as planted, by hand, and on data that must be refused."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import teacher_training as analysis
from mhlib.analyses.parts import training_cascade, training_cascade_trainers
from mhlib.analyses.parts.training_cascade_gains import tier_gains, tier_rows
from mhlib.data.synthetic import planted, training, workforce
from mhlib.findings import Refused
from mhlib.report import figures
from mhlib.report.disclosure import Gate
from mhlib.report.figures.funnel import KINDS
from mhlib.stats.effects import cascade_from_rows

from .cascades import GAINS, TIERS, frame_of, params_of, scored, training_from
from .test_teacher_training import CIRCUITS, CITY

PARTS = (
    "share",
    "people",
    "gains",
    "steps",
    "lost",
    "methods",
    "composition",
    "funnel",
    "spread",
    "fidelity",
    "fidelity_gain",
)


def made(seed=3, params=None, **options):
    """A cascade's section on made rows, and the rows."""
    planted_here = {name: options.pop(name) for name in ("gains", "retest", "by_school", "by_trainer", "by_fidelity")
                    if name in options}  # fmt: skip
    frame = scored(frame_of(**options), np.random.default_rng(seed), **planted_here)
    return of(frame, params), frame


def of(frame, params=None):
    params = params or params_of()
    return training_cascade.section(training_from(frame, params), params)


def said(messages) -> list[str]:
    return [one.template for one in messages]


@pytest.fixture(scope="module")
def usual():
    return made()


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """The section on the teachers of eighty schools, as the city makes them."""
    root = tmp_path_factory.mktemp("data")
    (root / "town").mkdir()
    school = pd.DataFrame({"school_pid": [f"S{at:03d}" for at in range(80)], "size_weight": 1.0})
    tables = workforce.teachers(3, school, 80_000)
    tables |= training.training(
        3, tables["teacher"], school, workforce.trained_schools(3, school["school_pid"].to_numpy())
    )
    for name in ("teacher", "training_score", "training_tier"):
        tables[name].to_parquet(root / "town" / f"{name}.parquet")
    params = analysis.Params.from_mapping(CITY, where="test")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MHLIB_DATA", str(root))
        data = analysis.load(params)
    return data, training_cascade.section(data, params)


def test_the_town_gives_back_the_planted_cascade(town):
    _, found = town
    share = planted.CASCADE["class"].gain / planted.CASCADE["city"].gain
    assert found.share.conf_low < share < found.share.conf_high and found.share.conf_high - found.share.conf_low < 0.25
    gains = found.gains.table.set_index("group")
    for name, tier in planted.CASCADE.items():
        row = gains.loc[f"tier_{name}"]
        assert row["conf_low"] < tier.gain < row["conf_high"]
    for (above, below), row in zip(
        pairwise(planted.CASCADE.values()), found.steps.table.to_dict("records"), strict=False
    ):
        assert row["conf_low"] < below.gain / above.gain < row["conf_high"]
    whole = found.steps.table.iloc[-1]
    assert (whole["group"], whole["subgroup"]) == ("tier_city", "tier_class")
    assert whole["estimate"] == found.share.estimate == pytest.approx(found.steps.table["estimate"][:-1].prod())
    relation = found.fidelity_gain.table.iloc[0]
    assert relation["conf_low"] < 0 < relation["conf_high"]


def test_nobody_in_the_town_is_left_out_without_being_counted(town):
    data, found = town
    people = found.people.table
    assert people["denominator"].sum() == len(data.teachers)
    assert people["numerator"].sum() == data.teachers[["b", "y"]].notna().all(axis=1).sum() == found.share.n_used
    lost = int((people["denominator"] - people["numerator"]).sum())
    counted = [one.values["n"].n for one in found.reading if one.template.startswith("Not tested both")]
    assert counted == [lost] and lost > 0


def test_the_small_city_has_too_few_schools(small, monkeypatch):
    monkeypatch.setenv("MHLIB_SYNTHETIC", str(small))
    params = analysis.Params.from_mapping(CITY | {"source": "synthetic:small"}, where="test")
    found = training_cascade.section(analysis.load(params), params)
    assert {getattr(found, name).code for name in PARTS} <= {"few_tiers", "few_compared"}
    assert found.reading == found.trainers_reading == found.checks == []


def test_gains_are_net_of_the_comparison_and_the_share_is_their_ratio(usual):
    found, frame = usual
    change = frame["score_post"] - frame["score_pre"]
    means = change.groupby(frame["tier"]).mean() - change[frame["arm"] == "wait"].mean()
    sd = frame["score_pre"].std(ddof=1)
    gains = found.gains.table.set_index("group")["estimate"]
    for name in TIERS:
        assert gains[f"tier_{name}"] == pytest.approx(means[name] / sd, rel=1e-9)
    assert found.share.estimate == pytest.approx(means["class"] / means["city"], rel=1e-9)
    lost = found.lost.table.iloc[-1]
    assert lost["estimate"] == pytest.approx((means["city"] - means["class"]) / sd, rel=1e-9)


def test_without_a_comparison_the_numbers_are_those_of_the_library():
    frame = scored(frame_of(), np.random.default_rng(4))
    frame = frame[frame["arm"] == "trained"].drop(columns=["trainer_pid", "fidelity"]).reset_index(drop=True)
    found = of(frame, params_of(design="before_after", arms=["trained"]))
    gain = frame["score_post"] - frame["score_pre"]
    library = cascade_from_rows(gain, frame["tier"], cluster=frame["school_pid"], seed=1, n_boot=200)
    assert (found.share.estimate, found.share.conf_low, found.share.conf_high) == pytest.approx(
        (library.share, library.conf_low, library.conf_high), rel=1e-9
    )
    resampled = found.methods.table.set_index("group").loc["casc_resampled"]
    assert (resampled["conf_low"], resampled["conf_high"]) == pytest.approx((library.boot_low, library.boot_high))
    assert any("Without untrained teachers" in one for one in said(found.reading))
    assert "casc_ancova" not in set(found.methods.table["group"])


def test_a_before_after_design_takes_nothing_off_even_with_two_arms_in_the_file():
    frame = scored(frame_of(), np.random.default_rng(4), retest=0.5)
    found, net = of(frame, params_of(design="before_after")), of(frame)
    assert found.share.estimate > net.share.estimate and "arm_untrained" not in set(found.people.table["tier"])


def test_the_covariance_of_two_ways_is_units_plus_trainers_less_pairs():
    frame = scored(frame_of(), np.random.default_rng(5), by_trainer=0.3)
    params = params_of()
    data = training_from(frame, params)
    rows = tier_rows(data, params)
    one, other, both = (tier_gains(rows, data, by=by)[0] for by in ("unit", "trainer", "both"))
    by_hand = np.zeros((4, 4))
    change, sd = rows.measured["gain"], data.sd
    place, trainer = rows.measured["place"], rows.measured["taught"]
    pair = rows.measured["school_pid"] + trainer
    for key, sign in ((rows.measured["school_pid"], 1), (trainer, 1), (pair, -1)):
        columns = []
        for name in ("\0compared", *TIERS):
            mine = place == name
            residual = (change - change[mine].mean()).where(mine, 0.0) / mine.sum()
            g = key[mine].nunique()
            columns.append(residual.groupby(key).sum() * np.sqrt(g / (g - 1)))
        sums = np.column_stack(columns)
        net = np.column_stack([-np.ones(4), np.eye(4)])
        by_hand += sign * net @ (sums.T @ sums) @ net.T / sd**2
    assert both.covariance == pytest.approx(by_hand, rel=1e-9)
    assert both.df == min(one.df, other.df) == 7
    assert both.covariance[0, 0] > one.covariance[0, 0]


def test_trainers_enough_at_both_ends_are_allowed_for_and_few_are_said(usual):
    found, _ = usual
    assert found.share.beyond_trainers and {one.passed for one in found.checks if "trainers" in one.name.template} == {
        True
    }
    few, _ = made(trainers=(3, 12, 20, 40))
    assert not few.share.beyond_trainers
    assert {one.passed for one in few.checks if "trainers" in one.name.template} == {False}
    assert any("too few to speak of others" in one for one in said(few.reading))
    lacking = [one.values["why"].template for one in few.methods.lacking]
    assert len(lacking) == 2 and all("degrees of freedom" in one for one in lacking)


def test_trainers_who_teach_unlike_widen_the_interval_and_are_found():
    alike, _ = made(by_school=0.0)
    unlike, _ = made(by_school=0.0, by_trainer=0.4)
    width = [one.share.conf_high - one.share.conf_low for one in (alike, unlike)]
    assert width[1] > 1.5 * width[0]
    spread = [one.spread.table.set_index("term").loc["casc_between"] for one in (alike, unlike)]
    assert spread[0]["conf_low"] < 0.05 and spread[1]["conf_low"] < 0.4 < spread[1]["conf_high"]


@pytest.mark.parametrize("points", [1.0, 7.0])
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_the_unit_of_the_test_and_a_shift_of_all_change_no_share(usual, points, shift):
    found, frame = usual
    other = of(frame.assign(score_pre=points * frame["score_pre"], score_post=points * (frame["score_post"] + shift)))
    for name in ("estimate", "conf_low", "conf_high"):
        assert getattr(other.share, name) == pytest.approx(getattr(found.share, name), rel=1e-7)


# Refusals.


def test_no_tier_known_is_refused_whole():
    frame = scored(frame_of(), np.random.default_rng(1))
    for found in (of(frame.drop(columns="tier")), of(frame.assign(tier=None))):
        assert {getattr(found, name).code for name in PARTS} == {"no_tiers"}


def test_a_training_that_is_no_cascade_has_no_such_section():
    found = of(scored(frame_of(), np.random.default_rng(1)), params_of(tier=""))
    assert {getattr(found, name).code for name in PARTS} == {"other_design"} and found.reading == found.checks == []


def test_a_published_file_without_tiers_is_refused(shared_data, monkeypatch):
    if not (shared_data / CIRCUITS["source"]).is_file():
        pytest.skip("the real data sets are not here; set MHLIB_SHARED_DATA to their folder")
    monkeypatch.setenv("MHLIB_DATA", str(shared_data))
    params = analysis.Params.from_mapping(CIRCUITS, where="test")
    assert training_cascade.section(analysis.load(params), params).share.code == "no_tiers"


def test_no_test_before_is_refused():
    frame = scored(frame_of(), np.random.default_rng(1))
    found = of(frame, params_of(occasions={"post": "post"}, baseline=""))
    assert {getattr(found, name).code for name in PARTS} == {"no_baseline"}


def test_too_few_of_the_untrained_or_of_tiers_are_refused(usual):
    _, frame = usual
    waiting = frame["arm"] == "wait"
    assert of(frame[~waiting | (frame["school_pid"] == "s59")]).share.code == "few_compared"
    assert of(frame[waiting | (frame["tier"] == "class")]).gains.code == "few_tiers"


def test_a_thin_end_refuses_what_arrives_and_leaves_the_steps(usual):
    _, frame = usual
    few = frame[(frame["tier"] != "city") | frame["school_pid"].isin(["s1", "s2"])]
    found = of(few)
    assert found.share.code == found.methods.code == "few_at_an_end" and found.reading[0] is found.share.why
    assert list(found.gains.table["group"]) == ["tier_town", "tier_school", "tier_class"]
    assert len(found.gains.lacking) == 1 and len(found.steps.table) == 2
    assert {one.passed for one in found.checks if "every tier" in one.name.template} == {False}
    assert found.people.table["tier"].tolist()[-2:] == ["tier_city", "arm_untrained"]


def test_a_thin_middle_is_stepped_over(usual):
    _, frame = usual
    found = of(frame[(frame["tier"] != "town") | (frame["school_pid"] == "s1")])
    assert not isinstance(found.share, Refused)
    assert found.steps.table.iloc[0][["group", "subgroup"]].tolist() == ["tier_city", "tier_school"]


def test_no_share_of_no_gain_at_the_top():
    found, _ = made(gains={"city": 0.0, "town": 1.0, "school": 1.0, "class": 1.0})
    assert found.share.code == found.steps.code == "no_gain_at_the_top"
    assert found.share.why.values["tier"].template == "city tier"
    assert len(found.gains.table) == 4 and not isinstance(found.lost, Refused)


def test_a_step_from_no_gain_is_said_and_not_shown():
    found, _ = made(gains={"city": 1.6, "town": 0.0, "school": 1.0, "class": 1.0})
    shown = found.steps.table[["group", "subgroup"]].to_numpy().tolist()
    assert ["tier_town", "tier_school"] not in shown and ["tier_city", "tier_class"] in shown
    assert found.steps.lacking[0].values["tier"].template == "town tier"


def test_teachers_without_tier_or_test_are_counted(usual):
    _, frame = usual
    frame = frame.copy()
    frame.loc[:29, "tier"] = "village"
    frame.loc[100:139, "score_post"] = np.nan
    counts = {one.template[:7]: one.values["n"].n for one in of(frame).reading if "so in no gain" in one.template}
    assert counts == {"Not tes": 40, "Trained": 30}


# Trainers.


def unequal(seed=11) -> pd.DataFrame:
    """Scores of a cascade whose trainers have groups of many sizes."""
    rng = np.random.default_rng(seed)
    frame = frame_of(trainers=(3, 8, 16, 32))
    for name, many in zip(TIERS, (3, 8, 16, 32), strict=True):
        here = frame.index[frame["tier"] == name]
        frame.loc[here, "trainer_pid"] = [f"{name}{at}" for at in rng.integers(0, many, len(here))]
    return scored(frame, rng)


def test_the_funnel_shows_no_trainer():
    frame = unequal()
    table = of(frame).funnel.table
    points = table[table["group"] == "casc_trainer_group"]
    assert frame["trainer_pid"].value_counts().nunique() > 15
    assert points["x"].value_counts().min() >= training_cascade_trainers.ALIKE and points["x"].nunique() > 2
    assert table["n_used"].nunique() == 1 and not table.isin(set(frame["trainer_pid"].dropna())).to_numpy().any()
    assert list(table.columns) == ["group", "x", "y", "n_used"]


def test_a_group_far_off_stands_outside_the_limits():
    frame = scored(frame_of(), np.random.default_rng(6))
    frame.loc[frame["trainer_pid"] == "class7", "score_post"] += 6
    found = of(frame)
    limit = found.funnel.table
    outer = limit[(limit["group"] == "casc_limit_998") & (limit["y"] > 0)]["y"].max()
    assert limit[limit["group"] == "casc_trainer_group"]["y"].max() > outer
    assert found.trainers_reading[1].values["n"].n == 1


def test_a_group_keeps_its_own_distance_from_the_limits():
    params = params_of()
    data = training_from(unequal(), params)
    rows = tier_rows(data, params)
    found = training_cascade_trainers.trainers(data, params, rows)
    spread = found.spread.table.set_index("term")["estimate"]
    table = found.funnel.table
    points = table[table["group"] == "casc_trainer_group"]
    shown = points["y"] / np.sqrt(spread["casc_within"] ** 2 / points["x"] + spread["casc_between"] ** 2)
    people = rows.measured[rows.measured["place"] != "\0compared"]
    groups = people.groupby(["place", "taught"])["gain"].agg(["size", "mean"]).reset_index()
    whole = people.groupby("place")["gain"].agg(["size", "mean"])
    free = spread["casc_within"] ** 2 * (1 / groups["size"] - 1 / groups["place"].map(whole["size"]))
    apart = (groups["mean"] - groups["place"].map(whole["mean"])) / data.sd
    expected = (apart / np.sqrt(free + spread["casc_between"] ** 2))[
        groups["size"] >= training_cascade_trainers.FEWEST_TAUGHT
    ]
    assert np.sort(shown) == pytest.approx(np.sort(expected), rel=1e-9)


def test_fidelity_that_matters_is_found_and_called_exploratory():
    found, _ = made(by_fidelity=5.0, by_school=0.0)
    row = found.fidelity_gain.table.iloc[0]
    sd = 1.0
    assert 0 < row["conf_low"] < 0.5 / sd < row["conf_high"] and found.trainers_reading[-1].template.startswith(
        "Exploratory"
    )
    assert found.fidelity.table["n_used"].tolist() == [8, 12, 20, 40]


def test_trainers_and_fidelity_that_are_not_known_are_refused(usual):
    _, frame = usual
    unknown = of(frame.drop(columns=["trainer_pid", "fidelity"]))
    assert {getattr(unknown, name).code for name in ("funnel", "spread", "fidelity", "fidelity_gain")} == {
        "no_trainers"
    }
    assert not isinstance(unknown.share, Refused) and any("may be too narrow" in one for one in said(unknown.reading))
    assert [one.passed for one in unknown.checks][-1] is None
    unseen = of(frame.drop(columns="fidelity"))
    assert unseen.fidelity.code == unseen.fidelity_gain.code == "no_fidelity" and not isinstance(unseen.funnel, Refused)
    assert of(frame.assign(fidelity=0.8)).fidelity_gain.code == "design"


def test_few_trainers_would_be_known_in_a_figure():
    assert made(trainers=(2, 3, 4, 5))[0].funnel.code == "few_trainers"


def test_the_figure_draws_points_and_two_pairs_of_limits(usual):
    found, _ = usual
    kind = KINDS["funnel"]
    data = Gate.of("public").frame(kind.data(found.funnel, Gate.of("public")), where="test")
    ax = kind.draw(found.funnel, data=data)
    assert len(ax.collections) == 1 and len(ax.lines) == 5
    drawn = ax.collections[0].get_offsets()
    points = found.funnel.table[found.funnel.table["group"] == "casc_trainer_group"]
    assert np.asarray(drawn) == pytest.approx(points[["x", "y"]].to_numpy())
    assert len(figures.KINDS["forest"].draw(found.steps).get_yticklabels()) == len(found.steps.table)


def test_tiers_unlike_at_the_start_fail_the_check():
    frame = scored(frame_of(), np.random.default_rng(7)).assign(hired_on=pd.Timestamp("2015-09-01"))
    frame.loc[frame["tier"] == "city", "hired_on"] = pd.Timestamp("2005-09-01")
    frame["hired_on"] += pd.to_timedelta(np.arange(len(frame)) % 900, unit="D")
    found = of(frame)
    table = found.composition.table.set_index(["property_named", "tier"])["apart_from_first"]
    assert table[("casc_service", "tier_class")] < -1 and found.checks[0].passed is False
    assert (found.composition.table["n_used"] <= 60).all()


def test_every_planted_gain_is_in_its_interval(usual):
    found, _ = usual
    table = found.gains.table.set_index("group")
    for name in TIERS:
        assert table.loc[f"tier_{name}", "conf_low"] < GAINS[name] < table.loc[f"tier_{name}", "conf_high"]


def test_adjusted_for_the_first_test_by_hand(usual):
    found, frame = usual
    columns = [np.ones(len(frame)), frame["score_pre"], *((frame["tier"] == name).astype(float) for name in TIERS)]
    slopes = np.linalg.lstsq(np.column_stack(columns), frame["score_post"], rcond=None)[0][2:]
    row = found.methods.table.set_index("group").loc["casc_ancova"]
    assert row["estimate"] == pytest.approx(slopes[-1] / slopes[0], rel=1e-8)
    assert row["conf_low"] < row["estimate"] < row["conf_high"]


def test_teachers_drawn_by_lot_need_no_school():
    frame = scored(frame_of(), np.random.default_rng(8), by_school=0.0).drop(columns="school_pid")
    found = of(frame, params_of(design="teacher_rct", assignment_unit="teacher_pid"))
    assert found.share.conf_low < GAINS["class"] / GAINS["city"] < found.share.conf_high
    assert found.share.beyond_trainers and found.people.table["n_units"].sum() == len(frame)


def test_tiers_of_other_names_stand_as_the_file_has_them():
    frame = scored(frame_of(), np.random.default_rng(9))
    names = dict(zip(TIERS, ("district", "hub", "school", "class"), strict=True))
    found = of(frame.assign(tier=frame["tier"].map(names)), params_of(tiers=list(names.values())))
    assert found.gains.table["group"].tolist() == ["district", "hub", "tier_school", "tier_class"]
    assert found.share.first == "district" and found.reading[0].values["first"].values["given"] == "district"


def test_less_stigma_is_a_gain_too(usual):
    found, frame = usual
    turned = frame.assign(score_pre=-frame["score_pre"], score_post=-frame["score_post"])
    other = of(turned, params_of(lower_is_better=["score"]))
    assert of(turned).share.code == "no_gain", "where more is better these teachers lost"
    assert other.share.estimate == pytest.approx(found.share.estimate) and other.share.conf_low == pytest.approx(
        found.share.conf_low
    )
    assert (other.gains.table["estimate"] < 0).all()


def test_no_step_is_shown_down_from_a_tier_that_did_worse():
    gains = dict(zip(TIERS, (0.8, -0.6, 0.5, 0.4), strict=True))
    result, _ = made(seed=8, gains=gains)
    shown = set(result.steps.table["group"])
    assert "tier_town" not in shown and {"tier_city", "tier_school"} <= shown
    assert "A tier did worse after the training, so the step down from it is not shown." in said(result.steps.lacking)

"""Losses of every kind on made trials without any effect: pupils left out, whole schools gone, kinds, maps, empty columns."""

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.analyses.parts import outcome_flow, outcome_missing, outcome_primary, outcome_secondary, outcome_verdict
from mhlib.analyses.parts.trial import trial_of
from mhlib.data.screening import Provenance
from mhlib.data.trial import TrialData
from mhlib.errors import ParamsError
from mhlib.findings import Refused

NAMES = ("effect", "size", "cause", "losses", "unmeasured", "harms", "grade")


def params_of(**changes):
    given = {
        "evaluation": "intervention_outcomes", "source": "here.csv", "as_of": "2026-01-01", "seed": 11, "design": "school_rct",
        "allocated": "school_pid", "outcome": "distress", "occasions": {"pre": "pre", "post": "post"}, "baseline": "pre",
        "primary": "post", "levels": ["school_pid"], "n_boot": 100, "n_imputations": 5, "planned_on": "2025-01-01",
    }  # fmt: skip
    return analysis.Params.from_mapping(given | changes, where="test")


def rows(seed: int = 1, schools: int = 40, pupils: int = 40) -> pd.DataFrame:
    """Half the schools served, to no effect; lower is better."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(schools), pupils)
    before = 20 + rng.normal(0, 1, schools)[school] + rng.normal(0, 5, len(school))
    after = 10 + 0.5 * before + rng.normal(0, 0.6, schools)[school] + rng.normal(0, 4, len(school))
    return pd.DataFrame({"school_pid": [f"s{at}" for at in school], "arm": np.where(school % 2 == 1, "intervention", "control"),
                         "y_pre": before, "y_post": after, "draw": rng.random(len(school))})  # fmt: skip


def trial(people: pd.DataFrame, params, allocated: pd.DataFrame | None = None):
    people = people.assign(pupil_pid=[f"p{at}" for at in range(len(people))])
    data = TrialData(people=people, panel=pd.DataFrame(), occasions=tuple(params.occasions),
                     allocated=pd.DataFrame() if allocated is None else allocated,
                     provenance=Provenance(kind="file", source="here", sha256="0", rows_read=len(people)))  # fmt: skip
    return trial_of(data, params)


def report(people: pd.DataFrame, params, allocated: pd.DataFrame | None = None):
    result = analysis.estimate(trial(people, params, allocated), params)
    return result, dict(zip(NAMES, analysis.lights(result, params), strict=True))


def badly_off(people: pd.DataFrame, share: float = 0.6) -> pd.Series:
    """Of the served, a share of those whose outcome is above the median."""
    return (people["arm"] == "intervention") & (people["y_post"] > people["y_post"].median()) & (people["draw"] < share)


@pytest.mark.parametrize(("column", "changes"), [("y_pre", {}), ("age", {"covariates": ["age"]})])
def test_who_lacks_a_first_score_or_a_covariate_is_lost(column, changes):
    people = rows().assign(age=np.random.default_rng(4).normal(12, 1, 1600))
    gone = badly_off(people)
    people.loc[gone, column] = np.nan
    result, lights = report(people, params_of(**changes))
    assert result.effect.conf_high < 0, "the world must tempt"
    assert result.effect.n_used == int((~gone).sum())
    assert result.flow.overall == pytest.approx(gone.mean()) and result.flow.level == "high"
    assert lights["losses"].state == "bad" and lights["cause"].state == "watch" and lights["grade"].state == "bad"
    assert "a covariate or the stratum is missing" in lights["losses"].finding.template
    # Their outcomes are known: put back in, the effect goes, and the light says so.
    assert lights["unmeasured"].state == "watch" and result.missing.tipping.code == "nothing_shifted"
    table = result.missing.effects.table.set_index("group")
    assert abs(table.at["effect_imputed", "estimate"]) < 0.5 * abs(table.at["effect_complete", "estimate"])
    assert table["n_used"].to_dict() == {"effect_complete": int((~gone).sum()), "effect_imputed": 1600}
    assert result.missing.alike is False


@pytest.mark.parametrize("arms", [["control", "intervention"], ["control", "intervention", "booklet"]])
def test_the_means_count_those_the_effect_rests_on(arms):
    people = rows().assign(age=np.random.default_rng(4).normal(12, 1, 1600))
    # Every fourth served school belongs to a third arm.
    third = people["school_pid"].isin([f"s{at}" for at in range(1, 40, 8)]) & (len(arms) > 2)
    people.loc[third, "arm"] = "booklet"
    people.loc[badly_off(people), "age"] = np.nan
    params = params_of(covariates=["age"], arms=arms)
    found = outcome_primary.section(trial(people, params), params)
    used = people[people["age"].notna() & ~third].groupby("arm").size()
    assert found.means.table["n_used"].to_list() == [used["control"], used["intervention"]]
    assert found.effect.n_used == found.means.table["n_used"].sum()
    if len(arms) > 2:
        assert set(found.arms.table["n_used"]) == {int(people["age"].notna().sum())}


def test_equal_numbers_left_out_at_opposite_ends_are_of_different_kinds():
    """The losses lack a first score, so only the outcome can tell who they are."""
    people = rows(seed=3, pupils=60)
    rank, served = people["y_post"].rank(pct=True), people["arm"] == "intervention"
    people.loc[np.where(served, rank > 0.95, rank < 0.05), "y_pre"] = np.nan
    result, lights = report(people, params_of())
    assert result.flow.level == "low" and result.missing.alike is False
    assert lights["losses"].state == "watch"
    assert any("goes with the outcome" in said.template for said in result.missing.reading)


def test_left_out_by_lot_in_both_arms_raises_no_alarm():
    people = rows(seed=3, pupils=60)
    people.loc[people["draw"] < 0.06, "y_pre"] = np.nan
    result, lights = report(people, params_of())
    assert result.missing.alike is True and lights["losses"].state == "good"
    assert 0.04 < result.flow.overall < 0.08


def allocated_of(people: pd.DataFrame) -> pd.DataFrame:
    return people[["school_pid", "arm"]].drop_duplicates().rename(columns={"school_pid": "unit"})


@pytest.mark.parametrize(("lost", "level"), [(0, "low"), (1, "low"), (2, "tolerable"), (10, "high")])
def test_whole_schools_gone_are_losses(lost, level):
    people = rows(seed=2)
    served = people[people["arm"] == "intervention"].groupby("school_pid")["y_post"].mean().sort_values()
    left = people[~people["school_pid"].isin(served.index[len(served) - lost :])].reset_index(drop=True)
    params = params_of()
    found = outcome_flow.section(trial(left, params, allocated_of(people)), params)
    assert (found.overall, found.differential) == (0.0, 0.0), "no pupil of the schools that are left is lost"
    assert found.level == found.units_level == level
    assert len(found.reading) == (2 if lost else 1)
    if lost > 1:
        said = found.reading[0]
        assert said.values["lost"] == lost and said.values["n"] == 40 and said.values["differential"] == f"{5.0 * lost}"
    boundary = next(one for one in found.checks if one.name.template == "Losses stay within the boundary")
    assert boundary.passed is (level != "high")


def test_ten_schools_gone_are_no_secure_finding():
    people = rows(seed=2)
    served = people[people["arm"] == "intervention"].groupby("school_pid")["y_post"].mean().sort_values()
    result, lights = report(people[~people["school_pid"].isin(served.index[10:])], params_of(), allocated_of(people))
    assert lights["losses"].state == "bad" and lights["cause"].state == "watch" and lights["grade"].state == "bad"
    assert lights["losses"].finding is result.flow.reading[0]
    assert "nobody is in the comparison" in lights["losses"].finding.template


def test_a_listed_school_without_a_single_outcome_is_gone_too():
    people = rows(seed=2)
    people.loc[people["school_pid"].isin([f"s{at}" for at in range(1, 20, 2)]), "y_post"] = np.nan
    params = params_of()
    found = outcome_flow.section(trial(people, params, allocated_of(people)), params)
    assert found.units_level == "high"
    assert outcome_flow.section(trial(people, params), params).units_level == ""


def test_pupils_drawn_one_by_one_are_not_counted_as_units_again():
    people = rows(seed=2)
    people.loc[people["draw"] < 0.1, "y_post"] = np.nan
    params = params_of(design="pupil_rct", allocated="pupil_pid", levels=[])
    listed = pd.DataFrame({"unit": [f"p{at}" for at in range(1600)], "arm": people["arm"]})
    found = outcome_flow.section(trial(people, params, listed), params)
    assert found.units_level == "" and len(found.reading) == 1


@pytest.mark.parametrize("design", ["school_rct", "matched", "staggered"])
def test_the_kinds_of_losses_are_looked_at_in_every_design(design):
    people = rows(seed=3, pupils=60)
    rank, served = people["y_pre"].rank(pct=True), people["arm"] == "intervention"
    people.loc[np.where(served, rank > 0.9, rank < 0.1), "y_post"] = np.nan
    params = params_of(design=design)
    result = Judged(trial(people, params), params)
    assert result.flow.level == "low" and result.missing.alike is False
    assert outcome_verdict.doubt_of_kind(result) is outcome_verdict.UNLIKE_LOSSES
    assert list(result.missing.predictors.table["term"]) == ["lost_arm", "lost_baseline", "lost_both"]


class Judged:
    """Flow and missing alone, as the light of losses reads them."""

    def __init__(self, made, params) -> None:
        self.flow, self.missing = outcome_flow.section(made, params), outcome_missing.section(made, params)


def test_unknown_kinds_are_said_to_be_unknown_and_few_losses_are_none():
    people = rows(seed=3)
    params = params_of(design="matched")
    people.loc[people["draw"] < 0.05, "y_post"] = np.nan
    blind = params_of(design="matched", baseline="")
    assert outcome_verdict.doubt_of_kind(Judged(trial(people, params), params)) is None
    assert outcome_verdict.doubt_of_kind(Judged(trial(people, blind), blind)) is outcome_verdict.UNKNOWN_LOSSES
    few = rows(seed=3)
    few.loc[:8, "y_post"] = np.nan
    assert outcome_verdict.doubt_of_kind(Judged(trial(few, blind), blind)) is None


@pytest.mark.parametrize(("share", "stands"), [(0.4, False), (0.02, True)])
def test_a_null_is_judged_on_the_map_too(share, stands):
    people = rows(seed=9)
    people.loc[people["draw"] < share, "y_post"] = np.nan
    params = params_of()
    result, lights = report(people, params)
    assert result.effect.conf_low < 0 < result.effect.conf_high
    assert result.missing.checks[0].passed and result.missing.stands is stands
    assert lights["unmeasured"].state == ("good" if stands else "watch")
    assert ("not everywhere on the map" in lights["unmeasured"].finding.template) is not stands
    assert ("at every shift" in result.missing.reading[-1].template) is stands


@pytest.mark.parametrize(("better", "sign"), [("lower", -1), ("higher", 1)])
def test_the_light_counts_points_as_the_effect_does(better, sign):
    people = rows(seed=9)
    people.loc[people["draw"] < 0.1, "y_post"] = np.nan
    params = params_of(better=better)
    found = outcome_missing.section(trial(people, params), params)
    table = found.effects.table.set_index("group")["estimate"]
    said = found.reading[0].values
    assert said["complete"].value == pytest.approx(sign * table["effect_complete"])
    assert said["imputed"].value == pytest.approx(sign * table["effect_imputed"])


LATE = {"occasions": {"pre": "pre", "post": "post", "late": "late"}, "later": ["late"]}


def test_an_occasion_that_does_not_vary_is_not_imputed():
    people = rows(seed=7, schools=24, pupils=30).assign(y_late=5.0)
    people.loc[people["draw"] < 0.1, "y_post"] = np.nan
    params = params_of(**LATE)
    found = outcome_missing.section(trial(people, params), params)
    complete, everybody = found.effects.table.set_index("group")["n_used"].loc[["effect_complete", "effect_imputed"]]
    assert everybody == len(people) > complete and found.checks[0].passed is True
    flat = people.assign(y_pre=7.0, y_late=people["y_pre"])
    assert outcome_missing.section(trial(flat, params), params).alike is None


def test_a_later_occasion_without_scores_leaves_the_others_standing():
    people = rows(seed=7, schools=24, pupils=30)
    empty = people.assign(y_late=np.nan)
    params = params_of(**LATE)
    assert outcome_secondary.section(trial(empty, params), params).outcomes.code == "nothing_measured"
    both = params_of(occasions={**LATE["occasions"], "m8": "m8"}, later=["late", "m8"])
    found = outcome_secondary.section(trial(empty.assign(y_m8=people["y_post"]), both), both).outcomes
    assert found.table["group"].to_list() == ["m8"] and len(found.lacking) == 1


@pytest.mark.parametrize("whose", ["everybody", "intervention", "control"])
def test_a_primary_occasion_nobody_of_an_arm_reached_is_refused_by_its_name(whose):
    people = rows()
    people.loc[(people["arm"] == whose) | (whose == "everybody"), "y_post"] = np.nan
    result, lights = report(people, params_of())
    assert isinstance(result.effect, Refused) and result.effect.code == "nothing_measured"
    assert result.secondary.equivalence.code == "nothing_measured" and lights["losses"].state == "bad"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("stratum", {"stratum": "level"}),
        ("stratum", {"stratum": "stratum"}),
        ("covariates", {"covariates": ["age"]}),
        ("cluster", {"cluster": "class_pid"}),
        ("levels", {"levels": ["school_pid", "class_pid"]}),
    ],
)
def test_a_column_the_plan_names_and_the_source_lacks_is_an_error_of_ours(name, changes):
    with pytest.raises(ParamsError, match=f"{name}: the source has no column"):
        trial(rows(), params_of(**changes))

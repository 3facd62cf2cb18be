"""The plan: dated, sealed by a checksum, and everything exploratory where it was changed; words for every design."""

import dataclasses
import hashlib
import json
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.analyses.parts import outcome_design
from mhlib.analyses.parts.outcome_power import DESIGN_CAP
from mhlib.analyses.parts.trial import RANDOMISED, Trial, trial_of
from mhlib.data.screening import Provenance
from mhlib.data.trial import TrialData
from mhlib.errors import ParamsError

NEEDED = {"evaluation": "intervention_outcomes", "as_of": "2026-01-01", "seed": 1, "outcome": "score", "source": "t.csv",
          "design": "school_rct", "allocated": "school_pid", "arms": ["control", "programme"],
          "occasions": {"pre": "before", "post": "after"}, "baseline": "pre", "primary": "post"}  # fmt: skip
ORIGIN = Provenance(kind="file", source="t.csv", sha256="0" * 64, rows_read=1)


def given(**changes):
    return analysis.Params.from_mapping(NEEDED | changes, where="test")


def planned(**changes):
    return given(planned_on="2025-08-20", **changes)


def trial(params):
    school = np.repeat(np.arange(20), 10)
    people = pd.DataFrame({"pupil_pid": np.arange(200).astype(str), "school_pid": school.astype(str),
                           "arm": np.where(school % 2, "programme", "control"), "start_term": 2.0 + school % 3,
                           "y_pre": 20.0, "y_post": 19.0})  # fmt: skip
    return trial_of(data_of(people, pd.DataFrame()), params)


def data_of(people, panel):
    return TrialData(people=people, panel=panel, occasions=("pre", "post"), allocated=pd.DataFrame(), provenance=ORIGIN)


def weeks(params, n=24, start=12):
    panel = pd.DataFrame({"unit": "d", "time": np.arange(n), "outcome": np.arange(n) % 5 + 1.0,
                          "exposure": (np.arange(n) >= start).astype(float)})  # fmt: skip
    return Trial(data=data_of(pd.DataFrame(), panel), people=pd.DataFrame(), design=params.design, cluster="unit", levels=(),
                 control="control", treated_arms=("programme",))  # fmt: skip


def plan_row(params, name):
    rows = outcome_design.section(trial(params), params).plan.table
    return next(row.detail_said for row in rows.itertuples() if row.property.template == name)


def plan_light(params):
    lights = outcome_design.section(trial(params), params).domains
    return next(light for light in lights if light.name.template == "Plan")


def test_the_checksum_is_the_hash_of_the_plan_as_canonical_json():
    text = (
        '{"allocated":"school_pid","alpha":0.05,"arms":["control","programme"],"baseline":"pre","better":"lower","cluster":"",'
        '"covariates":[],"design":"school_rct","estimand":"pupil","levels":[],"margin":0.1,"occasions":[["pre","before"],'
        '["post","after"]],"outcome":"score","planned_on":"2025-08-20","primary":"post","stratum":"","subgroups":[]}'
    )
    assert json.loads(text)
    assert analysis.plan_checksum(planned()) == hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("name", "value"),
    [("primary", "pre"), ("alpha", 0.1), ("estimand", "school"), ("covariates", ["sex"]), ("outcome", "another"),
     ("margin", 0.2), ("better", "higher"), ("subgroups", ["sex"]), ("planned_on", "2025-08-21"), ("design", "matched"),
     ("occasions", {"post": "after", "pre": "before"}), ("levels", ["school_pid"]), ("stratum", "level"),
     ("cluster", "class_pid"), ("baseline", ""), ("arms", ["programme", "control"]), ("allocated", "class_pid")],
)  # fmt: skip
def test_every_part_of_the_plan_changes_its_checksum(name, value):
    # The test and the intervals go together; the coverage of the intervals is no part of the plan.
    with_it = {"conf_level": 1 - value} if name == "alpha" else {}
    changed = given(**{"planned_on": "2025-08-20", name: value} | with_it)
    assert analysis.plan_checksum(changed) != analysis.plan_checksum(planned())
    assert set(outcome_design.PLANNED) >= {name}


@pytest.mark.parametrize("changes", [{"seed": 9}, {"language": "en"}, {"deviations": ["One."]}, {"source": "b.csv"}])
def test_what_is_no_plan_leaves_the_checksum(changes):
    assert analysis.plan_checksum(planned(**changes)) == analysis.plan_checksum(planned())


def test_a_sealed_plan_is_frozen():
    whole = outcome_design.plan_checksum(planned())
    for stated in (whole, whole[:16]):
        params = planned(plan_sha256=stated)
        assert outcome_design.frozen(params) and plan_light(params).state == "good" and plan_light(params).planned
        assert plan_row(params, "checksum of the plan").template == "{now}, as registered"
        assert "is the one registered" in outcome_design.plan_said(params).template
    assert plan_light(planned(plan_sha256=whole, deviations=["One."])).state == "watch"


def test_a_dated_plan_without_a_checksum_is_watched():
    params = planned()
    assert outcome_design.frozen(params) and plan_light(params).state == "watch" and plan_light(params).planned
    said = plan_row(params, "checksum of the plan")
    assert said.template == "{now}; none was registered" and said.values["now"] == analysis.plan_checksum(params)


def test_a_plan_changed_after_it_was_registered_makes_everything_exploratory():
    sealed = analysis.plan_checksum(planned())
    params = planned(alpha=0.1, conf_level=0.9, plan_sha256=sealed)
    light = plan_light(params)
    assert not outcome_design.frozen(params) and (light.state, light.planned) == ("bad", False)
    assert light.finding.template.startswith("The plan was changed after it was registered")
    assert "exploratory" in plan_row(params, "plan frozen on").template
    assert plan_row(params, "checksum of the plan").values == {"now": analysis.plan_checksum(params), "stated": sealed}


def test_a_checksum_without_a_day_is_no_plan():
    params = given(plan_sha256=analysis.plan_checksum(given()))
    assert not outcome_design.frozen(params) and plan_light(params).finding.template == "No plan was frozen."


@pytest.mark.parametrize("stated", ["abc", "G" * 16, "0" * 17, "0" * 65])
def test_what_is_no_checksum_is_refused(stated):
    with pytest.raises(ParamsError, match="plan_sha256"):
        planned(plan_sha256=stated)


STRENGTHS = {"school_rct": "strong", "class_rct": "strong", "pupil_rct": "strong", "wait_list": "strong",
             "stepped_wedge": "strong", "staggered": "moderate", "above_cutoff": "at_cutoff", "matched": "weak",
             "before_after": "none", "panel": "moderate", "time_series": "weak"}  # fmt: skip
CAUSES = {"staggered": "Schools that began early", "above_cutoff": "same cut-off", "matched": "not measured",
          "before_after": "regression to the mean", "panel": "Units that began early", "time_series": "same week"}  # fmt: skip


@pytest.mark.parametrize("design", get_args(analysis.DESIGNS))
def test_every_design_has_its_words(design):
    params = given(design=design, allocated="unit" if design in ("panel", "time_series") else "school_pid")
    found = weeks(params) if design in ("panel", "time_series") else trial(params)
    section = outcome_design.section(found, params)
    assert section.strength == STRENGTHS[design]
    rows = {row.property.template: row.detail_said.template for row in section.estimand.table.itertuples()}
    assert rows["how it was decided"] == outcome_design.WORDS[design].template
    assert ("intention to treat" in rows["compared with"]) == (design in RANDOMISED)
    other = [light for light in section.domains if light.name.template == "Other causes"]
    assert [CAUSES[design] in light.finding.template for light in other] == ([True] if design in CAUSES else [])
    assert DESIGN_CAP.get(design, 5) == {"strong": 5, "moderate": 2 if design == "panel" else 3, "at_cutoff": 3, "weak": 2,
                                         "none": 0}[section.strength]  # fmt: skip


def test_a_roll_out_is_compared_by_its_starts_and_not_by_its_arms():
    params = given(design="stepped_wedge")
    wedge = trial(params)
    people = wedge.people.assign(treated=1.0)
    few = people[people["school_pid"].isin([str(n) for n in range(7)])]
    for chosen, strength in ((people, "strong"), (few, "weakened"), (people.assign(start_term=2.0), "none")):
        assert outcome_design.causal_strength(dataclasses.replace(wedge, people=chosen), params) == strength


@pytest.mark.parametrize(("start", "state"), [(7, "bad"), (8, "watch"), (12, "watch"), (22, "good")])
def test_a_series_is_judged_by_its_weeks(start, state):
    params = given(design="time_series", allocated="unit")
    lights = outcome_design.section(weeks(params, 44 if start == 22 else 24, start), params).domains
    found = next(light for light in lights if light.name.template.startswith("Weeks before"))
    assert found.state == state and found.finding.values["before"] == start
    assert not any(light.name.template == "Units behind the comparison" for light in lights)

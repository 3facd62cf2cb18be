"""Certificates: counted step by step by hand, over time against closed forms, on a made town, and where they must be refused."""

import math
from datetime import date

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import teacher_training as analysis
from mhlib.analyses.parts import training_reach as reach
from mhlib.analyses.parts import training_reach_audit as audit
from mhlib.analyses.parts import training_reach_forecast as ahead
from mhlib.analyses.parts import training_reach_groups as groups
from mhlib.analyses.parts import training_reach_time as time
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.training_reach_registers import day_of, registers_of
from mhlib.data.synthetic import workforce
from mhlib.data.synthetic.calendar import calendar
from mhlib.findings import Refused
from mhlib.report.disclosure import Gate
from mhlib.report.figures.lines import lines_data
from mhlib.stats.monitoring import staffing_projection
from mhlib.stats.monitoring.stock_flows import arrivals_of, flow_of

GIVEN = {
    "evaluation": "teacher_training", "source": "town", "as_of": "2026-03-20", "seed": 4, "design": "wait_list",
    "assignment_unit": "school_pid", "occasions": {"pre": "pre", "post": "post"}, "baseline": "pre", "primary": "post",
    "primary_measure": "knowledge", "measures": ["knowledge"], "claimed": {"C": 200, "B": 20},
}  # fmt: skip
AT = day_of(date(2026, 3, 20))


def certificates(rows) -> pd.DataFrame:
    """Rows of teacher, level, issued, expires."""
    frame = pd.DataFrame(rows, columns=["teacher_pid", "level", "issued", "expires"])
    return frame.assign(issued=pd.to_datetime(frame["issued"]), expires=pd.to_datetime(frame["expires"]), hours=24)


def schools(n=12) -> pd.DataFrame:
    return pd.DataFrame({
        "school_pid": [f"S{at:02d}" for at in range(n)], "name": "x", "level": ["P", "J"] * (n // 2), "area_code": "A1",
        "urban": [at % 4 < 2 for at in range(n)], "private": False, "boarding": False, "model_parent_school": False,
        "size_weight": 1.0, "demo_point": False,
    })  # fmt: skip


def tables(each=20, n=12) -> dict[str, pd.DataFrame]:
    """Twelve schools of twenty; nine in ten hold C to the end of June 2028, every tenth of these B as well; no departure but one."""
    school = schools(n)
    people = [f"T{at:04d}" for at in range(n * each)]
    teacher = pd.DataFrame({
        "teacher_pid": people, "school_pid": np.repeat(school["school_pid"], each).to_numpy(),
        "role": np.where(np.arange(n * each) % 4 == 0, "head", "subject"), "hired_on": pd.Timestamp("2010-09-01"),
    })  # fmt: skip
    held = [name for at, name in enumerate(people) if at % 10]
    rows = [(name, "C", "2020-06-30", "2028-06-30") for name in held]
    rows += [(name, "B", "2020-06-30", "2028-06-30") for name in held[::10]]
    arms = np.where(np.arange(n) % 2, "training", "wait_list")
    score = pd.DataFrame({
        "teacher_pid": np.repeat(people, 2), "school_pid": np.repeat(teacher["school_pid"].to_numpy(), 2),
        "arm": np.repeat(arms, 2 * each), "occasion": ["pre", "post"] * len(people), "knowledge": 20,
        "stigma": 20, "helping": 20, "help_seeking": 20, "confidence": 3.0, "vignettes_right": 5,
    })  # fmt: skip
    enrolment = pd.DataFrame({"pupil_pid": [f"P{at}" for at in range(n * 100)], "wave": 6, "class_pid": "K1",
                              "school_pid": np.repeat(school["school_pid"], 100).to_numpy(), "grade": 3})  # fmt: skip
    leaver = pd.DataFrame({"teacher_pid": ["T0001"], "school_pid": ["S00"], "left_on": [pd.Timestamp("2025-08-31")]})
    return {"teacher": teacher, "school": school, "certificate": certificates(rows), "leaver": leaver, "calendar": calendar(),
            "training_score": score, "enrolment": enrolment}  # fmt: skip


@pytest.fixture
def town(tmp_path, monkeypatch):
    """Parameters, training and registers of the tables given."""
    monkeypatch.setenv("MHLIB_DATA", str(tmp_path))
    (tmp_path / "town").mkdir()

    def made(given: dict[str, pd.DataFrame], **changes):
        for name, frame in given.items():
            frame.to_parquet(tmp_path / "town" / f"{name}.parquet")
        params = analysis.Params.from_mapping(GIVEN | changes, where="test")
        training = analysis.load(params)
        return params, training, registers_of(training, params)

    return made


def found_in(town, given, **changes) -> reach.ReachSection:
    params, training, _ = town(given, **changes)
    return reach.section(training, params)


def test_every_step_from_paper_to_person_is_counted_once(town):
    given = tables()
    rows = [(name, "C", "2020-06-30", "2028-06-30") for name in ("T0002", "T0003", "T0004", "T0005", "T0006", "T0007")]
    rows += [
        ("T0002", "C", "2020-06-30", "2028-06-30"),
        ("T0003", "C", "2021-06-30", "2029-06-30"),
    ]  # twice; renewed early
    rows += [("X1", "C", "2020-06-30", "2028-06-30"), ("T0001", "C", "2020-06-30", "2028-06-30")]  # stranger; left
    rows += [
        ("T0009", "C", "2010-06-30", "2018-06-30"),
        ("T0010", "C", "2018-03-20", "2026-03-20"),
    ]  # ran out; last day
    rows += [
        ("T0011", "C", "2026-03-21", "2034-03-21"),
        ("T0012", "C", "2020-06-30", "2028-06-30"),
    ]  # later; hired later
    given["certificate"] = certificates(rows)
    given["teacher"].loc[given["teacher"]["teacher_pid"] == "T0012", "hired_on"] = pd.Timestamp("2026-04-01")
    params, training, registers = town(given)
    steps = audit.steps(registers, "C", AT)
    assert steps == {"step_issued": 13, "step_further": 2, "step_off_roster": 1, "step_left": 1, "step_not_yet": 1,
                     "step_expired": 1, "step_counted": 7}  # fmt: skip
    # All that is taken away and what is left make up what was issued.
    assert steps["step_issued"] == sum(n for name, n in steps.items() if name != "step_issued")
    below = audit.denominator(registers, "C", AT)
    assert below["step_known"] == 240 and below["step_employed"] == 238
    assert below["step_new"] + below["step_before"] == below["step_employed"]
    checks = {check.name.template: check.passed for check in reach.section(training, params).checks}
    assert checks["Every certificate belongs to somebody on the roster"] is False
    assert checks["Nobody's certificate is dated after the day of the report"] is False
    assert checks["Every certificate runs out after it was issued"] is True


@pytest.mark.parametrize(
    ("claim", "verdict", "state"), [(215, "met", "good"), (216, "met_on_paper", "watch"), (217, "not_met", "bad")]
)
def test_a_claim_is_met_by_people_or_on_paper_only(town, claim, verdict, state):
    # 216 certificates C were issued; T0001 left.
    params, _, registers = town(tables(), claimed={"C": claim})
    assert audit.verdict(registers, "C", claim, AT) == verdict
    assert [light.state for light in audit.lights(registers, params)] == [state]
    row = audit.claims(registers, params).table.iloc[0]
    assert (row["claimed"], row["numerator"], row["denominator"]) == (claim, 215, 239)
    assert row["verdict_said"] == audit.VERDICTS[verdict]


def test_a_level_without_certificates_is_unknown(town):
    found = found_in(town, tables(), claimed={"A": 5})
    assert found.lights[0].state == "unknown" and found.claims.table["verdict_said"][0].template.startswith(
        "the source holds no"
    )


def test_coverage_counts_those_in_post_and_those_before_the_last_round(town):
    given = tables()
    new = given["teacher"]["teacher_pid"].isin(["T0000", "T0010", "T0020"])
    given["teacher"].loc[new, "hired_on"] = pd.Timestamp("2025-08-20")
    params, _, registers = town(given)
    found = audit.coverage(registers, params, AT).table.set_index(["group", "subgroup"])
    assert tuple(found.loc[("certificate_C", "among_all"), ["numerator", "denominator"]]) == (215, 239)
    assert tuple(found.loc[("certificate_C", "among_before"), ["numerator", "denominator"]]) == (215, 236)
    row = found.loc[("certificate_C", "among_all")]
    assert row["conf_low"] < row["estimate"] < row["conf_high"] and row["estimate"] == pytest.approx(215 / 239)


def test_a_share_of_few_holders_is_not_shown(town):
    given = tables()
    given["certificate"] = given["certificate"].query("level == 'C'")
    few = given["certificate"].iloc[5:12].assign(level="B")
    given["certificate"] = pd.concat([given["certificate"], few], ignore_index=True)
    params, _, registers = town(given)
    for found in (audit.coverage(registers, params, AT), time.trend(registers, params)):
        assert not found.table.astype(str).eq("certificate_B").any(axis=None) and len(found.lacking) == 1
    assert len([said for said in audit.reading(registers, params) if "held a valid" in said.template]) == 1


def test_groups_differ_by_what_their_shares_differ(town):
    given = tables()
    primary = given["teacher"]["school_pid"].isin(given["school"].loc[given["school"]["level"] == "P", "school_pid"])
    lost = given["teacher"].loc[primary & (np.arange(240) % 3 == 0), "teacher_pid"]
    given["certificate"] = given["certificate"][~given["certificate"]["teacher_pid"].isin(lost)]
    found = found_in(town, given)
    rows = found.groups.table.query("certificate == 'certificate_C'").set_index("subgroup")
    assert rows.loc["level_J", "estimate"] == pytest.approx(108 / 120)
    difference = found.equity.table.query("certificate == 'certificate_C'").set_index("subgroup").loc["level_P"]
    assert difference["estimate"] == pytest.approx(rows.loc["level_P", "estimate"] - rows.loc["level_J", "estimate"])
    assert difference["conf_high"] < 0 and difference["p_holm"] < 0.01
    # Of two groups one difference says all.
    assert set(found.equity.table.query("certificate == 'certificate_C'")["subgroup"]) == {
        "level_P",
        "urban_yes",
        "post_subject",
    }
    assert set(found.groups_figure.table["subgroup"]) == set(rows.index)


def test_who_lacks_the_certificate_adds_up(town):
    given = tables()
    given["teacher"].loc[given["teacher"]["teacher_pid"].isin(["T0000", "T0010"]), "hired_on"] = pd.Timestamp(
        "2024-08-20"
    )
    ran_out = given["certificate"]["teacher_pid"].isin([f"T{at:04d}" for at in range(101, 110)])
    given["certificate"].loc[ran_out, "expires"] = pd.Timestamp("2025-06-30")
    found = found_in(town, given)
    rows = found.missing.table.set_index("why_missing")["numerator"]
    assert dict(rows) == {"lacks_new": 2, "lacks_never": 22, "lacks_expired": 9}
    coverage = found.coverage.table.query("group == 'certificate_C' and subgroup == 'among_all'")["estimate"].iloc[0]
    assert found.missing.table["proportion"].sum() == pytest.approx(1 - coverage)
    assert found.composition.table["estimate"].between(0, 1).all()


def test_few_without_a_certificate_are_not_described(town):
    params, _, registers = town(tables())
    assert groups.composition(registers, params).code == "few_missing"


def test_pupils_for_each_holder_by_hand(town):
    given = tables()
    given["enrolment"] = pd.concat([given["enrolment"], given["enrolment"].assign(wave=5)]).query("school_pid != 'S11'")
    found = found_in(town, given).pupils
    rows = found.table.set_index("subgroup")
    held = (
        given["certificate"].query("level == 'B' and teacher_pid != 'T0001'").merge(given["teacher"], on="teacher_pid")
    )
    inside = held[held["school_pid"] != "S11"]
    assert rows.loc["all_schools", "estimate"] == pytest.approx(1100 / len(inside))
    assert rows.loc["all_schools", "conf_low"] * rows.loc["all_schools", "conf_high"] == pytest.approx(
        (1100 / len(inside)) ** 2
    )
    assert found.lacking[0].values["n"].n == len(held) - len(inside) > 0
    # Linearised by hand: the spread of holders less their share of the pupils.
    sizes = inside.groupby("school_pid").size().reindex([f"S{at:02d}" for at in range(11)]).fillna(0).to_numpy()
    error = math.sqrt(11 / 10 * ((sizes - sizes.mean()) ** 2).sum()) / sizes.sum()
    assert math.log(rows.loc["all_schools", "conf_high"] / rows.loc["all_schools", "estimate"]) == pytest.approx(
        2.228139 * error
    )


def test_spells_begin_with_the_records_and_end_with_what_comes_first(town):
    given = tables()
    rows = [
        ("T0001", "C", "2020-08-31", "2028-08-31"),  # left 2025-08-31
        ("T0002", "C", "2016-06-30", "2024-06-30"), ("T0002", "C", "2024-06-01", "2032-06-01"),  # renewed in time
        ("T0003", "C", "2016-06-30", "2024-06-30"), ("T0003", "C", "2024-09-30", "2032-09-30"),  # ran out, certified later
        ("T0004", "C", "2022-06-30", "2030-06-30"),  # still running
        ("T0005", "C", "2012-06-30", "2020-06-30"),  # over before the records begin
        ("X1", "C", "2022-06-30", "2030-06-30"),  # on no roster
    ]  # fmt: skip
    given["certificate"] = certificates([*rows, ("T0004", "C", "2022-06-30", "2030-06-30")])
    params, _, registers = town(given)
    spells, lost = time.spells(registers, params)
    assert lost == 3 and len(spells) == 6
    assert list(spells["event"]) == ["left", "renewed", "", "lapsed", "", ""]
    months = 365.25 / 12
    assert spells["time"][0] == pytest.approx(5 * 365.25 / months, abs=0.05)
    assert spells["entry"][0] == pytest.approx((pd.Timestamp("2023-09-01") - pd.Timestamp("2020-08-31")).days / months)
    assert spells["entry"][2] == 0 and spells["time"][5] == pytest.approx(
        (AT - pd.Timestamp("2022-06-30")).days / months
    )


def departures(n, day, first=0) -> pd.DataFrame:
    names = [f"T{at:04d}" for at in range(first, first + n)]
    return pd.DataFrame({"teacher_pid": names, "school_pid": "S00", "left_on": pd.Timestamp(day)})


def test_curves_condition_on_having_been_seen(town):
    given = tables()
    given["leaver"] = departures(24, "2024-08-31")
    found = found_in(town, given)
    holders, left = 216, 24 - 3
    row = found.incidence.table.query("certificate == 'certificate_C' and years == 5").iloc[0]
    assert row["estimate"] == pytest.approx(left / holders) and row["conf_low"] < row["estimate"] < row["conf_high"]
    assert row["end_of_certificate"] == "left" and row["n_used"] == holders - left
    first = found.curves.table.query("group == 'left_C'")
    assert first["x"].min() == 3.5 and first["y"].iloc[0] == 0 < first["high"].iloc[0] < 0.05
    assert "left_B" not in set(found.curves.table["group"])
    assert any("Fewer than {least}" in message.template for message in found.curves.lacking)
    assert found.time_reading[0].values["day"] == "2023-09-01"


def test_renewals_and_lapses_compete(town):
    given = tables()
    old = (
        given["certificate"]
        .query("level == 'C'")
        .assign(issued=pd.Timestamp("2016-06-30"), expires=pd.Timestamp("2024-06-30"))
    )
    again = old.iloc[: len(old) // 3].assign(issued=pd.Timestamp("2024-06-01"), expires=pd.Timestamp("2032-06-01"))
    given["certificate"] = pd.concat([old, again])
    found = found_in(town, given)
    row = found.renewal.table.iloc[0]
    assert row["estimate"] == pytest.approx(72 / 216) and (row["numerator"], row["denominator"]) == (72, 216)
    last = found.incidence.table.query("years == 8").set_index("end_of_certificate")["estimate"]
    # T0001 left 15 months after the new certificate, one of 72 then at risk; of the old ones 72 in 216 were renewed.
    assert last["renewed"] == pytest.approx(71 / 72 * 72 / 216)
    assert found.curves.table.groupby("group")["y"].max()["renewed_C"] == pytest.approx(71 / 72 * 72 / 216)
    # A renewal rate is known, so the forecast has a scenario of its own for it.
    assert set(found.forecast.table["scenario"]) == {"renew_none", "renew_past", "renew_all"}


def test_what_has_not_happened_is_refused_with_the_day_on_which_it_will_be_known(town):
    given = tables()
    found = found_in(town, given)
    assert found.renewal.code == "nothing_ran_out" and found.renewal.why.values["day"] == "2028-06-30"
    assert found.curves.code == found.incidence.code == "few_ends" and found.leaving.code == "few_departures"
    assert any(message.values.get("day") == "2028-06-30" for message in found.time_reading)
    given["leaver"] = departures(1, "2025-08-31", first=0)  # who never had a certificate
    found = found_in(town, given)
    assert found.curves.code == found.incidence.code == "nothing_happened"
    assert found.curves.why.values["day"] == "2028-06-30"


def test_heads_who_leave_twice_as_often_are_found(town):
    given = tables(each=100)
    rng = np.random.default_rng(3)
    head = given["teacher"]["role"] == "head"
    gone = given["teacher"][rng.random(len(head)) < np.where(head, 0.5, 0.2)]
    given["leaver"] = gone[["teacher_pid", "school_pid"]].assign(left_on=pd.Timestamp("2024-08-31"))
    params, _, registers = town(given)
    rows, _ = time.spells(registers, params)
    row = time.leaving(registers, rows, params).table.set_index("group").loc["post_head"]
    assert row["conf_low"] < math.log(0.5) / math.log(0.8) < row["conf_high"] and row["conf_low"] > 1.5


def past(stock=400, due=(0, 0, 0), leave=((20, 1000), (20, 1000)), new=(10, 10, 10)) -> ahead.Past:
    n = len(due)
    return ahead.Past(
        stock=stock, employed=500, leave=(flow_of(leave, where="t", name="leave"),) * n, renew=None, due=due, like_terms=4,
        new=(arrivals_of(new, where="t", name="new"),) * n, ends=tuple(pd.Timestamp(2026 + at, 8, 31) for at in range(n)),
    )  # fmt: skip


def test_the_forecast_is_the_library_s_where_nothing_runs_out():
    paths = ahead.futures(past(), 0.0, seed=1, n_sim=40_000)
    known = staffing_projection(400, required=400, leave=[(20, 1000), (20, 1000)], lapse=(0, 10**7), new=[10, 10, 10],
                                terms=3, n_sim=40_000, seed=2)  # fmt: skip
    assert paths.mean(axis=0) == pytest.approx(known.table["mean"].to_numpy(), abs=0.4)
    assert paths.std(axis=0) == pytest.approx(known.table["std_error"].to_numpy(), rel=0.03)


@pytest.mark.parametrize("renewed", [0.0, 0.25, 1.0])
def test_the_forecast_has_the_mean_of_the_closed_form(renewed):
    given = past(due=(100, 0, 200), leave=((20_000, 1_000_000),), new=(0, 0, 0))
    mean = ahead.futures(given, renewed, seed=1, n_sim=20_000).mean(axis=0)
    stay, lost = 0.98, 1 - renewed
    arrivals = 0.5 / 3
    expected = [400 * stay - 100 * stay * lost]
    expected.append(expected[0] * stay)
    expected.append(expected[1] * stay - 200 * stay**3 * lost)
    assert mean == pytest.approx(np.array(expected) + arrivals * np.arange(1, 4), abs=0.3)


def test_certificates_run_out_on_the_day_they_bear(town):
    given = tables()
    fourth = given["certificate"].index % 4 == 0
    given["certificate"].loc[fourth, "expires"] = pd.Timestamp("2027-06-30")
    params, _, registers = town(given)
    found = ahead.past_of(registers, "C", params)
    assert [f"{day:%Y-%m-%d}" for day in found.ends] == ["2026-08-31", "2027-03-01", "2027-08-31", "2028-03-01"]
    at_stake = given["certificate"][fourth].query("level == 'C' and teacher_pid != 'T0001'")
    assert found.due == (0, 0, len(at_stake), 0) and found.stock == 215 and found.renew is None
    # Departures come at the end of the spring term: the coming autumn has none of them.
    spring, autumn = found.leave[0], found.leave[1]
    assert (spring.events, spring.n_terms) == (1, 2) and (autumn.events, autumn.n_terms) == (0, 3)
    assert ahead.past_of(registers, "C", params.model_copy(update={"forecast_terms": 9})).due[4] == 215 - len(at_stake)


def test_the_forecast_names_what_it_cannot_know(town):
    found = found_in(town, tables())
    assert set(found.forecast.table["scenario"]) == {"renew_none", "renew_all"}
    templates = " ".join(message.template for message in found.forecast.lacking)
    assert "Too few certificates" in templates and "rests on {n} past terms" in templates
    table = found.forecast.table
    assert (table["conf_low"] <= table["estimate"]).all() and (table["estimate"] <= table["conf_high"]).all()
    assert found.forecast_curve.table["y"].iloc[0] == pytest.approx(215 / 239)
    assert found.forecast_reading[0].values["none"].n == pytest.approx(215, abs=6)


def test_the_trend_counts_who_was_in_post_then(town):
    params, _, registers = town(tables())
    trend = time.trend(registers, params)
    rows = trend.table.query("certificate == 'certificate_C'").set_index("on_day")
    assert rows.loc["2025-02-17", "denominator"] == 240 and rows.loc["2025-09-01", "denominator"] == 239
    assert rows.index[0] == "2023-09-01" and rows.index[-1] == "2026-03-20"
    assert len(time.trend_curve(trend, "C").table) == len(rows) == 7


def test_any_day_may_be_asked_for_within_the_records(town):
    params, training, _ = town(tables())
    found = reach.coverage_at(training, params, date(2024, 5, 1)).table
    assert found["denominator"].iloc[0] == 240
    assert reach.coverage_at(training, params, date(2020, 5, 1)).code == "before_records"
    assert reach.coverage_at(training, params, date(2026, 5, 1)).code == "after_report"


@pytest.mark.parametrize("absent", ["certificate", "teacher"])
def test_without_paper_or_people_nothing_is_said(town, absent):
    given = tables()
    del given[absent]
    found = found_in(town, given)
    for name in reach.ReachSection.__slots__:
        shown = getattr(found, name)
        assert shown.code == "no_table" if isinstance(shown, Refused) else isinstance(shown, list)
    assert [light.state for light in found.lights] == ["unknown", "unknown"]


def test_without_departures_the_counts_stand_and_time_is_refused(town):
    given = tables()
    del given["leaver"]
    found = found_in(town, given)
    for name in ("trend", "curves", "incidence", "renewal", "leaving", "forecast", "trend_curve", "forecast_curve"):
        assert getattr(found, name).code == "no_table", name
    assert found.coverage.table["denominator"].iloc[0] == 240
    assert found.checks[0].passed is None and "Departures are not recorded" in found.reading[-1].template


def test_without_a_calendar_time_is_refused(town):
    given = tables()
    del given["calendar"]
    found = found_in(town, given)
    assert found.trend.code == found.curves.code == found.forecast.code == "no_calendar"


def test_a_day_early_in_the_records_has_no_forecast(town):
    params, _, registers = town(tables(), as_of="2024-03-20")
    assert ahead.forecast(registers, params).code == "no_past_flows"


def test_a_day_before_the_records_follows_nobody(town):
    found = found_in(town, tables(), as_of="2022-03-20")
    assert found.curves.code == "nothing_happened" and found.leaving.code == "few_departures"
    assert found.forecast.code == found.forecast_curve.code == "no_past_flows"
    assert {check.name.template: check.passed for check in found.checks}[
        "The day of the report lies within the time that is recorded"
    ] is False


def test_without_schools_roles_remain(town):
    given = tables()
    del given["school"], given["enrolment"]
    found = found_in(town, given)
    assert set(found.groups.table["group"]) == {"reach_role"} and found.pupils.code == "no_table"
    assert found.schools_without.code == "no_table"


def test_one_school_has_no_interval(town):
    given = tables()
    given["teacher"]["school_pid"] = "S00"
    found = found_in(town, given)
    assert (
        found.coverage.code == "nobody_in_post"
        and found.groups.code == "no_group"
        and found.equity.code == "no_difference"
    )
    assert found.claims.table["numerator"].iloc[0] == 215


def test_one_level_and_no_claim(town):
    given = tables()
    given["certificate"] = given["certificate"].query("level == 'C'")
    found = found_in(town, given, claimed={})
    assert (
        found.claims.code == "no_claim"
        and found.lights == []
        and found.pupils.code == found.schools_without.code == "one_level"
    )


def test_few_schools_without_a_holder_are_not_counted_out(town):
    params, training, registers = town(tables())
    assert (
        groups.schools_without(registers, groups.school_counts(registers, training, params), params).code
        == "few_schools"
    )
    given = tables()
    given["certificate"] = given["certificate"].query("level == 'C' or teacher_pid == 'T0101'")
    params, training, registers = town(given)
    assert groups.pupils(registers, groups.school_counts(registers, training, params), params).code == "no_holder"


def test_who_left_and_was_struck_off_the_roster_still_counts_as_left(town):
    given = tables()
    given["teacher"] = given["teacher"].query("teacher_pid != 'T0001'")
    _, _, registers = town(given)
    assert audit.steps(registers, "C", AT)["step_left"] == 1 and audit.steps(registers, "C", AT)["step_off_roster"] == 0
    assert registers.held("C", day_of(date(2024, 5, 1)))["covered"].sum() == 216


def test_who_came_back_is_in_post(town):
    given = tables()
    given["teacher"].loc[given["teacher"]["teacher_pid"] == "T0001", "hired_on"] = pd.Timestamp("2025-09-01")
    _, _, registers = town(given)
    assert audit.steps(registers, "C", AT)["step_counted"] == 216


@pytest.fixture
def made_town(town):
    """Eighty schools as the city makes them."""
    school = schools(80)
    school["level"] = np.resize(["P", "P", "J", "S"], 80)
    school["school_pid"] = [f"S{at:03d}" for at in range(80)]
    found = workforce.teachers(5, school, 60_000)
    given = tables()
    score = found["teacher"].head(400)
    arms = {name: ("wait_list", "training")[at % 2] for at, name in enumerate(school["school_pid"])}
    given["training_score"] = (
        given["training_score"]
        .head(400)
        .assign(
            teacher_pid=score["teacher_pid"],
            school_pid=score["school_pid"],
            arm=score["school_pid"].map(arms),
            occasion="pre",
        )
    )
    given["training_score"] = pd.concat([given["training_score"], given["training_score"].assign(occasion="post")])
    given |= {name: found[name] for name in ("teacher", "leaver", "certificate")} | {"school": school}
    given["enrolment"] = given["enrolment"].assign(school_pid=np.resize(school["school_pid"], len(given["enrolment"])))
    return (given, *town(given))


def test_planted_shares_lie_inside_their_intervals(made_town):
    _, params, training, _ = made_town
    found = reach.section(training, params)
    rows = found.coverage.table.set_index(["group", "subgroup"])
    before = rows.loc[("certificate_C", "among_before")]
    # Of those not new 98.5 in 100 hold C; new ones were hired after the last round.
    assert before["conf_low"] < 0.985 < before["conf_high"]
    expert = rows.loc[("certificate_B", "among_all")]
    assert expert["conf_low"] < 400 / workforce.CITY_TEACHERS < expert["conf_high"]
    # Nobody's chance depends on school or role, so no difference stands after Holm's correction.
    assert (found.equity.table["p_holm"] > 0.05).all()
    # 3 in 100 leave, half of them in each of two summers; six ages of the certificate meet a summer.
    last = found.curves.table.query("group == 'left_C'").iloc[-1]
    assert last["low"] < 1 - (1 - 0.0151) ** 6 < last["high"]


def test_every_column_and_term_passes_the_gate_and_no_name_leaves(made_town):
    given, params, training, _ = made_town
    found = reach.section(training, params)
    known = set(given["teacher"]["teacher_pid"]) | set(given["school"]["school_pid"])
    gate = Gate.of("public")
    for name in reach.ReachSection.__slots__:
        shown = getattr(found, name)
        if isinstance(shown, Drawn):
            table = lines_data(shown, gate) if name.endswith("curve") or name == "curves" else shown.table
            gate.frame(table, where=name)
            assert not known & {str(cell) for cell in shown.table.to_numpy().ravel()}, name
            assert {"n_used", "denominator", "n_audit"} & set(shown.table), name

"""Parts of the screening report on small hand-made waves: rules at their edges, refusals with their codes, and no crash."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import screening_validity as analysis
from mhlib.analyses.parts import (
    screening_accuracy,
    screening_bias,
    screening_carried,
    screening_cutoffs,
    screening_fairness,
    screening_items,
    screening_quality,
    screening_reliability,
    screening_verdict,
    screening_yield,
    stard,
    verification_sample,
)
from mhlib.analyses.parts.groups import FEWEST, grouping, large, present
from mhlib.analyses.parts.screened import Companions, Screened
from mhlib.analyses.parts.sections import Drawn, Listed
from mhlib.data.scales import scale
from mhlib.data.scoring import keyed_items, positive, score
from mhlib.data.screening import Provenance, ScreeningData
from mhlib.errors import ParamsError
from mhlib.findings import Check, Light, Message, Refused, message
from mhlib.report.disclosure import Gate
from mhlib.report.language import LANGUAGES, words

GIVEN = {"evaluation": "screening_validity", "source": "t.csv", "as_of": "2026-01-01", "seed": 1, "scale": "", "cutoff": 10,
         "verification": "two_phase", "reference_timing": "concurrent", "n_boot": 100}  # fmt: skip


def params(**changes):
    return analysis.Params.from_mapping(GIVEN | changes, where="test")


def screened(
    people: pd.DataFrame, given, *, answers: pd.DataFrame | None = None, enrolled: int | None = None, **beside
) -> Screened:
    """A wave from a frame with `score` or with answers in points, and a `reference` where somebody was interviewed."""
    book, keyed = scale(given.scale) if given.scale else None, None
    people = people.assign(pupil_pid=[f"P{number}" for number in range(len(people))])
    if answers is not None:
        people = people.assign(score=score(answers, book, where="t")["total"])
        keyed = keyed_items(answers, book)
    reference = people["reference"] if "reference" in people else pd.Series(pd.NA, index=people.index)
    people = people.assign(reference=reference.astype("boolean"), verified=reference.notna())
    unknown = pd.Series(pd.NA, index=people.index, dtype="boolean")
    people["positive"] = (
        unknown if given.cutoff is None else positive(people["score"], given.cutoff, direction=given.direction)
    )
    frame = people if answers is None else people.join(answers)
    screening = ScreeningData(frame=frame, enrolled=enrolled, waves=(1,), last_answered=date(2025, 12, 1), moved=0, repeated=0,
                              provenance=Provenance(kind="file", source="t.csv", sha256="0", rows_read=len(people)))  # fmt: skip
    return Screened(people=people, items=keyed, scale=book, screening=screening, companions=Companions(**beside))


def answered(key: str, n: int, seed: int = 1) -> pd.DataFrame:
    """Answers that one trait moves; the reversed items of the codebook run against it."""
    rng, book = np.random.default_rng(seed), scale(key)
    trait, steps = rng.normal(size=n), book.high - book.low
    found = {}
    for number in range(1, book.n_items + 1):
        point = np.clip(np.round(steps * (0.35 + 0.17 * trait + 0.17 * rng.normal(size=n))), 0, steps) + book.low
        found[f"item_{number}"] = book.low + book.high - point if number in book.reverse else point
    return pd.DataFrame(found)


def interviewed(
    people: pd.DataFrame, *, at: float, share: tuple[float, float] = (1.0, 0.4), low: bool = False, seed: int = 2
):
    """Cases by a noisy cut of the score; interviewed are shares of both sides."""
    rng = np.random.default_rng(seed)
    towards = -people["score"].astype(float) if low else people["score"].astype(float)
    edge, spread = (-at if low else at), towards.std()
    case = towards + rng.normal(0, 0.5 * spread, len(people)) >= edge + 0.3 * spread
    seen = rng.random(len(people)) < np.where(towards >= edge, *share)
    return people.assign(reference=pd.Series(case, index=people.index, dtype="boolean").mask(~seen))


def wave(
    given, *, n: int = 600, key: str = "phq_9", groups: bool = True, share=(1.0, 0.4), low: bool = False, reference=True
):
    """A whole wave of one instrument."""
    answers = answered(key, n)
    people = pd.DataFrame(index=answers.index)
    if groups:
        people = people.assign(sex=np.arange(n) % 2, level=np.where(np.arange(n) % 3, "J", "S"))
    data = screened(people, given, answers=answers)
    if not reference:
        return data
    people = interviewed(data.people, at=given.cutoff or float(data.people["score"].median()), share=share, low=low)
    return screened(people.drop(columns=["positive", "verified", "score", "pupil_pid"]), given, answers=answers)


def cells(tp, fp, fn, tn, plus=0, minus=0) -> pd.DataFrame:
    """A published two-by-two table with its unverified cells as rows; the score is 12 or 3."""
    rows = (
        [(12, True)] * tp
        + [(12, False)] * fp
        + [(3, True)] * fn
        + [(3, False)] * tn
        + [(12, None)] * plus
        + [(3, None)] * minus
    )
    return pd.DataFrame({"score": [float(points) for points, _ in rows],
                         "reference": pd.array([case for _, case in rows], dtype="boolean")})  # fmt: skip


# Groups ------------------------------------------------------------------------------------------------------------


def test_groups_carry_names_a_report_can_translate():
    people = pd.DataFrame({"sex": [0, 1, None], "urban": pd.array([True, False, None], dtype="boolean"), "level": ["P", "J", None],
                           "group": ["甲", "乙", None]})  # fmt: skip
    assert grouping(people, "sex").tolist() == ["sex_0", "sex_1", None]
    assert grouping(people, "urban").tolist() == ["urban_yes", "urban_no", None]
    assert grouping(people, "level").tolist() == ["level_P", "level_J", None]
    assert grouping(people, "group").tolist() == ["甲", "乙", None]
    with pytest.raises(ParamsError, match="no column grade"):
        grouping(people, "grade")


def test_a_grouping_needs_two_groups_of_a_hundred():
    people = pd.DataFrame({"sex": [0] * FEWEST + [1] * (FEWEST - 1)})
    assert present(people, ["sex", "urban"]) == []
    people = pd.DataFrame({"sex": [0] * FEWEST + [1] * FEWEST})
    assert present(people, ["urban", "sex"]) == ["sex"]
    assert large(grouping(people, "sex")) == ["sex_0", "sex_1"]
    assert large(pd.Series(["b"] * 3 + ["a"] * 3 + ["c"] * 4 + ["d"]), 2) == ["c", "a", "b"]


# Bands -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high", "cutoff"), [(0, 27, 10), (0, 3, 2), (1, 5, None), (0, 100, 50), (-27, 0, -10)])
def test_edges_hold_every_score_and_the_cutoff(low, high, cutoff):
    edges = screening_bias._edges(pd.Series(np.arange(low, high + 1, dtype=float)), cutoff)
    assert edges == sorted(set(edges)) and edges[0] == low and edges[-1] == high + 1
    assert cutoff is None or cutoff in edges


@pytest.mark.parametrize(("direction", "cutoff"), [(">=", 10), ("<=", 10)])
def test_no_band_holds_both_sides_of_the_cutoff(direction, cutoff):
    given = params(direction=direction, cutoff=cutoff)
    people = pd.DataFrame({"score": np.repeat(np.arange(28.0), 12)}).assign(reference=True)
    bands = screening_bias._bands(screened(people, given), given).table
    assert bands["n"].sum() == len(people) and (bands["n_interviewed"] == bands["n"]).all()
    for band in bands["band"]:
        ends = [int(end) for end in band.split("–")]
        sides = {end >= cutoff if direction == ">=" else end <= cutoff for end in ends}
        assert len(sides) == 1, band


def test_bands_are_a_covariate_only_where_somebody_was_interviewed_in_each():
    given = params()
    people = pd.DataFrame({"score": np.repeat(np.arange(28.0), 12)})
    whole = screened(people.assign(reference=pd.array([True, None] * (len(people) // 2), dtype="boolean")), given)
    found = screening_bias.score_bands(whole, given)
    assert found is not None and found["band"].nunique() > 2 and len(found) == len(people)
    gap = whole.people["reference"].mask(whole.people["score"] < 5)
    assert screening_bias.score_bands(screened(people.assign(reference=gap), given), given) is None


def test_two_points_make_no_bands():
    given = params()
    assert screening_bias.score_bands(screened(cells(10, 10, 10, 10), given), given) is None


# Verdict -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high", "state"), [(0.70, 0.8, "good"), (0.699, 0.8, "watch"), (0.6, 0.70, "watch"),
                                                    (0.6, 0.6999, "bad"), (0.70, 0.70, "good")])  # fmt: skip
def test_an_interval_against_its_rule(low, high, state):
    assert screening_verdict.by_interval(low, high, 0.70) == state


def table_of(**terms):
    rows = [{"group": "total", "term": name, "estimate": value, "conf_low": low, "conf_high": high, "n_used": 500}
            for name, (value, low, high) in terms.items()]  # fmt: skip
    return pd.DataFrame(rows, columns=["group", "term", "estimate", "conf_low", "conf_high", "n_used"])


def test_the_best_coefficient_with_a_number_speaks():
    table = table_of(alpha=(0.8, 0.7, 0.9), omega=(0.82, 0.7, 0.9), omega_categorical=(np.nan, np.nan, np.nan))
    assert screening_verdict.total_row(table)["estimate"] == 0.82
    table = table_of(alpha=(0.8, 0.7, 0.9), omega_categorical=(0.85, 0.7, 0.9))
    assert screening_verdict.total_row(table)["estimate"] == 0.85


def result_with(**parts):
    return SimpleNamespace(**parts)


def test_without_a_number_of_the_total_reliability_is_not_known():
    other = table_of(alpha=(0.8, 0.7, 0.9)).assign(group="anxiety")
    result = result_with(reliability=SimpleNamespace(coefficients=Drawn(table=other)))
    assert screening_verdict._reliability(result).state == "unknown"


@pytest.mark.parametrize(("low", "high", "state"), [(0.70, 0.9, "good"), (0.65, 0.72, "watch"), (0.5, 0.69, "bad")])
def test_the_light_of_reliability(low, high, state):
    coefficients = Drawn(table=table_of(alpha=((low + high) / 2, low, high)))
    light = screening_verdict._reliability(result_with(reliability=SimpleNamespace(coefficients=coefficients)))
    assert light.state == state and light.planned


@pytest.mark.parametrize(("cfi", "rmsea", "srmr", "state"), [
    (0.95, 0.06, 0.08, "good"), (0.949, 0.06, 0.08, "watch"), (0.95, 0.061, 0.08, "watch"), (0.95, 0.06, 0.081, "watch"),
    (0.90, 0.08, 0.10, "watch"), (0.899, 0.08, 0.10, "bad"), (0.90, 0.081, 0.10, "bad"), (0.90, 0.08, 0.101, "bad"),
    (np.nan, 0.05, 0.05, "bad"),
])  # fmt: skip
def test_the_light_of_structure(cfi, rmsea, srmr, state):
    naive = {"model": "model_one_factor", "test": "fit_naive", "cfi": 1.0, "rmsea": 0.0, "srmr": 0.0, "rmsea_low": 0.0,
             "rmsea_high": 0.0, "n_used": 500}  # fmt: skip
    scaled = naive | {"test": "fit_scaled", "cfi": cfi, "rmsea": rmsea, "srmr": srmr}
    fits = Drawn(table=pd.DataFrame([naive, scaled]))
    light = screening_verdict._structure(result_with(structure=SimpleNamespace(fits=fits, chosen="one_factor")))
    assert light.state == state


def test_a_competitor_does_not_speak_for_the_model_fixed_beforehand():
    row = {"model": "model_one_factor", "test": "fit_scaled", "cfi": 1.0, "rmsea": 0.0, "srmr": 0.0, "rmsea_low": 0.0,
           "rmsea_high": 0.0, "n_used": 500}  # fmt: skip
    structure = SimpleNamespace(fits=Drawn(table=pd.DataFrame([row])), chosen="codebook_factors")
    assert screening_verdict._structure(result_with(structure=structure)).state == "unknown"


@pytest.mark.parametrize(("holds", "worst", "shift", "state"), [
    (True, "A", 0.1, "good"), (True, "B", 0.4999, "good"), (True, "C", 0.1, "watch"), (False, "A", 0.1, "watch"),
    (True, "A", 0.5, "bad"), (False, "C", 0.9, "bad"), (None, "B", None, "good"), (True, None, None, "good"),
    (None, None, None, "unknown"),
])  # fmt: skip
def test_the_light_of_equal_meaning(holds, worst, shift, state):
    meaning = SimpleNamespace(holds=holds, worst_class=worst, worst_shift=shift)
    light = screening_verdict._meaning(result_with(meaning=meaning))
    assert light.state == state
    if worst is None and state != "unknown":
        assert "A" not in light.finding.values["size"], "no class was found, so none may be named"


@pytest.mark.parametrize(
    ("fn", "tn", "unverified", "state"),
    [
        (0, 0, 100, "bad"),
        (4, 50, 100, "bad"),
        (5, 50, 100, "watch"),
        (19, 50, 100, "watch"),
        (20, 50, 100, "good"),
        (1, 50, 0, "good"),
    ],
)
def test_the_light_of_verification(fn, tn, unverified, state):
    data = screened(cells(20, 20, fn, tn, 0, unverified), params())
    assert screening_verdict._verification(result_with(counts=data.counts)).state == state


def test_nobody_interviewed_is_not_known():
    data = screened(cells(0, 0, 0, 0, 30, 30), params())
    assert screening_verdict._verification(result_with(counts=data.counts)).state == "unknown"


@pytest.mark.parametrize(("unequal", "looked_at", "state"), [(0, 4, "good"), (1, 4, "watch"), (0, 0, "unknown")])
def test_the_light_of_fairness(unequal, looked_at, state):
    """Levels may be known where no difference is: then nothing is known of fairness, and nothing breaks."""
    levels = Drawn(table=pd.DataFrame({"group": ["sex"]}))
    fairness = SimpleNamespace(levels=levels, unequal=unequal, looked_at=looked_at)
    assert screening_verdict._fairness(result_with(fairness=fairness)).state == state


@pytest.mark.parametrize(("design", "timing", "states"), [
    ("all", "concurrent", ("watch", "good")), ("two_phase", "past", ("bad", "watch")), ("positives_only", "future", ("bad", "bad")),
    ("none", "concurrent", ("unknown", "unknown")),
])  # fmt: skip
def test_risk_of_bias_by_the_declared_design(design, timing, states):
    given = params(verification=design, reference_timing=timing)
    lights = screening_verdict.risk_of_bias(screened(cells(20, 20, 20, 20), given), given)
    assert (
        tuple(light.state for light in lights[2:]) == states
        and lights[0].state == "unknown"
        and lights[1].state == "good"
    )


@pytest.mark.parametrize(
    ("enrolled", "state"), [(80, "good"), (88, "good"), (90, "watch"), (None, "unknown"), (0, "unknown")]
)
def test_who_took_part(enrolled, state):
    given = params()
    assert (
        screening_verdict.risk_of_bias(screened(cells(20, 20, 20, 20), given, enrolled=enrolled), given)[0].state
        == state
    )


# Who may have which number -----------------------------------------------------------------------------------------


def predictive(frame, **changes):
    given = params(**changes)
    data = screened(frame, given)
    found = screening_accuracy.section(data, given, None, None)
    best = found.corrected if isinstance(found.naive, Refused) else found.naive
    return screening_carried.predictive(best, data, given), best


def test_positives_alone_give_the_positive_predictive_value_and_nothing_else():
    found, best = predictive(cells(30, 70, 0, 0, 20, 400), verification="positives_only")
    assert best.code == "no_verified_negatives" and found.table["term"].tolist() == ["ppv"]
    assert found.table["estimate"].iloc[0] == pytest.approx(0.30) and found.table["denominator"].iloc[0] == 100


def test_a_handful_of_missed_cases_leaves_the_positive_predictive_value():
    found, best = predictive(cells(30, 70, 2, 60, 20, 400))
    assert best.code == "few_false_negatives" and found.table["term"].tolist() == ["ppv"]
    assert found.table["denominator"].iloc[0] == 100, "interviewed screen-negatives do not enter it"


@pytest.mark.parametrize("sampling", ["enriched", "convenience"])
def test_a_sample_that_no_weight_leads_back_has_no_predictive_value(sampling):
    found, best = predictive(cells(60, 40, 40, 60), verification="all", sampling=sampling)
    assert not isinstance(best, Refused) and isinstance(found, Refused) and found.what_to_collect.template


@pytest.mark.parametrize("sampling", ["census", "random"])
def test_a_fair_sample_has_both_predictive_values(sampling):
    found, _ = predictive(cells(60, 40, 40, 60), verification="all", sampling=sampling)
    shown = found.table.set_index("term")["estimate"]
    assert shown["ppv"] == pytest.approx(0.6) and shown["npv"] == pytest.approx(0.6) and "sensitivity" not in shown


def test_what_belongs_to_the_test_holds_no_predictive_value():
    _, best = predictive(cells(60, 40, 40, 60), verification="all")
    terms = set(screening_carried.of_the_test(best).table["term"])
    assert {"sensitivity", "specificity"} <= terms and not terms & {"ppv", "npv", "prevalence"}


def test_a_criterion_made_of_the_score_refuses_everywhere():
    given = params(cutoff=10, capacity=50, groups=["sex"])
    points = np.repeat(np.arange(28.0), 20)
    data = screened(pd.DataFrame({"score": points, "sex": np.arange(560) % 2, "reference": points >= 12}), given)
    result = analysis.estimate(data, given)
    for found in (result.accuracy.naive, result.accuracy.naive_roc, result.accuracy.corrected, result.accuracy.auc,
                  result.bias.methods, result.bias.surface, result.bias.reference_error, result.utility.calibration,
                  result.utility.net_benefit, result.gain.alone, result.predictive):  # fmt: skip
        assert isinstance(found, Refused) and found.code == "circular_criterion", found
    assert result.fairness.levels.code == "accuracy_refused" and result.cutoffs.studio.found.choices.keys() == {
        "capacity"
    }
    assert {light.state for light in analysis.lights(result, given)[3:6]} == {"unknown"}


def test_a_criterion_made_of_one_item_is_circular_too():
    given = params(scale="phq_9")
    data = wave(given)
    people = data.people.assign(reference=data.items["item_9"] >= 1).drop(
        columns=["positive", "verified", "score", "pupil_pid"]
    )
    again = screened(people, given, answers=data.answers)
    assert screening_accuracy.naive_accuracy(again, given)[0].code == "circular_criterion"


# Cut-offs, yield, next interviews -----------------------------------------------------------------------------------


def test_choices_by_hand():
    given = params(capacity=50, target_sensitivity=0.8, target_specificity=0.6, verification="all", n_boot=100)
    rng = np.random.default_rng(5)
    points = np.repeat(np.arange(20.0), 20)
    data = screened(pd.DataFrame({"score": points, "reference": rng.random(400) < points / 25}), given)
    found = screening_cutoffs.section(data, given, accurate=True)
    chosen = found.studio.found.choices
    assert chosen["capacity"].cutoff == 18 and chosen["capacity"].referrals == 40
    for cutoff, name, least in (
        (chosen["sensitivity"].cutoff, "sensitivity", 0.8),
        (chosen["specificity"].cutoff, "specificity", 0.6),
    ):
        row = found.studio.found.table.set_index("cutoff").loc[cutoff]
        assert row[name] >= least
    table = found.choices.table
    assert set(table["term"]) == {f"choose_{name}" for name in chosen} and (table["n_used"] == 400).all()
    assert {"youden_632", "cutoff_low", "share_chosen"} <= set(table)


def test_without_accuracy_the_capacity_alone_speaks():
    given = params(capacity=15)
    found = screening_cutoffs.section(screened(cells(0, 0, 0, 0, 20, 80), given), given, accurate=False)
    assert (
        set(found.choices.table) == {"term", "cutoff", "referrals", "n_used"}
        or "sensitivity" not in found.choices.table
    )
    assert (
        found.studio.found.choices["capacity"].cutoff is None or found.studio.found.choices["capacity"].referrals <= 15
    )


def test_neither_accuracy_nor_capacity():
    given = params()
    assert (
        screening_cutoffs.section(screened(cells(0, 0, 0, 0, 20, 80), given), given, accurate=False).studio.code
        == "no_capacity"
    )


def test_yield_adds_up_and_costs_are_shown_only_where_they_are_stated():
    given = params(verification="all")
    data = screened(cells(60, 40, 20, 280), given, enrolled=800)
    best = screening_accuracy.naive_accuracy(data, given)[0]
    rows = screening_yield.section(data, given, best).alone.table.set_index("term")["estimate"]
    assert rows["yield_found"] + rows["yield_missed"] == pytest.approx(rows["yield_cases"]) == pytest.approx(160)
    assert (
        rows["yield_found"] + rows["yield_false_alarms"] == pytest.approx(rows["yield_referrals"]) == pytest.approx(200)
    )
    assert not [term for term in rows.index if "cost" in term]
    assert screening_yield.section(data, given, best).stages.code == "no_second_stage"
    priced = params(
        verification="all", cost_screen=5, cost_interview=300, second_sensitivity=0.9, second_specificity=0.9
    )
    section = screening_yield.section(data, priced, best)
    rows = section.alone.table.set_index("term")["estimate"]
    assert rows["yield_cost_total"] == pytest.approx(800 * 5 + 200 * 300)
    assert section.stages.table["group"].tolist() == ["stage_screen", "stage_talk"]


@pytest.mark.parametrize(("direction", "side"), [(">=", "below"), ("<=", "above")])
def test_invitations_go_to_screen_negatives_of_either_direction(direction, side):
    given = params(direction=direction, cutoff=10, interviews=40)
    data = screened(pd.DataFrame({"score": np.repeat(np.arange(28.0), 10)}), given)
    drawn = verification_sample.invitations(data, cutoff=10, direction=direction, interviews=40, seed=3)
    points = data.people.set_index("pupil_pid").loc[drawn["pupil_pid"], "score"]
    assert len(drawn) == 40 and ((points < 10) if side == "below" else (points > 10)).all()
    spread = verification_sample.strata(data, cutoff=10, direction=direction, interviews=40)
    assert spread["n_sample"].sum() == 40 and spread["n_people"].sum() == len(data.people) - data.counts.n_positive


def test_listed_keeps_rows_with_an_interval_under_their_group():
    one = SimpleNamespace(
        to_frame=lambda: table_of(ppv=(0.5, 0.4, 0.6), npv=(0.9, np.nan, np.nan)).drop(columns="group")
    )
    listed = Listed.of([("≥ 9", one), ("≥ 10", one)], terms=("ppv", "npv")).to_frame()
    assert listed["group"].tolist() == ["≥ 9", "≥ 10"] and listed["term"].tolist() == ["ppv", "ppv"]


def test_neighbours_of_the_cutoff_are_three_and_the_middle_one_is_the_report_s():
    given = params()
    rng = np.random.default_rng(9)
    points = np.repeat(np.arange(28.0), 40)
    case = pd.Series(rng.random(len(points)) < points / 40, dtype="boolean")
    seen = rng.random(len(points)) < np.where(points >= 10, 0.8, 0.3)
    data = screened(pd.DataFrame({"score": points}).assign(reference=case.mask(~seen)), given)
    listed = screening_carried.neighbours(data, given).table
    assert listed["group"].unique().tolist() == ["≥ 9", "≥ 10", "≥ 11"]
    here = listed[(listed["group"] == "≥ 10") & (listed["term"] == "sensitivity")]["estimate"].iloc[0]
    assert here == pytest.approx(screening_accuracy.corrected_accuracy(data, given)[0].sensitivity)


def test_items_and_signs_by_hand():
    given = params(scale="phq_2")
    answers = pd.DataFrame({"item_1": [0, 1, 2, 3] * 50, "item_2": [0, 0, 3, 3] * 50}, dtype=float)
    data = screened(pd.DataFrame(index=answers.index), given, answers=answers)
    spread = screening_items.spread(data.items)
    assert spread.groupby("item")["proportion"].sum().tolist() == pytest.approx([1, 1])
    assert spread[spread["item"] == "2"]["proportion"].tolist() == [0.5, 0.5]
    quality = screening_quality.section(data, given)
    assert quality.missing.table["missing"].tolist() == [0, 0] and isinstance(quality.reading[0], Message)
    assert not isinstance(screening_reliability.section(data, given, None).coefficients, Refused)


def test_retest_joins_by_pupil_and_states_the_days():
    given = params(scale="phq_9")
    data = wave(given, reference=False)
    second = pd.DataFrame({"score": data.people["score"] + 1, "answered_on": pd.Timestamp("2025-12-15")}).set_axis(
        data.people["pupil_pid"].astype(str), axis=0)  # fmt: skip
    table = screening_reliability.section(data, given, second.iloc[:300]).retest.table.set_index("term")
    assert table.at["retest_mean_difference", "estimate"] == pytest.approx(1, abs=1e-9) or table.at[
        "retest_mean_difference", "estimate"] == pytest.approx(-1, abs=1e-9)  # fmt: skip
    assert (table["n_used"] == 300).all() and table.at["retest_icc_consistency", "estimate"] == pytest.approx(1)
    people = data.people.assign(answered_on=pd.Timestamp("2025-12-01"))
    dated = Screened(
        people=people,
        items=data.items,
        scale=data.scale,
        screening=data.screening,
        companions=Companions(second=second),
    )
    assert screening_reliability.days_between(dated) == 14
    assert screening_reliability.days_between(data) is None


def test_groups_that_cannot_be_judged_are_named():
    given = params(groups=["sex"], verification="all")
    people = cells(100, 100, 5, 195).assign(sex=[0, 1] * 200)
    found = screening_fairness.section(screened(people, given), given, accurate=True)
    assert found.looked_at >= 0 and (isinstance(found.unjudged, Drawn) or found.unjudged.code)
    assert screening_fairness.section(screened(people, given), params(), accurate=True).levels.code == "no_groups"


def test_every_item_of_the_checklist_has_a_number_and_a_matter():
    items = stard.stard_checklist()
    assert len({item.number for item in items}) == len(items) == 34
    assert all(item.section or item.lacking for item in items)


# Nothing crashes ---------------------------------------------------------------------------------------------------

PHQ = {"scale": "phq_9", "cutoff": 10}
WHO = {"scale": "who_5", "cutoff": 28, "direction": "<="}
CASES = {
    "whole": (PHQ | {"groups": ["sex", "level"], "capacity": 60, "local_prevalence": 0.02}, {}),
    "no items": ({"capacity": 60}, {"key": None}),
    "no groups": (PHQ | {"groups": ["sex", "urban"]}, {"groups": False}),
    "no cut-off": (PHQ | {"cutoff": None, "groups": ["sex"], "capacity": 60}, {}),
    "no cut-off, nobody interviewed": (PHQ | {"cutoff": None, "verification": "none"}, {"reference": False}),
    "no reference": (PHQ | {"verification": "none", "capacity": 60}, {"reference": False}),
    "positives only": (PHQ | {"verification": "positives_only"}, {"share": (0.7, 0.0)}),
    "everybody": (PHQ | {"verification": "all", "groups": ["sex"]}, {"share": (1.0, 1.0)}),
    "low means distress": (WHO | {"groups": ["sex"], "capacity": 60, "local_prevalence": 0.02}, {"key": "who_5", "low": True}),
    "thirty pupils": (PHQ | {"groups": ["sex"]}, {"n": 30}),
    "nobody positive": (PHQ | {"cutoff": 27}, {"n": 200, "reference": False}),
    "everybody positive": (PHQ | {"cutoff": 0, "capacity": 60}, {"n": 200}),
}  # fmt: skip
CODES = {
    "no items": {"no_items", "no_groups"}, "no groups": {"no_groups"}, "no cut-off": {"no_cutoff"},
    "no cut-off, nobody interviewed": {"no_cutoff", "no_reference", "no_capacity"}, "no reference": {"no_reference"},
    "positives only": {"no_verified_negatives", "no_capacity"}, "everybody": {"nothing_to_correct"}, "thirty pupils": {"no_groups"},
    "nobody positive": {"no_reference", "design"},
}  # fmt: skip


def refusals(result) -> dict[str, Refused]:
    """Every refusal of a result, by its place."""
    found = {}
    for part in type(result).__slots__:
        value = getattr(result, part)
        if isinstance(value, Refused):
            found[part] = value
        elif hasattr(value, "__slots__") and "Section" in type(value).__name__:
            inner = {f"{part}.{name}": getattr(value, name) for name in type(value).__slots__}
            found |= {place: one for place, one in inner.items() if isinstance(one, Refused)}
    return found


def said_in_words(texts) -> None:
    """Every message fills its template in both languages."""
    for text in texts:
        for language in LANGUAGES:
            assert "{" not in words(text, language, Gate.of("public"))


@pytest.fixture(scope="module", params=list(CASES))
def case(request):
    changes, options = CASES[request.param]
    given, options = params(**changes), dict(options)
    if options.get("key", "phq_9") is None:
        whole = wave(params(**PHQ)).people
        data = screened(whole[["score", "reference"]], given)
    else:
        data = wave(given, **options)
    return request.param, given, data, analysis.estimate(data, given)


def test_estimates_come_or_are_refused_with_reasons(case):
    name, _, _, result = case
    found = refusals(result)
    assert CODES.get(name, set()) <= {one.code for one in found.values()}, {
        place: one.code for place, one in found.items()
    }
    for one in found.values():
        assert one.why.template and one.what_to_collect.template
        said_in_words([one.why, one.what_to_collect])


def test_the_verdict_speaks_in_words(case):
    _, given, data, result = case
    lights = [*analysis.lights(result, given), *analysis.risk_of_bias(data, given)]
    assert len(lights) == 11 and all(isinstance(light, Light) for light in lights)
    said_in_words([text for light in lights for text in (light.name, light.finding, light.rule)])
    said_in_words(analysis.answer(result, given))


def test_checks_are_made(case):
    _, given, data, _ = case
    checks = analysis.check(data, given)
    assert checks and all(isinstance(check, Check) for check in checks)
    said_in_words([text for check in checks for text in (check.name, check.detail)])


def test_everything_that_was_found_passes_the_gate(case):
    _, given, data, result = case
    tables = [getattr(value, name) for part in type(result).__slots__ for value in [getattr(result, part)]
              if "Section" in type(value).__name__ for name in type(value).__slots__]  # fmt: skip
    tables += [result.positives, result.shown_naive, result.shown_corrected, result.predictive, result.carried, result.plan,
               *analysis.cards(data, given), analysis.sensitivity(data, given)]  # fmt: skip
    for one in tables:
        if isinstance(one, Drawn | Listed):
            frame = one.to_frame()
            assert len(frame), "a table without a row should have been refused"
            names = [name for name in frame if name not in ("x", "y", "low", "high")]
            Gate.of("public").frame(frame[names], where="t")
    assert isinstance(analysis.invitations(data, given), Refused | pd.DataFrame)
    assert isinstance(result.strata, Refused | pd.DataFrame)


def test_low_scores_that_mean_distress_are_marked_on_the_right_side():
    given = params(**WHO, capacity=60)
    data = wave(given, key="who_5", low=True)
    assert data.people["score"].max() > 50 and (data.people["positive"] == (data.people["score"] <= 28)).all()
    found = screening_accuracy.section(data, given, None, None)
    best = found.corrected if isinstance(found.naive, Refused) else found.naive
    assert best.sensitivity > 0.5 and found.auc.table["estimate"].iloc[0] > 0.7
    assert found.histogram.mark > 28, "the line stands above the last positive score"
    result = analysis.estimate(data, given)
    if not isinstance(result.irt.curve, Refused):
        assert result.irt.curve.mark is None, (
            "a cut-off on a score multiplied by four is no place on the sum of the items"
        )


def test_words_that_a_light_names_are_those_of_its_section(case):
    """A light is unknown exactly where its section was refused."""
    _, given, _, result = case
    states = [light.state for light in analysis.lights(result, given)]
    assert (states[1] == "unknown") == isinstance(result.structure.fits, Refused)
    assert (states[3] == "unknown") == isinstance(result.accuracy.auc, Refused)
    assert (states[4] == "unknown") == isinstance(result.best, Refused)
    assert message("x").template == "x"

"""Screening validity on published counts, on files that go wrong, and on the synthetic city; real data stand beside."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mhlib.analyses import screening_validity as analysis
from mhlib.data.synthetic import simulate
from mhlib.findings import Refused

ROOT = Path(__file__).resolve().parents[2]
# Published counts, so that the truth is tested where the real files are not: T+D+, T+D-, T-D+, T-D-, T+?, T-?.
HEPATIC = (231, 32, 27, 54, 166, 140)
DIAPHANOGRAPHY = (26, 11, 7, 44, 30, 782)
DSISS = (32, 68, 4, 428, 0, 0)


def term(result, name: str) -> pd.Series:
    return result.to_frame().set_index("term").loc[name]


def failed(data, params) -> set[str]:
    return {check.name.template for check in analysis.check(data, params) if check.passed is False}


def _hepatic_is_corrected(corrected):
    sens, spec = term(corrected, "sensitivity"), term(corrected, "specificity")
    assert (sens["estimate"], spec["estimate"]) == pytest.approx((0.836467, 0.738398), abs=1e-6)
    assert (sens["std_error"], spec["std_error"]) == pytest.approx((0.02449803, 0.03886268), abs=1e-7)
    assert (sens["conf_low"], sens["conf_high"]) == pytest.approx((0.7826465180, 0.8790201904), abs=1e-8)
    assert (term(corrected, "ppv")["estimate"], term(corrected, "npv")["estimate"]) == pytest.approx(
        (0.878327, 0.666667), abs=1e-6
    )


def from_counts(counts, folder: Path, **changes):
    """A parameter set over a file that holds a published two-by-two table with its unverified cells."""
    rows = [(test, case) for (test, case), n in zip(
        ((1, "1"), (1, "0"), (0, "1"), (0, "0"), (1, ""), (0, "")), counts, strict=True) for _ in range(n)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["score", "reference"])
    frame.insert(0, "pupil_pid", np.arange(len(frame)))
    frame.to_csv(folder / "t.csv", index=False)
    given = {"evaluation": "screening_validity", "source": "t.csv", "as_of": "2026-01-01", "seed": 1, "scale": "",
             "cutoff": 1, "verification": "two_phase", "reference_timing": "concurrent"} | changes  # fmt: skip
    params = analysis.Params.from_mapping(given, where="test")
    data = analysis.load(params)
    return params, data, analysis.estimate(data, params)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MHLIB_DATA", str(tmp_path))
    return tmp_path


def test_hepatic_from_its_published_counts(folder):
    _hepatic_is_corrected(from_counts(HEPATIC, folder)[2].accuracy.corrected)


def test_diaphanography_turns_the_conclusion_round(folder):
    params, data, result = from_counts(DIAPHANOGRAPHY, folder)
    corrected = result.accuracy.corrected
    assert result.accuracy.naive.code == "unequal_verification" and result.best is corrected
    assert term(corrected, "sensitivity")["estimate"] == pytest.approx(0.291678, abs=1e-6)
    assert term(corrected, "specificity")["estimate"] == pytest.approx(0.973031, abs=1e-6)
    assert {"Missed cases behind the correction", "The correction leaves the conclusion standing"} <= failed(
        data, params
    )
    said = [text.template for text in analysis.answer(result, params)]
    assert any("missed cases" in text for text in said)


def test_a_past_reference_and_a_rare_disease_from_published_counts(folder):
    """DSI-SS at 2 points: nothing to correct, association only, and a positive screen that means little in a city."""
    design = {"verification": "all", "reference_timing": "past", "local_prevalence": 0.005}
    params, data, result = from_counts(DSISS, folder, **design)
    printed = {"sensitivity": 0.8889, "specificity": 0.8629, "ppv": 0.32, "npv": 0.9907}
    assert {name: term(result.best, name)["estimate"] for name in printed} == pytest.approx(printed, abs=5e-5)
    assert result.accuracy.corrected.code == "nothing_to_correct" and term(result.carried, "ppv")["estimate"] < 0.04
    assert {"Screen and reference speak of the same time", "Enough cases behind the accuracy"} <= failed(data, params)


@pytest.mark.parametrize(
    ("counts", "naive", "corrected"),
    [
        ((231, 32, 0, 0, 166, 221), "no_verified_negatives", "no_verified_negatives"),
        ((0, 0, 27, 54, 429, 140), "no_verified_positives", "no_verified_positives"),
        ((231, 32, 3, 78, 166, 140), "unequal_verification", "few_false_negatives"),
        ((0, 0, 0, 0, 300, 350), "no_reference", "no_reference"),
        ((200, 0, 0, 300, 0, 0), "circular_criterion", "circular_criterion"),
    ],
)
def test_every_refusal(folder, counts, naive, corrected):
    result = from_counts(counts, folder)[2]
    found = result.accuracy
    assert (found.naive.code, found.corrected.code) == (naive, corrected)
    assert (found.naive_roc.code, found.corrected_roc.code) == (naive, corrected)
    assert found.naive.what_to_collect.template and found.corrected.why.template
    no_items = (result.reliability.coefficients, result.structure.fits, result.items.table, result.irt.items)
    assert {section.code for section in no_items} == {"no_items"}
    without_accuracy = isinstance(found.corrected, Refused) and isinstance(found.naive, Refused)
    assert without_accuracy and result.cutoffs.studio.code == "no_capacity"
    assert result.best.code == result.gain.alone.code == corrected


def test_findings_do_not_hang_on_names(folder):
    """The same refusal after the file and its columns were renamed."""
    from_counts((231, 32, 0, 0, 166, 221), folder)
    frame = pd.read_csv(folder / "t.csv", dtype=str).rename(columns={"pupil_pid": "a", "score": "b", "reference": "c"})
    frame.to_csv(folder / "other.csv", index=False)
    given = {"evaluation": "screening_validity", "source": "other.csv", "as_of": "2026-01-01", "seed": 1, "scale": "",
             "columns": {"pupil_pid": "a", "score": "b", "reference": "c"}, "cutoff": 1, "verification": "two_phase",
             "reference_timing": "concurrent"}  # fmt: skip
    params = analysis.Params.from_mapping(given, where="test")
    data = analysis.load(params)
    assert analysis.estimate(data, params).accuracy.naive.code == "no_verified_negatives"
    assert "Those interviewed are those the design says" in failed(data, params)


def test_stale_answers_and_a_missing_wave_raise_an_alarm(folder):
    frame = pd.DataFrame({"pupil_pid": range(40), "wave": [1] * 20 + [3] * 20, "score": [0, 1] * 20,
                          "answered_on": "2025-01-10"})  # fmt: skip
    frame.to_csv(folder / "t.csv", index=False)
    given = {"evaluation": "screening_validity", "source": "t.csv", "as_of": "2026-01-01", "seed": 1, "scale": "",
             "cutoff": 1, "verification": "none", "reference_timing": "concurrent", "wave": 3}  # fmt: skip
    params = analysis.Params.from_mapping(given, where="test")
    assert {"The answers are recent", "No wave is missing"} <= failed(analysis.load(params), params)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    root = tmp_path_factory.mktemp("analysis")
    simulate(
        "small", seed=8, destination=root / "synthetic" / "city", truth_destination=root / "synthetic-truth" / "city"
    )
    return root


def test_the_city_is_analysed_without_its_truth_being_opened(city, monkeypatch):
    import sys

    opened = []
    watching = [True]

    def watch(event, arguments):
        if watching[0] and event == "open" and isinstance(arguments[0], str | os.PathLike):
            opened.append(os.fspath(arguments[0]))

    monkeypatch.setenv("MHLIB_SYNTHETIC", str(city / "synthetic"))
    sys.addaudithook(watch)
    # Libraries that open files below Python are caught by the folder's being away.
    truth, away = city / "synthetic-truth", city / "away"
    truth.rename(away)
    try:
        params = analysis.Params.from_file(ROOT / "params/demo/screening_validity.yml")
        data = analysis.load(params)
        result = analysis.estimate(data, params)
        analysis.check(data, params)
        analysis.sensitivity(data, params)
        analysis.lights(result, params)
        analysis.risk_of_bias(data, params)
    finally:
        watching[0] = False
        away.rename(truth)
    assert not [path for path in opened if "synthetic-truth" in str(path)]
    assert result.accuracy.naive.code == "unequal_verification" and not isinstance(result.plan, Refused)


def test_invitations_are_seeded_negatives_with_their_chances(city, monkeypatch):
    monkeypatch.setenv("MHLIB_SYNTHETIC", str(city / "synthetic"))
    params = analysis.Params.from_file(ROOT / "params/demo/screening_validity.yml")
    data = analysis.load(params)
    first, second = (analysis.invitations(data, params) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    people = data.people.set_index("pupil_pid")
    assert not people.loc[first["pupil_pid"], "positive"].any() and len(first) == params.interviews
    assert first["probability"].between(0, 1, inclusive="right").all()
    drawn = first.groupby("stratum").size()
    assert drawn.to_dict() == result_sizes(analysis.strata(data, params))


def result_sizes(plan: pd.DataFrame) -> dict[str, int]:
    return dict(zip(plan["band"], plan["n_sample"], strict=True))

"""Each pack puts in the fault it names, and only that."""

import numpy as np
import pandas as pd
import pytest

from mhlib.data.synthetic import PACKS
from mhlib.data.synthetic.instruments import ANSWERS


@pytest.fixture(scope="module")
def faulty(make):
    made = {}

    def of(pack):
        if pack not in made:
            made[pack] = make("small", name=pack, packs=[pack])
        return made[pack]

    return of


def test_every_pack_changes_the_city(small, faulty):
    for pack in PACKS:
        tables = faulty(pack).manifest.tables
        changed = [name for name in tables if not small.table(name).equals(faulty(pack).table(name))]
        assert changed, pack


def test_duplicates(faulty):
    response = faulty("duplicates").table("response")
    twice = response.duplicated(["pupil_pid", "wave"])
    assert 0.008 < twice.mean() < 0.012
    assert (response.duplicated() == twice).all()


def test_reversed_items(small, faulty):
    plain, turned = small.table("response"), faulty("reversed_items").table("response")
    for number in (4, 8, 12, 16):
        pd.testing.assert_series_equal(turned[f"ces_dc_{number}"], 3 - plain[f"ces_dc_{number}"])
    other = [name for name in ANSWERS if name not in {f"ces_dc_{n}" for n in (4, 8, 12, 16)}]
    assert plain[other].equals(turned[other])


def test_careless_school(small, faulty):
    plain, careless = small.table("response"), faulty("careless_school").table("response")
    differ = (plain[list(ANSWERS)].fillna(-1) != careless[list(ANSWERS)].fillna(-1)).any(axis=1)
    assert differ.groupby(plain["school_pid"]).mean().gt(0).sum() == 1
    school = plain.loc[differ, "school_pid"].iloc[0]
    assert differ[plain["school_pid"] == school].mean() == pytest.approx(0.3, abs=0.03)


def test_moved_pupils(faulty):
    made = faulty("moved_pupils")
    both = made.table("response").merge(made.table("enrolment"), on=["pupil_pid", "wave"], suffixes=("", "_roll"))
    assert (both["school_pid"] != both["school_pid_roll"]).mean() == pytest.approx(0.01, abs=0.004)
    assert both["school_pid"].isin(made.table("school")["school_pid"]).all()


def test_copied_answers(faulty):
    response = faulty("copied_answers").table("response")
    for _, wave in response.groupby("wave"):
        sheet = wave[wave["class_pid"] == wave["class_pid"].min()]
        assert len(sheet) > 10 and len(sheet[list(ANSWERS)].drop_duplicates()) == 1


def test_late_uploads(small, faulty):
    late = faulty("late_uploads").table("platform_upload")["uploaded_on"]
    assert (late - small.table("platform_upload")["uploaded_on"] == pd.Timedelta(days=60)).all()


def test_expired_certificates(small, faulty):
    end = pd.Timestamp("2026-03-20")
    assert (small.table("certificate")["expires"] < end).sum() == 0
    assert (faulty("expired_certificates").table("certificate")["expires"] < end).mean() == pytest.approx(0.2, abs=0.01)


def test_double_counted_families(small, faulty):
    once, twice = small.table("parent_attendance"), faulty("double_counted_families").table("parent_attendance")
    assert twice.duplicated().sum() == len(twice) - len(once) == int(np.ceil(len(once) / 5))


def test_fallible_interview(small, faulty):
    made = faulty("fallible_interview")
    both = made.table("assessment").merge(made.truth("truth_wave"), on=["pupil_pid", "wave"])
    rate = (both["case"] != both["true_case"]).groupby(both["true_case"]).mean()
    assert rate[True] == pytest.approx(0.10, abs=0.03) and rate[False] == pytest.approx(0.03, abs=0.012)


def test_nonignorable_verification(small, faulty):
    def gap(made):
        truth = made.truth("truth_wave").merge(made.table("response")[["pupil_pid", "wave"]])
        seen = made.table("assessment")[["pupil_pid", "wave", "sampled"]]
        positives = truth.merge(seen, on=["pupil_pid", "wave"])
        positives = positives[positives["sampled"] == "positive"]
        return positives["true_case"].mean()

    assert gap(faulty("nonignorable_verification")) > gap(small) + 0.01
    stated = faulty("nonignorable_verification").table("assessment")
    assert set(stated.loc[stated["sampled"] == "positive", "probability"]) == {0.85}

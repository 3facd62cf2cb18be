import hashlib

import numpy as np
import pandas as pd
import pytest

from mhlib.data.scales import scale
from mhlib.data.scoring import score
from mhlib.data.synthetic import PACKS, is_current, planted, simulate
from mhlib.errors import ParamsError


def make(folder, scale_name="small", **options):
    return simulate(scale_name, destination=folder / "city", truth_destination=folder / "truth", **options)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    make(folder, seed=5)
    return folder


def table(folder, name, side="city") -> pd.DataFrame:
    return pd.read_parquet(folder / side / f"{name}.parquet")


def digests(folder) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes(city, tmp_path):
    make(tmp_path, seed=5)
    assert digests(tmp_path) == digests(city)
    make(tmp_path, seed=6)
    assert digests(tmp_path) != digests(city)


def test_no_child_without_a_parent(city):
    pupils, schools = set(table(city, "pupil")["pupil_pid"]), set(table(city, "school")["school_pid"])
    for name in ("response", "enrolment", "assessment", "heart_grid_member", "contact", "survey", "outcome", "session"):
        assert set(table(city, name)["pupil_pid"]) <= pupils, name
    for name in ("response", "class", "teacher", "room_schedule", "cost"):
        assert set(table(city, name)["school_pid"]) <= schools, name
    assert set(table(city, "event")["case_pid"]) <= set(table(city, "case")["case_pid"])
    assert set(table(city, "case")["pupil_pid"]) <= set(table(city, "assessment")["pupil_pid"])
    assert set(table(city, "pupil")["household_pid"]) == set(table(city, "household")["household_pid"])
    assert not table(city, "response").duplicated(["pupil_pid", "wave"]).any()


def test_the_truth_lies_apart(city):
    hidden = {"theta", "true_case", "careless", "liability"}
    for path in (city / "city").glob("*.parquet"):
        assert not hidden & set(pd.read_parquet(path).columns), path.name
    assert hidden - {"liability"} <= set(table(city, "truth_wave", "truth").columns)
    with pytest.raises(ParamsError, match="the truth would lie within the city"):
        simulate("small", destination=city / "city", truth_destination=city / "city" / "truth")


def test_all_four_figures_of_each_level_are_planted_and_agree():
    found = planted.planted_accuracy()
    rate = found["prevalence"] * found["sensitivity"] + (1 - found["prevalence"]) * (1 - found["specificity"])
    assert np.allclose(rate, found["positive_rate"])
    scenarios = planted.ppv_scenarios()["ppv"].round(2)
    assert scenarios.tolist() == [0.07, 0.26]


def realised(folder) -> pd.DataFrame:
    """Planted and realised figures of each level over all waves, with design-based standard errors over schools."""
    response, truth = table(folder, "response"), table(folder, "truth_wave", "truth")
    total = score(response.filter(regex=r"^phq_9_\d"), scale("phq_9"))["total"]
    both = truth.merge(response[["pupil_pid", "wave"]].assign(positive=total >= planted.CUTOFF, scored=total.notna()),
                       on=["pupil_pid", "wave"]).query("scored")  # fmt: skip
    rows = []
    for level, group in both.groupby("level"):
        goal = planted.ACCURACY[level]
        parts = {"prevalence": (group["true_case"], group, goal.prevalence),
                 "sensitivity": (group["positive"], group[group["true_case"]], goal.sensitivity),
                 "specificity": (~group["positive"], group[~group["true_case"]], goal.specificity),
                 "positive_rate": (group["positive"], group, goal.positive_rate)}  # fmt: skip
        for name, (flag, people, wanted) in parts.items():
            # Pupils come back wave after wave and share a class: the class is the smallest unit that is independent.
            values = flag.loc[people.index].astype(float)
            sums = (values - wanted).groupby(people["pupil_pid"].map(_unit(folder))).sum()
            k = len(sums)
            error = np.sqrt(k / (k - 1) * ((sums - sums.mean()) ** 2).sum()) / len(values)
            rows.append((level, name, wanted, values.mean(), error))
    return pd.DataFrame(rows, columns=["level", "figure", "planted", "realised", "error"])


def _unit(folder) -> pd.Series:
    response = table(folder, "response")
    return response.drop_duplicates("pupil_pid").set_index("pupil_pid")["school_pid"]


def test_realised_figures_lie_within_their_standard_errors(city):
    # Six schools: one or two a level, so schools cannot estimate their own spread; the ICCs that were planted do.
    found = realised_by_planted_icc(city)
    far = found[(found["realised"] - found["planted"]).abs() > 3.3 * found["error"]]
    assert far.empty, far.to_string()


def realised_by_planted_icc(folder) -> pd.DataFrame:
    found = realised(folder)
    response = table(folder, "response").merge(table(folder, "school")[["school_pid", "level"]], on="school_pid")
    size = response.groupby("level").size() / planted.WAVES
    schools = response.groupby("level")["school_pid"].nunique()
    spread = found["planted"] * (1 - found["planted"])
    design = 1 / found["level"].map(size) + planted.ICC_SCHOOL / found["level"].map(schools)
    return found.assign(
        error=np.sqrt(spread * design) / found["planted"].where(found["figure"] == "sensitivity", 1) ** 0.5
    )


@pytest.mark.slow
def test_the_whole_city_realises_what_was_planted(tmp_path):
    make(tmp_path, "city")
    found = realised(tmp_path)
    far = found[(found["realised"] - found["planted"]).abs() > 3.3 * found["error"]]
    assert far.empty, found.to_string()


@pytest.mark.parametrize("pack", sorted(PACKS))
def test_every_pack_changes_the_city(city, tmp_path, pack):
    make(tmp_path, seed=5, packs=[pack])
    assert digests(tmp_path / "city") != digests(city / "city")


def test_packs_do_what_they_say(city, tmp_path):
    make(tmp_path, seed=5, packs=["duplicates", "reversed_items", "expired_certificates"])
    assert table(tmp_path, "response").duplicated(["pupil_pid", "wave"]).any()
    plain, turned = table(city, "response")["ces_dc_4"], table(tmp_path, "response")["ces_dc_4"]
    assert abs(plain.mean() + turned.mean() - 3) < 0.05
    assert (table(tmp_path, "certificate")["expires"] == "2022-06-30").mean() > 0.15


def test_unknown_scales_and_packs_get_hints(tmp_path):
    with pytest.raises(ParamsError, match=r"unknown pack duplicate; .*did you mean duplicates\?"):
        make(tmp_path, packs=["duplicate"])
    with pytest.raises(ParamsError, match=r"unknown scale town"):
        make(tmp_path, "town")


def test_a_province_streams(tmp_path):
    manifest = simulate("province", destination=tmp_path / "p", truth_destination=tmp_path / "t", prefectures=1)
    assert manifest.tables["response"] > 120_000
    assert is_current(tmp_path / "p", "province") and not is_current(tmp_path / "p", "city")


def test_everything_assumed_says_so(city):
    found = table(city, "assumption")
    assert found["is_assumption"].sum() > 15 and found["source"].str.len().min() > 0

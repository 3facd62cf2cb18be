"""Screen-positives by town and level: every total adds up, nothing is ranked, and no interval claims more than it can."""

import math
from dataclasses import replace
from datetime import date
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mhlib.analyses import screening_validity as analysis
from mhlib.analyses.parts import place_merging
from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.screening_places import section
from mhlib.data.scales import scale
from mhlib.data.screening import Provenance, ScreeningData, load_screening
from mhlib.data.sources import open_source
from mhlib.errors import DataError
from mhlib.findings import Refused
from mhlib.report.disclosure import Gate
from mhlib.report.language import words
from mhlib.report.tables import grid
from mhlib.report.vocabulary import TERMS, TOTALS
from mhlib.workbench.scanner_people import in_text

GIVEN = {"evaluation": "screening_validity", "source": "t.csv", "as_of": "2026-01-01", "seed": 1, "scale": "", "cutoff": 10,
         "verification": "two_phase", "reference_timing": "concurrent", "cluster": "school_pid"}  # fmt: skip
# Town, level, screen-positive, screen-negative, unscored; not in the order of the report.
CELLS = [
    ("B", "P", 30, 70, 2),
    ("A", "S", 40, 60, 0),
    ("A", "P", 12, 88, 5),
    ("B", "J", 50, 50, 1),
    ("B", "V", 0, 0, 3),  # nobody scored: no row
]


def params(**changes):
    return analysis.Params.from_mapping(GIVEN | changes, where="test")


def pupils(cells, schools: int = 3) -> pd.DataFrame:
    """One row a pupil; the schools of a cell take turns, so that each has its like of everything."""
    rows = []
    for town, level, positive, negative, unscored in cells:
        scores = [12.0] * positive + [3.0] * negative + [math.nan] * unscored
        rows += [{"area_code": town, "level": level, "score": score, "school_pid": f"{town}{level}{at % schools}"}
                 for at, score in enumerate(scores)]  # fmt: skip
    return pd.DataFrame(rows).astype({"area_code": "string", "level": "string"})


def screened(people: pd.DataFrame, cutoff: int | None = 10) -> Screened:
    known = people["score"].notna() if cutoff is not None else pd.Series(False, index=people.index)
    positive = (people["score"] >= (cutoff or 0)).astype("boolean").mask(~known)
    people = people.assign(pupil_pid=people.index.astype(str), positive=positive, verified=False,
                           reference=pd.Series(pd.NA, index=people.index, dtype="boolean"))  # fmt: skip
    wave = ScreeningData(frame=people, enrolled=None, waves=(1,), last_answered=date(2025, 12, 1), moved=0, repeated=0,
                         provenance=Provenance(kind="file", source="t.csv", sha256="0", rows_read=len(people)))  # fmt: skip
    return Screened(people=people, items=None, scale=None, screening=wave)


def table_of(people: pd.DataFrame, **changes) -> pd.DataFrame:
    return section(screened(people), params(**changes)).to_frame()


def counted(table: pd.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    return {(row.town, row.level): (row.numerator, row.denominator) for row in table.itertuples()}


def labels(table: pd.DataFrame) -> list[tuple[str, str]]:
    return list(table[["town", "level"]].itertuples(index=False, name=None))


EXPECTED = {
    ("A", "level_P"): (12, 100), ("A", "level_S"): (40, 100), ("A", "all_levels"): (52, 200), ("B", "level_P"): (30, 100),
    ("B", "level_J"): (50, 100), ("B", "all_levels"): (80, 200), ("all_towns", "level_P"): (42, 200),
    ("all_towns", "level_J"): (50, 100), ("all_towns", "level_S"): (40, 100), ("all_towns", "all_levels"): (132, 400),
}  # fmt: skip


def test_every_cell_and_every_total_by_hand():
    table = table_of(pupils(CELLS))
    assert counted(table) == EXPECTED and labels(table) == list(EXPECTED)
    assert table["estimate"].tolist() == pytest.approx([positive / scored for positive, scored in EXPECTED.values()])
    assert set(table["term"]) == {"proportion"}


def test_cells_sum_to_their_totals():
    """The relations that secondary suppression relies on, for pupils drawn at random, some without town, level or score."""
    rng = np.random.default_rng(20261126)
    n = 3000
    people = pd.DataFrame({
        "area_code": rng.choice(["330281", "330282", "9", None], n), "level": rng.choice(["P", "J", "S", "V", None], n),
        "score": np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 28, n)), "school_pid": rng.integers(0, 50, n).astype(str),
    }).astype({"area_code": "string", "level": "string"})  # fmt: skip
    table = table_of(people)
    for name, total in (("town", "all_towns"), ("level", "all_levels")):
        other = "level" if name == "town" else "town"
        inner = table[table[name] != total].groupby(other)[["numerator", "denominator"]].sum()
        outer = table[table[name] == total].set_index(other)[["numerator", "denominator"]]
        pd.testing.assert_frame_equal(inner, outer.loc[inner.index], check_names=False)
    whole = table[(table["town"] == "all_towns") & (table["level"] == "all_levels")].iloc[0]
    scored = people["score"].dropna()
    assert (whole["numerator"], whole["denominator"]) == ((scored >= 10).sum(), len(scored))
    assert len(table) == (4 + 1) * (5 + 1)


def test_whoever_has_no_town_or_level_is_counted_before_the_totals():
    people = pupils([("B", "P", 5, 5, 0), ("A", "P", 5, 5, 0), (pd.NA, "P", 2, 8, 0), ("A", pd.NA, 1, 9, 0)])
    table = table_of(people)
    assert labels(table) == [
        ("A", "level_P"), ("A", "level_not_stated"), ("A", "all_levels"), ("B", "level_P"), ("B", "all_levels"),
        ("town_not_stated", "level_P"), ("town_not_stated", "all_levels"), ("all_towns", "level_P"),
        ("all_towns", "level_not_stated"), ("all_towns", "all_levels"),
    ]  # fmt: skip
    assert counted(table)["all_towns", "all_levels"] == (13, 40)


def test_the_order_hangs_on_the_places_alone():
    """Turned results, shuffled rows: the rows stand where they stood, so that nobody reads a rank."""
    people = pupils(CELLS)
    turned = people.assign(score=15 - people["score"]).sample(frac=1, random_state=1).reset_index(drop=True)
    first, second = table_of(people), table_of(turned)
    assert labels(first) == labels(second) == list(EXPECTED)
    assert counted(second)["A", "level_P"] == (88, 100)


def test_words_of_the_source_stand_as_they_are():
    table = table_of(pupils([("镇海街道", "完中", 20, 80, 0), ("北仑镇", "J", 20, 80, 0)]))
    assert labels(table)[:2] == [("北仑镇", "level_J"), ("北仑镇", "all_levels")]
    assert ("镇海街道", "完中") in labels(table) and labels(table)[-2:] == [
        ("all_towns", "完中"),
        ("all_towns", "all_levels"),
    ]


@pytest.mark.parametrize(
    ("codes", "shown"),
    [
        (["A0000002", "A0000010", "A0000001"], ["A1", "A2", "A10"]),
        (["A0000001", "A1"], ["A0000001", "A1"]),
        (["330281001", "A00001", "a0000001"], ["330281001", "A00001", "a0000001"]),
    ],
)
def test_codes_that_look_like_pseudonyms_are_shown_short_and_no_two_towns_become_one(codes, shown):
    table = table_of(pupils([(code, "P", 20, 80, 0) for code in codes]))
    assert table.loc[table["level"] == "level_P", "town"].tolist() == [*shown, "all_towns"]


def test_what_is_shown_of_the_demo_citys_codes_is_no_pseudonym_to_the_scanner():
    """Else no report with the table could be published."""
    codes = [f"A{number:07d}" for number in range(1, 21)]
    towns = table_of(pupils([(code, "P", 20, 80, 0) for code in codes]))["town"].unique()
    kinds = [{kind for kind, _ in in_text(" ".join(names), as_of=date(2026, 3, 20))} for names in (codes, towns)]
    assert kinds == [{"pseudonym"}, set()] and len(towns) == 21


def logit_interval(positive: np.ndarray, school: np.ndarray, level: float) -> tuple[float, float]:
    """Share linearised over schools, on the logit, t with k - 1 degrees of freedom; written out anew."""
    p, schools = positive.mean(), np.unique(school)
    residuals = np.array([(positive[school == name] - p).sum() for name in schools]) / len(positive)
    k = len(schools)
    error = math.sqrt(k / (k - 1) * (residuals**2).sum()) / (p * (1 - p))
    reach = stats.t.ppf((1 + level) / 2, k - 1) * error
    centre = math.log(p / (1 - p))
    return tuple(1 / (1 + math.exp(-(centre + sign * reach))) for sign in (-1, 1))


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_an_interval_is_that_of_ten_schools(level):
    rng = np.random.default_rng(4)
    school = np.arange(600) % 10
    score = np.where(rng.random(600) < 0.1 + 0.03 * school, 12.0, 3.0)
    people = pd.DataFrame({"area_code": "A", "level": "P", "score": score, "school_pid": school.astype(str)})
    people = people.astype({"area_code": "string", "level": "string"})
    row = table_of(people, conf_level=level).iloc[0]
    assert (row["conf_low"], row["conf_high"]) == pytest.approx(logit_interval(score >= 10, school, level), rel=1e-9)


def test_nine_schools_show_no_interval_and_say_so():
    people = pupils([("A", "P", 200, 800, 0)], schools=9)
    few = section(screened(people), params())
    assert few.table[["conf_low", "conf_high"]].isna().all(axis=None) and few.table["estimate"].tolist() == [0.2] * 4
    assert "10 schools" in words(few.lacking[-1], "en", Gate.of("public"))
    enough = section(screened(pupils([("A", "P", 200, 800, 0)], schools=10)), params())
    assert enough.table["conf_low"].notna().all() and enough.lacking == few.lacking[:1]


def test_a_school_whose_pupils_are_unscored_is_no_cluster():
    people = pupils([("A", "P", 200, 800, 0)], schools=9)
    silent = people.head(5).assign(score=math.nan, school_pid="silent")
    assert table_of(pd.concat([people, silent], ignore_index=True))["conf_low"].isna().all()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"drop": "area_code"}, "no_towns"),
        ({"empty": "area_code"}, "no_towns"),
        ({"drop": "level"}, "no_levels"),
        ({"empty": "level"}, "no_levels"),
    ],
)
def test_without_a_town_or_a_level_it_is_refused_with_what_to_collect(changed, code):
    people = pupils(CELLS)
    if "drop" in changed:
        people = people.drop(columns=changed["drop"])
    else:
        people[changed["empty"]] = pd.Series(pd.NA, index=people.index, dtype="string")
    found = section(screened(people), params())
    assert isinstance(found, Refused) and found.code == code
    assert ("area_code" if code == "no_towns" else "level") in found.what_to_collect.template


@pytest.mark.parametrize(("key", "code"), [("dsi_ss", "whole_city_alone"), ("phq_9", None)])
def test_self_harm_is_never_counted_by_town(key, code):
    data = replace(screened(pupils(CELLS)), scale=scale(key))
    assert getattr(section(data, params()), "code", None) == code


def test_without_a_cutoff_nobody_is_positive():
    assert section(screened(pupils(CELLS), cutoff=None), params(cutoff=None)).code == "no_cutoff"


def test_the_gate_hides_small_cells_and_the_page_names_the_rest():
    found = section(screened(pupils([("A", "P", 4, 96, 0), ("A", "J", 30, 70, 0), ("B", "P", 50, 50, 0)])), params())
    gate = Gate.of("public")
    shown = gate.frame(found.table, where="places")
    small = shown[(shown["town"] == "A") & (shown["level"] == "level_P")].iloc[0]
    assert small["numerator"] is None and small["estimate"] is None and small["conf_low"] is None
    _, _, rows = grid(shown, "en", gate, columns=["town", "level", "numerator", "denominator", "estimate"])
    # There is no column of intervals: three schools a cell carry none.
    assert rows[0] == ["A", "primary", "—", "100", "—"] and rows[1] == ["A", "junior", "30", "100", "30%"]
    assert rows[-1] == ["all towns", "all levels", "85", "300", "28%"]


# No figure of a single school --------------------------------------------------------------------------------------------


def city(schools: dict[tuple[str, str], list[str]], rng: np.random.Generator | None = None) -> pd.DataFrame:
    """Four pupils of each school of each cell, some of them screen-positive."""
    rng = rng or np.random.default_rng(0)
    rows = [{"area_code": town, "level": level, "school_pid": school, "score": float(rng.choice([3, 12]))}
            for (town, level), names in schools.items() for school in names for _ in range(4)]  # fmt: skip
    return pd.DataFrame(rows).astype({"area_code": "string", "level": "string"})


def numbered(counts: dict[tuple[str, str], int]) -> dict[tuple[str, str], list[str]]:
    """So many schools of each cell, each in that cell alone."""
    return {(town, level): [f"{town}{level}{at}" for at in range(n)] for (town, level), n in counts.items()}


def held(table: pd.DataFrame, cells: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """By what its labels say and nothing else, the cells behind each row."""
    named = set(table["town"])
    levels = {town: set(rows["level"]) for town, rows in table.groupby("town")}

    def town_fits(town: str, shown: str) -> bool:
        return shown in (town, "all_towns") or (shown == "other_towns" and town not in named)

    def level_fits(level: str, shown: str, town: str) -> bool:
        own = f"level_{level}"
        return shown in (own, "all_levels") or (shown == "other_levels" and own not in levels[town])

    return [[(town, level) for town, level in cells if town_fits(town, row.town) and level_fits(level, row.level, row.town)]
            for row in table.itertuples()]  # fmt: skip


def given_away(table: pd.DataFrame, schools: dict[tuple[str, str], list[str]]) -> list[tuple[tuple[str, str], ...]]:
    """One or two cells of fewer than three schools whose sum the rows determine: it adds nothing to their rank."""
    cells = list(schools)
    rows = np.array([[cell in those for cell in cells] for those in held(table, cells)], dtype=float)
    rank = np.linalg.matrix_rank(rows)
    few = [those for size in (1, 2) for those in combinations(range(len(cells)), size)
           if len({name for at in those for name in schools[cells[at]]}) < 3]  # fmt: skip
    sums = {those: np.isin(np.arange(len(cells)), those).astype(float) for those in few}
    return [tuple(cells[at] for at in those) for those, wanted in sums.items()
            if np.linalg.matrix_rank(np.vstack([rows, wanted])) == rank]  # fmt: skip


def random_city(seed: int) -> dict[tuple[str, str], list[str]]:
    """Up to six towns, mostly of few schools a level."""
    rng = np.random.default_rng(seed)
    places = [(f"T{town}", level) for town in range(rng.integers(1, 7)) for level in "PJSV"[: rng.integers(2, 5)]]
    counts = rng.choice([0, 1, 2, 3, 4, 6], len(places), p=[0.2, 0.3, 0.15, 0.15, 0.1, 0.1])
    return {cell: names for cell, names in numbered(dict(zip(places, counts, strict=True))).items() if names}


CITIES = [seed for seed in range(330) if sum(map(len, random_city(seed).values())) >= 3][:300]


def test_no_one_can_work_out_a_figure_of_fewer_than_three_schools():
    assert len(CITIES) == 300
    for seed in CITIES:
        schools = random_city(seed)
        table = table_of(city(schools))
        those = held(table, list(schools))
        assert min(len({name for cell in cells for name in schools[cell]}) for cells in those) >= 3, seed
        assert given_away(table, schools) == [], seed


def test_every_row_counts_the_pupils_that_its_labels_say():
    for seed in CITIES[:30]:
        schools = random_city(seed)
        people = city(schools, np.random.default_rng(seed))
        table = table_of(people)
        at = pd.MultiIndex.from_frame(people[["area_code", "level"]])
        for row, cells in zip(table.itertuples(), held(table, list(schools)), strict=True):
            here = people[at.isin(cells)]
            assert (row.numerator, row.denominator) == ((here["score"] >= 10).sum(), len(here)), seed


def test_merging_alone_is_unmerged_by_the_totals_and_the_attack_sees_it(monkeypatch):
    """Two cities by hand, and many at random: without mending, the test above would find what was given away."""
    monkeypatch.setattr(place_merging, "mended", lambda schools, given: given)
    lone = numbered({("A", "P"): 4, ("A", "J"): 3, ("B", "P"): 3, ("B", "J"): 1, ("B", "S"): 2, ("C", "S"): 3})
    assert (("B", "J"),) in given_away(table_of(city(lone)), lone)
    pair = numbered(
        {("A", "P"): 3, ("A", "J"): 1, ("A", "S"): 2, ("B", "P"): 3, ("B", "J"): 1, ("B", "S"): 2, ("C", "J"): 3}
    )
    assert (("A", "J"), ("B", "J")) in given_away(table_of(city(pair)), pair)
    found = [seed for seed in CITIES[:80] if given_away(table_of(city(random_city(seed))), random_city(seed))]
    assert len(found) >= 10


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Two levels of too few hold three schools together.
        (
            {("A", "P"): 5, ("A", "J"): 1, ("A", "S"): 2, ("B", "P"): 3, ("B", "J"): 2, ("B", "S"): 1},
            ["A P", "A other", "A all", "B P", "B other", "B all", "all P", "all J", "all S", "all all"],
        ),
        # One of too few takes the smallest of the others with it; of two levels the total is left.
        (
            {("A", "P"): 6, ("A", "J"): 4, ("A", "S"): 1, ("B", "P"): 4, ("B", "S"): 2, ("C", "P"): 3, ("C", "J"): 1},
            ["A P", "A other", "A all", "B all", "C all", "all P", "all J", "all S", "all all"],
        ),
        # Small towns stand together; a level of one school in the city is merged in its town and in the totals.
        (
            {("A", "P"): 4, ("A", "J"): 3, ("A", "V"): 1, ("B", "P"): 2, ("C", "P"): 1},
            ["A P", "A other", "A all", "other P", "other all", "all P", "all other", "all all"],
        ),
        # One small town takes the smallest of the others with it.
        (
            {("A", "P"): 5, ("B", "P"): 3, ("C", "P"): 1},
            ["A P", "A all", "other P", "other all", "all P", "all all"],
        ),
        # Where all towns are small, there are the totals alone.
        ({("A", "P"): 2, ("B", "P"): 2, ("B", "J"): 0}, ["all P", "all all"]),
    ],
)  # fmt: skip
def test_what_is_merged_with_what_by_hand(counts, expected):
    shown = [(town.removesuffix("_towns"), level.removesuffix("_levels").removeprefix("level_"))
             for town, level in labels(table_of(city(numbered(counts))))]  # fmt: skip
    assert [" ".join(names) for names in shown] == expected


def test_what_the_totals_give_away_is_mended_in_the_town_that_shows_it_and_no_more_than_needed():
    """The primary schools of the city less those of A are those of B, and then its two senior schools: A gives way."""
    lone = numbered({("A", "P"): 6, ("A", "J"): 4, ("A", "S"): 1, ("B", "P"): 4, ("B", "S"): 2})
    shown = labels(table_of(city(lone)))
    assert [town for town, level in shown if level != "all_levels"] == ["all_towns"] * 3


def test_where_no_town_shows_the_level_the_totals_give_way():
    """Of level S the whole city less town C, whose only level it is, would be the two schools of town B."""
    lone = numbered({("A", "P"): 4, ("A", "J"): 3, ("B", "P"): 3, ("B", "J"): 1, ("B", "S"): 2, ("C", "S"): 3})
    shown = labels(table_of(city(lone)))
    assert [level for town, level in shown if town == "all_towns"] == ["level_P", "other_levels", "all_levels"]
    assert [level for town, level in shown if town == "A"] == ["level_P", "level_J", "all_levels"]


def test_a_school_of_several_levels_hides_nobody_by_being_counted_twice():
    """Two schools of all three levels are two and not six; with them a third makes the town."""
    both = {("A", level): ["X", "Y"] for level in "PJS"}
    others = numbered({("B", "P"): 3, ("B", "J"): 3, ("B", "S"): 3})
    assert labels(table_of(city(both | others)))[0][0] == "all_towns"
    third = both | {("A", "P"): ["X", "Y", "Z"]} | others
    found = labels(table_of(city(third)))
    assert ("A", "all_levels") in found and ("A", "level_P") not in found


def test_pupils_without_a_school_hide_nobody():
    schools = numbered({("A", "P"): 2, ("B", "P"): 3, ("C", "P"): 3})
    people = city(schools)
    lost = people.head(4).assign(school_pid=None)
    assert "A" not in set(table_of(pd.concat([people, lost], ignore_index=True))["town"])


def test_it_says_that_something_is_merged_only_where_it_is():
    apart = section(screened(city(numbered({("A", "P"): 3, ("A", "J"): 3, ("B", "P"): 3}))), params())
    merged = section(screened(city(numbered({("A", "P"): 3, ("A", "J"): 2, ("B", "P"): 3}))), params())
    said = [[words(one, "en", Gate.of("public")) for one in found.lacking] for found in (apart, merged)]
    assert ["fewer than 3 schools" in " ".join(lines) for lines in said] == [False, True]


@pytest.mark.parametrize(
    ("people", "cluster", "code"),
    [
        (pupils(CELLS), "", "no_schools"),
        (pupils(CELLS).drop(columns="school_pid"), "school_pid", "no_schools"),
        (pupils(CELLS).assign(school_pid=pd.NA), "school_pid", "no_schools"),
        # Classes are no schools.
        (pupils(CELLS).rename(columns={"school_pid": "class_pid"}), "class_pid", "no_schools"),
        (pupils(CELLS).assign(school_pid="S", class_pid=pupils(CELLS)["school_pid"]), "class_pid", "few_schools"),
        (pupils([("A", "P", 20, 80, 0)], schools=2), "school_pid", "few_schools"),
    ],
)  # fmt: skip
def test_without_three_known_schools_it_is_refused_with_what_to_collect(people, cluster, code):
    found = section(screened(people), params(cluster=cluster))
    assert isinstance(found, Refused) and found.code == code
    assert "school" in found.what_to_collect.template


def test_the_merged_rows_have_names_and_are_no_totals():
    assert {"other_towns", "other_levels"} <= set(TERMS) and not {"other_towns", "other_levels"} & TOTALS


# The town on its way from the source -----------------------------------------------------------------------------------


def written(folder: Path, *, register: dict[str, list]) -> Path:
    """A city's tables as a folder of files: four pupils, two schools."""
    folder.mkdir()
    names = [f"P{at}" for at in range(4)]
    tables = {
        "response": {"pupil_pid": names, "wave": 1, "school_pid": ["S1", "S1", "S2", "S2"], "score": [3, 12, 12, 12]},
        "assessment": {"pupil_pid": names, "wave": 1, "case": "", "probability": "", "assessed_on": ""},
        "enrolment": {"pupil_pid": names, "wave": 1, "school_pid": ["S1", "S1", "S2", "S2"]},
        "school": {"school_pid": ["S1", "S2"], "level": ["P", "J"], "private": False, "urban": True} | register,
    }
    for name, columns in tables.items():
        pd.DataFrame(columns).to_csv(folder / f"{name}.csv", index=False)
    return folder


def test_the_town_comes_with_the_register_of_schools(tmp_path):
    written(tmp_path / "city", register={"area_code": ["007", "008"]})
    found = load_screening(open_source("city", data_root=tmp_path), wave=1).frame
    assert found["area_code"].tolist() == ["007", "007", "008", "008"]


def test_a_register_without_towns_is_read_and_one_without_levels_is_not(tmp_path):
    written(tmp_path / "city", register={})
    assert "area_code" not in load_screening(open_source("city", data_root=tmp_path), wave=1).frame
    pd.DataFrame({"school_pid": ["S1", "S2"], "private": False, "urban": True}).to_csv(
        tmp_path / "city" / "school.csv", index=False
    )
    with pytest.raises(DataError):
        load_screening(open_source("city", data_root=tmp_path), wave=1)


def test_the_town_comes_with_a_roster(tmp_path):
    (tmp_path / "county").mkdir()
    pd.DataFrame({"no": ["1", "2"], "score": [3, 12]}).to_csv(tmp_path / "county" / "export.csv", index=False)
    pd.DataFrame({"no": ["1", "2", "3"], "town": ["A", "B", "B"]}).to_csv(
        tmp_path / "county" / "roster.csv", index=False
    )
    found = load_screening(open_source("county", data_root=tmp_path), columns={"pupil_pid": "no", "area_code": "town"},
                           tables={"response": "export", "roster": "roster"})  # fmt: skip
    assert found.frame["area_code"].tolist() == ["A", "B"] and found.enrolled == 3


def test_a_foreign_column_of_that_name_is_read_where_it_is_named(tmp_path):
    pd.DataFrame({"pupil_pid": ["1", "2"], "score": [3, 12], "area_code": ["A", "B"]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    source = open_source("t.csv", data_root=tmp_path)
    assert "area_code" not in load_screening(source).frame
    assert load_screening(source, columns={"area_code": "area_code"}).frame["area_code"].tolist() == ["A", "B"]

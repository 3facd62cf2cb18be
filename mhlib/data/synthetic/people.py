"""Areas, schools, classes, pupils, households and teachers, and who was where in each school year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.data.synthetic.planted import FIRST_GRADE, rng_of

YEARS = (2023, 2024, 2025)
CLASS_SIZE = 42
# Pupils a grade at each stage, per 130,000 pupils in all; some leave after grade 9.
GRADE_SIZE = {"P": 12_000, "J": 11_400, "S": 8_000}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """The city's people. `place` has one row a pupil and school year: row of pupil, class, school, grade, level."""

    tables: dict[str, pd.DataFrame]
    place: pd.DataFrame


def names(letter: str, n: int) -> np.ndarray:
    """Pseudonyms: a letter and a running number."""
    return np.char.add(letter, np.char.zfill(np.arange(1, n + 1).astype(str), 7)).astype(object)


def schools(seed: int, n: int) -> pd.DataFrame:
    """Areas' schools with their level, keeper, boarding and weight in size."""
    rng = rng_of(seed, "school")
    n_secondary, n_senior = max(1, round(0.30 * n)), max(1, round(0.13 * n))
    n_vocational = n_senior // 5
    counts = (n - n_secondary - n_senior, n_secondary, n_senior - n_vocational, n_vocational)
    level = np.repeat(["P", "J", "S", "V"], counts)
    n_areas = max(2, round(n / 6.5))
    area = rng.integers(0, n_areas, n)
    n_models = max(1, round(12 / 129 * n))
    return pd.DataFrame({
        "school_pid": names("S", n), "name": [f"示范市第{i:03d}学校" for i in range(1, n + 1)], "level": level,
        "area_code": names("A", n_areas)[area], "urban": area < n_areas * 0.4, "private": rng.random(n) < 0.12,
        "boarding": np.where(np.isin(level, ["S", "V"]), rng.random(n) < 0.8, rng.random(n) < 0.15),
        "model_parent_school": np.isin(np.arange(n), rng.choice(n, n_models, replace=False)),
        "size_weight": np.exp(rng.normal(0, 0.6, n)).clip(0.25, 4).round(3),
        "demo_point": np.isin(np.arange(n), rng_of(seed, "demo_point").choice(n, max(1, round(20 / 129 * n)), replace=False)),
    })  # fmt: skip


def people(seed: int, n_schools: int, n_pupils: int) -> People:
    """Everyone of the three school years."""
    rng = rng_of(seed, "pupil")
    school = schools(seed, n_schools)
    scale = n_pupils / 130_000
    cohorts = np.arange(YEARS[0] - 11, YEARS[-1] + 1)
    size = round(GRADE_SIZE["P"] * scale)
    entered = np.repeat(cohorts, size)
    stays = rng.random((len(entered), 2)) < (GRADE_SIZE["J"] / GRADE_SIZE["P"], GRADE_SIZE["S"] / GRADE_SIZE["J"])
    stays[:, 1] &= stays[:, 0]
    stage = {
        "P": (entered, np.ones(len(entered), bool)),
        "J": (entered + 6, stays[:, 0]),
        "S": (entered + 9, stays[:, 1]),
    }
    rows, classes = [], []
    for level, (entry, there) in stage.items():
        own = np.flatnonzero(school["level"].isin(["S", "V"] if level == "S" else [level]))
        length = 6 if level == "P" else 3
        seen = there & (entry + length > YEARS[0]) & (entry <= YEARS[-1])
        part, made = _placed(rng, np.flatnonzero(seen), entry[seen], own, school, level, sum(map(len, classes)))
        classes.append(made)
        rows += [_in_year(part, year, level, length) for year in YEARS]
    place = pd.concat(rows, ignore_index=True)
    place["level"] = school["level"].to_numpy()[place["school"]]
    used = np.unique(place["pupil"])
    place["pupil"] = np.searchsorted(used, place["pupil"])
    made = pd.concat(classes, ignore_index=True)
    tables = _tables(rng, school, made, place, entered[used])
    return People(tables=tables, place=place)


def _placed(rng, who, entry, own, school, level, first_class):
    """Each pupil's school and class for one stage; a class keeps its pupils while they are at that stage."""
    weight = school["size_weight"].to_numpy()[own]
    at = rng.choice(own, len(who), p=weight / weight.sum())
    key = (entry.astype(np.int64) * 10_000 + at) * 1.0
    group, members = np.unique(key, return_inverse=True)
    order = np.argsort(members, kind="stable")
    counts = np.bincount(members)
    n_classes = np.maximum(1, np.round(counts / CLASS_SIZE).astype(int))
    seat = np.empty(len(who), int)
    seat[order] = np.arange(len(who)) - np.repeat(np.r_[0, np.cumsum(counts)[:-1]], counts)
    offset = np.r_[0, np.cumsum(n_classes)[:-1]]
    code = first_class + offset[members] + seat % n_classes[members]
    made = pd.DataFrame({
        "school": np.repeat((group % 10_000).astype(int), n_classes), "level": level,
        "entered": np.repeat((group // 10_000).astype(int), n_classes),
    })  # fmt: skip
    return pd.DataFrame({"pupil": who, "school": at, "class": code, "entry": entry}), made


def _in_year(part: pd.DataFrame, year: int, level: str, length: int) -> pd.DataFrame:
    stay = year - part["entry"]
    here = part[(stay >= 0) & (stay < length)]
    grade = (FIRST_GRADE[level] + year - here["entry"]).astype("int8")
    return here.drop(columns="entry").assign(year=year, grade=grade)


def _tables(rng, school, made, place, entered) -> dict[str, pd.DataFrame]:
    n = len(entered)
    pupil_pid, class_pid = names("P", n), names("C", len(made))
    household = _households(rng, n)
    years = place.groupby("pupil")["year"].agg(["min", "max"])
    pupil = pd.DataFrame({
        "pupil_pid": pupil_pid, "sex": rng.integers(0, 2, n).astype("int8"),
        "birth_ym": ((entered - 7) * 100 + rng.integers(1, 13, n)).astype("int32"),
        "hukou": (rng.random(n) < 0.7).astype("int8"), "boarding": rng.random(n) < 0.22,
        "single_parent": rng.random(n) < 0.11, "left_behind": rng.random(n) < 0.08,
        "household_pid": names("H", household.max() + 1)[household],
        "entry_year": years["min"].to_numpy().astype("int16"), "exit_year": years["max"].to_numpy().astype("int16"),
    })  # fmt: skip
    sizes = place.groupby(["class", "year", "grade"]).size().rename("size").reset_index()
    classes = pd.DataFrame({
        "class_pid": class_pid[sizes["class"]], "year": sizes["year"].astype("int16"),
        "school_pid": school["school_pid"].to_numpy()[made["school"].to_numpy()[sizes["class"]]],
        "grade": sizes["grade"].astype("int8"), "size": sizes["size"].astype("int16"),
    })  # fmt: skip
    areas = school.groupby("area_code")["urban"].first().reset_index()
    n_children = np.bincount(household)
    return {
        "area": areas, "school": school, "class": classes, "pupil": pupil,
        "household": pd.DataFrame({"household_pid": names("H", len(n_children)), "n_children": n_children.astype("int8")}),
    }  # fmt: skip


def _households(rng: np.random.Generator, n: int) -> np.ndarray:
    """Household of each pupil: a new one unless the pupil has a sibling before him."""
    new = rng.random(n) < 0.88
    new[0] = True
    household = np.cumsum(new) - 1
    return household[rng.permutation(n)]

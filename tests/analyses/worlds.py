"""Worlds made apart from the methods: plain draws and no code of mhlib, so that an error shared with it cannot hide.

Each world is written as a wide file and a parameter file, as a bureau would hand them in. `true` in the name of an argument
is the effect in points on every pupil served; below 0 is better.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

PLAN = {
    "evaluation": "intervention_outcomes", "source": "world.csv", "as_of": "2026-01-01", "seed": 7, "planned_on": "2025-01-01",
    "columns": {"pupil_pid": "pupil", "school_pid": "school", "arm": "arm"}, "design": "school_rct", "allocated": "school_pid",
    "arms": ["control", "programme"], "occasions": {"pre": "before", "post": "after"}, "baseline": "pre", "primary": "post",
    "outcome": "distress", "better": "lower", "levels": ["school_pid"], "n_boot": 100, "n_imputations": 10,
}  # fmt: skip


def written(folder: Path, frame: pd.DataFrame, **changes: object) -> Path:
    """`world.csv` and `world.yml` in a folder; returns the parameter file."""
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "world.csv", index=False)
    (folder / "world.yml").write_text(yaml.safe_dump(PLAN | changes), "utf-8")
    return folder / "world.yml"


def schools_by_lot(
    rng: np.random.Generator, schools: int, pupils: int, true: float, spread: float = 1.0
) -> pd.DataFrame:
    """Half of the schools by lot; a score before and after with the same school in both."""
    served = rng.permutation(np.arange(schools) % 2)
    school = np.repeat(np.arange(schools), pupils)
    level = rng.normal(0, spread, schools)[school]
    before = 20 + level + rng.normal(0, 5, len(school))
    after = 8 + 0.6 * before + 0.4 * level + true * served[school] + rng.normal(0, 4, len(school))
    return pd.DataFrame({
        "pupil": np.arange(len(school)), "school": school, "arm": np.where(served[school] == 1, "programme", "control"),
        "before": before.round(1), "after": after.round(1),
    })  # fmt: skip


def null_city(folder: Path, schools: int, seed: int, true: float = 0.0) -> Path:
    """(d) No effect anywhere unless one is asked for, and nobody lost."""
    return written(folder, schools_by_lot(np.random.default_rng([1, schools, seed]), schools, 20, true))


def losses(folder: Path, kind: str, true: float = 0.0, seed: int = 3, **changes: object) -> Path:
    """(a) The worst of the programme arm stay away, `more` than of controls or as many (`alike`); or those drawn by lot."""
    rng = np.random.default_rng([2, seed])
    frame = schools_by_lot(rng, 40, 60, true)
    served = (frame["arm"] == "programme").to_numpy()
    # Whoever is worse off afterwards is likelier to be away; only `after` decides, and nobody sees it.
    rank = frame.groupby("arm")["after"].rank(pct=True).to_numpy()
    u = rng.random(len(frame))
    away = {
        "more": np.where(served, u < 0.6 * (rank > 0.6) + 0.02, u < 0.03),
        "alike": np.where(served, u < 0.6 * (rank > 0.75), u < 0.15),
        "by_lot": u < 0.08,
        "more_by_lot": u < np.where(served, 0.19, 0.11),
    }[kind]
    return written(folder, frame.assign(after=frame["after"].where(~away)), **changes)


def screened_positives(folder: Path, *, control: bool, true: float = 0.0, seed: int = 5) -> Path:
    """(b) Skewed whole numbers that fall by two points when asked again; those from 12 on are served, or half of their schools."""
    rng = np.random.default_rng([3, seed])
    schools, pupils = 40, 150
    school = np.repeat(np.arange(schools), pupils)
    lasting = rng.gamma(1.2, 4.0, len(school)) * np.exp(rng.normal(0, 0.05, schools))[school]
    before = np.minimum(rng.poisson(lasting + 1.5), 27)
    positive = before >= 12
    served = positive & ((rng.permutation(np.arange(schools) % 2)[school] == 1) | (not control))
    again = np.maximum(lasting - 0.5 + true * served, 0.05)
    after = np.minimum(rng.poisson(again), 27)
    frame = pd.DataFrame({"pupil": np.arange(len(school)), "school": school, "arm": np.where(served, "programme", "control"),
                          "before": before, "after": after})[positive]  # fmt: skip
    design = {"design": "school_rct"} if control else {"design": "before_after", "arms": ["programme"]}
    return written(folder, frame, **design, screened=True, case_cutoff=12.0, reliability=0.75,
                   reference_sd=round(float(before.std()), 1), outcome_low=0.0,
                   outcome_high=27.0)  # fmt: skip


def spill_over(folder: Path, *, by_class: bool, seed: int = 9) -> Path:
    """(c) Large schools gain most, and half of a class's gain reaches the other classes of its school."""
    rng = np.random.default_rng([4, seed])
    rows = []
    for school in range(30):
        size = int(rng.choice([15, 25, 45]))
        gain = -0.09 * size
        level = rng.normal(0, 0.8)
        lot = rng.permutation([0, 0, 1, 1]) if by_class else np.full(4, school % 2)
        for number, served in enumerate(lot):
            before = 20 + level + rng.normal(0, 0.8) + rng.normal(0, 5, size)
            reached = served + (1 - served) * 0.5 * lot.mean()
            after = 8 + 0.6 * before + gain * reached + rng.normal(0, 0.5) + rng.normal(0, 4, size)
            rows.append(pd.DataFrame({"school": school, "class": f"{school}-{number}", "arm": "programme" if served else "control",
                                      "before": before.round(1), "after": after.round(1)}))  # fmt: skip
    frame = pd.concat(rows, ignore_index=True).rename_axis("pupil").reset_index()
    columns = PLAN["columns"] | {"class_pid": "class"}
    lots = {"design": "class_rct", "allocated": "class_pid", "stratum": "school_pid"} if by_class else {}
    return written(folder, frame, columns=columns, levels=["school_pid", "class_pid"], **lots)


def cases_in_few_schools(folder: Path, seed: int, true: float = 0.0) -> Path:
    """(e) A case or none, in ten schools of sixty whose own chances differ: a logit of pupils takes schools for pupils."""
    rng = np.random.default_rng([5, seed])
    schools, pupils = 10, 60
    served = rng.permutation(np.arange(schools) % 2)
    school = np.repeat(np.arange(schools), pupils)
    logit = (-0.4 + rng.normal(0, 0.9, schools) + true * served)[school]
    case = (rng.random(len(school)) < 1 / (1 + np.exp(-logit))).astype(int)
    frame = pd.DataFrame({"pupil": np.arange(len(school)), "school": school,
                          "arm": np.where(served[school] == 1, "programme", "control"), "case": case})  # fmt: skip
    return written(
        folder, frame, occasions={"post": "case"}, baseline="", outcome="case", outcome_low=0.0, outcome_high=1.0
    )


def naive_logit_z(frame: pd.DataFrame) -> float:
    """z of the log odds ratio over pupils as if each were drawn alone: Wald, from the four counts."""
    counts = pd.crosstab(frame["arm"], frame["case"]).to_numpy().astype(float)
    (a, b), (c, d) = counts
    return float(np.log(a * d / (b * c)) / np.sqrt((1 / counts).sum()))

"""Everything the city is told to be: planted truths, sizes and assumptions, each with its source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

NOTICE = "模拟数据，不代表任何真实地区 (simulated, stands for no real place)"
CUTOFF = 10
WAVES = 6
LEVELS = ("P", "J", "S", "V")
FIRST_GRADE = {"P": 1, "J": 7, "S": 10, "V": 10}


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Planted accuracy of the screen (PHQ-9 at 10 or above) in one school level; the specificity follows."""

    prevalence: float
    sensitivity: float
    positive_rate: float

    @property
    def specificity(self) -> float:
        """``1 - (positive_rate - prevalence * sensitivity) / (1 - prevalence)``."""
        return 1 - (self.positive_rate - self.prevalence * self.sensitivity) / (1 - self.prevalence)


ACCURACY = {
    "P": Accuracy(0.050, 0.88, 0.146),
    "J": Accuracy(0.089, 0.90, 0.240),
    "S": Accuracy(0.120, 0.92, 0.280),
    "V": Accuracy(0.120, 0.90, 0.281),
}

ICC_SCHOOL, ICC_CLASS, STABILITY = 0.016, 0.045, 0.60
SEX_SHIFT = 0.20
CARELESS, MISSING_ITEM, ABSENT = 0.06, 0.01, 0.04
VERIFIED_POSITIVE = 0.85
NEGATIVE_BANDS = {(0, 4): 250, (5, 9): 450}
EFFECTS = {"school_rct": -0.21, "wait_list": -0.36, "above_cutoff": -0.29, "staggered": -0.12}
TRAINING = {"post": 1.08, "three_months": 0.73}
KNOWLEDGE_ICC = 0.08

_SOURCES = {
    "P": "Huang 2022, Xu 2020 (positives 14.6 %)",
    "J": "Tang 2019, Zhang 2022 (24 %); prevalence Pei 2023 (8.9 %)",
    "S": "Yu 2022 (28.0 %); Pei 2023",
    "V": "Feng 2025 (28.1 %)",
}


def planted_accuracy() -> pd.DataFrame:
    """All four figures of each level."""
    rows = [
        {
            "level": level,
            "prevalence": planted.prevalence,
            "sensitivity": planted.sensitivity,
            "specificity": planted.specificity,
            "positive_rate": planted.positive_rate,
            "ppv": planted.prevalence * planted.sensitivity / planted.positive_rate,
        }
        for level, planted in ACCURACY.items()
    ]
    return pd.DataFrame(rows)


def ppv_scenarios() -> pd.DataFrame:
    """Predictive value at published prevalences, apart from the city: sensitivity .90, specificity .75."""
    prevalence = np.array([0.02, 0.089])
    true = prevalence * 0.90
    return pd.DataFrame({
        "scenario": ["national survey", "Shaoxing survey"], "prevalence": prevalence, "sensitivity": 0.90,
        "specificity": 0.75, "ppv": true / (true + (1 - prevalence) * 0.25),
    })  # fmt: skip


def assumptions() -> pd.DataFrame:
    """Every number that the generator was given, with its source, and whether it is only assumed."""
    rows = []
    for level, planted in ACCURACY.items():
        rows.append((f"positive rate, level {level}", planted.positive_rate, "proportion", _SOURCES[level], False))
        rows.append((f"prevalence, level {level}", planted.prevalence, "proportion", "Pei 2023 scaled by level", True))
        rows.append((f"sensitivity, level {level}", planted.sensitivity, "proportion",
                     "PHQ-2-C validation .88-.94", True))  # fmt: skip
    rows += [
        ("ICC of schools", ICC_SCHOOL, "proportion", "MYRIAD 2021", False),
        ("ICC of classes", ICC_CLASS, "proportion", "Parker 2023, 2025 (.063), less the school's share", True),
        ("stability of distress between waves", STABILITY, "correlation", "assumed", True),
        ("girls above boys", SEX_SHIFT, "SD", "direction Feng 2025, size assumed", True),
        ("careless answers", CARELESS, "proportion", "Meade & Craig 2012 (.10-.12), lower half", True),
        ("absent in a wave", ABSENT, "proportion", "assumed", True),
        ("items left out", MISSING_ITEM, "proportion", "assumed", True),
        ("screen-positives interviewed", VERIFIED_POSITIVE, "proportion", "assumed", True),
        ("screen-negatives interviewed", float(sum(NEGATIVE_BANDS.values())), "pupils a wave", "assumed", True),
        ("days to an individual plan, median", 4.0, "days", "assumed", True),
        ("days to referral, median", 9.0, "days", "assumed", True),
        ("days to hospital feedback, median", 25.0, "days", "assumed", True),
        ("lost on the way", 0.15, "proportion", "assumed", True),
        ("training gain in knowledge, post", TRAINING["post"], "SD", "Liang 2026", False),
        ("training gain after three months", TRAINING["three_months"], "SD", "Liang 2026", False),
        ("schools by level P/J/S", 0.57, "proportion P", "assumed; .57/.30/.13", True),
        ("pupils", 130_000.0, "pupils", "the city's reply of 2023", False),
        ("schools", 129.0, "schools", "the city's reply of 2023", False),
    ]
    rows += [(f"effect of design {name}", size, "SD", "Werner-Seidler 2021; Eckshtain 2020", True)
             for name, size in EFFECTS.items()]  # fmt: skip
    return pd.DataFrame(rows, columns=["parameter", "value", "unit", "source", "is_assumption"])


def rng_of(seed: int, table: str) -> np.random.Generator:
    """A generator of a table's own, so that changing one table moves no other."""
    return np.random.default_rng([seed, *table.encode()])

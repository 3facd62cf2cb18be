"""The table `assumption`: every number the generator was given, its source, and whether it is only assumed."""

from __future__ import annotations

import pandas as pd

from mhlib.data.synthetic import planted

_POSITIVE = {
    "P": "Huang 2022, Xu 2020 (positives 14.6 %)",
    "J": "Tang 2019, Zhang 2022 (24 %)",
    "S": "Yu 2022 (28.0 %)",
    "V": "Feng 2025 (28.1 %)",
}
_PREVALENCE = {
    "P": "below Pei 2023 (12-18 years), size assumed",
    "J": "Pei 2023 (MDD 8.9 %)",
    "S": "above Pei 2023, which rises with age; size assumed",
    "V": "as S",
}
_PROGRAMME = {
    "school_rct": "Werner-Seidler 2021 (g .21)",
    "wait_list": "Eckshtain 2020 (g .36)",
    "above_cutoff": "counselling against usual care (g .29)",
    "staggered": "Shelemy 2020, taught by teachers (g .12)",
}

Row = tuple[str, float, str, str, bool]


def assumptions() -> pd.DataFrame:
    """One row a number: parameter, value, unit, source, is_assumption."""
    rows = _accuracy() + _answers() + _verification() + _service() + _effects() + _sizes()
    return pd.DataFrame(rows, columns=["parameter", "value", "unit", "source", "is_assumption"])


def _accuracy() -> list[Row]:
    rows: list[Row] = []
    for level, given in planted.ACCURACY.items():
        rows += [
            (f"positive rate, level {level}", given.positive_rate, "proportion", _POSITIVE[level], False),
            (f"prevalence, level {level}", given.prevalence, "proportion", _PREVALENCE[level], level != "J"),
            (f"sensitivity, level {level}", given.sensitivity, "proportion", "PHQ-2-C validation (.88-.94)", True),
            (f"specificity, level {level}", given.specificity, "proportion", "follows from the other three", True),
        ]
    return rows


def _answers() -> list[Row]:
    rows: list[Row] = [
        ("ICC of schools", planted.ICC_SCHOOL, "proportion", "MYRIAD 2021", False),
        ("ICC of classes", planted.ICC_CLASS, "proportion", "Parker 2023, 2025 (.063), less the school's share", True),
        ("stability of distress between waves", planted.STABILITY, "correlation", "assumed", True),
        ("stability of being a case between waves", planted.CASE_STABILITY, "tetrachoric correlation", "assumed", True),
        ("share of group differences that are differences in cases", planted.SHARED_LIABILITY, "proportion", "assumed",
         True),
        ("girls above boys", planted.SEX_SHIFT, "SD", "direction Feng 2025, size assumed", True),
        ("careless answers", planted.CARELESS, "proportion", "Meade & Craig 2012 (.10-.12), lower half", True),
        ("items left out", planted.MISSING_ITEM, "proportion", "assumed", True),
        ("cut-off of PHQ-9", float(planted.CUTOFF), "points", "Kroenke, Spitzer & Williams 2001", False),
    ]  # fmt: skip
    rows += [(f"rise of distress a grade, level {level}", shift, "SD", "direction Tang 2019, size assumed", True)
             for level, shift in planted.GRADE_SHIFT.items()]  # fmt: skip
    rows += [(f"absent in a wave, level {level}", share, "proportion", "assumed", True)
             for level, share in planted.ABSENT.items()]  # fmt: skip
    return rows


def _verification() -> list[Row]:
    rows: list[Row] = [
        ("screen-positives interviewed", planted.VERIFIED_POSITIVE, "proportion", "assumed", True),
        ("interview agrees with the truth", 1.0, "proportion", "assumed; see pack fallible_interview", True),
    ]
    rows += [(f"screen-negatives interviewed, PHQ-9 {low}-{high}", float(n), "pupils a wave and 130,000", "assumed", True)
             for (low, high), n in planted.NEGATIVE_BANDS.items()]  # fmt: skip
    return rows


def _service() -> list[Row]:
    rows: list[Row] = [
        (f"days to {step}, median", days, "days", "assumed", True) for step, days in planted.WAITS.items()
    ]
    rows += [
        ("lost on the way", planted.LOST, "proportion", "assumed", True),
        ("pupils a heart grid", 15.0, "pupils", "the city's reply of 2023", False),
        ("mentor contacts a pupil, last school year", 8.0, "contacts", "assumed; only the last year is written", True),
    ]
    rows += [(f"teacher names a pupil: {who.replace('_', ', ')}", chance, "proportion", "assumed", True)
             for who, chance in planted.NOMINATION.items()]  # fmt: skip
    return rows


def _effects() -> list[Row]:
    rows: list[Row] = [(f"effect of design {name}", size, "SD", _PROGRAMME[name], False)
                       for name, size in planted.EFFECTS.items()]  # fmt: skip
    rows += [
        ("effect kept at follow-up", planted.KEPT_AT_FOLLOW_UP, "proportion", "assumed", True),
        ("effect of parent courses on the relation", planted.FAMILY_EFFECT, "SD", "Chen & Chan, lowered", True),
        ("knowledge, share between schools", planted.KNOWLEDGE_ICC, "proportion", "assumed", True),
    ]
    for outcome, gains in planted.TRAINING_EFFECTS.items():
        assumed = outcome in ("stigma", "help_seeking")
        rows += [(f"training gain in {outcome}, {when}", gain, "SD", "Liang 2026", assumed and when != "post")
                 for when, gain in gains.items()]  # fmt: skip
    return rows


def _sizes() -> list[Row]:
    return [
        ("schools by level P/J/S", 0.57, "proportion P", "assumed; .57/.30/.13", True),
        ("spread of school size", 0.6, "SD of log", "assumed", True),
        ("pupils", 130_000.0, "pupils", "the city's reply of 2023", False),
        ("schools", 129.0, "schools", "the city's reply of 2023", False),
        ("certificates C", 15_000.0, "teachers", "the city's reply of 2023", False),
        ("certificates B", 400.0, "teachers", "the city's reply of 2023", False),
    ]

"""Everything the city is told to be: planted truths and sizes. What of it is only assumed stands in `assumptions`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

NOTICE = "模拟数据，不代表任何真实地区 (simulated, stands for no real place)"
CUTOFF = 10
WAVES = 6
LEVELS = ("P", "J", "S", "V")
FIRST_GRADE = {"P": 1, "J": 7, "S": 10, "V": 10}
GRADES = {"P": 6, "J": 3, "S": 3, "V": 3}


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

    @property
    def ppv(self) -> float:
        """``prevalence * sensitivity / positive_rate``."""
        return self.prevalence * self.sensitivity / self.positive_rate


ACCURACY = {
    "P": Accuracy(0.050, 0.88, 0.146),
    "J": Accuracy(0.089, 0.90, 0.240),
    "S": Accuracy(0.120, 0.92, 0.280),
    "V": Accuracy(0.120, 0.90, 0.281),
}

# Shares of the variance of latent distress within a level, given grade and sex.
ICC_SCHOOL, ICC_CLASS = 0.016, 0.045
# Correlation between two waves of a pupil's own part of distress, and of the liability to be a case.
STABILITY, CASE_STABILITY = 0.60, 0.75
# How much of a school's, a class's, a grade's or a sex's shift in distress also shifts the liability to be a case.
SHARED_LIABILITY = 0.7
SEX_SHIFT = 0.20
GRADE_SHIFT = {"P": 0.05, "J": 0.10, "S": 0.14, "V": 0.08}
CARELESS, MISSING_ITEM = 0.06, 0.01
ABSENT = {"P": 0.03, "J": 0.04, "S": 0.05, "V": 0.07}
VERIFIED_POSITIVE = 0.85
NEGATIVE_BANDS = {(0, 4): 250, (5, 9): 450}
EFFECTS = {"school_rct": -0.21, "wait_list": -0.36, "above_cutoff": -0.29, "staggered": -0.12}
# Share of its effect that a design keeps at follow-up, and of the staggered effect after one, two, three terms.
KEPT_AT_FOLLOW_UP = 0.7
EXPOSURE = (0.5, 1.0, 1.0)
SCORE_MEAN, SCORE_SD = 22.0, 7.0
TRAINING = {"post": 1.08, "three_months": 0.73}
TRAINING_EFFECTS = {
    "knowledge": {"post": 1.08, "three_months": 0.73},
    "stigma": {"post": -0.33, "three_months": -0.10},
    "helping": {"post": 0.48, "three_months": 0.52},
    "help_seeking": {"post": 0.0, "three_months": 0.0},
}
KNOWLEDGE_ICC = 0.08


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier of the training cascade: its share of the trained, and their gain in knowledge in SD right after."""

    share: float
    gain: float


# Each tier teaches the next and loses something; the mean over all trained is the planted gain after training.
CASCADE = {"city": Tier(0.02, 1.60), "town": Tier(0.08, 1.40), "school": Tier(0.25, 1.22), "class": Tier(0.65, 0.97)}
# Distance between cases and others in SD of the evidence (d'), and the criterion, in judging vignettes.
VIGNETTES = {"untrained": 1.0, "trained": 1.5, "criterion": 0.25}
# Two raters: agreement of their scores, and the chance that a critical error is noted when it is there and when not.
ROLE_PLAY = {"icc": 0.85, "error_seen": 0.90, "error_imagined": 0.03}
# Chance that a teacher names a case, and a pupil who is none, before and after the school's training.
NOMINATION = {"case_before": 0.25, "case_after": 0.40, "other_before": 0.030, "other_after": 0.030}
FAMILY_EFFECT = 0.20
# Median days and the chance of each step of a case: counted from the opening (plan, referred) or the step before.
WAITS = {"assessed": 2.0, "plan": 4.0, "referred": 9.0, "hospital": 7.0, "feedback": 25.0, "returned": 14.0,
         "closed": 40.0}  # fmt: skip
LOST = 0.15


def mean_cascade_gain() -> float:
    """Gain in knowledge over all trained, whatever their tier."""
    return sum(tier.share * tier.gain for tier in CASCADE.values())


def planted_accuracy() -> pd.DataFrame:
    """All four figures of each level, and the predictive value that follows."""
    rows = [
        {
            "level": level,
            "prevalence": planted.prevalence,
            "sensitivity": planted.sensitivity,
            "specificity": planted.specificity,
            "positive_rate": planted.positive_rate,
            "ppv": planted.ppv,
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


def rng_of(seed: int, table: str) -> np.random.Generator:
    """A generator of a table's own, so that changing one table moves no other."""
    return np.random.default_rng([seed, *table.encode()])

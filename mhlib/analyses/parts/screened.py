"""One screening wave, scored, with whatever interviews there were."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.data.scales import Scale
from mhlib.data.screening import ScreeningData
from mhlib.stats.accuracy import VerificationCounts, verification_counts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Companions:
    """What stands beside the wave, each None where it was not asked for.

    Attributes
    ----------
    scores, references : DataFrame, index pupil_pid
        Other scales (towards distress) and other reference standards.
    second : DataFrame, index pupil_pid
        `score` (and `answered_on`) of the same scale in another wave.
    earlier : Screened
        The wave that fixes the risk of each score.
    """

    scores: pd.DataFrame | None = None
    references: pd.DataFrame | None = None
    second: pd.DataFrame | None = None
    earlier: Screened | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Screened:
    """Everyone screened.

    Attributes
    ----------
    people : DataFrame, one row a pupil
        pupil_pid, score (points, missing when unscored), positive, reference and verified (nullable booleans) and
        whatever columns the source offers (school_pid, level, sex, probability …).
    items : DataFrame or None
        Keyed answers in points, NaN where missing; columns item_1 … item_k.
    scale : Scale or None
        The codebook.
    screening : ScreeningData
        What the source said about the wave.
    companions : Companions
        What stands beside the wave.
    """

    people: pd.DataFrame
    items: pd.DataFrame | None
    scale: Scale | None
    screening: ScreeningData
    companions: Companions = field(default_factory=Companions)

    @property
    def provenance(self) -> object:
        """Where the rows came from."""
        return self.screening.provenance

    @property
    def answers(self) -> pd.DataFrame:
        """Answers as the pupils ticked them, whether or not an item is worded in reverse."""
        frame = self.screening.frame.filter(regex=r"^item_\d+$")
        return frame.apply(lambda column: pd.to_numeric(column).astype("Float64")).astype(float)

    @property
    def interview_weights(self) -> pd.Series | None:
        """One over the chance of the interview, for the interviewed; None where the source does not state chances."""
        seen = self.interviewed
        chance = seen.get("verification_probability")
        if chance is None or chance.isna().any() or (chance <= 0).any():
            return None
        return 1 / chance.astype(float)

    @property
    def scored(self) -> pd.DataFrame:
        """Those with a score: an unscored pupil is neither positive nor negative."""
        return self.people[self.people["score"].notna()]

    @property
    def whole_points(self) -> pd.Series:
        """Scores in whole points: a prorated score below the next point is below that cut-off."""
        return np.floor(self.scored["score"].astype(float))

    @property
    def interviewed(self) -> pd.DataFrame:
        """Those with a score and a reference."""
        scored = self.scored
        return scored[scored["verified"].fillna(False).astype(bool)]

    @property
    def counts(self) -> VerificationCounts:
        """The two-by-two table with its two unverified cells."""
        scored = self.scored
        return verification_counts(
            scored["positive"].fillna(False).astype(bool),
            scored["reference"],
            verified=scored["verified"].fillna(False).astype(bool),
        )

"""The comparison that the design allows: one of several sections holds the effect, the others are silent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mhlib.analyses.parts import (
    outcome_cutoff,
    outcome_matched,
    outcome_primary,
    outcome_rollout,
    outcome_series,
    outcome_wedge,
)
from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.trial import Trial
from mhlib.findings import Check, Refused

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Arms, cut-off, roll-out, wedge, series and weights; each refuses with code `other_design` what is not its own."""

    primary: outcome_primary.PrimarySection
    cutoff: outcome_cutoff.CutoffSection
    rollout: outcome_rollout.RolloutSection
    wedge: outcome_wedge.WedgeSection
    series: outcome_series.SeriesSection
    matched: outcome_matched.MatchedSection

    def sections(self) -> Iterator[object]:
        """All six, the arms first."""
        yield from (self.primary, self.cutoff, self.rollout, self.wedge, self.series, self.matched)

    @property
    def own(self) -> object:
        """The section of the study's own design."""
        return next(part for part in self.sections() if not of_other_design(part.effect))

    @property
    def effect(self) -> Effect | Refused:
        """What the plan asks for, or why it cannot be given."""
        return self.own.effect

    @property
    def checks(self) -> list[Check]:
        """What must hold for this design beside the checks of the data."""
        return self.own.checks

    @property
    def threatened(self) -> bool:
        """Whether a risk of bias of this design shows in the data."""
        return any(light.state == "bad" for light in getattr(self.own, "domains", []))

    @property
    def variants(self) -> Drawn | Refused:
        """Every other way in which the effect could have been computed in this design."""
        names = ("multiverse", "ladder", "estimators", "variants", "sensitivity")
        return next(getattr(self.own, name) for name in names if hasattr(self.own, name))


def compared(trial: Trial, params: Params) -> Comparison:
    """Every section of a design; only one of them does any work."""
    return Comparison(
        primary=outcome_primary.section(trial, params), cutoff=outcome_cutoff.section(trial, params),
        rollout=outcome_rollout.section(trial, params), wedge=outcome_wedge.section(trial, params),
        series=outcome_series.section(trial, params), matched=outcome_matched.section(trial, params),
    )  # fmt: skip


def of_other_design(found: object) -> bool:
    """Whether a section has left the question to another one."""
    return isinstance(found, Refused) and found.code == "other_design"

"""Where the cut-off could stand: every criterion on one figure, what each would bring, and how firmly each is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.findings import Refused, message
from mhlib.stats.accuracy import CutoffStudioResult, cutoff_studio

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutoffSection:
    """The studio for the figure, its choices and every cut-off as tables."""

    studio: Studio | Refused
    choices: Drawn | Refused
    every: Drawn | Refused


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Studio:
    """The studio with the cut-off in force and the capacity, for its figure."""

    found: CutoffStudioResult
    in_force: int | None
    capacity: int | None

    def to_frame(self) -> pd.DataFrame:
        """The chosen cut-offs."""
        return self.found.to_frame()


def section(data: Screened, params: Params, *, accurate: bool) -> CutoffSection:
    """The studio; without trustworthy accuracy only the capacity speaks.

    Parameters
    ----------
    accurate : bool
        Whether accuracy may be given at all (naive or corrected).
    """
    if len(data.scored) == 0:
        refused = without_choice()
        return CutoffSection(studio=refused, choices=refused, every=refused)
    reference, weights = _verified(data) if accurate else (None, None)
    criteria = {"capacity": params.capacity}
    if reference is not None:
        criteria |= {"cost_ratio": params.cost_ratio, "target_sensitivity": params.target_sensitivity,
                     "target_specificity": params.target_specificity}  # fmt: skip
    elif params.capacity is None:
        refused = without_choice()
        return CutoffSection(studio=refused, choices=refused, every=refused)
    drawn = {"n_boot": params.n_boot, "seed": params.seed} if reference is not None else {}
    cluster = data.scored[params.cluster] if params.cluster and reference is not None else None
    found = tried(cutoff_studio, data.whole_points, reference, direction=params.direction, weights=weights, cluster=cluster,
                  conf_level=params.conf_level, **criteria, **drawn)  # fmt: skip
    if isinstance(found, Refused):
        return CutoffSection(studio=found, choices=found, every=found)
    studio = Studio(found=found, in_force=params.cutoff, capacity=params.capacity)
    return CutoffSection(studio=studio, choices=_choices(found), every=_every(found))


def without_choice() -> Refused:
    """Neither accuracy nor a capacity: nothing to choose by."""
    return Refused(
        "no_capacity",
        message(
            "Neither the accuracy nor the interviews that can be held are known, so no cut-off can be weighed against another."
        ),
        message("The number of diagnostic interviews that can be held in a term, as parameter capacity."),
    )


def _verified(data: Screened) -> tuple[pd.Series | None, pd.Series | None]:
    """Reference of everyone (missing where not interviewed), and weights of the interviewed."""
    scored = data.scored
    if data.counts.n_verified == data.counts.n:
        return scored["reference"], None
    weights = data.interview_weights
    if weights is None:
        share = scored["reference"].notna().groupby(scored["positive"].astype(bool)).transform("mean")
        weights = (1 / share)[scored["reference"].notna()]
    return scored["reference"], weights.reindex(scored.index)


SHOWN = ("referrals", "referral_share", "sensitivity", "specificity", "ppv", "missed_cases", "false_alarms")


def _choices(found: CutoffStudioResult) -> Drawn:
    """One row a criterion, with what optimism takes away and how often the resamples choose the same cut-off."""
    frame = found.to_frame().rename(columns={"estimate": "cutoff"})
    frame = frame.assign(term="choose_" + frame["term"], n_used=found.n_used)
    if found.n_boot == 0:
        frame = frame.drop(
            columns=[name for name in ("cutoff_low", "cutoff_high", "youden_632", "share") if name in frame]
        )
    names = ["term", "cutoff", "cutoff_low", "cutoff_high", *SHOWN, "youden", "youden_632", "share_chosen", "n_used"]
    frame = frame.rename(columns={"share": "share_chosen"})
    return Drawn(table=frame[[name for name in names if name in frame]].dropna(axis=1, how="all"))


def _every(found: CutoffStudioResult) -> Drawn:
    table = found.table.assign(n_used=found.n_used)
    names = ["cutoff", *SHOWN, "npv", "youden", "n_used"]
    return Drawn(table=table[[name for name in names if name in table]].dropna(axis=1, how="all"))

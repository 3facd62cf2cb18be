"""How many screen-negatives the next wave should interview, how to spread them, and whom to invite."""

from __future__ import annotations

import pandas as pd

from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.sections import refused_design
from mhlib.errors import DesignError
from mhlib.findings import Refused
from mhlib.stats.accuracy import (
    VerificationCorrected,
    VerificationPlan,
    allocate_verification,
    draw_verification_sample,
    verification_plan,
)

# Where a wave has no verified person of a kind the plan supposes these shares, and the report says so: a predictive
# value within the range of Chinese validation studies (.16-.29), and one missed case in a hundred screen-negatives.
SUPPOSED_PPV, SUPPOSED_MISS_RATE = 0.20, 0.01
SIZES = (200, 500, 1000, 2000, 5000)


def interview_plan(
    data: Screened, corrected: VerificationCorrected | Refused, *, interviews: int, conf_level: float
) -> VerificationPlan | Refused:
    """The sensitivity interval to expect for different numbers of interviewed screen-negatives."""
    counts = data.counts
    if not counts.n_positive or not counts.n_negative:
        return refused_design(DesignError("plan", "all pupils lie on one side of the cut-off"))
    verified = counts.tp + counts.fp
    sizes = sorted({size for size in (*SIZES, interviews) if size <= counts.n_negative}) or [counts.n_negative]
    return verification_plan(
        counts.n_positive, counts.n_negative, ppv=counts.tp / verified if 0 < counts.tp < verified else SUPPOSED_PPV,
        miss_rate=SUPPOSED_MISS_RATE if isinstance(corrected, Refused) else max(1 - corrected.npv, 1e-6),
        n_positive_verified=verified or counts.n_positive, n_negative_verified=sizes, conf_level=conf_level,
    )  # fmt: skip


def strata(data: Screened, *, cutoff: int, direction: str, interviews: int) -> pd.DataFrame | Refused:
    """How the interviews of screen-negatives are spread over bands of the score, and with which chances."""
    scored = data.scored
    if scored["positive"].astype(bool).all():
        return refused_design(DesignError("strata", "nobody is screen-negative"))
    towards, edge = _towards_distress(scored["score"], cutoff, direction)
    lowest = float(towards.min())
    bands = sorted({inner for part in (4, 2) if (inner := edge - max(1, abs(cutoff) // part)) > lowest})
    spread = allocate_verification(towards, cutoff=edge, n=interviews, bands=bands)
    return spread.assign(band=[_band(row, lowest, direction) for row in spread.itertuples()])


def invitations(data: Screened, *, cutoff: int, direction: str, interviews: int, seed: int) -> pd.DataFrame | Refused:
    """The pupils to invite, drawn by chance within the strata: for the bureau only, never for the page."""
    plan = strata(data, cutoff=cutoff, direction=direction, interviews=interviews)
    if isinstance(plan, Refused):
        return plan
    scored = data.scored
    towards, _ = _towards_distress(scored["score"], cutoff, direction)
    band = pd.Series(pd.NA, index=scored.index, dtype="string")
    for row in plan.itertuples():
        inside = (towards >= row.low) & (towards < row.high)
        band[inside.to_numpy(dtype=bool)] = row.band
    sizes = dict(zip(plan["band"], plan["n_sample"], strict=True))
    drawn = draw_verification_sample(band, sizes, seed=seed)
    return drawn.assign(pupil_pid=scored["pupil_pid"].to_numpy()[drawn["position"]])


def _towards_distress(scores: pd.Series, cutoff: int, direction: str) -> tuple[pd.Series, int]:
    return (scores, cutoff) if direction == ">=" else (-scores, -cutoff)


def _band(row: object, lowest: float, direction: str) -> str:
    """The band's scores as a reader meets them, whole points."""
    first, last = int(max(row.low, lowest)), int(row.high) - 1
    ends = (first, last) if direction == ">=" else (-last, -first)
    return f"{ends[0]}–{ends[1]}" if ends[0] != ends[1] else str(ends[0])

"""Does the jump at a cut-off stand when bandwidth, neighbours, place and outcome are varied?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.findings import Refused
from mhlib.stats.effects.discontinuity_bandwidth import candidate_bandwidths
from mhlib.stats.effects.discontinuity_cells import ScoreCells
from mhlib.stats.effects.discontinuity_density import holm
from mhlib.stats.effects.discontinuity_fit import Settings, chosen_jump, demand_bandwidth, intervals_of, rdd
from mhlib.stats.effects.discontinuity_record import RddResult, as_row
from mhlib.stats.effects.discontinuity_refusals import FEWEST_VALUES, FEWEST_WITHIN, one_sided_refusal
from mhlib.stats.terms import term_frame

MOST_PLACEBOS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DiscontinuityVariants:
    """One discontinuity estimated again and again, one row a variant.

    Attributes
    ----------
    kind : {'bandwidth_ladder', 'donut', 'placebo_cutoffs', 'covariate_jumps'}
    table : DataFrame
        `term, estimate, std_error, conf_low, conf_high, p_value, p_adjusted, df, max_bias, bandwidth, n_used` and what was
        varied; `p_adjusted` (Holm) for placebos and covariates only, NaN else.
    refusals : mapping of str to Refused
        By term, what could not be estimated.
    """

    kind: str
    table: pd.DataFrame = field(repr=False)
    refusals: dict[str, Refused]
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table


def bandwidth_ladder(result: RddResult, *, bandwidths: Sequence[float] | None = None) -> DiscontinuityVariants:
    """The effect at several bandwidths, under the same bound on the curvature.

    Parameters
    ----------
    result : RddResult
    bandwidths : sequence of float, optional
        In units of the score; by default eight, from two values a side to all of them.

    Returns
    -------
    DiscontinuityVariants
        Honest intervals at all of them hold the effect if the bound does: they should overlap.

    Raises
    ------
    ParamsError
        A bandwidth that holds fewer than two values a side.
    """
    if bandwidths is None:
        tried = candidate_bandwidths(result.cells.distance, kernel=result.kernel, fewest=FEWEST_WITHIN)
        bandwidths = tried[np.unique(np.linspace(0, len(tried) - 1, 8).astype(int))]
    rows = []
    for one in bandwidths:
        demand_bandwidth(result.cells, float(one), result.kernel, where="bandwidth_ladder")
        rows.append(row_of(result.cells, settings_of(result, bandwidth=float(one)), f"bandwidth {one:.3g}"))
    return variants(result, "bandwidth_ladder", rows, {}, "the same bound at each bandwidth")


def donut(result: RddResult, *, holes: Sequence[int] = (1, 2)) -> DiscontinuityVariants:
    """The effect without the values nearest to the cut-off, where scores would have been pushed.

    Parameters
    ----------
    result : RddResult
    holes : sequence of int
        How many values are left out on each side.

    Returns
    -------
    DiscontinuityVariants
        A hole lengthens the extrapolation, and the interval says so. Refused (`nothing_left`) by term where fewer than
        three values stay on a side.

    Raises
    ------
    ParamsError
        A hole that is no whole number of 1 or more.
    """
    cells, rows, refusals = result.cells, [], {}
    for hole in holes:
        if hole != int(hole) or hole < 1:
            raise ParamsError("donut(holes)", f"{hole} is no number of values", allowed="whole numbers, 1 or more")
        kept, term = without_nearest(cells, int(hole)), f"without {int(hole)} on each side"
        if min(kept[cells.above].sum(), kept[~cells.above].sum()) < FEWEST_VALUES:
            refusals[term] = one_sided_refusal()
            continue
        rows.append({"hole": int(hole), **row_of(cells.only(kept), settings_of(result), term)})
    return variants(result, "donut", rows, refusals, "values nearest to the cut-off left out, bandwidth chosen again")


def placebo_cutoffs(result: RddResult, *, cutoffs: Sequence[float] | None = None) -> DiscontinuityVariants:
    """Jumps of the outcome where there is no cut-off: below it among those not entitled, above it among those entitled.

    Parameters
    ----------
    result : RddResult
    cutoffs : sequence of float, optional
        Scores; by default the three nearest on each side with three values on either side of them. A placebo reads
        only scores on its own side of the true cut-off, so that the true jump cannot leak into it.

    Returns
    -------
    DiscontinuityVariants
        p-values adjusted by Holm; refused (`nothing_left`) by term where too few values are left.

    Raises
    ------
    ParamsError
        The true cut-off among the placebos.
    """
    cells, rows, refusals = result.cells, [], {}
    chosen = default_placebos(cells) if cutoffs is None else np.asarray(cutoffs, dtype=float) - result.cutoff
    if (chosen == 0).any():
        raise ParamsError("placebo_cutoffs(cutoffs)", "holds the true cut-off", allowed="other scores")
    for by in chosen:
        term = f"cut-off {by + result.cutoff:g}"
        side = cells.only(cells.above if by > 0 else ~cells.above).moved(float(by))
        if min(side.above.sum(), (~side.above).sum()) < FEWEST_VALUES:
            refusals[term] = one_sided_refusal()
            continue
        rows.append({"cutoff": by + result.cutoff, **row_of(side, settings_of(result, fuzzy=False), term)})
    return variants(
        result,
        "placebo_cutoffs",
        rows,
        refusals,
        "jump of the outcome, own side of the true cut-off only, Holm",
        adjust=True,
    )


def covariate_jumps(
    data: pd.DataFrame,
    *,
    covariates: Sequence[str],
    running: str,
    cutoff: float,
    cluster: str | None = None,
    conf_level: float = 0.95,
) -> DiscontinuityVariants:
    """Jumps at the cut-off of what was measured before: none should jump if pupils just below and above are alike.

    Parameters
    ----------
    data : DataFrame, one row a pupil
    covariates : sequence of str
        Columns of numbers; each has its own bandwidth, rule-of-thumb bound and complete rows.
    running, cutoff, cluster, conf_level
        As in :func:`rdd`.

    Returns
    -------
    DiscontinuityVariants
        p-values adjusted by Holm; `refusals` as :func:`rdd` gives them.

    Raises
    ------
    DataError, DesignError, ParamsError
        As :func:`rdd`; no covariate named.
    """
    if not len(covariates):
        raise ParamsError("covariate_jumps(covariates)", "names none", allowed="columns measured before the screen")
    rows, refusals, excluded = [], {}, 0
    for name in covariates:
        found = rdd(
            data, outcome=name, running=running, cutoff=cutoff, cluster=cluster, robust=False, conf_level=conf_level
        )
        if isinstance(found, Refused):
            refusals[name] = found
            continue
        excluded = max(excluded, found.n_excluded)
        rows.append({"curvature": found.curvature, **row_of(found.cells, settings_of(found), name)})
    return DiscontinuityVariants(
        kind="covariate_jumps",
        table=framed(rows, adjust=True),
        refusals=refusals,
        n_used=len(data) - excluded,
        n_excluded=excluded,
        method="honest jump of each covariate, rule-of-thumb bound, Holm",
        conf_level=conf_level,
    )


def settings_of(result: RddResult, *, bandwidth: float | None = None, fuzzy: bool | None = None) -> Settings:
    """What a result was made with; a sharp variant of a fuzzy result looks at the outcome alone."""
    fuzzy = result.first_stage is not None if fuzzy is None else fuzzy
    return Settings(
        (result.curvature, result.uptake_curvature if fuzzy else 0.0),
        bandwidth,
        result.kernel,
        result.conf_level,
        fuzzy,
    )


def row_of(cells: ScoreCells, settings: Settings, term: str) -> dict[str, object]:
    """One variant as a row."""
    jump, top, bottom = chosen_jump(cells, settings)
    parts, _ = intervals_of(jump, top, bottom, settings)
    one = parts["ratio_inverted"] if settings.fuzzy else parts["reduced_form"]
    return {"term": term, **as_row(one), "bandwidth": jump.bandwidth, "n_used": jump.n_below + jump.n_above}


def without_nearest(cells: ScoreCells, hole: int) -> np.ndarray:
    """Which values are left when the `hole` nearest on each side go."""
    kept = np.ones(len(cells.distance), dtype=bool)
    for side in (cells.above, ~cells.above):
        place = np.flatnonzero(side)
        kept[place[np.argsort(np.abs(cells.distance[place]))][:hole]] = False
    return kept


def default_placebos(cells: ScoreCells) -> np.ndarray:
    """The nearest values on each side that leave three values to both of their sides."""
    below, above = cells.distance[~cells.above], cells.distance[cells.above]
    lower = below[FEWEST_VALUES : len(below) - FEWEST_VALUES + 1][-MOST_PLACEBOS:]
    upper = above[FEWEST_VALUES : len(above) - FEWEST_VALUES + 1][:MOST_PLACEBOS]
    return np.r_[lower, upper]


def framed(rows: list[dict[str, object]], *, adjust: bool) -> pd.DataFrame:
    """Rows as a table, with Holm's p-values where these are one family."""
    if not rows:
        return pd.DataFrame(columns=["term", "estimate", "std_error", "conf_low", "conf_high", "p_value", "p_adjusted"])
    table = term_frame(rows)
    table.insert(6, "p_adjusted", holm(table["p_value"].to_numpy(dtype=float)) if adjust else np.nan)
    return table


def variants(
    result: RddResult, kind: str, rows: list, refusals: dict[str, Refused], method: str, *, adjust: bool = False
) -> DiscontinuityVariants:
    """The record of a family of variants."""
    return DiscontinuityVariants(
        kind=kind,
        table=framed(rows, adjust=adjust),
        refusals=refusals,
        n_used=result.n_used,
        n_excluded=result.n_excluded,
        method=method,
        conf_level=result.conf_level,
    )

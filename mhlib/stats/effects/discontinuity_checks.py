"""The checks of a discontinuity as a report shows them, each with its mark."""

from __future__ import annotations

import numpy as np

from mhlib.findings import Check, message
from mhlib.stats.effects.discontinuity_density import DensityResult, HeapingResult
from mhlib.stats.effects.discontinuity_ladders import DiscontinuityVariants

SMALLEST_P = 0.001


def rdd_checks(
    *,
    density: DensityResult | None = None,
    heaps: HeapingResult | None = None,
    covariates: DiscontinuityVariants | None = None,
    placebos: DiscontinuityVariants | None = None,
    holes: DiscontinuityVariants | None = None,
    cutoff: float | None = None,
) -> tuple[Check, ...]:
    """Checks of what was looked at, in the order of a report; what was not given is left out.

    Parameters
    ----------
    density : DensityResult, optional
    heaps : HeapingResult, optional
        With `cutoff`, a heap on the cut-off or the value below it fails; other heaps are named in the detail.
    covariates, placebos, holes : DiscontinuityVariants, optional
        Of `covariate_jumps`, `placebo_cutoffs` and `donut`.
    cutoff : float, optional

    Returns
    -------
    tuple of Check
        A check that could not be made has `passed` None.
    """
    found = []
    if density is not None:
        found.append(density_check(density))
    if heaps is not None:
        found.append(heaping_check(heaps, cutoff))
    if covariates is not None:
        found.append(family_check(covariates, message("Pupils alike just below and above the cut-off")))
    if placebos is not None:
        found.append(family_check(placebos, message("No jump where there is no cut-off")))
    if holes is not None:
        found.append(donut_check(holes))
    return tuple(found)


def density_check(density: DensityResult) -> Check:
    """Passes when the histogram does not bend at the cut-off more than allowed."""
    name = message("Scores not pushed over the cut-off")
    k, needed = round(density.k, 3), round(density.k_needed, 3)
    if not np.isfinite(density.p_value):
        return Check(name, None, message("One school only: whether scores were pushed cannot be told."))
    if density.p_value < SMALLEST_P:
        detail = message(
            "Histogram at the cut-off: p < 0.001 for a bend of up to {k}; only a bend of {needed} would explain it.",
            k=k,
            needed=needed,
        )
    else:
        detail = message(
            "Histogram at the cut-off: p = {p} for a bend of up to {k}; no bend above {needed} is needed to explain it.",
            p=round(density.p_value, 3),
            k=k,
            needed=needed,
        )
    return Check(name, bool(density.p_value > 1 - density.conf_level), detail)


def heaping_check(heaps: HeapingResult, cutoff: float | None) -> Check:
    """Passes when no bar at the cut-off stands out (no bar at all, when no cut-off is given)."""
    table = heaps.table
    stands_out = table["heap"].to_numpy() == "more"
    if cutoff is not None:
        near = (table["score"] >= cutoff) & (table["score"].shift(2, fill_value=-np.inf) < cutoff)
        near |= (table["score"] < cutoff) & (table["score"].shift(-1, fill_value=np.inf) >= cutoff)
        bad = bool((stands_out & near.to_numpy()).any())
    else:
        bad = bool(stands_out.any())
    return Check(
        message("No heap at the cut-off") if cutoff is not None else message("No heap in the scores"),
        not bad,
        message(
            "{n} of {total} scores have more pupils than their neighbours allow.",
            n=int(stands_out.sum()),
            total=len(table),
        ),
    )


def family_check(family: DiscontinuityVariants, name: object) -> Check:
    """Passes when no jump of the family is found after Holm; None when none could be looked at."""
    p = family.table["p_adjusted"].to_numpy(dtype=float)
    p = p[np.isfinite(p)]
    return Check(
        name,
        bool((p > 1 - family.conf_level).all()) if len(p) else None,
        message(
            "{n} of {total} jumps found (Holm); {refused} could not be looked at.",
            n=int((p <= 1 - family.conf_level).sum()),
            total=len(p),
            refused=len(family.refusals),
        ),
    )


def donut_check(holes: DiscontinuityVariants) -> Check:
    """Passes when all intervals without the nearest values share a point; None when there is none."""
    table = holes.table.dropna(subset=["conf_low", "conf_high"])
    together = bool(table["conf_low"].max() <= table["conf_high"].min()) if len(table) else None
    detail = {
        None: message("Too few scores are left without the nearest ones."),
        True: message("The intervals without the scores nearest to the cut-off overlap ({n} of them).", n=len(table)),
        False: message(
            "The intervals without the scores nearest to the cut-off do not overlap ({n} of them).", n=len(table)
        ),
    }
    return Check(message("Effect stands without the nearest scores"), together, detail[together])

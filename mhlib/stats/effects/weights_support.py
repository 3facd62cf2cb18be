"""Whether the groups can be compared at all, and on how many pupils a weighted comparison really rests."""

from __future__ import annotations

import numpy as np

from mhlib.findings import Check, Refused, message

# Share of pupils outside the other group's range of chances, largest share of one pupil's weight, and effective pupils.
MUCH_OUTSIDE, HEAVY, FEWEST_EFFECTIVE = 0.05, 0.05, 10
MANY_FAILED = 0.05


def effective_size(weights: np.ndarray) -> float:
    """Kish's effective number of rows: (sum w)² / sum w²; 0 where all weights are 0."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def largest_share(weights: np.ndarray) -> float:
    """Share of a group's weight that its heaviest row carries."""
    total = float(weights.sum())
    return float(weights.max()) / total if total > 0 else np.nan


def outside_share(propensity: np.ndarray, treated: np.ndarray) -> float:
    """Share of rows whose chance of treatment lies outside the range of the other group."""
    one, other = propensity[treated == 1], propensity[treated == 0]
    out = ((one < other.min()) | (one > other.max())).sum() + ((other < one.min()) | (other > one.max())).sum()
    return float(out) / len(propensity)


def support_check(outside: float) -> Check:
    """Check that nearly every pupil has counterparts of like chances in the other group."""
    return Check(
        message("Pupils with counterparts in the other group"),
        outside <= MUCH_OUTSIDE,
        message(
            "{percent} % of pupils have a chance of treatment that nobody of the other group has; for them the comparison "
            "rests on the model alone.",
            percent=round(100 * outside, 1),
        ),
    )


def trimmed_check(share: float) -> Check:
    """Check that no pupil was left out as too sure to be, or not to be, treated."""
    return Check(
        message("Pupils left out for extreme chances"),
        share == 0,
        message(
            "{percent} % of pupils were left out; the effect is that of the others, whoever these are.",
            percent=round(100 * share, 1),
        ),
    )


def heavy_check(share: float, effective: tuple[float, float]) -> Check:
    """Check that no single pupil carries much of a group's weight."""
    return Check(
        message("Weight on single pupils"),
        share <= HEAVY and min(effective) >= FEWEST_EFFECTIVE,
        message(
            "The heaviest pupil carries {percent} % of a group's weight; after weighting the groups are worth {treated} "
            "treated and {untreated} untreated pupils.",
            percent=round(100 * share, 1),
            treated=round(effective[0]),
            untreated=round(effective[1]),
        ),
    )


def hidden_check() -> Check:
    """Check that cannot be looked at: nothing unmeasured sets the groups apart."""
    return Check(
        message("Nothing unmeasured sets the groups apart"),
        None,
        message(
            "Weighting makes alike only what was measured and given. Read beside it how strong a hidden cause would have to "
            "be to explain the effect away."
        ),
    )


def known_check() -> Check:
    """Check that fails without a bootstrap: the error then takes the weights as known."""
    return Check(
        message("Error allows for the weights being estimated"),
        False,
        message("No bootstrap was drawn: the interval takes the weights as known. Give a seed to draw schools anew."),
    )


def draws_check(n_failed: int, n_draws: int) -> Check:
    """Check that weights could be found again in nearly every draw of schools."""
    return Check(
        message("Weights found in the draws of schools"),
        n_failed <= MANY_FAILED * n_draws,
        message(
            "In {failed} of {n} draws no weights could be found and the draw was left out; where this is common, the error "
            "is too small.",
            failed=n_failed,
            n=n_draws,
        ),
    )


def few_effective_refusal(effective: tuple[float, float]) -> Refused | None:
    """Refusal (code `few_effective_pupils`) of an effect where a weighted group is worth fewer than ten pupils."""
    if min(effective) >= FEWEST_EFFECTIVE:
        return None
    return Refused(
        "few_effective_pupils",
        message(
            "After weighting one group is worth {n} pupils, fewer than {least}: the groups hardly overlap, so no effect is "
            "given.",
            n=round(min(effective), 1),
            least=FEWEST_EFFECTIVE,
        ),
        message("Find untreated pupils who resemble the treated ones, or ask about those pupils only who overlap."),
    )

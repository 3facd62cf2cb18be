"""The share of the first tier's gain that arrives in the last, with an interval, and the same by other methods."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training
from mhlib.analyses.parts.training_cascade_gains import (
    COMPARED,
    FEWEST_TEACHERS,
    FEWEST_UNITS,
    TierGains,
    TierRows,
    fewest_trainers,
    tier_gains,
    tier_name,
    tier_term,
)
from mhlib.analyses.parts.training_effect import adjusted, rows_at
from mhlib.findings import Message, Refused, message
from mhlib.stats.effects import CascadeResult, cascade_product, cluster_robust
from mhlib.stats.effects.cascade_gains import TierSums, resampled_means

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

KEPT = message("share kept (1 is all)")
BY_UNIT = message("gain of the last tier over that of the first, Fieller interval, errors by unit")
BY_BOTH = message("gain of the last tier over that of the first, Fieller interval, errors by unit and by trainer")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arriving:
    """Gain of the last tier over that of the first.

    Attributes
    ----------
    estimate, std_error, conf_low, conf_high : float
        1 when all arrives, 0 when nothing; the limits are Fieller's, the error the delta method's.
    df : float
    n_used, n_clusters : int
        Teachers of all tiers and of the comparison; units.
    first, last : str
    beyond_trainers : bool
        Whether the interval speaks of trainers like these, or of these alone.
    """

    estimate: float
    std_error: float
    conf_low: float
    conf_high: float
    df: float
    n_used: int
    n_clusters: int
    first: str
    last: str
    beyond_trainers: bool
    method: Message


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passed:
    """What was estimated of a cascade.

    Attributes
    ----------
    found : CascadeResult or Refused
        Of the tiers that can be estimated.
    share : Arriving or Refused
    by : str
        ``unit`` or ``both``.
    """

    rows: TierRows
    gains: TierGains
    sums: TierSums
    found: CascadeResult | Refused
    share: Arriving | Refused
    by: str


def passed_on(training: Training, params: Params, rows: TierRows) -> Passed:
    """Gains, steps and the share arriving, with errors by unit, and by trainer where enough stand at both ends."""
    by = "both" if fewest_trainers(rows) >= FEWEST_UNITS else "unit"
    gains, sums = tier_gains(rows, training, by=by)
    found = in_words(product(gains, rows, params.conf_level))
    better = -1 if training.measure in params.lower_is_better else 1
    if not isinstance(found, Refused):
        found = without_gain() if better * gains.gains[0] <= 0 else _of_gains(found, better * gains.gains)
    share = found if isinstance(found, Refused) else _arriving(found, gains, by)
    if missing := [name for name in (params.tiers[0], params.tiers[-1]) if name in rows.thin]:
        share = thin_end(missing[0])
    return Passed(rows=rows, gains=gains, sums=sums, found=found, share=share, by=by)


def product(gains: TierGains, rows: TierRows, conf_level: float) -> CascadeResult | Refused:
    """Steps and share of the gains."""
    return cascade_product(
        gains.gains, gains.covariance, tiers=gains.tiers, n=gains.n, df=gains.df, n_excluded=rows.n_untested,
        conf_level=conf_level,
    )  # fmt: skip


def without_gain() -> Refused:
    """No share of a gain that was none: what arrives would be harm."""
    return Refused(
        "no_gain",
        message("The first tier did worse after the training, so there is no gain of which a part could arrive."),
        message("Nothing: what was not gained cannot be passed on."),
    )


def _of_gains(found: CascadeResult, gains: np.ndarray) -> CascadeResult:
    """Without the steps down from a tier that did worse."""
    shown = ["estimate", "std_error", "conf_low", "conf_high"]
    steps_, worse = found.steps.copy(), gains[:-1] <= 0
    told = worse & steps_["estimate"].notna().to_numpy()
    steps_.loc[worse, [name for name in shown if name in steps_]] = math.nan
    return replace(
        found, steps=steps_, refusals=found.refusals | dict.fromkeys(steps_.loc[told, "term"], _worse_above())
    )


def _worse_above() -> Refused:
    return Refused(
        "no_gain_above",
        message("A tier did worse after the training, so the step down from it is not shown."),
        message("Nothing: what was not gained cannot be passed on."),
    )


def in_words(found: CascadeResult | Refused) -> CascadeResult | Refused:
    """A refusal of the library with the tier's name in the reader's language."""
    if not isinstance(found, Refused) or "tier" not in found.why.values:
        return found
    values = {**found.why.values, "tier": tier_name(str(found.why.values["tier"]))}
    return replace(found, why=Message(found.why.template, values))


def thin_end(name: str) -> Refused:
    """No share that arrives where an end of the cascade cannot be estimated."""
    return Refused(
        "few_at_an_end",
        message("{tier} has fewer than {people} teachers with both tests, or teachers of fewer than {units} units: what arrives of "
                "the first tier's gain cannot be told.", tier=tier_name(name), people=FEWEST_TEACHERS, units=FEWEST_UNITS),
        message("The tests before and after of more teachers of that tier, from more schools."),
    )  # fmt: skip


def _arriving(found: CascadeResult, gains: TierGains, by: str) -> Arriving:
    return Arriving(
        estimate=found.share, std_error=found.std_error, conf_low=found.conf_low, conf_high=found.conf_high, df=found.df,
        n_used=sum(gains.n) + gains.n_compared, n_clusters=gains.n_clusters, first=gains.tiers[0], last=gains.tiers[-1],
        beyond_trainers=by == "both", method=BY_BOTH if by == "both" else BY_UNIT,
    )  # fmt: skip


def steps(passed: Passed) -> Drawn | Refused:
    """Share kept at each step, and of the first tier's gain in the last; a step down from no gain is said and not shown."""
    found, n = passed.found, passed.gains.n
    if isinstance(found, Refused):
        return found
    rows = [
        _step(tiers, people, row)
        for tiers, people, row in zip(pairwise(passed.gains.tiers), pairwise(n), found.steps.to_dict("records"), strict=True)
        if not math.isnan(row["estimate"])
    ]  # fmt: skip
    if len(n) > 2 and not isinstance(passed.share, Refused):
        whole = {"estimate": found.share, "conf_low": found.conf_low, "conf_high": found.conf_high}
        rows.append(_step((passed.gains.tiers[0], passed.gains.tiers[-1]), (n[0], n[-1]), whole))
    lacking = tuple(in_words(one).why for one in found.refusals.values())
    return Drawn(table=pd.DataFrame(rows), axis=KEPT, rule=1.0, lacking=lacking)


def _step(tiers: tuple[str, str], n: tuple[int, int], row: dict[str, float]) -> dict[str, object]:
    return {"group": tier_term(tiers[0]), "subgroup": tier_term(tiers[1]), "estimate": row["estimate"],
            "conf_low": row["conf_low"], "conf_high": row["conf_high"], "n_used": sum(n)}  # fmt: skip


def methods(training: Training, params: Params, passed: Passed) -> Drawn | Refused:
    """The share that arrives by every other method; none of them can replace the first."""
    share = passed.share
    if isinstance(share, Refused):
        return share
    shown = {"name": "casc_both" if passed.by == "both" else "casc_unit", "n": share.n_used}
    rows = [_method(shown["name"], share.estimate, share.conf_low, share.conf_high, share.n_used)]
    low, high = _resampled(passed, params)
    rows.append(_method("casc_resampled", share.estimate, low, high, share.n_used))
    others, lacking = _others(training, params, passed), []
    for name, found in others.items():
        if isinstance(found, Refused):
            lacking.append(message("{method}: {why}", method=METHODS[name], why=found.why))
        else:
            rows.append(_method(name, found.share, found.conf_low, found.conf_high, share.n_used))
    return Drawn(
        table=pd.DataFrame(rows), axis=message("share that arrives (1 is all)"), rule=1.0, lacking=tuple(lacking)
    )


METHODS = {
    "casc_unit": message("errors by unit"),
    "casc_trainer": message("errors by trainer"),
    "casc_both": message("errors by unit and by trainer"),
    "casc_resampled": message("units drawn again and again"),
    "casc_ancova": message("adjusted for the first test, errors by unit (CR2)"),
}


def _method(name: str, estimate: float, low: float, high: float, n: int) -> dict[str, object]:
    return {"group": name, "estimate": estimate, "conf_low": low, "conf_high": high, "n_used": n}


def _resampled(passed: Passed, params: Params) -> tuple[float, float]:
    """Percentiles over resamples of whole units."""
    means = resampled_means(passed.sums, n_boot=params.n_boot, seed=params.seed, where="training_cascade")
    gains = means[:, 1:] - means[:, :1] if passed.rows.net else means
    low, high = (1 - params.conf_level) / 2, (1 + params.conf_level) / 2
    return tuple(float(end) for end in np.quantile(gains[:, -1] / gains[:, 0], [low, high]))


def _others(training: Training, params: Params, passed: Passed) -> dict[str, CascadeResult | Refused]:
    """By other errors, and with the first test as a covariate."""
    rows, found = passed.rows, {}
    for by in ("unit", "trainer", "both"):
        if by != passed.by and (by == "unit" or rows.trainers_known):
            found[f"casc_{by}"] = tried(_by, training, params, rows, by)
    if rows.net:
        found["casc_ancova"] = tried(_ancova, training, params, passed)
    return {name: in_words(one) for name, one in found.items()}


def _by(training: Training, params: Params, rows: TierRows, by: str) -> CascadeResult | Refused:
    return product(tier_gains(rows, training, by=by)[0], rows, params.conf_level)


def _ancova(training: Training, params: Params, passed: Passed) -> CascadeResult | Refused:
    """Differences of each tier from the comparison at equal first tests."""
    tiers, place = passed.gains.tiers, passed.rows.people["place"]
    frame, names = adjusted(training, params, rows_at(training, training.measure, training.primary))
    place = place.reindex(frame.index)
    frame, place = frame[place.isin([COMPARED, *tiers])], place[place.isin([COMPARED, *tiers])]
    frame = frame.assign(**{f"at_{at}": (place == name).astype(float) for at, name in enumerate(tiers)})
    terms = [f"at_{at}" for at in range(len(tiers))]
    fit = cluster_robust(
        "y ~ " + " + ".join([*terms, *names]), frame, cluster=training.cluster, conf_level=params.conf_level
    )
    if isinstance(fit, Refused):
        return fit
    at = [list(fit.terms).index(name) for name in terms]
    ends = [at[0], at[-1]]
    return cascade_product(
        fit.estimates[at] / training.sd, fit.covariance[np.ix_(at, at)] / training.sd**2, tiers=tiers, n=passed.gains.n,
        df=float(fit.df[ends].min()), conf_level=params.conf_level,
    )  # fmt: skip

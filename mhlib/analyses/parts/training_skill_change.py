"""Change in telling pupils apart, trained against not yet trained: from shares of each cell with CR2 errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training, without_before, without_comparison
from mhlib.analyses.parts.training_learning import comparison_refusal
from mhlib.analyses.parts.training_names import occasion_name
from mhlib.analyses.parts.training_skill_rows import Judged, once
from mhlib.findings import Message, Refused, message
from mhlib.stats.accuracy import vignette_detection_from_counts
from mhlib.stats.effects import RobustContrastResult, adjust_pvalues, cluster_robust, robust_contrast
from mhlib.stats.intervals import wald

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

METHOD = message("difference of the arms' changes, errors by the delta method from cluster-robust shares (CR2)")
METHOD_POST = message(
    "difference of the arms after the training, errors by the delta method from cluster-robust shares (CR2)"
)


@dataclass(frozen=True, slots=True)
class Contrast:
    """Signs of the cells (arm, occasion): trained later +1, trained before -1, and the reverse for the others."""

    signs: dict[tuple[float, str], float]
    rows: pd.DataFrame
    method: Message


def contrast_of(training: Training, params: Params, found: Judged | Refused, occasion: str) -> Contrast | Refused:
    """The comparison that the design allows at one occasion; refused where it allows none."""
    if isinstance(found, Refused):
        return found
    if refused := comparison_refusal(training):
        return refused
    if not found.controlled:
        return without_comparison()
    if occasion not in found.occasions:
        return without_occasion(occasion)
    before = params.baseline in found.occasions
    if not before and not training.randomised:
        return without_before()
    signs = {(1.0, occasion): 1.0, (0.0, occasion): -1.0}
    if before:
        signs |= {(1.0, params.baseline): -1.0, (0.0, params.baseline): 1.0}
    rows = pd.concat([found.cell(*cell) for cell in signs], ignore_index=True).dropna(subset=["referred"])
    if rows.groupby(["treated", "occasion"]).ngroups < len(signs):
        return without_comparison()
    return Contrast(signs, rows, METHOD if before else METHOD_POST)


def without_occasion(occasion: str) -> Refused:
    """No change to an occasion at which nobody judged."""
    return Refused(
        "no_later_judgement",
        message(
            "No single judgements are held for that time ({occasion}), so nothing can be said about skill then.",
            occasion=occasion_name(occasion),
        ),
        message("The same number of new vignettes of each kind, judged then by both arms."),
    )


def changes(training: Training, params: Params, found: Judged | Refused, occasion: str) -> dict[str, Effect] | Refused:
    """Change in d' and in the criterion, trained less the others."""
    asked = contrast_of(training, params, found, occasion)
    if isinstance(asked, Refused):
        return asked
    shares = asked.rows.groupby(["treated", "occasion", "case"])["referred"].agg(["sum", "size", "mean"])
    if len(shares) < 2 * len(asked.signs):
        return one_kind()
    if not shares["mean"].between(0, 1, inclusive="neither").all():
        return all_alike()
    values, weights = _deviates(asked.signs, shares)
    names = {cell: f"cell_{at}" for at, cell in enumerate(shares.index)}
    fit = tried(_fit, asked.rows, ["treated", "occasion", "case"], names, params.conf_level)
    if isinstance(fit, Refused):
        return fit
    wanted = {term: {names[cell]: weight for cell, weight in part.items()} for term, part in weights.items()}
    made = robust_contrast(fit, wanted)
    people, groups = asked.rows["teacher_pid"].nunique(), asked.rows["cluster"].nunique()
    return {term: _effect(made, term, values[term], people, groups, asked.method) for term in wanted}


def _deviates(signs: dict, shares: pd.DataFrame) -> tuple[dict[str, float], dict[str, dict[tuple, float]]]:
    """The contrast of d' and of the criterion, and the slope of each on the share of each cell."""
    values, weights = {"d_prime": 0.0, "criterion": 0.0}, {"d_prime": {}, "criterion": {}}
    for (treated, occasion), sign in signs.items():
        hit, alarm = (shares.loc[(treated, occasion, case)] for case in (1.0, 0.0))
        one = vignette_detection_from_counts(int(hit["sum"]), int(hit["size"]), int(alarm["sum"]), int(alarm["size"]))
        values["d_prime"] += sign * one.d_prime
        values["criterion"] += sign * one.criterion
        for case, rate in ((1.0, one.hit_rate), (0.0, one.false_alarm_rate)):
            slope = sign / float(stats.norm.pdf(stats.norm.ppf(rate)))
            weights["d_prime"][treated, occasion, case] = slope if case == 1 else -slope
            weights["criterion"][treated, occasion, case] = -slope / 2
    return values, weights


def _fit(rows: pd.DataFrame, by: list[str], names: dict[tuple, str], level: float, outcome: str = "referred") -> object:
    """Share of each cell at once, so that cells of one cluster covary."""
    which = pd.MultiIndex.from_frame(rows[by])
    frame = rows[[outcome, "cluster"]].assign(**{name: (which == cell).astype(float) for cell, name in names.items()})
    return cluster_robust(f"{outcome} ~ 0 + {' + '.join(names.values())}", frame, cluster="cluster", conf_level=level)


def _effect(
    made: RobustContrastResult, term: str, value: float, people: int, groups: int, method: Message
) -> Effect:  # fmt: skip
    """One contrast as an effect, in deviations of the evidence; no interval where the clusters cannot carry one."""
    row = made.to_frame().set_index("term").loc[term]
    error, df, refused = float(row["std_error"]), float(row["df"]), made.refusals.get(term)
    known = refused is None and error > 0
    low, high = wald(value, error, made.conf_level, df) if known else (math.nan, math.nan)
    p_value = float(2 * stats.t.sf(abs(value) / error, df)) if known else math.nan
    return Effect(estimate=value, std_error=error, conf_low=low, conf_high=high, df=df, p_value=p_value, sd=math.nan,
                  g=math.nan, g_low=math.nan, g_high=math.nan, n_used=people, n_clusters=groups, method=method,
                  p_refused=few_units() if refused else None)  # fmt: skip


def change_table(found: dict[str, dict[str, Effect] | Refused]) -> Drawn | Refused:
    """Both changes at every later occasion; what was refused is said below."""
    rows, refused = [], [one for one in found.values() if isinstance(one, Refused)]
    for occasion, effects in found.items():
        if isinstance(effects, Refused):
            continue
        rows += [
            {"occasion": occasion, "term": f"gained_{term}", "estimate": one.estimate, "conf_low": one.conf_low,
             "conf_high": one.conf_high, "df": one.df, "p_value": one.p_value, "n_used": one.n_used,
             "n_units": one.n_clusters}
            for term, one in effects.items()
        ]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows), lacking=tuple(one.why for one in refused)) if rows else refused[0]


def by_kind(training: Training, params: Params, found: Judged | Refused) -> Drawn | Refused:
    """Change in the share of wrong answers to each kind of vignette, trained less the others, in percentage points."""
    asked = contrast_of(training, params, found, params.primary)
    if isinstance(asked, Refused):
        return asked
    rows, lacking = [], []
    wrong = asked.rows.assign(wrong=np.abs(asked.rows["referred"] - asked.rows["case"]))
    for (kind, case), some in wrong.groupby(["kind", "case"]):
        one = tried(_kind_row, some, asked.signs, params.conf_level)
        if isinstance(one, Refused):
            lacking.append(one)
            continue
        term = "under_referral" if case == 1 else "over_referral"
        rows.append({"group": kind, "subgroup": term, **one, "n_used": some["teacher_pid"].nunique()})
    if not rows:
        return lacking[0]
    table = pd.DataFrame(rows)
    table["p_holm"] = adjust_pvalues(table.pop("p_value").to_numpy()).adjusted
    return Drawn(table=table, axis=message("change in wrong answers (percentage points)"), rule=0.0,
                 lacking=once([one.why for one in lacking]))  # fmt: skip


def _kind_row(some: pd.DataFrame, signs: dict, level: float) -> dict[str, float] | Refused:
    names = {cell: f"cell_{at}" for at, cell in enumerate(signs)}
    if some.groupby(["treated", "occasion"]).ngroups < len(signs):
        return without_comparison()
    fit = _fit(some, ["treated", "occasion"], names, level, "wrong")
    if isinstance(fit, Refused):
        return fit
    made = robust_contrast(fit, {"change": {names[cell]: sign for cell, sign in signs.items()}})
    if made.refusals:
        return few_units()
    row = made.to_frame().iloc[0]
    points = {name: 100 * float(row[name]) for name in ("estimate", "conf_low", "conf_high")}
    return points | {"p_value": float(row["p_value"])}


def few_units() -> Refused:
    """No interval where too few units stand behind it."""
    return Refused(
        "few_units",
        message(
            "Too few units judged vignettes for an interval of the change: below 4 degrees of freedom none can be trusted."
        ),
        message("Vignettes judged in more schools of both arms; from about 20 the interval is dependable."),
    )


def one_kind() -> Refused:
    """No telling apart without both kinds in each arm and occasion."""
    return Refused(
        "one_kind_of_vignette",
        message(
            "In some arm and occasion all vignettes have the same right answer: telling them apart cannot be judged."
        ),
        message(
            "Vignettes of both kinds for each arm at each occasion: pupils in need, and pupils with ordinary distress."
        ),
    )


def all_alike() -> Refused:
    """A share of 0 or 1 has no error."""
    return Refused(
        "all_alike",
        message(
            "In some arm and occasion everybody or nobody was referred, so the change has no error that could be believed."
        ),
        message("Harder vignettes, or more teachers."),
    )

"""What a cause that nobody measured would have to be like to explain the finding away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.outcome_matched import covariate_frame
from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.trial import Trial
from mhlib.findings import Message, Refused, message
from mhlib.stats.effects import e_value, oster_delta, partial_r2, robustness_value

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HiddenSection:
    """E-value, robustness value with an observed benchmark, Oster's delta."""

    values: Drawn | Refused
    benchmarks: Drawn | Refused
    reading: list[Message]


def section(trial: Trial, params: Params, effect: Effect | Refused) -> HiddenSection:
    """For designs in which something unmeasured could decide on service and outcome."""
    if trial.randomised:
        refused = Refused("by_lot", message("Lots decided who was served: a hidden cause can act only through those not measured, and "
                                            "the section on missing data asks for it."), message("Nothing."))  # fmt: skip
        return HiddenSection(values=refused, benchmarks=refused, reading=[])
    if isinstance(effect, Refused):
        return HiddenSection(values=effect, benchmarks=effect, reading=[])
    rows, said = _e_value(effect)
    benchmarks: Drawn | Refused = Refused(
        "no_benchmark",
        message("The model of this design has no covariate of pupils that could serve as a measure."),
        message("Nothing."),
    )
    if trial.design == "matched" and trial.has_baseline:
        more, benchmarks, also = _linear(trial, params, effect)
        rows, said = rows + more, said + also
    if not rows:
        values = Refused(
            "no_spread", said[0], message("The outcome of single pupils, from which their deviation follows.")
        )
        return HiddenSection(values=values, benchmarks=benchmarks, reading=[])
    table = pd.DataFrame(rows).assign(n_used=effect.n_used)
    return HiddenSection(values=Drawn(table=table), benchmarks=benchmarks, reading=said)


def _e_value(effect: Effect) -> tuple[list[dict[str, object]], list[Message]]:
    if math.isnan(effect.g):
        return [], [message("No deviation of pupils is known, so no E-value can be given.")]
    if math.isnan(effect.g_low):
        found = e_value(effect.g, measure="smd")
        said = message("To explain the effect away, a hidden cause would have to multiply both the chance of being served "
                       "and the chance of a poor outcome by {value}.", value=f"{found.e_value:.2f}")  # fmt: skip
        return [{"term": "e_value", "estimate": found.e_value}], [said]
    found = e_value(effect.g, measure="smd", conf_low=effect.g_low, conf_high=effect.g_high)
    rows = [{"term": "e_value", "estimate": found.e_value}, {"term": "e_value_bound", "estimate": found.e_value_bound}]
    said = message("To explain the effect away, a hidden cause would have to multiply both the chance of being served "
                   "and the chance of a poor outcome by {value}; to move the interval to nought, by {bound}.",
                   value=f"{found.e_value:.2f}",
                   bound=f"{found.e_value_bound:.2f}")  # fmt: skip
    return rows, [said]


def _linear(
    trial: Trial, params: Params, effect: Effect
) -> tuple[list[dict[str, object]], Drawn | Refused, list[Message]]:
    """Cinelli and Hazlett's value with the baseline as the measure, and Oster's proportional selection."""
    import statsmodels.api as sm

    people, covariates = covariate_frame(trial, params)
    names = [name for name in covariates if pd.api.types.is_numeric_dtype(people[name])]
    # A text has no share of its own to compare with; it is adjusted for all the same.
    written = [name for name in covariates if name not in names]
    texts = pd.get_dummies(people[written], drop_first=True, dtype=float) if written else people[[]]
    design = pd.concat([people[["treated", *names]], texts], axis=1)
    held = [*names, *texts]
    outcome = people["y"]
    fit = sm.OLS(outcome, sm.add_constant(design)).fit()
    other = sm.OLS(design["treated"], sm.add_constant(design[held])).fit()
    marks = {name: tuple(partial_r2(float(one.tvalues[name]), float(one.df_resid)) for one in (other, fit))
             for name in names}  # fmt: skip
    found = robustness_value(float(fit.params["treated"]), float(fit.bse["treated"]), float(fit.df_resid), benchmarks=marks,
                             times=(1,),
                             n_used=len(design), conf_level=params.conf_level)  # fmt: skip
    rows = [{"term": "robustness_value", "estimate": found.robustness_value}]
    # Its significance supposes pupils who stand alone; with clusters the bound of the E-value tells of the interval.
    if trial.cluster == "pupil_pid":
        rows.append({"term": "robustness_value_alpha", "estimate": found.robustness_value_alpha})
    oster = tried(oster_delta, outcome, design["treated"], design[held])
    if not isinstance(oster, Refused):
        rows.append({"term": "oster_delta", "estimate": oster.delta})
    table = pd.DataFrame(
        [
            {"group": name, "r2_service": pair[0], "r2_outcome": pair[1], "n_used": len(design)}
            for name, pair in marks.items()
        ]
    )
    said = message("A hidden cause that explains {share} of what is left both of service and of outcome would be enough.",
                   share=f"{found.robustness_value:.1%}")  # fmt: skip
    return rows, Drawn(table=table), [said]

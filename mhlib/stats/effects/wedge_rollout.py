"""Stepped wedge: the effect of a programme that reaches schools step by step, in an order drawn by lot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.findings import Check, Refused
from mhlib.stats import inputs
from mhlib.stats.effects.nested_model import multilevel
from mhlib.stats.effects.wedge_models import (
    AVERAGE,
    CONSTANT,
    WedgeModels,
    constancy,
    exposure_table,
    fitted_models,
    mixed_row,
    pupil_model,
    robust_row,
)
from mhlib.stats.effects.wedge_permutation import Permuted, permuted_schedule
from mhlib.stats.effects.wedge_refusals import constant_check, converged_check, design_refusal, schools_check
from mhlib.stats.effects.wedge_rows import Rollout, rollout_of
from mhlib.stats.terms import term_frame

WITHIN = "within periods"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SteppedWedgeResult:
    """Effect of a roll-out.

    Attributes
    ----------
    effects : pandas.DataFrame
        `term, estimate, std_error, conf_low, conf_high, p_value, df, method`. First the average over exposure, which stays
        right where the effect grows or fades; then the constant effect; each by the mixed model and by CR2 (least squares
        within schools); then the constant effect and the comparison within periods by permutation of the schedule (no
        error, no df).
    exposure : pandas.DataFrame
        Effect in the first, second, ... period under the programme, with `exposure`.
    periods : pandas.DataFrame
        `period, n_schools, n_treated, mean_treated, mean_untreated, difference`: means of schools' means.
    constant_p : float
        Test that the effects by exposure are equal.
    variances : pandas.DataFrame
        Of the model with effects by exposure.
    refusals : mapping of str to Refused
        `permutation`, `CR2` where these could not be given.
    permutation_orders : int
        Orders in which the schools could have begun.
    converged : bool
    n_schools, n_periods, n_starts : int
    recurring : bool
        Pupils were measured in several periods.
    """

    effects: pd.DataFrame = field(repr=False)
    exposure: pd.DataFrame = field(repr=False)
    periods: pd.DataFrame = field(repr=False)
    constant_p: float
    variances: pd.DataFrame = field(repr=False)
    refusals: Mapping[str, Refused]
    permutation_orders: int
    checks: tuple[Check, ...]
    converged: bool
    n_schools: int
    n_periods: int
    n_starts: int
    recurring: bool
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """The effects by every method, then those by exposure."""
        return pd.concat([self.effects, self.exposure.assign(method="mixed model")], ignore_index=True)

    def effect(self, term: str) -> Mapping[str, float]:
        """One row of `effects`."""
        return self.effects.set_index("term").loc[term].to_dict()


def stepped_wedge_effect(
    data: pd.DataFrame,
    *,
    outcome: str,
    school: str,
    period: str,
    treated: str,
    pupil: str | None = None,
    classroom: str | None = None,
    n_draws: int = 1999,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> SteppedWedgeResult | Refused:
    """Effect of a programme that schools receive one group after the other.

    Parameters
    ----------
    data : DataFrame
        One row a pupil and period, or one a school and period (a mean). Rows that miss a value are left out and counted.
    outcome, school, period, treated : str
        Columns; `treated` is 0 or 1, or the share of the period under the programme, the same for a school's whole period. The
        effect is that of a full period.
    pupil : str, optional
        Pupils. Where they recur the mixed model is fitted to means of school and period, which hold their correlation; a model
        with an intercept of pupils and none of school by period stands beside.
    classroom : str, optional
        Classes; adds an intercept of a class in a period where schools have several. Not where pupils recur.
    n_draws, seed : int
        Random orders where there are more than 20,000, and the seed that makes them the same again.
    conf_level : float

    Returns
    -------
    SteppedWedgeResult or Refused
        Refused: `no_untreated_period`, `school_never_crosses`, `one_start`.

    Raises
    ------
    DataError, DesignError
        Columns that are lacking, shares outside 0-1, two shares in one cell, a school that falls back, one school alone.
    ParamsError
        No seed where orders are drawn, fewer than 199 draws.

    Notes
    -----
    y = period + effect(exposure) + school + school by period + pupil; REML, Satterthwaite df. Leaving school by period out
    makes intervals too short (Thompson et al. 2017), taking a growing effect as constant makes them wrong (Kenny et al.
    2022): both shown in tests/stats/effects/test_recovery_series.py. The average weighs each period under the programme
    the same; the last ones rest on the schools that began first. A school not measured when it began counts from its first
    measured period under the programme. Permutation: GLS of school-by-period means with variances of the model without
    programme; within periods: the same without any variance shared between a school's periods.
    References: Hussey & Hughes (2007) Contemp Clin Trials 28:182; Hooper et al. (2016) Stat Med 35:4718; Kenny et al. (2022)
    Stat Med 41:4311; Thompson et al. (2018) Stat Med 37:2487; Wang & De Gruttola (2017) Stat Med 36:2831.
    Checked against: tests/oracle/series_wedge_values.csv (lmerTest, clubSandwich).
    """
    where = "stepped_wedge_effect"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    rollout = rollout_of(data, outcome=outcome, school=school, period=period, treated=treated, pupil=pupil,
                         classroom=classroom, where=where)  # fmt: skip
    if refused := design_refusal(rollout):
        return refused
    models = fitted_models(rollout, conf_level)
    shared, own = null_variances(rollout)
    drawn = {
        term: permuted_schedule(rollout.schedule, rollout.means, shared=kept, own=own, n_draws=n_draws, seed=seed,
                                conf_level=conf_level, where=where)
        for term, kept in ((f"{CONSTANT}, permutation", shared), (f"{WITHIN}, permutation", 0.0))
    }  # fmt: skip
    return record(rollout, models, drawn, conf_level)


def null_variances(rollout: Rollout) -> tuple[float, float]:
    """Variance that a school's means share, and that of each, without the programme in the model."""
    school, period = np.nonzero(rollout.counts)
    frame = pd.DataFrame({"y": rollout.means[school, period], "school": school, "period": period})
    found = multilevel("y ~ C(period)", frame, groups=["school"]).variances.set_index("term")["estimate"]
    return float(found["school: intercept"]), float(found["residual"])


def record(
    rollout: Rollout, models: WedgeModels, drawn: Mapping[str, Permuted], conf_level: float
) -> SteppedWedgeResult:
    """Put fits, permutations and checks together."""
    test = constancy(models, rollout.longest)
    converged = models.constant.converged and models.growing.converged
    some = next(iter(drawn.values()))
    refusals = {"permutation": some.refused, "CR2": refusal_of(models)}
    return SteppedWedgeResult(
        effects=effects_of(rollout, models, drawn, conf_level),
        exposure=exposure_table(models, rollout.longest),
        periods=period_table(rollout),
        constant_p=test["p_value"],
        variances=models.growing.variances,
        refusals={name: one for name, one in refusals.items() if one is not None},
        permutation_orders=some.n_orders,
        checks=(
            constant_check(test["p_value"]), schools_check(len(rollout.schools)), converged_check(converged),
        ),
        converged=converged,
        n_schools=len(rollout.schools),
        n_periods=len(rollout.periods),
        n_starts=len(np.unique(rollout.first)),
        recurring=rollout.recurring,
        n_used=len(rollout.rows),
        n_excluded=rollout.n_excluded,
        method=f"stepped wedge, mixed model (REML) with intercepts of {models.structure}, Satterthwaite df",
        conf_level=conf_level,
    )  # fmt: skip


def refusal_of(models: WedgeModels) -> Refused | None:
    """Why CR2 gives no error of the average, if it does not."""
    fit = models.robust_growing
    return fit if isinstance(fit, Refused) else fit.refusals.get("treated")


def effects_of(rollout: Rollout, models: WedgeModels, drawn: Mapping[str, Permuted], conf_level: float) -> pd.DataFrame:
    """One row an estimand and method."""
    rows = [
        {"term": AVERAGE, **mixed_row(models.growing), "method": "mixed model"},
        {"term": CONSTANT, **mixed_row(models.constant), "method": "mixed model"},
        {"term": f"{AVERAGE}, CR2", **robust_row(models.robust_growing), "method": "within schools, CR2"},
        {"term": f"{CONSTANT}, CR2", **robust_row(models.robust_constant), "method": "within schools, CR2"},
    ]
    if (pupils := pupil_model(rollout, conf_level)) is not None:
        rows.append({"term": f"{CONSTANT}, pupil intercept", **mixed_row(pupils),
                     "method": "mixed model without school by period"})  # fmt: skip
    for term, one in drawn.items():
        kept = {name: getattr(one, name) for name in ("estimate", "conf_low", "conf_high", "p_value")}
        rows.append({"term": term, **kept, "method": "permutation of the schedule"})
    return term_frame(rows)


def period_table(rollout: Rollout) -> pd.DataFrame:
    """Means of schools with and without the programme in each period."""
    seen, lines = rollout.counts > 0, []
    for i, name in enumerate(rollout.periods):
        on, off = seen[:, i] & (rollout.schedule[:, i] > 0), seen[:, i] & (rollout.schedule[:, i] == 0)
        means = [float(rollout.means[chosen, i].mean()) if chosen.any() else np.nan for chosen in (on, off)]
        lines.append(
            {
                "period": name,
                "n_schools": int(seen[:, i].sum()),
                "n_treated": int(on.sum()),
                "mean_treated": means[0],
                "mean_untreated": means[1],
                "difference": means[0] - means[1],
            }
        )
    return pd.DataFrame(lines)

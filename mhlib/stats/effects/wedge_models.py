"""Mixed and cluster-robust models of a roll-out: one constant effect, and effects by time under the programme."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.findings import Refused
from mhlib.stats.effects.nested_contrasts import fixed_contrasts, fixed_joint_test
from mhlib.stats.effects.nested_model import multilevel
from mhlib.stats.effects.nested_record import MultilevelResult
from mhlib.stats.effects.robust_fit import cluster_robust
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.effects.wedge_rows import Rollout

AVERAGE, CONSTANT = "average over exposure", "constant effect"


@dataclass(frozen=True, slots=True, eq=False)
class WedgeModels:
    """Fits of one roll-out; `growing` has the columns of :func:`with_exposure` beside the programme's own."""

    constant: MultilevelResult
    growing: MultilevelResult
    robust_constant: ClusterRobustResult | Refused
    robust_growing: ClusterRobustResult | Refused
    structure: str


def with_exposure(frame: pd.DataFrame, longest: int) -> tuple[pd.DataFrame, list[str]]:
    """Columns for effects by exposure whose plain average is the coefficient of `treated`.

    Column j is the programme's share where a school is in its j-th period under it, less that in the last: the effect at j is
    coefficient(treated) + coefficient(j), at the last coefficient(treated) less the sum of all.
    """
    last = frame["treated"] * (frame["exposure"] == longest)
    columns = {f"exposure_{j}": frame["treated"] * (frame["exposure"] == j) - last for j in range(1, longest)}
    return frame.assign(**columns), list(columns)


def exposure_weights(longest: int) -> dict[str, dict[str, float]]:
    """Effect at each exposure as weights over the coefficients."""
    rows = {f"effect in period {j} under the programme": {"treated": 1.0, f"exposure_{j}": 1.0}
            for j in range(1, longest)}  # fmt: skip
    rows[f"effect in period {longest} under the programme"] = {"treated": 1.0} | {
        f"exposure_{j}": -1.0 for j in range(1, longest)
    }
    return rows


def model_rows(rollout: Rollout) -> tuple[pd.DataFrame, list[str], str]:
    """Rows of the mixed model, its groups, and the structure in words.

    Pupils who recur lie across school-by-period, which is no nesting: there the means of school and period are fitted, whose
    covariance holds the pupils' share exactly when cells are of one size (Hooper et al. 2016).
    """
    single = bool((rollout.counts <= 1).all())
    if not rollout.recurring and not single:
        named = "classroom" in rollout.rows and several_classes(rollout.rows)
        groups = ["school", "period", "classroom"] if named else ["school", "period"]
        inner = ", class of a period" if named else ""
        return rollout.rows, groups, f"school, school by period{inner}"
    keys = rollout.rows.groupby(["school", "period"], as_index=False)
    means = keys.agg(y=("y", "mean"), treated=("treated", "first"), exposure=("exposure", "first"))
    return means, ["school"], "school, school by period (means of school and period)"


def several_classes(rows: pd.DataFrame) -> bool:
    """Whether classes can be told from school by period, and from pupils."""
    classes = rows.groupby(["school", "period", "classroom"]).ngroups
    return rows.groupby(["school", "period"]).ngroups < classes < len(rows)


def fitted_models(rollout: Rollout, conf_level: float) -> WedgeModels:
    """All four fits; the robust ones on the rows themselves, each school compared with itself."""
    frame, groups, structure = model_rows(rollout)
    frame, extra = with_exposure(frame, rollout.longest)
    plain, grown = formulas(extra)
    rows, _ = with_exposure(rollout.rows, rollout.longest)
    options = {"groups": groups, "labels": "within", "conf_level": conf_level}
    return WedgeModels(
        constant=multilevel(plain, frame, **options),
        growing=multilevel(grown, frame, **options),
        robust_constant=cluster_robust(plain, rows, cluster="school", absorb="school", conf_level=conf_level),
        robust_growing=cluster_robust(grown, rows, cluster="school", absorb="school", conf_level=conf_level),
        structure=structure,
    )


def formulas(extra: list[str]) -> tuple[str, str]:
    """Formula of one effect, and of effects by exposure."""
    plain = "y ~ C(period) + treated"
    return plain, " + ".join([plain, *extra])


def pupil_model(rollout: Rollout, conf_level: float) -> MultilevelResult | None:
    """Constant effect with intercepts of school and pupil, but none of school by period; None where pupils do not recur."""
    if not rollout.recurring:
        return None
    return multilevel("y ~ C(period) + treated", rollout.rows, groups=["school", "pupil"], labels="within",
                      conf_level=conf_level)  # fmt: skip


def mixed_row(model: MultilevelResult) -> dict[str, float]:
    """Coefficient of the programme; with exposure columns the average over exposure."""
    row = model.effect("treated")
    return {name: row[name] for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value", "df")}


def robust_row(fit: ClusterRobustResult | Refused) -> dict[str, float]:
    """The same from a cluster-robust fit; NaN where refused."""
    if isinstance(fit, Refused):
        return dict.fromkeys(("estimate", "std_error", "conf_low", "conf_high", "p_value", "df"), math.nan)
    i = fit.position("treated")
    return {
        "estimate": fit.estimates[i],
        "std_error": fit.std_errors[i],
        "conf_low": fit.conf_low[i],
        "conf_high": fit.conf_high[i],
        "p_value": fit.p_values[i],
        "df": fit.df[i],
    }


def exposure_table(models: WedgeModels, longest: int) -> pd.DataFrame:
    """Effect at each exposure by the mixed model."""
    table = fixed_contrasts(models.growing, exposure_weights(longest)).table
    return table.assign(exposure=np.arange(1, longest + 1))


def constancy(models: WedgeModels, longest: int) -> Mapping[str, float]:
    """F test that the effects are the same at every exposure."""
    if longest < 2:
        return {"estimate": math.nan, "p_value": math.nan, "num_df": 0, "den_df": math.nan}
    rows = {f"exposure_{j}": {f"exposure_{j}": 1.0} for j in range(1, longest)}
    return fixed_joint_test(models.growing, rows).table.iloc[0].to_dict()

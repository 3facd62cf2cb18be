"""The effect of a roll-out that the plan names, in points and, where pupils are known, in deviations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts import outcome_rollout_panel as dosed
from mhlib.analyses.parts import outcome_rollout_schools as schools
from mhlib.analyses.parts.outcome_effect import Effect, icc_of, pooled_sd
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.trial import Trial
from mhlib.errors import DesignError
from mhlib.findings import Refused, message
from mhlib.stats.effects import hedges_g_from_model

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params


def of_starts(trial: Trial, params: Params, has: schools.Staggered) -> Effect | Refused:
    """All units and times under the programme alike, in points and in deviations of pupils before anybody began."""
    main = has.main
    if isinstance(main, Refused):
        return main
    at = main.position("overall")
    value, error, df = (float(column[at]) for column in (main.estimates, main.std_errors, main.df))
    sd, size = math.nan, (math.nan, math.nan, math.nan)
    if has.rollout.of_pupils:
        sd, size = _standardised(trial, has, value, error, df, params)
    return Effect(
        estimate=value, std_error=error, conf_low=float(main.conf_low[at]), conf_high=float(main.conf_high[at]), df=df,
        p_value=float(main.p_values[at]), sd=sd, g=size[0], g_low=size[1], g_high=size[2],
        n_used=has.n_people if has.rollout.of_pupils else main.n_used, n_clusters=main.n_schools, method=schools.METHOD,
        p_refused=main.refusals.get("overall"),
    )  # fmt: skip


def _standardised(trial: Trial, has: schools.Staggered, value: float, error: float, df: float, params: Params) -> tuple:
    """Deviation of pupils at the first time, before any unit kept had begun, and Hedges' g by it."""
    rows = has.rollout.complete()
    before = rows[rows["time"] == rows["time"].min()]
    frame = before.assign(treated=(before["first"] <= has.rollout.rows["time"].max()).astype(float))
    frame = frame.assign(**{trial.cluster: frame["cluster"]})
    n1, n0 = (int((frame["treated"] == arm).sum()) for arm in (1, 0))
    none = (math.nan, math.nan, math.nan)
    if min(n1, n0) < 2:
        return math.nan, none
    sd = pooled_sd(frame)
    if not (sd > 0 and error > 0):
        return sd, none
    try:
        icc = icc_of(trial, frame)
    except DesignError:
        icc = 0.0
    found = hedges_g_from_model(value, error, sd=sd, n_treated=n1, n_control=n0, icc=icc,
                                cluster_size=len(frame) / frame["cluster"].nunique(), df=max(df, 1.0),
                                n_clusters=frame["cluster"].nunique(), conf_level=params.conf_level)  # fmt: skip
    # Without an interval in points there is none in deviations.
    low, high = (found.conf_low, found.conf_high) if df >= 4 else (math.nan, math.nan)
    return sd, (found.g, low, high)


def table(effect: Effect | Refused, has: schools.Staggered) -> Drawn | Refused:
    """The effect in points and, where pupils are known, in deviations."""
    if isinstance(effect, Refused):
        return effect
    base = {"n_units": effect.n_clusters, "n_used": has.n_people}
    rows = [{"term": "effect_points", "estimate": effect.estimate, "conf_low": effect.conf_low, "conf_high": effect.conf_high,
             "df": effect.df, "p_value": effect.p_value, **base}]  # fmt: skip
    if not math.isnan(effect.g):
        rows.append(
            {"term": "effect_g", "estimate": effect.g, "conf_low": effect.g_low, "conf_high": effect.g_high, **base}
        )
    return Drawn(table=pd.DataFrame(rows))


def of_doses(has: dosed.TwoWay) -> Effect | Refused:
    """Full exposure against none; no deviation of pupils is known, so there is no standardised effect."""
    main = has.main
    if isinstance(main, Refused):
        return main
    row = dosed.row_of(has, "by_cr2")
    return Effect(
        **{name: float(row[name]) for name in ("estimate", "std_error", "conf_low", "conf_high", "df", "p_value")},
        sd=math.nan, g=math.nan, g_low=math.nan, g_high=math.nan, n_used=main.n_used, n_clusters=main.n_clusters,
        method=message("fixed effects of units and times, effect of full exposure, cluster-robust errors (CR2)"),
        p_refused=main.refusals.get("exposure"),
    )  # fmt: skip

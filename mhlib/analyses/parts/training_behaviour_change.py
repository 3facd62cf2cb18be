"""What changed with the training: shares and scores of schools before and after, trained and not yet trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.outcome_effect import Effect
from mhlib.analyses.parts.outcome_names import in_words
from mhlib.analyses.parts.outcome_rollout_schools import attempt
from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training, without_comparison
from mhlib.analyses.parts.training_behaviour_rows import ARMS
from mhlib.findings import Check, Message, Refused, message
from mhlib.stats.effects import ClusterRobustResult, HonestBound, StaggeredResult, cluster_robust, did_staggered
from mhlib.stats.effects.did_inference import Joint
from mhlib.stats.effects.did_refusals import pretrend_check
from mhlib.stats.effects.event_honest import relative_magnitudes
from mhlib.stats.effects.event_leads import block, target_weights, tested

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

# Waves and not only before and after: records of the arms may come from unlike waves, and waves differ by themselves.
MODEL, TWO_PERIODS = "y ~ treated + C(wave) + effect", "y ~ treated + post + effect"
METHOD = message(
    "change in trained schools less change in schools not yet trained, cluster-robust errors by school (CR2)"
)
LIMITS = (0.5, 1.0, 1.5, 2.0)
NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "df", "p_value")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """Effects by wave, before the training too, with what the waves before can say."""

    main: StaggeredResult | Refused
    leads: Joint | Refused
    bounds: list[HonestBound] | Refused
    checks: tuple[Check, ...]
    n_used: int


def comparison_refusal(training: Training, rows: pd.DataFrame) -> Refused | None:
    """Why no change may be called an effect of the training; None where it may."""
    if training.design == "before_after" or rows["treated"].nunique() < 2:
        return without_comparison()
    cells = rows.groupby(["treated", "post"])["school_pid"].nunique()
    if len(cells) < 4 or cells.min() < 2:
        return Refused(
            "empty_cell",
            message("Trained and untrained schools are not both seen before and after, at least two of each."),
            message("The same records from schools of both arms, before the training and after it."),
        )
    return None if rows.loc[~lone(rows), "post"].nunique() == 2 else _no_common_wave()


def lone(rows: pd.DataFrame) -> pd.Series:
    """Whether each row is of a wave that one arm alone has records of."""
    return rows.groupby("wave", observed=True)["treated"].transform("nunique") < 2


def _no_common_wave() -> Refused:
    return Refused(
        "no_common_wave",
        message(
            "Before the training or after it no wave has records of both arms, so the training cannot be told from the time."
        ),
        message("Records of both arms from the same waves, before the training and after it."),
    )


def waves_check(rows: pd.DataFrame) -> Check:
    """Whether every wave has records of both arms."""
    n, waves = rows.loc[lone(rows), "wave"].nunique(), rows["wave"].nunique()
    said = message(
        "Of {all} waves {n} have records of one arm only; waves are compared within themselves, so these add nothing to the change.",
        all=waves, n=n,
    )  # fmt: skip
    return Check(message("Records of both arms in every wave"), n == 0, said)


def fitted(rows: pd.DataFrame, params: Params, outcome: str, *, weights: str | None = None, model: str | None = None,
           absorb: str | None = None) -> ClusterRobustResult | Refused:  # fmt: skip
    """Least squares of the outcome with CR2 errors by school; of the change of the arms within waves, where no model is named."""
    named = rows.rename(columns={outcome: "y"}) if outcome != "y" else rows
    model = model or (MODEL if rows["wave"].nunique() > 2 else TWO_PERIODS)
    arm = "treated" if "treated" in model else None
    return tried(cluster_robust, model, named, cluster="school_pid", weights=weights, absorb=absorb, arm=arm,
                 conf_level=params.conf_level)  # fmt: skip


def row_of(fit: ClusterRobustResult, term: str = "effect", scale: float = 1.0) -> dict[str, float]:
    """Estimate, error, interval, df and p-value of a term; in other units by `scale`."""
    row = fit.to_frame().set_index("term").loc[term]
    return {name: float(row[name]) * (1 if name in ("df", "p_value") else scale) for name in NUMBERS}


def effect_of(fit: ClusterRobustResult | Refused, *, n_used: int, sd: float = math.nan, method: Message = METHOD,
              ) -> Effect | Refused:  # fmt: skip
    """The change that training made, as the record that the answer and the lights read; refused without its interval."""
    if isinstance(fit, Refused):
        return fit
    row, refused = row_of(fit), fit.refusals.get("effect")
    if refused and math.isnan(row["conf_low"]):
        return too_few(refused)
    return Effect(
        **row, sd=sd, g=row["estimate"] / sd, g_low=row["conf_low"] / sd, g_high=row["conf_high"] / sd, n_used=n_used,
        n_clusters=fit.n_clusters, method=method, p_refused=in_words(refused) if refused else None,
    )  # fmt: skip


def too_few(refused: Refused) -> Refused:
    """No change without its interval."""
    return Refused(
        refused.code,
        message(
            "Too few schools, or too few interviews below the cut-off, carry the change: its error cannot be trusted."
        ),
        message("More schools of both arms, and interviews of more pupils below the cut-off."),
    )


def shown(
    fit: ClusterRobustResult, term: str, *, n_used: int, scale: float = 1.0, of: str = "effect"
) -> dict[str, object] | Refused:
    """A row of a table of estimates; no estimate stands without its interval."""
    row = row_of(fit, of, scale)
    if math.isnan(row["conf_low"]):
        return too_few(fit.refusals[of])
    kept = {name: row[name] for name in NUMBERS if name != "std_error"}
    return {"term": term, **kept, "n_units": fit.n_clusters, "n_used": n_used}


def every_school_alike(
    rows: pd.DataFrame, params: Params, outcome: str, term: str, *, scale: float = 1.0
) -> dict | Refused:
    """The same change with every school alike, before and after."""
    size = rows.groupby(["school_pid", "post"], observed=True)[outcome].transform("size")
    fit = fitted(rows.assign(alike=1 / size), params, outcome, weights="alike")
    return fit if isinstance(fit, Refused) else shown(fit, term, n_used=len(rows), scale=scale)


def within_arms(
    rows: pd.DataFrame, params: Params, outcome: str, *, weights: str | None = None, scale: float = 1.0
) -> list[dict]:
    """Change from before to after in each arm by itself: what time alone also does. No change without its interval."""
    found = []
    for arm, name in ARMS.items():
        mine = rows[rows["treated"] == arm]
        if mine["post"].nunique() < 2 or mine["school_pid"].nunique() < 2:
            continue
        fit = fitted(mine, params, outcome, weights=weights, model="y ~ post")
        if isinstance(fit, Refused) or math.isnan((row := row_of(fit, "post", scale))["conf_low"]):
            continue
        before = scale * float(fit.estimates[fit.position("Intercept")])
        found.append({"arm_shown": name, "level_before": before, "level_after": before + row["estimate"],
                      **{k: row[k] for k in ("estimate", "conf_low", "conf_high", "df")}, "n_units": fit.n_clusters,
                      "n_used": int(mine["n"].sum()) if "n" in mine else len(mine)})  # fmt: skip
    return found


def studied(cells: pd.DataFrame, params: Params, *, n_used: int, scale: float = 1.0) -> Study:
    """Event study of school by wave cells (``y``, ``n``); schools that lack a wave are left out and counted."""
    first = np.where(cells["treated"] == 1, params.named_from_wave, 0)
    main = attempt(
        did_staggered, cells.assign(y=scale * cells["y"], first=first), outcome="y", unit="school_pid", time="wave",
        first_treated="first", weights="n", compare=False, conf_level=params.conf_level,
    )  # fmt: skip
    if isinstance(main, Refused):
        return Study(main=main, leads=main, bounds=main, checks=(), n_used=n_used)
    found = attempt(_trends, main, params)
    leads, bounds, checks = (found, found, ()) if isinstance(found, Refused) else found
    return Study(main=main, leads=leads, bounds=bounds, checks=checks, n_used=n_used)


def _trends(main: StaggeredResult, params: Params) -> tuple[object, object, tuple[Check, ...]]:
    """Test of the waves before, what it would find, and intervals for trends that differ (relative magnitudes only)."""
    events, rows = block(main)
    effects, n_leads = main.inferred.of(rows), int((events < -1).sum())
    weights, refusals = target_weights(events[n_leads:], "average", "event_study"), {}
    test, ladder = tested(effects, events[:n_leads], weights, (0.8,), params.alpha, refusals)
    if refused := refusals.get("pre_test"):
        return refused, refused, ()
    check = pretrend_check(test.p_value, ladder[-1].slope, ladder[-1].bias, 0.8)
    bounds = [relative_magnitudes(effects, n_leads, weights, limit, params.conf_level) for limit in (0.0, *LIMITS)]
    return test, bounds, (check,)


def event(has: Study, y_axis: Message) -> Drawn | Refused:
    """Difference by wave since the training; the wave before it is nought by definition."""
    if isinstance(has.main, Refused):
        return has.main
    table = has.main.to_frame("dynamic").assign(x=lambda frame: frame["term"].str[2:].astype(int))
    table = table[table["conf_low"].notna()]
    if table.empty:
        return Refused(
            "few_schools",
            message("Too few schools were seen in every wave for an interval of any wave's difference."),
            message("At least five schools of each arm in every wave."),
        )
    base = pd.DataFrame([{"x": -1, "estimate": 0.0, "conf_low": 0.0, "conf_high": 0.0}])
    table = pd.concat([table, base]).sort_values("x")
    rows = pd.DataFrame({"group": "naming_by_wave", "x": table["x"], "y": table["estimate"], "low": table["conf_low"],
                         "high": table["conf_high"], "df": table["df"]})  # fmt: skip
    nought = pd.DataFrame([{"group": "roll_nought", "x": x, "y": 0.0} for x in (rows["x"].min(), rows["x"].max())])
    table = pd.concat([rows, nought], ignore_index=True).assign(n_used=has.n_used)
    table["since_start"] = [f"roll_before_{-x}" if x < 0 else f"roll_under_{x + 1}" for x in table["x"].astype(int)]
    return Drawn(table=table, x_axis=message("waves since the training (0: the first after it)"), y_axis=y_axis, mark=-0.5,
                 points=True)  # fmt: skip


def event_table(figure: Drawn | Refused) -> Drawn | Refused:
    """The same differences in numbers, without the base and the line of no effect."""
    if isinstance(figure, Refused):
        return figure
    table = figure.table[figure.table["df"].notna()].rename(
        columns={"y": "estimate", "low": "conf_low", "high": "conf_high"}
    )
    return Drawn(
        table=table[["since_start", "estimate", "conf_low", "conf_high", "df", "n_used"]].reset_index(drop=True)
    )


def pretrend(has: Study) -> Drawn | Refused:
    """Joint test that the arms moved alike in the waves before."""
    if isinstance(has.leads, Refused):
        return has.leads
    row = {"term": "roll_leads", "f_value": has.leads.statistic, "tested_terms": has.leads.df1, "df": has.leads.df2,
           "p_value": has.leads.p_value, "n_used": has.n_used}  # fmt: skip
    return Drawn(table=pd.DataFrame([row]))


def honest(has: Study, axis: Message) -> Drawn | Refused:
    """Intervals that still hold when a step after is at most so many times the largest step before (Rambachan and Roth)."""
    if isinstance(has.bounds, Refused):
        return has.bounds
    rows = [{"term": f"roll_{one.restriction}" if one.limit else "roll_parallel", "subgroup": f"{one.limit:.1f}",
             "trend_limit": one.limit, "estimate": (one.conf_low + one.conf_high) / 2, "conf_low": one.conf_low,
             "conf_high": one.conf_high, "n_used": has.n_used} for one in has.bounds]  # fmt: skip
    table = pd.DataFrame(rows)
    return Drawn(table=table[np.isfinite(table["conf_low"])].reset_index(drop=True), axis=axis, rule=0.0)


def checks_of(*found: object) -> list[Check]:
    """Checks of the results that are there, each said once."""
    checks: dict[str, Check] = {}
    for one in found:
        for check in getattr(one, "checks", ()):
            checks.setdefault(check.name.template, check)
    return list(checks.values())


def by_lot(training: Training) -> list[Message]:
    """A warning where lots did not decide which schools were trained first; nothing where they did."""
    if training.randomised:
        return []
    return [message(
        "Lots did not decide which schools were trained, so the change may come from whatever else set these schools apart."
    )]  # fmt: skip

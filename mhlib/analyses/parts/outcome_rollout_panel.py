"""Two-way fixed effects of a panel whose exposure is partial or ends again, and what its weights give away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.outcome_rollout_rows import Rollout, implied_weights
from mhlib.analyses.parts.outcome_rollout_schools import attempt
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.trial import FEW_CLUSTERS
from mhlib.findings import Check, Estimate, Message, Refused, message
from mhlib.stats.effects import ClusterRobustResult, cluster_robust, joint_test, wild_cluster_bootstrap

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

MODEL = "y ~ exposure + C(time)"
LEADS = LAGS = (1, 2)
# Weight of exposed units counted with a minus sign above which the two-way estimate should not stand alone.
MUCH_NEGATIVE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwoWay:
    """The fits of a panel: as planned, and in other ways by name."""

    rollout: Rollout
    fits: dict[str, ClusterRobustResult | Refused]
    shifted: ClusterRobustResult | Refused
    leads: tuple[str, ...]
    weights: np.ndarray
    n_people: int

    @property
    def main(self) -> ClusterRobustResult | Refused:
        """As planned."""
        return self.fits["by_cr2"]

    @property
    def negative(self) -> float:
        """Sum of the negative weights, as a share of all weights without their sign."""
        return float(np.abs(self.weights[self.weights < 0]).sum() / np.abs(self.weights).sum())


def fitted(found: Rollout, params: Params) -> TwoWay:
    """Outcome on exposure with fixed effects of units and times; errors by unit."""
    rows = found.rows
    heavy = params.estimand == "pupil" and found.weighed
    own, other = ("weight", None) if heavy else (None, "weight")
    fits = {"by_cr2": fit(rows, params, weights=own), "roll_cr1s": fit(rows, params, weights=own, kind="CR1S")}
    if found.weighed:
        fits["roll_by_people" if other else "roll_by_units"] = fit(rows, params, weights=other)
    fits["roll_unit_trends"] = with_trends(rows, params, own)
    shifted, leads = with_shifts(rows, params, own)
    return TwoWay(rollout=found, fits=fits, shifted=shifted, leads=leads, weights=implied_weights(rows, heavy),
                  n_people=max(found.people(), 1))  # fmt: skip


def fit(rows: pd.DataFrame, params: Params, *, formula: str = MODEL, weights: str | None = None, kind: str = "CR2",
        ) -> ClusterRobustResult | Refused:  # fmt: skip
    """One fit; unit effects are absorbed, and where weights forbid that they are dummies."""
    options = {"cluster": "cluster", "kind": kind, "conf_level": params.conf_level}
    if weights is None:
        return attempt(cluster_robust, formula, rows, absorb="unit", **options)
    return attempt(cluster_robust, f"{formula} + C(unit)", rows, weights=weights, **options)


def with_trends(rows: pd.DataFrame, params: Params, weights: str | None) -> ClusterRobustResult | Refused:
    """A straight trend of every unit's own beside its level: what the exposure adds to that."""
    centred = rows["time"] - rows["time"].mean()
    units = sorted(rows["unit"].unique())[1:]
    trends = {f"trend_{at}": np.where(rows["unit"] == unit, centred, 0.0) for at, unit in enumerate(units)}
    wide = pd.concat([rows, pd.DataFrame(trends, index=rows.index)], axis=1)
    return fit(wide, params, formula=" + ".join([MODEL, *trends]), weights=weights)


def with_shifts(rows: pd.DataFrame, params: Params, weights: str | None) -> tuple[object, tuple[str, ...]]:
    """Exposure of the times around beside that of now; what lies ahead should make no difference."""
    wide = rows.copy()
    by_time = rows.set_index(["unit", "time"])["exposure"]
    times = np.sort(rows["time"].unique())
    place = pd.Series(np.arange(len(times)), index=times)
    names = {}
    for at in (*(-lead for lead in LEADS), *LAGS):
        source = place[rows["time"]].to_numpy() - at
        inside = (source >= 0) & (source < len(times))
        moved = times[np.clip(source, 0, len(times) - 1)]
        values = by_time.reindex(pd.MultiIndex.from_arrays([rows["unit"], moved])).to_numpy()
        names[at] = f"lead_{-at}" if at < 0 else f"lag_{at}"
        wide[names[at]] = np.where(inside, values, np.nan)
    leads = tuple(names[-lead] for lead in LEADS)
    wide = wide.dropna(subset=list(names.values()))
    if wide["time"].nunique() < 3:
        return too_short(), leads
    return fit(wide, params, formula=" + ".join([MODEL, *names.values()]), weights=weights), leads


def too_short() -> Refused:
    """No look ahead in a short panel."""
    return Refused(
        "few_times",
        message("The panel is too short to look at exposure still to come, so nothing tests whether the units moved alike before."),
        message("At least seven times, some of them before the first exposure."),
    )  # fmt: skip


def estimate(has: TwoWay, seed: int) -> Drawn | Refused:
    """Effect of full exposure, by two kinds of errors."""
    if isinstance(has.main, Refused):
        return has.main
    rows = [row_of(has, name) for name in ("by_cr2", "roll_cr1s") if not isinstance(has.fits[name], Refused)]
    lacking = ()
    if has.main.n_clusters < FEW_CLUSTERS:
        # With few units the errors themselves are uncertain: resampling stands beside them.
        wild = wild_cluster_bootstrap(has.main, "exposure", seed=seed, conf_level=has.main.conf_level)
        if isinstance(wild, Refused):
            lacking = (wild.why,)
        else:
            rows.append(rows[0] | {"group": "by_wild", "std_error": math.nan, "df": math.nan, "conf_low": wild.conf_low,
                                   "conf_high": wild.conf_high, "p_value": wild.p_value})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows), axis=message("difference (points)"), rule=0.0, lacking=lacking)


def estimators(has: TwoWay) -> Drawn | Refused:
    """The same effect weighted otherwise and with trends of the units' own."""
    if isinstance(has.main, Refused):
        return has.main
    rows = [row_of(has, name) for name, one in has.fits.items() if not isinstance(one, Refused)]
    lacking = tuple(one.why for one in has.fits.values() if isinstance(one, Refused))
    return Drawn(table=pd.DataFrame(rows), axis=message("difference (points)"), rule=0.0, lacking=lacking)


def row_of(has: TwoWay, name: str) -> dict[str, object]:
    """The row of exposure of one fit."""
    one = has.fits[name]
    at = one.position("exposure")
    return {"group": name, "estimate": one.estimates[at], "std_error": one.std_errors[at], "conf_low": one.conf_low[at],
            "conf_high": one.conf_high[at], "df": one.df[at], "p_value": one.p_values[at], "unit_times": one.n_used,
            "n_units": one.n_clusters, "n_used": has.n_people}  # fmt: skip


def cohorts(has: TwoWay) -> Drawn:
    """How many units were first exposed when."""
    found = has.rollout
    first = found.rows["first"].where(found.rows["first"] <= found.rows["time"].max()).fillna(math.inf)
    rows = [{"starts_in": "roll_never" if math.isinf(start) else found.name(start), "n_units": mine["unit"].nunique(),
             "exposed_mean": float(mine["exposure"].mean()), "n_used": found.people(mine)}
            for start, mine in found.rows.groupby(first)]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def event(has: TwoWay) -> Drawn | Refused:
    """Exposure of two times ahead to two times ago, each given the others."""
    if isinstance(has.shifted, Refused):
        return has.shifted
    order = [("lead_2", -2), ("lead_1", -1), ("exposure", 0), ("lag_1", 1), ("lag_2", 2)]
    rows = []
    for name, x in order:
        at = has.shifted.position(name)
        rows.append({"group": "roll_shifted", "x": x, "y": has.shifted.estimates[at], "low": has.shifted.conf_low[at],
                     "high": has.shifted.conf_high[at], "df": has.shifted.df[at], "since_start": f"roll_{name}"})  # fmt: skip
    rows += [{"group": "roll_nought", "x": x, "y": 0.0, "since_start": "roll_nought"} for x in (-2, 2)]
    return Drawn(table=pd.DataFrame(rows).assign(n_used=has.n_people), mark=-0.5, points=True,
                 x_axis=message("time of the exposure, from that of the outcome (below 0: still to come)"),
                 y_axis=message("difference (points)"))  # fmt: skip


def pretrend(has: TwoWay) -> Drawn | Refused:
    """Whether exposure still to come goes with the outcome: it should not."""
    if isinstance(has.shifted, Refused):
        return has.shifted
    test = attempt(joint_test, has.shifted, list(has.leads))
    if isinstance(test, Refused):
        return test
    if test.refused is not None:
        return test.refused
    return Drawn(table=pd.DataFrame([{"term": "roll_ahead", "f_value": test.statistic, "tested_terms": test.df1, "df": test.df2,
                                      "p_value": test.p_value, "n_used": has.n_people}]))  # fmt: skip


def bacon(has: TwoWay) -> Drawn:
    """Exposed rows that count with a plus and with a minus sign in the two-way estimate."""
    weights = has.weights
    rows = [{"term": name, "unit_times": int(chosen.sum()), "comparison_weight": float(weights[chosen].sum()), "n_used": has.n_people}
            for name, chosen in (("roll_plus", weights >= 0), ("roll_minus", weights < 0))]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def one_start_each() -> Refused:
    """No group-time effect where exposure ends again or stays partial."""
    return Refused(
        "no_single_start",
        message("Exposure is partial or ends again in some units; they have no single start and no effect by start and time."),
        message("Units that begin once, whole, and go on."),
    )  # fmt: skip


def checks(has: TwoWay, tested: Drawn | Refused, alpha: float) -> list[Check]:
    """What the two-way estimate rests on, looked at in the data."""
    found = has.rollout
    n_starts, n_rows = found.rows["first"].nunique(), len(found.rows)
    short = found.rows.groupby("unit")["time"].nunique() < found.rows["time"].nunique()
    p_value = math.nan if isinstance(tested, Refused) else float(tested.table["p_value"].iloc[0])
    said = [
        Check(message("All units begin at once"), n_starts <= 1,
              message("Exposure begins at {n} different times. With staggered adoption the two-way estimate compares units with "
                      "others already exposed, and is wrong where effects grow or differ.", n=n_starts)),
        Check(message("Exposure goes on once it has begun"), found.n_falling == 0,
              message("It falls again in {n} units; nothing then tells a lasting effect from a passing one.", n=found.n_falling)),
        Check(message("No exposed unit counts with a minus sign"), has.negative < MUCH_NEGATIVE,
              message("{percent} % of the weight in the two-way estimate is negative, over {n} of {all} exposed units and times.",
                      percent=f"{100 * has.negative:.1f}", n=int((has.weights < 0).sum()), all=len(has.weights))),
        Check(message("Part exposure has part of the effect"), None if found.n_partial else True,
              message("{n} of {all} units and times were exposed in part; that half the exposure has half the effect is supposed, "
                      "not shown.", n=found.n_partial, all=n_rows)),
        Check(message("Exposure still to come makes no difference"), None if math.isnan(p_value) else p_value >= alpha,
              message("Joint test of exposure one and two times ahead: p {p}. A quiet past is no proof.",
                      p="–" if math.isnan(p_value) else f"{p_value:.3f}")),
        Check(message("Every unit was seen every time"), not short.any() and not found.n_lacking,
              message("{n} units lack a time; {rows} rows have no outcome.", n=int(short.sum()), rows=found.n_lacking)),
    ]  # fmt: skip
    return said if isinstance(has.main, Refused) else [*said, *has.main.checks]


def reading(has: TwoWay) -> list[Message]:
    """What the estimate says, and that it rests on one unit being like another."""
    if isinstance(has.main, Refused):
        return []
    said = [message("Full exposure goes with a difference of {value} from no exposure, levels of units and of times taken out.",
                    value=_worded(has, "by_cr2"))]  # fmt: skip
    trends = has.fits["roll_unit_trends"]
    if not isinstance(trends, Refused):
        value = _worded(has, "roll_unit_trends")
        said.append(
            message(
                "With a straight trend of every unit's own it is {value}; where the two differ much, units did not move alike.",
                value=value,
            )
        )
    return said


def _worded(has: TwoWay, name: str) -> Estimate:
    row = row_of(has, name)
    return Estimate(float(row["estimate"]), int(row["n_used"]), float(row["conf_low"]), float(row["conf_high"]))

"""Who was lost, from which arm, at which stage, and whether the loss is small enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError
from mhlib.stats import inputs
from mhlib.stats.clustered import share
from mhlib.stats.effects.attrition_boundary import largest_difference
from mhlib.stats.effects.reliable_outcomes import arm_codes
from mhlib.stats.intervals import binomial, wald
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttritionResult:
    """Loss by arm, overall and between arms, and how it stands to the boundary.

    Attributes
    ----------
    table : DataFrame
        `arm, n, lost, share, conf_low, conf_high`, an arm a row.
    comparisons : DataFrame
        Each arm with the first: `arm, overall, differential, cautious_limit, optimistic_limit, level` with level 'low'
        (within the cautious limit), 'tolerable' (within the optimistic one only) or 'high'.
    level : str
        The worst of the comparisons.
    """

    table: pd.DataFrame
    comparisons: pd.DataFrame
    overall: float
    differential: float
    level: str
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `lost: <arm>`, `overall`, `differential: <arm>` (largest first arm against others)."""
        rows = [{"term": f"lost: {row['arm']}", "estimate": row["share"], "conf_low": row["conf_low"],
                 "conf_high": row["conf_high"], "n": row["n"]} for row in self.table.to_dict("records")]  # fmt: skip
        rows.append({"term": "overall", "estimate": self.overall, "n": self.n_used})
        rows += [{"term": f"differential: {row['arm']}", "estimate": row["differential"], "limit": row["cautious_limit"],
                  "level": row["level"]} for row in self.comparisons.to_dict("records")]  # fmt: skip
        return term_frame(rows)


def attrition(
    kept: object,
    arm: object,
    *,
    arms: Sequence[object] | None = None,
    cluster: object = None,
    conf_level: float = 0.95,
) -> AttritionResult:
    """Overall and differential loss, judged by the boundary of the What Works Clearinghouse.

    Parameters
    ----------
    kept : array-like of 0/1, shape (n,)
        1 when the pupil's outcome was observed, of all who were allocated (lost schools included, pupil by pupil).
    arm : array-like, shape (n,)
    arms : sequence, optional
        Order of arms, the comparison first; sorted when absent.
    cluster : array-like, shape (n,), optional
        School, for the intervals.
    conf_level : float

    Returns
    -------
    AttritionResult
        `differential` is the largest absolute difference with the first arm.

    Raises
    ------
    DataError
        A value that is not 0 or 1 or is missing, a pupil without arm.
    DesignError
        Fewer than two arms.

    Notes
    -----
    Reference: What Works Clearinghouse (2020) Standards Handbook 4.1, section II.A.2.
    """
    where = "attrition"
    inputs.same_length(where, kept=kept, arm=arm, cluster=cluster)
    stays = inputs.without_missing(
        inputs.binary(kept, where=where, name="kept"),
        where=where,
        name="kept",
        remedy="0 for the lost, 1 for the others",
    )
    who, names = arm_codes(arm, arms, len(stays), where=where)
    if len(names) < 2:
        raise DesignError(where, "only one arm", allowed="two or more arms", remedy="give the arm of each pupil")
    groups = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    n, lost = (np.bincount(who, weights=w, minlength=len(names)) for w in (np.ones(len(stays)), 1 - stays))
    bounds = [loss_interval(1 - stays, who == j, groups, conf_level) for j in range(len(names))]
    comparisons = compare_losses(names, n, lost)
    order = ["low", "tolerable", "high"]
    return AttritionResult(
        table=pd.DataFrame(
            {"arm": names, "n": n.astype(int), "lost": lost.astype(int), "share": lost / n,
             "conf_low": [b[0] for b in bounds], "conf_high": [b[1] for b in bounds]}
        ),
        comparisons=comparisons,
        overall=float(lost.sum() / n.sum()),
        differential=float(comparisons["differential"].abs().max()),
        level=order[max(order.index(level) for level in comparisons["level"])],
        n_clusters=None if groups is None else groups[1],
        n_used=len(stays),
        n_excluded=0,
        method="loss by arm, WWC Standards Handbook 4.1 boundary",
        conf_level=conf_level,
    )  # fmt: skip


def loss_interval(
    lost: np.ndarray, mine: np.ndarray, groups: tuple[np.ndarray, int] | None, conf_level: float
) -> tuple[float, float]:
    """Wilson's interval of a loss, or the linearised one by school, cut at 0 and 1."""
    if groups is None:
        return binomial(int(lost[mine].sum()), int(mine.sum()), ci="wilson", conf_level=conf_level)
    code, schools = pd.factorize(groups[0][mine])
    found = share(lost[mine], np.ones(mine.sum()), weights=np.ones(mine.sum()), cluster=(code, len(schools)))
    if len(schools) < 2:
        return float("nan"), float("nan")
    low, high = wald(found.value, found.std_error, conf_level, found.df)
    return max(low, 0.0), min(high, 1.0)


def compare_losses(names: Sequence[str], n: np.ndarray, lost: np.ndarray) -> pd.DataFrame:
    """Each arm with the first: overall and differential loss, both limits, and the level."""
    rows = []
    for j in range(1, len(names)):
        overall = (lost[0] + lost[j]) / (n[0] + n[j])
        gap = lost[j] / n[j] - lost[0] / n[0]
        limits = [float(largest_difference(overall, assumption=name)) for name in ("cautious", "optimistic")]
        # Shares of whole pupils meet a limit of one decimal exactly now and then.
        within = [np.isfinite(limit) and abs(gap) <= limit + 1e-9 for limit in limits]
        level = "low" if within[0] else "tolerable" if within[1] else "high"
        rows.append({"arm": names[j], "overall": overall, "differential": gap, "cautious_limit": limits[0],
                     "optimistic_limit": limits[1], "level": level})  # fmt: skip
    return pd.DataFrame(rows)


def participant_flow(
    data: pd.DataFrame, *, stages: Mapping[str, object], arm: str, levels: Sequence[str] = ()
) -> pd.DataFrame:
    """Count pupils, and schools or classes with any of them, by arm at each stage of a trial.

    Parameters
    ----------
    data : DataFrame
        One row a pupil.
    stages : mapping of name -> column name
        Columns of 0/1 (reached the stage), in order: for example allocated, screened, consented, post-test, follow-up.
    arm : str
        Column of the arm.
    levels : sequence of str
        Columns of units above the pupil, for example ('school', 'class').

    Returns
    -------
    DataFrame
        Columns `stage, arm, pupils, <level>…, lost` (pupils fewer than at the stage before).

    Raises
    ------
    DataError
        A column lacking; a stage that is not 0/1.
    """
    where = "participant_flow"
    if lacking := [c for c in (*stages.values(), arm, *levels) if c not in data.columns]:
        raise DataError(f"{where}(data)", f"lacks the columns {', '.join(map(str, lacking))}")
    reached = {name: inputs.binary(data[column], where=where, name=name) == 1 for name, column in stages.items()}
    rows = []
    for which, people in data.reset_index(drop=True).groupby(arm, sort=True):
        before = None
        for name in stages:
            here = people[reached[name][people.index]]
            rows.append({"stage": name, "arm": which, "pupils": len(here), **{c: here[c].nunique() for c in levels},
                         "lost": 0 if before is None else before - len(here)})  # fmt: skip
            before = len(here)
    return pd.DataFrame(rows)

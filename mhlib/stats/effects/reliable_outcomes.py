"""What became of pupils, one by one: recovered, reliably better, unchanged, reliably worse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.reliable_thresholds import BETTER
from mhlib.stats.intervals import binomial
from mhlib.stats.measurement.school_sums import FEWEST_SCHOOLS, school_weights
from mhlib.stats.terms import term_frame

COUNTED = ("finished", "not_case_at_start", "recovered", "reliable_recovery", "improved", "unchanged", "worse")
# Recovery concerns those who could recover; the other outcomes all who finished.
OF_CASES = ("recovered", "reliable_recovery")
SHARES = COUNTED[2:]
MISSING_ARM = "all"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReliableChangeResult:
    """Six outcomes by arm, with shares of the right denominator, and differences between two arms.

    Attributes
    ----------
    table : DataFrame
        One row an arm and outcome: `arm, outcome, count, denominator, share, std_error, conf_low, conf_high`.
    differences : DataFrame
        With two arms: `outcome, difference, std_error, conf_low, conf_high, number_needed, needed_low, needed_high`
        (second arm minus first); empty otherwise. The bounds of a number needed are NaN where the difference may be 0.
    least_change, cutoff : float
        In score points.
    """

    table: pd.DataFrame
    differences: pd.DataFrame
    least_change: float
    cutoff: float
    better: str
    n_clusters: int | None
    n_boot: int | None
    seed: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `<outcome>` or `<arm>: <outcome>` and `difference: <outcome>`; extra `count, denominator, number_needed`."""
        rows = []
        for row in self.table.to_dict("records"):
            arm = "" if row["arm"] == MISSING_ARM else f"{row['arm']}: "
            rows.append({**row, "term": arm + row["outcome"], "estimate": row["share"]})
        for row in self.differences.to_dict("records"):
            rows.append({**row, "term": "difference: " + row["outcome"], "estimate": row["difference"]})
        return term_frame(
            [{k: v for k, v in row.items() if k not in ("share", "difference", "arm", "outcome")} for row in rows]
        )


def reliable_change(
    before: object,
    after: object,
    *,
    cutoff: float,
    least_change: float,
    better: str = "lower",
    arm: object = None,
    arms: Sequence[object] | None = None,
    cluster: object = None,
    n_boot: int = 2000,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> ReliableChangeResult:
    """Count the outcomes that NHS Talking Therapies publishes, by arm.

    Parameters
    ----------
    before, after : array-like, shape (n,)
        Scores in points at the start and the end.
    cutoff : float
        Case when score >= cutoff (score <= cutoff when higher is better).
    least_change : float
        A change of at least this size is reliable; :func:`jacobson_truax` gives 1.96 S_diff, a service may fix its own.
    better : {'lower', 'higher'}
    arm : array-like, shape (n,), optional
        Arm of each pupil.
    arms : sequence of two, optional
        Comparison arm first, programme second; sorted order when absent and two arms exist.
    cluster : array-like, shape (n,), optional
        School; intervals then come from whole schools drawn again. With fewer than ten schools counts stand alone,
        without interval, and `method` says so.
    n_boot, seed : int
        Resamples and their seed, with `cluster` only.
    conf_level : float

    Returns
    -------
    ReliableChangeResult
        `n_excluded` counts pupils without a score at either end; they did not finish. Change is not causal without a
        comparison arm: show :func:`regression_to_mean` beside it.

    Raises
    ------
    DataError
        Columns of different lengths, text, a pupil without arm or school.
    DesignError
        Nobody with both scores.
    ParamsError
        An unknown direction, a least change of 0 or less, an arm that is not there, schools without a seed.

    Notes
    -----
    Recovered = case at the start and none at the end, out of cases at the start; reliable recovery = recovered and
    reliably improved, same denominator; improved, unchanged and worse out of all who finished.
    Wilson's interval without schools, and where a share is exactly 0 or 1 (no resample can differ there).
    References: Jacobson & Truax (1991); NHS Talking Therapies annual report 2014-15, whose shares the tests rebuild.
    """
    where = "reliable_change"
    inputs.one_of(better, BETTER, where=where, name="better")
    if not least_change > 0:
        raise ParamsError(
            f"{where}(least_change)", "is not above 0", allowed="points above 0", remedy="see jacobson_truax"
        )
    inputs.same_length(where, before=before, after=after, arm=arm, cluster=cluster)
    start, end = (inputs.numeric(v, where=where, name=n) for v, n in ((before, "before"), (after, "after")))
    kept = ~(np.isnan(start) | np.isnan(end))
    if not kept.any():
        raise DesignError(where, "no pupil has both scores", remedy="collect a second wave")
    who, names = arm_codes(arm, arms, len(start), where=where)
    code, n_clusters = (
        (np.zeros(len(start), int), 1) if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    )
    flags = outcome_flags(start[kept], end[kept], cutoff=cutoff, least_change=least_change, better=better)
    counts = counts_by_cluster(flags, who[kept], code[kept], len(names), n_clusters)
    return reliable_change_from_counts(
        counts,
        arms=names,
        clustered=cluster is not None,
        cutoff=cutoff,
        least_change=least_change,
        better=better,
        n_boot=n_boot,
        seed=seed,
        conf_level=conf_level,
        n_excluded=int((~kept).sum()),
    )


def arm_codes(arm: object, arms: Sequence[object] | None, n: int, *, where: str) -> tuple[np.ndarray, list[str]]:
    """Code of each row's arm in the order asked for, and the arms' names."""
    if arm is None:
        return np.zeros(n, dtype=int), [MISSING_ARM]
    column = pd.Series(arm).reset_index(drop=True)
    if n_missing := int(column.isna().sum()):
        raise DataError(f"{where}(arm)", f"{n_missing} of {n} rows name no arm", allowed="an arm for every row")
    order = list(arms) if arms is not None else sorted(column.unique())
    code = pd.Index(order).get_indexer(column)
    if (code < 0).any() or len(set(code)) != len(order):
        raise ParamsError(f"{where}(arms)", "do not match the arms in the data", allowed="every arm in the data, once")
    return code, [str(name) for name in order]


def outcome_flags(start: np.ndarray, end: np.ndarray, *, cutoff: float, least_change: float, better: str) -> np.ndarray:
    """0/1 of :data:`COUNTED` by row, shape (n, 7)."""
    sign = 1 if better == "lower" else -1
    case, still = sign * start >= sign * cutoff, sign * end >= sign * cutoff
    gain = sign * (start - end)
    # Scores are whole or halved points; a hair's breadth keeps 32.5 - 23.2 from failing a least change of 9.3.
    improved, worse = gain >= least_change - 1e-9, gain <= -least_change + 1e-9
    recovered = case & ~still
    every = np.ones(len(start), dtype=bool)
    return np.column_stack([every, ~case, recovered, recovered & improved, improved, ~improved & ~worse, worse]).astype(
        float
    )


def counts_by_cluster(flags: np.ndarray, who: np.ndarray, code: np.ndarray, n_arms: int, n_clusters: int) -> np.ndarray:
    """Sums of the flags by school and arm, shape (g, arms, 7)."""
    cell = code * n_arms + who
    sums = [np.bincount(cell, weights=flags[:, j], minlength=n_clusters * n_arms) for j in range(flags.shape[1])]
    return np.stack(sums, axis=1).reshape(n_clusters, n_arms, -1)


def reliable_change_from_counts(
    counts: object,
    *,
    arms: Sequence[str] = (MISSING_ARM,),
    clustered: bool = False,
    cutoff: float = math.nan,
    least_change: float = math.nan,
    better: str = "lower",
    n_boot: int = 2000,
    seed: int | None = None,
    conf_level: float = 0.95,
    n_excluded: int = 0,
) -> ReliableChangeResult:
    """Shares of the six outcomes from their counts.

    Parameters
    ----------
    counts : array-like of counts, shape (g, arms, 7)
        By school and arm: finished, not a case at the start, recovered, reliable recovery, improved, unchanged, worse.
        Published totals may leave some outcomes undetermined, so the last three need not add up to the first.
    arms : sequence of str
    clustered : bool
        Whether the first axis holds schools that can be drawn again.
    cutoff, least_change, better, n_boot, seed, conf_level, n_excluded
        As in :func:`reliable_change`; the first three are only carried into the record.

    Returns
    -------
    ReliableChangeResult
        The same digits as :func:`reliable_change` on the rows.

    Raises
    ------
    DataError
        Counts that contradict each other.
    ParamsError
        Schools without a seed.
    """
    where = "reliable_change_from_counts"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    table = checked_outcomes(counts, len(arms), where=where)
    occupied = table[table[:, :, 0].sum(axis=1) > 0]
    total, drawn = occupied.sum(axis=0), None
    if clustered and len(occupied) >= FEWEST_SCHOOLS:
        weights = school_weights(len(occupied), n_boot=n_boot, seed=seed, where=where)
        drawn = (weights @ occupied.reshape(len(occupied), -1)).reshape(len(weights), *total.shape)
    why = "Wilson intervals" if not clustered else f"{n_boot} resamples of {len(occupied)} schools"
    if clustered and drawn is None:
        why = f"no interval: {len(occupied)} schools are too few to draw again"
    return ReliableChangeResult(
        table=share_table(total, drawn, arms, clustered, conf_level),
        differences=difference_table(total, drawn, clustered, conf_level) if len(arms) == 2 else pd.DataFrame(),
        least_change=float(least_change),
        cutoff=float(cutoff),
        better=better,
        n_clusters=len(occupied) if clustered else None,
        n_boot=None if drawn is None else int(n_boot),
        seed=None if drawn is None else seed,
        n_used=int(total[:, 0].sum()),
        n_excluded=n_excluded,
        method=f"six outcomes of reliable change, {why}",
        conf_level=conf_level,
    )


def checked_outcomes(counts: object, n_arms: int, *, where: str) -> np.ndarray:
    """Counts as floats, shape (g, arms, 7), if they can come from pupils."""
    table = np.asarray(counts, dtype=float)
    if table.shape == (len(COUNTED),):
        table = table[None, None]
    if table.ndim != 3 or table.shape[1:] != (n_arms, len(COUNTED)):
        raise DataError(f"{where}(counts)", f"has shape {table.shape}", allowed=f"(schools, {n_arms}, {len(COUNTED)})")
    finished, not_case, recovered, reliable, improved, unchanged, worse = np.moveaxis(table, 2, 0)
    wrong = not np.isfinite(table).all() or (table < 0).any()
    if wrong or ((not_case + recovered > finished) | (reliable > recovered) | (reliable > improved)
                 | (improved + unchanged + worse > finished)).any():  # fmt: skip
        raise DataError(f"{where}(counts)", "contradict each other, are negative or missing")
    return table


def shares_of(total: np.ndarray) -> np.ndarray:
    """Shares of :data:`SHARES` on the last axis."""
    cases = total[..., 0] - total[..., 1]
    below = np.stack([cases if name in OF_CASES else total[..., 0] for name in SHARES], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, total[..., 2:] / below, np.nan)


def share_table(
    total: np.ndarray, drawn: np.ndarray | None, arms: Sequence[str], clustered: bool, conf_level: float
) -> pd.DataFrame:
    """Counts, denominators and shares with their intervals, a row an arm and outcome."""
    shares, rows = shares_of(total), []
    for j, arm in enumerate(arms):
        rows += [{"arm": arm, "outcome": name, "count": int(total[j, k]), "denominator": int(total[j, 0]), "share": math.nan}
                 for k, name in enumerate(COUNTED[:2])]  # fmt: skip
        for k, name in enumerate(SHARES):
            n = int(total[j, 0] - (total[j, 1] if name in OF_CASES else 0))
            x, p = int(total[j, k + 2]), float(shares[j, k])
            bounds = {"std_error": math.nan, "conf_low": math.nan, "conf_high": math.nan}
            if drawn is not None and 0 < p < 1:
                bounds = percentiles(shares_of(drawn)[:, j, k], conf_level)
            elif n and (not clustered or drawn is not None):
                low, high = binomial(x, n, ci="wilson", conf_level=conf_level)
                bounds = {"std_error": math.sqrt(p * (1 - p) / n), "conf_low": low, "conf_high": high}
            rows.append({"arm": arm, "outcome": name, "count": x, "denominator": n, "share": p, **bounds})
    return pd.DataFrame(rows)


def percentiles(drawn: np.ndarray, conf_level: float) -> dict[str, float]:
    """Spread and percentiles of resampled values; those that do not exist are passed over."""
    low, high = np.nanquantile(drawn, [(1 - conf_level) / 2, (1 + conf_level) / 2])
    return {"std_error": float(np.nanstd(drawn, ddof=1)), "conf_low": float(low), "conf_high": float(high)}


def difference_table(total: np.ndarray, drawn: np.ndarray | None, clustered: bool, conf_level: float) -> pd.DataFrame:
    """Second arm minus first for each outcome, with the number needed; Newcombe's interval without schools."""
    shares, rows = shares_of(total), []
    for k, name in enumerate(SHARES):
        gap = float(shares[1, k] - shares[0, k])
        bounds = {"std_error": math.nan, "conf_low": math.nan, "conf_high": math.nan}
        if drawn is not None:
            resampled = shares_of(drawn)
            bounds = percentiles(resampled[:, 1, k] - resampled[:, 0, k], conf_level)
        elif not clustered and np.isfinite(gap):
            bounds = newcombe(total, k, conf_level)
        rows.append({"outcome": name, "difference": gap, **bounds, **number_needed(gap, bounds)})
    return pd.DataFrame(rows)


def newcombe(total: np.ndarray, k: int, conf_level: float) -> dict[str, float]:
    """Hybrid-score interval of a difference of two independent shares (Newcombe 1998, method 10)."""
    n = total[:, 0] - (total[:, 1] if SHARES[k] in OF_CASES else 0)
    p = total[:, k + 2] / n
    (l0, u0), (l1, u1) = (binomial(int(total[j, k + 2]), int(n[j]), ci="wilson", conf_level=conf_level) for j in (0, 1))
    gap = p[1] - p[0]
    return {
        "std_error": float(np.sqrt((p * (1 - p) / n).sum())),
        "conf_low": float(gap - math.hypot(p[1] - l1, u0 - p[0])),
        "conf_high": float(gap + math.hypot(u1 - p[1], p[0] - l0)),
    }


def number_needed(gap: float, bounds: dict[str, float]) -> dict[str, float]:
    """Pupils to serve for one more (or, when negative, one fewer) with the outcome; no bounds across zero."""
    clear = bounds["conf_low"] * bounds["conf_high"] > 0
    return {
        "number_needed": 1 / gap if gap else math.nan,
        "needed_low": 1 / bounds["conf_high"] if clear else math.nan,
        "needed_high": 1 / bounds["conf_low"] if clear else math.nan,
    }

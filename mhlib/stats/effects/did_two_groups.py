"""Difference-in-differences of two groups, before and after."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.effects.did_record import DidResult
from mhlib.stats.effects.did_refusals import one_term_before_check
from mhlib.stats.effects.robust_fit import ESTIMANDS, cluster_robust

GROUPS, TIMES = ("comparison", "treated"), ("before", "after")


def did(
    data: pd.DataFrame,
    *,
    outcome: str,
    treated: str,
    post: str,
    cluster: str,
    unit: str | None = None,
    covariates: tuple[str, ...] | list[str] | None = None,
    estimand: str = "pupil",
    conf_level: float = 0.95,
) -> DidResult | Refused:
    """Change of the treated less change of the comparison, with CR2 errors and Satterthwaite df by school.

    Parameters
    ----------
    data : DataFrame, a row a pupil and wave
        Rows without outcome, group, wave or covariate are left out and counted; with `unit` so are pupils seen on one
        side only.
    outcome, treated, post, cluster : str
        `treated` and `post` are 0 and 1; `cluster` is the school or class that was allocated.
    unit : str, optional
        Column of pupils who were measured before and after: the change of each is compared. Without it the waves are
        taken as different pupils of the same schools (repeated cross-section).
    covariates : sequence of str, optional
        Numeric or text columns. With `unit` their first value before, related to the change.
    estimand : {'pupil', 'school'}
        Every pupil, or every school (before and after alike), weighs the same.
    conf_level : float

    Returns
    -------
    DidResult or Refused
        Refused (`one_cluster`, `one_cluster_in_arm`) where no error can be had.

    Raises
    ------
    DataError
        Columns the table lacks; values other than 0 and 1; no complete row.
    DesignError
        A group or wave without rows, no pupil seen before and after, a group that changes within a pupil.

    Notes
    -----
    y = a + b treated + c post + d treated x post (+ covariates), least squares; d is the effect. With `unit`:
    change = c + d treated. Reference: Angrist & Pischke (2009) section 5.2. With one term before, parallel trends cannot
    be tested: the record carries a check that says so.
    Checked against: tests/oracle/did_values.csv (R, clubSandwich).
    """
    where, given = "did", tuple(covariates or ())
    inputs.one_of(estimand, tuple(ESTIMANDS), where=where, name="estimand")
    if reserved := {"y", "treated", "post", "effect", "weight", "school", "pupil"} & (set(given) - {outcome}):
        raise ParamsError(f"{where}(covariates)", f"names kept for the model: {', '.join(sorted(reserved))}",
                          remedy="rename these columns")  # fmt: skip
    rows = model_rows(data, outcome, treated, post, cluster, unit, given, where=where)
    cells, means = cell_table(rows, estimand)
    demand_cells(cells, where=where)
    adjusted = "".join(f" + `{name}`" for name in given)
    if unit is None:
        weight = None
        if estimand == "school":
            rows["weight"] = 1 / rows.groupby(["school", "post"])["y"].transform("size")
            weight = "weight"
        fit = cluster_robust(f"y ~ treated + post + effect{adjusted}", rows, cluster="school", weights=weight,
                             arm="treated", conf_level=conf_level)  # fmt: skip
        kept = rows
    else:
        kept, changes = changes_of(rows, given, where=where)
        cells, means = cell_table(kept, estimand)
        fit = cluster_robust(f"y ~ effect{adjusted}", changes, cluster="school", estimand=estimand, arm="effect",
                             conf_level=conf_level)  # fmt: skip
    if isinstance(fit, Refused):
        return fit
    gap = float(means[1, 0] - means[0, 0])
    at = fit.position("effect")
    design = "repeated cross-section" if unit is None else "panel"
    return DidResult(
        **{one: float(getattr(fit, many)[at]) for one, many in
           (("estimate", "estimates"), ("std_error", "std_errors"), ("df", "df"), ("p_value", "p_values"),
            ("conf_low", "conf_low"), ("conf_high", "conf_high"))},
        means=means,
        rows=cells,
        baseline_gap=gap,
        estimand=estimand,
        design=design,
        refusals={"effect": fit.refusals["effect"]} if "effect" in fit.refusals else {},
        checks=(*fit.checks, one_term_before_check(gap, float(kept["y"].std()))),
        fit=fit,
        n_clusters=fit.n_clusters,
        n_used=len(kept),
        n_excluded=len(data) - len(kept),
        method=f"difference-in-differences, {design}, {ESTIMANDS[estimand]}, CR2 by {fit.n_clusters} clusters, "
        "Satterthwaite df",
        conf_level=conf_level,
    )  # fmt: skip


def model_rows(
    data: pd.DataFrame, outcome: str, treated: str, post: str, cluster: str, unit: str | None, covariates: tuple, *,
    where: str,
) -> pd.DataFrame:  # fmt: skip
    """Complete rows under the model's own names: y, treated, post, effect, school, pupil, covariates."""
    named = [outcome, treated, post, cluster, *([unit] if unit else []), *covariates]
    if lacking := [name for name in dict.fromkeys(named) if name not in data.columns]:
        raise DataError(where, f"the table has no column {', '.join(lacking)}", allowed="columns of the table")
    rows = pd.DataFrame(
        {
            "y": inputs.numeric(data[outcome], where=where, name=outcome),
            "treated": inputs.binary(data[treated], where=where, name=treated),
            "post": inputs.binary(data[post], where=where, name=post),
            "school": data[cluster].to_numpy(),
        }
    )
    if unit is not None:
        rows["pupil"] = data[unit].to_numpy()
    for name in covariates:
        rows[name] = data[name].to_numpy()
    seen = rows[["y", "treated", "post", *covariates]].notna().all(axis=1)
    rows = rows[seen].assign(effect=lambda table: table["treated"] * table["post"])
    if rows.empty:
        raise DataError(where, "no row is complete", allowed="rows with outcome, group, wave and covariates")
    return rows


def cell_table(rows: pd.DataFrame, estimand: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows and mean outcome of [comparison, treated] by [before, after]."""
    counts, means = np.zeros((2, 2), dtype=int), np.full((2, 2), np.nan)
    table = rows
    if estimand == "school":
        table = rows.groupby(["school", "treated", "post"], as_index=False)["y"].mean()
    for (g, t), each in rows.groupby(["treated", "post"])["y"]:
        counts[int(g), int(t)] = len(each)
    for (g, t), each in table.groupby(["treated", "post"])["y"]:
        means[int(g), int(t)] = each.mean()
    return counts, means


def demand_cells(counts: np.ndarray, *, where: str) -> None:
    """Refuse a design in which one of the four cells is empty."""
    empty = [f"{GROUPS[g]} {TIMES[t]}" for g in (0, 1) for t in (0, 1) if counts[g, t] == 0]
    if empty:
        raise DesignError(
            where,
            f"nobody is measured here: {', '.join(empty)}",
            allowed="both groups before and after",
            remedy="add the wave or the group that is lacking; without it the change cannot be compared",
        )


def changes_of(rows: pd.DataFrame, covariates: tuple, *, where: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of pupils seen before and after, and a row of change for each."""
    if n_missing := int(rows["pupil"].isna().sum()):
        raise DataError(f"{where}(unit)", f"{n_missing} rows name no pupil", allowed="a pupil for every row")
    by_pupil = rows.groupby("pupil", sort=False)
    fixed = by_pupil[["treated", "school"]].nunique(dropna=False).max()
    if (fixed > 1).any():
        raise DesignError(
            f"{where}(unit)",
            f"some pupils change {' and '.join(fixed.index[fixed > 1])} between waves",
            allowed="the group and school at allocation for every wave",
            remedy="carry the first group and school forward (intention to treat)",
        )
    kept = rows[by_pupil["post"].transform("nunique") == 2]
    if kept.empty:
        raise DesignError(
            f"{where}(unit)",
            "no pupil was measured before and after",
            allowed="pupils in both waves",
            remedy="leave `unit` out: the waves are then compared as different pupils",
        )
    means = kept.pivot_table(index="pupil", columns="post", values="y", aggfunc="mean", sort=False)
    first = kept.sort_values("post", kind="stable").groupby("pupil", sort=False).first()
    changes = first[["treated", "school", *covariates]].rename(columns={"treated": "effect"})
    return kept, changes.assign(y=means[1.0] - means[0.0]).reset_index()

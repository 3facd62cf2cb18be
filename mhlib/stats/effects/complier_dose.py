"""Sessions attended against the outcome, within schools: a description of who came, not an effect of coming."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Check, Refused
from mhlib.stats import inputs
from mhlib.stats.effects.complier_record import DoseResponseResult
from mhlib.stats.effects.complier_refusals import as_treated_check, straight_check, thin_levels_check
from mhlib.stats.effects.robust_contrasts import joint_test
from mhlib.stats.effects.robust_fit import cluster_robust
from mhlib.stats.effects.robust_record import ClusterRobustResult

MOST_LEVELS, THIN = 15, 10
DIRECTIONS = ("falls", "rises")


def dose_response(
    data: pd.DataFrame,
    *,
    outcome: str,
    dose: str,
    baseline: str,
    cluster: str,
    knots: Sequence[float] = (),
    expected: str = "falls",
    conf_level: float = 0.95,
) -> DoseResponseResult | Refused:
    """Outcome by sessions attended, adjusted for the baseline, with a fixed effect for each school.

    Parameters
    ----------
    data : DataFrame, one row a pupil who was offered the programme
        Rows without outcome, dose or baseline are left out and counted.
    outcome, dose, baseline : str
        Numbers; the dose in sessions (or hours), 0 or more.
    cluster : str
        School: its fixed effect takes out what schools differ in, and errors are by school.
    knots : sequence of float
        Doses at which the slope may change, within the range observed.
    expected : {'falls', 'rises'}
        Which way the outcome should go with more sessions, decided before looking: for the monotone curve.
    conf_level : float

    Returns
    -------
    DoseResponseResult or Refused
        Refused (`one_cluster`) where no error can be had.

    Raises
    ------
    DataError
        Columns the table lacks, negative doses, no complete row.
    DesignError
        A dose (or a piece of it between knots) that does not vary within any school; columns made from each other.
    ParamsError
        Knots outside the doses observed or not in order.

    Notes
    -----
    y = school + b dose + c baseline, least squares with CR2 by school; with knots b differs by piece. Levels: school + one
    mean a number of sessions + c baseline. Monotone: pool adjacent violators, weights the pupils (Barlow et al. 1972). It is
    as treated: labelled confounded always. Reference: Maric et al. (2014) J Consult Clin Psychol 82:1; Hernán & Robins (2020).
    Checked against: tests/oracle/weights_dose.csv (R lm, clubSandwich, isoreg).
    """
    where = "dose_response"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    inputs.one_of(expected, DIRECTIONS, where=where, name="expected")
    rows = dose_rows(data, outcome, dose, baseline, cluster, where=where)
    knots = checked_knots(knots, rows["dose"].to_numpy(), where=where)
    line = cluster_robust("y ~ dose + baseline", rows, cluster="school", absorb="school", conf_level=conf_level)
    if isinstance(line, Refused):
        return line
    fits, checks = [(("dose",), ("dose",), line)], [*line.checks, as_treated_check()]
    if knots:
        pieces, names = piece_columns(rows, knots)
        fit = cluster_robust(f"y ~ {' + '.join(pieces.columns)} + baseline", rows.join(pieces), cluster="school",
                             absorb="school", conf_level=conf_level)  # fmt: skip
        fits.append((tuple(pieces.columns), names, fit))
        checks.append(bend_test(rows, knots, conf_level))
    levels = level_table(rows, expected, conf_level)
    if len(levels):
        checks.append(thin_levels_check(int((levels["n"] < THIN).sum())))
    return DoseResponseResult(
        **slopes_of(fits),
        levels=levels,
        departure=float((levels["difference"] - levels["monotone"]).abs().max()) if len(levels) else math.nan,
        design="as treated, confounded",
        refusals={name: fit.refusals[column] for columns, names, fit in fits
                  for column, name in zip(columns, names, strict=True) if column in fit.refusals},
        checks=tuple(checks),
        fit=line,
        n_clusters=line.n_clusters,
        n_used=len(rows),
        n_excluded=len(data) - len(rows),
        method=f"least squares with school fixed effects, CR2 by {line.n_clusters} clusters, as treated",
        conf_level=conf_level,
    )  # fmt: skip


def dose_rows(data: pd.DataFrame, outcome: str, dose: str, baseline: str, cluster: str, *, where: str) -> pd.DataFrame:
    """Complete rows under the model's own names: y, dose, baseline, school."""
    named = {"y": outcome, "dose": dose, "baseline": baseline}
    if lacking := [name for name in (*named.values(), cluster) if name not in data.columns]:
        raise DataError(where, f"the table has no column {', '.join(lacking)}", allowed="columns of the table")
    rows = pd.DataFrame({own: inputs.numeric(data[name], where=where, name=name) for own, name in named.items()})
    rows = rows.assign(school=data[cluster].to_numpy())
    rows = rows[rows[["y", "dose", "baseline"]].notna().all(axis=1)].reset_index(drop=True)
    if rows.empty:
        raise DataError(where, "no row is complete", allowed="rows with outcome, dose and baseline")
    if n_negative := int((rows["dose"] < 0).sum()):
        raise DataError(f"{where}({dose})", f"{n_negative} values are negative", allowed="sessions or hours, 0 or more")
    if rows["dose"].groupby(rows["school"]).nunique().max() < 2:
        raise DesignError(f"{where}({dose})", "is the same for all pupils of each school",
                          allowed="pupils of one school who attended more and fewer sessions",
                          remedy="record attendance by pupil; doses of whole schools are compared by cluster_robust")  # fmt: skip
    return rows


def checked_knots(knots: Sequence[float], dose: np.ndarray, *, where: str) -> tuple[float, ...]:
    """Knots that rise and lie within the doses observed."""
    found = tuple(float(knot) for knot in knots)
    inside = all(dose.min() < knot < dose.max() for knot in found)
    if not inside or any(a >= b for a, b in pairwise(found)):
        raise ParamsError(f"{where}(knots)", "do not rise, or lie outside the doses observed", allowed="as (4, 8)")
    return found


def piece_columns(rows: pd.DataFrame, knots: tuple[float, ...]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The part of the dose that falls into each piece, and the name of its slope."""
    edges, dose = (0.0, *knots, math.inf), rows["dose"].to_numpy()
    columns = {f"piece{i}": np.clip(dose, low, high) - low for i, (low, high) in
               enumerate(pairwise(edges))}  # fmt: skip
    middle = [f"dose {low:g} to {high:g}" for low, high in pairwise(knots)]
    return pd.DataFrame(columns), (f"dose to {knots[0]:g}", *middle, f"dose from {knots[-1]:g}")


def bend_test(rows: pd.DataFrame, knots: tuple[float, ...], conf_level: float) -> Check:
    """Whether the slope changes at any knot, by the joint test HTZ."""
    bends = pd.DataFrame({f"bend{i}": np.maximum(rows["dose"] - knot, 0.0) for i, knot in enumerate(knots)})
    fit = cluster_robust(f"y ~ dose + {' + '.join(bends.columns)} + baseline", rows.join(bends), cluster="school",
                         absorb="school", conf_level=conf_level)  # fmt: skip
    return straight_check(joint_test(fit, list(bends.columns)).p_value)


def level_table(rows: pd.DataFrame, expected: str, conf_level: float) -> pd.DataFrame:
    """Adjusted difference of each number of sessions from the lowest, and the nearest curve that never turns."""
    counts = rows["dose"].value_counts().sort_index()
    if not 2 <= len(counts) <= MOST_LEVELS:
        return pd.DataFrame(columns=["dose", "n", "difference", "std_error", "conf_low", "conf_high", "monotone"])
    dummies = pd.DataFrame({f"level{i}": (rows["dose"] == one) * 1.0 for i, one in enumerate(counts.index) if i})
    fit = cluster_robust(f"y ~ {' + '.join(dummies.columns)} + baseline", rows.join(dummies), cluster="school",
                         absorb="school", conf_level=conf_level)  # fmt: skip
    at = [fit.position(name) for name in dummies.columns]
    table = pd.DataFrame({"dose": counts.index, "n": counts.to_numpy(), "difference": np.r_[0.0, fit.estimates[at]]})
    for name, many in (("std_error", "std_errors"), ("conf_low", "conf_low"), ("conf_high", "conf_high")):
        table[name] = np.r_[math.nan, getattr(fit, many)[at]]
    curve = isotonic_regression(table["difference"], weights=table["n"].astype(float), increasing=expected == "rises")
    return table.assign(monotone=curve.x)


def slopes_of(fits: list[tuple[tuple[str, ...], tuple[str, ...], ClusterRobustResult]]) -> dict[str, object]:
    """Slopes of the straight line, then those of the pieces."""
    many = ("estimates", "std_errors", "df", "conf_low", "conf_high", "p_values")
    places = [(fit, [fit.position(column) for column in columns]) for columns, _, fit in fits]
    found = {name: np.concatenate([getattr(fit, name)[at] for fit, at in places]) for name in many}
    return {"terms": tuple(name for _, names, _ in fits for name in names), **found}

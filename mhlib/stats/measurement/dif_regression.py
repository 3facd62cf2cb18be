"""Logistic and ordinal item bias: tests of the model ladder, gains in explained variation, odds ratios by group."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.stats.intervals import critical
from mhlib.stats.measurement import dif_classes as classes
from mhlib.stats.measurement.dif_counts import Tables
from mhlib.stats.measurement.dif_ordinal import Fit, Ladder, ladders, robust_covariance
from mhlib.stats.measurement.dif_rule import Rule

STEPS = {"uniform": (0, 1), "nonuniform": (1, 2), "both": (0, 2)}


def regressions(tables: Tables, rule: Rule) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row an item, and one row an item and focal group."""
    rows, groups = [], []
    for found in ladders(tables):
        rows.append(ladder_rows(found, tables, rule))
        groups.append(group_rows(found, tables, rule))
    table = pd.concat(rows).sort_index()
    by_group = pd.concat(groups).sort_values(["item", "group"], ignore_index=True)
    return table, by_group


def ladder_rows(found: Ladder, tables: Tables, rule: Rule) -> pd.DataFrame:
    """Tests, gains and classes of the items of one ladder."""
    step = found.n_groups - 1
    df = {"uniform": step, "nonuniform": step, "both": 2 * step}
    columns: dict[str, object] = {}
    for name, (first, second) in STEPS.items():
        columns[f"chi2_{name}"] = np.maximum(2 * (found.fits[second].loglik - found.fits[first].loglik), 0)
        columns[f"df_{name}"] = df[name]
        columns[f"p_{name}"] = stats.chi2.sf(columns[f"chi2_{name}"], df[name])
    if tables.by_cluster is not None:
        columns |= robust_tests(found, tables, df)
    for name, (first, second) in STEPS.items():
        before, after = (found.fits[i].loglik for i in (first, second))
        columns[f"nagelkerke_{name}"] = nagelkerke(found, after) - nagelkerke(found, before)
        columns[f"mcfadden_{name}"] = (after - before) / -found.null_loglik
    p_value, gain = columns[f"p_{rule.test}"], columns[f"nagelkerke_{rule.test}"]
    ratio, error = (np.array(part) for part in uniform_ratio(found, tables))
    z = critical(rule.conf_level)
    lead = {
        "estimate": np.exp(ratio), "std_error": error, "conf_low": np.exp(ratio - z * error),
        "conf_high": np.exp(ratio + z * error), "p_value": p_value, "p_holm": np.nan, "p_bh": np.nan,
    }  # fmt: skip
    tail = {
        "effect_class": classes.jodoin_gierl_class(gain, p_value), "class_rule": "Nagelkerke gain",
        "zumbo_class": classes.zumbo_class(gain, p_value), "n_answers": found.n_cuts + 1,
        "design_effect": columns.pop("design_effect", np.nan),
        "at_edge": np.any([fit.at_edge for fit in found.fits], axis=0),
    }  # fmt: skip
    return pd.DataFrame({**lead, **columns, **tail}, index=found.items)


def nagelkerke(found: Ladder, loglik: np.ndarray) -> np.ndarray:
    """Nagelkerke's (1991) R2 over the model without level and group."""
    return np.expm1(-2 * (loglik - found.null_loglik) / found.n) / np.expm1(2 * found.null_loglik / found.n)


def robust_tests(found: Ladder, tables: Tables, df: dict[str, int]) -> dict[str, np.ndarray]:
    """Cluster-robust Wald tests in place of the likelihood-ratio p values: F with df and g - 1."""
    step, n_clusters = found.n_groups - 1, tables.n_clusters
    tests = {name: np.full(len(found.items), np.nan) for name in ("uniform", "nonuniform", "both")}
    effect = np.full(len(found.items), np.nan)
    for position, item in enumerate(found.items):
        group = found.n_cuts + 1 + np.arange(step)
        for name, fit, which in (
            ("uniform", found.fits[1], group),
            ("nonuniform", found.fits[2], group + step),
            ("both", found.fits[2], np.concatenate([group, group + step])),
        ):
            robust = robust_covariance(fit, position, tables.by_cluster[item])
            tests[name][position] = wald(fit.params[position, which], robust[np.ix_(which, which)])
            if name == "uniform":
                plain = np.linalg.inv(fit.information[position])
                effect[position] = np.trace(np.linalg.solve(plain[np.ix_(group, group)], robust[np.ix_(group, group)]))
    found_p = {f"p_{name}": stats.f.sf(value / df[name], df[name], n_clusters - 1) for name, value in tests.items()}
    return {**{f"wald_{name}": value for name, value in tests.items()}, **found_p, "design_effect": effect / step}


def wald(estimate: np.ndarray, covariance: np.ndarray) -> float:
    """Wald statistic b' V^-1 b, NaN when V is singular (fewer clusters than terms)."""
    if np.linalg.matrix_rank(covariance) < len(estimate):
        return math.nan
    return float(estimate @ np.linalg.solve(covariance, estimate))


def uniform_ratio(found: Ladder, tables: Tables) -> tuple[list[float], list[float]]:
    """Log odds ratio of the focal group and its error; NaN with more than one focal group."""
    if found.n_groups > 2:
        return [math.nan] * len(found.items), [math.nan] * len(found.items)
    pairs = [slope(found, tables, position)[0] for position in range(len(found.items))]
    return tuple(map(list, zip(*pairs, strict=True)))


def slope(found: Ladder, tables: Tables, position: int) -> list[tuple[float, float]]:
    """Log odds ratio and error of each focal group of one item; NaN where the slope ran away."""
    fit: Fit = found.fits[1]
    if fit.at_edge[position]:
        return [(math.nan, math.nan)] * (found.n_groups - 1)
    if tables.by_cluster is None:
        covariance = np.linalg.inv(fit.information[position])
    else:
        covariance = robust_covariance(fit, position, tables.by_cluster[found.items[position]])
    first = found.n_cuts + 1
    return [(float(fit.params[position, j]), math.sqrt(covariance[j, j])) for j in range(first, len(covariance))]


def group_rows(found: Ladder, tables: Tables, rule: Rule) -> pd.DataFrame:
    """Odds ratio of every focal group for the items of one ladder."""
    z, rows = critical(rule.conf_level), []
    df = math.inf if tables.n_clusters is None else tables.n_clusters - 1
    for position, item in enumerate(found.items):
        for focal, (value, error) in enumerate(slope(found, tables, position), start=1):
            p_value = 2 * float(
                stats.norm.sf(abs(value / error)) if math.isinf(df) else stats.t.sf(abs(value / error), df)
            )
            rows.append(
                {
                    "item": int(item), "group": focal, "estimate": math.exp(value), "std_error": error,
                    "conf_low": math.exp(value - z * error), "conf_high": math.exp(value + z * error), "p_value": p_value,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)

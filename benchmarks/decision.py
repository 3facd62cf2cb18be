"""Groups, net benefit and calibration at 130,000 pupils, beside the loops one would write."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from mhlib.stats.accuracy import calibration, cutoffs_by_group, decision_curve, subgroup_accuracy

PUPILS, SCHOOLS = 130_000, 129


def data(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    score = np.clip(np.round(rng.gamma(2.0, 3.5, n)), 0, 27)
    risk = 1 / (1 + np.exp(4.5 - 0.22 * score - 0.3 * rng.normal(size=n)))
    return pd.DataFrame(
        {
            "score": score,
            "risk": risk,
            "other": np.clip(risk * rng.uniform(0.7, 1.3, n), 0, 1),
            "case": (rng.random(n) < risk).astype(int),
            "group": rng.integers(0, 6, n),
            "school": rng.integers(0, SCHOOLS, n),
        }
    )


def pandas_grid(rows: pd.DataFrame) -> pd.DataFrame:
    """What one writes: for each cut-off and group the four cells, then the shares."""
    found = []
    for cutoff in np.unique(rows["score"]):
        test = rows["score"] >= cutoff
        for group, part in rows.assign(test=test).groupby("group"):
            cells = part.groupby(["test", "case"]).size()
            tp, fn = cells.get((True, 1), 0), cells.get((False, 1), 0)
            tn, fp = cells.get((False, 0), 0), cells.get((True, 0), 0)
            found.append((group, cutoff, tp / (tp + fn), tn / (tn + fp)))
    return pd.DataFrame(found, columns=["group", "cutoff", "sensitivity", "specificity"])


def same_grid(ours: object, theirs: pd.DataFrame) -> bool:
    mine = ours.grid.assign(group=ours.grid["group"].astype(int)).sort_values(["cutoff", "group"])
    return np.allclose(mine[["sensitivity", "specificity"]], theirs[["sensitivity", "specificity"]], atol=1e-12)


def loop_curve(rows: pd.DataFrame, thresholds: np.ndarray) -> np.ndarray:
    """Net benefit of two rules and their difference with its error, one threshold at a time."""
    case, found = rows["case"].to_numpy(), []
    for t in thresholds:
        odds = t / (1 - t)
        one, other = (np.where(rows[name] >= t, case - odds * (1 - case), 0.0) for name in ("risk", "other"))
        gap = other - one
        found.append((one.mean(), other.mean(), gap.mean(), gap.std(ddof=1) / np.sqrt(len(case))))
    return np.array(found)


def same_curve(ours: object, theirs: np.ndarray) -> bool:
    values = [ours.table.loc[ours.table["rule"] == name, "net_benefit"].to_numpy() for name in ("risk", "other")]
    values += [ours.differences["estimate"].to_numpy(), ours.differences["std_error"].to_numpy()]
    return np.allclose(np.stack(values, axis=1), theirs, atol=1e-12)


def logit_fit(rows: pd.DataFrame) -> np.ndarray:
    """Intercept and slope by statsmodels; it has no smooth."""
    import statsmodels.api as sm

    design = sm.add_constant(np.log(rows["risk"] / (1 - rows["risk"])).to_numpy())
    return sm.Logit(rows["case"].to_numpy(), design).fit(disp=0).params


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, same numbers?)."""
    rows = data(13_000 if quick else PUPILS)
    thresholds = np.round(np.arange(0.01, 0.51, 0.01), 2)
    groups = {"cutoff": 10, "reference_group": 0}
    return [
        ("accuracy of 6 groups at every cut-off", "pandas groupby, cut by cut",
         lambda: cutoffs_by_group(rows["score"], rows["case"], rows["group"], cutoff=10),
         lambda: pandas_grid(rows), same_grid),
        ("6 groups at one cut-off, tests and schools", "pandas groupby, cut by cut (points only)",
         lambda: subgroup_accuracy(rows["score"], rows["case"], rows["group"], cluster=rows["school"], **groups),
         lambda: pandas_grid(rows[["score", "case", "group"]]),
         lambda a, b: np.allclose(
             a.to_frame().query("term == 'sensitivity' and kind == 'level'")["estimate"],
             b.loc[b["cutoff"] == 10, "sensitivity"])),
        ("net benefit of 2 rules at 50 thresholds", "numpy, threshold by threshold",
         lambda: decision_curve(rows[["risk", "other"]], rows["case"], thresholds=thresholds),
         lambda: loop_curve(rows, thresholds), same_curve),
        ("calibration with loess and intervals", "statsmodels Logit (intercept and slope only)",
         lambda: calibration(rows["risk"], rows["case"]), lambda: logit_fit(rows),
         lambda a, b: np.allclose([a.intercept, a.slope], b, atol=1e-6)),
    ]  # fmt: skip

"""Multiple imputation and outcome counts of a whole city, beside what else Python offers."""

import numpy as np
import pandas as pd

from mhlib.stats.effects import (
    lee_bounds,
    multiple_imputation,
    regression_to_mean,
    reliable_change,
)

SCHOOLS, M, PART = 129, 50, 2


def city(n: int) -> pd.DataFrame:
    """Ten scores of one pupil that hang together, schools that differ, 15 % missing in seven of them."""
    rng = np.random.default_rng(20261124)
    school = np.sort(rng.integers(0, SCHOOLS, n))
    common = rng.standard_normal((n, 1)) + 0.3 * rng.standard_normal(SCHOOLS)[school][:, None]
    scores = np.round(4 * (0.7 * common + 0.7 * rng.standard_normal((n, 10))))
    scores[:, :7][rng.random((n, 7)) < 0.15] = np.nan
    return pd.DataFrame(scores, columns=[f"score{j}" for j in range(10)]).assign(school=school)


def statsmodels_mice(table: pd.DataFrame) -> list[float]:
    """Means of the first incomplete column in PART chains of 5 rounds; no level of schools exists there."""
    from statsmodels.imputation.mice import MICEData

    means = []
    for k in range(PART):
        np.random.seed(k)  # noqa: NPY002 - statsmodels draws from the global generator
        data = MICEData(table.drop(columns="school"), k_pmm=5)
        data.update_all(5)
        means.append(float(data.data["score0"].mean()))
    return means


def close_means(mine, their) -> bool:
    """Completed means agree to a fiftieth of a point."""
    own = np.mean([mine.completed(k)["score0"].mean() for k in range(2)])
    return abs(own - np.mean(their)) < 0.02


def pandas_bootstrap(before, after, school, n_boot: int) -> tuple[float, float]:
    """Resamples of schools by picking rows, as one would write it in pandas."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"improved": before - after >= 6, "school": school})
    groups = [part["improved"].to_numpy() for _, part in frame.groupby("school")]
    drawn = [
        np.concatenate([groups[g] for g in rng.integers(0, len(groups), len(groups))]).mean() for _ in range(n_boot)
    ]
    return tuple(np.quantile(drawn, [0.025, 0.975]))


def picked(school: np.ndarray, n_boot: int):
    """Row numbers of resampled schools."""
    rng, rows = np.random.default_rng(1), [np.flatnonzero(school == g) for g in range(SCHOOLS)]
    for _ in range(n_boot):
        yield np.concatenate([rows[g] for g in rng.integers(0, SCHOOLS, SCHOOLS)])


def pandas_fall(before, after, served, school, n_boot: int) -> float:
    """Mean over resamples of the fall of unserved positives, standardised to the scores of the served."""
    expected = []
    for rows in picked(school, n_boot):
        frame = pd.DataFrame({"b": before[rows], "fall": (before - after)[rows], "s": served[rows]}).query("b >= 14")
        cells = frame[frame["s"] == 0].groupby("b")["fall"].mean()
        expected.append(frame[frame["s"] == 1]["b"].map(cells).mean())
    return float(np.mean(expected))


def sorted_bounds(outcome, served, school, n_boot: int) -> float:
    """Mean over resamples of the lower bound, rows sorted each time."""
    found = []
    for rows in picked(school, n_boot):
        y, arm = outcome[rows], served[rows]
        seen = [np.sort(y[(arm == a) & ~np.isnan(y)]) for a in (0, 1)]
        rate = [len(seen[a]) / (arm == a).sum() for a in (0, 1)]
        kept = [int(len(seen[a]) * min(1, rate[1 - a] / rate[a])) for a in (0, 1)]
        found.append(seen[1][: kept[1]].mean() - seen[0][len(seen[0]) - kept[0] :].mean())
    return float(np.mean(found))


def promises(quick: bool):
    n, draws = (13_000, 200) if quick else (130_000, 2000)
    table = city(n)
    rng = np.random.default_rng(7)
    truth = rng.standard_normal(n) + 0.2 * rng.standard_normal(SCHOOLS)[table["school"]]
    before, after = (np.round(10 + 4 * (0.84 * truth + 0.55 * rng.standard_normal(n))) for _ in range(2))
    served = (table["school"].to_numpy() % 2).astype(float)
    school = table["school"].to_numpy()
    lost = np.where(rng.random(n) < 0.05 + 0.05 * served, np.nan, after)

    return [
        (f"MI, matching, m = {M}, 5 rounds, schools, {n:,} x 10", f"statsmodels MICE, no schools (m = {PART}, x {M // PART})",
         lambda: multiple_imputation(table, m=M, seed=1, cluster="school"), lambda: statsmodels_mice(table), close_means),
        (f"MI, normal, m = {M}, 5 rounds, schools, {n:,} x 10", f"statsmodels MICE, no schools (m = {PART}, x {M // PART})",
         lambda: multiple_imputation(table, m=M, seed=1, cluster="school", method="norm"),
         lambda: statsmodels_mice(table), close_means),
        (f"six outcome counts, {draws:,} resamples of schools", f"pandas loop over rows (20 resamples, x {draws // 20})",
         lambda: reliable_change(before, after, cutoff=14, least_change=6, cluster=school, seed=1, n_boot=draws),
         lambda: pandas_bootstrap(before, after, school, 20), near),
        (f"regression to the mean, {draws:,} resamples of schools", f"pandas loop over rows (20 resamples, x {draws // 20})",
         lambda: regression_to_mean(before, after, served, cutoff=14, least_change=6, cluster=school, seed=1, n_boot=draws),
         lambda: pandas_fall(before, after, served, school, 20),
         lambda mine, their: abs(mine.table.at[0, "expected"] - their) < 0.1),
        (f"Lee bounds, {draws:,} resamples of schools", f"numpy loop that sorts rows (20 resamples, x {draws // 20})",
         lambda: lee_bounds(lost, served, cluster=school, seed=1, n_boot=draws),
         lambda: sorted_bounds(lost, served, school, 20), lambda mine, their: abs(mine.lower - their) < 0.2),
    ]  # fmt: skip


def near(mine, their) -> bool:
    """Bounds of twenty resamples only say that both look at the same share."""
    row = mine.table.set_index("outcome").loc["improved"]
    return abs(row["conf_low"] - their[0]) < 0.02 and abs(row["conf_high"] - their[1]) < 0.02

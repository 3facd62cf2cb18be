"""Item bias beside what one writes with statsmodels: a table or a regression an item."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from mhlib.stats.measurement import dif, missing_answers, response_quality

PUPILS, SCHOOLS = 130_000, 129


def city(n: int, k: int, answers: int) -> dict[str, np.ndarray]:
    """Answers of n pupils to k items, three of them biased, in 129 schools."""
    rng = np.random.default_rng(11)
    group = rng.integers(0, 2, n)
    eta = 1.4 * rng.normal(size=(n, 1)) + 0.3 * group[:, None] + 0.7 * group[:, None] * (np.arange(k) < 3)
    draw = eta - np.linspace(-0.5, 1, k) + rng.logistic(size=(n, k))
    items = (draw[..., None] > np.arange(answers - 1)).sum(axis=2).astype(np.int8)
    return {"items": items, "group": group, "school": rng.integers(0, SCHOOLS, n)}


def stratified_loop(d: dict[str, np.ndarray]) -> list[float]:
    """Common odds ratio and test of every item by statsmodels from rows."""
    from statsmodels.stats.contingency_tables import StratifiedTable

    total, found = d["items"].sum(axis=1, dtype=np.int64), []
    for item in d["items"].T:
        rows = pd.DataFrame({"group": d["group"], "answer": item, "total": total})
        # A stratum in which nobody or everybody agrees has no full table; statsmodels wants it away.
        rows = rows[rows["total"].between(1, d["items"].shape[1] - 1)]
        table = StratifiedTable.from_data("group", "answer", "total", rows)
        found.append(table.oddsratio_pooled)
        table.test_null_odds(correction=True)
        _ = table.logodds_pooled_se
    return found


def logit_loop(d: dict[str, np.ndarray], most: int) -> list[float]:
    """Likelihood-ratio chi2 of group and group by level for the first items, by statsmodels on rows."""
    from statsmodels.discrete.discrete_model import Logit

    total = d["items"].sum(axis=1).astype(float)
    z = (total - total.mean()) / total.std()
    full = np.column_stack([np.ones_like(z), z, d["group"], z * d["group"]])
    found = []
    for item in d["items"].T[:most]:
        fits = [Logit(item, full[:, :size]).fit(disp=0).llf for size in (2, 3, 4)]
        found.append(2 * (fits[2] - fits[0]))
    return found


def ordered_loop(d: dict[str, np.ndarray], most: int) -> list[float]:
    """Likelihood-ratio chi2 for the first items by statsmodels' OrderedModel on rows."""
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    total = d["items"].sum(axis=1).astype(float)
    z = (total - total.mean()) / total.std()
    full = np.column_stack([z, d["group"], z * d["group"]])
    found = []
    for item in d["items"].T[:most]:
        fits = [
            OrderedModel(item.astype(int), full[:, :size], distr="logit").fit(method="bfgs", disp=0).llf
            for size in (1, 3)
        ]
        found.append(2 * (fits[1] - fits[0]))
    return found


def careless_loop(frame: pd.DataFrame) -> int:
    """Longest runs and spreads row by row, the usual recipe, for the first 2,000 pupils."""
    runs = frame.head(2000).apply(lambda row: (row != row.shift()).cumsum().value_counts().max(), axis=1)
    return int(runs.sum())


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, same)."""
    n = 20_000 if quick else PUPILS
    two, two_long, four = city(n, 9, 2), city(n, 20, 2), city(n, 9, 4)
    long, most = city(n, 20, 4), 1 if quick else 2
    run = {"reference": 0, "purify": False}
    mantel = [(lambda d=d: dif(d["items"], d["group"], **run)) for d in (two, two_long)]
    return [
        (f"item bias, Mantel-Haenszel, {len(d['items'][0])} items, {n:,} pupils", "statsmodels StratifiedTable.from_data an item",
         ours, lambda d=d: stratified_loop(d), lambda a, b: np.allclose(a.to_frame()["estimate"], b, rtol=1e-10))
        for ours, d in zip(mantel, (two, two_long), strict=True)
    ] + [
        (f"item bias, logistic, 9 items, {n:,} pupils", "statsmodels Logit, three models an item",
         lambda: dif(two["items"], two["group"], method="logistic", **run), lambda: logit_loop(two, 9),
         lambda a, b: np.allclose(a.to_frame()["chi2_both"], b, rtol=1e-6)),
        (f"item bias, ordinal, 9 items, {n:,} pupils", f"statsmodels OrderedModel, {most} items only",
         lambda: dif(four["items"], four["group"], method="ordinal", **run), lambda: ordered_loop(four, most),
         lambda a, b: np.allclose(a.to_frame()["chi2_both"][:most], b, atol=0.5)),
        (f"item bias, 20 items of 4 answers, purified, schools, {n:,} pupils", "StratifiedTable an item (one round, no schools)",
         lambda: dif(long["items"], long["group"], reference=0, cluster=long["school"]), lambda: stratified_loop(two_long),
         lambda a, b: a.flagged == ("0", "1", "2")),
        (f"response quality, 20 items, {n:,} pupils", "pandas apply, runs of 2,000 pupils only",
         lambda: response_quality(long["items"], cutoff=30), lambda: careless_loop(pd.DataFrame(long["items"])),
         lambda a, b: int((a.run_lengths["run"] * a.run_lengths["n"]).sum()) >= b),
        (f"missing answers, 20 items, {n:,} pupils", "pandas value_counts of patterns only",
         lambda: missing_answers(blanks(long["items"])),
         lambda: pd.DataFrame(np.isnan(blanks(long["items"]))).value_counts(),
         lambda a, b: a.n_patterns == len(b)),
    ]  # fmt: skip


def blanks(items: np.ndarray) -> np.ndarray:
    """The items with every 17th answer missing."""
    values = items.astype(float)
    values.ravel()[::17] = np.nan
    return values

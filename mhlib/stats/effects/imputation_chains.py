"""Many completed versions of one table: chained equations with a level of its own for each school."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.imputation_draw import draw_matched, draw_normal, draw_parameters
from mhlib.stats.effects.imputation_pool import PooledResult, pool
from mhlib.stats.effects.imputation_state import ChainState
from mhlib.stats.terms import term_frame

METHODS = ("pmm", "norm")
FEWEST_SCHOOLS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImputationResult:
    """Completed versions of a table; only the imputed cells are kept.

    Attributes
    ----------
    data : DataFrame
        As given, with its gaps.
    imputed : dict of column -> ndarray, shape (m, missing cells)
        In the order of the rows that lack the column.
    missing : DataFrame
        `column, n_missing, share, method`.
    chain_means : DataFrame
        `iteration, imputation, column, mean, sd` of the imputed cells, for looking at convergence.
    rhat : dict of column -> float
        Potential scale reduction of the chains' means over the later half of iterations; near 1 when chains agree.
    """

    data: pd.DataFrame
    imputed: dict[str, np.ndarray]
    missing: pd.DataFrame
    chain_means: pd.DataFrame
    rhat: dict[str, float]
    m: int
    iterations: int
    seed: int
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def completed(self, k: int) -> pd.DataFrame:
        """Completed table number `k`, 0 to m - 1."""
        table = self.data.copy()
        for column, drawn in self.imputed.items():
            values = table[column].to_numpy(dtype=float, na_value=np.nan, copy=True)
            values[np.isnan(values)] = drawn[k]
            table[column] = values
        return table

    def analyse(
        self,
        estimate: Callable[[pd.DataFrame], tuple[Sequence[float], Sequence[float]]],
        *,
        terms: Sequence[str] = ("estimate",),
        df_complete: object = np.inf,
        conf_level: float = 0.95,
    ) -> PooledResult:
        """Pool what `estimate` says of each completed table: estimates and squared standard errors of the terms."""
        found = [estimate(self.completed(k)) for k in range(self.m)]
        q, u = (np.array([np.atleast_1d(part[i]) for part in found]) for i in (0, 1))
        return pool(q, u, df_complete=df_complete, terms=terms, n_used=self.n_used, conf_level=conf_level)

    def to_frame(self) -> pd.DataFrame:
        """Terms: the imputed columns, with the mean of imputed cells; extra `n_missing, share, method, rhat`."""
        rows = []
        for row in self.missing.to_dict("records"):
            if row["n_missing"]:
                drawn = self.imputed[row["column"]]
                rows.append({"term": row["column"], "estimate": float(drawn.mean()), "rhat": self.rhat[row["column"]],
                             **{key: row[key] for key in ("n_missing", "share", "method")}})  # fmt: skip
        return term_frame(rows or [{"term": "nothing missing"}])


def multiple_imputation(
    data: pd.DataFrame,
    *,
    m: int = 50,
    seed: int,
    cluster: str | None = None,
    method: str | Mapping[str, str] = "pmm",
    iterations: int = 5,
    conf_level: float = 0.95,
) -> ImputationResult:
    """Complete a table `m` times by chained equations, school by school.

    Parameters
    ----------
    data : DataFrame of numbers, shape (n, q)
        Outcome, arm (0/1), baseline score and whatever predicts loss or outcome; each column predicts every other.
        Text must be coded before. Nothing else may stand in the table: an identity would become a predictor.
    m : int
        Completed tables.
    seed : int
    cluster : str, optional
        Column of the school, in `data`: each incomplete column then has a random intercept of schools.
    method : {'pmm', 'norm'} or mapping of column -> method
        Predictive mean matching (five donors, type 1) keeps to values that occur; 'norm' draws from the normal model.
    iterations : int
        Rounds of each chain.
    conf_level : float
        Carried into the record.

    Returns
    -------
    ImputationResult
        Valid when, given the columns of the table and the school, whether a value is missing does not depend on the value
        (missing at random); :func:`tipping_point` shows how much that matters.

    Raises
    ------
    DataError
        Text in a column, a row without a school.
    DesignError
        A column with fewer than ten observed values or without any spread; fewer than five schools.
    ParamsError
        An unknown method, fewer than two imputations, no iteration, a missing seed.

    Notes
    -----
    y = X b + u_school + e. Each visit draws variances, b and u from their posterior (Gibbs, b with u integrated out), then
    the missing cells. Everything but the missing cells themselves enters by cross-products and sums by school.
    References: van Buuren (2018) Flexible Imputation of Missing Data, 3.2, 3.4, 7.5; Schafer & Yucel (2002) J Comput
    Graph Stat 11:437.
    Checked against: tests/oracle/change_imputed.csv (mice 'pmm' and 'norm', pan), within Monte Carlo error.
    """
    where = "multiple_imputation"
    if seed is None or m < 2 or iterations < 1:
        raise ParamsError(where, "needs a seed, at least two imputations and one iteration")
    names = [str(name) for name in data.columns if name != cluster]
    values = np.column_stack(
        [inputs.numeric(data[name], where=where, name=str(name)) for name in data.columns if name != cluster]
    )
    holes = [np.flatnonzero(np.isnan(column)) for column in values.T]
    how = methods_of(method, names, holes, where=where)
    if short := [name for name, rows in zip(names, holes, strict=True) if len(values) - len(rows) < 10]:
        raise DesignError(where, f"fewer than ten values observed in {', '.join(short)}", remedy="leave the column out")
    if still := [name for name, column in zip(names, values.T, strict=True) if np.nanstd(column) == 0]:
        raise DesignError(where, f"all values are equal in {', '.join(still)}", remedy="leave the column out")
    school, n_schools = np.zeros(len(values), dtype=int), 1
    if cluster is not None:
        school, n_schools = inputs.codes(data[cluster], where=where, name=cluster)
        if n_schools < FEWEST_SCHOOLS:
            raise DesignError(where, f"{n_schools} schools give no spread of schools", allowed=f"at least {FEWEST_SCHOOLS}",
                              remedy="put schools into the table as columns of 0 and 1 instead")  # fmt: skip
    seeds = np.random.SeedSequence([int(seed), 1999]).spawn(m)
    chains = [
        run_chain(values, holes, how, school, n_schools, cluster is not None, iterations, np.random.default_rng(own))
        for own in seeds
    ]
    incomplete = [j for j, rows in enumerate(holes) if len(rows)]
    traces = np.stack([chain[1] for chain in chains]) if incomplete else np.empty((m, iterations, 0, 2))
    return ImputationResult(
        data=data,
        imputed={names[j]: np.stack([chain[0][k] for chain in chains]) for k, j in enumerate(incomplete)},
        missing=pd.DataFrame(
            {"column": names, "n_missing": [len(rows) for rows in holes], "share": [len(rows) / len(values) for rows in holes],
             "method": [how[j] if len(holes[j]) else "" for j in range(len(names))]}
        ),
        chain_means=trace_table(traces, [names[j] for j in incomplete]),
        rhat={names[j]: scale_reduction(traces[:, :, k, 0]) for k, j in enumerate(incomplete)},
        m=int(m),
        iterations=int(iterations),
        seed=int(seed),
        n_clusters=None if cluster is None else n_schools,
        n_used=len(values),
        n_excluded=0,
        method=f"chained equations, {m} imputations of {iterations} rounds"
        + (f", level of {n_schools} schools" if cluster is not None else ""),
        conf_level=conf_level,
    )  # fmt: skip


def methods_of(
    method: str | Mapping[str, str], names: Sequence[str], holes: Sequence[np.ndarray], *, where: str
) -> list[str]:
    """Method of each column."""
    if isinstance(method, str):
        return [inputs.one_of(method, METHODS, where=where, name="method")] * len(names)
    if unknown := set(method) - set(names):
        raise DataError(f"{where}(method)", f"names columns that are not there: {', '.join(sorted(unknown))}")
    if lacking := [name for name, rows in zip(names, holes, strict=True) if len(rows) and name not in method]:
        raise ParamsError(f"{where}(method)", f"says nothing of the incomplete columns {', '.join(lacking)}")
    return [inputs.one_of(method.get(name, "pmm"), METHODS, where=where, name="method") for name in names]


def run_chain(
    values: np.ndarray,
    holes: list[np.ndarray],
    how: list[str],
    school: np.ndarray,
    n_schools: int,
    levels: bool,
    iterations: int,
    rng: np.random.Generator,
) -> tuple[list[np.ndarray], np.ndarray]:
    """Imputed cells of each incomplete column after the last round, and means and SDs of each round."""
    incomplete = [j for j, rows in enumerate(holes) if len(rows)]
    # Centred and scaled, so that cross-products lose no digits; taken back at the end.
    centre, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    filled = np.column_stack([np.ones(len(values)), (values - centre) / spread])
    for j in incomplete:
        seen = np.delete(filled[:, j + 1], holes[j])
        filled[holes[j], j + 1] = seen[rng.integers(0, len(seen), len(holes[j]))]
    state = ChainState(filled, [np.empty(0, int), *holes], school, n_schools)
    former, trace = dict.fromkeys(incomplete), np.empty((iterations, len(incomplete), 2))
    for turn in range(iterations):
        for k, j in enumerate(incomplete):
            column, use = j + 1, np.delete(np.arange(filled.shape[1]), j + 1)
            cross, sums, lacking = state.observed(column)
            former[j] = found = draw_parameters(cross, sums, column, use, former[j], rng, levels=levels)
            if how[j] == "norm":
                drawn = draw_normal(lacking[:, use], school[holes[j]], found, rng)
            else:
                drawn = matched(state, column, use, found, rng)
            state.replace(column, drawn)
            trace[turn, k] = drawn.mean() * spread[j] + centre[j], drawn.std() * spread[j]
    cells = [state.values[holes[j], j + 1] * spread[j] + centre[j] for j in incomplete]
    borrowed = [how[j] == "pmm" for j in incomplete]
    return [
        nearest_of(np.unique(np.delete(values[:, j], holes[j])), drawn) if exact else drawn
        for j, drawn, exact in zip(incomplete, cells, borrowed, strict=True)
    ], trace


def nearest_of(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Nearest of rising known values: borrowed scores come back from scaling without a stray last digit."""
    place = np.searchsorted((known[:-1] + known[1:]) / 2, values)
    return known[place]


def matched(state: ChainState, column: int, use: np.ndarray, found: object, rng: np.random.Generator) -> np.ndarray:
    """Missing cells of a column by predictive mean matching."""
    rows, seen = state.missing[column], np.ones(len(state.values), dtype=bool)
    seen[rows] = False
    weights = np.zeros(state.values.shape[1])
    weights[use] = found.estimate
    predicted = state.values @ weights + found.level[state.school]
    weights[use] = found.beta
    wanted = state.values[rows] @ weights + found.level[state.school[rows]]
    return draw_matched(predicted[seen], wanted, state.values[seen, column], rng)


def trace_table(traces: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Means and SDs of imputed cells by round, chain and column, as rows."""
    chain, turn, column = (axis.ravel() for axis in np.indices(traces.shape[:3]))
    return pd.DataFrame(
        {
            "iteration": turn + 1,
            "imputation": chain,
            "column": np.array(names, dtype=object)[column] if len(names) else [],
            "mean": traces[..., 0].ravel(),
            "sd": traces[..., 1].ravel(),
        }
    )


def scale_reduction(means: np.ndarray) -> float:
    """Gelman & Rubin's factor of chains of means, shape (m, rounds), over the later half; NaN with fewer than 4 rounds."""
    later = means[:, means.shape[1] // 2 :]
    length = later.shape[1]
    if length < 2:
        return float("nan")
    within, between = later.var(axis=1, ddof=1).mean(), length * later.mean(axis=1).var(ddof=1)
    return float(np.sqrt(((length - 1) / length * within + between / length) / within)) if within > 0 else float("nan")

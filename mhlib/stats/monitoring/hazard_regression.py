"""Whose certificates lapse, renew or are lost with the post faster: cause-specific hazard ratios (Cox)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.intervals import critical
from mhlib.stats.monitoring.hazard_table import event_codes
from mhlib.stats.terms import term_frame

TIES = ("efron", "breslow")
FEWEST_DF = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HazardRegressionResult:
    """Log hazard ratios of one cause.

    Attributes
    ----------
    table : pandas.DataFrame
        `term, estimate` (log hazard ratio)`, std_error, conf_low, conf_high, p_value, df, hazard_ratio, ratio_low,
        ratio_high`.
    n_events : int
    """

    table: pd.DataFrame = field(repr=False)
    n_events: int
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table


def cause_specific_hazard(
    time: object,
    event: object,
    covariates: pd.DataFrame,
    *,
    cause: object = None,
    entry: object = None,
    cluster: object = None,
    ties: str = "efron",
    conf_level: float = 0.95,
) -> HazardRegressionResult:
    """Cox regression of the hazard of one cause, spells that ended otherwise being censored at that time.

    Parameters
    ----------
    time, event, entry : array-like, shape (n,)
        As in :func:`cumulative_incidence`.
    covariates : DataFrame of numbers, shape (n, p)
    cause : object, optional
        Label of the event; any event when absent.
    cluster : array-like, shape (n,), optional
        School: errors allow for it, with t of clusters - 1 df.
    ties : {'efron', 'breslow'}
    conf_level : float

    Returns
    -------
    HazardRegressionResult
        Rows that miss anything are left out and counted.

    Raises
    ------
    DataError
        Columns of different lengths, text among the covariates.
    DesignError
        Fewer events than covariates, a covariate that does not vary, a single cluster, no convergence.
    ParamsError
        A cause that never happened, an unknown rule for ties.

    Notes
    -----
    statsmodels PHReg; a hazard ratio of one cause says nothing of the share that ends so: read it beside the incidence.
    References: Cox (1972) JRSS-B 34:187; Lin & Wei (1989) JASA 84:1074.
    Checked against: tests/oracle/training_cox.csv (R survival::coxph).
    """
    where = "cause_specific_hazard"
    inputs.one_of(ties, TIES, where=where, name="ties")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    inputs.same_length(where, time=time, event=event, covariates=covariates, entry=entry, cluster=cluster)
    code, causes = event_codes(event)
    if cause is not None and cause not in causes:
        raise ParamsError(f"{where}(cause)", "this event never happened", allowed="one of the events of the data")
    wanted = code > 0 if cause is None else code == 1 + causes.index(cause)
    x = np.column_stack([inputs.numeric(covariates[name], where=where, name=str(name)) for name in covariates])
    length = inputs.numeric(time, where=where, name="time")
    start = None if entry is None else inputs.numeric(entry, where=where, name="entry")
    kept = ~np.isnan(np.column_stack([x, length])).any(axis=1) & (code >= 0)
    kept &= True if start is None else ~np.isnan(start)
    groups = (
        None if cluster is None else inputs.codes(np.asarray(cluster, dtype=object)[kept], where=where, name="cluster")
    )
    enough(x[kept], int(wanted[kept].sum()), groups, where)
    fit = fitted(length[kept], wanted[kept], x[kept], None if start is None else start[kept], groups, ties)
    df = math.inf if groups is None else groups[1] - 1
    inflate = 1.0 if groups is None else math.sqrt(groups[1] / (groups[1] - 1))
    return HazardRegressionResult(
        table=table_of([str(name) for name in covariates], fit.params, inflate * fit.bse, df, conf_level),
        n_events=int(wanted[kept].sum()),
        n_clusters=None if groups is None else groups[1],
        n_used=int(kept.sum()),
        n_excluded=int((~kept).sum()),
        method=f"Cox regression, {ties} ties" + ("" if groups is None else ", errors by cluster"),
        conf_level=conf_level,
    )


def enough(x: np.ndarray, n_events: int, groups: tuple[np.ndarray, int] | None, where: str) -> None:
    """Stop where the design cannot carry a regression."""
    if n_events <= x.shape[1] or (np.ptp(x, axis=0) == 0).any():
        raise DesignError(
            where,
            "fewer events than covariates, or a covariate that does not vary",
            remedy="ask fewer questions of so few",
        )
    if groups is not None and groups[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")


def fitted(
    time: np.ndarray,
    happened: np.ndarray,
    x: np.ndarray,
    entry: np.ndarray | None,
    groups: tuple[np.ndarray, int] | None,
    ties: str,
) -> object:
    """PHReg on standardised covariates would change digits; it is given the raw ones and its slope is looked at."""
    from statsmodels.duration.hazard_regression import PHReg

    model = PHReg(time, x, status=happened * 1, entry=entry, ties=ties)
    fit = model.fit(groups=None if groups is None else groups[0], disp=0)
    slope = np.abs(model.score(fit.params)) * np.std(x, axis=0)
    if not np.isfinite(fit.params).all() or (slope > 1e-3 * happened.sum()).any():
        raise DesignError(
            "cause_specific_hazard", "the regression did not converge", remedy="drop or merge rare groups"
        )
    return fit


def table_of(names: list[str], estimate: np.ndarray, error: np.ndarray, df: float, conf_level: float) -> pd.DataFrame:
    """Estimates with intervals, on the log scale and as ratios."""
    half = critical(conf_level, df) * error
    statistic = np.abs(estimate / error)
    p = 2 * (stats.norm.sf(statistic) if math.isinf(df) else stats.t.sf(statistic, df))
    frame = pd.DataFrame(
        {"term": names, "estimate": estimate, "std_error": error, "conf_low": estimate - half, "conf_high": estimate + half,
         "p_value": p if df >= FEWEST_DF else math.nan, "df": df}
    )  # fmt: skip
    ratios = np.exp(frame[["estimate", "conf_low", "conf_high"]].to_numpy())
    return term_frame(
        frame.assign(hazard_ratio=ratios[:, 0], ratio_low=ratios[:, 1], ratio_high=ratios[:, 2]).to_dict("records")
    )

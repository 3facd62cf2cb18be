"""How far high scores would have come down anyway: from the unserved, from a line through them, or from a formula."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import optimize, stats

from mhlib.analyses.parts.outcome_counted import cases, clustered, without_scores
from mhlib.analyses.parts.sections import refused_design
from mhlib.analyses.parts.trial import FEW_CLUSTERS, Trial
from mhlib.errors import DesignError
from mhlib.findings import Refused, message
from mhlib.stats.effects import ClusterRobustResult, RegressionToMeanResult, cluster_robust, regression_to_mean

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

UNSERVED, LINE, NORMAL = "unserved", "line", "normal"
# Fewest pupils with a high score and no service, measured again, from whom the fall is taken; and near the cut-off.
FEWEST = 20
FEWEST_NEAR = 100
# A stated reliability comes without its error; this one is supposed, and said.
STATED_ERROR = 0.05
# Clusters from which an interval of t with clusters - 1 degrees of freedom may be given.
FEWEST_CLUSTERS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expected:
    """Observed and expected change of the served who were cases at the start.

    Attributes
    ----------
    table : DataFrame
        One row an outcome (`fall` in points, above 0 is better; shares `below_cutoff`, `improved`, `reliable_recovery`,
        `worse`): ``outcome, observed, expected, expected_std_error, remainder, std_error, conf_low, conf_high``.
    bands : DataFrame
        As in :class:`RegressionToMeanResult`; empty unless ``basis`` is ``unserved``.
    basis : {'unserved', 'line', 'normal'}
    n_served, n_unserved, n_outside : int
    mean_supposed : bool
        Whether the mean of all pupils is itself inferred from those chosen, on the supposition of normal scores.
    """

    table: pd.DataFrame
    bands: pd.DataFrame
    basis: str
    n_served: int
    n_unserved: int
    n_outside: int
    mean_supposed: bool


def retested(trial: Trial) -> pd.DataFrame:
    """Pupils of the two arms with a baseline, whether measured again or not."""
    return trial.people[trial.people["treated"].notna() & trial.people["b"].notna()]


def expectation(
    trial: Trial, params: Params, *, reliability: tuple[float, float] | None, least_change: float | None
) -> Expected | Refused:
    """What the served cases would have done without service.

    Parameters
    ----------
    reliability : (value, error) or None
        For the formula; an error of NaN is that of a stated value.
    least_change : float or None
        Adds the shares of reliable change.
    """
    if refused := without_scores(trial, params):
        return refused
    people = retested(trial)
    groups = clustered(trial, people)
    if groups is not None and groups.nunique() < FEWEST_CLUSTERS:
        return Refused(
            "few_clusters",
            message("Fewer than {least} units were measured: how far units differ by chance "
                    "cannot be told.", least=FEWEST_CLUSTERS),
            message("The same outcome from more schools or classes."),
        )  # fmt: skip
    high = cases(people["b"], params) & people["measured"]
    unserved = int((high & (people["treated"] == 0)).sum())
    try:
        if unserved < FEWEST and (near := _near(people, params)) is not None:
            return _line(trial, params, people[high & (people["treated"] == 1)], near)
        return _bands_or_formula(trial, params, people, groups, unserved, reliability, least_change)
    except DesignError as error:
        return refused_design(error)


def _bands_or_formula(
    trial: Trial, params: Params, people: pd.DataFrame, groups: pd.Series | None, unserved: int,
    reliability: tuple[float, float] | None, least_change: float | None,
) -> Expected | Refused:  # fmt: skip
    known = (
        None
        if reliability is None
        else (reliability[0], STATED_ERROR if math.isnan(reliability[1]) else reliability[1])
    )
    resampled = groups is not None and groups.nunique() >= FEW_CLUSTERS
    shared = {
        "cutoff": params.case_cutoff, "better": params.better, "least_change": least_change, "cluster": groups, "reliability": known,
        "n_boot": params.n_boot, "seed": params.seed if resampled else None, "conf_level": params.conf_level,
    }  # fmt: skip
    columns = (people["b"], people["y"], people["treated"])
    formula = unserved < FEWEST and known is not None
    if formula and cases(people["b"], params).all():
        return _chosen_only(params, columns, shared)
    found = regression_to_mean(*columns, **shared)
    return found if isinstance(found, Refused) else _of(found, mean_supposed=False)


def _of(found: RegressionToMeanResult, *, mean_supposed: bool) -> Expected:
    return Expected(
        table=found.table, bands=_turned(found.bands, found.better), basis=NORMAL if found.assumed else UNSERVED,
        n_served=found.n_served, n_unserved=found.n_unserved, n_outside=found.n_outside, mean_supposed=mean_supposed,
    )  # fmt: skip


def _turned(bands: pd.DataFrame, better: str) -> pd.DataFrame:
    """Bands in the scale's own direction: they rise with illness, with the sign turned where higher is better."""
    if better == "lower" or not len(bands):
        return bands
    means = [name for name in bands if name.startswith("mean_")]
    return bands.assign(low=-bands["high"], high=-bands["low"], **{name: -bands[name] for name in means})


def _near(people: pd.DataFrame, params: Params) -> pd.DataFrame | None:
    """Unserved pupils within one deviation of the cut-off, on its healthy side; None where they are too few."""
    sd = params.reference_sd or float(people["b"].std(ddof=1))
    gap = (people["b"] - params.case_cutoff).abs()
    near = people[people["measured"] & (people["treated"] == 0) & ~cases(people["b"], params) & (gap <= sd)]
    return near if len(near) >= FEWEST_NEAR and near["b"].nunique() >= 3 else None


def _line(trial: Trial, params: Params, served: pd.DataFrame, near: pd.DataFrame) -> Expected | Refused:
    """Later score on earlier score among the unserved near the cut-off, carried on to the served."""
    if len(served) < FEWEST:
        raise DesignError("expectation", "fewer than twenty served pupils with a high score have a retest")
    sign = 1.0 if params.better == "lower" else -1.0
    centre = float(served["b"].mean())
    both = pd.concat([served, near])
    both = both.assign(
        away=both["b"] - centre, away_served=(both["b"] - centre) * both["treated"], later=-sign * both["y"]
    )
    fit = cluster_robust(
        "later ~ treated + away + away_served", both, cluster=trial.cluster, conf_level=params.conf_level
    )
    if isinstance(fit, Refused):
        return fit
    rows = fit.to_frame().set_index("term")
    base, gain = rows.loc["Intercept"], rows.loc["treated"]
    observed = float((sign * (served["b"] - served["y"])).mean())
    table = pd.DataFrame([{
        "outcome": "fall", "observed": observed, "expected": sign * centre + float(base["estimate"]),
        "expected_std_error": base["std_error"], "remainder": gain["estimate"], "std_error": gain["std_error"],
        "conf_low": gain["conf_low"], "conf_high": gain["conf_high"],
    }])  # fmt: skip
    return Expected(table=table, bands=pd.DataFrame(), basis=LINE, n_served=len(served), n_unserved=len(near), n_outside=len(served),
                    mean_supposed=False)  # fmt: skip


def _chosen_only(params: Params, columns: tuple, shared: dict) -> Expected | Refused:
    """The formula where nobody below the cut-off was measured: the mean of all follows from that of the chosen."""
    if params.reference_sd is None:
        return Refused(
            "no_population",
            message("Only pupils with a high score were measured, and the spread of all pupils is not stated: how far "
                    "their scores would "
                    "come down anyway cannot be worked out."),
            message("The standard deviation among unselected peers, as parameter reference_sd; better, a retest of "
                    "pupils not served."),
        )  # fmt: skip
    before = columns[0].to_numpy(float)
    mean, error = mean_of_all(before, params)
    at = [
        regression_to_mean(*columns, population=(mean + shift, params.reference_sd), **shared)
        for shift in (0.0, error, -error)
    ]
    if refused := next((one for one in at if isinstance(one, Refused)), None):
        return refused
    more = (at[1].table["remainder"] - at[2].table["remainder"]).abs() / 2
    return _widened(_of(at[0], mean_supposed=True), more)


def _widened(found: Expected, more: pd.Series) -> Expected:
    """With what the mean's own error adds: half the distance between the remainders at mean + error and mean - error."""
    table = found.table.copy()
    wider = np.hypot(table["std_error"], more) / table["std_error"]
    table["conf_low"] = table["remainder"] - (table["remainder"] - table["conf_low"]) * wider
    table["conf_high"] = table["remainder"] + (table["conf_high"] - table["remainder"]) * wider
    table["std_error"] = table["std_error"] * wider
    table["expected_std_error"] = np.hypot(table["expected_std_error"], more)
    return replace(found, table=table)


def mean_of_all(before: np.ndarray, params: Params) -> tuple[float, float]:
    """Mean of a normal score of known deviation whose upper tail (lower, where higher is better) has the mean observed.

    Returns
    -------
    mean, error : float
        E[X | X >= c] = mean + sd h(a), a = (c - mean) / sd, h = phi / (1 - Phi), solved for the mean; its error by the delta
        method, dE/dmean = 1 - h (h - a).
    """
    sd, sign = float(params.reference_sd), 1.0 if params.better == "lower" else -1.0
    severity, half = sign * before, 0.5 if np.all(before == np.round(before)) else 0.0
    cut, seen = sign * params.case_cutoff - half, float(severity.mean())

    def hazard(a: float) -> float:
        return float(np.exp(stats.norm.logpdf(a) - stats.norm.logsf(a)))

    def gap(mean: float) -> float:
        return mean + sd * hazard((cut - mean) / sd) - seen

    low, high = cut - 8 * sd, cut + 8 * sd
    if not gap(low) < 0 < gap(high):
        raise DesignError("expectation", "the scores of those chosen do not fit a normal score of the stated deviation")
    mean = float(optimize.brentq(gap, low, high))
    h, a = hazard((cut - mean) / sd), (cut - mean) / sd
    slope = 1 - h * (h - a)
    return sign * mean, float(severity.std(ddof=1) / math.sqrt(len(severity)) / slope)


def robust_line(fit: ClusterRobustResult, term: str) -> tuple[float, float, float, float]:
    """Estimate, interval and degrees of freedom of a term; no interval where all units agree exactly, which is no certainty."""
    at = fit.position(term)
    if not fit.std_errors[at] > 1e-12:
        return float(fit.estimates[at]), math.nan, math.nan, float(fit.df[at])
    return float(fit.estimates[at]), float(fit.conf_low[at]), float(fit.conf_high[at]), float(fit.df[at])

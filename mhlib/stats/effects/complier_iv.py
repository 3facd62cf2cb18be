"""The effect on those who took part because they were offered it: the offer as instrument, errors by school."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.effects.complier_record import ComplierResult
from mhlib.stats.effects.complier_refusals import (
    LEAST_F,
    LEAST_UPTAKE,
    exclusion_check,
    monotone_check,
    uptake_refusal,
    weak_refusal,
)
from mhlib.stats.effects.complier_sets import FirstAndReduced, anderson_rubin_set, joint_scores
from mhlib.stats.effects.robust_fit import cluster_robust
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.effects.robust_refusals import FEWEST_DF
from mhlib.stats.intervals import critical, wald

OWN = ("y", "offered", "took_part", "school", "stratum")
NUMBERS = ("estimate", "std_error", "df", "conf_low", "conf_high", "p_value")


def complier_effect(
    data: pd.DataFrame,
    *,
    outcome: str,
    assigned: str,
    received: str,
    cluster: str,
    covariates: Sequence[str] = (),
    strata: str | None = None,
    conf_level: float = 0.95,
) -> ComplierResult | Refused:
    """Effect of taking part on those who took part because they were offered it, by two-stage least squares.

    Parameters
    ----------
    data : DataFrame, one row a pupil
        Rows without outcome, assignment, uptake or a covariate are left out and counted.
    outcome, assigned, received : str
        `assigned` (the offer, by lot) and `received` (took part) are 0 and 1.
    cluster : str
        School or class that was allocated.
    covariates : sequence of str
        Baseline columns; text becomes dummies.
    strata : str, optional
        Strata within which clusters were allocated, as fixed effects.
    conf_level : float

    Returns
    -------
    ComplierResult or Refused
        Refused (`one_cluster`, `one_cluster_in_arm`) where no error can be had. The result refuses its complier effect where
        uptake differs by less than .10 (`little_difference_in_uptake`) or its F is below 10 (`weak_first_stage`); the
        Anderson-Rubin set stands all the same.

    Raises
    ------
    DataError
        Columns the table lacks, values other than 0 and 1, no complete row.
    DesignError
        An outcome or uptake that does not vary, one arm, columns made from each other.
    ParamsError
        Covariates under the model's own names.

    Notes
    -----
    b = reduced form / first stage; V(b) = V(reduced - b first) / first² with CR2 scores of the two regressions on the same
    columns, so that it equals CR2 of two-stage least squares; Satterthwaite's df of the assignment. References: Angrist, Imbens
    & Rubin (1996) JASA 91:444; Pustejovsky & Tipton (2018); Andrews, Stock & Sun (2019) Annu Rev Econ 11:727.
    Checked against: tests/oracle/weights_complier.csv (R AER::ivreg with clubSandwich, and matrices by hand).
    """
    where = "complier_effect"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    rows = complier_rows(data, outcome, assigned, received, cluster, tuple(covariates), strata, where=where)
    right = " + ".join(["offered", *(f"`{name}`" for name in covariates), *(["C(stratum)"] if strata else [])])
    fits = []
    for left in ("y", "took_part"):
        fit = cluster_robust(f"{left} ~ {right}", rows, cluster="school", arm="offered", conf_level=conf_level)
        if isinstance(fit, Refused):
            return fit
        fits.append(fit)
    stages = stages_of(*fits)
    offer, uptake = (numbers_of(fit) for fit in fits)
    refusals = {name: fit.refusals["offered"] for name, fit in zip(("offer", "uptake"), fits, strict=True)
                if "offered" in fit.refusals}  # fmt: skip
    if weak := weak_uptake(stages):
        refusals["complier effect"] = weak
    elif "offer" in refusals:
        refusals["complier effect"] = refusals["offer"]
    shares = rows.groupby("offered")["took_part"].mean()
    judged = stages.df >= FEWEST_DF
    return ComplierResult(
        **wald_numbers(stages, conf_level, refused=weak is not None),
        anderson_rubin=anderson_rubin_set(stages, critical(conf_level, stages.df)) if judged else (),
        anderson_rubin_p=offer["p_value"],
        offer=offer,
        uptake=uptake,
        uptake_offered=float(shares[1.0]),
        uptake_others=float(shares[0.0]),
        first_stage_f=stages.f,
        refusals=refusals,
        checks=(*fits[0].checks, monotone_check(float(shares[1.0]), float(shares[0.0])), exclusion_check()),
        stages=stages,
        n_clusters=fits[0].n_clusters,
        n_used=len(rows),
        n_excluded=len(data) - len(rows),
        method=f"two-stage least squares, the offer as instrument, CR2 by {fits[0].n_clusters} clusters, Satterthwaite df",
        conf_level=conf_level,
    )


def complier_rows(
    data: pd.DataFrame, outcome: str, assigned: str, received: str, cluster: str, covariates: tuple[str, ...],
    strata: str | None, *, where: str,
) -> pd.DataFrame:  # fmt: skip
    """Complete rows under the model's own names: y, offered, took_part, school, stratum, covariates."""
    if reserved := sorted(set(OWN) & set(covariates)):
        raise ParamsError(f"{where}(covariates)", f"names kept for the model: {', '.join(reserved)}",
                          remedy="rename these columns")  # fmt: skip
    named = [outcome, assigned, received, cluster, *covariates, *([strata] if strata else [])]
    if lacking := [name for name in dict.fromkeys(named) if name not in data.columns]:
        raise DataError(where, f"the table has no column {', '.join(lacking)}", allowed="columns of the table")
    rows = pd.DataFrame(
        {
            "y": inputs.numeric(data[outcome], where=where, name=outcome),
            "offered": inputs.binary(data[assigned], where=where, name=assigned),
            "took_part": inputs.binary(data[received], where=where, name=received),
            "school": data[cluster].to_numpy(),
        }
    )
    if strata is not None:
        rows["stratum"] = data[strata].to_numpy()
    for name in covariates:
        rows[name] = data[name].to_numpy()
    rows = rows[rows.drop(columns="school").notna().all(axis=1)]
    if rows.empty:
        raise DataError(where, "no row is complete", allowed="rows with outcome, offer, uptake and covariates")
    if rows["took_part"].nunique() < 2:
        raise DesignError(f"{where}({received})", "is the same in every row", allowed="pupils who took part and who did not",
                          remedy="where all the offered and nobody else took part, read the effect of the offer")  # fmt: skip
    return rows


def stages_of(reduced: ClusterRobustResult, first: ClusterRobustResult) -> FirstAndReduced:
    """Both regressions' coefficient of assignment and the covariance of the two."""
    at = reduced.position("offered")
    scores = tuple(fit.found.scores @ fit.found.scale[at] for fit in (reduced, first))
    return FirstAndReduced(
        float(reduced.estimates[at]), float(first.estimates[at]), *joint_scores(scores), float(reduced.df[at])
    )


def numbers_of(fit: ClusterRobustResult) -> dict[str, float]:
    """The coefficient of assignment under the record's names."""
    at, many = fit.position("offered"), ("estimates", "std_errors", "df", "conf_low", "conf_high", "p_values")
    return {one: float(getattr(fit, name)[at]) for one, name in zip(NUMBERS, many, strict=True)}


def weak_uptake(stages: FirstAndReduced) -> Refused | None:
    """Refusal where the offer moved uptake too little, or too unsurely."""
    if stages.first < LEAST_UPTAKE:
        return uptake_refusal(stages.first)
    return weak_refusal(stages.f) if stages.f < LEAST_F else None


def wald_numbers(stages: FirstAndReduced, conf_level: float, *, refused: bool) -> dict[str, float]:
    """Estimate, error, interval and p-value of the ratio; NaN where refused."""
    if refused:
        return dict.fromkeys(NUMBERS, math.nan) | {"df": stages.df}
    df = stages.df if stages.df >= FEWEST_DF else math.nan
    low, high = wald(stages.ratio, stages.std_error, conf_level, df)
    p = float(2 * stats.t.sf(abs(stages.ratio / stages.std_error), df)) if stages.std_error > 0 else math.nan
    return {"estimate": stages.ratio, "std_error": stages.std_error if np.isfinite(stages.df) else math.nan, "df": stages.df,
            "conf_low": low, "conf_high": high, "p_value": p}  # fmt: skip

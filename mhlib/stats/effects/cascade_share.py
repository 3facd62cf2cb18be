"""How much of what the city's trainers gained arrives with class teachers, step by step down the cascade."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mhlib.errors import ParamsError
from mhlib.findings import Check, Estimate, Refused, message
from mhlib.stats import inputs
from mhlib.stats.effects.cascade_gains import TierSums, composition_differences, resampled_means, tier_sums
from mhlib.stats.effects.retention_fieller import Ratio, fieller
from mhlib.stats.effects.retention_ratio_interval import checked_covariance
from mhlib.stats.effects.retention_refusals import few_df_refusal
from mhlib.stats.intervals import on_log, wald
from mhlib.stats.terms import term_frame

# What Works Clearinghouse: beyond a quarter of a standard deviation groups are not alike.
ALIKE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CascadeResult:
    """Gains by tier and what each step keeps.

    Attributes
    ----------
    share, std_error, conf_low, conf_high : float
        Gain of the last tier over the first, with Fieller's interval; `std_error` by the delta method.
    log_low, log_high : float
        Interval of the same share on the log scale (delta method): the product of the steps. NaN where a gain of the two is
        not above 0.
    boot_low, boot_high : float or None
        Percentiles of resampled clusters, from rows only.
    steps : pandas.DataFrame
        `term` ('city -> town')`, estimate, std_error, conf_low, conf_high`: gain over that of the tier above; NaN where the
        gain above is not told from 0. The product of the estimates is `share`.
    gains : pandas.DataFrame
        `term` (tier)`, estimate, std_error, conf_low, conf_high, n`.
    refusals : mapping of str to Refused
        By step.
    composition : pandas.DataFrame or None
        See :func:`composition_differences`.
    checks : tuple of Check
    """

    share: float
    std_error: float
    conf_low: float
    conf_high: float
    log_low: float
    log_high: float
    boot_low: float | None
    boot_high: float | None
    steps: pd.DataFrame = field(repr=False)
    gains: pd.DataFrame = field(repr=False)
    refusals: Mapping[str, Refused]
    composition: pd.DataFrame | None = field(repr=False)
    checks: tuple[Check, ...]
    df: float
    n_boot: int | None
    seed: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Term `share`, then steps and gains, told apart by `kind`; with `df`."""
        whole = {"term": "share", "estimate": self.share, "std_error": self.std_error, "conf_low": self.conf_low,
                 "conf_high": self.conf_high, "kind": "share"}  # fmt: skip
        rest = [{**row, "kind": kind} for kind, part in (("step", self.steps), ("gain", self.gains))
                for row in part.to_dict("records")]  # fmt: skip
        return term_frame([whole, *rest]).assign(df=self.df)


def cascade_product(
    gains: Sequence[float] | object,
    covariance: object,
    *,
    tiers: Sequence[object] = ("city", "town", "school", "class"),
    n: Sequence[int] | None = None,
    df: float = math.inf,
    composition: pd.DataFrame | None = None,
    n_excluded: int = 0,
    conf_level: float = 0.95,
) -> CascadeResult | Refused:
    """Share of the first tier's gain that arrives in the last, from gains and their covariance.

    Parameters
    ----------
    gains : array-like, shape (k,)
        Mean gain of each tier, on one instrument and in one unit: points, or SDs of one and the same group.
    covariance : array-like, shape (k, k), or (k,) of standard errors of independent tiers
    tiers : sequence, length k
        From the top down.
    n : sequence of int, length k, optional
        People measured in each tier.
    df : float
        Of the tier with fewest clusters.
    composition : DataFrame, optional
        From :func:`composition_differences`: shown beside the share, and checked.
    n_excluded : int
    conf_level : float

    Returns
    -------
    CascadeResult or Refused
        Refused: `no_gain_at_the_top` where the interval of the first tier's gain includes 0; `few_degrees_of_freedom`. A step
        whose upper gain is not told from 0 is refused alone.

    Raises
    ------
    DataError
        A covariance that is none.
    ParamsError
        Gains, tiers and numbers of different lengths, fewer than two tiers.

    Notes
    -----
    The product of the steps telescopes to the ratio of two gains, so its interval is Fieller's and not that of a product of
    independent ratios, whose errors would count each middle tier twice.
    Reference: Fieller (1954). Checked against: tests/oracle/training_fieller.csv.
    """
    where = "cascade_product"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    g, names = inputs.numeric(np.atleast_1d(gains), where=where, name="gains"), tuple(str(tier) for tier in tiers)
    numbers = [0] * len(g) if n is None else [int(one) for one in n]
    if len(g) < 2 or not len(g) == len(names) == len(numbers) or np.isnan(g).any():
        raise ParamsError(
            where, "gains, tiers and numbers do not fit each other", allowed="one of each a tier, two tiers or more"
        )
    v = np.asarray(covariance, dtype=float)
    v = checked_covariance(np.diag(v**2) if v.ndim == 1 else v, len(g), where)
    if refused := few_df_refusal(df):
        return refused
    told = [gain_told(g[i], math.sqrt(v[i, i]), df, conf_level) for i in range(len(g))]
    if not told[0]:
        return no_gain_above(names[0], g[0], math.sqrt(v[0, 0]), df, conf_level, numbers[0], code="no_gain_at_the_top")
    whole = ratio_of(g, v, len(g) - 1, 0, df, conf_level)
    steps, refusals = steps_of(g, v, names, numbers, told, df, conf_level)
    relative = whole.std_error / abs(whole.value) if whole.value > 0 else math.nan
    log_low, log_high = on_log(whole.value, relative, conf_level) if math.isinf(df) else on_log_t(whole, df, conf_level)
    return CascadeResult(
        share=whole.value,
        std_error=whole.std_error,
        conf_low=whole.conf_low,
        conf_high=whole.conf_high,
        log_low=log_low,
        log_high=log_high,
        boot_low=None,
        boot_high=None,
        steps=steps,
        gains=gains_of(g, v, names, numbers, df, conf_level),
        refusals=refusals,
        composition=composition,
        checks=() if composition is None else (alike_check(composition),),
        df=float(df),
        n_boot=None,
        seed=None,
        n_used=sum(numbers),
        n_excluded=int(n_excluded),
        method="gain of the last tier over that of the first, Fieller interval",
        conf_level=conf_level,
    )


def cascade_from_rows(
    gain: object,
    tier: object,
    *,
    tiers: Sequence[object] = ("city", "town", "school", "class"),
    cluster: object = None,
    covariates: pd.DataFrame | None = None,
    n_boot: int = 2000,
    seed: int | None = None,
    conf_level: float = 0.95,
) -> CascadeResult | Refused:
    """Share that arrives, from each person's gain.

    Parameters
    ----------
    gain : array-like, shape (n,)
        After less before, one instrument and unit in all tiers.
    tier : array-like, shape (n,)
    tiers : sequence
        From the top down.
    cluster : array-like, shape (n,), optional
        Course or trainer: people trained together, in one tier or several. Each person alone when absent.
    covariates : DataFrame, shape (n, p), optional
        For the differences of composition between tiers.
    n_boot, seed : int
        Resamples of clusters.
    conf_level : float

    Returns
    -------
    CascadeResult or Refused
        As :func:`cascade_product`, with percentiles of resampled clusters beside Fieller's interval; df is that of the tier
        with fewest clusters, less 1. People without a gain are left out and counted.

    Raises
    ------
    DataError, DesignError, ParamsError
        See :func:`tier_sums` and :func:`resampled_means`.

    Notes
    -----
    Checked against: tests/oracle/training_cascade.csv (R clubSandwich, CR1 of tier means, and Fieller by search).
    """
    where = "cascade_from_rows"
    sums = tier_sums(gain, tier, tiers=tiers, cluster=cluster, where=where)
    composition = None if covariates is None else composition_differences(covariates, tier, tiers=tiers)
    found = cascade_product(
        sums.means, sums.covariance, tiers=sums.tiers, n=sums.n.sum(axis=0), df=fewest_df(sums),
        composition=composition, n_excluded=sums.n_excluded, conf_level=conf_level,
    )  # fmt: skip
    if isinstance(found, Refused):
        return found
    means = resampled_means(sums, n_boot=n_boot, seed=seed, where=where)
    low, high = np.quantile(means[:, -1] / means[:, 0], [(1 - conf_level) / 2, (1 + conf_level) / 2])
    unit = "people" if cluster is None else "clusters"
    return replace(
        found, boot_low=float(low), boot_high=float(high), n_boot=int(n_boot), seed=int(seed),
        method=f"{found.method}; errors by {unit}, {n_boot} resamples of {unit} beside it",
    )  # fmt: skip


def fewest_df(sums: TierSums) -> float:
    """Clusters less 1 of the poorer of the first and last tier, which alone make the share."""
    return float((sums.n[:, [0, -1]] > 0).sum(axis=0).min() - 1)


def gain_told(gain: float, error: float, df: float, conf_level: float) -> bool:
    """Whether a gain's interval leaves 0 out."""
    low, high = wald(gain, error, conf_level, df)
    return low > 0 or high < 0


def ratio_of(g: np.ndarray, v: np.ndarray, lower: int, upper: int, df: float, conf_level: float) -> Ratio:
    """Fieller ratio of two tiers."""
    pick = [lower, upper]
    return fieller(g[lower], g[upper], v[np.ix_(pick, pick)], df=df, conf_level=conf_level)


def steps_of(
    g: np.ndarray, v: np.ndarray, names: tuple[str, ...], n: list[int], told: list[bool], df: float, conf_level: float
) -> tuple[pd.DataFrame, dict[str, Refused]]:
    """Each step's ratio, or why it has none."""
    rows, refusals = [], {}
    for i in range(len(g) - 1):
        step, ratio = f"{names[i]} -> {names[i + 1]}", ratio_of(g, v, i + 1, i, df, conf_level)
        bounds = {"std_error": ratio.std_error, "conf_low": ratio.conf_low, "conf_high": ratio.conf_high}
        if not told[i]:
            refusals[step] = no_gain_above(
                names[i], g[i], math.sqrt(v[i, i]), df, conf_level, n[i], code="no_gain_above"
            )
            ratio, bounds = replace(ratio, value=math.nan), dict.fromkeys(bounds, math.nan)
        rows.append({"term": step, "estimate": ratio.value, **bounds})
    return term_frame(rows), refusals


def gains_of(
    g: np.ndarray, v: np.ndarray, names: tuple[str, ...], n: list[int], df: float, conf_level: float
) -> pd.DataFrame:
    """Gain of each tier with its interval."""
    errors = np.sqrt(np.diag(v))
    bounds = [wald(gain, error, conf_level, df) for gain, error in zip(g, errors, strict=True)]
    return term_frame(
        [{"term": name, "estimate": gain, "std_error": error, "conf_low": low, "conf_high": high, "n": people}
         for name, gain, error, (low, high), people in zip(names, g, errors, bounds, n, strict=True)]
    )  # fmt: skip


def on_log_t(ratio: Ratio, df: float, conf_level: float) -> tuple[float, float]:
    """Delta interval on the log scale with t."""
    if not ratio.value > 0:
        return math.nan, math.nan
    low, high = wald(math.log(ratio.value), ratio.std_error / ratio.value, conf_level, df)
    return math.exp(low), math.exp(high)


def no_gain_above(tier: str, gain: float, error: float, df: float, conf_level: float, n: int, *, code: str) -> Refused:
    """Refusal of a share whose denominator is not told from 0."""
    return Refused(
        code,
        message(
            "The gain of tier '{tier}' is {gain}: it is not told from none, so no share of it can have been passed on.",
            tier=tier,
            gain=Estimate(float(gain), n, *(float(end) for end in wald(gain, error, conf_level, df))),
        ),
        message("Measure more people of that tier, from more courses, before and after with the same instrument."),
    )


def alike_check(composition: pd.DataFrame) -> Check:
    """Whether people of all tiers are alike: else part of a share is who they are, not what they were taught."""
    gaps = composition["standardised_difference"].abs()
    known = gaps.notna().any()
    return Check(
        message("People of all tiers are alike"),
        bool(gaps.max() <= ALIKE) if known else None,
        message(
            "Largest difference from the first tier: {gap} standard deviations, at most {most} is alike; beyond it the share "
            "mixes what was passed on with who the people are.",
            gap=round(float(gaps.max()), 2) if known else "-",
            most=ALIKE,
        ),
    )

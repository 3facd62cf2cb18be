"""How much of what teachers learned is still there at follow-up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DataError, ParamsError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.effects.nested_contrasts import weights_of_terms
from mhlib.stats.effects.nested_fit import degrees_of_freedom
from mhlib.stats.effects.nested_record import MultilevelResult
from mhlib.stats.effects.retention_fieller import fieller
from mhlib.stats.effects.retention_refusals import few_df_refusal, no_gain_refusal
from mhlib.stats.effects.robust_contrasts import robust_contrast, row_of
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.intervals import wald
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RetentionRatioResult:
    """Follow-up gain over post gain.

    Attributes
    ----------
    retention : float
        1 when all is kept, 0 when all is lost; it may lie outside.
    conf_low, conf_high : float
        Fieller's limits, not symmetric about the ratio.
    std_error : float
        Of the delta method, for comparison only.
    post_gain, follow_gain, change : float
        In the unit of the gains; `change` is follow-up less post.
    post_error, follow_error, change_error : float
    p_value : float
        That nothing was lost (`change` is 0), by t.
    df : float
    """

    retention: float
    std_error: float
    conf_low: float
    conf_high: float
    post_gain: float
    post_error: float
    follow_gain: float
    follow_error: float
    change: float
    change_error: float
    p_value: float
    df: float
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `retention`, `post_gain`, `follow_gain`, `change` (with the p-value that nothing was lost); with `df`."""
        rows = [
            {"term": "retention", "estimate": self.retention, "std_error": self.std_error, "conf_low": self.conf_low,
             "conf_high": self.conf_high, "df": self.df}
        ]  # fmt: skip
        for name, value, error in (
            ("post_gain", self.post_gain, self.post_error),
            ("follow_gain", self.follow_gain, self.follow_error),
            ("change", self.change, self.change_error),
        ):
            low, high = wald(value, error, self.conf_level, self.df)
            rows.append(
                {"term": name, "estimate": value, "std_error": error, "conf_low": low, "conf_high": high, "df": self.df}
            )
        rows[-1]["p_value"] = self.p_value
        return term_frame(rows)


def retention_ratio(
    post_gain: float,
    follow_gain: float,
    covariance: object,
    *,
    df: float = math.inf,
    n_used: int = 0,
    n_excluded: int = 0,
    conf_level: float = 0.95,
    method: str = "",
) -> RetentionRatioResult | Refused:
    """Share of the gain just after training that is still there at follow-up, with Fieller's interval.

    Parameters
    ----------
    post_gain, follow_gain : float
        Gains over the wave before training (less the comparison group's where there is one), in one unit.
    covariance : array-like, shape (2, 2)
        Of (post gain, follow-up gain): both rest on the same first wave, so that they are never independent.
    df : float
        Degrees of freedom of the gains.
    n_used, n_excluded : int
        Teachers behind the gains, and left out; carried into the record.
    conf_level : float
    method : str
        How the gains were estimated; carried into the record.

    Returns
    -------
    RetentionRatioResult or Refused
        Refused (`no_gain_to_keep`) where the interval of the post gain includes 0: Fieller's set is then infinite;
        (`few_degrees_of_freedom`) below 4 df.

    Raises
    ------
    DataError
        A covariance that is none.
    ParamsError
        Gains that are not finite, df not above 0.

    Notes
    -----
    See :func:`fieller`. The delta method (ratio -/+ t standard errors) holds too seldom when the gain is small against its
    error, and never says so. Reference: Fieller (1954) JRSS-B 16:175.
    Checked against: tests/oracle/training_fieller.csv.
    """
    where = "retention_ratio"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if not (math.isfinite(post_gain) and math.isfinite(follow_gain)) or not df > 0:
        raise ParamsError(where, "a gain is not a finite number, or df is not above 0", allowed="numbers; df > 0")
    v = checked_covariance(covariance, 2, where)
    refused = few_df_refusal(df) or no_gain_refusal(
        post_gain, math.sqrt(v[0, 0]), df=df, conf_level=conf_level, n_used=n_used
    )
    if refused:
        return refused
    ratio = fieller(follow_gain, post_gain, v[::-1, ::-1], df=df, conf_level=conf_level)
    change, error = follow_gain - post_gain, math.sqrt(max(v[0, 0] + v[1, 1] - 2 * v[0, 1], 0.0))
    statistic = abs(change) / error if error > 0 else math.nan
    return RetentionRatioResult(
        retention=ratio.value,
        std_error=ratio.std_error,
        conf_low=ratio.conf_low,
        conf_high=ratio.conf_high,
        post_gain=float(post_gain),
        post_error=math.sqrt(v[0, 0]),
        follow_gain=float(follow_gain),
        follow_error=math.sqrt(v[1, 1]),
        change=float(change),
        change_error=error,
        p_value=float(2 * (stats.norm.sf(statistic) if math.isinf(df) else stats.t.sf(statistic, df))),
        df=float(df),
        n_used=int(n_used),
        n_excluded=int(n_excluded),
        method=f"Fieller interval of follow-up gain over post gain{'; ' if method else ''}{method}",
        conf_level=conf_level,
    )


def retention_ratio_from_model(
    fit: MultilevelResult | ClusterRobustResult,
    *,
    post: str | Mapping[str, float],
    follow: str | Mapping[str, float],
    conf_level: float | None = None,
) -> RetentionRatioResult | Refused:
    """Share kept, from a mixed model or a cluster-robust regression of three waves.

    Parameters
    ----------
    fit : MultilevelResult or ClusterRobustResult
        `score ~ wave` or, with a comparison group, `score ~ wave * arm`.
    post, follow : str, or mapping of term to weight
        The gains: 'wave[T.post]', or with a comparison group 'wave[T.post]:arm[T.trained]'.
    conf_level : float, optional
        That of the fit by default.

    Returns
    -------
    RetentionRatioResult or Refused
        As :func:`retention_ratio`; df is the smaller of the two gains' own (Satterthwaite). A cluster-robust contrast that
        is refused (a gain that one school carries) hands its refusal on.

    Raises
    ------
    ParamsError
        A term that the model does not have; another kind of fit.

    Notes
    -----
    Checked against: tests/oracle/training_retention.csv (lmerTest; clubSandwich).
    """
    if not isinstance(fit, MultilevelResult | ClusterRobustResult):
        raise ParamsError(
            "retention_ratio_from_model(fit)",
            "is no fitted model",
            allowed="the result of multilevel or cluster_robust",
        )
    level = fit.conf_level if conf_level is None else conf_level
    weights = [{part: 1.0} if isinstance(part, str) else dict(part) for part in (post, follow)]
    if isinstance(fit, MultilevelResult):
        rows = np.array([weights_of_terms(row, fit.core.design.names) for row in weights])
        gains, covariance = rows @ fit.core.beta, rows @ fit.core.covariance @ rows.T
        df = float(degrees_of_freedom(fit.core, rows).min())
    else:
        found = robust_contrast(fit, dict(zip(("post", "follow"), weights, strict=True)), conf_level=level)
        if lost := [
            found.refusals[name] for name in found.refusals if found.refusals[name].code != "few_degrees_of_freedom"
        ]:
            return lost[0]
        rows = np.array([row_of(fit, row) for row in weights])
        gains, covariance, df = found.estimates, rows @ fit.covariance @ rows.T, float(found.df.min())
    return retention_ratio(
        float(gains[0]), float(gains[1]), covariance, df=df, n_used=fit.n_used, n_excluded=fit.n_excluded,
        conf_level=level, method=fit.method,
    )  # fmt: skip


def checked_covariance(covariance: object, k: int, where: str) -> np.ndarray:
    """A covariance of k estimates.

    Raises
    ------
    DataError
        Another shape, missing numbers, not symmetric, a variance that is not above 0, or negative eigenvalues.
    """
    v = np.asarray(covariance, dtype=float)
    if v.shape != (k, k) or not np.isfinite(v).all():
        raise DataError(
            f"{where}(covariance)", "has another shape or holds missing numbers", allowed=f"{k} x {k} numbers"
        )
    spread = np.sqrt(np.abs(np.diag(v)))
    sound = (np.diag(v) > 0).all() and np.allclose(v, v.T, atol=1e-10 * spread.max() ** 2)
    if not sound or np.linalg.eigvalsh(v / np.outer(spread, spread))[0] < -1e-8:
        raise DataError(
            f"{where}(covariance)", "is no covariance", allowed="symmetric, variances above 0, no |r| above 1"
        )
    return v

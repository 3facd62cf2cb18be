"""Average over pupils beside average over schools, and whether the size of a school goes with the effect."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import ParamsError
from mhlib.findings import Check, Refused, message
from mhlib.stats import inputs
from mhlib.stats.effects.robust_fit import linear_of
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.effects.robust_refusals import FEWEST_DF, few_df_refusal
from mhlib.stats.intervals import wald
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EstimandsResult:
    """One coefficient as an average over pupils and over schools.

    Attributes
    ----------
    pupil, school : ClusterRobustResult
    difference, difference_error, difference_df, difference_p : float
        Pupil average less school average; the p-value tests that the size of schools does not go with the effect.
    check : Check
        Passes when that test does not reject; None where it cannot be made.
    """

    term: str
    pupil: ClusterRobustResult = field(repr=False)
    school: ClusterRobustResult = field(repr=False)
    difference: float
    difference_error: float
    difference_df: float
    difference_p: float
    refused: Refused | None
    check: Check
    n_clusters: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `pupil_average`, `school_average`, `difference`, with `df, n_clusters, n_used`."""
        rows = []
        for name, fit in (("pupil_average", self.pupil), ("school_average", self.school)):
            rows.append({**fit.to_frame().iloc[fit.position(self.term)].to_dict(), "term": name})
        low, high = (
            (math.nan, math.nan)
            if self.refused
            else wald(self.difference, self.difference_error, self.conf_level, self.difference_df)
        )
        last = {
            "term": "difference",
            "estimate": self.difference,
            "std_error": self.difference_error,
            "conf_low": low,
            "conf_high": high,
            "p_value": self.difference_p,
            "df": self.difference_df,
            "n_clusters": self.n_clusters,
            "n_used": self.n_used,
        }
        return term_frame([*rows, last])[[*term_frame([last]).columns]]


def compare_estimands(fit: ClusterRobustResult, term: str, *, alpha: float = 0.05) -> EstimandsResult | Refused:
    """A coefficient averaged over pupils and over schools, with the test that the size of schools is uninformative.

    Parameters
    ----------
    fit : ClusterRobustResult
        Of :func:`cluster_robust` with `estimand="pupil"`, least squares, nothing absorbed.
    term : str
    alpha : float
        Level of the check.

    Returns
    -------
    EstimandsResult or Refused
        Refused (`carried_by_one_cluster`) where one cluster alone carries the term; `refused` within the record where the
        test has fewer than 4 degrees of freedom.

    Raises
    ------
    ParamsError
        A fit of another estimand or family, or with absorbed groups; an unknown term.

    Notes
    -----
    Weights 1 against 1 over the cluster's rows. The error of the difference comes from the difference of the adjusted
    scores, its degrees of freedom are the smaller of the two. Where big schools gain more (or less) than small ones the two
    averages answer different questions, and both are right. References: Kahan et al. (2023) Int J Epidemiol 52:107; Wang et
    al. (2022) Stat Med 41:4367.
    Checked against: tests/oracle/robust_values.csv, cases awards and awards_school_average (clubSandwich).
    """
    where = "compare_estimands"
    inputs.open_unit(alpha, where=where, name="alpha")
    if fit.sums is None or fit.estimand != "pupil" or fit.sums.n_absorbed:
        raise ParamsError(
            where, "needs a least-squares fit", allowed="estimand='pupil', family='gaussian', nothing absorbed"
        )
    i = fit.position(term)
    if math.isnan(fit.std_errors[i]):
        return fit.refusals[term]
    school = linear_of(fit.sums, kind=fit.kind, estimand="school", n_excluded=fit.n_excluded, conf_level=fit.conf_level)
    apart = fit.found.scores @ fit.found.scale[i] - school.found.scores @ school.found.scale[i]
    difference, error = float(fit.estimates[i] - school.estimates[i]), float(np.linalg.norm(apart))
    df = float(min(fit.df[i], school.df[i]))
    refused = None if df >= FEWEST_DF else few_df_refusal(term, df)
    equal = np.ptp(fit.cluster_rows) == 0
    p_value = math.nan if refused or equal or error == 0 else float(2 * stats.t.sf(abs(difference / error), df))
    return EstimandsResult(
        term=term,
        pupil=fit,
        school=school,
        difference=difference,
        difference_error=error,
        difference_df=df,
        difference_p=p_value,
        refused=refused,
        check=size_check(p_value, alpha, bool(equal)),
        n_clusters=fit.n_clusters,
        n_used=fit.n_used,
        n_excluded=fit.n_excluded,
        method=f"{fit.kind} of the difference of two least-squares estimates, {fit.n_clusters} clusters",
        conf_level=fit.conf_level,
    )


def size_check(p_value: float, alpha: float, equal: bool) -> Check:
    """Check that the average over pupils and the average over schools are one number but for chance."""
    name = message("Big and small schools show the same effect")
    if equal:
        return Check(name, True, message("All schools have the same number of pupils: the two averages are one."))
    if math.isnan(p_value):
        return Check(name, None, message("Too few schools to tell whether the effect goes with the size of a school."))
    if p_value >= alpha:
        return Check(name, True, message("The average over pupils and the average over schools agree but for chance."))
    return Check(
        name,
        False,
        message(
            "The average over pupils and the average over schools differ by more than chance: the effect goes with the "
            "size of a school. Read the one named in the plan; neither is wrong."
        ),
    )

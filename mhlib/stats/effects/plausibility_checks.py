"""Gates that a report passes by itself: what cannot be true, and what the design cannot carry."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mhlib.findings import Check, Count, Estimate, Refused, message
from mhlib.stats import inputs

LARGEST_EFFECT = 1.5
FEWEST_CLUSTERS = 20
FEWEST_DF = 4
# An SD this many times smaller than the usual one and close to it again after times sqrt(n) is a standard error.
SHRUNKEN_SD = 2.5


def effect_size_check(effect: float, *, n_used: int) -> Check:
    """A standardised effect beyond 1.5 is a fault of data or coding until shown otherwise.

    Parameters
    ----------
    effect : float
        Hedges g or another difference in standard deviations.
    n_used : int

    Returns
    -------
    Check
        False above 1.5 in size, None when missing.
    """
    passed = None if not math.isfinite(effect) else abs(effect) <= LARGEST_EFFECT
    detail = message("The effect is {effect} standard deviations; school programmes do not reach {limit}.",
                     effect=Estimate(effect, n_used), limit=LARGEST_EFFECT)  # fmt: skip
    return Check(message("Size of the effect is plausible"), passed, detail)


def spread_checks(sd: object, n: object, *, reference_sd: float | None = None) -> tuple[Check, pd.DataFrame]:
    """Standard deviations that look like standard errors, or are out of proportion to the others.

    Parameters
    ----------
    sd, n : array-like, shape (k,)
        Standard deviation and number of pupils of groups measured on one scale.
    reference_sd : float, optional
        Usual SD of the scale; the median of `sd` when absent, which needs three groups.

    Returns
    -------
    (Check, DataFrame)
        The table holds `sd, n, ratio, looks_like_se, implausible`: ratio to the reference; a standard error when the SD is
        over 2.5 times too small and sqrt(n) times it comes nearer; implausible when 2.5 times too small or too large, or
        not above 0.

    Raises
    ------
    DataError
        Columns of different lengths or text.
    """
    where = "spread_checks"
    inputs.same_length(where, sd=sd, n=n)
    spread, size = (inputs.numeric(v, where=where, name=name) for v, name in ((sd, "sd"), (n, "n")))
    usual = reference_sd if reference_sd is not None else float(np.nanmedian(spread)) if len(spread) >= 3 else math.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = spread / usual
        distance, mended = np.abs(np.log(ratio)), np.abs(np.log(ratio * np.sqrt(size)))
        implausible = ~(spread > 0) | (distance > math.log(SHRUNKEN_SD))
    table = pd.DataFrame(
        {"sd": spread, "n": size, "ratio": ratio, "looks_like_se": (ratio < 1 / SHRUNKEN_SD) & (mended < distance),
         "implausible": implausible}
    )  # fmt: skip
    known = math.isfinite(usual)
    detail = message("{odd} of {groups} standard deviations are out of proportion; {se} look like standard errors.",
                     odd=int(table["implausible"].sum()), groups=len(table), se=int(table["looks_like_se"].sum()))  # fmt: skip
    if not known:
        detail = message("Too few groups to tell, and no usual standard deviation of the scale was given.")
    return Check(
        message("Standard deviations are plausible"), bool(~implausible.any()) if known else None, detail
    ), table


def score_range_check(score: object, *, lowest: float, highest: float) -> Check:
    """Scores outside what the scale allows.

    Parameters
    ----------
    score : array-like, shape (n,)
    lowest, highest : float
        Of the scale's codebook.

    Returns
    -------
    Check

    Raises
    ------
    DataError
        Text.
    """
    values = inputs.numeric(score, where="score_range_check", name="score")
    outside = int(((values < lowest) | (values > highest)).sum())
    detail = message(
        "{outside} scores lie outside {lowest} to {highest}.", outside=Count(outside), lowest=lowest, highest=highest
    )
    return Check(message("Scores lie within the scale"), outside == 0, detail)


def cluster_check(cluster: object, *, n: int) -> Check | Refused:
    """Whether there are schools, and enough for intervals that lean on their number.

    Parameters
    ----------
    cluster : array-like, shape (n,), or None
        School of each pupil.
    n : int
        Pupils.

    Returns
    -------
    Check or Refused
        Refused `cluster_missing` when there is none or some pupils lack one; a failed check under 20 schools.
    """
    lacking = n if cluster is None else int(pd.Series(cluster).isna().sum())
    if lacking:
        return Refused(
            "cluster_missing",
            message("{lacking} of {n} pupils have no school on record, so that errors cannot take schools into account.",
                    lacking=Count(lacking), n=Count(n)),
            message("Add the school (at allocation) of every pupil to the data."),
        )  # fmt: skip
    schools = int(pd.Series(cluster).nunique())
    detail = message("{schools} schools; under {fewest} only small-sample corrections, permutation or wild bootstrap hold.",
                     schools=schools, fewest=FEWEST_CLUSTERS)  # fmt: skip
    return Check(message("Enough schools"), schools >= FEWEST_CLUSTERS, detail)


def effective_df_refusal(df: float) -> Refused | None:
    """No p-value where the test has fewer than four effective degrees of freedom.

    Parameters
    ----------
    df : float
        Satterthwaite's, of the coefficient in question.

    Returns
    -------
    Refused or None
        Code `too_few_df`.
    """
    if (math.isfinite(df) and df >= FEWEST_DF) or df == math.inf:
        return None
    return Refused(
        "too_few_df",
        message("The comparison rests on {df} effective degrees of freedom; under {fewest} no p-value holds.",
                df=round(df, 1) if math.isfinite(df) else "—", fewest=FEWEST_DF),
        message("Take in more schools, in both arms, or report the difference without a test."),
    )  # fmt: skip


def nesting_check(lower: object, upper: object) -> Check:
    """Whether each class (or pupil) belongs to one school (or class) only.

    Parameters
    ----------
    lower, upper : array-like, shape (n,)
        Ids of the smaller and of the larger unit; rows that lack either are passed over.

    Returns
    -------
    Check
        Fails with the number of units that stand in more than one larger unit.

    Raises
    ------
    DataError
        Columns of different lengths.
    """
    inputs.same_length("nesting_check", lower=lower, upper=upper)
    pairs = (
        pd.DataFrame({"lower": pd.Series(lower).to_numpy(), "upper": pd.Series(upper).to_numpy()})
        .dropna()
        .drop_duplicates()
    )
    crossed = int((pairs["lower"].value_counts() > 1).sum())
    detail = message("{crossed} of {units} smaller units stand in more than one larger unit (moved, or ids used twice).",
                     crossed=Count(crossed), units=Count(int(pairs["lower"].nunique())))  # fmt: skip
    return Check(message("Units are nested"), crossed == 0, detail)


def fit_checks(
    *,
    variances: Sequence[float],
    loglik: float,
    loglik_second: float,
    converged: bool,
    tolerance: float = 1e-4,
) -> list[Check]:
    """Whether a mixed model's fit may be believed.

    Parameters
    ----------
    variances : sequence of float
        Variance components, residual last.
    loglik, loglik_second : float
        Of the first and of a second optimiser.
    converged : bool
        What the first optimiser says of itself.
    tolerance : float
        How far the two may differ.

    Returns
    -------
    list of Check
        No variance at 0; converged, finite and in agreement (None for the agreement when there was no second optimiser).
    """
    total = sum(variances)
    inside = all(math.isfinite(v) and v > 1e-8 * total for v in variances)
    finite = math.isfinite(loglik)
    agree = None if math.isnan(loglik_second) else finite and abs(loglik - loglik_second) <= tolerance
    return [
        Check(message("No variance at its boundary"), inside,
              message("A variance of 0 means that the data do not show that level, or that the fit went wrong.")),
        Check(message("The fit converged to a finite likelihood"), bool(converged and finite),
              message("A fit that stopped early or at an infinite likelihood is not shown.")),
        Check(message("A second optimiser agrees"), agree,
              message("Both optimisers must reach the same likelihood; one alone may stop early.")),
    ]  # fmt: skip


def uncontrolled_positives_refusal(
    *, screened_by_cutoff: bool, n_unserved_retested: int, has_control: bool
) -> Refused | None:
    """Screened positives whose change has nothing to be compared with.

    Parameters
    ----------
    screened_by_cutoff : bool
        Whether those served were chosen for a high score.
    n_unserved_retested : int
        Screened positives without service who were measured again.
    has_control : bool
        Whether the design has a comparison arm.

    Returns
    -------
    Refused or None
        Code `uncontrolled_positives`; :func:`regression_to_mean` must then stand in place of any before-after claim.
    """
    if not screened_by_cutoff or has_control or n_unserved_retested > 0:
        return None
    return Refused(
        "uncontrolled_positives",
        message(
            "Those served were chosen for a high score and nobody like them went without: high scores fall by "
            "themselves, so the change from before to after says nothing about the programme."
        ),
        message("Measure again, over the same interval, pupils with high scores who are not served yet."),
    )

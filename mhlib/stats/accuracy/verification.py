"""Accuracy when the reference standard was applied to some people only, and to whom depended on the test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.accuracy.two_by_two_table import TwoByTwo, two_by_two
from mhlib.stats.accuracy.verification_counts import VerificationCounts, verified_rows
from mhlib.stats.clustered import variance_of_total
from mhlib.stats.intervals import on_logit
from mhlib.stats.terms import term_frame

METHODS = ("begg_greenes", "ipw")
MEASURES = ("sensitivity", "specificity", "ppv", "npv", "prevalence", "apparent_prevalence")
Cluster = tuple[np.ndarray, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VerificationCorrected:
    """Accuracy among everyone tested, corrected for who was verified; shares 0–1 with logit intervals.

    Attributes
    ----------
    naive : TwoByTwo or None
        The table of the verified alone, for contrast; None when nobody was verified on one side.
    counts : VerificationCounts
        The six cells over all strata.
    """

    sensitivity: float
    specificity: float
    ppv: float
    npv: float
    prevalence: float
    apparent_prevalence: float
    naive: TwoByTwo | None
    counts: VerificationCounts
    terms: pd.DataFrame = field(repr=False)
    n_clusters: int | None = None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a measure; numerator and denominator count the verified people behind it."""
        return self.terms.assign(n_used=self.n_used)


def verification_corrected(
    test: object,
    reference: object,
    *,
    verified: object = None,
    covariates: object = None,
    method: str = "begg_greenes",
    verification_probability: object = None,
    cluster: object = None,
    conf_level: float = 0.95,
) -> VerificationCorrected:
    """Sensitivity, specificity, predictive values and prevalence corrected for partial verification.

    Parameters
    ----------
    test : array-like of 0/1 or bool, shape (n,)
        Everyone tested.
    reference : array-like of 0/1 or bool, shape (n,)
        Missing where not verified.
    verified : array-like of 0/1 or bool, shape (n,), optional
        Default: the reference is present.
    covariates : Series or DataFrame, shape (n,) or (n, k), optional
        Verification is taken as random within test result and each distinct combination.
    method : {'begg_greenes', 'ipw'}
        'begg_greenes' predicts the unverified from the verified of their cell. 'ipw' weighs the verified by the inverse
        of `verification_probability`, or by their cell's verified share when none is given (then equal to
        Begg-Greenes).
    verification_probability : array-like, shape (n,), optional
        The known chance of each person to be verified, 0–1; needed only in verified rows.
    cluster : array-like, shape (n,), optional
        Errors are then summed by cluster, and intervals use t with clusters - 1 df.
    conf_level : float

    Returns
    -------
    VerificationCorrected

    Raises
    ------
    DataError
        Missing tests, a verified row without a reference, a probability outside 0–1.
    DesignError
        A cell of test and covariates in which nobody was verified; fewer than two clusters.
    ParamsError
        An unknown method, or a probability that the method does not use.

    Notes
    -----
    With cells k of test t and covariates, share phi_k and case rate theta_k among the verified,
    Se = sum_{t=1} phi theta / sum phi theta; standard errors by the delta method, as influences of rows.
    Assumes verification missing at random within cells: not testable from these data.
    References: Begg & Greenes (1983) Biometrics 39:207; Alonzo & Pepe (2005).
    Checked against: hepatic scintigraphy (Drum & Christacopoulos 1972), diaphanography (Marshall 1984), SPECT (Cecil
    1996); tests/stats/test_accuracy.py.
    """
    where = "verification_corrected"
    check_options(method, verification_probability, conf_level)
    test, case, seen = verified_rows(test, reference, verified, where=where)
    inputs.same_length(where, test=test, covariates=covariates, cluster=cluster, probability=verification_probability)
    groups = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    if groups is not None and groups[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    if verification_probability is None:
        expected, known = expected_by_cell(test, case, seen, cells_of(test, covariates)), np.ones(len(test))
    else:
        known = inverse_probability(verification_probability, seen)
        expected = known * case
    cells = np.bincount((test * 3 + np.where(seen, case, 2)).astype(int), minlength=6)
    tn, fn, negative_unverified, fp, tp, positive_unverified = (int(cell) for cell in cells)
    name = {"begg_greenes": "Begg & Greenes (1983)", "ipw": "inverse probability of verification"}[method]
    return corrected_record(
        *shares(test, expected, known, groups),
        counts=VerificationCounts(tp, fp, fn, tn, positive_unverified, negative_unverified),
        method=name + ("" if groups is None else ", errors by cluster"),
        n_clusters=None if groups is None else groups[1],
        conf_level=conf_level,
    )


def check_options(method: str, probability: object, conf_level: float) -> None:
    """Stop on options that do not fit together."""
    where = "verification_corrected"
    inputs.one_of(method, METHODS, where=where, name="method")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if probability is not None and method != "ipw":
        raise ParamsError(
            f"{where}(verification_probability)", f"is not used by method '{method}'", remedy="choose method='ipw'"
        )


def cells_of(test: np.ndarray, covariates: object) -> np.ndarray:
    """Integer code of each row's cell of test and covariates.

    Raises
    ------
    DataError
        Covariates with missing values.
    """
    if covariates is None:
        return test.astype(int)
    frame = pd.DataFrame(covariates).reset_index(drop=True)
    if n_missing := int(frame.isna().any(axis=1).sum()):
        raise DataError(
            "verification_corrected(covariates)",
            f"{n_missing} of {len(frame)} rows miss a covariate",
            allowed="a value in every row",
            remedy="give missing a level of its own, or leave the covariate out",
        )
    stratum = frame.groupby(list(frame.columns), observed=True, sort=False).ngroup().to_numpy()
    return stratum * 2 + test.astype(int)


def expected_by_cell(test: np.ndarray, case: np.ndarray, seen: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Each row's share in the number of cases: its cell's rate, and for the verified their residual, weighted up.

    The sum is the number of cases expected; the spread carries the error of the rates too.

    Raises
    ------
    DesignError
        A cell without a verified row.
    """
    n_all, n_seen = np.bincount(cell), np.bincount(cell, weights=seen)
    if n_empty := int(((n_all > 0) & (n_seen == 0)).sum()):
        unseen = ((n_all > 0) & (n_seen == 0))[cell]
        sides = [side for side, value in (("negative", 0), ("positive", 1)) if (unseen & (test == value)).any()]
        raise DesignError(
            "verification_corrected",
            f"{n_empty} cells of test and covariates hold nobody verified (test {' and '.join(sides)})",
            allowed="someone verified in every cell",
            remedy="verify some of them (see verification_plan), or use coarser covariates",
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.bincount(cell, weights=case * seen) / n_seen
        up = n_all / n_seen
    return rate[cell] + seen * up[cell] * (case - rate[cell])


def inverse_probability(probability: object, seen: np.ndarray) -> np.ndarray:
    """One over the chance of verification in verified rows, 0 elsewhere.

    Raises
    ------
    DataError
        Verified rows whose probability is missing, 0 or below, or above 1.
    """
    where = "verification_corrected"
    chance = inputs.numeric(probability, where=where, name="verification_probability")
    if n_bad := int((seen & ~((chance > 0) & (chance <= 1))).sum()):
        raise DataError(
            f"{where}(verification_probability)",
            f"{n_bad} verified rows have no probability above 0 and up to 1",
            allowed="0 < p <= 1 in every verified row",
        )
    return np.where(seen, 1 / np.where(seen, chance, 1.0), 0.0)


def shares(
    test: np.ndarray, expected: np.ndarray, known: np.ndarray, groups: Cluster | None
) -> tuple[dict[str, float], dict[str, float], float]:
    """Value and standard error of each measure, and the df.

    `expected` and `known` are each row's contribution to the number of cases and of people.
    """
    well = known - expected
    parts = {
        "sensitivity": (test * expected, expected),
        "specificity": ((1 - test) * well, well),
        "ppv": (test * expected, test * known),
        "npv": ((1 - test) * well, (1 - test) * known),
        "prevalence": (expected, known),
        # Everyone was tested, verified or not, so this one needs no correction.
        "apparent_prevalence": (test, np.ones(len(test))),
    }
    values, errors = {}, {}
    for name, (top, bottom) in parts.items():
        total = float(bottom.sum())
        values[name] = float(top.sum()) / total if total > 0 else math.nan
        influence = (top - values[name] * bottom) / total if total > 0 else np.array([math.nan, math.nan])
        errors[name] = math.sqrt(uncentred_variance(influence, groups if total > 0 else None))
    return values, errors, math.inf if groups is None else groups[1] - 1


def uncentred_variance(influence: np.ndarray, groups: Cluster | None) -> float:
    """Sum of squares of independent rows (the delta method), or the cluster-robust variance."""
    return float(influence @ influence) if groups is None else variance_of_total(influence, groups)


def verification_corrected_from_counts(
    counts: VerificationCounts | Sequence[VerificationCounts], *, conf_level: float = 0.95
) -> VerificationCorrected:
    """Begg-Greenes correction from the six cells, of one table or of one table per stratum.

    Parameters
    ----------
    counts : VerificationCounts or sequence of these
    conf_level : float

    Returns
    -------
    VerificationCorrected
        The same digits as :func:`verification_corrected` on the rows.

    Raises
    ------
    DesignError
        A cell of test and stratum in which nobody was verified, though somebody was tested.

    Notes
    -----
    Reference: Begg & Greenes (1983). Checked against: tests/stats/test_accuracy.py.
    """
    tables = [counts] if isinstance(counts, VerificationCounts) else list(counts)
    check_options("begg_greenes", None, conf_level)
    six = np.array([[t.tp, t.fp, t.positive_unverified, t.fn, t.tn, t.negative_unverified] for t in tables]).ravel()
    # Rows of one kind share one influence, so a kind is a row that stands n times.
    test = np.tile([1.0, 1.0, 1.0, 0.0, 0.0, 0.0], len(tables))
    case = np.tile([1.0, 0.0, 0.0, 1.0, 0.0, 0.0], len(tables))
    seen = np.tile([True, True, False, True, True, False], len(tables))
    cell = np.repeat(np.arange(2 * len(tables)), 3)
    repeat = np.repeat(np.arange(len(six)), six)
    expected = expected_by_cell(test[repeat], case[repeat], seen[repeat], cell[repeat])
    return corrected_record(
        *shares(test[repeat], expected, np.ones(len(repeat)), None),
        counts=VerificationCounts(*np.array([list(fields(t)) for t in tables]).sum(axis=0).tolist()),
        method="Begg & Greenes (1983)",
        n_clusters=None,
        conf_level=conf_level,
    )


def fields(table: VerificationCounts) -> tuple[int, ...]:
    """Cells in the order of the record."""
    return table.tp, table.fp, table.fn, table.tn, table.positive_unverified, table.negative_unverified


def corrected_record(
    values: dict[str, float],
    errors: dict[str, float],
    df: float,
    *,
    counts: VerificationCounts,
    conf_level: float,
    **rest: object,
) -> VerificationCorrected:
    """Values, errors and counts as a record with logit intervals."""
    c = counts
    behind = {
        "sensitivity": (c.tp, c.tp + c.fn),
        "specificity": (c.tn, c.tn + c.fp),
        "ppv": (c.tp, c.tp + c.fp),
        "npv": (c.tn, c.tn + c.fn),
        "prevalence": (c.tp + c.fn, c.n_verified),
        "apparent_prevalence": (c.n_positive, c.n),
    }
    rows = []
    for name in MEASURES:
        low, high = on_logit(values[name], errors[name], conf_level, df)
        bounds = {"std_error": errors[name], "conf_low": low, "conf_high": high}
        x, n = behind[name]
        rows.append({"term": name, "estimate": values[name], **bounds, "numerator": x, "denominator": n})
    both_sides = c.tp + c.fp > 0 and c.fn + c.tn > 0
    naive = two_by_two(c.tp, c.fp, c.fn, c.tn, conf_level=conf_level) if both_sides else None
    return VerificationCorrected(
        **values,
        naive=naive,
        counts=counts,
        terms=term_frame(rows),
        n_used=c.n,
        n_excluded=0,
        conf_level=conf_level,
        **rest,
    )

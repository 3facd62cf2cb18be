"""One fitted factor model, or why there is none: the step that cfa and the invariance ladder share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.findings import Check, Refused, message
from mhlib.stats.measurement.cfa_indices import FitIndices, fit_indices
from mhlib.stats.measurement.cfa_likelihood import observed_information
from mhlib.stats.measurement.cfa_matrices import Structure, structure
from mhlib.stats.measurement.cfa_moments import Moments
from mhlib.stats.measurement.cfa_robust import Variation, robust
from mhlib.stats.measurement.cfa_search import Found, maximise, start_values
from mhlib.stats.measurement.cfa_table import ParameterTable

# Bentler & Chou (1987): fewer people a free parameter give estimates that are not to be trusted.
ENOUGH_PER_PARAMETER = 5
# Fewer clusters leave a sandwich too small by chance more often than not.
FEWEST_CLUSTERS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A converged model.

    Attributes
    ----------
    covariance : ndarray, shape (q, q)
        Of the free parameters.
    improper : tuple of str
        Variances below 0 and factors whose covariance is not positive definite, each with its group.
    """

    table: ParameterTable
    built: Structure
    moments: Moments
    found: Found
    covariance: np.ndarray
    indices: FitIndices
    estimator: str
    improper: tuple[str, ...]


def fit_table(
    table: ParameterTable,
    moments: Moments,
    *,
    estimator: str = "ml",
    information: str = "expected",
    variation: Variation | None = None,
    start: np.ndarray | None = None,
) -> Fitted | Refused:
    """Fit a parameter table to moments of its items.

    Parameters
    ----------
    table : ParameterTable
    moments : Moments
        In the order of `table.observed`.
    estimator : {'ml', 'mlr'}
    information : {'expected', 'observed'}
        For the standard errors of "ml".
    variation : Variation, optional
        Needed for "mlr".
    start : ndarray, shape (n_free,), optional

    Returns
    -------
    Fitted or Refused
        Codes `cfa_not_identified`, `cfa_too_few_people`, `cfa_singular_covariance`, `cfa_not_converged`.
    """
    built = structure(table)
    g, k = moments.mean.shape
    df = g * (k * (k + 1) // 2 + (k if built.has_means else 0)) - built.n_free
    refused = refusal_before(table, built, moments, df)
    if refused is not None:
        return refused
    found = maximise(built, moments, start_values(table, moments) if start is None else start)
    if not found.converged:
        return not_converged(found)
    if not found.identified:
        return not_identified()
    scaled = None
    if estimator == "mlr":
        scaled = robust(built, moments, found.point, variation, df, g * k * (k - 1) // 2)
        if scaled is None:
            return not_identified()
        covariance = scaled.covariance
    else:
        info = found.information
        if information == "observed":
            info = observed_information(built, moments, found.point)
        covariance = np.linalg.inv(info) / moments.n.sum()
    indices = fit_indices(
        moments, found.point, n_free=built.n_free, df=df, baseline_df=g * k * (k - 1) // 2,
        has_means=built.has_means, scaled=scaled,
    )  # fmt: skip
    return Fitted(table, built, moments, found, covariance, indices, estimator, improper(built, found))


def own_parameters(table: ParameterTable) -> np.ndarray:
    """Distinct free parameters that touch each group, shape (g,)."""
    touched = [set() for _ in table.groups]
    for row, free in zip(table.rows, table.free, strict=True):
        if free >= 0:
            touched[row.group].add(free)
    return np.array([len(places) for places in touched])


def refusal_before(table: ParameterTable, built: Structure, moments: Moments, df: int) -> Refused | None:
    """Why the model cannot be fitted whatever the search does."""
    if df < 0:
        return Refused(
            "cfa_not_identified",
            message(
                "The model has {parameters} free parameters, more than the {known} means and covariances of the items.",
                parameters=built.n_free,
                known=built.n_free + df,
            ),
            message("Measure each factor by at least three items, or fix parameters."),
        )
    needed = np.maximum(own_parameters(table), len(table.observed) + 1)
    few = [name for name, n, least in zip(table.groups, moments.n, needed, strict=True) if n < least]
    if few:
        return Refused(
            "cfa_too_few_people",
            message(
                "Fewer people with complete answers than free parameters (at least {needed} are needed): {groups}.",
                needed=int(needed.max()),
                groups=", ".join(few),
            ),
            message("Collect more answers, merge groups, or fit a smaller model."),
        )
    return singular_refusal(moments)


def singular_refusal(moments: Moments) -> Refused | None:
    """Why the items' covariance carries no model: an item without variation, or one that is the sum of others."""
    for group, cov in zip(moments.groups, moments.cov, strict=True):
        flat = [name for name, value in zip(moments.names, np.diag(cov), strict=True) if value <= 0]
        spread = np.sqrt(np.maximum(np.diag(cov), 1e-300))
        if flat or np.linalg.eigvalsh(cov / np.outer(spread, spread))[0] < 1e-10:
            cause = (
                message("no variation in {items}", items=", ".join(flat))
                if flat
                else message("an item is the sum or the copy of others")
            )
            return Refused(
                "cfa_singular_covariance",
                message("The items of group {group} have a singular covariance: {cause}.", group=group, cause=cause),
                message("Leave out such items."),
            )
    return None


def not_converged(found: Found) -> Refused:
    """The refusal of a search without an end."""
    return Refused(
        "cfa_not_converged",
        message(
            "The search for the best parameters did not converge in {steps} steps, so no fit is given.",
            steps=found.n_steps,
        ),
        message("Fit a simpler model, give start values, or collect more answers."),
    )


def not_identified() -> Refused:
    """The refusal of a model whose parameters the data cannot tell apart."""
    return Refused(
        "cfa_not_identified",
        message("The model is not identified: different parameters fit the data equally well."),
        message("Measure each factor by at least three items, fix parameters, or make some of them equal."),
    )


def improper(built: Structure, found: Found) -> tuple[str, ...]:
    """Heywood cases by name."""
    at, cases = found.point.at, []
    for g, group in enumerate(built.groups):
        inside = f" [{group}]" if len(built.groups) > 1 else ""
        pairs = ((built.observed, at.residual[g]), (built.latent, at.latent[g]))
        below = [name for names, matrix in pairs for name, v in zip(names, np.diag(matrix), strict=True) if v < 0]
        cases += [f"{name}~~{name}{inside}" for name in below]
        spread = np.sqrt(np.abs(np.diag(at.latent[g])))
        if (spread > 0).all() and not set(below) & set(built.latent):
            least = np.linalg.eigvalsh(at.latent[g] / np.outer(spread, spread))[0]
            cases += [f"factors{inside}"] * int(least < -1e-10)
    return tuple(cases)


def few_clusters(n_clusters: int | None) -> Refused | None:
    """The refusal of errors by cluster from a handful of clusters; None when there are enough, or no clusters."""
    if n_clusters is None or n_clusters >= FEWEST_CLUSTERS:
        return None
    return Refused(
        "cfa_few_clusters",
        message(
            "Standard errors by school need at least {least} schools; there are {found}.",
            least=FEWEST_CLUSTERS,
            found=n_clusters,
        ),
        message("Answers from at least {least} schools, or errors that take pupils as independent, said so.",
                least=FEWEST_CLUSTERS),
    )  # fmt: skip


def cluster_check(fitted: Fitted, n_clusters: int | None) -> tuple[Check, ...]:
    """Whether clusters outnumber parameters, so that scores by cluster span them; empty without clusters."""
    if n_clusters is None:
        return ()
    detail = message("{clusters} schools, {parameters} free parameters", clusters=n_clusters,
                     parameters=fitted.built.n_free)  # fmt: skip
    return (Check(message("More schools than free parameters"), n_clusters > fitted.built.n_free, detail),)


def model_checks(fitted: Fitted, n_clusters: int | None = None) -> tuple[Check, ...]:
    """What should hold beside the fit: proper variances, and enough people (and schools) for the number of parameters."""
    cases = fitted.improper
    own, n = own_parameters(fitted.table), fitted.moments.n
    thin = [g for g, people, count in zip(fitted.table.groups, n, own, strict=True)
            if people < ENOUGH_PER_PARAMETER * count]  # fmt: skip
    return (
        Check(
            message("No variance below 0"),
            not cases,
            message("Improper estimates: {cases}", cases=", ".join(cases))
            if cases
            else message("All variances are above 0."),
        ),
        Check(
            message("Enough people for the number of parameters"),
            not thin,
            message("Fewer than {least} people a free parameter: {groups}", least=ENOUGH_PER_PARAMETER,
                    groups=", ".join(thin))
            if thin
            else message("At least {least} people a free parameter.", least=ENOUGH_PER_PARAMETER),
        ),
        *cluster_check(fitted, n_clusters),
    )  # fmt: skip

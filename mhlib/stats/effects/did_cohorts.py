"""Group-time effects and their averages as sums over cohort means: what each needs is a table of coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.errors import DesignError
from mhlib.stats.effects.did_panel import Panel

CONTROLS = {"never": "schools that never began", "not_yet": "schools that had not yet begun"}


@dataclass(frozen=True, slots=True, eq=False)
class CohortMoments:
    """What a staggered difference-in-differences needs of the schools; K cohorts (the never-treated last), T terms.

    Attributes
    ----------
    first : ndarray of int, shape (K,)
        Place of the first term under the programme; T for never.
    n : ndarray of int, shape (K,)
        Schools.
    mass : ndarray, shape (K,)
        Sum of their weights.
    df : ndarray, shape (K,)
        Degrees of freedom of a cohort's own variance: schools - 1 with equal weights; 0 for one school.
    means : ndarray, shape (K, T)
    spread : ndarray, shape (K, T, T)
        Covariance of the cohort's mean, unbiased with equal weights; NaN for one school.
    plain : ndarray, shape (K, T, T)
        The same with schools as divisor, as influence functions have it.
    """

    first: np.ndarray
    n: np.ndarray
    mass: np.ndarray
    df: np.ndarray
    means: np.ndarray
    spread: np.ndarray
    plain: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Effects as sums over cohorts and terms of coefficient times mean.

    Attributes
    ----------
    terms, aggregation : list of str
    coefficients : ndarray, shape (m, K, T)
    share_slopes : ndarray, shape (m, K)
        Change of the effect with the share of a cohort among all schools.
    before : ndarray of int
        Group-time effects before the start.
    """

    terms: list[str]
    aggregation: list[str]
    coefficients: np.ndarray
    share_slopes: np.ndarray
    before: np.ndarray


def cohort_moments(panel: Panel) -> CohortMoments:
    """Means, their covariance and degrees of freedom, cohort by cohort."""
    firsts = np.unique(panel.first)
    parts = [one_cohort(panel.y[panel.first == g], panel.weights[panel.first == g]) for g in firsts]
    n, mass, df, means, spread, plain = (np.array(each) for each in zip(*parts, strict=True))
    return CohortMoments(firsts, n.astype(int), mass, df, means, spread, plain)


def one_cohort(y: np.ndarray, weights: np.ndarray) -> tuple[int, float, float, np.ndarray, np.ndarray, np.ndarray]:
    """Size, weight, degrees of freedom, mean and covariance of the mean (HC2: each residual over 1 - its share)."""
    share = weights / weights.sum()
    mean = share @ y
    scaled = share[:, None] * (y - mean)
    plain = scaled.T @ scaled
    if len(y) == 1 or share.max() >= 1:
        return len(y), float(weights.sum()), 0.0, mean, np.full_like(plain, np.nan), plain
    spread = (scaled / (1 - share)[:, None]).T @ scaled
    a = share**2 / (1 - share)
    # Trace and squared norm of R'DR, R = I - 1 share', D = diag(a): Satterthwaite under equal variances.
    total, along, square = a.sum(), a @ share, share @ share
    trace = total - 2 * along + total * square
    norm = (a @ a) - 4 * (a**2 @ share) + 2 * total * (a @ share**2) + 2 * (a @ a) * square + 2 * along**2
    norm += (total * square) ** 2 - 4 * total * along * square
    return len(y), float(weights.sum()), float(trace**2 / norm), mean, spread, plain


def group_time(moments: CohortMoments, control: str) -> tuple[list[tuple[int, int]], np.ndarray, np.ndarray]:
    """(cohort, term) pairs that can be estimated, their coefficients and share slopes; the base is the term before.

    Raises
    ------
    DesignError
        No school to compare with.
    """
    n_terms = moments.means.shape[1]
    never = moments.first == n_terms
    if control == "never" and not never.any():
        raise DesignError(
            "did_staggered(control)",
            "no school never began, so there is nothing to compare with",
            allowed="at least two schools without the programme to the end",
            remedy="use control='not_yet', or add schools without the programme",
        )
    pairs, coefficients, slopes = [], [], []
    for k in np.flatnonzero(~never):
        base = moments.first[k] - 1
        for t in range(n_terms):
            pool = never if control == "never" else moments.first > max(t, base)
            pool = pool & (np.arange(len(never)) != k)
            if t == base or not pool.any():
                continue
            table = np.zeros_like(moments.means)
            table[k, [t, base]] = 1.0, -1.0
            share = np.where(pool, moments.mass, 0) / moments.mass[pool].sum()
            table[:, t] -= share
            table[:, base] += share
            pairs.append((int(k), t))
            coefficients.append(table)
            change = moments.means[:, t] - moments.means[:, base]
            slopes.append(np.where(pool, share @ change - change, 0) * moments.mass.sum() / moments.mass[pool].sum())
    if not any(t >= moments.first[k] for k, t in pairs):
        raise DesignError(
            "did_staggered(control)",
            "in no term is there both a school under the programme and one to compare it with",
            allowed="schools that begin in different terms, or some that never begin",
            remedy="add schools without the programme, or terms before the last schools began",
        )
    return pairs, np.array(coefficients), np.array(slopes)


def contrasts_of(moments: CohortMoments, control: str, labels: list[str]) -> Contrasts:
    """Group-time effects, their averages by event time, cohort and term, and four overall effects."""
    pairs, table, pooled = group_time(moments, control)
    k, t = np.array(pairs).T
    after = np.flatnonzero(t >= moments.first[k])
    event = t - moments.first[k]
    share = moments.mass / moments.mass.sum()
    rows: list[tuple[str, str, np.ndarray, np.ndarray]] = []
    mean_effects = np.einsum("mkt,kt->m", table, moments.means)

    def average(term: str, kind: str, members: np.ndarray) -> None:
        weights, slopes = averaging(members, k, share, mean_effects, len(moments.first))
        rows.append((term, kind, np.einsum("m,mkt->kt", weights, table[members]), slopes + weights @ pooled[members]))

    def mean_of(term: str, kind: str, weights: np.ndarray | None = None) -> None:
        parts = [row for row in rows if row[1] == kind and not row[0].startswith("e=-")]
        even = np.full(len(parts), 1 / len(parts)) if weights is None else weights
        rows.append((term, "overall", sum(w * p[2] for w, p in zip(even, parts, strict=True)),
                     sum(w * p[3] for w, p in zip(even, parts, strict=True))))  # fmt: skip

    for i, (g, when) in enumerate(pairs):
        rows.append((f"g={labels[moments.first[g]]},t={labels[when]}", "group_time", table[i], pooled[i]))
    for e in np.unique(event):
        average(f"e={e}", "dynamic", np.flatnonzero(event == e))
    for g in np.unique(k[after]):
        average(f"g={labels[moments.first[g]]}", "group", after[k[after] == g])
    for when in np.unique(t[after]):
        average(f"t={labels[when]}", "calendar", after[t[after] == when])
    average("overall", "overall", after)
    treated = np.unique(k[after])
    mean_of("overall_dynamic", "dynamic")
    mean_of("overall_calendar", "calendar")
    parts = [row for row in rows if row[1] == "group"]
    weights = share[treated] / share[treated].sum()
    effects = np.array([np.sum(part[2] * moments.means) for part in parts])
    slopes = np.zeros(len(moments.first))
    slopes[treated] = (effects - weights @ effects) / share[treated].sum()
    slopes += weights @ np.array([part[3] for part in parts])
    rows.append(("overall_group", "overall", np.einsum("m,mkt->kt", weights, np.array([p[2] for p in parts])), slopes))
    return Contrasts(
        terms=[row[0] for row in rows],
        aggregation=[row[1] for row in rows],
        coefficients=np.array([row[2] for row in rows]),
        share_slopes=np.array([row[3] for row in rows]),
        before=np.flatnonzero(event < -1),
    )


def averaging(
    members: np.ndarray, cohort: np.ndarray, share: np.ndarray, effects: np.ndarray, n_cohorts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights by cohort size of some group-time effects, and how their average changes with each cohort's share."""
    mass = share[cohort[members]]
    total = mass.sum()
    mean = mass @ effects[members] / total
    slopes = np.bincount(cohort[members], weights=(effects[members] - mean) / total, minlength=n_cohorts)
    return mass / total, slopes

"""The ROC curve of everyone screened, when only some were verified and their score decided who."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.accuracy.counts import ScoreCounts, demand_both, demand_direction, score_levels
from mhlib.stats.accuracy.placements import areas
from mhlib.stats.accuracy.roc_curve import RocResult, curve_points
from mhlib.stats.accuracy.verification import inverse_probability
from mhlib.stats.accuracy.verification_counts import reference_rows
from mhlib.stats.accuracy.verification_patterns import covariate_frame, distinct
from mhlib.stats.intervals import on_logit

# Without named bands, neighbouring scores are pooled until this many verified people stand behind a verified share.
FEWEST_IN_BAND = 20
ROC_METHODS = ("ipw", "begg_greenes")


def verification_corrected_roc(
    score: object,
    reference: object,
    *,
    seed: int,
    verified: object = None,
    method: str = "ipw",
    bands: Sequence[float] | None = None,
    covariates: object = None,
    verification_probability: object = None,
    cluster: object = None,
    direction: str = ">=",
    n_boot: int = 2000,
    ci: str = "percentile",
    conf_level: float = 0.95,
) -> RocResult:
    """ROC curve and area corrected for partial verification, with a bootstrap interval.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
        Everyone screened.
    reference : array-like of 0/1 or bool, shape (n,)
        Missing where not verified.
    seed : int
        Of the bootstrap.
    verified : array-like of 0/1 or bool, shape (n,), optional
        Default: the reference is present.
    method : {'ipw', 'begg_greenes'}
        'ipw' weighs each verified person by the inverse of the verified share of the band (or of the known
        probability). 'begg_greenes' gives everyone of a band the case rate of its verified.
    bands : sequence of float, optional
        Inner edges: [10] makes two bands, below 10 and from 10 up. Best the bands in which people were drawn. Default:
        neighbouring scores pooled until 20 verified stand in each.
    covariates : Series or DataFrame, shape (n,) or (n, k), optional
        A few levels each: verification is then taken as random within band and distinct combination.
    verification_probability : array-like, shape (n,), optional
        Known chance of each verified person to be verified; only with 'ipw', without `bands` and `covariates`.
    cluster : array-like, shape (n,), optional
        Whole clusters are resampled; else people.
    direction : {'>=', '<='}
    n_boot : int
        Resamples; 0 gives no standard error and no interval.
    ci : {'percentile', 'logit'}
        'logit' takes the bootstrap's standard error to the logit scale, with clusters by t with clusters - 1 df: with
        some fifty schools it covers better than percentiles, which know no df.
    conf_level : float

    Returns
    -------
    RocResult
        `points` hold expected numbers, scaled to everyone screened.

    Raises
    ------
    DesignError
        A band in which nobody was verified, or no case or non-case among the verified.
    DataError, ParamsError
        As in :func:`roc`.

    Notes
    -----
    Every resample estimates its own verified shares, so their error is in the interval. The core works on the counts by
    cluster and score: a resample is one product with multinomial weights.
    References: Alonzo & Pepe (2005); Begg & Greenes (1983). Checked against: simulated complete verification.
    """
    where = "verification_corrected_roc"
    sign = demand_direction(direction, where=where)
    inputs.one_of(method, ROC_METHODS, where=where, name="method")
    inputs.one_of(ci, ("percentile", "logit"), where=where, name="ci")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if verification_probability is not None and (method != "ipw" or bands is not None or covariates is not None):
        raise ParamsError(where, "a known probability goes with method='ipw' and without bands or covariates")
    score = inputs.numeric(score, where=where, name="score")
    case, seen = reference_rows(reference, verified, where=where)
    inputs.same_length(
        where, score=score, reference=case, cluster=cluster, probability=verification_probability, covariates=covariates
    )
    inputs.without_missing(score, where=where, name="score", remedy="leave unscored rows out and report how many")
    demand_both((case * seen).sum(), ((1 - case) * seen).sum(), where=where)
    groups = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    if groups is not None and groups[1] < 2 and n_boot:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    values, level = score_levels(sign * score)
    weight = None if verification_probability is None else inverse_probability(verification_probability, seen)
    draws = Resampling(np.random.default_rng(seed), n_boot, groups)
    stratum, n_strata = strata_of(covariates, len(score))
    table, resampled = tabulated(level * n_strata + stratum, len(values) * n_strata, case, seen, weight, draws)
    by_score = table.reshape(3, len(values), n_strata)
    band = cells_of_bands(bands_of(values, by_score.sum(axis=2), bands, sign), by_score)

    def everyone(tables: np.ndarray) -> tuple[np.ndarray, ...]:
        """Expected cases and non-cases by score, summed over strata."""
        both = corrected_counts(tables, band, method, weight is not None)
        return tuple(part.reshape(len(tables), len(values), n_strata).sum(axis=2) for part in both)

    found = ScoreCounts(values, *(part[0] for part in everyone(table[None])))
    boot = areas(*everyone(resampled)) if n_boot else np.array([])
    return boot_record(found, boot, case, seen, groups, method, direction, n_boot, seed, ci, conf_level, len(score))


def strata_of(covariates: object, n: int) -> tuple[np.ndarray, int]:
    """Code of each row's combination of covariates, and their number."""
    if covariates is None:
        return np.zeros(n, dtype=np.int64), 1
    code, first, _ = distinct(np.zeros(n), covariate_frame(covariates))
    return code, len(first)


def cells_of_bands(band: np.ndarray, by_score: np.ndarray) -> np.ndarray:
    """Cell of band and stratum of each (score, stratum), as codes without gaps.

    Raises
    ------
    DesignError
        A cell in which people were screened and nobody was verified.
    """
    n_strata = by_score.shape[2]
    cell = (band[:, None] * n_strata + np.arange(n_strata)).ravel()
    flat = by_score.reshape(3, -1)
    n_all, n_seen = np.bincount(cell, flat.sum(axis=0)), np.bincount(cell, flat[:2].sum(axis=0))
    if n_empty := int(((n_all > 0) & (n_seen == 0)).sum()):
        raise DesignError(
            "verification_corrected_roc(covariates)",
            f"{n_empty} cells of score band and covariates hold nobody verified",
            allowed="someone verified in every cell",
            remedy="use wider bands or coarser covariates, or verify some of them (see verification_plan)",
        )
    return cell


class Resampling:
    """How many times each cluster, or each person, is drawn in every resample."""

    def __init__(self, rng: np.random.Generator, n_boot: int, groups: tuple[np.ndarray, int] | None) -> None:
        self.rng, self.n_boot, self.groups = rng, n_boot, groups

    def of(self, cells: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Resampled sums over cells, shape (n_boot, *shape of a table).

        Parameters
        ----------
        cells : ndarray, shape (groups or kinds, ...)
            Sums of each cluster; or, without clusters, of each kind of person, with `kind` their numbers.
        """
        n_units = len(cells)
        if self.groups is not None:
            times = self.rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=self.n_boot).astype(float)
        else:
            times = self.rng.multinomial(int(kind.sum()), kind / kind.sum(), size=self.n_boot) / np.maximum(kind, 1)
        return (times @ cells.reshape(n_units, -1)).reshape(self.n_boot, *cells.shape[1:])


def tabulated(
    level: np.ndarray,
    n_levels: int,
    case: np.ndarray,
    seen: np.ndarray,
    weight: np.ndarray | None,
    draws: Resampling,
) -> tuple[np.ndarray, np.ndarray]:
    """Counts by score level of (non-cases, cases, unverified), weighted when weights are known, and their resamples.

    Returns
    -------
    table : ndarray, shape (3, levels)
    resampled : ndarray, shape (n_boot, 3, levels)
    """
    status = np.where(seen, case, 2).astype(np.int64)
    cell = status * n_levels + level
    size = 3 * n_levels
    row_weight = None if weight is None else np.where(seen, weight, 1.0)
    table = np.bincount(cell, weights=row_weight, minlength=size).reshape(3, n_levels).astype(float)
    if draws.n_boot == 0:
        return table, np.empty((0, 3, n_levels))
    if draws.groups is not None:
        code, n_groups = draws.groups
        by_group = np.bincount(code * size + cell, weights=row_weight, minlength=n_groups * size)
        return table, draws.of(by_group.reshape(n_groups, 3, n_levels).astype(float), np.ones(n_groups))
    # People of one status, score and weight are alike: a resample of people is a resample of these kinds.
    distinct, kind = np.unique(
        np.stack([cell, np.zeros(len(cell)) if row_weight is None else row_weight]), axis=1, return_inverse=True
    )
    numbers = np.bincount(kind.ravel()).astype(float)
    sums = np.zeros((len(numbers), size))
    sums[np.arange(len(numbers)), distinct[0].astype(int)] = numbers * (1 if row_weight is None else distinct[1])
    return table, draws.of(sums.reshape(len(numbers), 3, n_levels), numbers)


def bands_of(values: np.ndarray, table: np.ndarray, bands: Sequence[float] | None, sign: int) -> np.ndarray:
    """Band of each rising score level.

    Raises
    ------
    DesignError
        A band in which people were screened and nobody was verified.
    """
    if bands is not None:
        edges = np.sort(np.asarray(bands, dtype=float))
        band = np.searchsorted(edges, sign * values, side="right")
    else:
        band = pooled_bands(table[:2].sum(axis=0))
    n_all, n_seen = np.bincount(band, table.sum(axis=0)), np.bincount(band, table[:2].sum(axis=0))
    if n_empty := int(((n_all > 0) & (n_seen == 0)).sum()):
        raise DesignError(
            "verification_corrected_roc(bands)",
            f"{n_empty} score bands hold nobody verified",
            allowed="someone verified in every band",
            remedy="verify some of them (see verification_plan); wider bands only where people were drawn alike",
        )
    return band


def pooled_bands(n_verified: np.ndarray) -> np.ndarray:
    """Bands of neighbouring levels with at least `FEWEST_IN_BAND` verified; the last short band joins the one below."""
    band, held, current = np.zeros(len(n_verified), dtype=int), 0.0, 0
    for place, number in enumerate(n_verified):
        band[place] = current
        held += number
        if held >= FEWEST_IN_BAND:
            current, held = current + 1, 0.0
    if (0 < held < FEWEST_IN_BAND and current > 0) or (held == 0 and (band == current).any() and current > 0):
        band[band == current] = current - 1
    return band


def corrected_counts(
    tables: np.ndarray, band: np.ndarray, method: str, weighted: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Expected cases and non-cases by score level among everyone screened, for each of many tables.

    Parameters
    ----------
    tables : ndarray, shape (b, 3, levels)
        Non-cases, cases, unverified.
    band : ndarray, shape (levels,)
    weighted : bool
        The counts carry known inverse probabilities already.
    """
    noncase, case, unseen = tables[:, 0], tables[:, 1], tables[:, 2]
    if weighted:
        return case, noncase
    member = np.eye(band.max() + 1)[band]
    everyone, verified = (noncase + case + unseen) @ member, (noncase + case) @ member
    with np.errstate(invalid="ignore", divide="ignore"):
        if method == "ipw":
            up = np.nan_to_num(everyone / verified, nan=0.0, posinf=0.0)[:, band]
            return case * up, noncase * up
        rate = np.nan_to_num((case @ member) / verified, nan=0.0)[:, band]
    return rate * (noncase + case + unseen), (1 - rate) * (noncase + case + unseen)


def boot_record(
    found: ScoreCounts,
    boot: np.ndarray,
    case: np.ndarray,
    seen: np.ndarray,
    groups: tuple[np.ndarray, int] | None,
    method: str,
    direction: str,
    n_boot: int,
    seed: int,
    ci: str,
    conf_level: float,
    n: int,
) -> RocResult:
    """Put area, percentile interval and corrected curve together."""
    usable = boot[np.isfinite(boot)]
    tail = 100 * (1 - conf_level) / 2
    low, high = np.percentile(usable, [tail, 100 - tail]) if len(usable) > 1 else (math.nan, math.nan)
    area = float(areas(found.case[None], found.noncase[None])[0])
    spread = float(usable.std(ddof=1)) if len(usable) > 1 else math.nan
    if ci == "logit":
        low, high = on_logit(area, spread, conf_level, math.inf if groups is None else groups[1] - 1)
    unit = "people" if groups is None else "clusters"
    name = {"ipw": "inverse probability of verification", "begg_greenes": "Begg-Greenes by score band"}[method]
    return RocResult(
        auc=area,
        std_error=spread,
        conf_low=float(low),
        conf_high=float(high),
        points=curve_points(found, direction=direction),
        n_case=int((case * seen).sum()),
        n_noncase=int(((1 - case) * seen).sum()),
        n_clusters=None if groups is None else groups[1],
        n_boot=n_boot,
        seed=seed,
        direction=direction,
        n_used=n,
        n_excluded=0,
        method=f"AUC corrected by {name}, {ci} bootstrap of {unit}",
        conf_level=conf_level,
    )

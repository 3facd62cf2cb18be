"""Areas and cut-offs recover the planted truth by the protocol of test_recovery.py: intervals cover, corrections correct."""

import numpy as np
import pytest
from scipy.special import expit

from mhlib.stats.accuracy import bootstrap_roc, bootstrap_roc_from_counts, cutoffs, partial_roc_from_counts, roc
from mhlib.stats.accuracy import roc_from_counts as delong_from_counts
from mhlib.stats.accuracy.partial_area import partial_areas

# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 9
LEVELS = np.arange(13)
# Spread between schools of the score's mean, and of the log odds of being a case. Cases and non-cases move apart: in some
# schools the screen tells them well, in others hardly.
SCORE_SD, ODDS_SD = 1.2, 0.6


def holds(found, truth: float) -> bool:
    return found.conf_low <= truth <= found.conf_high


def shape(centre: np.ndarray | float) -> np.ndarray:
    """Distribution of the score about a centre, last axis the score."""
    density = np.exp(-0.5 * ((LEVELS - np.asarray(centre)[..., None]) / 2.5) ** 2)
    return density / density.sum(axis=-1, keepdims=True)


def area(case: np.ndarray, noncase: np.ndarray) -> float:
    case, noncase = case / case.sum(), noncase / noncase.sum()
    return float(case @ (np.cumsum(noncase) - noncase / 2))


def planted_area_of_schools() -> float:
    """Area over all pupils of all possible schools, by quadrature over the two school effects."""
    point, weight = np.polynomial.hermite_e.hermegauss(41)
    a, b = np.meshgrid(point, point, indexing="ij")
    both = np.outer(weight, weight)
    rate = expit(-1.5 + ODDS_SD * b)
    ill = ((both * rate)[..., None] * shape(7 + SCORE_SD * b)).sum(axis=(0, 1))
    well = ((both * (1 - rate))[..., None] * shape(4.5 + SCORE_SD * a)).sum(axis=(0, 1))
    return area(ill, well)


def schools(rng: np.random.Generator, n_schools: int, pupils: int) -> tuple[np.ndarray, np.ndarray]:
    """Cases and non-cases by school and score."""
    effect, other = rng.normal(size=(2, n_schools))
    rate = expit(-1.5 + ODDS_SD * other)
    n_case = rng.binomial(pupils, rate)
    ill = rng.multinomial(n_case, shape(7 + SCORE_SD * other))
    return ill, rng.multinomial(pupils - n_case, shape(4.5 + SCORE_SD * effect))


def as_rows(ill: np.ndarray, well: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score, case and school of every pupil."""
    counts = np.concatenate([ill.ravel(), well.ravel()])
    n_schools = len(ill)
    score = np.repeat(np.tile(LEVELS, 2 * n_schools), counts)
    school = np.repeat(np.tile(np.repeat(np.arange(n_schools), len(LEVELS)), 2), counts)
    return score, np.repeat([1, 0], [ill.sum(), well.sum()]), school


@pytest.mark.slow
@pytest.mark.parametrize("n_schools", [129, 30])
def test_school_intervals_cover_where_delong_does_not(claims, n_schools):
    study = claims("area under the curve", "cases and others of a school alike", n=f"{n_schools} schools of 60",
                   seed=[3, n_schools, 20261125], family=FAMILY)  # fmt: skip
    rng, truth = study.rng, planted_area_of_schools()
    hits = {"obuchowski": 0, "bootstrap": 0, "delong": 0}
    for replicate in range(study.replicates):
        ill, well = schools(rng, n_schools, 60)
        score, case, school = as_rows(ill, well)
        hits["obuchowski"] += holds(roc(score, case, cluster=school), truth)
        hits["bootstrap"] += holds(bootstrap_roc_from_counts(LEVELS, ill, well, seed=replicate, n_boot=500), truth)
        hits["delong"] += holds(delong_from_counts(LEVELS, ill.sum(axis=0), well.sum(axis=0)), truth)
    study.cover({"area, Obuchowski": hits["obuchowski"], "area, schools drawn again": hits["bootstrap"]})
    study.fail({"area, DeLong over pupils": hits["delong"]}, below=0.80)


@pytest.mark.slow
def test_intervals_of_independent_pupils_cover(claims):
    study = claims("area under the curve", "independent pupils, all interviewed", n="120 cases, 400 others",
                   seed=[4, 20261125], family=FAMILY)  # fmt: skip
    rng = study.rng
    ill, well = shape(7.0), shape(4.5)
    truth = area(ill, well)
    part = {"focus": "specificity", "low": 0.8, "high": 1.0}
    partial = float(partial_areas(ill[None], well[None], **part)[0])
    hits = {"delong": 0, "bootstrap": 0, "partial": 0}
    for replicate in range(study.replicates):
        counts = rng.multinomial(120, ill), rng.multinomial(400, well)
        hits["delong"] += holds(delong_from_counts(LEVELS, *counts), truth)
        call = {"seed": replicate, "n_boot": 500}
        hits["bootstrap"] += holds(bootstrap_roc_from_counts(LEVELS, *counts, **call), truth)
        hits["partial"] += holds(partial_roc_from_counts(LEVELS, *counts, **call, **part), partial)
    names = {
        "delong": "area, DeLong",
        "bootstrap": "area, pupils drawn again",
        "partial": "partial area, pupils drawn again",
    }
    study.cover({names[name]: number for name, number in hits.items()})


@pytest.mark.slow
def test_weighted_areas_cover_when_the_score_decides_who_is_interviewed(claims):
    study = claims("area under the curve", "interviewed with known chances by score", n="5,000 pupils", seed=[5, 20261125],
                   family=FAMILY)  # fmt: skip
    rng = study.rng
    ill, well = shape(7.0), shape(4.5)
    truth = area(ill, well)
    hits = {"linearised": 0, "bootstrap": 0, "verified only": 0}
    for replicate in range(study.replicates):
        n_case = rng.binomial(5000, 0.15)
        counts = np.stack([rng.multinomial(n_case, ill), rng.multinomial(5000 - n_case, well)])
        seen = rng.binomial(counts, np.where(LEVELS >= 7, 0.9, 0.1))
        score = np.repeat(np.tile(LEVELS, 2), seen.ravel())
        case = np.repeat([1, 0], seen.sum(axis=1))
        weights = np.where(score >= 7, 1 / 0.9, 1 / 0.1)
        hits["linearised"] += holds(roc(score, case, weights=weights), truth)
        hits["bootstrap"] += holds(bootstrap_roc(score, case, weights=weights, seed=replicate, n_boot=400), truth)
        hits["verified only"] += holds(roc(score, case), truth)
    study.cover({"weighted area, linearised": hits["linearised"], "weighted area, drawn again": hits["bootstrap"]})
    study.fail({"area of the interviewed only": hits["verified only"]}, below=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("clustered", [False, True])
def test_the_corrected_youden_is_nearer_the_truth_than_the_apparent(claims, clustered):
    study = claims("cut-off", "chosen on the same pupils" + (", schools named" if clustered else ""), n="150 pupils, 20 % cases",
                   seed=[6, clustered, 20261125], family=FAMILY, replicates=1000,
                   why="a mean error, whose Monte Carlo error is .003 with 1,000 replicates, and each resamples")  # fmt: skip
    rng = study.rng
    apparent, corrected, out_of_bag = [], [], []
    ill, well = shape(6.5), shape(5.0)
    above = np.stack([np.cumsum(part[::-1])[::-1] for part in (ill, well)])
    for replicate in range(study.replicates):
        n_case = max(rng.binomial(150, 0.2), 4)
        score = np.concatenate([rng.choice(LEVELS, n_case, p=ill), rng.choice(LEVELS, 150 - n_case, p=well)])
        case = np.repeat([1, 0], [n_case, 150 - n_case])
        school = rng.integers(0, 30, 150) if clustered else None
        found = cutoffs(score, case, cluster=school, n_boot=100, seed=replicate)
        true = above[0, int(found.cutoff)] - above[1, int(found.cutoff)]
        apparent.append(found.youden - true)
        corrected.append(found.youden_632 - true)
        out_of_bag.append(found.youden_out_of_bag - true)
    apparent, corrected, out_of_bag = (np.array(part) for part in (apparent, corrected, out_of_bag))
    optimism = float(apparent.mean())
    study.near({"optimism of the apparent Youden index": apparent}, 0.03, 1)
    study.near({"bias of the .632 Youden index": corrected}, -optimism / 3, optimism / 3)
    study.near({"bias of the out-of-bag Youden index": out_of_bag}, -optimism, optimism)
    study.near({"squared error saved by the .632 index": apparent**2 - corrected**2}, 0, 1)

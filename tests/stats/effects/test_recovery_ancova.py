"""ANCOVA covers in trials of few schools, and the change score does not among intact groups whose scores regress."""

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from mhlib.stats.effects.ancova_fits import clustered_fit, three_fits
from mhlib.stats.effects.ancova_lord import lord_check
from mhlib.stats.effects.ancova_rows import AncovaRows
from mhlib.stats.effects.nested_fit import estimated, fitted
from mhlib.stats.effects.nested_model import nested_statistics
from mhlib.stats.effects.slopes_model import mixture_p

# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 13
EFFECT, PUPILS = 0.2, 12
OPTIONS = {"school_mean": True, "estimand": "pupil", "conf_level": 0.95}


def rows_of(pre: np.ndarray, post: np.ndarray, arm: np.ndarray, code: np.ndarray) -> AncovaRows:
    return AncovaRows(
        y=post,
        baseline=pre,
        arm=arm,
        arms=("usual", "new"),
        extra=np.empty((len(post), 0)),
        extra_names=(),
        code=code,
        clusters=pd.RangeIndex(code.max() + 1),
        strata=None,
        excluded={},
    )


def worlds(
    study, schools: int, *, apart: float = 0.0, regress: str = "population", noise: float = 0.6
) -> Iterator[AncovaRows]:
    """Pupils in schools with a lasting distress, measured twice with error.

    Under 'population' everybody's score goes back towards one mean (the arms differ at baseline by chance, or by selection
    on the score itself); under 'own' each arm's goes back towards its own.
    """
    rng, code = study.rng, np.repeat(np.arange(schools), PUPILS)
    while True:
        arm = rng.permutation(schools) < schools // 2
        school = rng.normal(0, 0.25, schools)[code]
        lasting = rng.normal(0, 0.8, len(code))
        level = apart * arm[code]
        pre = level + school + lasting + rng.normal(0, noise, len(code))
        if regress == "population":
            # Selection on the score: what follows depends on the score, by one slope, and on nothing of the arm.
            post = 0.55 * pre + rng.normal(0, 0.15, schools)[code] + rng.normal(0, 0.7, len(code))
        else:
            post = level + school + lasting + rng.normal(0, noise, len(code))
        yield rows_of(pre, post + EFFECT * arm[code], arm[code].astype(int), code)


def judged(study, drawn: Iterator[AncovaRows], refused: list, **options) -> Iterator[tuple[AncovaRows, dict]]:
    """As many replicates as the study has in which ANCOVA gives an interval; each refusal leaves its df in the list.

    Degrees of freedom depend on arms and baselines alone, so nothing is selected on the outcome.
    """
    left = study.replicates
    while left:
        rows = next(drawn)
        fits = three_fits(rows, **(OPTIONS | options))
        place = fits["ancova"].position("arm[new]")
        if "arm[new]" in fits["ancova"].refusals:
            refused.append(fits["ancova"].df[place])
            continue
        left -= 1
        yield rows, fits


def within(fit, truth: float) -> bool:
    place = fit.position("arm[new]")
    return bool(fit.conf_low[place] <= truth <= fit.conf_high[place])


@pytest.mark.slow
@pytest.mark.parametrize("schools", [12, 129])
def test_a_trial_is_covered_by_both_and_ancova_is_the_surer(claims, schools):
    study = claims("ANCOVA", "school-randomised trial, scores measured with error", n=f"{schools} schools, {PUPILS} pupils each",
                   seed=[61, schools, 20261127], family=FAMILY, replicates=2000 if schools == 12 else 1000,
                   fewest=1000 if schools == 12 else 250, why="" if schools == 12 else "a thousand replicates")  # fmt: skip
    hits, wider, lord, refused = dict.fromkeys(("ancova", "change_score", "post_only"), 0), 0, 0, []
    for rows, fits in judged(study, worlds(study, schools), refused):
        for name in hits:
            hits[name] += within(fits[name], EFFECT)
        place = fits["ancova"].position("arm[new]")
        wider += fits["change_score"].std_errors[1] > fits["ancova"].std_errors[place]
        found = lord_check(rows, fits, 1, randomised=True)
        lord += found.differ is True
    study.cover(
        {
            "ANCOVA, CR2": hits["ancova"],
            "change score, CR2": hits["change_score"],
            "outcome alone, CR2": hits["post_only"],
        }
    )
    study.size({"ANCOVA and change score said to differ": lord}, least=0.0)
    study.find({"ANCOVA has the smaller error": wider}, least=0.6 if schools == 12 else 0.85)
    study.find(
        {"ANCOVA refused for fewer than 4 degrees of freedom": len(refused)},
        most=0.06,
        of=study.replicates + len(refused),
    )


@pytest.mark.slow
def test_intact_groups_chosen_by_their_score(claims):
    study = claims("ANCOVA", "intact groups half a deviation apart, scores regress to one mean", n=f"30 schools, {PUPILS} pupils each",
                   seed=[62, 20261127], family=FAMILY, fewest=500)  # fmt: skip
    hits, differ = {"ancova": 0, "change_score": 0}, 0
    for rows, fits in judged(study, worlds(study, 30, apart=0.5), []):
        for name in hits:
            hits[name] += within(fits[name], EFFECT)
        differ += lord_check(rows, fits, 1, randomised=False).differ is True
    study.cover({"ANCOVA, CR2, where one slope serves both groups": hits["ancova"]})
    study.fail({"change score under regression to one mean": hits["change_score"]}, below=0.6)
    study.find({"the check says that the two differ": differ}, least=0.5)


@pytest.mark.slow
def test_intact_groups_that_keep_their_own_means(claims):
    study = claims("ANCOVA", "intact groups half a deviation apart, each keeps its own mean (Lord)",
                   n=f"30 schools, {PUPILS} pupils each", seed=[63, 20261127], family=FAMILY, fewest=500)  # fmt: skip
    hits, differ = {"ancova": 0, "change_score": 0}, 0
    drawn = worlds(study, 30, apart=0.5, regress="own", noise=0.9)
    for rows, fits in judged(study, drawn, [], school_mean=False):
        for name in hits:
            hits[name] += within(fits[name], EFFECT)
        differ += lord_check(rows, fits, 1, randomised=False).differ is True
    study.cover({"change score, CR2, where the groups would have moved alike": hits["change_score"]})
    study.fail({"ANCOVA, whose baseline is measured with error": hits["ancova"]}, below=0.75)
    study.find({"the check says that the two differ (Lord)": differ}, least=0.75)


@pytest.mark.slow
def test_missing_baselines_by_the_indicator(claims):
    study = claims("ANCOVA", "school-randomised trial, a fifth of the baselines missing, more of the high ones",
                   n=f"20 schools, {PUPILS} pupils each", seed=[64, 20261127], family=FAMILY, fewest=500)  # fmt: skip
    hits, shorter = 0, 0
    for rows, _ in judged(study, worlds(study, 20), []):
        lost = study.rng.random(len(rows.y)) < 0.4 / (1 + np.exp(-rows.baseline))
        gappy = rows_of(np.where(lost, math.nan, rows.baseline), rows.y, rows.arm, rows.code)
        x, names = gappy.columns(school_mean=True)
        fit = clustered_fit(gappy, x, gappy.y, names, estimand="pupil", conf_level=0.95)
        hits += within(fit, EFFECT)
        whole = gappy.kept(gappy.observed)
        x, names = whole.columns(school_mean=True)
        other = clustered_fit(whole, x, whole.y, names, estimand="pupil", conf_level=0.95)
        shorter += fit.std_errors[1] < other.std_errors[1]
    study.cover({"ANCOVA with the indicator of a missing baseline": hits})
    study.find({"the indicator has a smaller error than complete rows": shorter}, least=0.5)


def slopes(study, spread: float, n_waves: int = 3) -> Iterator[tuple]:
    """Fits with and without a random slope; one design and one pass over the rows serve a batch."""
    pupils, wave, batch = np.repeat(np.arange(200), n_waves), np.tile(np.arange(n_waves, dtype=float), 200), 250
    for start in range(0, study.replicates, batch):
        n = min(batch, study.replicates - start)
        y = study.rng.normal(0, 0.8, (200, n))[pupils] + study.rng.normal(0, 0.7, (len(wave), n)) + 0.1 * wave[:, None]
        y += study.rng.normal(0, spread, (200, n))[pupils] * wave[:, None]
        names = [f"y{i}" for i in range(n)]
        frame = pd.DataFrame(y, columns=names).assign(pupil=pupils, t=wave)
        both, plain = (
            nested_statistics("y0 ~ t", frame, groups="pupil", slope=slope, outcomes=names) for slope in ("t", None)
        )
        for place in range(n):
            yield tuple(fitted(s.sums, s.design, s.nesting, place, reml=True, correlated=True) for s in (both, plain))


def p_of_slope(full, plain) -> float:
    return mixture_p(plain.optimum.deviance - full.optimum.deviance)


@pytest.mark.slow
def test_a_slope_that_does_not_differ_is_not_invented(claims):
    study = claims("random slope", "three waves of pupils whose slopes do not differ", n="200 pupils, 3 waves",
                   seed=[65, 20261127], family=FAMILY, replicates=1200, fewest=500, why="two fits a replicate")  # fmt: skip
    wrong, agreed = 0, 0
    for fits in slopes(study, 0.0):
        wrong += p_of_slope(*fits) < 0.05
        agreed += all(fit.optimum.converged for fit in fits)
    study.size({"a slope that does not differ, even mixture of 1 and 2 df": wrong})
    study.find({"two optimisers agree, slope at its boundary": agreed}, least=0.98)


@pytest.mark.slow
def test_slopes_that_differ_are_found_and_their_mean_covered(claims):
    study = claims("random slope", "five waves of pupils whose slopes have a deviation of 0.4", n="200 pupils, 5 waves",
                   seed=[66, 20261127], family=FAMILY, replicates=800, fewest=250, why="two fits a replicate")  # fmt: skip
    found, with_slope, without = 0, 0, 0
    for full, plain in slopes(study, 0.4, 5):
        found += p_of_slope(full, plain) < 0.05
        rows = [estimated(fit, np.eye(2), 0.95)[1] for fit in (full, plain)]
        with_slope, without = (
            n + (row["conf_low"] <= 0.1 <= row["conf_high"]) for n, row in zip((with_slope, without), rows, strict=True)
        )
    study.cover({"mean slope, random slope in the model": with_slope})
    study.fail({"mean slope, random intercept alone": without}, below=0.9)
    study.find({"slopes that differ are found": found}, least=0.9)

"""Nested mixed models recover the planted effects and variances by the protocol of test_recovery.py."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from mhlib.stats.effects import nested_statistics
from mhlib.stats.effects.nested_fit import NestedFit, estimated, fitted
from mhlib.stats.effects.nested_variances import variance_table

# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 14
EFFECT, SLOPE = 0.2, 0.5
VARIANCES = {"school": 0.06, "class": 0.05, "residual": 0.89}
BATCH = 250


def trial(rng: np.random.Generator, schools: int, classes: int = 3, pupils: int = 15) -> pd.DataFrame:
    """Schools drawn for the programme, a school's column that does nothing, a pupil's baseline; sizes differ."""
    size = rng.integers(pupils - 6, pupils + 7, schools * classes)
    frame = pd.DataFrame({"class": np.repeat(np.arange(schools * classes), size)})
    frame["school"] = frame["class"] // classes
    frame["arm"] = (rng.permutation(schools) < schools // 2)[frame["school"]].astype(float)
    frame["urban"] = (rng.permutation(schools) < schools // 3)[frame["school"]].astype(float)
    frame["base"] = rng.normal(size=len(frame))
    return frame


def answers(rng: np.random.Generator, frame: pd.DataFrame, n: int) -> np.ndarray:
    """One column a replicate: what the programme and the baseline do, then schools, classes and pupils."""
    found = (EFFECT * frame["arm"] + SLOPE * frame["base"]).to_numpy()[:, None] + rng.normal(
        0, VARIANCES["residual"] ** 0.5, (len(frame), n)
    )
    for level in ("school", "class"):
        drawn = rng.normal(0, VARIANCES[level] ** 0.5, (frame[level].max() + 1, n))
        found += drawn[frame[level]]
    return found


def fits(study, schools: int) -> Iterator[tuple[NestedFit, dict]]:
    """A fit a replicate; one design and one pass over the rows serve a batch of them."""
    for start in range(0, study.replicates, BATCH):
        n = min(BATCH, study.replicates - start)
        frame, names = trial(study.rng, schools), [f"y{i}" for i in range(n)]
        frame = pd.concat([frame, pd.DataFrame(answers(study.rng, frame, n), columns=names)], axis=1)
        yield from each_fit("y0 ~ arm + urban + base", frame, ["school", "class"], names)


def each_fit(
    formula: str, frame: pd.DataFrame, groups: list[str], names: list[str]
) -> Iterator[tuple[NestedFit, dict]]:
    """The core of multilevel() for each outcome, and its terms; the tables that it makes besides cost as much again."""
    found = nested_statistics(formula, frame, groups=groups, outcomes=names)
    for place in range(len(names)):
        fit = fitted(found.sums, found.design, found.nesting, place, reml=True, correlated=True)
        terms = estimated(fit, np.eye(len(fit.beta)), 0.95)
        yield fit, dict(zip(found.design.names, terms, strict=True))


def within(row: dict, truth: float) -> bool:
    return row["conf_low"] <= truth <= row["conf_high"]


@pytest.mark.slow
@pytest.mark.parametrize("schools", [12, 30, 129])
def test_effects_cover_and_nothing_is_found_where_nothing_is(claims, schools):
    study = claims(
        "nested mixed model", "school-randomised trial, classes in schools", n=f"{schools} schools, 3 classes each",
        seed=[41, schools, 20261126], family=FAMILY, fewest=2000 if schools == 12 else 250,
    )  # fmt: skip
    hits = dict.fromkeys(("arm", "normal", "base", "urban", *VARIANCES), 0)
    variances = {name: [] for name in VARIANCES}
    converged = 0
    for fit, terms in fits(study, schools):
        arm = terms["arm"]
        hits["arm"] += within(arm, EFFECT)
        hits["normal"] += abs(arm["estimate"] - EFFECT) <= 1.959964 * arm["std_error"]
        hits["base"] += within(terms["base"], SLOPE)
        hits["urban"] += terms["urban"]["p_value"] < 0.05
        converged += fit.optimum.converged
        if schools == 129:
            rows = variance_table(fit, 0.95).set_index("level")
            for name, values in variances.items():
                values.append(rows.loc[name, "estimate"])
                hits[name] += within(rows.loc[name], VARIANCES[name])
    study.cover({"effect of the programme, Satterthwaite": hits["arm"], "slope of the baseline": hits["base"]})
    study.size({"a school's column that does nothing": hits["urban"]})
    study.find({"two optimisers agree": converged}, least=0.98)
    if schools == 12:
        study.fail({"effect of the programme, normal quantile": hits["normal"]}, below=0.945)
    if schools == 129:
        study.cover({f"variance of {name}, Wald on the log": hits[name] for name in VARIANCES})
        ratios = {
            f"variance of {name} over the truth": np.array(variances[name]) / VARIANCES[name] for name in VARIANCES
        }
        study.near(ratios, 0.97, 1.03)


@pytest.mark.slow
def test_change_over_waves_covers_when_waves_are_lost(claims):
    study = claims("nested mixed model", "three waves, a quarter of the last lost by baseline", n="12 schools, 480 pupils",
                   seed=[42, 20261126], family=FAMILY)  # fmt: skip
    hits = {"change": 0, "start": 0}
    for start in range(0, study.replicates, BATCH):
        n = min(BATCH, study.replicates - start)
        pupils = trial(study.rng, 12, classes=2, pupils=20)
        pupils["pupil"] = np.arange(len(pupils))
        frame = pupils.loc[pupils.index.repeat(3)].reset_index(drop=True)
        frame["time"] = np.tile([0.0, 1.0, 2.0], len(pupils))
        lost = study.rng.random(len(frame)) < np.where(frame["time"] == 2, 1 / (1 + np.exp(1 - frame["base"])), 0)
        frame = frame[~lost].reset_index(drop=True)
        y = answers(study.rng, frame, n) + study.rng.normal(0, 0.6, (len(pupils), n))[frame["pupil"]]
        y += (0.1 * frame["time"] * frame["arm"]).to_numpy()[:, None]
        names = [f"y{i}" for i in range(n)]
        frame = pd.concat([frame, pd.DataFrame(y, columns=names)], axis=1)
        for _, terms in each_fit("y0 ~ base + arm * time", frame, ["school", "class", "pupil"], names):
            hits["change"] += within(terms["arm:time"], 0.1)
            hits["start"] += within(terms["arm"], EFFECT)
    study.cover({"change by arm": hits["change"], "arms at the start": hits["start"]})

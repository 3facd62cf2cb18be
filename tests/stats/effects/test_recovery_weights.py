"""Coverage of matched comparisons and complier effects when the truth is known, by the house's protocol."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import t as student

from mhlib.stats.effects.complier_iv import wald_numbers
from mhlib.stats.effects.complier_sets import FirstAndReduced, anderson_rubin_set, holds, joint_scores
from mhlib.stats.effects.robust_adjust import adjusted, solved
from mhlib.stats.effects.robust_moments import satterthwaite
from mhlib.stats.effects.robust_sums import sums_of_rows
from mhlib.stats.effects.weights_bootstrap import bootstrap_draws, bootstrap_errors, both_estimates
from mhlib.stats.effects.weights_rows import TreatmentRows, unit_columns
from mhlib.stats.effects.weights_schemes import EntropyScheme, PropensityScheme
from mhlib.stats.intervals import critical

pytestmark = pytest.mark.slow
# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 10
DAY = 20261126
DRAWS = 199
FIT = "each replicate draws schools 199 times and finds the weights anew in each"
NAMES = ("Intercept", "x1", "x2")
SCHEMES = {"overlap, ATO": PropensityScheme("ato"), "entropy, ATT": EntropyScheme()}


def regression(y, treated, code, weights):
    """Treated less untreated with CR2 errors, by the engine of cluster_robust."""
    x = np.column_stack([np.ones(len(y)), treated])
    found = adjusted(solved(sums_of_rows(x, y, code, names=NAMES[:2], weights=weights)), "CR2")
    return found, 1


def coefficient(found, at):
    """Estimate, what each cluster adds, and Satterthwaite's df of one coefficient."""
    df, _ = satterthwaite(found, found.scale[[at]])
    return float(found.scale[at] @ found.coefficients), found.scores @ found.scale[at], float(df[0])


def population(rng, n_schools, pupils, *, hidden=0.0, measured=False):
    """Pupils who choose the programme by x1, x2 and school, its effect 0.3 + 0.3 x1; `hidden` drives choice and outcome.

    Where it is `measured` the weights may use it.
    """
    code = np.repeat(np.arange(n_schools), pupils)
    n = len(code)
    level = rng.normal(size=n_schools)[code]
    x1 = 0.4 * level + rng.normal(size=n)
    x2 = (rng.random(n) < 0.5) * 1.0
    secret = rng.normal(size=n)
    e = expit(-0.4 + 0.6 * x1 + 0.5 * x2 + hidden * secret)
    treated = (rng.random(n) < e) * 1.0
    effect = 0.3 + 0.3 * x1
    y = (
        0.5 * x1
        + 0.3 * x2
        + 0.3 * rng.normal(size=n_schools)[code]
        + hidden * secret
        + effect * treated
        + rng.normal(size=n)
    )
    x = np.column_stack([np.ones(n), x1, x2, *([secret] if measured else [])])
    names = (*NAMES, "cause") if measured else NAMES
    rows = TreatmentRows(treated=treated, x=x, unit=unit_columns(x, names, where="test"), names=names, code=code,
                         used=np.ones(n, dtype=bool))  # fmt: skip
    return rows, y, effect, e


def truths():
    """ATO and ATT of that population, from two million pupils."""
    rng = np.random.default_rng([71, DAY])
    x1 = np.sqrt(0.4**2 + 1) * rng.normal(size=2_000_000)
    x2 = (rng.random(len(x1)) < 0.5) * 1.0
    e, effect = expit(-0.4 + 0.6 * x1 + 0.5 * x2), 0.3 + 0.3 * x1
    return {"overlap, ATO": np.average(effect, weights=e * (1 - e)), "entropy, ATT": np.average(effect, weights=e)}


def interval(rows, y, scheme, rng):
    """The interval of `weighted_effect`: bootstrap of schools on CR2's df; and CR2's own."""
    n = len(y)
    found = scheme.weigh(rows, np.ones((n, 1)))
    estimate = both_estimates(rows, y, scheme, np.ones((n, 1)), found.coefficients[:, 0], augment=False)[0, 0]
    draws = bootstrap_draws(rows, y, scheme, start=found.coefficients[:, 0], n_draws=DRAWS, seed=rng, augment=False)
    error = bootstrap_errors(rows, draws[~np.isnan(draws[:, 0])])[0]
    _, scores, df = coefficient(*regression(y, rows.treated, rows.code, found.weights[:, 0]))
    return estimate, error, float(np.sqrt(scores @ scores)), df


@pytest.mark.parametrize(("n_schools", "pupils"), [(40, 12), (12, 30)])
def test_selection_on_what_was_measured(claims, n_schools, pupils):
    many = n_schools == 40
    study = claims("matched comparison", "pupils choose by two covariates and the effect grows with one", family=FAMILY,
                   n=f"{n_schools} schools of {pupils}", seed=[72, n_schools, DAY], replicates=2000 if many else 1000,
                   why="" if many else FIT)  # fmt: skip
    true = truths()
    hits, known, naive = dict.fromkeys(SCHEMES, 0), dict.fromkeys(SCHEMES, 0), 0
    for _ in range(study.replicates):
        rows, y, _, _ = population(study.rng, n_schools, pupils)
        for name, scheme in SCHEMES.items():
            estimate, error, cr2, df = interval(rows, y, scheme, study.rng)
            hits[name] += abs(estimate - true[name]) <= critical(0.95, df) * error
            known[name] += abs(estimate - true[name]) <= critical(0.95, df) * cr2
        plain, scores, df = coefficient(*regression(y, rows.treated, rows.code, None))
        naive += abs(plain - true["entropy, ATT"]) <= critical(0.95, df) * np.sqrt(scores @ scores)
    where = f"{n_schools} schools"
    study.fail({f"unweighted, {where}": naive}, below=0.90)
    study.find({f"{name}, weights taken as known, {where}": count for name, count in known.items()}, least=0.93)
    study.cover({f"{name}, bootstrap of schools, {where}": count for name, count in hits.items()})


def test_a_hidden_cause(claims):
    study = claims("matched comparison", "a hidden cause drives choice and outcome, both by 0.7", n="40 schools of 12",
                   seed=[73, DAY], family=FAMILY, replicates=400, why=FIT)  # fmt: skip
    held = {measured: dict.fromkeys(SCHEMES, 0) for measured in (False, True)}
    for _ in range(study.replicates):
        for measured, count in held.items():
            rows, y, effect, e = population(study.rng, 40, 12, hidden=0.7, measured=measured)
            own = {
                "overlap, ATO": np.average(effect, weights=e * (1 - e)),
                "entropy, ATT": np.average(effect, weights=e),
            }
            for name, scheme in SCHEMES.items():
                estimate, error, _, df = interval(rows, y, scheme, study.rng)
                count[name] += abs(estimate - own[name]) <= critical(0.95, df) * error
    study.fail({f"{name}, hidden cause": count for name, count in held[False].items()}, below=0.5)
    study.find({f"{name}, the same cause measured": count for name, count in held[True].items()}, least=0.88)


def stages(rng, n_schools, pupils, *, push, effect):
    """An offer by school, taken up where willing; who is willing fares otherwise too."""
    code = np.repeat(np.arange(n_schools), pupils)
    n = len(code)
    offered = (rng.permutation(n_schools) < n_schools // 2)[code] * 1.0
    will = 0.3 * rng.normal(size=n_schools)[code] + rng.normal(size=n)
    took = (will + push * offered > 0.8) * 1.0
    y = effect * took + 0.9 * will + 0.4 * rng.normal(size=n)
    x = np.column_stack([np.ones(n), offered])
    both = [adjusted(solved(sums_of_rows(x, left, code, names=NAMES[:2], weights=None)), "CR2") for left in (y, took)]
    (reduced, a, df), (first, b, _) = (coefficient(found, 1) for found in both)
    return FirstAndReduced(reduced, first, *joint_scores((a, b)), df)


@pytest.mark.parametrize(("n_schools", "pupils", "push"), [(30, 20, 1.2), (129, 10, 1.2)])
def test_complier_effect(claims, n_schools, pupils, push):
    study = claims("complier effect", "willing pupils fare otherwise, effect -0.4", n=f"{n_schools} schools of {pupils}",
                   seed=[74, n_schools, DAY], family=FAMILY)  # fmt: skip
    wald, ar = 0, 0
    for _ in range(study.replicates):
        found = stages(study.rng, n_schools, pupils, push=push, effect=-0.4)
        row = wald_numbers(found, 0.95, refused=False)
        wald += row["conf_low"] <= -0.4 <= row["conf_high"]
        ar += holds(anderson_rubin_set(found, critical(0.95, found.df)), -0.4)
    study.cover({f"two-stage least squares, {n_schools} schools": wald}, cautious=True)
    study.cover({f"Anderson-Rubin, {n_schools} schools": ar})


def test_a_weak_offer(claims):
    study = claims("complier effect", "the offer moves uptake by about 3 points, effect -0.4", n="30 schools of 20",
                   seed=[75, DAY], family=FAMILY)  # fmt: skip
    wald, ar, rejected = 0, 0, 0
    for _ in range(study.replicates):
        found = stages(study.rng, 30, 20, push=0.1, effect=-0.4)
        row = wald_numbers(found, 0.95, refused=False)
        wald += row["conf_low"] <= -0.4 <= row["conf_high"]
        ar += holds(anderson_rubin_set(found, critical(0.95, found.df)), -0.4)
        # An effect of nought where the offer works as little: the size of the Anderson-Rubin test.
        null = stages(study.rng, 30, 20, push=0.1, effect=0.0)
        rejected += 2 * student.sf(abs(null.reduced) / np.sqrt(null.variance_reduced), null.df) <= 0.05
    study.fail({"two-stage least squares, weak offer": wald}, below=0.93)
    study.cover({"Anderson-Rubin, weak offer": ar})
    study.size({"Anderson-Rubin test, weak offer": rejected})

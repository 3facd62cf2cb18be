"""Coverage by group, family-wise error and calibration slope, by the house's protocol (tests/stats/test_recovery.py)."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from statsmodels.stats.proportion import proportion_confint

from mhlib.stats.accuracy import calibration, subgroup_accuracy, subgroup_accuracy_from_counts

# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 9
SHOWN = ("sensitivity", "specificity")
SCHOOLS, PUPILS = 129, 40


def hits_of(frame: pd.DataFrame, truth: dict[str, float]) -> dict[str, np.ndarray]:
    columns = (frame[name].to_numpy() for name in ("term", "kind", "conf_low", "conf_high"))
    name, kind, low, high = columns
    found = {}
    for term, value in truth.items():
        at = (name == term) & (kind == "level")
        found[term] = (low[at] <= value) & (value <= high[at])
    return found


@pytest.mark.slow
def test_independent_groups_are_covered_and_holm_keeps_the_family_at_five_per_cent(claims):
    study = claims("groups", "six groups of independent pupils, alike in accuracy", n="60 to 150 cases a group, four others each",
                   seed=[71, 20261125], family=FAMILY)  # fmt: skip
    rng = study.rng
    truth, names = {"sensitivity": 0.8, "specificity": 0.75}, [f"g{j}" for j in range(6)]
    cases = np.array([150, 120, 100, 90, 80, 60])
    others = 4 * cases
    hits, rejected = {term: np.zeros(6, dtype=int) for term in truth}, 0
    for _ in range(study.replicates):
        tp, tn = rng.binomial(cases, truth["sensitivity"]), rng.binomial(others, truth["specificity"])
        table = pd.DataFrame({"group": names, "tp": tp, "fp": others - tn, "fn": cases - tp, "tn": tn})
        found = subgroup_accuracy_from_counts(table, reference_group="g0", measures=SHOWN).terms
        for term, covered in hits_of(found, truth).items():
            hits[term] += covered
        rejected += bool((found.loc[found["kind"] == "difference", "p_holm"] < 0.05).any())
    # Over the six groups together: one Wilson interval alone goes up and down with its n, by the grain of counts.
    study.cover({f"{term}, average of six groups": number.sum() for term, number in hits.items()}, per=6)
    # Not so far below that the tests would say nothing.
    study.size({"any difference between groups, Holm": rejected}, least=0.02, margin=0)


def schools_drawn(rng: np.random.Generator) -> pd.DataFrame:
    """129 schools of about 40; prevalence, sensitivity and specificity differ from school to school, not by group."""
    size = rng.poisson(PUPILS, SCHOOLS) + 5
    school = np.repeat(np.arange(SCHOOLS), size)
    common = rng.normal(0, 1, (3, SCHOOLS))[:, school]
    case = rng.random(len(school)) < expit(-1.2 + 0.5 * common[0])
    positive = np.where(case, expit(1.2 + 0.7 * common[1]), expit(-1.1 + 0.7 * common[2]))
    test = rng.random(len(school)) < positive
    return pd.DataFrame({"school": school, "case": case, "test": test, "group": rng.choice(list("abc"), len(school))})


def mean_logit(centre: float, spread: float) -> float:
    node, weight = np.polynomial.hermite_e.hermegauss(60)
    return float(weight @ expit(centre + spread * node) / weight.sum())


@pytest.mark.slow
def test_groups_within_129_schools_are_covered_where_independence_is_not(claims):
    study = claims("groups", "three groups within schools that differ in prevalence and accuracy",
                   n=f"{SCHOOLS} schools of about {PUPILS + 5}", seed=[72, 20261125], family=FAMILY)  # fmt: skip
    rng = study.rng
    truth = {"sensitivity": mean_logit(1.2, 0.7), "specificity": 1 - mean_logit(-1.1, 0.7)}
    hits, naive, rejected = dict.fromkeys(truth, 0), 0, 0
    for _ in range(study.replicates):
        rows = schools_drawn(rng)
        found = subgroup_accuracy(
            rows["test"], rows["case"], rows["group"], cutoff=1, reference_group="a", measures=SHOWN, cluster=rows["school"]
        ).terms  # fmt: skip
        for term, covered in hits_of(found, truth).items():
            hits[term] += int(covered[0])
        rejected += bool((found.loc[found["kind"] == "difference", "p_holm"] < 0.05).any())
        well = rows[~rows["case"] & (rows["group"] == "a")]
        low, high = proportion_confint((~well["test"]).sum(), len(well), method="wilson")
        naive += low <= truth["specificity"] <= high
    study.cover({f"{term} of a group, errors by school": number for term, number in hits.items()})
    study.size({"any difference between groups within schools, Holm": rejected}, least=0.02, margin=0)
    study.fail({"specificity of a group, Wilson over pupils": naive}, below=0.94)


@pytest.mark.slow
def test_calibration_slope_and_calibration_in_the_large_are_covered(claims):
    study = claims("risk model", "stated risks, planted slope 0.8 and intercept -0.3", n="1,000 pupils", seed=[73, 20261125],
                   family=FAMILY)  # fmt: skip
    rng = study.rng
    truth = {"slope": 0.8, "intercept": -0.3}
    hits, joint = dict.fromkeys(truth, 0), 0
    for _ in range(study.replicates):
        logit = rng.normal(-1.5, 1.0, 1000)
        # A score of 40 levels keeps a replicate cheap: cells, not people, are fitted.
        risk = expit(np.round(logit * 8) / 8)
        case = rng.random(1000) < expit(truth["intercept"] + truth["slope"] * np.log(risk / (1 - risk)))
        found = calibration(risk, case, groups=2)
        frame = found.terms.set_index("term")
        for term, value in truth.items():
            hits[term] += frame.at[term, "conf_low"] <= value <= frame.at[term, "conf_high"]
        right = rng.random(1000) < risk
        joint += calibration(risk, right, groups=2).p_value < 0.05
    study.cover({f"calibration {term}": number for term, number in hits.items()})
    study.size({"joint test of calibrated risks": joint})

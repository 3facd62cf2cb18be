"""Three worlds of the interview: perfect and missing at random, fallible, missing not at random.

In each the truth is the generator's own. Where the assumption holds, intervals must cover at the nominal rate; where it
does not, they must fail visibly, and the sensitivity analysis at the planted value must cover.
"""

import numpy as np
import pytest
from scipy.special import expit, logit
from statsmodels.stats.proportion import proportion_confint

from mhlib.stats.accuracy import (
    VerificationCounts,
    corrected_refusal,
    latent_class_from_tables,
    reference_error_from_counts,
    roc,
    verification_corrected,
    verification_corrected_from_counts,
    verification_corrected_roc,
    verification_sensitivity,
    verification_sensitivity_from_counts,
)

pytestmark = pytest.mark.slow
# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 31
PERFECT, FALLIBLE, MNAR = "(a) perfect interview", "(b) fallible interview", "(c) interview missing not at random"
BOTH = "sensitivity and specificity"


def holds(table, term, truth):
    row = table.loc[term]
    return row["conf_low"] <= truth <= row["conf_high"]


# The screen: scores 0-11 of cases and others, positive from 7; schools differ in prevalence and, together, in level.
SCORES, CUTOFF = np.arange(12), 7
CENTRE, WIDTH = {1: 7.8, 0: 3.6}, {1: 2.6, 0: 2.2}
PREVALENCE, SCHOOL_PREVALENCE, SCHOOL_LEVEL = 0.15, 0.5, 0.6
# Verified shares by score band 0-3, 4-6, 7-11.
CHANCE = np.repeat([0.1, 0.3, 0.9], [4, 3, 5])


def score_shares(case, level):
    """Distribution of the score at a school level, shape (..., 12)."""
    weight = np.exp(-0.5 * ((SCORES - CENTRE[case] - np.asarray(level)[..., None]) / WIDTH[case]) ** 2)
    return weight / weight.sum(axis=-1, keepdims=True)


def truth(clustered):
    """Joint shares of case status and score over all schools, shape (2, 12)."""
    node, weight = np.polynomial.hermite_e.hermegauss(61)
    weight = weight / weight.sum()
    scale = float(clustered)
    prevalence = (weight * expit(logit(PREVALENCE) + scale * SCHOOL_PREVALENCE * node)).sum()
    shares = [(weight[:, None] * score_shares(case, scale * SCHOOL_LEVEL * node)).sum(axis=0) for case in (0, 1)]
    return np.array([(1 - prevalence) * shares[0], prevalence * shares[1]])


def area(joint):
    other, case = joint / joint.sum(axis=1, keepdims=True)
    return float((case * (np.cumsum(other) - other / 2)).sum())


def measures(joint):
    other, case = joint
    return {"sensitivity": case[CUTOFF:].sum() / case.sum(), "specificity": other[:CUTOFF].sum() / other.sum(),
            "prevalence": case.sum()}  # fmt: skip


def pupils(rng, schools, per_school, clustered=True):
    """Score, case status, school: one row a pupil."""
    u, v = rng.normal(size=(2, schools)) * clustered
    case = rng.random((schools, per_school)) < expit(logit(PREVALENCE) + SCHOOL_PREVALENCE * u)[:, None]
    draw = rng.random((schools, per_school))
    steps = [np.cumsum(score_shares(side, SCHOOL_LEVEL * v), axis=1)[:, None, :-1] for side in (0, 1)]
    score = np.where(case, *((draw[..., None] > steps[side]).sum(axis=-1) for side in (1, 0)))
    return score.ravel(), case.ravel(), np.repeat(np.arange(schools), per_school)


def wave_counts(rng, joint, n, chance=CHANCE, odds_ratio=1.0):
    """The six cells by score band of one wave of independent pupils."""
    people = rng.multinomial(n, joint.ravel()).reshape(2, 12)
    cases = expit(logit(chance) + np.log(odds_ratio))
    seen = rng.binomial(people, np.stack([chance, cases]))
    tables = []
    for low, high in ((0, 4), (4, 7), (7, 12)):
        (tn, fn), unseen = seen[:, low:high].sum(axis=1), int((people - seen)[:, low:high].sum())
        pair = (0, 0, fn, tn, 0, unseen) if high <= CUTOFF else (tn, 0, 0, 0, unseen, 0)
        if high > CUTOFF:
            pair = (fn, tn, 0, 0, unseen, 0)
        tables.append(VerificationCounts(*(int(x) for x in pair)))
    return tables


def test_a_perfect_interview_missing_at_random_is_covered(claims):
    joint = truth(False)
    # Bands seldom verified hold ten cases seen or so: with two of them no interval covers, which bands_check says.
    planted, n, chance = measures(joint), 6000, np.repeat([0.3, 0.4, 0.9], [4, 3, 5])
    study = claims(BOTH, f"{PERFECT}, independent pupils", n=f"{n:,} pupils", seed=[31, 20261125], family=FAMILY)
    rng = study.rng
    hits = dict.fromkeys(("se", "sp", "prevalence", "mi_se", "mi_sp", "naive_se", "naive_sp"), 0)
    for replicate in range(study.replicates):
        tables = wave_counts(rng, joint, n, chance)
        found = verification_corrected_from_counts(tables)
        table = found.to_frame().set_index("term")
        hits["se"] += holds(table, "sensitivity", planted["sensitivity"])
        hits["sp"] += holds(table, "specificity", planted["specificity"])
        hits["prevalence"] += holds(table, "prevalence", planted["prevalence"])
        c = found.counts
        for name, x, y, share in (("naive_se", c.tp, c.fn, "sensitivity"), ("naive_sp", c.tn, c.fp, "specificity")):
            low, high = proportion_confint(x, x + y, method="wilson")
            hits[name] += low <= planted[share] <= high
        filled = verification_corrected_from_counts(tables, method="mi", m=20, seed=replicate)
        table = filled.to_frame().set_index("term")
        hits["mi_se"] += holds(table, "sensitivity", planted["sensitivity"])
        hits["mi_sp"] += holds(table, "specificity", planted["specificity"])
    study.cover({
        "sensitivity, Begg & Greenes": hits["se"], "specificity, Begg & Greenes": hits["sp"],
        "prevalence, Begg & Greenes": hits["prevalence"], "sensitivity, multiple imputation": hits["mi_se"],
        "specificity, multiple imputation": hits["mi_sp"],
    })  # fmt: skip
    study.fail(
        {"sensitivity, interviewed only": hits["naive_se"], "specificity, interviewed only": hits["naive_sp"]},
        below=0.5,
    )


def test_with_schools_every_correction_covers(claims):
    study = claims(BOTH, f"{PERFECT}, schools", n="50 schools of 50", seed=[32, 20261125], family=FAMILY)
    rng = study.rng
    planted = measures(truth(True))
    hits, naive = {}, 0
    for _ in range(study.replicates):
        score, case, school = pupils(rng, 50, 50)
        seen = rng.random(len(score)) < CHANCE[score]
        reference = np.where(seen, case, np.nan)
        band = np.digitize(score, [4, 7])
        for name, options in (
            ("cells", {"covariates": band}),
            ("logistic", {"covariates": score, "model": "logistic", "method": "ipw"}),
        ):
            found = verification_corrected(score, reference, cutoff=CUTOFF, cluster=school, **options)
            table = found.to_frame().set_index("term")
            for term in ("sensitivity", "specificity"):
                hits[name, term] = hits.get((name, term), 0) + holds(table, term, planted[term])
        plain = verification_corrected(score, reference, cutoff=CUTOFF, covariates=band).to_frame().set_index("term")
        naive += holds(plain, "specificity", planted["specificity"])
    names = {"cells": "Begg & Greenes by band", "logistic": "inverse chances, logistic"}
    study.cover({f"{term}, {names[name]}, by school": hit for (name, term), hit in hits.items()})
    study.fail({"specificity, pupils taken as independent": naive}, below=0.92)


def test_with_129_schools_the_correction_covers(claims):
    study = claims(
        BOTH, f"{PERFECT}, as many schools as a city has", n="129 schools of 40", seed=[41, 20261125], family=FAMILY
    )
    planted, hits = measures(truth(True)), dict.fromkeys(("sensitivity", "specificity"), 0)
    for _ in range(study.replicates):
        score, case, school = pupils(study.rng, 129, 40)
        reference = np.where(study.rng.random(len(score)) < CHANCE[score], case, np.nan)
        found = verification_corrected(
            score, reference, cutoff=CUTOFF, covariates=np.digitize(score, [4, 7]), cluster=school
        )
        table = found.to_frame().set_index("term")
        for term in hits:
            hits[term] += holds(table, term, planted[term])
    study.cover({f"{term}, Begg & Greenes by band, by school": hit for term, hit in hits.items()})


def test_imputation_with_schools_covers(claims):
    planted = measures(truth(True))
    study = claims(BOTH, f"{PERFECT}, schools", n="50 schools of 50", seed=[33, 20261125], family=FAMILY, replicates=500,
                   why="a replicate refits a mixed model and fills in twenty times")  # fmt: skip
    rng, hits = study.rng, dict.fromkeys(("sensitivity", "specificity"), 0)
    for replicate in range(study.replicates):
        score, case, school = pupils(rng, 50, 50)
        reference = np.where(rng.random(len(score)) < np.where(score >= CUTOFF, 0.9, 0.25), case, np.nan)
        found = verification_corrected(
            score, reference, cutoff=CUTOFF, cluster=school, method="mi", m=20, seed=replicate
        )
        table = found.to_frame().set_index("term")
        for term in hits:
            hits[term] += holds(table, term, planted[term])
    study.cover({f"{term}, multiple imputation with schools": hit for term, hit in hits.items()})


@pytest.mark.parametrize("clustered", [False, True], ids=["pupils", "schools"])
def test_the_corrected_area_is_covered(claims, clustered):
    planted, chance = area(truth(clustered)), np.repeat([0.15, 0.35, 0.95], [4, 3, 5])
    study = claims("area under the curve", f"{PERFECT}, {'schools' if clustered else 'independent pupils'}",
                   n="50 schools of 400" if clustered else "20,000 pupils", seed=[34 + clustered, 20261125], family=FAMILY,
                   replicates=1000, why="a replicate draws 20,000 pupils and resamples them")  # fmt: skip
    rng, hits, naive = study.rng, 0, 0
    for replicate in range(study.replicates):
        score, case, school = pupils(rng, 50, 400, clustered)
        seen = rng.random(len(score)) < chance[score]
        cluster = school if clustered else None
        found = verification_corrected_roc(
            score, np.where(seen, case, np.nan), seed=replicate, n_boot=200, bands=[4, 7], cluster=cluster, ci="logit"
        )
        hits += found.conf_low <= planted <= found.conf_high
        verified = roc(score[seen], case[seen], cluster=None if cluster is None else school[seen])
        naive += verified.conf_low <= planted <= verified.conf_high
    study.cover({"area, corrected": hits})
    study.fail({"area of the interviewed only": naive}, below=0.6)


def test_a_fallible_interview_is_its_own_truth_and_can_be_undone(claims):
    r, s, n = 0.90, 0.97, 6000
    study = claims(BOTH, f"{FALLIBLE}: finds 90 % of cases, clears 97 % of others", n=f"{n:,} pupils", seed=[36, 20261125],
                   family=FAMILY)  # fmt: skip
    rng = study.rng
    latent = truth(False)
    planted = measures(latent)
    said = np.array([s * latent[0] + (1 - r) * latent[1], (1 - s) * latent[0] + r * latent[1]])
    by_interview = measures(said)
    names = (
        "interview_se",
        "interview_sp",
        "latent_se",
        "latent_prevalence",
        "undone_se",
        "undone_sp",
        "undone_prevalence",
    )
    hits = dict.fromkeys(names, 0)
    for _ in range(study.replicates):
        tables = wave_counts(rng, said, n)
        table = verification_corrected_from_counts(tables).to_frame().set_index("term")
        hits["interview_se"] += holds(table, "sensitivity", by_interview["sensitivity"])
        hits["interview_sp"] += holds(table, "specificity", by_interview["specificity"])
        hits["latent_se"] += holds(table, "sensitivity", planted["sensitivity"])
        hits["latent_prevalence"] += holds(table, "prevalence", planted["prevalence"])
        undone = reference_error_from_counts(tables, reference_sensitivity=[r], reference_specificity=[s])
        table = undone.to_frame().set_index("term")
        hits["undone_se"] += holds(table, "sensitivity", planted["sensitivity"])
        hits["undone_sp"] += holds(table, "specificity", planted["specificity"])
        hits["undone_prevalence"] += holds(table, "prevalence", planted["prevalence"])
    study.cover({
        "sensitivity to what the interview says": hits["interview_se"],
        "specificity to what the interview says": hits["interview_sp"],
        "true sensitivity, interview's errors stated": hits["undone_se"],
        "true specificity, interview's errors stated": hits["undone_sp"],
        "true prevalence, interview's errors stated": hits["undone_prevalence"],
    })  # fmt: skip
    study.fail({"true sensitivity, interview taken as perfect": hits["latent_se"]}, below=0.3)
    study.fail({"true prevalence, interview taken as perfect": hits["latent_prevalence"]}, below=0.8)


def test_missing_not_at_random_fails_and_the_surface_holds_the_truth(claims):
    joint, odds_ratio, n = truth(False), 0.4, 4000
    study = claims(BOTH, f"{MNAR}, odds ratio {odds_ratio}, independent pupils", n=f"{n:,} pupils", seed=[37, 20261125],
                   family=FAMILY)  # fmt: skip
    rng = study.rng
    planted = measures(joint)
    names = ("sensitivity", "specificity", "prevalence")
    hits, ignored, within = dict.fromkeys(names, 0), dict.fromkeys(names, 0), 0
    for _ in range(study.replicates):
        tables = wave_counts(rng, joint, n, odds_ratio=odds_ratio)
        options = {"odds_ratio_positive": [odds_ratio, 1], "odds_ratio_negative": [odds_ratio, 1]}
        grid = verification_sensitivity_from_counts(tables, **options).table.to_dict("records")
        for name in names:
            hits[name] += grid[0][f"{name}_low"] <= planted[name] <= grid[0][f"{name}_high"]
            ignored[name] += grid[-1][f"{name}_low"] <= planted[name] <= grid[-1][f"{name}_high"]
        lows, highs = ([row[f"sensitivity_{side}"] for row in grid] for side in ("low", "high"))
        within += min(lows) <= planted["sensitivity"] <= max(highs)
    study.cover({f"{name}, surface at the planted odds ratio": hit for name, hit in hits.items()})
    study.fail({"sensitivity, as if missing at random": ignored["sensitivity"]}, below=0.75)
    study.fail({"prevalence, as if missing at random": ignored["prevalence"]}, below=0.5)
    study.find({"sensitivity within the whole surface": within}, least=0.95)


def test_the_surface_covers_with_schools_and_scores(claims):
    joint = truth(True)
    planted, odds_ratio = measures(joint), 0.4
    study = claims(BOTH, f"{MNAR}, odds ratio {odds_ratio}, schools", n="50 schools of 50", seed=[38, 20261125],
                   family=FAMILY)  # fmt: skip
    rng = study.rng
    hits, areas = {"sensitivity": 0, "specificity": 0}, {"planted": [], "ignored": []}
    for _ in range(study.replicates):
        score, case, school = pupils(rng, 50, 50)
        seen = rng.random(len(score)) < expit(logit(CHANCE[score]) + np.log(odds_ratio) * case)
        found = verification_sensitivity(
            score, np.where(seen, case, np.nan), cutoff=CUTOFF, covariates=np.digitize(score, [4, 7]), cluster=school,
            bands=[4], odds_ratio_positive=[odds_ratio, 1], odds_ratio_negative=[odds_ratio, 1],
        )  # fmt: skip
        row = found.table.iloc[0]
        for name in hits:
            hits[name] += row[f"{name}_low"] <= planted[name] <= row[f"{name}_high"]
        areas["planted"].append(row["auc"])
        areas["ignored"].append(found.table.iloc[-1]["auc"])
    study.cover({f"{name}, surface at the planted odds ratio, by school": hit for name, hit in hits.items()})
    sign = np.sign(np.mean(areas["ignored"]) - area(joint))
    study.near({"area at the planted odds ratio, error": np.array(areas["planted"]) - area(joint)}, -0.004, 0.004)
    study.near({"area as if missing at random, error": sign * (np.array(areas["ignored"]) - area(joint))}, 0.01, 1)


def test_few_missed_cases_are_no_ground_for_a_correction(claims):
    """Cronin & Vickers (2008): with 0-4 verified missed cases the corrected estimate says more of luck than of the test."""
    study = claims(
        BOTH, f"{PERFECT}, few missed cases seen", n="300 or 8,000 pupils", seed=[39, 20261125], family=FAMILY
    )
    rng, joint = study.rng, truth(False)
    refused, allowed = [], []
    for n, to in ((300, refused), (8000, allowed)):
        for _ in range(study.replicates):
            tables = wave_counts(rng, joint, n, chance=np.repeat([0.03, 0.15, 0.9], [4, 3, 5]))
            total = VerificationCounts(*(sum(column) for column in zip(*(
                (t.tp, t.fp, t.fn, t.tn, t.positive_unverified, t.negative_unverified) for t in tables), strict=True)))  # fmt: skip
            if (corrected_refusal(total) is not None) == (to is refused) and total.fn + total.tn > 0:
                to.append(verification_corrected_from_counts(total).sensitivity)
    spread = [np.subtract(*np.percentile(values, [95, 5])) for values in (refused, allowed)]
    study.find({"refused with 300 pupils": len(refused), "corrected with 8,000 pupils": len(allowed)}, least=0.8)
    assert spread[0] > 0.4 > 0.25 > spread[1], spread


def test_hui_and_walter_are_covered(claims):
    study = claims("interview without a gold standard", "two tests, two populations (Hui & Walter)", n="1,500 people each",
                   seed=[40, 20261125], family=FAMILY)  # fmt: skip
    rng = study.rng
    sens, spec, prevalence = (0.85, 0.75), (0.92, 0.95), (0.1, 0.5)
    shares = np.array([
        [p * (sens[0] if a else 1 - sens[0]) * (sens[1] if b else 1 - sens[1])
         + (1 - p) * (1 - spec[0] if a else spec[0]) * (1 - spec[1] if b else spec[1]) for a in (0, 1) for b in (0, 1)]
        for p in prevalence])  # fmt: skip
    truths = [*prevalence, *sens, *spec]
    hits = np.zeros(6)
    for _ in range(study.replicates):
        found = latent_class_from_tables([rng.multinomial(1500, row) for row in shares]).to_frame()
        hits += ((found["conf_low"] <= truths) & (truths <= found["conf_high"])).to_numpy()
    names = ("prevalence 1", "prevalence 2", "sensitivity 1", "sensitivity 2", "specificity 1", "specificity 2")
    study.cover(dict(zip(names, hits, strict=True)))

"""Coverage of the headline intervals, by the house's protocol: it can fail, and it does not fail by luck."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from mhlib.stats.accuracy import VerificationCounts, roc_from_counts, verification_corrected_from_counts

# Claims of this file that must be nominal: the family over which the Monte Carlo intervals hold.
FAMILY = 3


@pytest.mark.slow
def test_delong_covers_the_planted_area(claims):
    study = claims("area under the curve", "independent pupils, all interviewed", n="150 cases, 450 others",
                   seed=[1, 20261124], family=FAMILY, fewest=2000)  # fmt: skip
    values = np.arange(12)
    case, other = (np.exp(-0.5 * ((values - centre) / 2.5) ** 2) for centre in (7, 4.5))
    case, other = case / case.sum(), other / other.sum()
    truth = sum(case[i] * (other[:i].sum() + 0.5 * other[i]) for i in range(12))
    hits = 0
    for _ in range(study.replicates):
        found = roc_from_counts(values, study.rng.multinomial(150, case), study.rng.multinomial(450, other))
        hits += found.conf_low <= truth <= found.conf_high
    study.cover({"area, DeLong": hits})


@pytest.mark.slow
def test_begg_and_greenes_cover_where_the_naive_table_does_not(claims):
    n = 3000
    study = claims("sensitivity and specificity", "perfect interview, missing at random given the result",
                   n=f"{n:,} pupils", seed=[2, 20261124], family=FAMILY)  # fmt: skip
    rng, sens, spec, prevalence = study.rng, 0.80, 0.85, 0.20
    hits = {"sensitivity": 0, "specificity": 0, "naive": 0}
    for _ in range(study.replicates):
        case = rng.binomial(n, prevalence)
        tp, fp = rng.binomial(case, sens), rng.binomial(n - case, 1 - spec)
        seen = [
            rng.binomial(tp, 0.8),
            rng.binomial(fp, 0.8),
            rng.binomial(case - tp, 0.3),
            rng.binomial(n - case - fp, 0.3),
        ]
        counts = VerificationCounts(*seen, tp + fp - seen[0] - seen[1], n - tp - fp - seen[2] - seen[3])
        rows = verification_corrected_from_counts(counts).to_frame().set_index("term")
        for term, truth in (("sensitivity", sens), ("specificity", spec)):
            hits[term] += rows.at[term, "conf_low"] <= truth <= rows.at[term, "conf_high"]
        low, high = proportion_confint(seen[0], seen[0] + seen[2], method="wilson")
        hits["naive"] += low <= sens <= high
    study.fail({"sensitivity, interviewed only": hits.pop("naive")}, below=0.5)
    study.cover({f"{term}, Begg & Greenes": hit for term, hit in hits.items()})

"""Coverage of the headline intervals, by the house's protocol: it can fail, and it does not fail by luck."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from mhlib.stats.accuracy import VerificationCounts, roc_from_counts, verification_corrected_from_counts

REPLICATES, CLAIMS = 2000, 3


def covers(hits: int) -> bool:
    """Whether the Monte Carlo interval (Wilson, family-wise over the claims) meets nominal plus or minus one point."""
    low, high = proportion_confint(hits, REPLICATES, alpha=0.05 / CLAIMS, method="wilson")
    return low <= 0.96 and high >= 0.94


@pytest.mark.slow
def test_delong_covers_the_planted_area():
    rng = np.random.default_rng([1, 20261124])
    values = np.arange(12)
    case, other = (np.exp(-0.5 * ((values - centre) / 2.5) ** 2) for centre in (7, 4.5))
    case, other = case / case.sum(), other / other.sum()
    truth = sum(case[i] * (other[:i].sum() + 0.5 * other[i]) for i in range(12))
    hits = 0
    for _ in range(REPLICATES):
        found = roc_from_counts(values, rng.multinomial(150, case), rng.multinomial(450, other))
        hits += found.conf_low <= truth <= found.conf_high
    assert covers(hits), hits / REPLICATES


@pytest.mark.slow
def test_begg_and_greenes_cover_where_the_naive_table_does_not():
    rng = np.random.default_rng([2, 20261124])
    sens, spec, prevalence, n = 0.80, 0.85, 0.20, 3000
    hits = {"sensitivity": 0, "specificity": 0, "naive": 0}
    for _ in range(REPLICATES):
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
    assert covers(hits["sensitivity"]) and covers(hits["specificity"]), hits
    assert hits["naive"] < 0.5 * REPLICATES

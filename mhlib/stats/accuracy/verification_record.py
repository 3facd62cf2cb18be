"""What a correction for partial verification gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from mhlib.stats.accuracy.two_by_two_table import TwoByTwo, two_by_two
from mhlib.stats.accuracy.verification_counts import VerificationCounts
from mhlib.stats.accuracy.verification_imputation import Pooled
from mhlib.stats.accuracy.verification_patterns import Patterns
from mhlib.stats.accuracy.verification_shares import MEASURES
from mhlib.stats.intervals import on_logit
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VerificationCorrected:
    """Accuracy among everyone tested, corrected for who was verified; shares 0–1 with logit intervals.

    Attributes
    ----------
    counts : VerificationCounts
        The six cells over all strata.
    n_patterns : int
        Distinct combinations of test and covariates.
    m, seed : int or None
        Of the imputation.
    """

    sensitivity: float
    specificity: float
    ppv: float
    npv: float
    prevalence: float
    apparent_prevalence: float
    counts: VerificationCounts
    terms: pd.DataFrame = field(repr=False)
    n_clusters: int | None = None
    n_patterns: int | None = None
    m: int | None = None
    seed: int | None = None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    @property
    def naive(self) -> TwoByTwo | None:
        """The table of the verified alone, for contrast; None when nobody was verified on one side."""
        c = self.counts
        both_sides = c.tp + c.fp > 0 and c.fn + c.tn > 0
        return two_by_two(c.tp, c.fp, c.fn, c.tn, conf_level=self.conf_level) if both_sides else None

    def to_frame(self) -> pd.DataFrame:
        """One row a measure; numerator and denominator count the verified people behind it.

        After imputation also `within`, `between` (variances), `df` and `fraction_missing` (of information).
        """
        return self.terms.assign(n_used=self.n_used)


def corrected_record(
    patterns: Patterns,
    values: dict[str, float],
    errors: dict[str, float],
    pooled: dict[str, Pooled] | None,
    *,
    method: str,
    conf_level: float,
    m: int | None = None,
    seed: int | None = None,
) -> VerificationCorrected:
    """Values, errors and counts as a record with logit intervals."""
    c = patterns.counts()
    rows = []
    for name, (x, n) in verified_behind(c).items():
        df = patterns.df if pooled is None else pooled[name].df
        low, high = on_logit(values[name], errors[name], conf_level, df)
        bounds = {"std_error": errors[name], "conf_low": low, "conf_high": high}
        rows.append({"term": name, "estimate": values[name], **bounds, "numerator": x, "denominator": n})
        if pooled is not None:
            parts = ("within", "between", "df", "fraction_missing")
            rows[-1] |= {part: getattr(pooled[name], part) for part in parts}
    return VerificationCorrected(
        **values,
        counts=c,
        terms=term_frame(rows),
        n_clusters=None if patterns.groups is None else patterns.groups[1],
        n_patterns=int((patterns.n_all > 0).sum()),
        m=m,
        seed=seed,
        n_used=c.n,
        n_excluded=0,
        method=method,
        conf_level=conf_level,
    )


def verified_behind(c: VerificationCounts) -> dict[str, tuple[int, int]]:
    """Verified people in numerator and denominator of each measure."""
    pairs = (
        (c.tp, c.tp + c.fn),
        (c.tn, c.tn + c.fp),
        (c.tp, c.tp + c.fp),
        (c.tn, c.tn + c.fn),
        (c.tp + c.fn, c.n_verified),
        (c.n_positive, c.n),
    )
    return dict(zip(MEASURES, pairs, strict=True))

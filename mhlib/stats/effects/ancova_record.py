"""The record of an analysis of covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from mhlib.findings import Check, Refused
from mhlib.stats.effects.ancova_lord import LordCheck
from mhlib.stats.effects.effect_size_record import HedgesGResult
from mhlib.stats.effects.nested_contrasts import ContrastResult
from mhlib.stats.effects.robust_contrasts import RobustContrastResult
from mhlib.stats.effects.robust_record import ClusterRobustResult
from mhlib.stats.terms import TERM_COLUMNS, term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AncovaResult:
    """Arms compared given the baseline, with what other analyses of the same rows say.

    Attributes
    ----------
    arms : tuple of str
        The reference first.
    means : RobustContrastResult
        Adjusted mean of each arm, everything else at its mean over all rows.
    effects : RobustContrastResult
        Each arm less the reference; then pairs of other arms, or the effects of a 2 x 2 factorial.
    lmm : ContrastResult or Refused
        The same contrasts by a mixed model with a random intercept of clusters, REML, Satterthwaite df.
    post_only : RobustContrastResult
        The same without the baseline, on the same rows.
    change_score : RobustContrastResult or Refused
        Of outcome less baseline, on the rows with a baseline.
    g : mapping of str to HedgesGResult or Refused
        WWC g (total deviation within the two arms, clusters allowed for) of each arm less the reference.
    lord : mapping of str to LordCheck
        By arm; empty where there is no change score.
    explained : pandas.DataFrame or Refused
        `icc before`, `icc after`, `r2 school`, `r2 pupil`, `r2 total`.
    refusals : mapping of str to Refused
        Contrasts and means without interval and p-value.
    checks : tuple of Check
        Number of schools; the Lord check of each arm.
    fit : ClusterRobustResult
        For the wild bootstrap, the permutation and the comparison of estimands.
    baseline_missing : int
        Rows used whose baseline is missing, by the indicator method.
    excluded : mapping of str to int
        Rows left out, by reason.
    """

    arms: tuple[str, ...]
    means: RobustContrastResult
    effects: RobustContrastResult
    lmm: ContrastResult | Refused
    post_only: RobustContrastResult
    change_score: RobustContrastResult | Refused
    g: Mapping[str, HedgesGResult | Refused]
    lord: Mapping[str, LordCheck]
    explained: pd.DataFrame | Refused = field(repr=False)
    refusals: Mapping[str, Refused]
    checks: tuple[Check, ...]
    fit: ClusterRobustResult = field(repr=False)
    allocation: str
    estimand: str
    baseline_missing: int
    excluded: Mapping[str, int]
    n_clusters: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def analyses(self) -> pd.DataFrame:
        """Every contrast by every analysis: `term, estimate, …, df, analysis, n_used`."""
        found = {
            "ancova": self.effects,
            "lmm": self.lmm,
            "change score": self.change_score,
            "post only": self.post_only,
        }
        rows = [
            {**{name: row[name] for name in (*TERM_COLUMNS, "df")}, "analysis": kind, "n_used": result.n_used}
            for kind, result in found.items()
            if not isinstance(result, Refused)
            for row in result.to_frame().to_dict("records")
        ]
        return term_frame(rows)

    def to_frame(self) -> pd.DataFrame:
        """Adjusted means (no p-value), effects and g, told apart by `kind`: 'mean', 'effect', 'g'; with `df, n_used`."""
        rows = []
        for kind, result in (("mean", self.means), ("effect", self.effects)):
            for row in result.to_frame().to_dict("records"):
                kept = {name: row[name] for name in (*TERM_COLUMNS, "df")}
                # That a mean is not 0 is no question anybody asked.
                kept |= {"p_value": float("nan")} if kind == "mean" else {}
                rows.append({**kept, "kind": kind, "n_used": self.n_used})
        for name, found in self.g.items():
            if not isinstance(found, Refused):
                row = found.to_frame().iloc[0]
                kept = {column: row[column] for column in TERM_COLUMNS[1:-1]}
                rows.append({"term": name, **kept, "kind": "g", "n_used": found.n_used})
        return term_frame(rows)

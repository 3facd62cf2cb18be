"""What a fall of screened positives is worth: the record, its words and its refusal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.findings import Count, Estimate, Message, Refused, message
from mhlib.stats.terms import term_frame

EMPIRICAL, NORMAL = "unserved", "normal"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegressionToMeanResult:
    """Observed change of served screened positives beside the change to expect without any service.

    Attributes
    ----------
    table : DataFrame
        One row an outcome (`fall` in points, positive when better; shares 0–1 `below_cutoff`, `improved`,
        `reliable_recovery`, `worse`): `outcome, observed, expected, expected_std_error, remainder, std_error, conf_low,
        conf_high`; the interval is that of the remainder.
    bands : DataFrame
        `low, high, n_served, n_unserved, mean_before_served, mean_after_served, mean_after_unserved`; empty for the formula.
    basis : {'unserved', 'normal'}
        Where the expectation comes from: unserved pupils over the same interval, or the formula for normal scores.
    n_served, n_unserved, n_outside : int
        Screened positives with both waves; served ones whose score no unserved pupil reached or undercut.
    """

    table: pd.DataFrame
    bands: pd.DataFrame
    basis: str
    cutoff: float
    better: str
    n_served: int
    n_unserved: int
    n_outside: int
    n_clusters: int | None
    n_boot: int | None
    seed: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    @property
    def assumed(self) -> bool:
        """Whether the expectation rests on normal scores rather than on unserved pupils."""
        return self.basis == NORMAL

    def reading(self, outcome: str = "fall") -> Message:
        """The sentence that must stand beside the remainder of the fall: it is never called an effect."""
        row = self.table.set_index("outcome").loc[outcome]
        remainder = Estimate(row["remainder"], self.n_served, row["conf_low"], row["conf_high"])
        values = {
            "observed": Estimate(row["observed"], self.n_served),
            "expected": Estimate(row["expected"], self.n_unserved if self.basis == EMPIRICAL else self.n_served),
            "remainder": remainder,
        }
        if self.assumed:
            return message(
                "Served pupils fell by {observed} points. A formula for normal scores expects a fall of {expected} with no "
                "service at all. The remainder of {remainder} rests on that formula and is not an effect of the programme.",
                **values,
            )
        return message(
            "Served pupils fell by {observed} points. Unserved pupils with the same scores fell by {expected} over the same "
            "time. The remainder of {remainder} is not an effect of the programme: the two groups may differ in other ways.",
            **values,
        )

    def to_frame(self) -> pd.DataFrame:
        """Terms `observed: <outcome>`, `expected: <outcome>`, `remainder: <outcome>`; extra `basis`."""
        rows = []
        for row in self.table.to_dict("records"):
            name = row["outcome"]
            rows += [
                {"term": f"observed: {name}", "estimate": row["observed"]},
                {"term": f"expected: {name}", "estimate": row["expected"], "std_error": row["expected_std_error"]},
                {"term": f"remainder: {name}", "estimate": row["remainder"],
                 **{key: row[key] for key in ("std_error", "conf_low", "conf_high")}},
            ]  # fmt: skip
        return term_frame(rows).assign(basis=self.basis)


def no_unserved_refusal(n_served: int, n_unserved: int, fewest: int) -> Refused:
    """No change of screened positives is shown without knowing how they would have changed anyway."""
    return Refused(
        "no_unserved_retest",
        message(
            "{served} pupils were chosen for a high score and measured again, but only {unserved} such pupils without "
            "service were (at least {fewest} are needed). A high score falls by itself, so this fall cannot be read.",
            served=Count(n_served),
            unserved=Count(n_unserved),
            fewest=fewest,
        ),
        message(
            "Measure again, over the same interval, screened positives who get no service yet (a wait-list, other schools, "
            "or last year's wave), or give the retest reliability of the scale for a formula marked as such."
        ),
    )


def outcome_columns(
    before: np.ndarray, after: np.ndarray, *, cutoff: float, sign: int, least_change: float | None
) -> tuple[list[str], np.ndarray]:
    """Names and values of what is compared, shape (n, k); the fall is positive when better."""
    fall, below = sign * (before - after), sign * after < sign * cutoff
    names, columns = ["fall", "below_cutoff"], [fall, below]
    if least_change is not None:
        improved = fall >= least_change - 1e-9
        names += ["improved", "reliable_recovery", "worse"]
        columns += [improved, improved & below, fall <= -least_change + 1e-9]
    return names, np.column_stack(columns).astype(float)

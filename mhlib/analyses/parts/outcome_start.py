"""Were the arms alike at the start? Standardised differences with the bands of the What Works Clearinghouse, no p-values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.trial import Trial, arms_refusal, without_baseline
from mhlib.findings import Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

FINE, FAILS = 0.05, 0.25
BANDS = {
    "fine": message("alike"),
    "adjust": message("adjust for it"),
    "fails": message("too far apart for any adjustment"),
}


def table(trial: Trial, params: Params) -> Drawn | Refused:
    """Mean or share by arm among those analysed, Hedges' g (Cox's index for shares), and the band."""
    if refused := arms_refusal(trial):
        return refused
    people = trial.compared
    names = [name for name in ("b", "sex", "boarding", "left_behind", "urban", *params.covariates) if name in people]
    rows = []
    for name in dict.fromkeys(names):
        if not (pd.api.types.is_numeric_dtype(people[name]) or pd.api.types.is_bool_dtype(people[name])):
            continue
        values = people[name].astype("Float64").astype(float)
        if values.notna().sum() > 1 and values.nunique() > 1:
            rows.append({"group": f"start_{name}", **_row(values, people["treated"])})
    if not rows:
        return without_baseline()
    return Drawn(table=pd.DataFrame(rows))


def _row(values: pd.Series, treated: pd.Series) -> dict[str, object]:
    first, second = (values[(treated == arm) & values.notna()] for arm in (0, 1))
    shares = set(values.dropna().unique()) <= {0.0, 1.0}
    g = cox_index(first.mean(), second.mean()) if shares else hedges(first, second)
    size = abs(g)
    band = "fine" if size <= FINE else "adjust" if size <= FAILS else "fails"
    return {"mean_control": first.mean(), "mean_programme": second.mean(), "g": g, "band_said": BANDS[band],
            "n_used": int(min(len(first), len(second)))}  # fmt: skip


def hedges(first: pd.Series, second: pd.Series) -> float:
    """Difference of means in pooled deviations, without the bias of small samples."""
    n1, n2 = len(first), len(second)
    pooled = math.sqrt(((n1 - 1) * first.var(ddof=1) + (n2 - 1) * second.var(ddof=1)) / (n1 + n2 - 2))
    return float((second.mean() - first.mean()) / pooled * (1 - 3 / (4 * (n1 + n2) - 9)))


def cox_index(first: float, second: float) -> float:
    """Difference of two shares on the logit scale over 1.65, which is comparable with g (WWC Handbook 4.1, appendix E)."""
    if min(first, second) <= 0 or max(first, second) >= 1:
        return math.nan
    return float((np.log(second / (1 - second)) - np.log(first / (1 - first))) / 1.65)

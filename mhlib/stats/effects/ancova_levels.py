"""The mixed model beside ANCOVA, and how much of the pupils' and the schools' differences baseline and covariates explain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.findings import Refused, message
from mhlib.stats.effects.ancova_rows import AncovaRows
from mhlib.stats.effects.nested_contrasts import ContrastResult, fixed_contrasts
from mhlib.stats.effects.nested_model import multilevel
from mhlib.stats.effects.nested_record import MultilevelResult
from mhlib.stats.terms import term_frame

LEVELS = {"cluster": "school", "residual": "pupil"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explained:
    """Variances by level before and after baseline and covariates.

    Attributes
    ----------
    table : pandas.DataFrame
        Terms `icc before`, `icc after` (with interval), `r2 school`, `r2 pupil`, `r2 total`: 1 - after / before.
    icc : float
        Before: of the outcome within arms.
    """

    table: pd.DataFrame = field(repr=False)
    icc: float


def mixed(rows: AncovaRows, x: np.ndarray, conf_level: float) -> MultilevelResult:
    """Random intercept of clusters, REML, with the given columns beside the intercept."""
    frame = pd.DataFrame(x[:, 1:], columns=[f"z{i}" for i in range(1, x.shape[1])])
    frame = frame.assign(y=rows.y, cluster=rows.code)
    right = " + ".join(frame.columns[: x.shape[1] - 1])
    return multilevel(f"y ~ {right}", frame, groups="cluster", conf_level=conf_level)


def mixed_effects(
    fit: MultilevelResult, names: list[str], weights: Mapping[str, Mapping[str, float]]
) -> ContrastResult:
    """Contrasts named by the columns of ANCOVA."""
    plain = {name: f"z{i}" for i, name in enumerate(names)}
    return fixed_contrasts(
        fit, {label: {plain[name]: value for name, value in row.items()} for label, row in weights.items()}
    )


def single_rows_refusal() -> Refused:
    """Refusal of the mixed model where no cluster holds two rows, code `one_row_a_cluster`."""
    return Refused(
        "one_row_a_cluster",
        message("Each cluster holds one pupil: there is no level of schools for a mixed model to see."),
        message("Name the school or class of each pupil."),
    )


def explained(before: MultilevelResult, after: MultilevelResult) -> Explained:
    """Intraclass correlations and shares of variance explained."""
    parts = [fit.variances.set_index("level")["estimate"] for fit in (before, after)]
    rows = []
    for name, fit in (("icc before", before), ("icc after", after)):
        row = fit.icc.iloc[0]
        rows.append({"term": name, **{key: row[key] for key in ("estimate", "std_error", "conf_low", "conf_high")}})
    for level, shown in LEVELS.items():
        rows.append({"term": f"r2 {shown}", "estimate": share_gone(parts[0][level], parts[1][level])})
    rows.append({"term": "r2 total", "estimate": share_gone(parts[0].sum(), parts[1].sum())})
    return Explained(table=term_frame(rows), icc=float(before.icc.iloc[0]["estimate"]))


def share_gone(before: float, after: float) -> float:
    """1 - after / before; NaN where there was nothing to explain. Below 0 where a pupil's column lays schools apart."""
    return float(1 - after / before) if before > 0 else float("nan")

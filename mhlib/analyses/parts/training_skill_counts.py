"""Vignettes judged rightly, where only their number is known of each teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training
from mhlib.analyses.parts.training_skill_rows import ARMS
from mhlib.findings import Refused, message
from mhlib.stats.effects import cluster_robust

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params


def shares(training: Training, params: Params) -> Drawn | Refused:
    """Share judged rightly by arm and occasion: no more can be had from numbers."""
    name = params.competence
    if not name or name not in params.ranges:
        return Refused(
            "no_competence_measure",
            message("No measure says how many vignettes a teacher judged rightly out of how many."),
            message("The number judged rightly and its range, as parameters competence and ranges."),
        )
    (low, high), rows, lacking = params.ranges[name], [], []
    for treated, arm in ARMS:
        mine = training.teachers[training.teachers["treated"] == treated]
        for occasion in training.occasions:
            part = (mine[f"{name}_{occasion}"] - low) / (high - low)
            frame = pd.DataFrame({"part": part, "cluster": mine[training.cluster]}).dropna()
            if frame.empty:
                continue
            fit = tried(cluster_robust, "part ~ 1", frame, cluster="cluster", conf_level=params.conf_level)
            if isinstance(fit, Refused):
                lacking.append(fit.why)
                continue
            row = fit.to_frame().set_index("term").loc["Intercept"]
            rows.append({"group": arm, "subgroup": occasion, "term": "right_of_all",
                         **{one: float(row[one]) for one in ("estimate", "conf_low", "conf_high")}, "n_used": len(frame)})  # fmt: skip
    if not rows:
        why = lacking[0] if lacking else message("No teacher's vignettes were counted.")
        return Refused(
            "no_counts", why, message("The number of vignettes judged rightly, of teachers in several units.")
        )
    return Drawn(
        table=pd.DataFrame(rows), axis=message("share of vignettes judged rightly"), share=True, lacking=tuple(lacking)
    )

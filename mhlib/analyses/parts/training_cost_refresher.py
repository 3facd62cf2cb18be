"""When to refresh: how long the gain stands above the smallest that matters, by two shapes of decay."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training, without_follow_up
from mhlib.analyses.parts.training_effect import ESTIMAND, adjusted, rows_at
from mhlib.analyses.parts.training_learning import comparison_refusal
from mhlib.findings import Refused, message
from mhlib.stats.effects import DecayResult, cluster_robust, decay_refresher_interval

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

SHAPES = ("exponential", "linear")
WORDS = {
    "exponential": message("loses the same share each month"),
    "linear": message("loses the same amount each month"),
}


def gains(training: Training, params: Params) -> tuple[list[float], np.ndarray, np.ndarray, float, int] | Refused:
    """Months, gains over the untrained at each occasion after the training, their covariance, df and teachers.

    One regression of all occasions at once, errors by what was allocated, since the same teachers are tested again.
    """
    if refused := comparison_refusal(training):
        return refused
    later = [name for name in training.data.occasions if name in params.months and name != training.baseline
             and training.teachers[f"{training.measure}_{name}"].notna().any()]  # fmt: skip
    if len(later) < 2:
        return without_follow_up()
    parts, names = [], []
    for at, occasion in enumerate(later):
        frame, own = adjusted(training, params, rows_at(training, training.measure, occasion))
        columns = {f"{name}_{at}": frame[name] for name in own} | {f"gain_{at}": frame["treated"].astype(float)}
        columns |= {f"at_{at}": 1.0} if at else {}
        size = frame.groupby(training.cluster)["y"].transform("size") if ESTIMAND[params.estimand] == "school" else 1.0
        kept = list(dict.fromkeys([training.cluster, "teacher_pid"]))
        parts.append(frame[[*kept, "y"]].assign(weight=1.0 / size, **columns))
        names += list(columns)
    frame = pd.concat(parts, ignore_index=True)
    frame[names] = frame[names].astype(float).fillna(0.0)
    weights = "weight" if ESTIMAND[params.estimand] == "school" else None
    fit = cluster_robust(" + ".join(["y ~ 1", *names]), frame, cluster=training.cluster,
                         weights=weights, conf_level=params.conf_level)  # fmt: skip
    if isinstance(fit, Refused):
        return fit
    place = [fit.position(f"gain_{at}") for at in range(len(later))]
    sign = -1.0 if training.measure in params.lower_is_better else 1.0
    df = float(np.nanmin(fit.df[place]))
    return ([params.months[name] for name in later], sign * fit.estimates[place], fit.covariance[np.ix_(place, place)], df,
            int(frame["teacher_pid"].nunique()))  # fmt: skip


def decays(training: Training, params: Params) -> dict[str, DecayResult | Refused]:
    """Both shapes; the floor is the smallest gain that would matter, in points."""
    found = tried(gains, training, params)
    if isinstance(found, Refused):
        return dict.fromkeys(SHAPES, found)
    months, gain, covariance, df, n = found
    return {shape: tried(decay_refresher_interval, months, gain, covariance, floor=params.margin * training.sd, shape=shape, df=df,
                         n_used=n, conf_level=params.conf_level) for shape in SHAPES}  # fmt: skip


def refresher(training: Training, params: Params) -> Drawn | Refused:
    """Months until the gain falls to the smallest that matters; until the lower limit it stands above it."""
    found = decays(training, params)
    known = {shape: one for shape, one in found.items() if isinstance(one, DecayResult)}
    if not known:
        return next(iter(found.values()))
    rows = [{"group": f"decay_{shape}", "term": "refresh_months", "estimate": _finite(one.time_to_floor),
             "conf_low": _finite(one.conf_low), "conf_high": _finite(one.conf_high), "n_used": one.n_used}
            for shape, one in known.items()]  # fmt: skip
    said = [one.why for one in found.values() if isinstance(one, Refused)]
    last = max(params.months.values())
    if any(not one.time_to_floor <= last for one in known.values()):
        said.append(message("Beyond the last test, {last} months after the training, the shape alone decides: read both, and test "
                            "again.", last=f"{last:g}"))  # fmt: skip
    if any(math.isinf(one.conf_high) for one in known.values()):
        said.append(message("A dash stands for no limit: a fall is not told from none."))
    said += [message("The gains do not follow this shape: {shape}.", shape=WORDS[shape])
             for shape, one in known.items() if not one.fit.passed]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows), lacking=tuple(said))


def curves(training: Training, params: Params) -> Drawn | Refused:
    """Gain over the months after the training, by both shapes, until the last test."""
    found = decays(training, params)
    known = {shape: one for shape, one in found.items() if isinstance(one, DecayResult)}
    if not known:
        return next(iter(found.values()))
    parts = [one.curve.rename(columns={"time": "x", "estimate": "y", "conf_low": "low", "conf_high": "high"})
             .assign(group=f"decay_{shape}", n_used=one.n_used) for shape, one in known.items()]  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    return Drawn(table=table[["group", "x", "y", "low", "high", "n_used"]], x_axis=message("months since the training ended"),
                 y_axis=message("gain over the untrained (points)"))  # fmt: skip


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else math.nan

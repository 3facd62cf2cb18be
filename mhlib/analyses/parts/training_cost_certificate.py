"""Cost of a year that a certificate is held: of those that came from the training, and of their own hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training, without_table
from mhlib.findings import Refused, message
from mhlib.stats.effects import cluster_robust
from mhlib.stats.effects.retention_fieller import Ratio, fieller

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

YEAR = 365.25
LEAST_DF = 4


def held(training: Training, params: Params) -> pd.DataFrame | Refused:
    """Certificates with ``years`` held until expiry, departure or the day of the report, and ``years_whole`` without the last."""
    found, teacher = training.data.table("certificate"), training.data.table("teacher")
    if found is None or teacher is None:
        return without_table("certificate" if found is None else "teacher")
    school = teacher.set_index("teacher_pid")["school_pid"]
    found = found.assign(school_pid=found["teacher_pid"].map(school))
    found = found[found["school_pid"].notna() & (found["issued"] <= pd.Timestamp(params.as_of))]
    until = found["issued"] + pd.to_timedelta(params.certificate_years * YEAR, unit="D")
    ends = found["expires"].fillna(until)
    left = training.data.table("leaver")
    if left is not None:
        gone = found["teacher_pid"].map(left.groupby("teacher_pid")["left_on"].min())
        ends = pd.concat([ends, gone], axis=1).min(axis=1)
    now = ends.clip(upper=pd.Timestamp(params.as_of))
    years = {"years": now, "years_whole": ends}
    return found.assign(
        **{name: ((day - found["issued"]).dt.days / YEAR).clip(lower=0.0) for name, day in years.items()}
    )


def certificates(
    training: Training, params: Params, people: pd.DataFrame, first_day: pd.Timestamp | None
) -> Drawn | Refused:
    """Cost of the training over the years that certificates issued since its first event were held."""
    found = held(training, params)
    if isinstance(found, Refused):
        return found
    since = found[found["issued"] >= first_day] if first_day is not None else found.iloc[:0]
    years = people["teacher_pid"].map(since.groupby("teacher_pid")["years"].sum()).fillna(0.0)
    if not years.sum() > 0:
        return Refused(
            "no_certificate_since",
            message("No teacher of the trained arm was given a certificate since the first event, so no year of a certificate can be "
                    "charged to this training."),
            message("Certificates with their day of issue, and the events that led to each."),
        )  # fmt: skip
    ratio = tried(ratio_of_sums, people["cost"], years, people[training.cluster], params.conf_level)
    return (
        ratio
        if isinstance(ratio, Refused)
        else Drawn(table=pd.DataFrame([_row("cost_certificate", ratio, len(people))]))
    )


def own_hours(training: Training, params: Params) -> Drawn | Refused:
    """Teachers' hours that a certificate took, at their wage, over the years it is held; of every certificate, by level."""
    found = held(training, params)
    if isinstance(found, Refused):
        return found
    if params.hourly_wage is None:
        return Refused("no_wage", message("No wage is stated, so hours cannot be turned into money."),
                       message("The cost of a teacher's hour, as parameter hourly_wage."))  # fmt: skip
    rows, lacking = [], []
    for level, mine in found[found["hours"].notna()].groupby("level"):
        for term, years in (("cost_year_so_far", "years"), ("cost_year_whole", "years_whole")):
            ratio = tried(
                ratio_of_sums, mine["hours"] * params.hourly_wage, mine[years], mine["school_pid"], params.conf_level
            )
            if isinstance(ratio, Refused):
                lacking.append(ratio.why)
            else:
                rows.append({"group": f"hours_certificate_{level}"} | _row(term, ratio, mine["teacher_pid"].nunique()))
    if not rows:
        return Refused("no_certificate_years", lacking[0] if lacking else message("No certificate names its hours."),
                       message("Hours, issue and expiry of each certificate."))  # fmt: skip
    return Drawn(table=pd.DataFrame(rows), lacking=(message("Hours alone, without course fees or trainers. The second figure supposes "
                                                            "that nobody leaves before a certificate expires, beyond those who "
                                                            "left."),))  # fmt: skip


def _row(term: str, ratio: Ratio, n: int) -> dict[str, object]:
    return {
        "term": term,
        "estimate": ratio.value,
        "conf_low": ratio.conf_low,
        "conf_high": ratio.conf_high,
        "n_used": n,
    }


def ratio_of_sums(cost: pd.Series, years: pd.Series, cluster: pd.Series, conf_level: float) -> Ratio | Refused:
    """Sum of cost over sum of years, with Fieller's limits from both means at once (CR2 by cluster)."""
    # A cost that is the same for everybody has no error; the years alone vary.
    one, none = np.ones(len(cost)), np.zeros(len(cost))
    frame = pd.DataFrame({"y": np.r_[cost, years], "is_cost": np.r_[one, none], "is_years": np.r_[none, one],
                          "unit": np.r_[cluster.to_numpy(object), cluster.to_numpy(object)]})  # fmt: skip
    names = ["is_years"] if cost.nunique() == 1 else ["is_cost", "is_years"]
    frame = frame[frame[names].sum(axis=1) > 0]
    fit = cluster_robust(f"y ~ 0 + {' + '.join(names)}", frame, cluster="unit", conf_level=conf_level)
    if isinstance(fit, Refused):
        return fit
    at = [fit.position(name) for name in names]
    df = float(np.nanmin(fit.df[at]))
    if not df >= LEAST_DF:
        return Refused("few_degrees_of_freedom", message("Too few units stand behind it for an interval."),
                       message("Teachers of more schools."))  # fmt: skip
    spread = np.zeros((2, 2))
    spread[-len(at) :, -len(at) :] = fit.covariance[np.ix_(at, at)]
    found = fieller(float(cost.mean()), fit.estimates[at[-1]], spread, df=df, conf_level=conf_level)
    if found.bounded:
        return found
    return Refused("no_years_held", message("The years held are not told from none, so a cost a year would have no upper limit."),
                   message("Certificates of more teachers, held for longer."))  # fmt: skip

"""What a training may have cost teachers: overtime, absence, leaving; who stayed away; supervision, and what is next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.outcome_effect import Effect, formula
from mhlib.analyses.parts.outcome_names import in_words
from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training, without_table
from mhlib.analyses.parts.training_burden_months import period_of
from mhlib.analyses.parts.training_burden_next import actions, next_by
from mhlib.analyses.parts.training_burden_supervision import hours, share_of, supervised
from mhlib.analyses.parts.training_effect import ESTIMAND, METHOD, adjusted, icc_of
from mhlib.analyses.parts.training_learning import comparison_refusal
from mhlib.findings import Count, Estimate, Message, Proportion, Refused, message
from mhlib.stats.effects import cluster_robust, hedges_g_from_model

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

ABSENCE, OVERTIME, LEAVING = "burden_absence", "burden_overtime", "burden_leaving"
ARMS = ((0.0, "arm_untrained"), (1.0, "arm_trained"))
NOT_RECORDED = (
    message("Distress of teachers, lessons lost, complaints and unwanted events in sessions are not recorded in these data, so "
            "nothing is said of them. Silence is no proof of safety."),
    message("To know them: two questions on strain at each test, a form for unwanted events kept alike in both arms, and the "
            "lessons that others had to take over."),
)  # fmt: skip
UNKNOWN = ("unknown", message("Whether the training burdened teachers cannot be told from these data."))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BurdenSection:
    """Harms by arm and their differences, who stayed away or was lost, supervision, and what is next.

    Attributes
    ----------
    absence, overtime, leaving : Effect or Refused
        Trained less untrained; more is worse. Days and hours a month, and a share (0 to 1).
    state : tuple
        State of the verdict's line and its finding.
    timed : bool
        Whether it is known that the workload lies after the training.
    """

    absence: Effect | Refused
    overtime: Effect | Refused
    leaving: Effect | Refused
    means: Drawn | Refused
    differences: Drawn | Refused
    compared: Drawn | Refused
    dropout: Drawn | Refused
    supervision: Drawn | Refused
    supervision_hours: Drawn | Refused
    by_level: Drawn | Refused
    by_district: Drawn | Refused
    state: tuple[str, Message]
    timed: bool
    actions: list[Message]
    reading: list[Message]


def section(training: Training, params: Params) -> BurdenSection:
    """Differences of the arms in every burden that is recorded; each teacher counts once, whatever the months."""
    rows = _rows(training, params)
    effects = {name: found if isinstance(found, Refused) else tried(_effect, training, params, found)
               for name, found in rows.items()}  # fmt: skip
    share, dropped = supervised(training, params)
    return BurdenSection(
        absence=effects[ABSENCE], overtime=effects[OVERTIME], leaving=effects[LEAVING],
        means=_means(training, params, rows), differences=_differences(rows, effects), compared=_compared(effects),
        dropout=dropout(training, params), supervision=share, supervision_hours=hours(training, params),
        by_level=next_by(training, params, "level"), by_district=next_by(training, params, "district"),
        state=_state(training, params, effects), timed=timed(training), actions=actions(training, params),
        reading=[*_said(effects), *_timing(training), *_left_out(training, rows), *dropped, *NOT_RECORDED],
    )  # fmt: skip


def _rows(training: Training, params: Params) -> dict[str, pd.DataFrame | Refused]:
    """Teachers of both arms with the burden as ``y``: a teacher's mean a month, or 1 for one who left."""
    return {
        ABSENCE: _monthly(training, "days_absent"),
        OVERTIME: _monthly(training, "overtime_hours"),
        LEAVING: leavers(training, params),
    }


def _people(training: Training) -> pd.DataFrame:
    return training.teachers[training.teachers["treated"].notna()].drop(columns=["b", "y", "f"])


def _monthly(training: Training, column: str) -> pd.DataFrame | Refused:
    workload = training.data.table("workload")
    if workload is None:
        return without_table("workload")
    period = period_of(training)
    if isinstance(period, Refused):
        return period
    after = workload if period is None else workload[period == "after"]
    mean = after.groupby("teacher_pid")[column].mean().rename("y")
    found = _people(training).merge(mean, left_on="teacher_pid", right_index=True)
    found = found[found["y"].notna()]
    if period is not None and (period == "before").any():
        before = workload[period == "before"].groupby("teacher_pid")[column].mean()
        # Whoever came later stands at the mean: nobody is left out for a month that was before their time.
        found["b"] = found["teacher_pid"].map(before)
        found["b"] = found["b"].fillna(found["b"].mean())
    return found if len(found) else _nobody_known()


def leavers(training: Training, params: Params) -> pd.DataFrame | Refused:
    """Teachers who were there at the first event, with 1 for those who left until the day of the report."""
    left, events = training.data.table("leaver"), training.data.table("training_event")
    if left is None or events is None:
        return without_table("leaver" if left is None else "training_event")
    first, today = events["held_on"].min(), pd.Timestamp(params.as_of)
    day = left.groupby("teacher_pid")["left_on"].min()
    people = _people(training)
    gone = people["teacher_pid"].map(day)
    there = ~(gone < first)
    return people[there].assign(y=(gone[there] <= today).astype(float))


def _nobody_known() -> Refused:
    return Refused(
        "no_burden_of_the_tested",
        message("No teacher who was tested stands in the table of workload."),
        message("Overtime and days absent of the teachers of both arms, before and after the training."),
    )


def _effect(training: Training, params: Params, frame: pd.DataFrame) -> Effect | Refused:
    """Trained less untrained, with the errors of what was allocated; in deviations of the untrained."""
    if refused := comparison_refusal(training):
        return refused
    if frame["treated"].nunique() < 2 or frame["y"].nunique() < 2:
        return Refused(
            "burden_alike",
            message("Only one arm is recorded, or every teacher has the same: no difference can be estimated."),
            message("The same records of teachers of both arms."),
        )
    frame, names = adjusted(training, params, frame)
    fit = cluster_robust(formula("y", names), frame, cluster=training.cluster, estimand=ESTIMAND[params.estimand],
                         conf_level=params.conf_level, arm="treated")  # fmt: skip
    if isinstance(fit, Refused):
        return in_words(fit)
    row, refused = fit.to_frame().set_index("term").loc["treated"], fit.refusals.get("treated")
    n1, n0 = (int((frame["treated"] == arm).sum()) for arm in (1, 0))
    sd = float(frame.loc[frame["treated"] == 0, "y"].std(ddof=1))
    standard = None if not sd > 0 else hedges_g_from_model(
        row["estimate"], row["std_error"], sd=sd, n_treated=n1, n_control=n0, icc=_icc(training, frame),
        cluster_size=len(frame) / max(fit.n_clusters, 1), df=max(float(row["df"]), 1.0), n_clusters=fit.n_clusters,
        conf_level=fit.conf_level,
    )  # fmt: skip
    g = (math.nan,) * 3 if standard is None else (standard.g, standard.conf_low, standard.conf_high)
    if math.isnan(row["conf_low"]):
        g = (g[0], math.nan, math.nan)
    return Effect(
        estimate=row["estimate"], std_error=row["std_error"], conf_low=row["conf_low"], conf_high=row["conf_high"],
        df=row["df"], p_value=row["p_value"], sd=sd, g=g[0], g_low=g[1], g_high=g[2], n_used=fit.n_used,
        n_clusters=fit.n_clusters, method=METHOD, p_refused=in_words(refused) if refused else None,
    )  # fmt: skip


def _icc(training: Training, frame: pd.DataFrame) -> float:
    """Likeness within the unit allocated; 0 where it cannot be had, since it only widens the interval of g."""
    found = tried(icc_of, training, frame)
    return 0.0 if isinstance(found, Refused) or math.isnan(found) else max(found, 0.0)


def _mean(frame: pd.DataFrame, cluster: str, level: float) -> object:
    return cluster_robust("y ~ 1", frame, cluster=cluster, conf_level=level)


def _means(training: Training, params: Params, rows: dict[str, pd.DataFrame | Refused]) -> Drawn | Refused:
    """Each burden by arm, with a cluster-robust interval."""
    found, refused = [], []
    for name, frame in rows.items():
        if isinstance(frame, Refused):
            refused.append(frame)
            continue
        for treated, arm in ARMS:
            mine = frame[frame["treated"] == treated]
            if len(mine):
                found.append(
                    {"term": name, "arm_shown": arm, **_interval(training, params, name, mine), "n_used": len(mine)}
                )
    if not found:
        return refused[0]
    return Drawn(table=pd.DataFrame(found), lacking=tuple(one.why for one in refused[:1]))


def _interval(training: Training, params: Params, name: str, mine: pd.DataFrame) -> dict[str, float]:
    value = float(mine["y"].mean())
    none = {"estimate": value, "conf_low": math.nan, "conf_high": math.nan}
    if name == LEAVING:
        share = share_of(mine["y"], mine[training.cluster], params.conf_level)
        return none | {"conf_low": share["conf_low"], "conf_high": share["conf_high"]}
    if mine["y"].nunique() < 2:
        return none
    fit = tried(_mean, mine, training.cluster, params.conf_level)
    if isinstance(fit, Refused):
        return none
    return none | {"conf_low": float(fit.conf_low[0]), "conf_high": float(fit.conf_high[0])}


def _differences(rows: dict[str, object], effects: dict[str, Effect | Refused]) -> Drawn | Refused:
    """Trained less untrained in each burden's own unit. Not corrected for their number: a harm overlooked weighs more."""
    known = {name: one for name, one in effects.items() if isinstance(one, Effect)}
    if not known:
        return next(iter(effects.values()))
    table = [{"term": f"{name}_more", "estimate": one.estimate, "conf_low": one.conf_low, "conf_high": one.conf_high,
              "df": one.df, "p_value": one.p_value, "g": one.g, "n_used": one.n_used} for name, one in known.items()]  # fmt: skip
    lacking = [one.why for one in effects.values() if isinstance(one, Refused)]
    lacking += [one.p_refused.why for one in known.values() if one.p_refused]
    return Drawn(table=pd.DataFrame(table), lacking=tuple(lacking[:1]))


def _compared(effects: dict[str, Effect | Refused]) -> Drawn | Refused:
    """All burdens on one scale, deviations of the untrained."""
    known = {name: one for name, one in effects.items() if isinstance(one, Effect) and not math.isnan(one.g_low)}
    if not known:
        first = next(iter(effects.values()))
        return first if isinstance(first, Refused) else first.p_refused or UNKNOWN_SCALE
    table = [{"group": name, "estimate": one.g, "conf_low": one.g_low, "conf_high": one.g_high, "n_used": one.n_used}
             for name, one in known.items()]  # fmt: skip
    return Drawn(table=pd.DataFrame(table), rule=0.0,
                 axis=message("trained less untrained (SD of the untrained; above 0 is more burden)"))  # fmt: skip


UNKNOWN_SCALE = Refused(
    "no_spread_of_burden",
    message("The burden of the untrained does not vary, so there is no scale to compare on."),
    message("Records of more teachers who are not trained."),
)


def _state(training: Training, params: Params, effects: dict[str, Effect | Refused]) -> tuple[str, Message]:
    """Bad where any burden is commoner beyond chance; good only where all are bounded and known to lie after the training."""
    known = {name: one for name, one in effects.items() if isinstance(one, Effect) and not math.isnan(one.conf_low)}
    if not known:
        return UNKNOWN
    worse = {name: one for name, one in known.items() if one.conf_low > 0}
    name, one = next(iter((worse or known).items()))
    said = DIFFERENCE[name].template, {"value": _shown(name, one)}
    bounded = len(known) == len(effects) and all(found.g_high < params.margin for found in known.values())
    return "bad" if worse else "good" if bounded and timed(training) else "watch", Message(*said)


def timed(training: Training) -> bool:
    """Whether months of workload are known to lie after the training."""
    period = None if training.data.table("workload") is None else period_of(training)
    return period is not None and not isinstance(period, Refused)


DIFFERENCE = {
    ABSENCE: message("Days absent a month, trained less untrained: {value}."),
    OVERTIME: message("Overtime hours a month, trained less untrained: {value}."),
    LEAVING: message("Share of teachers who left, trained less untrained: {value}."),
}


def _shown(name: str, one: Effect) -> Estimate | Proportion:
    if name == LEAVING:
        return Proportion(one.estimate, one.n_used, one.conf_low, one.conf_high)
    return Estimate(one.estimate, one.n_used, one.conf_low, one.conf_high)


def _said(effects: dict[str, Effect | Refused]) -> list[Message]:
    """One sentence a burden: the difference and what the data still allow."""
    found = []
    for name, one in effects.items():
        if isinstance(one, Refused):
            continue
        found.append(Message(DIFFERENCE[name].template, {"value": _shown(name, one)}))
        if math.isnan(one.conf_low):
            found.append(message("Too few units stand behind it for an interval."))
        elif one.conf_low <= 0 <= one.conf_high and not math.isnan(one.g_high):
            found.append(message("No difference is shown; an increase of up to {most} standard deviations is not ruled out.",
                                 most=Estimate(max(one.g_high, 0.0), one.n_used)))  # fmt: skip
    first = next(iter(effects.values()))
    return found or [first.why if isinstance(first, Refused) else UNKNOWN[1]]


def _timing(training: Training) -> list[Message]:
    workload = training.data.table("workload")
    if workload is None or period_of(training) is not None:
        return []
    if "year" in workload:
        return [message("On which day the training was held is not in the source: whether the months of workload lie after it cannot "
                        "be seen.")]  # fmt: skip
    return [message("The table of workload names months and no year: whether they lie after the training cannot be seen. If they "
                    "lie before it, the differences say how alike the arms were and nothing of harm.")]  # fmt: skip


def _left_out(training: Training, rows: dict[str, object]) -> list[Message]:
    """Teachers of whom no burden is recorded."""
    frame = rows[ABSENCE]
    if isinstance(frame, Refused):
        return []
    everybody = int(training.teachers["treated"].notna().sum())
    return [message("Workload is recorded of {n} of the {all} teachers tested; the others are left out of it.",
                    n=Count(len(frame)), all=Count(everybody))]  # fmt: skip


def dropout(training: Training, params: Params) -> Drawn | Refused:
    """Who was allocated to the training and enrolled in no event, who was lost after it, and who came too early."""
    enrolled = training.data.table("training_enrolment")
    if enrolled is None:
        return without_table("training_enrolment")
    people = training.teachers[training.teachers["treated"].notna()]
    came = people["teacher_pid"].isin(enrolled["teacher_pid"])
    trained = people["treated"] == 1
    groups = [
        ("dropout_never", "arm_trained", trained, ~came),
        ("dropout_post", "arm_trained", trained & came, people["y"].isna()),
        ("dropout_later", "arm_trained", trained & came, people["f"].isna()),
        ("dropout_early", "arm_untrained", people["treated"] == 0, came),
    ]
    rows = []
    for name, arm, among, event in groups:
        clusters = None if training.cluster == "teacher_pid" else people.loc[among, training.cluster]
        if among.any() and not (name == "dropout_later" and not training.has_follow_up):
            rows.append({"term": name, "arm_shown": arm} | share_of(event[among], clusters, params.conf_level))
    return Drawn(table=pd.DataFrame(rows), lacking=(message("Enrolment is recorded and attendance is not: whoever enrolled and "
                                                            "stayed away counts as trained."),))  # fmt: skip

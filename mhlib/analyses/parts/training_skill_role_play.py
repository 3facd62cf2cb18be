"""A played crisis talk: do two raters agree, how often is something dangerous done, and what is known of later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training import Training, without_comparison, without_table
from mhlib.analyses.parts.training_skill_rows import bounded, clusters, share_of
from mhlib.findings import Check, Count, Estimate, Message, Refused, message
from mhlib.stats.accuracy import cohen_kappa
from mhlib.stats.effects import cluster_robust
from mhlib.stats.measurement import icc

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

# Koo & Li (2016) J Chiropr Med 15:155: good from here. Landis & Koch (1977): substantial from here.
GOOD_ICC, GOOD_KAPPA = 0.75, 0.60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Talks:
    """Teachers rated by both raters.

    Attributes
    ----------
    scores, errors : DataFrame, shape (teachers, 2)
        Points, and 1 where something dangerous was left out or done; one column a rater.
    cluster : ndarray, shape (teachers,)
    treated : ndarray, shape (teachers,)
        1 trained, 0 not yet; NaN where the teacher's arm is not known.
    n_once : int
        Teachers rated by one rater only: not used.
    n_unknown : int
        Teachers whose unit is not known: not used.
    """

    scores: pd.DataFrame
    errors: pd.DataFrame
    cluster: np.ndarray
    treated: np.ndarray
    n_once: int
    n_unknown: int

    @property
    def lacking(self) -> tuple[Message, ...]:
        """Who is not in it."""
        said = []
        if self.n_once:
            said.append(message("Teachers rated by one rater only ({n}) are not in it.", n=Count(self.n_once)))
        if self.n_unknown:
            said.append(message("Teachers whose unit is not known ({n}) are not in it.", n=Count(self.n_unknown)))
        return tuple(said)


def talks(training: Training) -> Talks | Refused:
    """The talks that both raters saw; refused without a table, or without two raters who saw the same talks."""
    table = training.data.table("role_play")
    if table is None:
        return without_table("role_play")
    raters = sorted(table["rater"].unique())
    if len(raters) != 2:
        return Refused(
            "not_two_raters",
            message("The talks were not all rated by the same two raters, so how well raters agree cannot be told."),
            message("The same talks scored by the same two raters, neither knowing of the other."),
        )
    pairs = table.set_index(["teacher_pid", "rater"])
    wide = {name: pairs[name].unstack("rater").astype(float) for name in ("score", "critical_error")}
    both = wide["score"].notna().all(axis=1) & wide["critical_error"].notna().all(axis=1)
    people = wide["score"].index.to_frame(index=False)
    cluster = clusters(training, people).set_axis(wide["score"].index)
    used = both & cluster.notna()
    if used.sum() < 3:
        return Refused("few_talks", message("Fewer than three teachers were rated by both raters."),
                       message("Talks of more teachers, each scored by both raters."))  # fmt: skip
    treated = people["teacher_pid"].map(training.teachers.set_index("teacher_pid")["treated"])
    return Talks(
        scores=wide["score"][used], errors=wide["critical_error"][used], cluster=cluster[used].to_numpy(),
        treated=treated.to_numpy(float)[used.to_numpy()], n_once=int((~both).sum()), n_unknown=int((both & ~used).sum()),
    )  # fmt: skip


def raters(found: Talks | Refused, params: Params) -> Drawn | Refused:
    """Agreement on points (absolute, one rater) and on critical errors beyond chance."""
    if isinstance(found, Refused):
        return found
    rows, lacking, n = [], list(found.lacking), len(found.scores)
    agreed = tried(icc, found.scores, conf_level=params.conf_level)
    if isinstance(agreed, Refused):
        lacking.append(agreed.why)
    else:
        rows.append({"term": "talk_icc", **_of(agreed.forms.loc["ICC(2,1)"]), "n_used": n})
        lacking.append(message("The interval of agreement on points takes the teachers as independent of each other."))
    kappa = tried(kappa_of, found, params.conf_level)
    if isinstance(kappa, Refused):
        lacking.append(
            message("On critical errors agreement beyond chance has no meaning: all talks were judged alike.")
        )
    else:
        row = {"estimate": kappa.kappa, "conf_low": kappa.conf_low, "conf_high": kappa.conf_high}
        rows.append({"term": "talk_kappa", **bounded(row, len(np.unique(found.cluster))), "n_used": n})
    alike = (found.errors.iloc[:, 0] == found.errors.iloc[:, 1]).astype(int)
    rows.append({"term": "talk_same", **share_of(alike.to_numpy(), found.cluster, params.conf_level), "n_used": n})
    return Drawn(table=pd.DataFrame(rows), lacking=tuple(lacking))


def kappa_of(found: Talks, level: float) -> object:
    """Kappa of critical errors; errors by unit."""
    several = len(np.unique(found.cluster)) > 1 and len(np.unique(found.cluster)) < len(found.cluster)
    first, second = (found.errors.iloc[:, at].to_numpy(int) for at in (0, 1))
    return cohen_kappa(first, second, categories=[0, 1], cluster=found.cluster if several else None, conf_level=level)


def _of(row: pd.Series) -> dict[str, float]:
    return {name: float(row[name]) for name in ("estimate", "conf_low", "conf_high")}


def critical(found: Talks | Refused, params: Params) -> Drawn | Refused:
    """Share of teachers with a critical error, by what is asked of the raters; and of each arm where both played."""
    if isinstance(found, Refused):
        return found
    first, second = (found.errors.iloc[:, at].to_numpy(int) for at in (0, 1))
    seen = {
        "critical_first": first,
        "critical_second": second,
        "critical_either": first | second,
        "critical_both": first & second,
    }
    rows = []
    for treated, arm in ((1.0, "arm_trained"), (0.0, "arm_untrained")):
        mine = found.treated == treated
        for term, values in seen.items():
            if mine.any():
                rows.append({"arm_shown": arm, "term": term, **share_of(values[mine], found.cluster[mine], params.conf_level),
                             "n_used": int(mine.sum())})  # fmt: skip
    unknown = int(np.isnan(found.treated).sum())
    said = (
        message(
            "Teachers who were never tested, so that their arm is not known ({n}), are not in it.", n=Count(unknown)
        ),
    )
    if not rows:
        return Refused("no_arm", said[0], message("The arm of every teacher who played the talk."))
    return Drawn(table=pd.DataFrame(rows), lacking=found.lacking + (said if unknown else ()))


def talk_score(found: Talks | Refused, params: Params) -> Drawn | Refused:
    """Mean of the two raters' points, by arm."""
    if isinstance(found, Refused):
        return found
    rows, lacking = [], list(found.lacking)
    for treated, arm in ((1.0, "arm_trained"), (0.0, "arm_untrained")):
        mine = found.treated == treated
        if mine.any():
            frame = pd.DataFrame({"score": found.scores.mean(axis=1).to_numpy()[mine], "cluster": found.cluster[mine]})
            fit = tried(cluster_robust, "score ~ 1", frame, cluster="cluster", conf_level=params.conf_level)
            if isinstance(fit, Refused):
                lacking.append(fit.why)
                continue
            row = fit.to_frame().set_index("term").loc["Intercept"]
            rows.append({"arm_shown": arm, "term": "talk_points", **_of(row), "n_used": int(mine.sum())})
    if not rows:
        return Refused("no_talk_mean", message("The mean score of the talks has no error: they come from one unit."),
                       message("Talks of teachers from several units."))  # fmt: skip
    return Drawn(table=pd.DataFrame(rows), lacking=tuple(lacking))


def gained(training: Training, found: Talks | Refused, params: Params) -> Drawn | Refused:
    """Difference of the arms in points and in critical errors; only where lots decided and both arms played."""
    if isinstance(found, Refused):
        return found
    if not training.controlled or training.design == "before_after":
        return without_comparison()
    if len({value for value in found.treated if not np.isnan(value)}) < 2:
        return Refused(
            "no_untrained_talks",
            message("Only teachers of one arm played the talk, so what the training did for it cannot be told."),
            message("The same talk played by teachers who are not yet trained, rated without knowing who is trained."),
        )
    if not training.randomised:
        return Refused(
            "no_earlier_talks",
            message("Lots did not decide who was trained and nobody played the talk before: a difference may be older than "
                    "the training."),
            message("The same talk, played before the training by both arms."),
        )  # fmt: skip
    points, wrong = found.scores.mean(axis=1).to_numpy(), 100 * found.errors.max(axis=1).to_numpy()
    frame = pd.DataFrame(
        {"talk_points": points, "critical_either": wrong, "cluster": found.cluster, "treated": found.treated}
    ).dropna()
    rows, lacking = [], []
    for term in ("talk_points", "critical_either"):
        fit = tried(
            cluster_robust, f"{term} ~ treated", frame, cluster="cluster", arm="treated", conf_level=params.conf_level
        )
        if isinstance(fit, Refused):
            lacking.append(fit.why)
        else:
            row = fit.to_frame().set_index("term").loc["treated"]
            rows.append(
                {"term": f"gained_{term}", **_of(row), "df": row["df"], "p_value": row["p_value"], "n_used": fit.n_used}
            )
    if not rows:
        return Refused("no_talk_difference", lacking[0], message("Talks in more units of both arms."))
    return Drawn(table=pd.DataFrame(rows), lacking=tuple(lacking))


def decay(found: Talks | Refused) -> Refused:
    """What is left of the talk's skill after months: the table holds each talk once."""
    if isinstance(found, Refused):
        return found
    return Refused(
        "one_occasion",
        message("Each teacher played the talk once, so nothing can be said about what is lost in the months after the workshop."),
        message("The same kind of talk again after about six months, with the day of each talk, scored by the same raters who do "
                "not know which comes first."),
    )  # fmt: skip


def drills() -> Refused:
    """Who took part in drills at school: no table holds it."""
    return Refused(
        "no_drills",
        message("No table says who took part in a crisis drill at school."),
        message("For each drill its day, the school, who took part, and the minutes until help was called."),
    )


def checks(found: Drawn | Refused) -> list[Check]:
    """Whether one rater's word is good enough for one teacher."""
    if isinstance(found, Refused):
        return []
    table, made = found.table.set_index("term"), []
    for term, least, name in (
        ("talk_icc", GOOD_ICC, message("Two raters give a talk the same points")),
        ("talk_kappa", GOOD_KAPPA, message("Two raters see the same critical errors")),
    ):
        if term not in table.index:
            made.append(Check(name, None, message("Agreement could not be estimated.")))
            continue
        row = table.loc[term]
        known = (float(row["conf_low"]), float(row["conf_high"])) if row["conf_low"] == row["conf_low"] else ()
        value = Estimate(float(row["estimate"]), int(row["n_used"]), *known)
        said = message("Agreement {value}; {least} or more is asked for.", value=value, least=least)
        made.append(Check(name, bool(row["estimate"] >= least), said))
    return made

"""The question as an estimand: what is compared with what, over whom the effect is an average, and who is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.outcome_names import occasion_name, outcome_name
from mhlib.analyses.parts.sections import Drawn
from mhlib.analyses.parts.trial import Trial
from mhlib.findings import Message, message

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

WORDS = {
    "school_rct": message("schools drawn by lot"), "class_rct": message("classes drawn by lot"),
    "pupil_rct": message("pupils drawn by lot"), "wait_list": message("who starts first drawn by lot, the others later"),
    "stepped_wedge": message("order of starting drawn by lot"),
    "staggered": message("staggered roll-out, not by lot as far as is known"),
    "above_cutoff": message("service for everyone beyond a cut-off"),
    "matched": message("comparison of unlike groups made alike by weights"),
    "before_after": message("before and after, without a comparison"),
    "panel": message("units over years, exposed at different times"),
    "time_series": message("one start for all, and many weeks before and after it"),
}  # fmt: skip
UNIT_WORDS = {
    "pupil_pid": message("pupils"),
    "class_pid": message("classes"),
    "school_pid": message("schools"),
    "unit": message("units"),
}
# Compared with whom, or with what; lots and cut-offs apart.
AS_ALLOCATED = message("the arm as allocated, whether or not the programme was taken up (intention to treat)")
COMPARED = {
    "stepped_wedge": message("units that had not begun, in the same period, as the lots ordered them (intention to treat)"),
    "staggered": message("units that had not begun, in the same terms"),
    "panel": message("units not exposed, at the same times"),
    "above_cutoff": message("pupils just on the other side of the cut-off, served or not as the rule has it"),
    "matched": message("unserved pupils, both groups weighted until they are alike"),
    "before_after": message("nobody: the same pupils before the programme"),
    "time_series": message("the line along which the weeks before the start would have gone on"),
}  # fmt: skip
WHOSE = {
    "above_cutoff": message("over pupils at the cut-off; nothing is said of those far from it"),
    "stepped_wedge": message("over the periods with the programme, the first and the later ones alike"),
    "matched": message("over pupils who could have been in either group, and not over everybody served"),
    "time_series": message("over everybody measured in a week; the effect is that of the last week"),
}
# Designs whose result is of many times and not of one occasion.
MANY_TIMES = ("stepped_wedge", "staggered", "panel", "time_series")
# Rolled out, the units count by their pupils or all alike, as the plan has it.
BY_SIZE = {
    "staggered": {"pupil": message("over pupils and terms with the programme"),
                  "school": message("over units and terms with the programme, whatever their size")},
    "panel": {"pupil": message("over people, units and times with the programme: large units count for more"),
              "school": message("over units and times with the programme, whatever their size")},
}  # fmt: skip
BY_PLAN = {"pupil": message("over pupils"), "school": message("over units allocated, whatever their size")}
NO_UNITS = message("the plan asks for the average over units, whatever their size; in this design none is given, and the one above "
                   "stands in its place")  # fmt: skip


def table(trial: Trial, params: Params) -> Drawn:
    """The five parts of an estimand, and those whom no data describe."""
    rows = [
        (message("outcome"), _outcome(params)),
        (message("better when"), {"lower": message("lower"), "higher": message("higher")}[params.better]),
        (message("what was allocated"), UNIT_WORDS[params.allocated]),
        (message("how it was decided"), WORDS[params.design]),
        (message("whose average"), whose(trial, params)),
        *(
            [(message("average in the plan"), NO_UNITS)]
            if params.estimand == "school" and params.design in WHOSE
            else []
        ),
        (message("compared with"), COMPARED.get(params.design, AS_ALLOCATED)),
        *_pupils(trial),
    ]
    return of_rows(rows)


def whose(trial: Trial, params: Params) -> Message:
    """Over whom the effect is an average: by the design where that leaves no choice, else by the plan."""
    if params.design not in BY_SIZE:
        return WHOSE.get(params.design, BY_PLAN[params.estimand])
    panel = trial.data.panel
    # A panel without the people behind each row can only take its units alike.
    sized = params.design != "panel" or ("n" in panel and bool((panel["n"].notna() & (panel["n"] > 0)).all()))
    return BY_SIZE[params.design][params.estimand if sized else "school"]


def of_rows(rows: list[tuple[Message, object]]) -> Drawn:
    """A table of properties in words."""
    return Drawn(table=pd.DataFrame([{"property": name, "detail_said": said} for name, said in rows]))


def _outcome(params: Params) -> Message:
    if params.design in MANY_TIMES:
        return message("{outcome}, at every time measured", outcome=outcome_name(params))
    return message("{outcome}, {occasion}", outcome=outcome_name(params), occasion=occasion_name(params.primary))


def _pupils(trial: Trial) -> list[tuple[Message, Message]]:
    """What became of those who moved, were lost or were referred; a panel of units cannot tell."""
    if not len(trial.people):
        unseen = message("not seen: the source holds units over time, so the same number may be of other pupils")
        return [(message("pupils who came, left or were not measured"), unseen)]
    lost = message("left out of the primary result; the section on missing data puts them back in")
    if trial.design in MANY_TIMES:
        lost = message("left out at the times at which they were not measured")
    return [
        (message("pupils who changed class or school"), message("stay in the unit in which they were allocated")),
        (message("pupils not measured at the end"), lost),
        (message("pupils referred to hospital"), message("counted like all others; the source does not mark them")),
    ]

"""What the programme claims of certificates against what the registers hold: every step from paper to person in post."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training_reach_registers import Registers, day_of
from mhlib.findings import Check, Count, Light, Message, Proportion, Refused, message
from mhlib.stats.monitoring import proportion

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

VERDICTS = {
    "met": message("met by those in post with a valid certificate"),
    "met_on_paper": message("met only when those who left, or whose certificate ran out, are counted"),
    "not_met": message("not met, even when everybody ever certified is counted"),
    "no_certificate": message("the source holds no certificate of this level"),
}
RULE = message("good: as many in post with a valid certificate as are claimed")
# A share of so few, or of all but so few, tells of single people by its interval alone.
LEAST = 10
STATES = {"met": "good", "met_on_paper": "watch", "not_met": "bad", "no_certificate": "unknown"}


def steps(registers: Registers, level: str, day: pd.Timestamp) -> dict[str, int]:
    """Certificates issued by the day, whom each step takes away, and who is left; the steps add up."""
    rows = registers.issued(level, day)
    holders = pd.Index(rows["teacher_pid"].unique())
    people = registers.people
    known = people[people.index.isin(holders)]
    gone = known["left_on"].notna() & (known["left_on"] < day)
    ahead = ~gone & (known["hired_on"] > day)
    counted = int(registers.held(level, day)["covered"].sum())
    return {
        "step_issued": len(rows), "step_further": len(rows) - len(holders), "step_off_roster": len(holders) - len(known),
        "step_left": int(gone.sum()), "step_not_yet": int(ahead.sum()),
        "step_expired": len(known) - int(gone.sum()) - int(ahead.sum()) - counted, "step_counted": counted,
    }  # fmt: skip


def audit(registers: Registers, params: Params) -> Drawn:
    """The steps of every level, and those of the denominator."""
    day, rows = day_of(params.as_of), []
    for level in registers.levels:
        found = steps(registers, level, day)
        rows += [{"certificate": f"certificate_{level}", "audit_step": name, "n_audit": n} for name, n in found.items()]
        rows += [{"certificate": f"certificate_{level}", "audit_step": name, "n_audit": n}
                 for name, n in denominator(registers, level, day).items()]  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def denominator(registers: Registers, level: str, day: pd.Timestamp) -> dict[str, int]:
    """People ever on the roster, those gone or not yet there, in post, new since the last round, and the rest."""
    people, held = registers.people, registers.held(level, day)
    gone = people["left_on"].notna() & (people["left_on"] < day)
    return {
        "step_known": len(people), "step_known_left": int(gone.sum()),
        "step_known_ahead": int((~gone & (people["hired_on"] > day)).sum()),
        "step_employed": len(held), "step_new": int((~held["before"]).sum()), "step_before": int(held["before"].sum()),
    }  # fmt: skip


def coverage(registers: Registers, params: Params, day: pd.Timestamp) -> Drawn | Refused:
    """Share of those in post with a valid certificate on a day: of all, and of those in post at the last round already."""
    rows, lacking = [], []
    for level in registers.levels:
        held = registers.held(level, day)
        for name, people in (("among_all", held), ("among_before", held[held["before"]])):
            found = clustered(people["covered"], people["school_pid"], params)
            if isinstance(found, Refused):
                lacking.append(message("Of one certificate no share can be given: {why}", why=found.why))
                continue
            if tells(found):
                lacking.append(few_holders(level))
                continue
            rows.append({"group": f"certificate_{level}", "subgroup": name, **row_of(found)})
    if not rows:
        return nobody_in_post()
    said = [one for at, one in enumerate(lacking) if one not in lacking[:at]]
    return Drawn(
        table=pd.DataFrame(rows), share=True, axis=message("share with a valid certificate"), lacking=tuple(said)
    )


def nobody_in_post() -> Refused:
    """No share of nobody, none of a single school, and none of so few that it would tell of single people."""
    return Refused(
        "nobody_in_post",
        message("On that day nobody of the roster was in post, or all in a single school, or too few for a share."),
        message("The roster with the day of hiring and the school of everybody."),
    )


def clustered(covered: pd.Series, school: pd.Series, params: Params) -> object:
    """A share with its interval clustered by school."""
    return tried(proportion, covered.to_numpy(), cluster=school.to_numpy(), conf_level=params.conf_level)


def tells(found: object) -> bool:
    """Whether a share's interval alone would give away how few are with, or without, the certificate."""
    return 0 < min(found.numerator, found.denominator - found.numerator) < LEAST


def few_holders(level: str) -> Message:
    """What stands for a share that is not shown."""
    return message("Fewer than {least} people in post are with, or without, certificate {level}: its share is not shown.",
                   least=LEAST, level=level)  # fmt: skip


def row_of(found: object, term: str = "coverage") -> dict[str, object]:
    """A share as a row."""
    return {"term": term, "numerator": found.numerator, "denominator": found.denominator, "estimate": found.proportion,
            "conf_low": found.conf_low, "conf_high": found.conf_high, "n_used": found.n_used}  # fmt: skip


def verdict(registers: Registers, level: str, claim: int, day: pd.Timestamp) -> str:
    """Key of VERDICTS."""
    found = steps(registers, level, day)
    if not found["step_issued"]:
        return "no_certificate"
    if found["step_counted"] >= claim:
        return "met"
    return "met_on_paper" if found["step_issued"] >= claim else "not_met"


def claims(registers: Registers, params: Params) -> Drawn | Refused:
    """Claim, counted, denominator and verdict of each level that is claimed."""
    if not params.claimed:
        return Refused(
            "no_claim",
            message("No number of certificates is claimed, so nothing can be held against the registers."),
            message("The holders that the programme claims, by level, as parameter claimed."),
        )
    day, rows = day_of(params.as_of), []
    for level, claim in params.claimed.items():
        held, found = registers.held(level, day), verdict(registers, level, claim, day)
        n, all_of_them = int(held["covered"].sum()), len(held)
        rows.append({"certificate": f"certificate_{level}", "claimed": claim, "numerator": n, "denominator": all_of_them,
                     "proportion": n / all_of_them if all_of_them else float("nan"), "verdict_said": VERDICTS[found]})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows))


def light_name(level: str) -> Message:
    """Name of the light of a claim."""
    return message("Holders of certificate {level}, as claimed", level=level)


def lights(registers: Registers, params: Params) -> list[Light]:
    """One light a claim."""
    day, found = day_of(params.as_of), []
    for level, claim in params.claimed.items():
        key = verdict(registers, level, claim, day)
        n = steps(registers, level, day)["step_counted"]
        said = message(
            "{claim} holders are claimed, {n} are counted: {verdict}.",
            claim=f"{claim:,}",
            n=Count(n),
            verdict=VERDICTS[key],
        )
        found.append(Light(light_name(level), STATES[key], said, RULE, True))
    return found


def reading(registers: Registers, params: Params) -> list[Message]:
    """The shares and what stands behind them, in sentences."""
    day, said = day_of(params.as_of), []
    for level in registers.levels:
        held, found = registers.held(level, day), steps(registers, level, day)
        if not found["step_issued"]:
            continue
        share = clustered(held["covered"], held["school_pid"], params)
        if not isinstance(share, Refused) and not tells(share):
            said.append(
                message(
                    "On {day}, {share} of those in post held a valid certificate {level}.",
                    day=f"{params.as_of}",
                    level=level,
                    share=Proportion(share.proportion, share.denominator, share.conf_low, share.conf_high),
                )
            )
        said.append(
            message(
                "Of {n} certificates {level} issued, {left} belong to people who left before that day, {expired} to people in "
                "post whose certificate had run out, and {off} to people who are not on the roster.",
                n=Count(found["step_issued"]),
                level=level,
                left=Count(found["step_left"]),
                expired=Count(found["step_expired"]),
                off=Count(found["step_off_roster"]),
            )
        )
    early = registers.certificates["issued"] < registers.certificates["teacher_pid"].map(registers.people["hired_on"])
    if early.any():
        said.append(message("{n} certificates were issued before their holder was hired by the present school; they are counted.",
                            n=Count(int(early.sum()))))  # fmt: skip
    if not registers.departures:
        said.append(
            message("Departures are not recorded: people who left may be counted as in post, above and below the line.")
        )
    return said


def checks(registers: Registers, params: Params) -> list[Check]:
    """What should hold of the registers before their numbers are believed."""
    day, people, rows = day_of(params.as_of), registers.people, registers.certificates
    off = int((~rows["teacher_pid"].isin(people.index)).sum())
    wrong, ahead = int((rows["expires"] <= rows["issued"]).sum()), int((rows["issued"] > day).sum())
    gone = int((~people["on_roster"]).sum())
    departures = Check(
        message("Departures are recorded, and those who left stay on the roster"),
        None if not registers.departures else gone == 0,
        message("{n} people who left are not on the roster.", n=Count(gone)) if registers.departures
        else message("The source holds no departures."),
    )  # fmt: skip
    first = registers.recorded_from
    within = Check(
        message("The day of the report lies within the time that is recorded"),
        None if first is None else bool(first <= day),
        message("The source has no calendar.") if first is None
        else message("Departures are taken as recorded from {day} on.", day=f"{first:%Y-%m-%d}"),
    )  # fmt: skip
    return [
        departures,
        within,
        Check(message("Every certificate belongs to somebody on the roster"), off == 0,
              message("{n} of {all} certificates do not.", n=Count(off), all=Count(len(rows)))),
        Check(message("Every certificate runs out after it was issued"), wrong == 0,
              message("{n} of {all} certificates do not.", n=Count(wrong), all=Count(len(rows)))),
        Check(message("Nobody's certificate is dated after the day of the report"), ahead == 0,
              message("{n} of {all} certificates are; they are not counted.", n=Count(ahead), all=Count(len(rows)))),
    ]  # fmt: skip

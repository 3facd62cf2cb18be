"""CONSORT with its extension for clusters, or TREND where no lots were drawn: which section answers which item.

References: Hopewell et al. (2025) BMJ 389:e081123; Campbell et al. (2012) BMJ 345:e5661; Des Jarlais et al. (2004) Am J
Public Health 94:361. The wording of the items is our own.
"""

from __future__ import annotations

from mhlib.findings import Message, Reported, message

ANSWER, ASKED, PROGRAMME = "Answer", "What was asked", "What was done"
CAUSES, FLOW, ALIKE = (
    "How far this can speak of causes",
    "Who was allocated, and who was measured",
    "Alike at the start?",
)
SMALL, PRIMARY, PUPIL = "How small an effect could be seen?", "The primary result", "What it means for a pupil"
OTHER, WHOM, MISSING = "Other outcomes, and whether a null is a null", "For whom?", "Those not measured"
HARMS, COST, HIDDEN = "Harms", "Cost", "What a hidden cause would have to be like"
NEXT, LIMITS, ORIGIN = "Planning the next term", "Limits", "Provenance"

Row = tuple[str, Message, str, Message | None]

SHARED: tuple[Row, ...] = (
    ("1", message("Design named in the title and summary"), ANSWER, None),
    ("2", message("Register and number"), CAUSES, message("register and number, where the parameter file has none")),
    ("3", message("Where protocol and plan can be read"), CAUSES, message("address of the protocol")),
    ("4", message("Whether others may have the data"), ORIGIN, message("who may have them, and how")),
    ("5", message("Who paid, and conflicts of interest"), "", message("sources of money and their role")),
    ("6", message("Background and reasons"), ASKED, message("what was known before")),
    ("7", message("Aims, for units and for pupils"), ASKED, None),
    ("8", message("Who had a say among pupils and parents"), "", message("how pupils and parents took part in planning")),
    ("9", message("Design, and why units and not pupils were allocated"), CAUSES, message("why units were allocated")),
    ("10", message("Changes after the start"), CAUSES, None),
    ("11", message("Where and when"), ORIGIN, None),
    ("12", message("Which units and pupils could take part"), FLOW, message("rules of inclusion")),
    ("13", message("The programme and what the others had"), PROGRAMME, message("what the others had meanwhile")),
    ("14", message("Outcomes fixed beforehand"), ASKED, None),
    ("15", message("Harms: what was counted, and how"), HARMS, message("crisis events, stigma, absence")),
    ("16", message("How many units and pupils were meant to take part"), SMALL, None),
    ("21", message("How outcomes were compared, and clusters allowed for"), PRIMARY, None),
    ("22", message("Flow of units and pupils"), FLOW, None),
    ("23", message("What was delivered and taken up"), COST, message("what was delivered, and how far the manual was kept to")),
    ("24", message("Dates of recruitment and follow-up"), "", message("dates of recruitment and follow-up")),
    ("25", message("Units and pupils at the start"), ALIKE, None),
    ("26", message("Numbers behind each result, effect with its precision, intraclass correlation"), PRIMARY, None),
    ("27", message("Harms found"), HARMS, None),
    ("28", message("Subgroups and other explorations"), WHOM, None),
    ("29", message("What it means, and what else could explain it"), ANSWER, None),
    ("30", message("Limits, and how far the findings carry"), LIMITS, None),
)  # fmt: skip
LOTS: tuple[Row, ...] = (
    ("17", message("How the lots were drawn, and the strata"), CAUSES, message("who drew the lots, and with what")),
    ("18", message("How the allocation was kept from those who enrolled"), CAUSES, message("whether enrolment came before the lots")),
    ("19", message("Who knew of the allocation"), CAUSES, message("whether those who measured knew the arm")),
    ("20", message("Consent of units and of pupils"), "", message("who consented, and when")),
)  # fmt: skip
TREND: tuple[Row, ...] = (
    ("17", message("How units came to be served, and what was done against bias"), CAUSES, None),
    ("18", message("How unlike groups were made alike"), ALIKE, None),
    ("19", message("Who knew of the allocation"), CAUSES, message("whether those who measured knew who was served")),
    ("20", message("What a hidden cause could do"), HIDDEN, None),
)  # fmt: skip


def checklist(*, randomised: bool) -> list[Reported]:
    """The items in their order, four of which depend on whether lots were drawn."""
    rows = sorted((*SHARED, *(LOTS if randomised else TREND)), key=lambda row: int(row[0]))
    return [Reported(number, matter, section, lacking) for number, matter, section, lacking in rows]

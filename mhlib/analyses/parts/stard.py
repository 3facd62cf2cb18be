"""STARD 2015, item by item: where this report answers it, and what its authors must still add.

Reference: Bossuyt et al. (2015) BMJ 351:h5527. The wording of the items is our own.
"""

from __future__ import annotations

from mhlib.findings import Message, Reported, message

ANSWER, USE, FLOW = "Answer", "Intended use", "Who was screened, and who was interviewed"
CARDS, CHECKS, QUALITY = "The instrument and the interview", "Checks", "How well the answers were given"
NAIVE = "Accuracy against the interview, without correction"
CORRECTED, CUTOFF = "Accuracy among everyone screened", "Where the cut-off could stand"
FAIR, PLAN, LIMITS = "Equal for all?", "How many screen-negatives to interview next", "Limits"
ORIGIN = "Provenance"

ITEMS: tuple[tuple[str, Message, str, Message | None], ...] = (
    ("1", message("Named as a study of accuracy"), ANSWER, None),
    ("2", message("Summary of design, methods, results and conclusions"), ANSWER, None),
    ("3", message("Background, intended use and role of the screen"), USE, None),
    ("4", message("Aims and hypotheses"), USE, None),
    ("5", message("Whether data were collected before or after the screen and the interview were planned"), USE,
     message("the dates of planning")),
    ("6", message("Who could take part"), FLOW, message("rules of exclusion, where there were any")),
    ("7", message("How eligible pupils were found"), FLOW, None),
    ("8", message("Where and when"), ORIGIN, None),
    ("9", message("Everyone, a random sample, or whoever was at hand"), FLOW, None),
    ("10a", message("The screen, so that it can be repeated"), CARDS, None),
    ("10b", message("The reference standard, so that it can be repeated"), CARDS,
     message("the interview guide and the training of its raters")),
    ("11", message("Why this reference standard was chosen"), CARDS, message("the reasons for its choice")),
    ("12a", message("Cut-off of the screen: fixed beforehand, or explored"), CUTOFF, None),
    ("12b", message("Cut-off of the reference standard"), CARDS, message("the diagnostic rule of the interview")),
    ("13a", message("Whether those who scored the screen knew the interview's finding"), CARDS,
     message("whether anybody knew")),
    ("13b", message("Whether the interviewers knew the score"), CARDS, message("whether the interviewers were blind")),
    ("14", message("How accuracy was estimated and compared"), CORRECTED, None),
    ("15", message("What became of uncertain findings"), FLOW, None),
    ("16", message("What became of missing answers and missing interviews"), QUALITY, None),
    ("17", message("Differences in accuracy between groups: planned, or explored"), FAIR, None),
    ("18", message("How many pupils were meant to be interviewed, and why"), PLAN, None),
    ("19", message("The flow of pupils"), FLOW, None),
    ("20", message("Who the pupils were"), FLOW, None),
    ("21a", message("How severe the cases were"), NAIVE, message("the severity of the cases by the interview")),
    ("21b", message("What the non-cases had instead"), "", message("other findings of the interview")),
    ("22", message("Time and help between screen and interview"), CHECKS,
     message("help given between screen and interview")),
    ("23", message("Screen against interview, cell by cell"), NAIVE, None),
    ("24", message("Accuracy with its precision"), CORRECTED, None),
    ("25", message("Harm done by screen or interview"), "", message("complaints, distress and breaches of privacy")),
    ("26", message("Limits, bias, and how far the findings carry"), LIMITS, None),
    ("27", message("What follows for practice"), ANSWER, None),
    ("28", message("Registration"), "", message("register and number")),
    ("29", message("Where the protocol can be read"), ORIGIN, message("address of the protocol")),
    ("30", message("Who paid, and what they had a say in"), "", message("sources of money and their role")),
)  # fmt: skip


def stard_checklist() -> list[Reported]:
    """The thirty items in their order."""
    return [Reported(number, matter, section, lacking) for number, matter, section, lacking in ITEMS]

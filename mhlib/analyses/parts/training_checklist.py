"""What a report on a training must hold: CONSORT for clusters, or TREND where no lots were drawn, with TIDieR's training.

References: Hopewell et al. (2025) BMJ 389:e081123; Campbell et al. (2012) BMJ 345:e5661; Des Jarlais et al. (2004) Am J
Public Health 94:361; Hoffmann et al. (2014) BMJ 348:g1687. The wording of the items is our own.
"""

from __future__ import annotations

from mhlib.findings import Message, Reported, message

ANSWER, ASKED, DONE = "Answer", "What was asked", "What was done"
CAUSES, FLOW, CHECKS = "How far this can speak of causes", "Who was allocated, and who was tested", "Checks"
LEARNED, KEPT, OTHERS = "What teachers learned", "What they kept", "Other measures"
TESTS, LIMITS, ORIGIN = "Can the tests tell?", "Limits", "Provenance"

Row = tuple[str, Message, str, Message | None]

SHARED: tuple[Row, ...] = (
    ("1", message("Design named in the title and summary"), ANSWER, None),
    ("2", message("Register and number"), CAUSES, message("register and number, where the parameter file has none")),
    ("3", message("Where protocol and plan can be read"), CAUSES, message("address of the protocol")),
    ("4", message("Whether others may have the data"), ORIGIN, message("who may have them, and how")),
    ("5", message("Who paid, and conflicts of interest"), "", message("sources of money and their role")),
    ("6", message("Background and reasons"), ASKED, message("what was known before")),
    ("7", message("What teachers were to learn, and what pupils were to have of it"), ASKED, message("aims of the training")),
    ("8", message("The training: content, material, hours, form"), DONE, message("material, hours and form of the training")),
    ("9", message("Who trained, and who had trained the trainers"), DONE, message("trainers and their own training")),
    ("10", message("What the comparison had meanwhile"), DONE, message("other training of the comparison in that time")),
    ("11", message("Which schools and teachers could take part"), FLOW, message("rules of inclusion")),
    ("12", message("Who came, who stayed away, who left the school"), FLOW, message("attendance, where the source has none")),
    ("13", message("Tests: where they come from, what they can tell, who marked them"), TESTS, message("origin of the tests")),
    ("14", message("Whether the test held what was taught word for word"), TESTS, message("how close the test is to the training")),
    ("15", message("Primary result fixed beforehand"), CAUSES, None),
    ("20", message("Flow of schools and teachers, and losses"), FLOW, None),
    ("21", message("How scores were compared, and schools allowed for"), LEARNED, None),
    ("22", message("Numbers behind each result, effect with its precision"), LEARNED, None),
    ("23", message("What is kept, and when it was tested again"), KEPT, None),
    ("24", message("Other measures, and how many there were"), OTHERS, None),
    ("25", message("What teachers and pupils may have lost by it"), "", message("hours away from class, workload, distress")),
    ("26", message("What it means, and what else could explain it"), ANSWER, None),
    ("27", message("Limits, and for whom the findings hold"), LIMITS, None),
)  # fmt: skip
LOTS: tuple[Row, ...] = (
    ("16", message("How the lots were drawn, and the blocks"), CAUSES, message("who drew the lots, and with what")),
    ("17", message("How the allocation was kept from those who enrolled"), CAUSES, message("whether enrolment came before the lots")),
    ("18", message("Who knew of the allocation"), CAUSES, message("whether those who marked the tests knew the arm")),
    ("19", message("Consent of schools and of teachers"), "", message("who consented, and when")),
)  # fmt: skip
TREND: tuple[Row, ...] = (
    ("16", message("How teachers came to be trained, and what was done against bias"), CAUSES, None),
    ("17", message("How unlike groups were made alike"), CHECKS, message("properties of teachers beside their scores")),
    ("18", message("Who knew who was trained"), CAUSES, message("whether those who marked the tests knew the arm")),
    ("19", message("Consent of schools and of teachers"), "", message("who consented, and when")),
)  # fmt: skip


def checklist(*, randomised: bool) -> list[Reported]:
    """The items in their order, four of which depend on whether lots were drawn."""
    rows = sorted((*SHARED, *(LOTS if randomised else TREND)), key=lambda row: int(row[0]))
    return [Reported(number, matter, section, lacking) for number, matter, section, lacking in rows]

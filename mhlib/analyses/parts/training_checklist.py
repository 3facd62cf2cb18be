"""What a report on a training must hold: CONSORT for clusters, or TREND where no lots were drawn, with TIDieR's training.

References: Hopewell et al. (2025) BMJ 389:e081123; Campbell et al. (2012) BMJ 345:e5661; Des Jarlais et al. (2004) Am J
Public Health 94:361; Hoffmann et al. (2014) BMJ 348:g1687; for social programmes Montgomery et al. (2018) Trials 19:407; for
the levels Kirkpatrick & Kirkpatrick (2006) Evaluating Training Programs. The wording of the items is our own.
"""

from __future__ import annotations

from mhlib.findings import Message, Reported, message

ANSWER, ASKED, DONE = "Answer", "What was asked", "What was done"
CAUSES, FLOW, CHECKS = "How far this can speak of causes", "Who was allocated, and who was tested", "Checks"
LEARNED, KEPT, OTHERS = "What teachers learned", "What they kept", "Other measures"
TESTS, LIMITS, ORIGIN = "Can the tests tell?", "Limits", "Provenance"
SKILL, NAMED, PUPILS = (
    "Skill: who is referred and who is not",
    "Do teachers name the pupils who need help?",
    "Do the pupils fare better?",
)
CLASS, BURDEN, COST, REFRESH = (
    "What arrives in the class",
    "What it may have cost teachers",
    "What it cost",
    "When to refresh",
)
REACH = "Whom the certificates reach"

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


# What each of Kirkpatrick's levels, a cascade and a budget ask of the authors, beyond the trial itself.
LEVELS: tuple[Row, ...] = (
    ("28", message("Reaction: what teachers thought of it, or that nobody asked"), ANSWER, message("answers given without names")),
    ("29", message("Skill: which cases, whose truth, how many raters"), SKILL, message("who fixed the truth of each written case")),
    ("30", message("Behaviour in school, and what it was checked against"), NAMED, message("how teachers were asked whom they name")),
    ("31", message("Pupils: what they have of it, a null said as one"), PUPILS, None),
    ("32", message("Who taught whom, and how closely the manual was kept to"), CLASS, message("who saw it, and by which form")),
    ("33", message("Overtime, absence and leaving by arm"), BURDEN, message("distress, lessons lost, complaints")),
    ("34", message("Cost: whose, of which year, against what"), COST, message("year of the prices, and who paid")),
    ("35", message("When to train again, and on what evidence"), REFRESH, None),
    ("36", message("Whom it reached, of how many, and how claims were counted"), REACH, None),
)  # fmt: skip


def checklist(*, randomised: bool, levels: bool = False) -> list[Reported]:
    """The items in their order, four of which depend on whether lots were drawn.

    With `levels` come those on Kirkpatrick's levels, cascade and cost, whose sections must then be in the report.
    """
    rows = (*SHARED, *(LOTS if randomised else TREND), *(LEVELS if levels else ()))
    rows = sorted(rows, key=lambda row: int(row[0]))
    return [Reported(number, matter, section, lacking) for number, matter, section, lacking in rows]

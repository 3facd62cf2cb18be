"""Training events and their tests."""

from mhlib.data.tables.contract import Column, Table

TRAINING_EVENT = Table(
    "training_event",
    "Training events.",
    {
        "event_pid": Column("text", "Pseudonym of the training event."),
        "topic": Column(
            "text", "Topic.", allowed=("case_supervision", "class_meeting", "crisis_recognition", "family_education")
        ),
        "held_on": Column("date", "Day."),
        "tier": Column("text", "Tier of the cascade.", allowed=("city", "class", "school", "town")),
        "hours": Column("integer", "Hours.", unit="hours", low=0),
        "cost": Column("number", "Cost of the event.", unit="yuan", low=0),
    },
    subject="event",
    key=("event_pid",),
)

TRAINING_ENROLMENT = Table(
    "training_enrolment",
    "Who took part in which event.",
    {
        "event_pid": Column("text", "Pseudonym of the training event."),
        "teacher_pid": Column("text", "Pseudonym of the teacher."),
    },
    subject="teacher",
)

TRAINING_SCORE = Table(
    "training_score",
    "Tests before, after and three months after.",
    {
        "teacher_pid": Column("text", "Pseudonym of the teacher."),
        "school_pid": Column("text", "Pseudonym of the school."),
        "arm": Column("text", "Arm.", allowed=("training", "wait_list")),
        "occasion": Column("text", "Occasion of measurement.", allowed=("post", "pre", "three_months")),
        "knowledge": Column("integer", "Knowledge score.", unit="points", low=0),
        "stigma": Column("integer", "Stigma score.", unit="points"),
        "helping": Column("integer", "Readiness to help.", unit="points"),
        "help_seeking": Column("integer", "Own help-seeking.", unit="points"),
        "confidence": Column("integer", "Confidence, 1 to 5.", low=1, high=5),
        "vignettes_right": Column("integer", "Vignettes judged rightly."),
    },
    subject="teacher",
)

TRAINING_TIER = Table(
    "training_tier",
    "Tier of the cascade at which a teacher was trained, and by whom.",
    {
        "teacher_pid": Column("text", "Pseudonym of the teacher."),
        "tier": Column("text", "Tier of the cascade.", allowed=("city", "class", "school", "town")),
        "trainer_pid": Column("text", "Pseudonym of the trainer."),
        "fidelity": Column("number", "Share of the manual kept to.", low=0, high=1),
    },
    subject="teacher",
    key=("teacher_pid",),
)

VIGNETTE = Table(
    "vignette",
    "Judgements of written cases whose truth is known.",
    {
        "teacher_pid": Column("text", "Pseudonym of the teacher."),
        "school_pid": Column("text", "Pseudonym of the school."),
        "arm": Column("text", "Arm.", allowed=("training", "wait_list")),
        "occasion": Column("text", "Occasion of measurement.", allowed=("post", "pre", "three_months")),
        "vignette": Column("integer", "Number of the vignette.", low=1),
        "kind": Column("text", "Kind of the vignette.", allowed=("internalising", "normal_distress", "self_harm")),
        "case": Column("integer", "Truth of the vignette: 1 to be referred, 0 not.", allowed=(0, 1)),
        "referred": Column("integer", "Judgement of the teacher: 1 would refer, 0 would not.", allowed=(0, 1)),
        "sure": Column("integer", "How sure the teacher is of it, per cent.", low=0, high=100),
    },
    subject="teacher",
    key=("teacher_pid", "occasion", "vignette"),
)

ROLE_PLAY = Table(
    "role_play",
    "Scores of a played crisis talk by two raters.",
    {
        "teacher_pid": Column("text", "Pseudonym of the teacher."),
        "rater": Column("text", "Rater."),
        "score": Column("integer", "Score of the talk, 0 to 20.", unit="points", low=0, high=20),
        "critical_error": Column("integer", "Something dangerous was left out or done.", allowed=(0, 1)),
    },
    subject="teacher",
    key=("teacher_pid", "rater"),
)

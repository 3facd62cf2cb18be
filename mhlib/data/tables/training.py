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

"""Answers and verification interviews."""

from mhlib.data.tables.contract import Column, Table

# Scales of the city's screen: number of items and highest answer.
SCREEN = {"phq_9": (9, 3), "gad_7": (7, 3), "ces_dc": (20, 3), "who_5": (5, 5)}
ANSWERS = {
    f"{key}_{number}": Column(
        "integer", f"Answer to item {number} of {key}.", unit="points", low=0, high=high, missing=True
    )
    for key, (n_items, high) in SCREEN.items()
    for number in range(1, n_items + 1)
}

RESPONSE = Table(
    "response",
    "Answers to the screening scales, one row a pupil and wave.",
    {
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
        "wave": Column("integer", "Number of the screening wave.", low=1),
        "school_pid": Column("text", "Pseudonym of the school."),
        "class_pid": Column("text", "Pseudonym of the class."),
        "grade": Column("integer", "Grade of the pupil, or of risk in an assessment.", low=1, high=12),
        "answered_on": Column("date", "Day of answering."),
        "seconds": Column("integer", "Time taken.", unit="seconds", low=0),
        "device": Column("text", "Device used.", allowed=("computer", "phone", "tablet")),
        **ANSWERS,
    },
    subject="pupil",
    key=("pupil_pid", "wave"),
)

ASSESSMENT = Table(
    "assessment",
    "Verification interviews.",
    {
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
        "wave": Column("integer", "Number of the screening wave.", low=1),
        "school_pid": Column("text", "Pseudonym of the school."),
        "assessed_on": Column("date", "Day of the interview."),
        "rater": Column("integer", "Number of the interviewer."),
        "method": Column("text", "How the interview was held."),
        "sampled": Column("text", "Why this pupil was interviewed.", allowed=("negative_sample", "positive")),
        "probability": Column("number", "Chance with which the pupil was drawn.", unit="proportion", low=0, high=1),
        "case": Column("flag", "Case by the interview."),
        "grade": Column("integer", "Grade of the pupil, or of risk in an assessment.", low=0, high=3),
    },
    subject="pupil",
    key=("pupil_pid", "wave"),
)

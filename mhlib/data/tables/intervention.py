"""Interventions: groups, outcomes, dose."""

from mhlib.data.tables.contract import Column, Table

INTERVENTION = Table(
    "intervention",
    "Groups and their arms.",
    {
        "design": Column(
            "text", "Design of the evaluation.", allowed=("above_cutoff", "school_rct", "staggered", "wait_list")
        ),
        "start_term": Column("integer", "Term in which the programme starts.", missing=True),
        "arm": Column("text", "Arm.", allowed=("control", "intervention")),
        "group_pid": Column("text", "School or class that was allocated."),
    },
    subject="group",
)

OUTCOME = Table(
    "outcome",
    "Outcome of the interventions.",
    {
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
        "school_pid": Column("text", "Pseudonym of the school."),
        "class_pid": Column("text", "Pseudonym of the class."),
        "design": Column(
            "text", "Design of the evaluation.", allowed=("above_cutoff", "school_rct", "staggered", "wait_list")
        ),
        "arm": Column("text", "Arm.", allowed=("control", "intervention")),
        "running": Column("number", "Distance of the running score from the cut-off.", missing=True),
        "occasion": Column("text", "Occasion of measurement."),
        "term": Column("integer", "Number of the term; 0 in the holidays.", low=0),
        "distress": Column("number", "Distress in standard deviations.", unit="SD"),
        "score": Column("integer", "Score of the outcome scale.", unit="points"),
    },
    subject="pupil",
)

DOSE = Table(
    "dose",
    "Sessions received.",
    {
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
        "design": Column(
            "text", "Design of the evaluation.", allowed=("above_cutoff", "school_rct", "staggered", "wait_list")
        ),
        "sessions": Column("integer", "Sessions attended.", low=0),
        "fidelity": Column("number", "Share of the manual that was kept to.", unit="proportion", low=0, high=1),
    },
    subject="pupil",
)

"""The flat table behind the screening evaluations: one row a pupil and wave."""

from mhlib.data.tables.contract import Column, Table

SCREENING = Table(
    "screening",
    "One row a pupil and wave: answers or a score, and the reference where there was an interview.",
    {
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
        "wave": Column("integer", "Number of the screening wave.", low=1, required=False),
        "school_pid": Column("text", "Pseudonym of the school at the time of answering.", required=False),
        "class_pid": Column("text", "Pseudonym of the class.", required=False, missing=True),
        "level": Column("text", "P primary, J junior, S senior, V vocational.", required=False, missing=True),
        "area_code": Column(
            "text", "Code or name of the town or street where the school lies.", required=False, missing=True
        ),
        "grade": Column("integer", "Grade.", low=1, high=12, required=False, missing=True),
        "sex": Column("integer", "0 boy, 1 girl.", allowed=(0, 1), required=False, missing=True),
        "urban": Column("flag", "Whether the school lies in town.", required=False, missing=True),
        "private": Column("flag", "Whether the school is private.", required=False, missing=True),
        "boarding": Column("flag", "Whether the pupil boards.", required=False, missing=True),
        "left_behind": Column(
            "flag", "Whether the parents work away and the pupil stayed behind.", required=False, missing=True
        ),
        "group": Column("text", "A grouping of the source's own.", required=False, missing=True),
        "answered_on": Column("date", "Day of answering.", required=False, missing=True),
        "seconds": Column("number", "Time taken to answer.", unit="seconds", low=0, required=False, missing=True),
        "score": Column(
            "number", "Sum score, where there are no item columns.", unit="points", required=False, missing=True
        ),
        "verified": Column("flag", "Whether a reference interview was held.", required=False, missing=True),
        "reference": Column(
            "flag",
            "Case by the reference standard; empty for whoever was not interviewed.",
            required=False,
            missing=True,
        ),
        "assessed_on": Column("date", "Day of the reference interview.", required=False, missing=True),
        "verification_probability": Column(
            "number",
            "Chance with which the pupil was drawn for the interview.",
            unit="proportion",
            low=0,
            high=1,
            required=False,
            missing=True,
        ),
    },
    key=("pupil_pid", "wave"),
)

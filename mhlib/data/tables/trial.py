"""A trial or a service from whatever the source holds: one row a pupil, or a row a unit and time."""

from mhlib.data.tables.contract import Column, Table

TRIAL = Table(
    "trial",
    "Who was allocated to what, and the outcome at each occasion.",
    {
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
        "school_pid": Column("text", "Pseudonym of the school.", required=False, missing=True),
        "class_pid": Column("text", "Pseudonym of the class.", required=False, missing=True),
        "arm": Column("text", "Arm to which the unit was allocated."),
        "stratum": Column("text", "Stratum of the allocation.", required=False, missing=True),
        "running": Column(
            "number",
            "Score that decided on the service, from the cut-off.",
            unit="points",
            required=False,
            missing=True,
        ),
        "start_term": Column("number", "Term in which the programme starts.", required=False, missing=True),
        "sessions": Column("number", "Sessions attended.", low=0, required=False, missing=True),
        "fidelity": Column("number", "Share of the manual kept to.", low=0, high=1, required=False, missing=True),
        "level": Column("text", "School level.", required=False, missing=True),
        "grade": Column("text", "Grade.", required=False, missing=True),
        "sex": Column("integer", "Sex: 1 female, 0 male.", allowed=(0, 1), required=False, missing=True),
        "boarding": Column("flag", "Boards at school.", required=False, missing=True),
        "left_behind": Column("flag", "A parent works elsewhere.", required=False, missing=True),
        "urban": Column("flag", "The school stands in town.", required=False, missing=True),
        "cost": Column("number", "Cost of the service.", unit="yuan", low=0, required=False, missing=True),
    },
    key=("pupil_pid",),
)

PANEL = Table(
    "panel",
    "Outcome of a unit at a time, with its share of exposure.",
    {
        "unit": Column("text", "School, district or state."),
        "time": Column("integer", "Term or year."),
        "outcome": Column("number", "Mean or rate of the outcome.", missing=True),
        "exposure": Column("number", "Share exposed to the programme.", low=0, high=1),
        "n": Column("number", "People behind the outcome.", low=0, required=False),
    },
    key=("unit", "time"),
    subject="unit",
)

"""Lessons, parents, surveys, standards, costs, claims and the courts' aggregates."""

from mhlib.data.tables.contract import Column, Table

LESSON_LOG = Table(
    "lesson_log",
    "Lessons planned and delivered.",
    {
        "class_pid": Column("text", "Pseudonym of the class."),
        "term": Column("integer", "Number of the term; 0 in the holidays.", low=0),
        "teaching_week": Column("integer", "Week of teaching within the term.", low=0, high=30),
        "planned": Column("integer", "Lessons planned.", low=0),
        "delivered": Column("integer", "Lessons delivered.", low=0),
    },
    subject="class",
)

LECTURE = Table(
    "lecture",
    "Lectures.",
    {
        "school_pid": Column("text", "Pseudonym of the school."),
        "date": Column("date", "Day."),
        "attended": Column("integer", "Persons who attended.", unit="persons", low=0),
    },
    subject="event",
)

PARENT_EVENT = Table(
    "parent_event",
    "Events for parents.",
    {
        "parent_event_pid": Column("text", "Pseudonym of the event."),
        "school_pid": Column("text", "Pseudonym of the school."),
        "mode": Column("text", "How it was held.", allowed=("home", "on_site", "online")),
        "date": Column("date", "Day."),
        "minutes": Column("integer", "Length.", unit="minutes", low=0),
    },
    subject="event",
    key=("parent_event_pid",),
)

PARENT_ATTENDANCE = Table(
    "parent_attendance",
    "Households at the events.",
    {
        "parent_event_pid": Column("text", "Pseudonym of the event."),
        "household_pid": Column("text", "Pseudonym of the household."),
    },
    subject="household",
)

SURVEY = Table(
    "survey",
    "Activity and family survey.",
    {
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
        "wave": Column("integer", "Number of the screening wave.", low=1),
        "sport_minutes": Column("integer", "Daily sport.", unit="minutes", low=0),
        "parent_child_relation": Column("integer", "Relation to the parents, 1 poor to 5 good.", low=1, high=5),
        "family_change": Column("flag", "Whether the family changed this year."),
    },
    subject="pupil",
)

STANDARD = Table(
    "standard",
    "Standards checklist.",
    {
        "school_pid": Column("text", "Pseudonym of the school."),
        "standard": Column("integer", "Number of the standard."),
        "self_rating": Column("integer", "Rating by the school, 1 to 4.", low=1, high=4),
        "spot_check": Column("integer", "Rating at a spot check, 1 to 4.", low=1, high=4, missing=True),
    },
    subject="school",
)

COST = Table(
    "cost",
    "Costs.",
    {
        "school_pid": Column("text", "Pseudonym of the school."),
        "kind": Column("text", "Kind of the entry.", allowed=("family", "room", "screening", "service", "training")),
        "year": Column("integer", "School year, by its first calendar year."),
        "yuan": Column("number", "Cost.", unit="yuan", low=0),
    },
    subject="school",
)

CLAIM = Table(
    "claim",
    "Claims of the city.",
    {
        "claim": Column("text", "What the city states."),
        "stated": Column("integer", "The number stated."),
        "unit": Column("text", "Its unit."),
        "denominator": Column("text", "What the number is to be held against."),
    },
    subject="claim",
)

ASSUMPTION = Table(
    "assumption",
    "Numbers the generator was given.",
    {
        "parameter": Column("text", "What was set."),
        "value": Column("number", "Its value."),
        "unit": Column("text", "Its unit."),
        "source": Column("text", "Where the value comes from."),
        "is_assumption": Column("flag", "Whether it is only assumed."),
    },
    subject="parameter",
)

JUDICIAL_MONTHLY = Table(
    "judicial_monthly",
    "Monthly counts of the procuratorate, aggregates only.",
    {
        "month": Column("text", "Month."),
        "group": Column(
            "text", "Group of persons.", allowed=("parent_of_suspect", "parent_of_victim", "suspect", "victim")
        ),
        "n_persons": Column("integer", "Persons in proceedings.", unit="persons", low=0),
        "n_assessed": Column("integer", "Of these, assessed.", low=0),
        "n_counselled": Column("integer", "Of these, counselled.", low=0),
        "n_severe": Column("integer", "Of those assessed, severe.", low=0),
        "n_severe_referred": Column("integer", "Of the severe, referred.", low=0),
    },
    subject="month",
    key=("month", "group"),
)

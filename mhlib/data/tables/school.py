"""Schools, classes, pupils, households and the calendar."""

from mhlib.data.tables.contract import Column, Table

ABOUT = Table(
    "about",
    "What the city is.",
    {
        "notice": Column("text", "Notice that the data are simulated."),
    },
    subject="city",
)

AREA = Table(
    "area",
    "Towns and streets.",
    {
        "area_code": Column("text", "Code of the town or street."),
        "urban": Column("flag", "Whether the area is urban."),
    },
    subject="area",
    key=("area_code",),
)

SCHOOL = Table(
    "school",
    "Schools.",
    {
        "school_pid": Column("text", "Pseudonym of the school."),
        "name": Column("text", "Name."),
        "level": Column(
            "text",
            "School level (P, J, S, V), level of service, or level of a certificate.",
            allowed=("J", "P", "S", "V"),
        ),
        "area_code": Column("text", "Code of the town or street."),
        "urban": Column("flag", "Whether the area is urban."),
        "private": Column("flag", "Whether private."),
        "boarding": Column("flag", "Whether boarding."),
        "model_parent_school": Column("flag", "Provincial model of parent schools."),
        "size_weight": Column("number", "Weight of the school's size."),
        "demo_point": Column("flag", "Provincial demonstration point."),
    },
    subject="school",
    key=("school_pid",),
)

CLASS = Table(
    "class",
    "Classes of each school year.",
    {
        "class_pid": Column("text", "Pseudonym of the class."),
        "year": Column("integer", "School year, by its first calendar year."),
        "school_pid": Column("text", "Pseudonym of the school."),
        "grade": Column("integer", "Grade of the pupil, or of risk in an assessment.", low=1, high=12),
        "size": Column("integer", "Pupils on the roll.", unit="pupils", low=0),
    },
    subject="class",
    key=("class_pid", "year"),
)

ENROLMENT = Table(
    "enrolment",
    "Who was on which roll in each wave.",
    {
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
        "wave": Column("integer", "Number of the screening wave.", low=1),
        "class_pid": Column("text", "Pseudonym of the class."),
        "school_pid": Column("text", "Pseudonym of the school."),
        "grade": Column("integer", "Grade of the pupil, or of risk in an assessment.", low=1, high=12),
    },
    subject="pupil",
    key=("pupil_pid", "wave"),
)

HOUSEHOLD = Table(
    "household",
    "Households with a child in school.",
    {
        "household_pid": Column("text", "Pseudonym of the household."),
        "n_children": Column("integer", "Children of the household in school.", low=0),
    },
    subject="household",
    key=("household_pid",),
)

PUPIL = Table(
    "pupil",
    "Everyone ever enrolled.",
    {
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
        "sex": Column("integer", "0 boy, 1 girl.", allowed=(0, 1)),
        "birth_ym": Column("integer", "Year and month of birth."),
        "hukou": Column("integer", "1 when registered in the city."),
        "boarding": Column("flag", "Whether boarding."),
        "single_parent": Column("flag", "Whether one parent brings the pupil up."),
        "left_behind": Column("flag", "Whether both parents work elsewhere."),
        "household_pid": Column("text", "Pseudonym of the household."),
        "entry_year": Column("integer", "First school year."),
        "exit_year": Column("integer", "Last school year."),
    },
    subject="pupil",
    key=("pupil_pid",),
)

CALENDAR = Table(
    "calendar",
    "Days of six terms.",
    {
        "date": Column("date", "Day."),
        "term": Column("integer", "Number of the term; 0 in the holidays.", low=0),
        "teaching_week": Column("integer", "Week of teaching within the term.", low=0, high=30),
        "school_day": Column("flag", "Whether school is held."),
        "holiday": Column("flag", "Public holiday."),
        "spring_festival": Column("flag", "Day of the Spring Festival holidays."),
        "exam": Column("flag", "Examination weeks."),
        "gaokao": Column("flag", "University entrance examination."),
        "zhongkao": Column("flag", "Senior school entrance examination."),
    },
    subject="day",
    key=("date",),
)

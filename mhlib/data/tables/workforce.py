"""Teachers: certificates, posts, leavers, workload, supervision, nominations."""

from mhlib.data.tables.contract import Column, Table

TEACHER = Table(
    "teacher",
    "Everyone employed.",
    {
        "teacher_pid": Column("text", "Pseudonym of the teacher."),
        "school_pid": Column("text", "Pseudonym of the school."),
        "role": Column("text", "Role of the teacher.", allowed=("head", "leader", "psych_ft", "psych_pt", "subject")),
        "hired_on": Column("date", "Day of hiring."),
    },
    subject="teacher",
    key=("teacher_pid",),
)

CERTIFICATE = Table(
    "certificate",
    "Certificates of mental-health education.",
    {
        "teacher_pid": Column("text", "Pseudonym of the teacher."),
        "level": Column(
            "text", "School level (P, J, S, V), level of service, or level of a certificate.", allowed=("B", "C")
        ),
        "issued": Column("date", "Day of issue."),
        "expires": Column("date", "Day of expiry."),
        "hours": Column("integer", "Hours.", unit="hours", low=0),
    },
    subject="teacher",
)

LEAVER = Table(
    "leaver",
    "Teachers who left.",
    {
        "teacher_pid": Column("text", "Pseudonym of the teacher."),
        "school_pid": Column("text", "Pseudonym of the school."),
        "left_on": Column("date", "Day of leaving."),
    },
    subject="teacher",
)

POST = Table(
    "post",
    "Posts for psychology teachers.",
    {
        "school_pid": Column("text", "Pseudonym of the school."),
        "year": Column("integer", "School year, by its first calendar year."),
        "posts": Column("integer", "Posts for psychology teachers.", unit="posts", low=0),
        "filled_full_time": Column("integer", "Of these, filled full-time."),
    },
    subject="school",
)

WORKLOAD = Table(
    "workload",
    "Workload and absence of a sample of teachers.",
    {
        "teacher_pid": Column("text", "Pseudonym of the teacher."),
        "month": Column("integer", "Month."),
        "overtime_hours": Column("number", "Overtime in the month.", unit="hours", low=0),
        "days_absent": Column("integer", "Days absent in the month.", unit="days", low=0),
    },
    subject="teacher",
)

SUPERVISION = Table(
    "supervision",
    "Supervision of cases.",
    {
        "teacher_pid": Column("text", "Pseudonym of the teacher."),
        "date": Column("date", "Day."),
        "hours": Column("number", "Hours.", unit="hours", low=0),
    },
    subject="teacher",
)

NOMINATION = Table(
    "nomination",
    "Pupils whom teachers named.",
    {
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
        "school_pid": Column("text", "Pseudonym of the school."),
        "teacher_pid": Column("text", "Pseudonym of the teacher."),
        "wave": Column("integer", "Number of the screening wave.", low=1),
        "named_on": Column("date", "Day of the nomination."),
        "concern": Column("integer", "Concern, 0 none to 3 high.", low=0, high=3),
    },
    subject="pupil",
)

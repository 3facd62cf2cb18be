"""The three-level service: grids, contacts, cases, rooms and uploads."""

from mhlib.data.tables.contract import Column, Table

HEART_GRID = Table(
    "heart_grid",
    "Heart grids and their mentors.",
    {
        "grid_pid": Column("text", "Pseudonym of the heart grid."),
        "school_pid": Column("text", "Pseudonym of the school."),
        "mentor_pid": Column("text", "Pseudonym of the mentor."),
    },
    subject="grid",
    key=("grid_pid",),
)

HEART_GRID_MEMBER = Table(
    "heart_grid_member",
    "Pupils of each grid.",
    {
        "grid_pid": Column("text", "Pseudonym of the heart grid."),
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
    },
    subject="pupil",
    key=("pupil_pid",),
)

CONTACT = Table(
    "contact",
    "Contacts of mentors with pupils, last school year.",
    {
        "grid_pid": Column("text", "Pseudonym of the heart grid."),
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
        "date": Column("date", "Day."),
        "kind": Column("text", "Kind of the entry.", allowed=("home", "observation", "talk")),
        "concern": Column("integer", "Concern, 0 none to 3 high.", low=0, high=3),
    },
    subject="pupil",
)

CASE = Table(
    "case",
    "Pupils at risk for whom a case was opened.",
    {
        "case_pid": Column("text", "Pseudonym of the case."),
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
        "school_pid": Column("text", "Pseudonym of the school."),
        "wave": Column("integer", "Number of the screening wave.", low=1),
        "opened": Column("date", "Day on which the case was opened."),
        "level": Column(
            "text",
            "School level (P, J, S, V), level of service, or level of a certificate.",
            allowed=("city", "hospital", "school"),
        ),
    },
    subject="pupil",
    key=("case_pid",),
)

EPISODE = Table(
    "episode",
    "Stretches of a case at one level of service.",
    {
        "case_pid": Column("text", "Pseudonym of the case."),
        "level": Column(
            "text",
            "School level (P, J, S, V), level of service, or level of a certificate.",
            allowed=("city", "hospital", "school"),
        ),
        "began_on": Column("date", "First day."),
        "ended_on": Column("date", "Last day.", missing=True),
        "how": Column("text", "How the episode ended.", allowed=("closed", "open", "stepped_down", "stepped_up")),
    },
    subject="pupil",
)

EVENT = Table(
    "event",
    "Dated steps of a case.",
    {
        "case_pid": Column("text", "Pseudonym of the case."),
        "kind": Column(
            "text",
            "Kind of the entry.",
            allowed=("assessed", "closed", "feedback", "hospital", "plan", "referred", "returned"),
        ),
        "date": Column("date", "Day."),
    },
    subject="pupil",
)

PLATFORM_UPLOAD = Table(
    "platform_upload",
    "Cases entered into the provincial platform.",
    {
        "case_pid": Column("text", "Pseudonym of the case."),
        "uploaded_on": Column("date", "Day of the upload."),
        "grade_uploaded": Column("integer", "Grade of risk as uploaded.", low=0, high=3),
    },
    subject="pupil",
)

AGENCY_REFERRAL = Table(
    "agency_referral",
    "Cases sent to other agencies.",
    {
        "case_pid": Column("text", "Pseudonym of the case."),
        "agency": Column(
            "text",
            "Agency that a case was sent to.",
            allowed=("civil_affairs", "health", "social_work", "women_federation", "youth_league"),
        ),
        "sent_on": Column("date", "Day of sending."),
        "answered": Column("flag", "Whether the agency answered."),
        "volunteer_hours": Column("integer", "Hours that volunteers gave.", unit="hours", low=0),
    },
    subject="pupil",
)

ROOM_SCHEDULE = Table(
    "room_schedule",
    "Opening hours of the counselling rooms.",
    {
        "school_pid": Column("text", "Pseudonym of the school."),
        "date": Column("date", "Day."),
        "hours_planned": Column("number", "Hours that the room should be open.", unit="hours", low=0),
        "hours_open": Column("number", "Hours that it was open.", unit="hours", low=0),
    },
    subject="school",
)

SESSION = Table(
    "session",
    "Counselling sessions.",
    {
        "school_pid": Column("text", "Pseudonym of the school."),
        "pupil_pid": Column("text", "Pseudonym of the pupil."),
        "requested_on": Column("date", "Day on which the session was asked for."),
        "date": Column("date", "Day."),
        "minutes": Column("integer", "Length.", unit="minutes", low=0),
        "kind": Column("text", "Kind of the entry.", allowed=("mentor", "parent", "screen", "self")),
    },
    subject="pupil",
)

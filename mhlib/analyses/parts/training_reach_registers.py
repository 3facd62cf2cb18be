"""Who was in post on a day and who held a certificate on it: roster, departures, certificates and the terms they are counted by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.training import Training, without_table
from mhlib.findings import Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registers:
    """Roster and certificates of one source.

    Attributes
    ----------
    people : DataFrame, one row a person, indexed by number
        ``school_pid`` (a number), ``role, hired_on, left_on`` (NaT: in post), ``on_roster`` (False: known from the departures
        only), and the school's ``level`` and ``urban`` where the source has schools. Who came back counts as in post.
    schools : Index
        The source's name of each school, by number; never shown.
    certificates : DataFrame, one row a certificate
        ``teacher_pid`` (a number of `people`, or one that is not there), ``level, issued, expires``.
    levels : tuple of str
        Levels claimed, then any other that the source has.
    departures : bool
        Whether departures are recorded at all.
    day : Timestamp or None
        On which certificates count by which the broad and the rare level are told; None: whatever was ever issued.
    starts : Series, number of the term -> first day
        Of the calendar, with one term after the last one; empty without a calendar.
    """

    people: pd.DataFrame
    schools: pd.Index
    certificates: pd.DataFrame
    levels: tuple[str, ...]
    departures: bool
    starts: pd.Series
    day: pd.Timestamp | None = None

    @property
    def holders(self) -> pd.Series:
        """People with a certificate of each level, valid on the day, the most first; each once, whatever is entered twice."""
        rows = self.certificates
        levels = rows["level"].value_counts().index
        if self.day is not None:
            rows = rows[(rows["issued"] <= self.day) & (rows["expires"] >= self.day)]
        count = rows.groupby("level")["teacher_pid"].nunique().reindex(levels, fill_value=0)
        return count.sort_values(ascending=False, kind="stable")

    @property
    def broad(self) -> str:
        """The level that most hold."""
        return str(self.holders.index[0])

    @property
    def recorded_from(self) -> pd.Timestamp | None:
        """Day from which departures are taken as recorded: the first of the calendar."""
        return None if self.starts.empty else self.starts.iloc[0]

    @property
    def once(self) -> pd.DataFrame:
        """Certificates in order of issue, what is entered twice taken once, with ``next_issued`` of the same person and level."""
        rows = self.certificates.sort_values(["teacher_pid", "level", "issued", "expires"], kind="stable")
        rows = rows.drop_duplicates(["teacher_pid", "level", "issued"], keep="last")
        return rows.assign(next_issued=rows.groupby(["teacher_pid", "level"])["issued"].shift(-1))

    def employed(self, day: pd.Timestamp) -> pd.Series:
        """Whether each person was in post on a day (the day of leaving is the last one)."""
        left = self.people["left_on"].notna() & (self.people["left_on"] < day)
        return (self.people["hired_on"] <= day) & ~left

    def issued(self, level: str, day: pd.Timestamp) -> pd.DataFrame:
        """Certificates of a level issued by a day, run out or not."""
        rows = self.certificates
        return rows[(rows["level"] == level) & (rows["issued"] <= day)]

    def valid(self, level: str, day: pd.Timestamp) -> pd.Series:
        """Whether each person held a certificate of a level on a day (the day of expiry is the last one)."""
        rows = self.issued(level, day)
        return self.people.index.isin(rows.loc[rows["expires"] >= day, "teacher_pid"])

    def last_round(self, level: str, day: pd.Timestamp) -> pd.Timestamp:
        """The last day on which certificates of a level were issued; NaT where none was."""
        return self.issued(level, day)["issued"].max()

    def held(self, level: str, day: pd.Timestamp) -> pd.DataFrame:
        """People in post on a day, with ``covered`` and ``before`` (in post at the last round already)."""
        people = self.people[self.employed(day)]
        covered = pd.Series(self.valid(level, day), index=self.people.index)
        latest = self.last_round(level, day)
        before = people["hired_on"] <= latest if pd.notna(latest) else pd.Series(False, index=people.index)
        return people.assign(covered=covered[people.index].astype(int), before=before)


def registers_of(training: Training, params: Params) -> Registers | Refused:
    """Registers of the source; a refusal without certificates or without a roster, which is the only denominator."""
    certificate, teacher = training.data.table("certificate"), training.data.table("teacher")
    for name, found in (("certificate", certificate), ("teacher", teacher)):
        if found is None:
            return without_table(name)
    leaver = training.data.table("leaver")
    rows = certificate[["teacher_pid", "level", "issued", "expires"]].copy()
    rows["level"] = rows["level"].to_numpy(dtype=object)
    others = sorted(set(rows["level"]) - set(params.claimed))
    people = _people(teacher, leaver, training.data.table("school"))
    # Numbers are matched in a hundredth of the time of names, and no name of a person goes further than here.
    rows["teacher_pid"] = pd.factorize(
        np.r_[people["teacher_pid"].to_numpy(object), rows["teacher_pid"].to_numpy(object)]
    )[0][len(people) :]
    people["school_pid"], schools = pd.factorize(people["school_pid"].to_numpy(dtype=object))
    return Registers(
        people=people.drop(columns="teacher_pid"), schools=pd.Index(schools), certificates=rows.reset_index(drop=True),
        levels=(*params.claimed, *others), departures=leaver is not None, starts=_starts(training), day=day_of(params.as_of),
    )  # fmt: skip


def _people(teacher: pd.DataFrame, leaver: pd.DataFrame | None, school: pd.DataFrame | None) -> pd.DataFrame:
    """Roster and departures; who left and is not on the roster was in post before the records began."""
    people = teacher[["teacher_pid", "school_pid", "role", "hired_on"]].assign(on_roster=True)
    people["left_on"] = pd.NaT
    if leaver is not None:
        last = leaver.sort_values("left_on").drop_duplicates("teacher_pid", keep="last")
        gone = last[~last["teacher_pid"].isin(people["teacher_pid"])]
        gone = gone.assign(on_roster=False, hired_on=people["hired_on"].min(), role=pd.NA)
        people["left_on"] = people["teacher_pid"].map(last.set_index("teacher_pid")["left_on"])
        people = pd.concat([people, gone[list(people)]], ignore_index=True) if len(gone) else people
    people["left_on"] = pd.to_datetime(people["left_on"])
    people["left_on"] = people["left_on"].mask(people["left_on"] < people["hired_on"])
    if school is not None:
        people = people.merge(
            school[["school_pid", "level", "urban"]], on="school_pid", how="left", validate="many_to_one"
        )
        people["level"] = people["level"].astype(object).where(people["level"].notna())
    people["role"] = people["role"].astype(object).where(people["role"].notna())
    return people.reset_index(drop=True)


def _starts(training: Training) -> pd.Series:
    """First day of each term, and of the one after the last: a year after the one before it."""
    calendar = training.data.read("calendar", columns=["date", "term"])
    if calendar is None or not (calendar["term"] > 0).any():
        return pd.Series(dtype="datetime64[ns]")
    days = calendar[calendar["term"] > 0]
    starts = days.groupby(days["term"].astype(int))["date"].min().sort_index()
    return ahead(starts, 1)


def ahead(starts: pd.Series, more: int = 0, *, beyond: pd.Timestamp | None = None) -> pd.Series:
    """Further terms, each a year after the last but one: as many as asked for, and until one starts after a day."""
    found = dict(starts)
    while more > 0 or (beyond is not None and found[max(found)] <= beyond):
        more -= 1
        last = max(found)
        found[last + 1] = found.get(last - 1, found[last] - pd.DateOffset(months=6)) + pd.DateOffset(years=1)
    return pd.Series(found)


def day_of(given: date) -> pd.Timestamp:
    """A day as the registers hold it."""
    return pd.Timestamp(given)


def year_of(day: pd.Timestamp) -> float:
    """A day as a number on an axis of years."""
    return day.year + (day.day_of_year - 1) / 365.25


def without_calendar() -> Refused:
    """No flows without the day from which departures are recorded."""
    return Refused(
        "no_calendar",
        message(
            "The source has no calendar, so it is not known from when departures were recorded, nor when terms begin."
        ),
        message("The table calendar, as the data dictionary describes it."),
    )


def flows_refusal(registers: Registers) -> Refused | None:
    """The refusal of whatever follows people over time."""
    if not registers.departures:
        return without_table("leaver")
    return without_calendar() if registers.recorded_from is None else None

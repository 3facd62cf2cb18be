"""The school calendar: teaching weeks, holidays and examinations of six terms."""

from __future__ import annotations

import numpy as np
import pandas as pd

# First and last teaching day of each term; Spring Festival fell on 2024-02-10, 2025-01-29 and 2026-02-17.
TERMS = (
    ("2023-09-01", "2024-01-26"),
    ("2024-02-26", "2024-06-28"),
    ("2024-09-02", "2025-01-17"),
    ("2025-02-17", "2025-06-30"),
    ("2025-09-01", "2026-01-23"),
    ("2026-03-02", "2026-07-01"),
)
SPRING_FESTIVALS = ("2024-02-10", "2025-01-29", "2026-02-17")
PUBLIC_HOLIDAYS = ("10-01", "10-02", "10-03", "05-01", "05-02", "04-05", "01-01")


def calendar() -> pd.DataFrame:
    """One row a day: term (0 in the holidays), teaching week, holiday and examination flags."""
    days = pd.date_range("2023-09-01", "2026-08-31")
    term, week = np.zeros(len(days), "int8"), np.zeros(len(days), "int8")
    exam = np.zeros(len(days), bool)
    for number, (first, last) in enumerate(TERMS, start=1):
        first, last = pd.Timestamp(first), pd.Timestamp(last)
        inside = (days >= first) & (days <= last)
        term[inside] = number
        monday = first - pd.Timedelta(days=first.weekday())
        week[inside] = ((days[inside] - monday).days // 7 + 1).astype("int8")
        exam |= inside & (days > last - pd.Timedelta(days=14))
    holiday = np.isin(days.strftime("%m-%d"), PUBLIC_HOLIDAYS)
    gaokao = np.isin(days.strftime("%m-%d"), ("06-07", "06-08"))
    zhongkao = np.isin(days.strftime("%m-%d"), ("06-18", "06-19"))
    festival = np.zeros(len(days), bool)
    for day in SPRING_FESTIVALS:
        festival |= (days >= pd.Timestamp(day) - pd.Timedelta(days=1)) & (
            days < pd.Timestamp(day) + pd.Timedelta(days=7)
        )
    return pd.DataFrame({
        "date": days, "term": term, "teaching_week": week, "school_day": (term > 0) & (days.day_of_week < 5) & ~holiday,
        "holiday": holiday | festival, "spring_festival": festival, "exam": exam, "gaokao": gaokao, "zhongkao": zhongkao,
    })  # fmt: skip


def screening_period(wave: int) -> pd.DatetimeIndex:
    """The eight weekdays of a wave, from the fifth day of the term on."""
    first = pd.Timestamp(TERMS[wave - 1][0])
    return pd.bdate_range(first + pd.Timedelta(days=4), periods=8)


def screening_days(wave: int, rng: np.random.Generator, n: int) -> pd.DatetimeIndex:
    """The day on which each of `n` pupils answered."""
    days = screening_period(wave)
    return days[rng.integers(0, len(days), n)]

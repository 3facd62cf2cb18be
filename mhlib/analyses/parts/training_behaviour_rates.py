"""How often teachers name pupils, whom they name, and how that agrees with the interview and with the screen."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried, without_cutoff
from mhlib.analyses.parts.training import Training, without_table
from mhlib.analyses.parts.training_behaviour_rows import ARMS, PERIODS, Naming, without_interviews
from mhlib.findings import Refused, message
from mhlib.stats.accuracy import VerificationCorrected, verification_corrected
from mhlib.stats.clustered import share
from mhlib.stats.intervals import on_logit
from mhlib.stats.monitoring import cumulative_incidence, proportion

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

# Fewer interviewed pupils than this in a group carry no share.
FEWEST = 10
# Fewer schools than this in an arm show nothing of how schools differ.
FEWEST_SCHOOLS = 5
DAYS = (30, 60, 90)


def groups(rows: pd.DataFrame) -> list[tuple[dict[str, str], pd.DataFrame]]:
    """Rows by arm and period with their names; one period where no start is stated."""
    found = []
    for arm, name in ARMS.items():
        mine = rows[rows["treated"] == arm]
        if mine.empty:
            continue
        if mine["post"].isna().all():
            found.append(({"arm_shown": name, "period_shown": "naming_all_waves"}, mine))
            continue
        for period, when in PERIODS.items():
            part = mine[mine["post"] == period]
            if len(part):
                found.append(({"arm_shown": name, "period_shown": when}, part))
    return found


def flow(has: Naming) -> Drawn:
    """How many were named, and what is known of them: each count is part of the one before."""
    rows = []
    for name, part in groups(has.named):
        row = name | {"n_named": len(part)}
        here = dict(treated=part["treated"].iloc[0], post=part["post"].iloc[0])
        if has.screened is not None:
            named = _same(has.screened[has.screened["named"] == 1], **here)
            row["n_named_screened"] = len(named)
            if named["positive"].notna().any():
                row["n_named_positive"] = int(named["positive"].sum())
        if has.interviews is not None:
            seen = _same(has.interviews[has.interviews["named"] == 1], **here)
            row |= {"n_named_interviewed": len(seen), "n_named_case": int(seen["case"].sum())}
        rows.append(row)
    return Drawn(table=pd.DataFrame(rows))


def _same(rows: pd.DataFrame, *, treated: float, post: float) -> pd.DataFrame:
    rows = rows[rows["treated"] == treated]
    return rows if math.isnan(post) else rows[rows["post"] == post]


def rates(has: Naming, params: Params) -> Drawn | Refused:
    """Named of 1,000 pupils, by arm and wave; intervals by school."""
    if has.enrolled is None:
        return without_table("enrolment")
    rows = []
    for arm, name in ARMS.items():
        for wave, cells in has.enrolled[has.enrolled["treated"] == arm].groupby("wave"):
            low, high = _ratio_interval(cells, params.conf_level)
            total = int(cells["n"].sum())
            rows.append({"group": name, "arm_shown": name, "wave_shown": wave, "x": wave,
                         "y": 1000 * cells["named"].sum() / total, "low": 1000 * low, "high": 1000 * high,
                         "n_used": total})  # fmt: skip
    mark = None if params.named_from_wave is None else params.named_from_wave - 0.5
    return Drawn(table=pd.DataFrame(rows), x_axis=message("screening wave"),
                 y_axis=message("pupils named, of 1,000"), mark=mark, points=True)  # fmt: skip


def _ratio_interval(cells: pd.DataFrame, conf_level: float) -> tuple[float, float]:
    """Linearised interval of named over pupils, schools as clusters; NaN with fewer than five."""
    n_schools = len(cells)
    if n_schools < FEWEST_SCHOOLS:
        return math.nan, math.nan
    size = cells["n"].to_numpy(dtype=float)
    rate = cells["named"].to_numpy(dtype=float) / size
    found = share(rate, np.ones(n_schools), weights=size, cluster=(np.arange(n_schools), n_schools))
    return on_logit(found.value, found.std_error, conf_level, found.df)


def in_numbers(figure: Drawn | Refused) -> Drawn | Refused:
    """The same rates as a table."""
    if isinstance(figure, Refused):
        return figure
    table = figure.table.rename(columns={"y": "per_thousand", "low": "per_thousand_low", "high": "per_thousand_high"})
    return Drawn(
        table=table[["arm_shown", "wave_shown", "per_thousand", "per_thousand_low", "per_thousand_high", "n_used"]]
    )


def corrected(rows: pd.DataFrame, params: Params) -> VerificationCorrected | Refused:
    """Teachers' naming against the interview; the interviewed stand for all by one over their known chance."""
    return tried(
        verification_corrected, rows["named"], rows["case"], method="ipw", verification_probability=rows["probability"],
        cluster=rows["school_pid"], conf_level=params.conf_level,
    )  # fmt: skip


def accuracy(has: Naming, params: Params, barred: Refused | None) -> dict[str, Drawn | Refused]:
    """``ppv`` and ``accuracy`` (sensitivity and specificity) by arm and period."""
    if has.interviews is None or barred:
        return dict.fromkeys(("ppv", "accuracy"), barred or without_interviews())
    parts, lacking = [], []
    for name, rows in groups(has.interviews):
        found = corrected(rows, params) if _enough(rows) else _few()
        if isinstance(found, Refused):
            lacking.append(found.why)
            continue
        frame = found.to_frame().rename(columns={"denominator": "people"})
        frame = frame.assign(**name, group=name["arm_shown"], subgroup=name["period_shown"], n_used=frame["people"])
        parts.append(frame[["group", "subgroup", *name, "term", "estimate", "conf_low", "conf_high", "n_used"]])
    if not parts:
        return dict.fromkeys(("ppv", "accuracy"), _few())
    table = pd.concat(parts, ignore_index=True)
    kept = {"ppv": ("ppv",), "accuracy": ("sensitivity", "specificity")}
    return {field: Drawn(table=_of(table, terms), share=True, lacking=tuple(lacking)) for field, terms in kept.items()}


def _of(table: pd.DataFrame, terms: tuple[str, ...]) -> pd.DataFrame:
    table = table[table["term"].isin(terms)]
    return table.sort_values("term", kind="stable").reset_index(drop=True)


def _enough(rows: pd.DataFrame) -> bool:
    cases, named = int(rows["case"].sum()), int(rows["named"].sum())
    return min(cases, len(rows) - cases, named, len(rows) - named) >= FEWEST and rows["school_pid"].nunique() >= 2


def _few() -> Refused:
    return Refused(
        "few_interviews",
        message(
            "Fewer than {n} named pupils, or fewer than {n} cases, were interviewed in a group of schools.", n=FEWEST
        ),
        message("Interviews of more pupils, drawn by score with known chances."),
    )


def agreement(has: Naming, params: Params) -> Drawn | Refused:
    """Naming and screen-positive, which is agreement of two imperfect signs and no accuracy."""
    if params.cutoff is None:
        return without_cutoff()
    if has.screened is None:
        return without_table("response")
    rows = []
    for name, part in groups(has.screened):
        for term, domain, sign in (("agree_positive", "positive", "named"), ("agree_named", "named", "positive")):
            inside = part[part[domain] == 1]
            found = tried(proportion, inside[sign], cluster=inside["school_pid"], conf_level=params.conf_level)
            if not isinstance(found, Refused):
                rows.append({**name, "term": term, "estimate": found.proportion, "conf_low": found.conf_low,
                             "conf_high": found.conf_high, "n_used": len(inside)})  # fmt: skip
    table = pd.DataFrame(rows)
    return Drawn(table=table.sort_values("term", kind="stable").reset_index(drop=True), share=True) if rows else _few()


def waits(has: Naming, training: Training, params: Params) -> Drawn | Refused:
    """Share of the named cases referred so many days after they were named; a case that is closed is no longer waiting."""
    dated = _dated(has, training, params)
    if isinstance(dated, Refused):
        return dated
    found = tried(cumulative_incidence, dated["days"], dated["event"], group=dated["group"], cluster=dated["school_pid"],
                  conf_level=params.conf_level)  # fmt: skip
    if isinstance(found, Refused):
        return found
    at = found.at(DAYS)
    at = at[(at["cause"] == "referred") & at["conf_low"].notna()]
    if at.empty:
        return _undated()
    order = {f"{arm}|{period}": at for at, (arm, period) in enumerate(product(ARMS.values(), PERIODS.values()))}
    at = at.sort_values("group", key=lambda names: names.map(order), kind="stable")
    arm, period = zip(*(group.split("|") for group in at["group"]), strict=True)
    size = dated.groupby("group").size()
    return Drawn(table=pd.DataFrame({
        "arm_shown": arm, "period_shown": period, "term": "naming_referred", "days_from": at["time"].astype(int).to_numpy(),
        "estimate": at["estimate"].to_numpy(), "conf_low": at["conf_low"].to_numpy(), "conf_high": at["conf_high"].to_numpy(),
        "n_used": at["group"].map(size).to_numpy(),
    }))  # fmt: skip


def _undated() -> Refused:
    return Refused(
        "no_dates",
        message(
            "The source does not hold the day of the referral beside the day of the naming, so no time can be given."
        ),
        message("The day on which each pupil was named and the day on which he was referred, and who still waits."),
    )


def _dated(has: Naming, training: Training, params: Params) -> pd.DataFrame | Refused:
    """Named pupils with a case opened in the wave: days to referral, to closing, or to the day of the report."""
    if has.named["post"].isna().all():
        return _undated()
    cases = training.data.read("case", columns=["case_pid", "pupil_pid", "wave"])
    events = training.data.read("event", columns=["case_pid", "kind", "date"])
    if cases is None or events is None or cases.empty or events.empty:
        return _undated()
    cases = cases.assign(wave=cases["wave"].astype(int)).drop_duplicates(["pupil_pid", "wave"])
    rows = has.named.merge(cases, on=["pupil_pid", "wave"]).set_index("case_pid")
    for kind in ("referred", "closed"):
        rows[kind] = events[events["kind"] == kind].groupby("case_pid")["date"].min().reindex(rows.index)
    until = pd.Timestamp(params.as_of)
    ended = rows[["referred", "closed"]].min(axis=1).fillna(until)
    known = (ended <= until).to_numpy()
    referred = known & (rows["referred"] == ended).to_numpy()
    closed = known & ~referred & (rows["closed"] == ended).to_numpy()
    days = (np.minimum(ended, until) - rows["named_on"]).dt.days
    rows = rows.assign(
        days=days.astype(float), event=np.select([referred, closed], ["referred", "closed"], "")
    ).reset_index()
    rows["group"] = [f"{ARMS[a]}|{PERIODS[p]}" for a, p in zip(rows["treated"], rows["post"], strict=True)]
    return rows[rows["days"] >= 0] if referred.any() else _undated()

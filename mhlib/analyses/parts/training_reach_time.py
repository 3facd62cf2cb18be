"""What becomes of a certificate: renewed, run out or lost with the post, whichever comes first, among those under observation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.sections import Drawn, tried
from mhlib.analyses.parts.training_reach_audit import LEAST, clustered, few_holders, nobody_in_post, row_of, tells
from mhlib.analyses.parts.training_reach_registers import Registers, day_of, flows_refusal, year_of
from mhlib.findings import Count, Message, Refused, message
from mhlib.stats.monitoring import cause_specific_hazard, cumulative_incidence, proportion

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

DAYS_A_YEAR, DAYS_A_MONTH = 365.25, 365.25 / 12
WORDS = {"renewed": message("renewed in time"), "lapsed": message("ran out"), "left": message("lost with the post")}
CAUSES = tuple(WORDS)
# Half-year steps: no single day of leaving is to be read off a curve.
STEP_MONTHS, SHOWN_YEARS = 6, (2, 3, 4, 5, 6, 7, 8, 9)
EVENTS_A_COVARIATE = 10


def spells(registers: Registers, params: Params) -> tuple[pd.DataFrame, int]:
    """One row a certificate of a person known: entry, time (months since issue), event, and what was lost on the way.

    A spell is under observation from the latest of issue, hiring and the first day of the records. It ends with the earliest
    of a new certificate of the level, the day after the last valid one, the day of leaving and the day of the report.
    """
    day, first = day_of(params.as_of), registers.recorded_from
    rows = registers.once.merge(registers.people, left_on="teacher_pid", right_index=True, suffixes=("", "_of_school"))
    rows = rows[rows["issued"] <= day].copy()
    renewed = rows["next_issued"].where(rows["next_issued"] <= rows["expires"])
    lapsed = rows["expires"] + pd.Timedelta(days=1)
    ends = pd.DataFrame({"left": rows["left_on"], "renewed": renewed, "lapsed": lapsed})
    ends = ends.where(ends <= day)
    end = ends.min(axis=1)
    # Leaving comes first where it falls on the same day as another end.
    rows["event"] = np.select([end.notna() & (ends[name] == end) for name in ends], list(ends), default="")
    rows["end"] = end.fillna(day)
    start = pd.concat([rows["issued"], rows["hired_on"]], axis=1).max(axis=1).clip(lower=first)
    for name, at in (("entry", start), ("time", rows["end"])):
        rows[name] = (at - rows["issued"]).dt.days / DAYS_A_MONTH
    seen = rows["time"] > rows["entry"]
    return rows[seen].reset_index(drop=True), len(registers.certificates) - int(seen.sum())


def known_from(registers: Registers, level: str, params: Params) -> pd.Timestamp | None:
    """The first day after the report on which a certificate of somebody in post runs out."""
    rows = registers.certificates[registers.certificates["level"] == level]
    later = rows.loc[rows["expires"] > day_of(params.as_of), "expires"]
    return None if later.empty else later.min()


def curves_of(registers: Registers, rows: pd.DataFrame, params: Params) -> tuple[pd.DataFrame, list[Message]]:
    """Share to whom each end has come, on a grid of half-years since issue, and what cannot be known yet."""
    parts, lacking = [], []
    for level in registers.levels:
        own = rows[rows["level"] == level]
        if own.empty:
            continue
        if unseen := [name for name in ("renewed", "lapsed") if not (own["event"] == name).any()]:
            lacking.append(_not_yet(registers, level, unseen, params))
        found = tried(
            cumulative_incidence, own["time"].to_numpy(), own["event"].to_numpy(), entry=own["entry"].to_numpy(),
            cluster=own["school_pid"].to_numpy(), conf_level=params.conf_level,
        )  # fmt: skip
        if isinstance(found, Refused):
            continue
        counts = own["event"].value_counts()
        if few := [name for name in CAUSES if 0 < counts.get(name, 0) < LEAST]:
            lacking.append(
                message(
                    "Fewer than {least} certificates {level} met with one of the ends; it is not drawn.",
                    least=LEAST,
                    level=level,
                )
            )
        kept = [name for name in CAUSES if counts.get(name, 0) >= LEAST and name not in few]
        parts.append(_on_grid(found, own, kept).assign(level=level))
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return table, lacking


def _on_grid(found: object, own: pd.DataFrame, causes: list[str]) -> pd.DataFrame:
    """The curves at whole half-years at which somebody was under observation; where nobody met the end yet, the exact limit."""
    first, last = own["entry"].min(), found.last_seen["all"]
    grid = np.arange(STEP_MONTHS * np.ceil(first / STEP_MONTHS), last + 1e-9, STEP_MONTHS)
    at_risk = [int(((own["entry"] < t) & (own["time"] >= t)).sum()) for t in grid]
    table = found.at(grid)
    table = table[table["cause"].isin(causes)]
    table = table.assign(n_used=table["time"].map(dict(zip(grid, at_risk, strict=True))))
    nobody = (table["estimate"] == 0) & (table["n_used"] > 0)
    highest = [
        proportion(0, int(n), ci="exact", conf_level=found.conf_level).conf_high for n in table.loc[nobody, "n_used"]
    ]
    table.loc[nobody, "conf_low"], table.loc[nobody, "conf_high"] = 0.0, highest
    return table[table["n_used"] > 0]


def _not_yet(registers: Registers, level: str, unseen: list[str], params: Params) -> Message:
    day = known_from(registers, level, params)
    if "lapsed" in unseen and day is not None:
        return message("No certificate {level} of anybody seen has run out yet; the first will on {day}. Only from then on will it "
                       "be known how many are renewed and how many lapse.", level=level, day=f"{day:%Y-%m-%d}")  # fmt: skip
    if "lapsed" in unseen:
        return message(
            "No certificate {level} of anybody seen has run out, and none has a day on which it will.", level=level
        )
    return message("No certificate {level} of anybody seen has been renewed before it ran out.", level=level)


def nothing_happened(registers: Registers, params: Params) -> Refused:
    """No curve where no certificate has met an end."""
    days = [day for level in registers.levels if (day := known_from(registers, level, params)) is not None]
    return Refused(
        "nothing_happened",
        message("Since the records began no certificate has been renewed, run out or been lost with the post. The first runs out on "
                "{day}; from then on it will be known.", day=f"{min(days):%Y-%m-%d}" if days else message("no known day")),
        message("Departures with their day, and each new certificate of somebody whose certificate runs out."),
    )  # fmt: skip


def few_ends() -> Refused:
    """No curve of so few that it would tell of single people."""
    return Refused(
        "few_ends",
        message("Fewer than {least} certificates of any level have met with the same end: a curve would tell of single people.",
                least=LEAST),
        message("More terms of departures and renewals."),
    )  # fmt: skip


def curves(table: pd.DataFrame, lacking: list[Message]) -> Drawn:
    """A line each end and level."""
    shown = pd.DataFrame({"group": [f"{cause}_{level}" for cause, level in zip(table["cause"], table["level"], strict=True)],
                          "x": table["time"] / 12, "y": table["estimate"], "low": table["conf_low"], "high": table["conf_high"],
                          "n_used": table["n_used"]})  # fmt: skip
    return Drawn(table=shown, x_axis=message("years since the certificate was issued"), y_axis=_what(table),
                 y_share=True, lacking=tuple(lacking))  # fmt: skip


def _what(table: pd.DataFrame) -> Message:
    """Words of the share; a single line has no legend to name it."""
    lines = table[["cause", "level"]].drop_duplicates()
    if len(lines) > 1:
        return message("share to whom it has come")
    cause, level = lines.iloc[0]
    return message("share: {end}, certificate {level}", end=WORDS[cause], level=level)


def at_years(table: pd.DataFrame) -> pd.DataFrame:
    """The curves at whole years."""
    years = table["time"] / 12
    shown = table[years.isin(SHOWN_YEARS)]
    return pd.DataFrame({"certificate": "certificate_" + shown["level"], "end_of_certificate": shown["cause"],
                         "years": shown["time"] / 12, "term": "incidence", "estimate": shown["estimate"],
                         "conf_low": shown["conf_low"], "conf_high": shown["conf_high"], "n_used": shown["n_used"]}
                        ).reset_index(drop=True)  # fmt: skip


def ended(registers: Registers, rows: pd.DataFrame, params: Params) -> Drawn | Refused:
    """Of certificates that ran out while their holder was in post, or were renewed before: share renewed in time."""
    found = []
    for level in registers.levels:
        own = rows[(rows["level"] == level) & rows["event"].isin(["renewed", "lapsed"])]
        if own.empty:
            continue
        share = clustered((own["event"] == "renewed").astype(int), own["school_pid"], params)
        if not isinstance(share, Refused):
            found.append({"group": f"certificate_{level}", **row_of(share, "renewed_share")})
    if found:
        return Drawn(table=pd.DataFrame(found))
    days = [day for level in registers.levels if (day := known_from(registers, level, params)) is not None]
    return Refused(
        "nothing_ran_out",
        message("No certificate of anybody in post has run out since the records began, so how many are renewed is not known. The "
                "first runs out on {day}; from then on it will be.", day=f"{min(days):%Y-%m-%d}" if days else message("no known day")),
        message("Each new certificate, with its day, of people whose certificate runs out."),
    )  # fmt: skip


def leaving(registers: Registers, rows: pd.DataFrame, params: Params) -> Drawn | Refused:
    """Who leaves faster, among holders of the certificate that most hold: ratios of hazards, exploratory."""
    own = rows[rows["level"] == registers.broad]
    names, follow = _covariates(own)
    n = int((own["event"] == "left").sum())
    if not names or n < EVENTS_A_COVARIATE * len(names):
        return Refused(
            "few_departures",
            message("Fewer than {few} holders left for each group compared, so groups cannot be compared in leaving.",
                    few=EVENTS_A_COVARIATE),
            message("More terms of departures."),
        )  # fmt: skip
    frame = pd.DataFrame(names, index=own.index).astype(float)
    found = tried(
        cause_specific_hazard, own["time"].to_numpy(), own["event"].to_numpy(), frame, cause="left",
        entry=own["entry"].to_numpy(), cluster=own["school_pid"].to_numpy(), conf_level=params.conf_level,
    )  # fmt: skip
    if isinstance(found, Refused):
        return found
    table = found.table.assign(group=found.table["term"], term="hazard_ratio", n_used=found.n_used)
    table = table.drop(columns=["estimate", "conf_low", "conf_high"])
    names = {"hazard_ratio": "estimate", "ratio_low": "conf_low", "ratio_high": "conf_high"}
    table = table.rename(columns=names)[["group", "term", "estimate", "conf_low", "conf_high", "p_value", "n_used"]]
    return Drawn(table=table, rule=1.0, axis=message("leaving: ratio of hazards to the others (1: as fast)"),
                 lacking=(message("{n} groups follow from the others and are left out.", n=follow),) if follow else ())  # fmt: skip


def _covariates(own: pd.DataFrame) -> tuple[dict[str, pd.Series], int]:
    """Psychology teachers, class heads, schools in town, and school levels but the most common, where they vary.

    What follows from those before it is left out; how many is the second value.
    """
    found = {"post_psych": own["role"].isin(["psych_ft", "psych_pt"]), "post_head": own["role"] == "head"}
    if "level_of_school" in own:
        found["urban_yes"] = own["urban"]
        common = own["level_of_school"].mode().iloc[0] if own["level_of_school"].notna().any() else None
        found |= {f"level_{name}": own["level_of_school"] == name for name in sorted(own["level_of_school"].dropna().unique())
                  if name != common}  # fmt: skip
    numbers = {name: column.astype("boolean").fillna(False).astype(float) for name, column in found.items()}
    names = [name for name, column in numbers.items() if min(column.sum(), (1 - column).sum()) >= EVENTS_A_COVARIATE]
    kept: list[str] = []
    for name in names:
        columns = np.column_stack([np.ones(len(own)), *(numbers[one] for one in [*kept, name])])
        if np.linalg.matrix_rank(columns.T @ columns) == len(kept) + 2:
            kept.append(name)
    return {name: numbers[name] for name in kept}, len(names) - len(kept)


def reading(rows: pd.DataFrame, lost: int, registers: Registers, params: Params) -> list[Message]:
    """From when on people are seen, and whom that leaves out."""
    first = registers.recorded_from
    said = [
        message(
            "Departures are taken as recorded from {day} on. Holders are followed from that day, from their hiring or from the "
            "issue of the certificate, whichever is latest: a curve speaks of those who were still in post and certified when "
            "they came under observation, and says nothing of the time before.",
            day=f"{first:%Y-%m-%d}",
        )
    ]
    if lost:
        said.append(
            message(
                "{n} certificates are left out: their time ended before it could be seen, or their holder is not on the roster.",
                n=Count(lost),
            )
        )
    for level in registers.levels:
        own = rows[rows["level"] == level]
        if len(own):
            begin = own["entry"].min() / 12
            said.append(message("The curves of certificate {level} start {years} years after issue, among {n} holders followed.",
                                level=level, years=f"{begin:.1f}", n=Count(int(own["teacher_pid"].nunique()))))  # fmt: skip
    return said


def trend(registers: Registers, params: Params) -> Drawn | Refused:
    """Share with a valid certificate on the first day of each term and on the day of the report."""
    if refused := flows_refusal(registers):
        return refused
    day, rows, lacking = day_of(params.as_of), [], []
    days = [*(start for start in registers.starts if start < day), day]
    for level in registers.levels:
        shares = []
        for at in days:
            held = registers.held(level, at)
            shares.append(clustered(held["covered"], held["school_pid"], params))
        known = [(at, one) for at, one in zip(days, shares, strict=True) if not isinstance(one, Refused)]
        if any(tells(one) for _, one in known):
            lacking.append(few_holders(level))
            continue
        rows += [{"certificate": f"certificate_{level}", "on_day": f"{at:%Y-%m-%d}", **row_of(one), "x": year_of(at)}
                 for at, one in known]  # fmt: skip
    if not rows:
        return nobody_in_post()
    return Drawn(table=pd.DataFrame(rows), lacking=tuple(lacking))


def trend_curve(found: Drawn | Refused, level: str) -> Drawn | Refused:
    """The trend of one level as a line."""
    if isinstance(found, Refused):
        return found
    table = found.table[found.table["certificate"] == f"certificate_{level}"]
    if table.empty:
        return nobody_in_post()
    shown = pd.DataFrame({"group": table["certificate"], "x": table["x"], "y": table["estimate"], "low": table["conf_low"],
                          "high": table["conf_high"], "n_used": table["n_used"]})  # fmt: skip
    return Drawn(
        table=shown, x_axis=message("year"), y_axis=message("share with a valid certificate"), y_share=True, points=True
    )

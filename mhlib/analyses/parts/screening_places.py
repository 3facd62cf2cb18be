"""Who was scored and who was screen-positive in each town and level, with every total: for planning, not for comparing.

Every row holds at least three schools: a share of fewer would be as good as a school's name. Levels and towns with fewer are
merged and not blanked, for a blank comes back by subtraction. Cells and totals are sums of each other, so the disclosure gate
must protect them together. Pupils whose town or level is not stated count as a town or level of their own: without them the
totals would not add up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.place_merging import LEAST_SCHOOLS, merging
from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.sections import Drawn, without_cutoff
from mhlib.findings import Refused, message
from mhlib.stats.monitoring import proportion

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params

# Below this the linearised error of schools is a guess.
FEWEST_CLUSTERS = 10
# The contract's levels in the order of the grades, under names that a report can translate.
NAMED = {name: f"level_{name}" for name in ("P", "J", "S", "V")}
# A letter and seven figures, as the demo city's codes, would be taken for the pseudonym of a pupil in what is published.
PADDING = re.compile(r"(?<=^[A-Z])(?=\d{7}$)0+(?=[1-9])")
# The contract's column; clusters may be classes, which would pass for schools.
SCHOOL = "school_pid"
NO_TOWN, NO_LEVEL = "town_not_stated", "level_not_stated"
HIDDEN = message("Where small groups are hidden, others are hidden with them, so that nobody can be worked out.")
TOGETHER = message("Levels and towns with fewer than {least} schools are shown together, and others with them where they "
                   "could be worked out, so that no figure is that of a single school.", least=LEAST_SCHOOLS)  # fmt: skip
TOO_FEW = message("An interval is shown where there are at least {least} schools, or other clusters that the parameters name.",
                  least=FEWEST_CLUSTERS)  # fmt: skip


def section(data: Screened, params: Params) -> Drawn | Refused:
    """Screen-positives among those scored, by town and school level.

    Returns
    -------
    Drawn or Refused
        One row a cell with a scored pupil: `town`, `level`, `numerator` (screen-positive), `denominator` (scored), `estimate`
        with its interval. Levels of a town with fewer than three schools are merged into `other_levels`, towns into
        `other_towns`, and more with them where these would hold fewer than three or the totals would give them away. Rows go
        by town and level, merged ones after the others, totals last, never by the result. The interval allows for the
        clusters; it is missing where there are fewer than ten of them. Refused without a cut-off (`no_cutoff`), a town
        (`no_towns`), a level (`no_levels`) or the schools (`no_schools`), with fewer than three of these (`few_schools`), and
        where the scale is about self-harm or suicide (`whole_city_alone`).
    """
    if refusal := _refusal(data, params):
        return refusal
    people = _placed(data.scored, params)
    cells = {(str(town), str(level)): here for (town, level), here in people.groupby(["town", "level"], observed=True)}
    schools = {cell: _schools(here) for cell, here in cells.items()}
    if len(frozenset().union(*schools.values())) < LEAST_SCHOOLS:
        return _few_schools()
    rows = merging(schools, people["level"].cat.categories).rows(cells)
    table = pd.DataFrame([{"town": town, "level": level} | _share(pd.concat([cells[cell] for cell in held]), params)
                          for (town, level), held in rows.items()])  # fmt: skip
    together = len(table) < _unmerged(people)
    lacking = (HIDDEN, *[TOGETHER] * together, *[TOO_FEW] * bool(table["conf_low"].isna().any()))
    return Drawn(table=table, lacking=lacking)


def _unmerged(people: pd.DataFrame) -> int:
    """Rows of cells and totals if nothing were merged."""
    towns, levels = people["town"].nunique(), people["level"].nunique()
    return len(people[["town", "level"]].drop_duplicates()) + towns + levels + 1


def _refusal(data: Screened, params: Params) -> Refused | None:
    """Why nothing can or may be counted by place."""
    if params.cutoff is None:
        return without_cutoff()
    if data.scale is not None and data.scale.sensitive:
        return _whole_city_alone()
    if not _stated(data.people, "area_code"):
        return _without_towns()
    if not _stated(data.people, "level"):
        return _without_levels()
    known = params.cluster in data.people and _stated(data.people, SCHOOL)
    return None if known else _without_schools()


def _stated(people: pd.DataFrame, name: str) -> bool:
    return name in people and bool(people[name].notna().any())


def _placed(people: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Town, level, positive, school and cluster of each pupil; the places are ordered categories."""
    level = people["level"].astype("string").replace(NAMED)
    town = _ordered(people["area_code"].astype("string"), (), NO_TOWN)
    placed = {
        "town": town.cat.rename_categories(_without_padding(list(town.cat.categories))),
        "level": _ordered(level, tuple(NAMED.values()), NO_LEVEL),
        "positive": people["positive"].astype(bool), "school": people[SCHOOL].astype("string"), "cluster": people[params.cluster],
    }  # fmt: skip
    return pd.DataFrame(placed)


def _ordered(names: pd.Series, first: tuple[str, ...], absent: str) -> pd.Series:
    """The names that are known beforehand in their order, then the source's own by code, then whoever has none."""
    there = set(names.dropna())
    order = [*(name for name in first if name in there), *sorted(there - set(first))]
    return names.fillna(absent).astype(pd.CategoricalDtype([*order, absent], ordered=True))


def _without_padding(codes: list[str]) -> list[str]:
    """`A1` for A0000001, in the order of the codes; as they stand where two towns would then be called the same."""
    short = [PADDING.sub("", code) for code in codes]
    return short if len(set(short)) == len(codes) else codes


def _schools(here: pd.DataFrame) -> frozenset[str]:
    return frozenset(here["school"].dropna())


def _share(here: pd.DataFrame, params: Params) -> dict[str, object]:
    """Screen-positives among those scored; no interval from few clusters."""
    n, positive = len(here), int(here["positive"].sum())
    low = high = float("nan")
    if here["cluster"].nunique() >= FEWEST_CLUSTERS:
        found = proportion(here["positive"], cluster=here["cluster"], conf_level=params.conf_level)
        low, high = found.conf_low, found.conf_high
    return {"term": "proportion", "numerator": positive, "denominator": n, "estimate": positive / n,
            "conf_low": low, "conf_high": high}  # fmt: skip


def _whole_city_alone() -> Refused:
    return Refused(
        "whole_city_alone",
        message(
            "The scale is about self-harm or suicide: its figures are given for the whole city alone, and not by town."
        ),
        message("Nothing."),
    )


def _without_towns() -> Refused:
    return Refused(
        "no_towns",
        message("The source does not say in which town a school lies, so nothing can be counted by town."),
        message("The code or name of the town for each pupil or school, as column area_code."),
    )


def _without_levels() -> Refused:
    return Refused(
        "no_levels",
        message("The source does not state the school level, so nothing can be counted by level."),
        message("Primary, junior, senior or vocational (P, J, S, V) for each pupil or school, as column level."),
    )


def _without_schools() -> Refused:
    return Refused(
        "no_schools",
        message(
            "The source does not say who is in which school, so a figure of a single school could not be kept out."
        ),
        message("The school of each pupil, as column school_pid, with the parameter cluster naming it or its classes."),
    )


def _few_schools() -> Refused:
    return Refused(
        "few_schools",
        message(
            "Fewer than {least} schools have scored pupils, so every figure would be that of a school.",
            least=LEAST_SCHOOLS,
        ),
        message("The screening of at least {least} schools.", least=LEAST_SCHOOLS),
    )

"""Who was scored and who was screen-positive in each town and level, with every total: for planning, not for comparing.

Cells and totals are sums of each other, so the disclosure gate must protect them together. Pupils whose town or level is
not stated have cells of their own: without them the totals would not add up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

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
ALL_TOWNS, ALL_LEVELS = "all_towns", "all_levels"
NO_TOWN, NO_LEVEL = "town_not_stated", "level_not_stated"
HIDDEN = message("Where small groups are hidden, others are hidden with them, so that nobody can be worked out.")
TOO_FEW = message("An interval is shown where there are at least {least} schools, or other clusters that the parameters name.",
                  least=FEWEST_CLUSTERS)  # fmt: skip


def section(data: Screened, params: Params) -> Drawn | Refused:
    """Screen-positives among those scored, by town and school level.

    Returns
    -------
    Drawn or Refused
        One row a cell that holds a pupil, scored or not: `town`, `level`, `numerator` (screen-positive), `denominator`
        (scored), `estimate` with its interval. Rows go by town and level, totals last, never by the result. The interval
        allows for the clusters; it is missing where there are fewer than ten of them. Refused without a cut-off (`no_cutoff`),
        a town (`no_towns`) or a level (`no_levels`), and where the scale is about self-harm or suicide (`whole_city_alone`).
    """
    if refusal := _refusal(data, params):
        return refusal
    people = _placed(data.people, params)
    rows = [
        {"town": town, "level": level} | _share(here, params)
        for town, of_town in _margins(people, "town", ALL_TOWNS)
        for level, here in _margins(of_town, "level", ALL_LEVELS)
    ]
    table = pd.DataFrame(rows)
    return Drawn(table=table, lacking=(HIDDEN, TOO_FEW) if table["conf_low"].isna().any() else (HIDDEN,))


def _refusal(data: Screened, params: Params) -> Refused | None:
    """Why nothing can or may be counted by place."""
    if params.cutoff is None:
        return without_cutoff()
    if data.scale is not None and data.scale.sensitive:
        return _whole_city_alone()
    if not _stated(data.people, "area_code"):
        return _without_towns()
    return None if _stated(data.people, "level") else _without_levels()


def _stated(people: pd.DataFrame, name: str) -> bool:
    return name in people and bool(people[name].notna().any())


def _placed(people: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Town, level, score known, positive and cluster of each pupil; the places are ordered categories."""
    level = people["level"].astype("string").replace(NAMED)
    town = _ordered(people["area_code"].astype("string"), (), NO_TOWN)
    placed = {
        "town": town.cat.rename_categories(_without_padding(list(town.cat.categories))),
        "level": _ordered(level, tuple(NAMED.values()), NO_LEVEL),
        "scored": people["score"].notna(), "positive": people["positive"],
    }  # fmt: skip
    return pd.DataFrame(placed | ({"cluster": people[params.cluster]} if params.cluster else {}))


def _ordered(names: pd.Series, first: tuple[str, ...], absent: str) -> pd.Series:
    """The names that are known beforehand in their order, then the source's own by code, then whoever has none."""
    there = set(names.dropna())
    order = [*(name for name in first if name in there), *sorted(there - set(first))]
    return names.fillna(absent).astype(pd.CategoricalDtype([*order, absent], ordered=True))


def _without_padding(codes: list[str]) -> list[str]:
    """`A1` for A0000001, in the order of the codes; as they stand where two towns would then be called the same."""
    short = [PADDING.sub("", code) for code in codes]
    return short if len(set(short)) == len(codes) else codes


def _margins(people: pd.DataFrame, name: str, total: str) -> list[tuple[str, pd.DataFrame]]:
    """The pupils of each place in its order, and last all of them."""
    return [*((str(place), here) for place, here in people.groupby(name, observed=True)), (total, people)]


def _share(here: pd.DataFrame, params: Params) -> dict[str, object]:
    """Screen-positives among those scored; no interval from few clusters, and no share where nobody was scored."""
    scored = here[here["scored"]]
    n, positive = len(scored), int(scored["positive"].sum())
    low = high = float("nan")
    if "cluster" in scored and scored["cluster"].nunique() >= FEWEST_CLUSTERS:
        found = proportion(scored["positive"].astype(bool), cluster=scored["cluster"], conf_level=params.conf_level)
        low, high = found.conf_low, found.conf_high
    return {"term": "proportion", "numerator": positive, "denominator": n, "estimate": positive / n if n else float("nan"),
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

"""How precisely the score measures: coefficients by scale and group, error in points, and agreement with a second time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.groups import grouping, large, present
from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.sections import Drawn, tried, without_items
from mhlib.findings import Refused, message
from mhlib.stats.measurement import categorical_omega, cronbach_alpha, omega, ordinal_alpha, retest, score_description

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params

RULE = 0.70
AXIS = message("reliability (1: no error)")
INTERVALS = {
    "alpha": message("Feldt"), "alpha_schools": message("schools drawn again"), "omega": message("delta method"),
    "omega_categorical": message("delta method, log scale"), "ordinal_alpha": message("delta method, log scale"),
}  # fmt: skip
# Answers on so many steps are treated as a measure, not as ordered categories.
MOST_CATEGORIES = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReliabilitySection:
    """Tables of the section; each may be a refusal."""

    coefficients: Drawn | Refused
    by_group: Drawn | Refused
    score: Drawn | Refused
    retest: Drawn | Refused


def section(data: Screened, params: Params, second: pd.DataFrame | None) -> ReliabilitySection:
    """Reliability of every scale, of every group, and over time.

    Parameters
    ----------
    second : DataFrame or None
        Scores of the other wave by pupil (`second_occasion`).
    """
    again = _retest(data, params, second)
    if data.items is None:
        lacking = without_items()
        return ReliabilitySection(coefficients=lacking, by_group=lacking, score=lacking, retest=again)
    return ReliabilitySection(
        coefficients=_listed(_by_scale(data, params)), by_group=_listed(_by_group(data, params)),
        score=_score(data, params), retest=again,
    )  # fmt: skip


def scales_of(data: Screened) -> dict[str, list[str]]:
    """Item columns of every subscale with two items and more, and of the total."""
    subscales = data.scale.subscales if len(data.scale.subscales) > 1 else {}
    named = {name: [f"item_{number}" for number in numbers] for name, numbers in subscales.items() if len(numbers) > 1}
    return named | {"total": [f"item_{number}" for number in data.scale.total_items]}


def _by_scale(data: Screened, params: Params) -> list[pd.DataFrame | Refused]:
    cluster = data.people[params.cluster] if params.cluster else None
    found = []
    for name, columns in scales_of(data).items():
        found += _coefficients(data.items[columns], {"group": name}, params, cluster=cluster)
    return found


def _by_group(data: Screened, params: Params) -> list[pd.DataFrame | Refused]:
    """Of the total score, for each group of each grouping that the source offers."""
    columns = scales_of(data)["total"]
    found: list[pd.DataFrame | Refused] = []
    for name in present(data.people, params.groups):
        groups = grouping(data.people, name)
        for group in large(groups):
            part = data.items.loc[(groups == group).to_numpy(), columns]
            found += _coefficients(
                part, {"group": name, "subgroup": group}, params, only=("alpha", "omega_categorical")
            )
    return found


def _coefficients(
    items: pd.DataFrame, labels: dict[str, str], params: Params, *, cluster: pd.Series | None = None,
    only: tuple[str, ...] = ("alpha", "alpha_schools", "omega", "ordinal_alpha", "omega_categorical"),
) -> list[pd.DataFrame | Refused]:  # fmt: skip
    """The coefficients that these answers allow, a row each."""
    shared = {"conf_level": params.conf_level}
    few = items.nunique().max() <= MOST_CATEGORIES
    calls = {"alpha": lambda: cronbach_alpha(items, **shared)}
    if cluster is not None:
        calls["alpha_schools"] = lambda: cronbach_alpha(
            items, ci="school_bootstrap_t", cluster=cluster, n_boot=params.n_boot, seed=params.seed, **shared
        )
    if items.shape[1] > 2:
        calls |= {"omega": lambda: omega(items, **shared)}
        calls |= {"omega_categorical": lambda: categorical_omega(items, **shared)} if few else {}
    calls |= {"ordinal_alpha": lambda: ordinal_alpha(items, **shared)} if few else {}
    return [_row(tried(calls[name]), name, labels) for name in only if name in calls]


def _row(found: object, name: str, labels: dict[str, str]) -> pd.DataFrame | Refused:
    if isinstance(found, Refused):
        return found
    source = "alpha" if name == "alpha_schools" else name
    frame = found.to_frame()
    row = frame[frame["term"] == source].iloc[:1]
    return row[["estimate", "conf_low", "conf_high"]].assign(
        **labels, term=name, interval=INTERVALS[name], n_used=found.n_used, n_items=found.n_items
    )


def _listed(found: list[pd.DataFrame | Refused]) -> Drawn | Refused:
    """One table of the rows that could be estimated; the first refusal where none could."""
    rows = [row for row in found if not isinstance(row, Refused)]
    if not rows:
        return found[0] if found else without_groups()
    table = pd.concat(rows, ignore_index=True)
    order = [name for name in ("group", "subgroup", "term", "estimate", "conf_low", "conf_high", "interval", "n_items", "n_used")
             if name in table]  # fmt: skip
    lacking = {found_one.code: found_one for found_one in found if isinstance(found_one, Refused)}
    said = (message("Some coefficients could not be estimated on these data, and are not shown."),) if lacking else ()
    return Drawn(table=table[order], rule=RULE, axis=AXIS, lacking=said)


def without_groups() -> Refused:
    """No comparison where the source knows no groups."""
    return Refused(
        "no_groups",
        message(
            "The source names no groups of at least 100 pupils, so nothing can be said about differences between them."
        ),
        message("Sex, school level, town or country, boarding and the like, one column each."),
    )


def _score(data: Screened, params: Params) -> Drawn | Refused:
    ends = (float(data.scale.low), float(data.scale.high))
    found = tried(
        score_description, data.items[scales_of(data)["total"]], answer_range=ends, conf_level=params.conf_level
    )
    if isinstance(found, Refused):
        return found
    table = found.to_frame()
    table = table[table["term"] != "alpha"].assign(term="score_" + table["term"])
    return Drawn(table=table[["term", "estimate", "n_used"]])


def days_between(data: Screened) -> float | None:
    """Median days between the two occasions, over pupils with both; None where days are not known."""
    second = data.companions.second
    if second is None or "answered_on" not in second or "answered_on" not in data.people:
        return None
    first = data.people.set_index(data.people["pupil_pid"].astype(str))["answered_on"]
    gap = (first - second["answered_on"].reindex(first.index)).dropna()
    return float(gap.dt.days.abs().median()) if len(gap) else None


def _retest(data: Screened, params: Params, second: pd.DataFrame | None) -> Drawn | Refused:
    """Agreement with the other wave, pupil by pupil."""
    if second is None:
        return without_second_time()
    people = data.scored.set_index(data.scored["pupil_pid"].astype(str))
    both = people.join(second.rename(columns={"score": "score_again", "answered_on": "day_again"}), how="inner")
    both = both[both["score"].notna() & both["score_again"].notna()]
    found = tried(
        retest, both["score"].astype(float), both["score_again"].astype(float), conf_level=params.conf_level,
        cluster=both[params.cluster] if params.cluster else None,
        **({"n_boot": params.n_boot, "seed": params.seed} if params.cluster else {}),
    )  # fmt: skip
    if isinstance(found, Refused):
        return found
    table = found.to_frame()
    table = table.assign(term="retest_" + table["term"])[["term", "estimate", "conf_low", "conf_high", "n_used"]]
    return Drawn(table=table)


def without_second_time() -> Refused:
    """No stability from one occasion."""
    return Refused(
        "no_second_time",
        message("The score was taken once: how far it would agree with itself a fortnight later is not known."),
        message("The same questionnaire again after two to four weeks, from a random sample of about 200 pupils."),
    )

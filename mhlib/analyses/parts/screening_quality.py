"""How well the answers were given: what is missing, signs of careless answering, and what they would change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.sections import Drawn, item_number, tried, without_items
from mhlib.findings import Count, Estimate, Message, Proportion, Refused, message
from mhlib.stats.measurement import FlagRules, missing_answers, response_quality

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params

# Patterns of missing answers shown; rarer ones are counted together.
PATTERNS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QualitySection:
    """Tables of the section; each may be a refusal."""

    missing: Drawn | Refused
    patterns: Drawn | Refused
    careless: Drawn | Refused
    with_without: Drawn | Refused
    reading: list[Message]


def section(data: Screened, params: Params) -> QualitySection:
    """Missing and careless answers; nobody is left out of any other section for them."""
    if data.items is None:
        lacking = without_items()
        return QualitySection(missing=lacking, patterns=lacking, careless=lacking, with_without=lacking, reading=[])
    cluster = data.people[params.cluster] if params.cluster else None
    missing = tried(
        missing_answers, data.answers, cluster=cluster, most_patterns=PATTERNS, conf_level=params.conf_level
    )
    signs = tried(
        response_quality, data.answers, conf_level=params.conf_level, cluster=cluster, **_options(data, params)
    )
    return QualitySection(
        missing=_missing_table(missing), patterns=_pattern_table(missing), careless=_careless_table(signs),
        with_without=_with_without(signs), reading=_reading(missing, signs),
    )  # fmt: skip


def _options(data: Screened, params: Params) -> dict[str, object]:
    """What the codebook and the source add: turned items, a lie scale, the time taken."""
    book, given = data.scale, {}
    if book.reverse:
        given["keyed"] = data.items
    if params.cutoff is not None and params.direction == ">=" and book.multiply == 1:
        given["cutoff"] = float(params.cutoff)
    if "lie" in book.subscales and params.lie_at is not None:
        given["lie"] = data.items[[f"item_{number}" for number in book.subscales["lie"]]].sum(axis=1, min_count=1)
    if "seconds" in data.people and data.people["seconds"].notna().any():
        items_asked = len(data.answers.columns) + params.items_beside
        # The time is that of the whole form: its share of these items is what the rule is about.
        given["seconds"] = data.people["seconds"].astype(float) * len(data.answers.columns) / items_asked
    rules = FlagRules(seconds_per_item=params.seconds_per_item, lie_at=params.lie_at)
    return given | {"rules": rules, "lowest": float(book.low - params.item_offset)}


def _missing_table(found: object) -> Drawn | Refused:
    if isinstance(found, Refused):
        return found
    table = found.to_frame().rename(columns={"term": "item", "estimate": "missing"})
    table = table.assign(item=table["item"].map(item_number))
    return Drawn(table=table[["item", "missing", "n"]])


def _pattern_table(found: object) -> Drawn | Refused:
    if isinstance(found, Refused):
        return found
    rows = [{"pattern": ", ".join(map(item_number, row.missing)) or "none", "n": row.n, "share": row.share,
             "n_used": found.n_used} for row in found.patterns.itertuples()]  # fmt: skip
    if found.n_in_other_patterns:
        others = found.n_in_other_patterns
        rows.append({"pattern": "other", "n": others, "share": others / found.n_used, "n_used": found.n_used})
    return Drawn(table=pd.DataFrame(rows))


def _careless_table(found: object) -> Drawn | Refused:
    if isinstance(found, Refused):
        return found
    table = found.to_frame().rename(columns={"n_flagged": "numerator", "n_known": "denominator"})
    names = ["term", "estimate", "conf_low", "conf_high", "numerator", "denominator", "r_score", "score_flagged"]
    rules = [found.rules.get(name) for name in table["term"]]
    return Drawn(table=table[names].assign(term="sign_" + table["term"], rule=rules))


def _with_without(found: object) -> Drawn | Refused:
    if isinstance(found, Refused):
        return found
    wide = found.with_without.pivot(
        index=["without", "n_without"], columns="statistic", values="remaining"
    ).reset_index()
    everybody = found.with_without.drop_duplicates("statistic").set_index("statistic")["everybody"]
    first = pd.DataFrame([{"without": "nobody", "n_without": 0, **everybody}])
    table = pd.concat([first, wide], ignore_index=True)
    table = table.assign(group=["nobody_left_out", *("sign_" + name for name in wide["without"])],
                         n_used=found.n_used - table["n_without"])  # fmt: skip
    names = {"alpha": "alpha_rest", "mean_score": "mean", "share_positive": "referral_share"}
    table = table.rename(columns=names)
    return Drawn(table=table[["group", "n_used", *(name for name in names.values() if name in table)]])


def _reading(missing: object, signs: object) -> list[Message]:
    """Two sentences: how much is missing, and how to read the signs."""
    said = []
    if not isinstance(missing, Refused):
        said.append(message(
            "{complete} answered every item; {empty} answered none, and {broke} stopped on the way.",
            complete=Proportion(missing.share_complete, missing.n_used),
            empty=Proportion(missing.share_empty, missing.n_used),
            broke=Proportion(missing.share_broke_off, missing.n_used),
        ))  # fmt: skip
    if not isinstance(signs, Refused):
        said.append(signs.reading)
        worst = signs.to_frame().set_index("term").loc["any"]
        said.append(message(
            "{n} pupils show at least one sign; their mean score is {flagged} points against {rest} of the others. A sign is "
            "no proof: a pupil who feels worst everywhere answers the highest to everything.",
            n=Count(int(worst["n_flagged"])), flagged=Estimate(worst["score_flagged"], int(worst["n_flagged"]), digits=1),
            rest=Estimate(worst["score_rest"], int(worst["n_known"] - worst["n_flagged"]), digits=1),
        ))  # fmt: skip
    return said

"""The record of item bias: one row an item, with sizes and classes before p values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mhlib.findings import Message, message
from mhlib.stats.intervals import critical
from mhlib.stats.measurement import dif_classes as classes
from mhlib.stats.measurement.dif_counts import Tables
from mhlib.stats.measurement.dif_mantel import breslow_day, mantel
from mhlib.stats.measurement.dif_regression import regressions
from mhlib.stats.measurement.dif_rule import Rule
from mhlib.stats.multiplicity import benjamini_hochberg, holm
from mhlib.stats.terms import TERM_COLUMNS


@dataclass(frozen=True, slots=True)
class Found:
    """One round: the table of all items, the odds ratios by group, and how purification ended."""

    table: pd.DataFrame
    by_group: pd.DataFrame
    flagged: np.ndarray
    how: str = "off"
    rounds: int = 0
    anchor: np.ndarray | None = None

    def ended(self, how: str, rounds: int, anchor: np.ndarray) -> Found:
        """The same round with how it came to be the last."""
        return replace(self, how=how, rounds=rounds, anchor=anchor)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DifResult:
    """Item bias of every item.

    Attributes
    ----------
    table : pandas.DataFrame
        What :meth:`to_frame` gives.
    by_group : pandas.DataFrame
        Regressions: `item, group, estimate, std_error, conf_low, conf_high, p_value` (odds ratio of each focal group
        from the model without interaction; its error is that of the log). Empty for 'mantel_haenszel'.
    flagged, anchors : tuple of str
        Items flagged, and items that make up the matching sum (with each item itself under 'total').
    groups : tuple of str
        Reference first.
    group_sizes : tuple of int
    purification : str
        'stable', 'off', 'circles', 'too few items left unflagged', 'stopped at the most rounds allowed' or
        'none, outside score'.
    rounds : int
        Rounds after the first.
    reading : Message
        How to read the table: sizes lead, p values follow.
    """

    table: pd.DataFrame = field(repr=False)
    by_group: pd.DataFrame = field(repr=False)
    flagged: tuple[str, ...]
    anchors: tuple[str, ...]
    groups: tuple[str, ...]
    group_sizes: tuple[int, ...]
    purification: str
    rounds: int
    reading: Message = field(repr=False)
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row an item: term, the common odds ratio (its `std_error` is that of the log) and the columns of its test.

        'mantel_haenszel' adds `chi2, p_holm, p_bh, delta, delta_low, delta_high, smd, smd_error, smd_low, smd_high,
        smd_per_sd, effect_class, class_rule, ratio_class, flagged, anchor, n_answers, n_strata, n_unmatched,
        design_effect` and with Breslow-Day `breslow_day, breslow_day_df, breslow_day_p`. With two answers `smd` is
        Dorans and Kulick's standardised P-DIF. The regressions add
        `chi2_uniform, chi2_nonuniform, chi2_both`, `df_…`, `p_…`, `p_holm, p_bh, nagelkerke_uniform,
        nagelkerke_nonuniform, nagelkerke_both, mcfadden_…, effect_class, class_rule, zumbo_class, flagged, anchor,
        n_answers, design_effect, at_edge`.
        """
        return self.table.copy()


def table_of(tables: Tables, rule: Rule) -> Found:
    """Test every item and flag by the rule."""
    by_group = pd.DataFrame()
    if rule.method == "mantel_haenszel":
        table = mantel_table(tables, rule)
    else:
        table, by_group = regressions(tables, rule)
    table["p_holm"], table["p_bh"] = (adjust(table["p_value"].to_numpy()) for adjust in (holm, benjamini_hochberg))
    flagged = flags(table, rule)
    return Found(table.assign(flagged=flagged), by_group, flagged)


def flags(table: pd.DataFrame, rule: Rule) -> np.ndarray:
    """Which items are flagged."""
    if rule.flag == "class":
        return (table["effect_class"] != "A").to_numpy()
    return (table["p_value" if rule.flag == "test" else "p_holm"] < rule.alpha).to_numpy()


def mantel_table(tables: Tables, rule: Rule) -> pd.DataFrame:
    """Mantel-Haenszel and its kin, one row an item."""
    found, z = mantel(tables), critical(rule.conf_level)
    low, high = found.log_ratio - z * found.log_ratio_se, found.log_ratio + z * found.log_ratio_se
    binary = tables.n_answers == 2
    two = classes.ets_class(found.log_ratio, found.log_ratio_se, found.p_value)
    more = classes.naep_class(found.smd_per_sd, found.p_value)
    columns = {
        "estimate": np.exp(found.log_ratio), "std_error": found.log_ratio_se, "conf_low": np.exp(low),
        "conf_high": np.exp(high), "p_value": found.p_value, "chi2": found.chi2, "p_holm": np.nan, "p_bh": np.nan,
        "delta": classes.DELTA * found.log_ratio, "delta_low": classes.DELTA * low, "delta_high": classes.DELTA * high,
        "smd": found.smd, "smd_error": found.smd_se, "smd_low": found.smd - z * found.smd_se,
        "smd_high": found.smd + z * found.smd_se, "smd_per_sd": found.smd_per_sd,
        "effect_class": np.where(binary, two, more), "class_rule": np.where(binary, "ETS delta", "SMD / SD"),
        "ratio_class": np.where(binary, two, classes.penfield_class(found.log_ratio, found.p_value)),
        "n_answers": tables.n_answers, "n_strata": found.n_strata, "n_unmatched": found.n_unmatched,
        "design_effect": found.design_effect,
    }  # fmt: skip
    if rule.breslow_day:
        names = ("breslow_day", "breslow_day_df", "breslow_day_p")
        columns |= dict(zip(names, breslow_day(tables, found.log_ratio), strict=True))
    return pd.DataFrame(columns)


def record_of(
    found: Found,
    rule: Rule,
    *,
    names: tuple[str, ...],
    groups: tuple[str, ...],
    sizes: list[int],
    matched: str,
    **rest: object,
) -> DifResult:
    """Name the rows and put the record together."""
    anchor = np.ones(len(names), dtype=bool) if found.anchor is None else found.anchor
    table = found.table.assign(term=names, anchor=anchor)
    table = table[[*TERM_COLUMNS, *(column for column in table if column not in TERM_COLUMNS)]]
    by_group = found.by_group
    if len(by_group):
        by_group = by_group.assign(
            item=[names[i] for i in by_group["item"]], group=[groups[g] for g in by_group["group"]]
        )
    return DifResult(
        table=table,
        by_group=by_group,
        flagged=tuple(name for name, hit in zip(names, found.flagged, strict=True) if hit),
        anchors=tuple(name for name, hit in zip(names, anchor, strict=True) if hit),
        groups=groups,
        group_sizes=tuple(sizes),
        purification=found.how,
        rounds=found.rounds,
        reading=reading(table, rest["n_used"]),
        method=f"{rule.method}, {matched}, flagged by {rule.flag}",
        conf_level=rule.conf_level,
        **rest,
    )


def reading(table: pd.DataFrame, n: int) -> Message:
    """Sizes before p values, and why."""
    size = table["effect_class"]
    values = {"k": len(table), "moderate": int((size == "B").sum()), "large": int((size == "C").sum())}
    significant = int((table["p_holm"] < 0.05).sum())
    if n >= 10_000:
        return message(
            "{large} of {k} items show large and {moderate} moderate bias. With so many pupils a test finds even "
            "trifling bias ({significant} items after correction), so the size class decides.",
            significant=significant, **values,
        )  # fmt: skip
    return message(
        "{large} of {k} items show large and {moderate} moderate bias; {significant} items are significant after "
        "correction. Size comes before significance.",
        significant=significant, **values,
    )  # fmt: skip

"""Does the screen work alike for every group? Accuracy by group at one cut-off, with tests; groups are never ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.accuracy.counts import demand_direction
from mhlib.stats.accuracy.subgroup_auc import group_areas
from mhlib.stats.accuracy.subgroup_estimates import (
    MEASURES,
    Shares,
    difference,
    from_cells,
    from_rows,
    global_test,
    level_rows,
)
from mhlib.stats.accuracy.subgroup_people import CORRECTIONS, Screened, grouping_codes, people_by_group, tested_people
from mhlib.stats.accuracy.subgroup_refusals import FEWEST_CASES, FEWEST_VERIFIED, group_refusals
from mhlib.stats.multiplicity import benjamini_hochberg, holm
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SubgroupAccuracy:
    """Accuracy of every group, differences from the reference group, and tests that all are equal.

    Attributes
    ----------
    terms : pandas.DataFrame
        Term = measure; `kind` is 'level', 'difference' (group less `versus`) or 'global'; `grouping, group, versus,
        numerator, denominator, statistic, df, test, p_holm, p_bh, refused`.
    groups : pandas.DataFrame
        `grouping, group, n, n_verified, n_case, refused` (a code, or '').
    refusals : tuple of (grouping, group, Refused)
        Groups whose accuracy is not given; their estimates are NaN.
    n_hypotheses : int
        Size of the family of differences behind `p_holm` and `p_bh`; the global tests are a family of their own.
    """

    terms: pd.DataFrame = field(repr=False)
    groups: pd.DataFrame = field(repr=False)
    refusals: tuple[tuple[str, str, Refused], ...] = field(repr=False)
    n_hypotheses: int
    cutoff: float | None
    direction: str
    n_clusters: int | None = None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a level, difference or global test."""
        return self.terms.assign(n_used=self.n_used)


def subgroup_accuracy(
    score: object,
    reference: object,
    groups: object,
    *,
    cutoff: float,
    reference_group: Mapping[str, object] | str,
    direction: str = ">=",
    measures: Sequence[str] = (*MEASURES, "auc"),
    correction: str | None = None,
    verification_probability: object = None,
    cluster: object = None,
    weights: object = None,
    fewest_cases: int = FEWEST_CASES,
    fewest_verified: int = FEWEST_VERIFIED,
    conf_level: float = 0.95,
) -> SubgroupAccuracy:
    """Sensitivity, specificity, predictive values, misses, referrals and AUC by group at one cut-off.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
        Everyone screened; a 0/1 test with `cutoff=1` has no AUC.
    reference : array-like of 0/1 or bool, shape (n,)
        Missing where not verified, which asks for a `correction`.
    groups : Series or DataFrame, shape (n,) or (n, columns)
        One or several groupings (gender; town or country), each judged by itself.
    cutoff : float
        Read with `direction`: positive when score >= cutoff.
    reference_group : mapping of column to group, or the group when there is one column
        With whom the others are compared; named by the caller, never chosen by the data.
    measures : sequence of {'sensitivity', 'specificity', 'ppv', 'npv', 'fnr', 'referral_rate', 'auc'}
    correction : {'begg_greenes', 'ipw'}, optional
        'begg_greenes': verification at random within group and test result. 'ipw': by `verification_probability`.
    verification_probability : array-like, shape (n,), optional
        Known chance of each person to be verified; read in verified rows.
    cluster : array-like, shape (n,), optional
        School or class: groups within one school are then compared as correlated.
    weights : array-like, shape (n,), optional
        Inverse probability of being in the rows.
    fewest_cases, fewest_verified : int
        A group with fewer verified cases, non-cases or people is refused.
    conf_level : float

    Returns
    -------
    SubgroupAccuracy

    Raises
    ------
    DataError
        Missing scores or groups; missing references without a correction; a probability outside 0-1.
    DesignError
        Fewer than two groups in a grouping, or two clusters.
    ParamsError
        An unknown measure, correction or reference group; options that do not fit together.

    Notes
    -----
    Everyone verified, no clusters, no weights: Wilson intervals, Newcombe's interval of differences, Pearson's
    chi-square (Fisher's exact test where an expected count is below 5). Otherwise linearised, logit intervals, Wald tests
    (t and F with clusters - 1 df). `fnr` is 1 - sensitivity: one hypothesis, counted once in the family.
    References: Wilson (1927); Newcombe (1998); Holm (1979); Benjamini & Hochberg (1995); Korn & Graubard (1999).
    Checked against: tests/oracle/decision_groups.csv (prop.test, p.adjust, survey::svyby).
    """
    where = "subgroup_accuracy"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    check_measures(measures)
    sign = demand_direction(direction, where=where)
    people = tested_people(score, reference, sign, cutoff, correction, verification_probability, cluster, weights)
    frame = groups.to_frame(groups.name or "group") if isinstance(groups, pd.Series) else pd.DataFrame(groups)
    inputs.same_length(where, score=people.score, groups=frame)
    bases = reference_group if isinstance(reference_group, Mapping) else {frame.columns[0]: reference_group}
    if missing := [str(name) for name in frame.columns if name not in bases]:
        raise ParamsError(
            f"{where}(reference_group)", f"none for {', '.join(missing)}", allowed="one for each grouping"
        )
    rows, tables, refusals = [], [], []
    for name in frame.columns:
        group, labels = grouping_codes(frame[name], str(name))
        base = place_of(labels, bases[name], str(name))
        table = people_by_group(people, group, labels, str(name))
        refused = group_refusals(table, corrected=correction is not None, least=(fewest_cases, fewest_verified))
        found = measured(people, (group, len(labels)), table, refused, measures)
        rows += grouping_rows(found, table, labels, base, refused, fewest_verified, conf_level)
        tables.append(summary(table, refused))
        refusals += [(str(name), labels[j], why) for j, why in refused.items()]
    return subgroup_record(
        rows, tables, refusals, cutoff=float(cutoff), direction=direction, conf_level=conf_level,
        n_used=len(people.score), n_clusters=None if people.cluster is None else people.cluster[1],
        method=method_of(people, correction),
    )  # fmt: skip


def subgroup_accuracy_from_counts(
    table: pd.DataFrame,
    *,
    reference_group: object,
    measures: Sequence[str] = MEASURES,
    fewest_cases: int = FEWEST_CASES,
    fewest_verified: int = FEWEST_VERIFIED,
    conf_level: float = 0.95,
) -> SubgroupAccuracy:
    """Accuracy by group from each group's four cells, everyone verified.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns `group, tp, fp, fn, tn`, one row a group.
    reference_group, measures, fewest_cases, fewest_verified, conf_level
        As in :func:`subgroup_accuracy`; no 'auc', for cells hold no scores.

    Returns
    -------
    SubgroupAccuracy
        The same digits as :func:`subgroup_accuracy` on the rows.

    Raises
    ------
    DataError
        Columns missing, cells that are not counts, a group twice.
    ParamsError
        An unknown measure or reference group.

    Notes
    -----
    Checked against: tests/oracle/decision_groups.csv (prop.test, p.adjust).
    """
    where = "subgroup_accuracy_from_counts"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    check_measures(measures)
    if missing := {"group", "tp", "fp", "fn", "tn"} - set(table.columns):
        raise DataError(where, f"no column {', '.join(sorted(missing))}", allowed="group, tp, fp, fn, tn")
    labels = [str(label) for label in table["group"]]
    if len(set(labels)) < len(labels):
        raise DataError(where, "a group stands twice", allowed="one row a group")
    cells = np.array(
        [[inputs.count(value, where=where, name=cell) for value in table[cell]] for cell in ("tp", "fp", "fn", "tn")]
    )
    people = pd.DataFrame(dict(zip(("tp", "fp", "fn", "tn"), cells, strict=True)))
    people = people.assign(
        grouping="group", group=labels, n=cells.sum(axis=0), positive_unverified=0, negative_unverified=0
    )
    refused = group_refusals(people, corrected=False, least=(fewest_cases, fewest_verified))
    every = from_cells(cells.T)
    found = {name: every[name] for name in measures if name != "auc"}
    base = place_of(labels, reference_group, "group")
    rows = grouping_rows(found, people, labels, base, refused, fewest_verified, conf_level)
    return subgroup_record(
        rows, [summary(people, refused)], [("group", labels[j], why) for j, why in refused.items()], cutoff=None,
        direction=">=", conf_level=conf_level, n_used=int(cells.sum()), method="counts, Wilson intervals, score tests",
    )  # fmt: skip


def check_measures(measures: Sequence[str]) -> None:
    """Stop on a measure that is not known."""
    if not len(measures):
        raise ParamsError("subgroup_accuracy(measures)", "is empty", allowed="at least one measure")
    for name in measures:
        inputs.one_of(name, (*MEASURES, "auc"), where="subgroup_accuracy", name="measures")


def place_of(labels: list[str], base: object, name: str) -> int:
    """Place of the reference group among the labels."""
    if len(labels) < 2:
        raise DesignError(f"subgroup_accuracy({name})", "fewer than two groups", allowed="two or more")
    if str(base) not in labels:
        allowed = "one of " + ", ".join(labels)
        raise ParamsError("subgroup_accuracy(reference_group)", f"'{base}' is no group of {name}", allowed=allowed)
    return labels.index(str(base))


def method_of(people: Screened, correction: str | None) -> str:
    """What was done, in words."""
    if people.plain:
        return "everyone verified, Wilson intervals, score tests"
    corrected = "" if correction is None else f"{CORRECTIONS[correction]}, "
    return f"{corrected}linearised, logit intervals, Wald tests" + ("" if people.cluster is None else " by cluster")


def measured(
    people: Screened,
    group: tuple[np.ndarray, int],
    table: pd.DataFrame,
    refused: dict[int, Refused],
    measures: Sequence[str],
) -> dict[str, Shares]:
    """The measures asked for, of every group; refused groups are NaN but for their referral rate."""
    cells = table[["tp", "fp", "fn", "tn"]].to_numpy()
    if people.plain:
        every = from_cells(cells)
    else:
        parts = (*people.contributions(group, refused), people.mass)
        every = from_rows(people.test, parts, cells, group, people.cluster)
        # Everyone was tested, verified or not.
        referred = table[["tp", "fp", "positive_unverified"]].sum(axis=1).to_numpy(dtype=float)
        every["referral_rate"] = replace(every["referral_rate"], top=referred, bottom=table["n"].to_numpy(dtype=float))
    found = {name: every[name] for name in measures if name != "auc"}
    if "auc" in measures and len(np.unique(people.score)) > 2:
        found["auc"] = group_areas(people, group, refused)
    return found


def grouping_rows(
    found: dict[str, Shares],
    table: pd.DataFrame,
    labels: list[str],
    base: int,
    refused: dict[int, Refused],
    fewest_verified: int,
    conf_level: float,
) -> list[dict[str, object]]:
    """Levels, differences and global test of every measure of one grouping."""
    rows = []
    for name, shares in found.items():
        # Referrals need no reference, so a group too little verified may still show them.
        few = set(np.flatnonzero(table["n"] < fewest_verified)) if name == "referral_rate" else set(refused)
        common = {"term": name, "grouping": table["grouping"].iloc[0], "refused": ""}
        for j, level in enumerate(level_rows(name, shares, conf_level)):
            kept = {"refused": refused[j].code} if j in few else level
            rows.append({**common, "kind": "level", "group": labels[j], **kept})
        if base not in few:
            for j in sorted(set(range(len(labels))) - few - {base}):
                row = difference(shares, j, base, conf_level)
                rows.append({**common, "kind": "difference", "group": labels[j], "versus": labels[base], **row})
        usable = np.array([j not in few for j in range(len(labels))])
        rows.append({**common, "kind": "global", "group": "", **global_test(shares, usable)})
    return rows


def summary(table: pd.DataFrame, refused: dict[int, Refused]) -> pd.DataFrame:
    """People of each group, and the code of its refusal."""
    return pd.DataFrame(
        {
            "grouping": table["grouping"],
            "group": table["group"],
            "n": table["n"].astype(int),
            "n_verified": table[["tp", "fp", "fn", "tn"]].sum(axis=1).astype(int),
            "n_case": (table["tp"] + table["fn"]).astype(int),
            "refused": [refused[j].code if j in refused else "" for j in range(len(table))],
        }
    )


def subgroup_record(
    rows: list[dict[str, object]], tables: list[pd.DataFrame], refusals: list[tuple[str, str, Refused]], **rest: object
) -> SubgroupAccuracy:
    """Terms with adjusted p-values, as a record."""
    columns = ("kind", "grouping", "group", "versus", "numerator", "denominator", "statistic", "df", "test", "refused")
    blank = dict.fromkeys(columns, np.nan) | {"versus": "", "test": ""}
    adjusted = [{**blank, **row, **extra} for row, extra in zip(rows, adjustments(rows), strict=True)]
    tested = [row for row in adjusted if row["kind"] == "difference" and not np.isnan(row["p_holm"])]
    every = {row["term"] for row in rows}
    n_hypotheses = sum(row["term"] != "fnr" or "sensitivity" not in every for row in tested)
    return SubgroupAccuracy(
        terms=term_frame(adjusted),
        groups=pd.concat(tables, ignore_index=True),
        refusals=tuple(refusals),
        n_hypotheses=n_hypotheses,
        n_excluded=0,
        **rest,
    )


def adjustments(rows: list[dict[str, object]]) -> list[dict[str, float]]:
    """Adjusted p-values of every row: differences are one family, global tests another.

    A missed case is a case not found: `fnr` shares the hypothesis, and the adjusted p-values, of `sensitivity`.
    """
    terms, kinds = (np.array([row[name] for row in rows]) for name in ("term", "kind"))
    p_values = np.array([row.get("p_value", np.nan) for row in rows], dtype=float)
    twin = (terms == "fnr") & (terms == "sensitivity").any()
    found = np.full((2, len(rows)), np.nan)
    for kind in ("difference", "global"):
        at = (kinds == kind) & ~twin
        found[:, at] = holm(p_values[at]), benjamini_hochberg(p_values[at])
        # Within each grouping the rows of both measures stand in the same order.
        found[:, twin & (kinds == kind)] = found[:, (terms == "sensitivity") & (kinds == kind) & twin.any()]
    return [{"p_holm": float(one), "p_bh": float(other)} for one, other in found.T]

"""Do pupils of two groups with the same trait answer an item differently? Likelihood-ratio tests of DIF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DataError, ParamsError
from mhlib.findings import Message, Refused, message
from mhlib.stats import inputs
from mhlib.stats.intervals import critical
from mhlib.stats.measurement.irt_answers import Answers, coded_answers
from mhlib.stats.measurement.irt_dif_effects import item_curves, item_effects, mean_shift, total_shift
from mhlib.stats.measurement.irt_dif_models import TwoGroups, ratio_test, sound, two_groups
from mhlib.stats.multiplicity import benjamini_hochberg, holm
from mhlib.stats.terms import term_frame

LEAST_PEOPLE, LEAST_ANCHORS, ROUNDS = 200, 2, 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IrtDifResult:
    """DIF of every item between two groups under the graded response model.

    Attributes
    ----------
    items : pandas.DataFrame
        `item, statistic, df, p_value, p_holm, p_bh` (all parameters), `uniform_statistic, uniform_df, uniform_p,
        nonuniform_statistic, nonuniform_p`, `signed_area, unsigned_area, wabc, standardised` (item points; positive:
        the focal group scores higher at equal theta), `slope_reference, slope_focal, first_statistic, first_p` (all
        other items as anchors, before purification), `flagged, converged`.
    curves : pandas.DataFrame
        `item, theta, reference, focal`: expected item scores, for figures.
    at_cutoffs : pandas.DataFrame
        `cutoff, theta, reference, focal, shift`: expected totals with the flagged items free.
    mean_shift : float
        Points of the total that DIF gives the focal group on average.
    latent_mean, latent_mean_se, latent_sd, latent_sd_se : float
        Of the focal group, in SD of the reference group, with the flagged items free.
    flagged, anchors : tuple of str
    reference, focal : str
    n_reference, n_focal, n_rounds : int
    merged : tuple of (item, value, value it counts as)
    notes : tuple of Message
    """

    items: pd.DataFrame = field(repr=False)
    curves: pd.DataFrame = field(repr=False)
    at_cutoffs: pd.DataFrame
    mean_shift: float
    latent_mean: float
    latent_mean_se: float
    latent_sd: float
    latent_sd_se: float
    flagged: tuple[str, ...]
    anchors: tuple[str, ...]
    reference: str
    focal: str
    n_reference: int
    n_focal: int
    n_rounds: int
    merged: tuple[tuple[str, float, float], ...]
    notes: tuple[Message, ...]
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """A row an item: `estimate` is wABC, `p_value` that of all parameters; then `latent_mean`, `latent_sd`."""
        rows = [{"term": row["item"], "estimate": row["wabc"], **row} for row in self.items.to_dict("records")]
        half = critical(self.conf_level)
        for name in ("latent_mean", "latent_sd"):
            value, error = getattr(self, name), getattr(self, f"{name}_se")
            bounds = {"conf_low": value - half * error, "conf_high": value + half * error}
            rows.append({"term": name, "estimate": value, "std_error": error, **bounds})
        return term_frame(rows)


def dif_likelihood_ratio(
    items: object,
    group: object,
    *,
    reference: object,
    anchors: Sequence[str] | None = None,
    purify: bool = True,
    alpha: float = 0.05,
    min_area: float = 0.1,
    cutoffs: Sequence[float] = (),
    min_count: int = 1,
    conf_level: float = 0.95,
) -> IrtDifResult | Refused:
    """Likelihood-ratio tests of differential item functioning between two groups.

    Parameters
    ----------
    items : DataFrame or array-like of numbers, shape (n, k), k >= 3
        Missing answers allowed (missing at random).
    group : array-like, shape (n,)
        Exactly two groups, none missing.
    reference : value of `group`
        The reference group, theta N(0, 1). The focal group's mean and variance are free.
    anchors : sequence of item names, optional
        Items held equal in both groups; the others are tested each against these. By default every item is tested with
        all others as anchors.
    purify : bool
        Repeat with flagged items free, until the flags stay (at most ten rounds); at least two anchors are kept, those
        with the smallest chi-square per degree of freedom.
    alpha, min_area : float
        An item is flagged when Holm's p <= alpha and wABC >= `min_area` item points: in 130,000 pupils every item is
        significant, so size decides.
    cutoffs : sequence of float
        On the sum of the items' values.
    min_count : int
        A category that fewer people in either group chose is merged, by the rule of :func:`graded_response`.
    conf_level : float

    Returns
    -------
    IrtDifResult or Refused
        Refused `dif_small_group` with fewer than 200 people in a group, `irt_not_converged` when the model with all
        items equal is not found.

    Raises
    ------
    DataError
        Text, a missing group, columns of different lengths.
    DesignError
        An item without two categories used in both groups.
    ParamsError
        Not two groups, an unknown reference or anchor, fewer than three items.

    Notes
    -----
    LR = 2 (l(item free) - l(item equal)); uniform: intercepts free against equal; non-uniform: slope free as well.
    References: Thissen, Steinberg & Wainer (1993); Meade (2010) JAP 95:728; Edelen, Stucky & Chandra (2015) QLR 24:95;
    Kopf, Zeileis & Strobl (2015) EPM 75:22 (anchors).
    Checked against: tests/oracle/irt_anchors.csv (mirt::DIF, scheme drop).
    """
    where = "dif_likelihood_ratio"
    inputs.open_unit(alpha, where=where, name="alpha")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    side, names = sides(group, reference, where=where)
    inputs.same_length(where, items=np.asarray(items), group=side)
    counts = np.bincount(side, minlength=2)
    if counts.min() < LEAST_PEOPLE:
        return refused_small()
    answers = coded_answers(items, where=where, min_count=max(min_count, 1), group=side)
    held = anchor_numbers(answers.names, anchors, where=where)
    models = two_groups(answers, side == 1)
    if not sound(models.fit(free_at_first(held, len(answers.names)))):
        return refused_converged()
    table, freed, rounds = tested(models, answers, held, purify, alpha, min_area)
    return dif_record(models, answers, table, freed, held, names, side, rounds, cutoffs, conf_level)


def sides(group: object, reference: object, *, where: str) -> tuple[np.ndarray, tuple[str, str]]:
    """0 for the reference and 1 for the focal group, and the names of both."""
    column = pd.Series(group).reset_index(drop=True)
    if n_missing := int(column.isna().sum()):
        raise DataError(f"{where}(group)", f"{n_missing} of {len(column)} rows name no group")
    found = list(pd.unique(column))
    if len(found) != 2:
        raise ParamsError(f"{where}(group)", f"{len(found)} groups", allowed="exactly two groups")
    if reference not in found:
        raise ParamsError(f"{where}(reference)", "is no group of these data", allowed=" or ".join(map(str, found)))
    focal = next(value for value in found if value != reference)
    return (column != reference).to_numpy(dtype=np.int64), (str(reference), str(focal))


def anchor_numbers(names: tuple[str, ...], anchors: Sequence[str] | None, *, where: str) -> tuple[int, ...] | None:
    """Positions of the anchors; None when all other items anchor each test."""
    if len(names) < 3:
        raise ParamsError(f"{where}(items)", f"{len(names)} items", allowed="three or more, so that others can anchor")
    if anchors is None:
        return None
    if unknown := [str(name) for name in anchors if str(name) not in names]:
        raise ParamsError(f"{where}(anchors)", "no such item: " + ", ".join(unknown), allowed=", ".join(names))
    if not anchors or len(set(map(str, anchors))) == len(names):
        raise ParamsError(f"{where}(anchors)", "leave nothing to test or to hold", allowed="some of the items")
    return tuple(names.index(str(name)) for name in anchors)


def free_at_first(held: tuple[int, ...] | None, k: int) -> frozenset[int]:
    """Items free before any test: none, or all that are no anchors."""
    return frozenset() if held is None else frozenset(range(k)) - frozenset(held)


def tested(
    models: TwoGroups,
    answers: Answers,
    held: tuple[int, ...] | None,
    purify: bool,
    alpha: float,
    min_area: float,
) -> tuple[pd.DataFrame, frozenset[int], int]:
    """The table of tests, the items free at the end, and the rounds made."""
    k = len(answers.names)
    candidates = [j for j in range(k) if held is None or j not in held]
    freed = free_at_first(held, k)
    table = flagged_table(models, answers, candidates, freed, alpha, min_area)
    first, rounds, seen = table[["item", "statistic", "p_value"]], 1, {freed}
    while held is None and purify and rounds < ROUNDS:
        now = kept_free(table, answers.names)
        if now in seen:
            break
        freed, rounds = now, rounds + 1
        seen.add(now)
        table = flagged_table(models, answers, candidates, freed, alpha, min_area)
    table = table.assign(first_statistic=first["statistic"], first_p=first["p_value"])
    return table, kept_free(table, answers.names) if held is None else freed, rounds


def kept_free(table: pd.DataFrame, names: tuple[str, ...]) -> frozenset[int]:
    """Flagged items, less those needed as the last two anchors (smallest chi-square per degree of freedom)."""
    ranked = table.loc[table["flagged"]].copy()
    ranked["ease"] = ranked["statistic"] / ranked["df"]
    ranked = ranked.sort_values("ease", ascending=False, kind="stable")
    return frozenset(names.index(name) for name in ranked["item"][: max(len(names) - LEAST_ANCHORS, 0)])


def flagged_table(
    models: TwoGroups,
    answers: Answers,
    candidates: Sequence[int],
    freed: frozenset[int],
    alpha: float,
    min_area: float,
) -> pd.DataFrame:
    """Tests and sizes of every candidate with `freed` items free."""
    values = np.concatenate(answers.values)
    table = pd.DataFrame([tested_item(models, answers.names[j], j, freed, values) for j in candidates])
    table["p_holm"], table["p_bh"] = (adjust(table["p_value"].to_numpy()) for adjust in (holm, benjamini_hochberg))
    table["flagged"] = (table["p_holm"] <= alpha) & (table["wabc"] >= min_area)
    leading = ["item", "statistic", "df", "p_value", "p_holm", "p_bh"]
    return table[[*leading, *(name for name in table.columns if name not in leading)]]


def tested_item(models: TwoGroups, name: str, j: int, freed: frozenset[int], values: np.ndarray) -> dict[str, object]:
    """One row of the table."""
    others = freed - {j}
    equal, shifted, free = models.fit(others), models.fit(others, {j}), models.fit(others | {j})
    value, df, p = ratio_test(equal, free)
    uniform, uniform_df, uniform_p = ratio_test(equal, shifted)
    other, _, other_p = ratio_test(shifted, free)
    return {
        "item": name,
        "statistic": value,
        "df": df,
        "p_value": p,
        "uniform_statistic": uniform,
        "uniform_df": uniform_df,
        "uniform_p": uniform_p,
        "nonuniform_statistic": other,
        "nonuniform_p": other_p,
        **item_effects(free, j, values, models.layout),
        "converged": sound(equal) and sound(shifted) and sound(free),
    }


def dif_record(
    models: TwoGroups,
    answers: Answers,
    table: pd.DataFrame,
    freed: frozenset[int],
    held: tuple[int, ...] | None,
    names: tuple[str, str],
    side: np.ndarray,
    rounds: int,
    cutoffs: Sequence[float],
    conf_level: float,
) -> IrtDifResult:
    """The result: tests, and the impact on the total with the flagged items free."""
    values, layout, final = np.concatenate(answers.values), models.layout, models.fit(freed)
    some, errors = (answers.codes >= 0).any(axis=1), models.latent_errors(freed)
    drawn = [
        item_curves(models.fit(freed | {j}), j, name, values, layout)
        for j, name in enumerate(answers.names)
        if name in set(table["item"])
    ]
    return IrtDifResult(
        items=table,
        curves=pd.concat(drawn, ignore_index=True),
        at_cutoffs=total_shift(final, cutoffs, values, layout),
        mean_shift=mean_shift(final, values, layout),
        latent_mean=final.at.groups[1].mean,
        latent_mean_se=errors[0],
        latent_sd=final.at.groups[1].sd,
        latent_sd_se=errors[1],
        flagged=tuple(table.loc[table["flagged"], "item"]),
        anchors=tuple(name for j, name in enumerate(answers.names) if j not in freed),
        reference=names[0],
        focal=names[1],
        n_reference=int((some & (side == 0)).sum()),
        n_focal=int((some & (side == 1)).sum()),
        n_rounds=rounds,
        merged=answers.merged,
        notes=dif_notes(table, freed, answers),
        n_used=int(some.sum()),
        n_excluded=int((~some).sum()),
        method="likelihood-ratio DIF, graded response model, "
        + ("all other items as anchors" if held is None else "given anchors")
        + (", purified" if rounds > 1 else ""),
        conf_level=conf_level,
    )


def dif_notes(table: pd.DataFrame, freed: frozenset[int], answers: Answers) -> tuple[Message, ...]:
    """What must be said beside the numbers."""
    notes = []
    if not table["converged"].all():
        named = ", ".join(table.loc[~table["converged"], "item"])
        notes.append(message("These tests did not converge and must not be used: {items}.", items=named))
    if table["flagged"].sum() > len(freed):
        notes.append(message("Nearly all items differ between the groups, so no safe anchor exists."))
    if answers.merged:
        named = ", ".join(dict.fromkeys(name for name, _, _ in answers.merged))
        notes.append(message("Rare answers were merged with their neighbour in: {items}.", items=named))
    return tuple(notes)


def refused_small() -> Refused:
    """Too few people in a group."""
    return Refused(
        "dif_small_group",
        message("The smaller group has too few people for a test of item differences."),
        message("At least {n} people in each group.", n=LEAST_PEOPLE),
    )


def refused_converged() -> Refused:
    """The common model was not found."""
    return Refused(
        "irt_not_converged",
        message("The item response model did not converge, so item differences cannot be tested."),
        message("More people, or fewer and better filled answer categories."),
    )

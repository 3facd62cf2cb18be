"""Does an item work alike for two groups at the same level? Tests, sizes and classes of item bias (DIF)."""

from __future__ import annotations

from mhlib.findings import Refused, message
from mhlib.stats import inputs
from mhlib.stats.measurement.dif_counts import checked_answers, checked_tables
from mhlib.stats.measurement.dif_purify import purified
from mhlib.stats.measurement.dif_record import DifResult, record_of, table_of
from mhlib.stats.measurement.dif_rule import checked_rule, demand_method


def dif(
    items: object,
    group: object,
    *,
    reference: object,
    method: str = "mantel_haenszel",
    match: object = "total",
    purify: bool = True,
    max_rounds: int = 10,
    flag: str = "class",
    test: str = "both",
    breslow_day: bool = False,
    cluster: object = None,
    min_group: int = 50,
    alpha: float = 0.05,
    conf_level: float = 0.95,
) -> DifResult | Refused:
    """Item bias of every item between groups, at equal level.

    Parameters
    ----------
    items : DataFrame or array-like of whole numbers, shape (n, k), k >= 2
        Reversed items already turned: nothing is turned here.
    group : array-like, shape (n,)
    reference : label
        The group the others are compared with; never guessed, because it sets the sign of everything.
    method : {'mantel_haenszel', 'logistic', 'ordinal'}
        'mantel_haenszel' compares two groups: Mantel-Haenszel for items with two answers; Mantel, Liu-Agresti and
        standardised mean difference for more. 'logistic' (two answers) and 'ordinal' (proportional odds, any number
        of answers) take two or more groups and also find bias that grows with the level.
    match : {'total', 'rest'} or array-like, shape (n,)
        What equal level means: sum of the anchor items with the item itself, without it, or a score from outside.
    purify : bool
        Take flagged items out of the sum and repeat until nothing changes, at most `max_rounds` times. Not for an
        outside score.
    max_rounds : int
    flag : {'class', 'test', 'holm'}
        Flag by size class B or C (default: with very many pupils every test is significant), by p < `alpha`, or by
        Holm's p < `alpha`.
    test : {'both', 'uniform', 'nonuniform'}
        Which test of the regression methods flags and fills `p_value`.
    breslow_day : bool
        Add Breslow and Day's test of one odds ratio (items with two answers, 'mantel_haenszel').
    cluster : array-like, shape (n,), optional
        School or class. Tests and standard errors are then cluster-robust; `design_effect` says by how much.
    min_group : int
        Fewest complete rows a group must have.
    alpha, conf_level : float

    Returns
    -------
    DifResult or Refused
        People who miss an item, the group or the outside score are left out and counted in `n_excluded`. Refused
        `dif_group_too_small` when a group has fewer than `min_group` complete rows, `dif_too_few_clusters` with fewer
        than 10 clusters.

    Raises
    ------
    DataError
        Text, fractional answers, columns of different lengths.
    DesignError
        One group; an item that does not vary; more than two groups with 'mantel_haenszel', more than two answers
        with 'logistic'.
    ParamsError
        An unknown option or reference.

    Notes
    -----
    Odds ratios, deltas and mean differences are focal over (less) reference: above 1 (0) the focal group answers
    higher at the same level. Delta = 2.35 log(odds ratio), so its sign is that of ETS. Two-answer classes by ETS, more
    answers by |SMD / SD|, regressions by Nagelkerke's gain (Jodoin & Gierl). Purification can come to circle between
    sets; it then stops, and `purification` says so.
    With more than two answers proportional odds hold only nearly in the sum, so where groups differ in level the
    ordinal `nonuniform` and `both` tests reject somewhat too often (8 to 11 % for 5 % at n = 1,000 and half a standard
    deviation between groups); `uniform` keeps its size (tests/stats/test_recovery_dif.py).
    References: Holland & Thayer (1988); Dorans & Kulick (1986); Liu & Agresti (1996) Biometrics 52:1223; Swaminathan &
    Rogers (1990); Zumbo (1999); Begg (1999) for clusters.
    Checked against: tests/oracle/dif_verbal_two.csv (mantelhaen.test, glm), tests/oracle/dif_verbal_three.csv (VGAM,
    MASS::polr), tests/oracle/dif_bfi_n.csv (VGAM), tests/oracle/dif_exam.csv (sandwich::vcovCL); difR's printed values.
    """
    where = "dif"
    rule = checked_rule(method, flag, test, alpha, conf_level, breslow_day, where=where)
    if isinstance(match, str):
        inputs.one_of(match, ("total", "rest"), where=where, name="match")
    answers = checked_answers(items, group, reference=reference, match=match, cluster=cluster, where=where)
    demand_method(method, len(answers.groups), answers.code.max(), where=where)
    sizes = [int((answers.group == g).sum()) for g in range(len(answers.groups))]
    if refused := too_small(sizes, min_group) or too_few_clusters(answers.cluster):
        return refused
    found = purified(answers, rule, match=match, rounds=max_rounds if purify and answers.external is None else 0)
    matched = f"matched on {match}" if isinstance(match, str) else "matched on an outside score"
    return record_of(
        found, rule, names=answers.names, groups=answers.groups, sizes=sizes, matched=matched,
        n_clusters=None if answers.cluster is None else answers.cluster[1],
        n_used=answers.n_used, n_excluded=answers.n_excluded,
    )  # fmt: skip


def dif_from_counts(
    counts: object,
    *,
    answers: object = None,
    levels: object = None,
    names: object = None,
    groups: object = None,
    method: str = "mantel_haenszel",
    flag: str = "class",
    test: str = "both",
    breslow_day: bool = False,
    alpha: float = 0.05,
    conf_level: float = 0.95,
) -> DifResult:
    """Item bias from the number of people by item, stratum, group and answer; no purification, which needs rows.

    Parameters
    ----------
    counts : array-like of counts, shape (item, stratum, group, answer)
        Group 0 is the reference. Items with fewer answers leave the last columns 0.
    answers : array-like, shape (answer,) or (item, answer), optional
        Values of the answers; 0, 1, 2 ... when left out.
    levels : array-like, shape (stratum,) or (item, stratum), optional
        Values of the strata; 0, 1, 2 ... when left out.
    names, groups : sequence of str, optional
    method, flag, test, breslow_day, alpha, conf_level
        As in :func:`dif`.

    Returns
    -------
    DifResult
        The same digits as :func:`dif` with `purify=False` on the rows.

    Raises
    ------
    DataError
        Something that is not a count, or arrays that do not fit each other.
    DesignError
        An item with one answer only; a method that cannot take these groups or answers.

    Notes
    -----
    Checked against: tests/oracle/dif_bfi_n.csv (VGAM on tests/oracle/dif_bfi_n_counts.csv).
    """
    where = "dif_from_counts"
    rule = checked_rule(method, flag, test, alpha, conf_level, breslow_day, where=where)
    tables = checked_tables(counts, answers, levels, where=where)
    k, _, n_groups, _ = tables.counts.shape
    demand_method(method, n_groups, int(tables.n_answers.max()) - 1, where=where)
    sizes = [int(n) for n in tables.counts[0].sum(axis=(0, 2))]
    return record_of(
        table_of(tables, rule), rule, matched="matched on the strata given",
        names=tuple(map(str, names)) if names is not None else tuple(f"item {i + 1}" for i in range(k)),
        groups=tuple(map(str, groups)) if groups is not None else tuple(f"group {g}" for g in range(n_groups)),
        sizes=sizes, n_clusters=None, n_used=sum(sizes), n_excluded=0,
    )  # fmt: skip


def too_small(sizes: list[int], fewest: int) -> Refused | None:
    """A refusal when a group is too small for a comparison at equal level."""
    if min(sizes) >= fewest:
        return None
    return Refused(
        "dif_group_too_small",
        message("A group has fewer than {fewest} complete answers, too few to compare at equal level.", fewest=fewest),
        message("Answers to every item from at least {fewest} pupils of each group.", fewest=fewest),
    )


def too_few_clusters(cluster: tuple[object, int] | None) -> Refused | None:
    """A refusal when there are too few schools for a cluster-robust test."""
    if cluster is None or cluster[1] >= 10:
        return None
    return Refused(
        "dif_too_few_clusters",
        message("Fewer than 10 schools: how far answers vary between schools cannot be told."),
        message("Answers from at least 10 schools, better 40."),
    )

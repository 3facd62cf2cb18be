"""Does acting on a screen do more good than harm? Net benefit over the thresholds that people may hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Check, message
from mhlib.stats import inputs
from mhlib.stats.accuracy.counts import checked_counts, demand_both
from mhlib.stats.accuracy.net_benefit_sums import People, Sums, benefit, benefit_error, everyone, referred
from mhlib.stats.accuracy.roc_curve import UNVERIFIED
from mhlib.stats.intervals import critical
from mhlib.stats.terms import term_frame

ALL, NONE = "treat all", "treat none"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecisionCurve:
    """Net benefit of each rule at each threshold, with intervals that hold at one threshold, not for a whole curve.

    Attributes
    ----------
    table : pandas.DataFrame
        `rule, threshold, net_benefit, std_error, conf_low, conf_high, referral_share, true_positive_share,
        false_positive_share, gain, gain_low, gain_high, avoided_per_100, avoided_low, avoided_high`; rules are the
        columns given, then 'treat all' and 'treat none'. `gain` is over treating all; `avoided_per_100` is the number of
        needless referrals saved in 100 people at no cost in cases found.
    differences : pandas.DataFrame
        `rule, baseline, threshold, estimate, std_error, conf_low, conf_high, p_value`: each later rule less the first;
        empty with a single rule.
    prevalence : float
        Share of cases, as stated or among the rows.
    developed_here : bool
        Whether the risk was fitted on these same people: net benefit is then too good.
    """

    table: pd.DataFrame = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    thresholds: tuple[float, ...]
    prevalence: float
    developed_here: bool
    n_case: int
    n_noncase: int
    n_clusters: int | None = None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `net_benefit`, then `difference` (later rule less the first); columns `rule, threshold, baseline`."""
        kept = ["rule", "threshold", "net_benefit", "std_error", "conf_low", "conf_high"]
        first = self.table[kept].rename(columns={"net_benefit": "estimate"}).assign(term="net_benefit")
        rows = [*first.to_dict("records"), *self.differences.assign(term="difference").to_dict("records")]
        return term_frame(rows).assign(n_used=self.n_used)


def decision_curve(
    rules: object,
    reference: object,
    *,
    thresholds: Sequence[float] = tuple(np.round(np.arange(0.01, 0.51, 0.01), 2).tolist()),
    prevalence: float | None = None,
    cluster: object = None,
    weights: object = None,
    developed_here: bool = False,
    conf_level: float = 0.95,
) -> DecisionCurve:
    """Net benefit of one or several rules against referring everyone and no one.

    Parameters
    ----------
    rules : DataFrame or Series of numbers, shape (n, k) or (n,)
        A risk from 0 to 1 each, or a 0/1 test; a person is referred when it is >= the threshold. Each later rule is
        compared with the first.
    reference : array-like of 0/1 or bool, shape (n,)
    thresholds : sequence of float
        Rising, strictly between 0 and 1: the risk at which one would just refer.
    prevalence : float, optional
        Share of cases where the rule shall be used, taken as known: for case-control rows.
    cluster : array-like, shape (n,), optional
    weights : array-like, shape (n,), optional
        Inverse probability of being in the rows (of verification).
    developed_here : bool
        Say so when the risk was fitted on these rows; see :func:`decision_optimism_check`.
    conf_level : float

    Returns
    -------
    DecisionCurve

    Raises
    ------
    DataError
        Missing values, a rule outside 0-1, other references than 0 and 1.
    DesignError
        No case or no non-case; fewer than two clusters.
    ParamsError
        A threshold of 0 or 1 (odds of 0 or infinity), thresholds that do not rise, a rule's name taken.

    Notes
    -----
    NB(t) = TP/n - FP/n * t/(1 - t); with prevalence pi, Se pi - (1 - Sp)(1 - pi) t/(1 - t). Avoided per 100 = 100
    (NB - NB_all)/(t/(1 - t)). NB is a mean over people, so its error and that of differences are analytic.
    References: Vickers & Elkin (2006) Med Decis Making 26:565; Vickers et al. (2008) BMC Med Inform Decis Mak 8:53;
    Marsh et al. (2020) for inference. Checked against: tests/oracle/decision_net_benefit.csv (plain R, survey::svymean),
    tests/oracle/dca_binary.csv (dcurves).
    """
    where = "decision_curve"
    frame = pd.DataFrame(rules) if not isinstance(rules, pd.Series) else rules.to_frame(rules.name or "rule")
    case = inputs.binary(reference, where=where, name="reference")
    inputs.same_length(where, rules=frame, reference=case, cluster=cluster, weights=weights)
    inputs.without_missing(case, where=where, name="reference", remedy=UNVERIFIED)
    columns = checked_rules(frame)
    weight = inputs.weights_of(weights, len(case), where=where)
    members = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    if members is not None and members[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    return curves(columns, case.astype(int), weight, members, checked_thresholds(thresholds), prevalence, developed_here,
                  conf_level)  # fmt: skip


def decision_curve_from_counts(
    risk_values: object,
    n_case: object,
    n_noncase: object,
    *,
    thresholds: Sequence[float],
    prevalence: float | None = None,
    developed_here: bool = False,
    conf_level: float = 0.95,
) -> DecisionCurve:
    """Net benefit of one rule (named 'rule') from the number of cases and non-cases at each risk.

    Parameters
    ----------
    risk_values : array-like, shape (k,)
        Distinct, 0-1.
    n_case, n_noncase : array-like of counts, shape (k,)
    thresholds, prevalence, developed_here, conf_level
        As in :func:`decision_curve`.

    Returns
    -------
    DecisionCurve
        The same digits as :func:`decision_curve` on the rows.

    Raises
    ------
    DataError
        Different lengths, a risk twice or outside 0-1, counts that are negative or missing.
    DesignError
        No case or no non-case.

    Notes
    -----
    Checked against: tests/oracle/decision_net_benefit.csv (plain R, survey::svymean).
    """
    found = checked_counts(np.asarray(risk_values, dtype=float), n_case, n_noncase, where="decision_curve_from_counts")
    number = np.concatenate([found.case, found.noncase]).astype(int)
    risk = np.repeat(np.tile(found.score, 2), number)
    case = np.repeat(np.repeat([1, 0], len(found.score)), number)
    columns = checked_rules(pd.DataFrame({"rule": risk}))
    return curves(columns, case, np.ones(len(case)), None, checked_thresholds(thresholds), prevalence, developed_here,
                  conf_level)  # fmt: skip


def checked_rules(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Rules by name, each within 0-1 and without missing values."""
    where = "decision_curve"
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names) or {ALL, NONE} & set(names):
        raise ParamsError(
            f"{where}(rules)",
            "a name stands twice or is that of a strategy",
            allowed=f"others than '{ALL}' and '{NONE}'",
        )
    columns = {}
    for name, column in zip(names, frame.columns, strict=True):
        values = inputs.numeric(frame[column], where=where, name=name)
        inputs.without_missing(values, where=where, name=name, remedy="compare on the people who have every rule")
        if n_outside := int(((values < 0) | (values > 1)).sum()):
            raise DataError(
                f"{where}({name})",
                f"{n_outside} of {len(values)} values lie outside 0 to 1",
                allowed="a risk as a proportion, or a test of 0 and 1",
                remedy="turn the score into a risk first; see calibration(model=)",
            )
        columns[name] = values
    return columns


def checked_thresholds(thresholds: Sequence[float]) -> np.ndarray:
    """Thresholds as rising floats strictly between 0 and 1."""
    values = np.asarray(thresholds, dtype=float)
    if values.ndim != 1 or not len(values) or not ((values > 0) & (values < 1)).all() or (np.diff(values) <= 0).any():
        raise ParamsError(
            "decision_curve(thresholds)",
            "are not rising numbers strictly between 0 and 1",
            allowed="0 < threshold < 1",
            remedy="leave 0 and 1 out: there a false alarm costs nothing, or everything",
        )
    return values


def people_of(case: np.ndarray, weight: np.ndarray, cluster: tuple | None, prevalence: float | None) -> People:
    """Mass of each person: by weight, and scaled to the prevalence when one is stated."""
    if prevalence is None:
        return People(case, weight / weight.sum(), False, cluster)
    pi = inputs.open_unit(prevalence, where="decision_curve", name="prevalence")
    total = np.bincount(case, weights=weight, minlength=2)
    return People(case, weight * (np.array([1 - pi, pi]) / total)[case], True, cluster)


def curves(
    columns: dict[str, np.ndarray],
    case: np.ndarray,
    weight: np.ndarray,
    cluster: tuple | None,
    thresholds: np.ndarray,
    prevalence: float | None,
    developed_here: bool,
    conf_level: float,
) -> DecisionCurve:
    """All rules and both plain strategies."""
    inputs.open_unit(conf_level, where="decision_curve", name="conf_level")
    n_case = int(case.sum())
    demand_both((weight * case).sum(), (weight * (1 - case)).sum(), where="decision_curve")
    people, k = people_of(case, weight, cluster, prevalence), len(thresholds)
    levels = {name: np.searchsorted(thresholds, values, side="right") for name, values in columns.items()}
    sums = {name: referred(people, level, k) for name, level in levels.items()}
    whole, odds = everyone(people, k), thresholds / (1 - thresholds)
    reach = critical(conf_level, math.inf if cluster is None else cluster[1] - 1)
    nobody = Sums(*(None if part is None else 0 * part for part in (whole.mass, whole.square, whole.by_cluster)))
    tables = [
        rule_table(name, people, found, whole, thresholds, odds, reach)
        for name, found in (*sums.items(), (ALL, whole), (NONE, nobody))
    ]
    df = math.inf if cluster is None else cluster[1] - 1
    return DecisionCurve(
        table=pd.concat(tables, ignore_index=True),
        differences=differences(people, levels, sums, whole, thresholds, reach, df),
        thresholds=tuple(thresholds.tolist()),
        prevalence=float(whole.mass[1, 0]),
        developed_here=bool(developed_here),
        n_case=n_case,
        n_noncase=len(case) - n_case,
        n_clusters=None if cluster is None else cluster[1],
        n_used=len(case),
        n_excluded=0,
        method="net benefit, analytic errors" + ("" if cluster is None else " by cluster")
        + ("" if prevalence is None else ", at a stated prevalence"),
        conf_level=conf_level,
    )  # fmt: skip


def rule_table(
    name: str, people: People, found: Sums, whole: Sums, thresholds: np.ndarray, odds: np.ndarray, reach: float
) -> pd.DataFrame:
    """Net benefit of one rule, and its gain over treating all, at every threshold."""
    value, error = benefit(found, odds), benefit_error(people, found, whole, odds)
    missed = found.minus(whole)
    gain = benefit(missed, odds)
    # Whom the rule does not refer differ from treating all by one person each, so squares add up to what is missing.
    gain_error = benefit_error(people, missed, whole, odds, squares=whole.square - found.square)
    return pd.DataFrame(
        {
            "rule": name,
            "threshold": thresholds,
            "net_benefit": value,
            "std_error": error,
            "conf_low": value - reach * error,
            "conf_high": value + reach * error,
            "referral_share": found.mass.sum(axis=0),
            "true_positive_share": found.mass[1],
            "false_positive_share": found.mass[0],
            "gain": gain,
            "gain_low": gain - reach * gain_error,
            "gain_high": gain + reach * gain_error,
            "avoided_per_100": 100 * gain / odds,
            "avoided_low": 100 * (gain - reach * gain_error) / odds,
            "avoided_high": 100 * (gain + reach * gain_error) / odds,
        }
    )


def differences(
    people: People,
    levels: dict[str, np.ndarray],
    sums: dict[str, Sums],
    whole: Sums,
    thresholds: np.ndarray,
    reach: float,
    df: float,
) -> pd.DataFrame:
    """Each later rule less the first, paired on the same people."""
    first, *later = levels
    odds, tables = thresholds / (1 - thresholds), []
    for name in later:
        shared = referred(people, np.minimum(levels[first], levels[name]), len(thresholds))
        gap = sums[name].minus(sums[first])
        squares = sums[name].square + sums[first].square - 2 * shared.square
        value, error = benefit(gap, odds), benefit_error(people, gap, whole, odds, squares=squares)
        with np.errstate(invalid="ignore", divide="ignore"):
            p_value = np.where(error > 1e-15, 2 * stats.t.sf(np.abs(value) / error, df), math.nan)
        bounds = {"conf_low": value - reach * error, "conf_high": value + reach * error, "p_value": p_value}
        tables.append(
            pd.DataFrame(
                {
                    "rule": name,
                    "baseline": first,
                    "threshold": thresholds,
                    "estimate": value,
                    "std_error": error,
                    **bounds,
                }
            )
        )
    columns = ["rule", "baseline", "threshold", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def decision_optimism_check(found: DecisionCurve) -> Check:
    """Check that the risk was not fitted on the people who judge it."""
    if found.developed_here:
        detail = message(
            "The risk was fitted on these same pupils: its net benefit is too good. Judge it on new pupils."
        )
    else:
        detail = message("The risk was fixed before these pupils were seen.")
    return Check(message("Net benefit on new pupils"), not found.developed_here, detail)

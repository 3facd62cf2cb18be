"""Do ordered items measure the same thing in every group? The sequence of Wu and Estabrook (2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mhlib.errors import DesignError, ParamsError
from mhlib.findings import Message, Refused, message
from mhlib.stats.measurement.cfa_fitted import few_clusters
from mhlib.stats.measurement.cfa_table import ParameterTable, Row, parameter_table
from mhlib.stats.measurement.cfa_wlsmv import fit_table, prepare
from mhlib.stats.measurement.invariance_steps import CHEN_CFI, CHEN_RMSEA
from mhlib.stats.measurement.ordinal_record import CfaOrdinalResult, Prepared
from mhlib.stats.measurement.ordinal_tests import difference_test
from mhlib.stats.terms import term_frame

STEPS = ("configural", "thresholds", "loadings", "intercepts", "residuals")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrdinalInvarianceResult:
    """Fit of each step, and tests of each against the one before.

    Attributes
    ----------
    steps : pandas.DataFrame
        One row a step: `step, against, chi2, df, p_value, cfi, tli, rmsea, rmsea_low, rmsea_high, srmr` (scaled),
        `n_free, chi2_naive, cfi_naive, rmsea_naive`, then against the step before `diff_chi2, diff_df, diff_p` (Satorra
        2000), `delta_cfi, delta_rmsea, delta_srmr` (scaled) and `holds` (by `rule`; None where the step asks nothing
        new).
    fits : mapping of str to CfaOrdinalResult
        By step, for :func:`invariance_impact` too.
    highest : str
        The strictest step that holds with every step before it.
    rule : Message
        Chen's (2007) rule as it was applied.
    latent_means : pandas.DataFrame
        `group, factor, estimate, std_error, conf_low, conf_high, p_value, variance`: means and variances of the later
        groups when intercepts are equal, in standard deviations of the first group (mean 0, variance 1).
    stopped : Refused or None
        Why the sequence ended before its last step.
    partial : tuple of str
        Parameters that were left free.
    joined : tuple of str
        Items with two categories: thresholds, loadings and intercepts can only be tested together, so the steps between
        are left out.
    gaps : tuple of numpy.ndarray
        Points gained at each threshold of each item.
    """

    steps: pd.DataFrame = field(repr=False)
    fits: Mapping[str, CfaOrdinalResult] = field(repr=False)
    highest: str
    rule: Message = field(repr=False)
    latent_means: pd.DataFrame = field(repr=False)
    stopped: Refused | None
    groups: tuple[str, ...]
    n_by_group: pd.Series = field(repr=False)
    partial: tuple[str, ...]
    joined: tuple[str, ...]
    merged: tuple[str, ...]
    gaps: tuple[np.ndarray, ...] = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row a step: `estimate` is CFI, `p_value` that of the difference; the other columns of `steps` follow."""
        rows = [
            {
                "term": row["step"],
                "estimate": row["cfi"],
                "p_value": row["diff_p"],
                **{
                    ("model_p" if name == "p_value" else name): row[name]
                    for name in row
                    if name not in ("step", "diff_p")
                },
            }
            for row in self.steps.to_dict("records")
        ]
        return term_frame(rows).assign(n_used=self.n_used)


def invariance_wlsmv(
    data: pd.DataFrame,
    model: str,
    *,
    groups: object,
    steps: Sequence[str] = STEPS[:4],
    partial: Sequence[str] = (),
    parameterization: str = "theta",
    missing: str = "listwise",
    least_count: int = 1,
    reference: object = None,
    cluster: object = None,
    conf_level: float = 0.95,
) -> OrdinalInvarianceResult | Refused:
    """Measurement invariance of ordered items over groups.

    Parameters
    ----------
    data : DataFrame, shape (n, ...)
    model : str
        lavaan's language; factor variances are 1 in the first group, so no marker is needed.
    groups : str or array-like
        A column, or one label a row.
    steps : sequence of str
        In this order, of 'configural', 'thresholds', 'loadings', 'intercepts', 'residuals'; each adds to the last.
    partial : sequence of str
        Left free in later groups: `x3|t1`, `f=~x2`, `x3~1`, `x3~~x3`.
    parameterization, missing, least_count, reference, cluster, conf_level
        As in :func:`fit_wlsmv`; both parameterisations give the same fit, and each cluster lies within one group.

    Returns
    -------
    OrdinalInvarianceResult or Refused
        Refused with the codes of :func:`fit_wlsmv` when the first step is; a later one that is ends the sequence.

    Raises
    ------
    ParamsError
        Unknown steps or partial parameters, faults of the model.
    DesignError
        One group only; a cluster in several groups.

    Notes
    -----
    configural: thresholds free, intercepts 0, residual variances 1, factors N(0, 1) in each group. thresholds: equal;
    intercepts and (with two or more equal thresholds) residual variances of later groups free. loadings: equal; factor
    variances of later groups free. intercepts: 0 everywhere; factor means of later groups free. residuals: 1 everywhere.
    With three categories the thresholds step only renames the configural model (df_diff 0). Thresholds, correlations and
    Gamma are computed once per group for all steps.
    References: Wu and Estabrook (2016) Psychometrika 81:1014; Satorra (2000); Chen (2007) SEM 14:464.
    Checked against: tests/oracle/ordinal_invariance.csv (semTools::measEq.syntax and lavaan::lavTestLRT).
    """
    where = "invariance"
    if unknown := [step for step in steps if step not in STEPS]:
        raise ParamsError(f"{where}(steps)", f"'{unknown[0]}' is no step", allowed="one of " + ", ".join(STEPS))
    if not steps:
        raise ParamsError(f"{where}(steps)", "names no step", allowed="of " + ", ".join(STEPS))
    prepared = prepare(
        data, model, groups=groups, missing=missing, least_count=least_count, reference=reference, cluster=cluster,
        where=where,
    )  # fmt: skip
    if refused := few_clusters(prepared.n_clusters):
        return refused
    if len(prepared.groups) < 2:
        raise DesignError(f"{where}(groups)", "one group only", allowed="two or more groups")
    return ladder(prepared, model, steps, partial, parameterization, conf_level, where=where)


def ladder(
    prepared: Prepared,
    model: str,
    steps: Sequence[str],
    partial: Sequence[str],
    parameterization: str,
    conf_level: float,
    *,
    where: str,
) -> OrdinalInvarianceResult | Refused:
    """Fit the steps on moments computed once."""
    base = parameter_table(
        model, columns=prepared.names, groups=prepared.groups, std_lv=True, means=True, ordered=prepared.ordered,
        parameterization=parameterization, where=where,
    )  # fmt: skip
    known = {row.name for row in base.rows}
    if unknown := [name for name in partial if name.replace(" ", "") not in known]:
        raise ParamsError(f"{where}(partial)", f"'{unknown[0]}' is no parameter of the model")
    free = frozenset(name.replace(" ", "") for name in partial)
    joined = tuple(name for name, count in prepared.ordered.items() if count == 2)
    taken = [step for step in STEPS if step in steps and not (joined and step in ("thresholds", "loadings"))]
    fits, stopped = {}, None
    for step in taken:
        table = step_table(base, STEPS[1 : STEPS.index(step) + 1], free, parameterization)
        found = fit_table(prepared, table, parameterization, conf_level=conf_level, where=where)
        if isinstance(found, Refused):
            stopped = found
            break
        fits[step] = found
    if not fits:
        return stopped
    steps_found, last = step_frame(fits), list(fits.values())[-1]
    return OrdinalInvarianceResult(
        steps=steps_found,
        fits=fits,
        highest=highest_step(steps_found),
        rule=chen_rule(),
        latent_means=latent_means(fits),
        stopped=stopped,
        groups=last.groups,
        n_by_group=last.n_by_group,
        partial=tuple(sorted(free)),
        joined=joined,
        merged=prepared.merged,
        gaps=prepared.gaps,
        n_used=last.n_used,
        n_excluded=last.n_excluded,
        method=f"Wu-Estabrook sequence, {last.method}, difference tests by Satorra (2000)",
        conf_level=conf_level,
    )


def step_table(
    base: ParameterTable, equal: Sequence[str], free: frozenset[str], parameterization: str
) -> ParameterTable:
    """Parameter table of a step: the configural one with equalities, and what they allow to set free."""
    equal, latent = frozenset(equal), set(base.latent)
    own = "~~" if parameterization == "theta" else "~*~"
    shared = {name: 0 for name in base.observed}
    for row in base.rows:
        if row.op == "|" and row.group == 0 and "thresholds" in equal and row.name not in free:
            shared[row.lhs] += 1

    def change(row: Row) -> Row:
        later = row.group > 0
        if row.op == "|" and "thresholds" in equal and row.name not in free:
            return replace(row, label="." + row.name)
        if row.op == "=~" and "loadings" in equal and row.name not in free and row.value is None:
            return replace(row, label=row.label or "." + row.name)
        if not later:
            return row
        if row.lhs in latent:
            variance = row.op == "~~" and row.lhs == row.rhs and "loadings" in equal
            return replace(row, value=None) if variance or (row.op == "~1" and "intercepts" in equal) else row
        same_level = "intercepts" in equal and f"{row.lhs}~1" not in free
        if row.op == "~1":
            return replace(row, value=None) if shared[row.lhs] >= 1 and not same_level else row
        if row.op == own and row.lhs == row.rhs:
            same_residual = "residuals" in equal and f"{row.lhs}~~{row.lhs}" not in free
            told = shared[row.lhs] >= 2 or (shared[row.lhs] >= 1 and same_level)
            return replace(row, value=None) if told and not same_residual else row
        return row

    return base.revised(change)


def step_frame(fits: Mapping[str, CfaOrdinalResult]) -> pd.DataFrame:
    """Fit of each step and its difference from the one before."""
    rows, before = [], None
    for step, fit in fits.items():
        good, naive = fit.fit.loc["scaled"], fit.fit.loc["naive"]
        row = {"step": step, "against": before, "chi2": good["chi2"], "df": fit.solution.df}
        row |= {name: good[name] for name in ("p_value", "cfi", "tli", "rmsea", "rmsea_low", "rmsea_high", "srmr")}
        row |= {"n_free": fit.solution.model.built.n_free}
        row |= {f"{name}_naive": naive[name] for name in ("chi2", "cfi", "rmsea")}
        rows.append({**row, **against(None if before is None else fits[before], fit)})
        before = step
    return pd.DataFrame(rows)


def against(before: CfaOrdinalResult | None, now: CfaOrdinalResult) -> dict[str, object]:
    """Difference of a step from the one before it."""
    names = ("diff_chi2", "diff_df", "diff_p", "delta_cfi", "delta_rmsea", "delta_srmr")
    if before is None:
        return {**dict.fromkeys(names, np.nan), "holds": None}
    test = difference_test(before.solution, now.solution, now.data, "scaled_shifted")
    fall = now.fit.loc["scaled"] - before.fit.loc["scaled"]
    asked = test.df > 0
    # A step that frees as much as it ties only gives the model before it other names.
    value = test.value if asked else np.nan
    holds = bool(fall["cfi"] >= CHEN_CFI and fall["rmsea"] <= CHEN_RMSEA) if asked else None
    numbers = (value, test.df, test.p_value, *(float(fall[name]) for name in ("cfi", "rmsea", "srmr")))
    return {**dict(zip(names, numbers, strict=True)), "holds": holds}


def highest_step(steps: pd.DataFrame) -> str:
    """The strictest step that holds with every step before it; one that asks nothing new does not count."""
    held = steps["step"].iloc[0]
    for row in steps.iloc[1:].itertuples():
        if row.holds is False:
            break
        held = row.step if row.holds else held
    return held


def latent_means(fits: Mapping[str, CfaOrdinalResult]) -> pd.DataFrame:
    """Factor means and variances of the later groups, from the intercepts step (else the residuals step)."""
    columns = ["group", "factor", "estimate", "std_error", "conf_low", "conf_high", "p_value", "variance"]
    fit = fits.get("intercepts", fits.get("residuals"))
    if fit is None:
        return pd.DataFrame(columns=columns)
    found, latent = fit.parameters, fit.solution.model.built.latent
    means = found[(found["op"] == "~1") & found["lhs"].isin(latent) & found["free"]]
    own = found[(found["op"] == "~~") & (found["lhs"] == found["rhs"])].set_index(["group", "lhs"])["estimate"]
    variance = [own[group, factor] for group, factor in zip(means["group"], means["lhs"], strict=True)]
    return means.rename(columns={"lhs": "factor"}).assign(variance=variance)[columns].reset_index(drop=True)


def chen_rule() -> Message:
    """The rule in words."""
    return message(
        "A step holds when CFI falls by no more than {cfi} and RMSEA rises by no more than {rmsea}: Chen (2007).",
        cfi=-CHEN_CFI,
        rmsea=CHEN_RMSEA,
    )

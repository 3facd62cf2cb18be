"""Mixed models of pupils in classes in schools: random intercepts at one to three nested levels, Satterthwaite's df."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from mhlib.errors import DataError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.nested_design import Design, columns_of, complete_rows, design_of, parsed
from mhlib.stats.effects.nested_fit import fitted
from mhlib.stats.effects.nested_groups import Nesting, demand_columns, group_names, nesting_of
from mhlib.stats.effects.nested_pass import Sums, sums_of
from mhlib.stats.effects.nested_record import MultilevelOutcomes, MultilevelResult, record_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NestedStatistics:
    """What one pass over the rows leaves; every model of these columns and groups is fitted from it.

    Attributes
    ----------
    sums : Sums
    design : Design
        Its rows are dropped: only names, levels and means stay.
    nesting : Nesting
    formula : str
    slope : str or None
    missing : dict
        Values missing in each column used.
    n_used, n_excluded : int
        Complete rows, and those left out.
    """

    sums: Sums = field(repr=False)
    design: Design = field(repr=False)
    nesting: Nesting = field(repr=False)
    formula: str
    slope: str | None
    missing: dict[str, int]
    n_used: int
    n_excluded: int


def multilevel(
    formula: str,
    data: pd.DataFrame,
    *,
    groups: str | Sequence[str],
    method: str = "reml",
    slope: str | None = None,
    slope_level: str | None = None,
    slope_correlated: bool = True,
    labels: str = "unique",
    conf_level: float = 0.95,
) -> MultilevelResult:
    """Linear mixed model with random intercepts of nested groups, fitted from sufficient statistics.

    Parameters
    ----------
    formula : str
        `outcome ~ fixed effects` in the language of formulaic: `a * b`, `C(x, contr.sum)`, `bs(x, df=4)`. A text or
        categorical column gets treatment contrasts against its first level; the groups stand apart, in `groups`.
    data : pandas.DataFrame
        One row an occasion, or one a pupil where there is no level of pupils.
    groups : str or sequence of str
        One to three columns, the highest first: `["school", "class", "pupil"]`. The lowest must have some groups of
        more than one row.
    method : {'reml', 'ml'}
        ML only to compare models that differ in their fixed effects.
    slope : str, optional
        Numeric column whose effect differs from group to group of `slope_level`.
    slope_level : str, optional
        The lowest level by default.
    slope_correlated : bool
        False holds the covariance of intercept and slope at 0.
    labels : {'unique', 'within'}
        'within': labels begin anew in each group above (class 1 in every school).
    conf_level : float
        0–1, of every interval.

    Returns
    -------
    MultilevelResult
        `converged` is True only with a finite likelihood, a gradient of about zero and a second optimiser, of another
        kind and from another start, at the same deviance; `boundary` names levels whose variance is zero.

    Raises
    ------
    DataError
        A column that is not there, an outcome that is not a finite number, no complete row.
    DesignError
        Groups that are not nested (a pupil in two classes), a level that repeats another, columns that are constant or
        follow from others (named), an outcome without variation.
    ParamsError
        A formula that cannot be read, an unknown option.

    Notes
    -----
    Rows with a missing value in a column used are left out and counted (`missing`, `n_excluded`): valid where what is
    missing depends on what was seen (MAR). V⁻¹ of nested effects is a chain of low-rank downdates, so each evaluation
    costs the number of classes, not of rows. df: Satterthwaite, from exact derivatives of the deviance by (theta,
    sigma), as lmerTest takes them numerically. No p-value is given where df < 4. No asymptotic switch at any size.
    References: Bates, Mächler, Bolker & Walker (2015) J Stat Softw 67(1); Kuznetsova, Brockhoff & Christensen (2017)
    J Stat Softw 82(13); Giesbrecht & Burns (1985) Biometrics 41:477.
    Checked against: tests/oracle/multilevel_fixed.csv, tests/oracle/multilevel_random.csv (lme4, lmerTest).
    """
    found = nested_statistics(
        formula, data, groups=groups, slope=slope, slope_level=slope_level, labels=labels, where="multilevel"
    )
    return multilevel_from_statistics(found, method=method, slope_correlated=slope_correlated, conf_level=conf_level)


def multilevel_outcomes(
    outcomes: Sequence[str],
    formula: str,
    data: pd.DataFrame,
    *,
    groups: str | Sequence[str],
    method: str = "reml",
    slope: str | None = None,
    slope_level: str | None = None,
    slope_correlated: bool = True,
    labels: str = "unique",
    conf_level: float = 0.95,
) -> MultilevelOutcomes:
    """The same model for many outcomes; those missing in the same rows share one pass over the data.

    Parameters
    ----------
    outcomes : sequence of str
        Numeric columns.
    formula : str
        The right side alone: `"treatment + baseline"`.
    data, groups, method, slope, slope_level, slope_correlated, labels, conf_level
        As in :func:`multilevel`.

    Returns
    -------
    MultilevelOutcomes
        One fit an outcome, the same digits as :func:`multilevel` one by one.

    Raises
    ------
    ParamsError
        No outcome, the same twice, or a formula with a left side.
    DataError, DesignError
        As :func:`multilevel`.

    Notes
    -----
    Each outcome keeps its own complete rows. Checked against: tests/oracle/multilevel_fixed.csv (lme4, lmerTest).
    """
    wanted = list(outcomes)
    if not wanted or len(set(wanted)) != len(wanted) or "~" in formula:
        raise ParamsError(
            "multilevel_outcomes", "an outcome twice, none, or a formula with '~'", allowed="outcomes, then 'a + b'"
        )
    demand_columns(data, wanted, where="multilevel_outcomes")
    alike: dict[bytes, list[str]] = {}
    for name in wanted:
        alike.setdefault(data[name].isna().to_numpy().tobytes(), []).append(name)
    fits = {}
    for names in alike.values():
        found = nested_statistics(
            f"{names[0]} ~ {formula}", data, groups=groups, slope=slope, slope_level=slope_level, labels=labels,
            outcomes=names, where="multilevel_outcomes",
        )  # fmt: skip
        for name in names:
            fits[name] = multilevel_from_statistics(
                found, outcome=name, method=method, slope_correlated=slope_correlated, conf_level=conf_level
            )
    return MultilevelOutcomes(
        fits={name: fits[name] for name in wanted},
        n_used=max(fit.n_used for fit in fits.values()),
        n_excluded=min(fit.n_excluded for fit in fits.values()),
        method=fits[wanted[0]].method,
        conf_level=conf_level,
    )


def nested_statistics(
    formula: str,
    data: pd.DataFrame,
    *,
    groups: str | Sequence[str],
    slope: str | None = None,
    slope_level: str | None = None,
    labels: str = "unique",
    outcomes: Sequence[str] = (),
    where: str = "nested_statistics",
) -> NestedStatistics:
    """Read the rows once: check them, and leave what every nested model of these columns needs.

    Parameters
    ----------
    formula, data, groups, slope, slope_level, labels
        As in :func:`multilevel`.
    outcomes : sequence of str, optional
        Columns to be outcomes instead of the left side.

    Returns
    -------
    NestedStatistics
        For :func:`multilevel_from_statistics`; a few thousand numbers for 130,000 pupils.

    Raises
    ------
    DataError, DesignError, ParamsError
        As :func:`multilevel`.

    Notes
    -----
    Checked against: tests/oracle/multilevel_fixed.csv (lme4, lmerTest).
    """
    names, parsed_formula = group_names(groups, where=where), parsed(formula, where=where)
    if slope_level is not None and (slope is None or slope_level not in names):
        raise ParamsError(f"{where}(slope_level)", "is no level of `groups`, or there is no `slope`")
    used = list(dict.fromkeys([*outcomes, *columns_of(parsed_formula if not outcomes else parsed_formula.rhs), *names]))
    if slope is not None and slope not in used:
        used.append(slope)
    frame, missing = complete_rows(data, used, where=where)
    nesting = nesting_of([frame[name] for name in names], names, labels=labels, where=where)
    design = design_of(parsed_formula, outcomes, frame, where=where)
    level = nesting.names.index(slope_level or nesting.names[0]) if slope is not None else -1
    column = None if slope is None else varying(frame[slope], slope, where=where)
    return NestedStatistics(
        sums=sums_of(design, nesting, column, level),
        design=design.without_rows(),
        nesting=nesting.without_rows(),
        formula=formula,
        slope=slope,
        missing=missing,
        n_used=len(frame),
        n_excluded=len(data) - len(frame),
    )


def varying(column: pd.Series, name: str, *, where: str) -> object:
    """Column of a random slope: numeric, and not the same in every row."""
    values = inputs.numeric(column, where=where, name=name)
    if values.min() == values.max():
        raise DataError(f"{where}({name})", "is the same in every row", allowed="a slope's column that varies")
    return values


def multilevel_from_statistics(
    statistics: NestedStatistics,
    *,
    outcome: str | None = None,
    method: str = "reml",
    slope_correlated: bool = True,
    conf_level: float = 0.95,
) -> MultilevelResult:
    """Fit a nested model from the statistics of one pass.

    Parameters
    ----------
    statistics : NestedStatistics
    outcome : str, optional
        The first by default.
    method, slope_correlated, conf_level
        As in :func:`multilevel`.

    Returns
    -------
    MultilevelResult
        The same digits as :func:`multilevel` on the rows.

    Raises
    ------
    DesignError
        An outcome without variation.
    ParamsError
        An outcome that the statistics do not hold, an unknown method.

    Notes
    -----
    Checked against: tests/oracle/multilevel_fixed.csv, tests/oracle/multilevel_random.csv (lme4, lmerTest).
    """
    where = "multilevel"
    inputs.one_of(method, ("reml", "ml"), where=where, name="method")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    chosen = statistics.design.outcomes[0] if outcome is None else outcome
    inputs.one_of(chosen, statistics.design.outcomes, where=where, name="outcome")
    fit = fitted(
        statistics.sums,
        statistics.design,
        statistics.nesting,
        statistics.design.outcomes.index(chosen),
        reml=method == "reml",
        correlated=slope_correlated,
    )
    return record_of(
        fit,
        outcome=chosen,
        formula=statistics.formula,
        slope=statistics.slope,
        missing=statistics.missing,
        n_used=statistics.n_used,
        n_excluded=statistics.n_excluded,
        conf_level=conf_level,
    )

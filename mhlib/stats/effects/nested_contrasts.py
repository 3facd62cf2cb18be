"""Contrasts of fixed effects with Satterthwaite's df, F tests of several at once, and type III tests of whole terms."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.nested_design import Design
from mhlib.stats.effects.nested_fit import LEAST_DF, NestedFit, degrees_of_freedom, estimated
from mhlib.stats.effects.nested_record import MultilevelResult
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContrastResult:
    """Linear combinations of fixed effects.

    Attributes
    ----------
    table : pandas.DataFrame
        `term, estimate, std_error, conf_low, conf_high, p_value, statistic, df`.
    """

    table: pd.DataFrame = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TermTests:
    """F tests, one row a term or hypothesis.

    Attributes
    ----------
    table : pandas.DataFrame
        `term, estimate` (F)`, p_value, num_df, den_df`; no p-value below 4 denominator df.
    """

    table: pd.DataFrame = field(repr=False)
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table


def fixed_contrasts(
    result: MultilevelResult, rows: Mapping[str, Mapping[str, float]], *, conf_level: float | None = None
) -> ContrastResult:
    """Estimate linear combinations of the fixed effects.

    Parameters
    ----------
    result : MultilevelResult
    rows : mapping of label to mapping of term to weight
        `{"effect at wave 2": {"arm[T.new]": 1, "arm[T.new]:wave[T.2]": 1}}`; terms not named weigh 0.
    conf_level : float, optional
        That of the result by default.

    Returns
    -------
    ContrastResult

    Raises
    ------
    ParamsError
        A term that the model does not have.

    Notes
    -----
    df by Satterthwaite: 2 v² / (g'A g), v the contrast's variance, g its gradient by the variance parameters, A their
    covariance. Reference: Kuznetsova, Brockhoff & Christensen (2017). Checked against: tests/oracle/multilevel_means.csv
    (emmeans).
    """
    level = result.conf_level if conf_level is None else conf_level
    inputs.open_unit(level, where="fixed_contrasts", name="conf_level")
    weights = np.array([weights_of_terms(row, result.core.design.names) for row in rows.values()])
    found = estimated(result.core, weights, level)
    return ContrastResult(
        table=term_frame([{"term": label, **row} for label, row in zip(rows, found, strict=True)]),
        n_used=result.n_used,
        n_excluded=result.n_excluded,
        method="contrasts of fixed effects, Satterthwaite df",
        conf_level=level,
    )


def weights_of_terms(row: Mapping[str, float], names: tuple[str, ...]) -> np.ndarray:
    """Named weights as a vector over all fixed effects."""
    if unknown := [name for name in row if name not in names]:
        raise ParamsError(
            "fixed_contrasts(rows)", f"no term {', '.join(unknown)}", allowed=f"terms among {', '.join(names)}"
        )
    return np.array([float(row.get(name, 0.0)) for name in names])


def fixed_joint_test(
    result: MultilevelResult, rows: Mapping[str, Mapping[str, float]], *, label: str = "joint"
) -> TermTests:
    """F test that several linear combinations are all zero.

    Parameters
    ----------
    result : MultilevelResult
    rows : mapping of label to mapping of term to weight
        As in :func:`fixed_contrasts`; combinations that follow from others count once.
    label : str
        Name of the hypothesis.

    Returns
    -------
    TermTests
        One row.

    Raises
    ------
    ParamsError
        A term that the model does not have.

    Notes
    -----
    The combinations are turned into uncorrelated ones, each with its own Satterthwaite df nu; the denominator's df is
    2E / (E - q) with E the sum of nu / (nu - 2). Reference: Fai & Cornelius (1996) J Stat Comput Simul 54:363.
    Checked against: tests/oracle/multilevel_type3.csv (lmerTest).
    """
    weights = np.array([weights_of_terms(row, result.core.design.names) for row in rows.values()])
    return tests_record(result, [{"term": label, **f_test(result.core, weights)}], "F test")


def term_tests(result: MultilevelResult) -> TermTests:
    """Type III F test of every term of the formula.

    Parameters
    ----------
    result : MultilevelResult

    Returns
    -------
    TermTests
        The same whatever contrasts the formula uses; a factor in an interaction with a number is tested where that number
        is 0.

    Raises
    ------
    DesignError
        A model in which sum contrasts do not span the same space (a factor nested in another without its main effect).

    Notes
    -----
    Each term is tested as its columns under contrasts that sum to zero over the levels, all levels with equal weight.
    Checked against: tests/oracle/multilevel_type3.csv (lmerTest::anova, type = 3).
    """
    design = result.core.design
    rows = []
    for term, weights in type_three(design).items():
        rows.append({"term": term, **f_test(result.core, weights)})
    return tests_record(result, rows, "type III F tests")


def tests_record(result: MultilevelResult, rows: list[dict], kind: str) -> TermTests:
    """F tests in their record."""
    return TermTests(
        table=term_frame(rows),
        n_used=result.n_used,
        n_excluded=result.n_excluded,
        method=f"{kind}, Satterthwaite df",
        conf_level=result.conf_level,
    )


def f_test(fit: NestedFit, weights: np.ndarray) -> dict[str, float]:
    """F with Fai and Cornelius' denominator df, as lmerTest."""
    variance = weights @ fit.covariance @ weights.T
    values, vectors = np.linalg.eigh(variance)
    kept = values > max(1e-10 * values[-1], 0.0)
    q = int(kept.sum())
    turned = vectors[:, kept].T @ weights
    squares = (turned @ fit.beta) ** 2 / values[kept]
    df = degrees_of_freedom(fit, turned)
    f, den = float(squares.sum() / q), denominator(df)
    p = float(stats.f.sf(f, q, den)) if den >= LEAST_DF else math.nan
    return {"estimate": f, "p_value": p, "num_df": q, "den_df": den}


def denominator(df: np.ndarray) -> float:
    """One df for a mean of squared t statistics with their own."""
    if len(df) == 1 or np.ptp(df) < 1e-8 * df.max():
        return float(df.mean())
    if (df <= 2).any():
        return 2.0
    total = float((df / (df - 2)).sum())
    return 2 * total / (total - len(df))


def type_three(design: Design) -> dict[str, np.ndarray]:
    """Hypothesis of each term, as rows over the fixed effects.

    Under contrasts that sum to zero, X_sum = X B and so beta_sum = B⁻¹ beta: a term's rows of B⁻¹ are its hypothesis.
    The rows are then turned into differences from each factor's first level, because the denominator's df depends on that
    choice and lmerTest makes it. B is found on a sample of rows that holds every combination of levels.
    """
    own = np.asarray(design.spec.get_model_matrix(design.sample, context={}), dtype=float)
    sums, places = recoded(design, own, "contr.sum")
    treated, _ = recoded(design, own, "contr.treatment")
    found = {}
    for term, place in places.items():
        # Rows over the coefficients that treatment contrasts would have had.
        rows = np.linalg.inv(sums)[place] @ treated
        rows = np.linalg.solve(rows[:, place], rows) @ np.linalg.inv(treated)
        found[term] = np.where(np.abs(rows) < 1e-10, 0.0, rows)
    return found


def recoded(design: Design, own: np.ndarray, coding: str) -> tuple[np.ndarray, dict[str, slice]]:
    """Map B from the design's own columns to those under one coding of all factors, and each term's columns there."""
    from formulaic import ModelSpec

    spec = design.spec
    terms = [term for term in spec.terms if str(term) not in ("1", "0")]
    pieces = [":".join(coded(factor, coding, spec) for factor in term.factors) for term in terms]
    other = ModelSpec(
        formula=" + ".join(["0" if design.intercept is None else "1", *pieces]),
        transform_state=dict(spec.transform_state),
        output="numpy",
        na_action="ignore",
    )
    turned = other.get_model_matrix(design.sample, context={})
    x = np.asarray(turned, dtype=float)
    map_, _, rank, _ = np.linalg.lstsq(own, x, rcond=1e-12)
    if x.shape != own.shape or rank < own.shape[1] or np.abs(own @ map_ - x).max() > 1e-8 * max(np.abs(x).max(), 1.0):
        raise DesignError(
            "term_tests",
            "its terms have no type III hypotheses",
            remedy="test combinations with fixed_joint_test instead",
        )
    slices = [place for term, place in turned.model_spec.term_slices.items() if str(term) not in ("1", "0")]
    return map_, {str(term): place for term, place in zip(terms, slices, strict=True)}


def coded(factor: object, coding: str, spec: object) -> str:
    """A factor's expression, under one coding if it is categorical."""
    text, state = str(factor.expr), spec.encoder_state.get(str(factor))
    plain = factor.eval_method.value == "lookup"
    shown = f"`{text}`" if plain and not text.isidentifier() else text
    if state is None or state[0].value != "categorical":
        return shown
    # A name in backquotes inside C(...) is no Python: it gives way to one that is while the call is read.
    quoted = re.findall(r"`[^`]+`", text)
    names = {f"quoted{i}_": name for i, name in enumerate(quoted)}
    for name, original in names.items():
        text = text.replace(original, name)
    tree = None if plain else ast.parse(text, mode="eval").body
    if isinstance(tree, ast.Call) and getattr(tree.func, "id", "") == "C":
        kept = [word for word in tree.keywords if word.arg != "contrasts"]
        rest = "".join(f", {word.arg}={ast.unparse(word.value)}" for word in kept)
        found = f"C({ast.unparse(tree.args[0])}, {coding}{rest})"
        for name, original in names.items():
            found = found.replace(name, original)
        return found
    return f"C({shown}, {coding})"

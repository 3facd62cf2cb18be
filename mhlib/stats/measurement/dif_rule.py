"""How items are tested and flagged, and what each method can take."""

from __future__ import annotations

from dataclasses import dataclass

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs

METHODS = ("mantel_haenszel", "logistic", "ordinal")
FLAGS = ("class", "test", "holm")
TESTS = ("both", "uniform", "nonuniform")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Method, what flags an item, which test, and levels."""

    method: str
    flag: str
    test: str
    alpha: float
    conf_level: float
    breslow_day: bool


def checked_rule(
    method: str, flag: str, test: str, alpha: float, conf_level: float, breslow_day: bool, *, where: str
) -> Rule:
    """The options as one rule."""
    inputs.one_of(method, METHODS, where=where, name="method")
    inputs.one_of(flag, FLAGS, where=where, name="flag")
    inputs.one_of(test, TESTS, where=where, name="test")
    inputs.open_unit(alpha, where=where, name="alpha")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    if breslow_day and method != "mantel_haenszel":
        raise ParamsError(
            f"{where}(breslow_day)", "belongs to mantel_haenszel", remedy="the regressions test `nonuniform`"
        )
    return Rule(method=method, flag=flag, test=test, alpha=alpha, conf_level=conf_level, breslow_day=breslow_day)


def demand_method(method: str, n_groups: int, highest: int, *, where: str) -> None:
    """Stop where the method cannot take the groups or the answers."""
    if method == "mantel_haenszel" and n_groups > 2:
        raise DesignError(
            f"{where}(group)", f"{n_groups} groups", allowed="two groups with mantel_haenszel",
            remedy="choose method 'ordinal' or 'logistic', or compare two groups at a time",
        )  # fmt: skip
    if method == "logistic" and highest > 1:
        raise DesignError(
            f"{where}(items)", "items with more than two answers", allowed="two answers with logistic",
            remedy="choose method 'ordinal'",
        )  # fmt: skip

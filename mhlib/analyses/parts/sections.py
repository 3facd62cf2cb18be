"""Records that an analysis hands to its report when a section is more than one library result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from mhlib.errors import DesignError
from mhlib.findings import Message, Refused, message


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listed:
    """Several results under each other, each row named by its group."""

    table: pd.DataFrame

    @classmethod
    def of(cls, results: Sequence[tuple[str, object]], *, terms: Sequence[str] | None = None) -> Listed:
        """Tidy frames of the results, with the column `group` in front; rows without an interval stay out."""
        parts = [result.to_frame().assign(group=name) for name, result in results]
        table = pd.concat(parts, ignore_index=True)
        if terms is not None:
            table = table[table["term"].isin(terms)]
        table = table[table["conf_low"].notna()].reset_index(drop=True)
        return cls(table=table[["group", *(name for name in table if name != "group")]])

    def to_frame(self) -> pd.DataFrame:
        """All rows."""
        return self.table


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ItemTable:
    """Item analysis with the names a report shows: items by number, the item-rest correlation by its own name."""

    table: pd.DataFrame

    @classmethod
    def of(cls, result: object) -> ItemTable:
        """From an item analysis whose items are called item_1 …"""
        table = result.to_frame().rename(columns={"term": "item", "estimate": "item_rest"})
        return cls(table=table.assign(item=table["item"].astype(str).str.removeprefix("item_")))

    def to_frame(self) -> pd.DataFrame:
        """One row an item."""
        return self.table


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """A tidy frame and what a figure of it must know: words of its axes, a rule or a mark, which numbers are shares.

    `lacking` says what is not in the frame because it could not be estimated.
    """

    table: pd.DataFrame
    axis: Message | None = None
    rule: float | None = None
    share: bool = False
    x_axis: Message | None = None
    y_axis: Message | None = None
    x_share: bool = False
    y_share: bool = False
    mark: float | None = None
    scale: float | None = None
    diagonal: bool = False
    points: bool = False
    lacking: tuple[Message, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """All rows."""
        return self.table


def tried(estimate: Callable[..., object], *args: object, **options: object) -> object:
    """The estimate, or the refusal that takes its place where the design cannot carry it."""
    try:
        return estimate(*args, **options)
    except DesignError as error:
        return refused_design(error)


def item_number(name: object) -> str:
    """`3` for item_3; any other name as it stands."""
    return str(name).removeprefix("item_")


def nothing_to_correct() -> Refused:
    """No correction where everybody was interviewed."""
    return Refused(
        "nothing_to_correct",
        message("Everybody with a score was interviewed: there is nothing to correct, the figures above stand."),
        message("Nothing."),
    )


def without_cutoff() -> Refused:
    """No screen-positives where no cut-off is stated."""
    return Refused(
        "no_cutoff",
        message("No cut-off is stated, so nobody is screen-positive or screen-negative."),
        message("A cut-off from a published source, fixed beforehand, as parameter cutoff."),
    )


def refused_design(error: DesignError) -> Refused:
    """The refusal that takes a section's place when its design cannot carry the estimate."""
    return Refused(
        "design",
        message("The design of the data cannot carry this estimate{problem}.", problem={"en": _named(error), "zh": ""}),
        message("Data whose design can: the method note names what each section needs."),
    )


def _named(error: DesignError) -> str:
    """The library's own words, which are English; not where they hold a number, since that has passed no gate."""
    return "" if any(sign.isdigit() for sign in error.problem) else f": {error.problem}"


def without_items() -> Refused:
    """No reliability from a sum score alone."""
    return Refused(
        "no_items",
        message("The source holds only a total score; reliability cannot be estimated from it."),
        message("The answers to the single items, one column an item."),
    )


def without_reference() -> Refused:
    """No accuracy without interviews."""
    return Refused(
        "no_reference",
        message("Nobody was interviewed, so nothing can be said about how well the screen tells cases from non-cases."),
        message(
            "Diagnostic interviews, blind to the score, of a random sample of screen-positives and of screen-negatives."
        ),
    )

"""What every figure shares: its record, its axes, and how a number or a name is written on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from mhlib.findings import Message, message
from mhlib.report.disclosure import Gate
from mhlib.report.language import words

OPEN = Gate.of("open_data")
Say = Callable[[Message], str]


@dataclass(frozen=True, slots=True)
class Figure:
    """A kind of figure: its data, its drawing, and what a reader who cannot see it should know."""

    data: Callable[[object, Gate], pd.DataFrame]
    draw: Callable[..., object]
    description: Message


def english(text: Message) -> str:
    """A message in English, for a researcher's own axes."""
    return words(text, "en", OPEN)


def axes(ax: object | None, size: tuple[float, float]) -> object:
    """The given axes, or new ones of a size in inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size)[1]


def label(value: object, say: Say) -> str:
    """The words of a known term; any other name as it stands."""
    from mhlib.report.vocabulary import TERMS

    return " · ".join(say(TERMS[part].words) if part in TERMS else part for part in str(value).split(" · "))


def labels(data: pd.DataFrame, say: Say) -> list[str]:
    """Group and term of each row, whichever there are, parted by a dot."""
    names = [name for name in ("group", "subgroup", "term") if name in data and data[name].nunique(dropna=False) > 1]
    names = names or [name for name in ("group", "term") if name in data][:1]
    found = [" · ".join(label(row[name], say) for name in names if row[name] is not None)
             for row in data.to_dict("records")]  # fmt: skip
    if "interval" not in data:
        return found
    # The same quantity twice differs by how its interval was made.
    return [f"{text} · {say(by)}" if found.count(text) > 1 else text
            for text, by in zip(found, data["interval"], strict=True)]  # fmt: skip


def known(data: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Rows in which the gate left every named column."""
    return data[data[list(names)].notna().all(axis=1)] if len(data) else data


def below_axis(ax: object, **options: object) -> None:
    """A legend a fixed way below the axis, whatever the height of the figure: clear of the axis's own words."""
    from matplotlib.transforms import ScaledTranslation

    down = ax.transAxes + ScaledTranslation(0, -0.54, ax.figure.dpi_scale_trans)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), bbox_transform=down, frameon=False, **options)


def whole_points(ax: object) -> None:
    """Ticks at whole points only: nobody scores 12.5."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def axis_text(text: Message | None, say: Say) -> str:
    """Words of an axis; none for an axis without."""
    return "" if text is None else say(text)


PEOPLE_USED = message("people used")

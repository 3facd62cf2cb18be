"""When accuracy would be a tautology: a reference standard made from the screen itself."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.findings import Message, Refused, message
from mhlib.stats import inputs

# Fewer on a side can be separated by luck.
FEWEST_FOR_CIRCULARITY = 10


def circular_criterion_refusal(
    score: object, reference: object, *, items: pd.DataFrame | None = None, criterion: pd.DataFrame | None = None
) -> Refused | None:
    """Refusal when the reference is a cut of the score, or of one of its items, or was made from either.

    Parameters
    ----------
    score : array-like of numbers, shape (n,)
    reference : array-like of 0/1 or bool, shape (n,)
        Missing where not verified; missing scores are passed over here too.
    items : pandas.DataFrame, shape (n, k), optional
        Items of the score, each looked at in the same way.
    criterion : pandas.DataFrame, shape (n, c), optional
        Columns behind the reference, as its own score or items. One that follows from the score or an item without
        exception (equal, recoded, reversed or coarsened, whatever its name) makes the criterion circular.

    Returns
    -------
    Refused or None
        Code `circular_criterion` when one cut separates all cases from all non-cases, in either direction, with at least
        10 people on each side.

    Notes
    -----
    An interview never agrees with a questionnaire without exception; a rule applied to the questionnaire does.
    """
    where = "circular_criterion_refusal"
    case = inputs.binary(reference, where=where, name="reference")
    columns = {"": inputs.numeric(score, where=where, name="score")}
    if items is not None:
        columns |= {str(name): inputs.numeric(items[name], where=where, name=str(name)) for name in items.columns}
    inputs.same_length(where, reference=case, **columns)
    if criterion is not None:
        return cut_refusal(columns, case) or shared_column_refusal(columns, criterion)
    return cut_refusal(columns, case)


def cut_refusal(columns: dict[str, np.ndarray], case: np.ndarray) -> Refused | None:
    """Refusal when one column separates cases from non-cases."""
    separated = [name for name, values in columns.items() if separates(values, case)]
    if not separated:
        return None
    culprit = named(separated[0])
    return Refused(
        "circular_criterion",
        message(
            "The reference standard is a cut of {culprit}: one cut-off separates every case from every non-case, so "
            "accuracy would be a tautology.",
            culprit=culprit,
        ),
        message(
            "Collect a reference standard that does not use the screen: an interview by raters blind to the score."
        ),
    )


def named(column: str) -> Message:
    """How a sentence calls a column of the screen."""
    return message("the score") if column == "" else message("the item {item}", item=column)


def shared_column_refusal(columns: dict[str, np.ndarray], criterion: pd.DataFrame) -> Refused | None:
    """Refusal when a column of the criterion follows from one of the screen without exception."""
    for name in criterion.columns:
        made = inputs.numeric(criterion[name], where="circular_criterion_refusal", name=str(name))
        inputs.same_length("circular_criterion_refusal", criterion=made, **columns)
        for source, values in columns.items():
            if follows(values, made):
                return Refused(
                    "circular_criterion",
                    message(
                        "The column {column} of the reference standard follows from {culprit} without exception, so "
                        "accuracy would be a tautology.",
                        column=str(name),
                        culprit=named(source),
                    ),
                    message(
                        "Collect a reference standard that does not use the screen: an interview by raters blind to "
                        "the score."
                    ),
                )
    return None


def follows(source: np.ndarray, made: np.ndarray) -> bool:
    """Whether `made` is a monotone function of `source`, rising or falling, with enough people either side of a step."""
    known = ~np.isnan(source) & ~np.isnan(made)
    order = np.lexsort((made[known], source[known]))
    x, y = source[known][order], made[known][order]
    within = x[1:] == x[:-1]
    # Equal answers of the screen must give equal answers of the criterion.
    if len(x) < 2 * FEWEST_FOR_CIRCULARITY or (y[1:] != y[:-1])[within].any():
        return False
    step = np.diff(y)
    if not ((step >= 0).all() or (step <= 0).all()) or not step.any():
        return False
    commonest = np.unique(y, return_counts=True)[1].max()
    return bool(len(y) - commonest >= FEWEST_FOR_CIRCULARITY)


def separates(values: np.ndarray, case: np.ndarray) -> bool:
    """Whether one cut puts all cases on one side and all non-cases on the other, with enough of each."""
    known = ~np.isnan(values) & ~np.isnan(case)
    ill, well = values[known & (case == 1)], values[known & (case == 0)]
    if min(len(ill), len(well)) < FEWEST_FOR_CIRCULARITY:
        return False
    return bool(ill.min() > well.max() or ill.max() < well.min())

"""Knowledge beyond what guessing would have got right."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.clustered import variance_of_total
from mhlib.stats.intervals import wald
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GuessingCorrectedResult:
    """Chance-corrected knowledge, 0 for blind guessing and 1 for all right.

    Attributes
    ----------
    scores : ndarray, shape (n,)
        Of each person in the order given; NaN where left out.
    mean, std_error, conf_low, conf_high, sd : float
    uncorrected : float
        Mean share of right answers.
    chance : float
        Share right that blind guessing of every item gets.
    n_at_chance : int
        People whose corrected score is 0 or below.
    """

    scores: np.ndarray = field(repr=False)
    mean: float
    std_error: float
    conf_low: float
    conf_high: float
    sd: float
    uncorrected: float
    chance: float
    n_at_chance: int
    n_items: int
    n_clusters: int | None
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `corrected` (with interval), `uncorrected`, `chance`, `share_at_chance`."""
        bounds = {"std_error": self.std_error, "conf_low": self.conf_low, "conf_high": self.conf_high}
        rest = {
            "uncorrected": self.uncorrected,
            "chance": self.chance,
            "share_at_chance": self.n_at_chance / self.n_used,
        }
        return term_frame(
            [{"term": "corrected", "estimate": self.mean, **bounds}]
            + [{"term": name, "estimate": value} for name, value in rest.items()]
        )


def guessing_corrected(
    correct: object, *, options: object, omitted: str = "neither", cluster: object = None, conf_level: float = 0.95
) -> GuessingCorrectedResult:
    """Knowledge scores corrected for guessing (formula scoring).

    Parameters
    ----------
    correct : array-like or DataFrame, shape (n, items)
        1 right, 0 wrong, missing not answered.
    options : int, or sequence of int, shape (items,)
        Answers to choose from; 2 for true or false.
    omitted : {'neither', 'exclude'}
        An item not answered counts neither right nor wrong ('do not know'), or the person is left out.
    cluster : array-like, shape (n,), optional
        School: the mean's error allows for it, with t of clusters - 1 df.
    conf_level : float

    Returns
    -------
    GuessingCorrectedResult
        People without any answer are left out and counted.

    Raises
    ------
    DataError
        Answers other than 0, 1 and missing; clusters missing or of another length.
    DesignError
        Nobody answered, or a single person or cluster.
    ParamsError
        Fewer than two options, or numbers of options that fit no items.

    Notes
    -----
    score = mean over items of (right - wrong / (options - 1)). It takes every wrong answer as a blind guess; partial
    knowledge or misinformation breaks that. Reference: Lord (1975) J Educ Meas 12:7.
    """
    where = "guessing_corrected"
    inputs.one_of(omitted, ("neither", "exclude"), where=where, name="omitted")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    right = answers_of(correct, where)
    choice = options_of(options, right.shape[1], where)
    answered = ~np.isnan(right)
    kept = answered.any(axis=1) if omitted == "neither" else answered.all(axis=1)
    if kept.sum() < 2:
        raise DesignError(where, "fewer than two people with answers", allowed="two or more")
    with np.errstate(invalid="ignore"):
        points = np.where(right == 1, 1.0, np.where(right == 0, -1 / (choice - 1), 0.0))
    scores = np.where(kept, points.mean(axis=1), np.nan)
    own, share = scores[kept], np.where(answered, right, 0.0)[kept].mean()
    groups = groups_of(cluster, kept, where)
    error = math.sqrt(variance_of_total((own - own.mean()) / len(own), groups))
    low, high = wald(float(own.mean()), error, conf_level, (groups[1] if groups else len(own)) - 1)
    return GuessingCorrectedResult(
        scores=scores,
        mean=float(own.mean()),
        std_error=error,
        conf_low=low,
        conf_high=high,
        sd=float(own.std(ddof=1)),
        uncorrected=float(share),
        chance=float((1 / choice).mean()),
        n_at_chance=int((own <= 1e-12).sum()),
        n_items=right.shape[1],
        n_clusters=None if groups is None else groups[1],
        n_used=len(own),
        n_excluded=int((~kept).sum()),
        method="formula scoring, right less wrong over options - 1",
        conf_level=conf_level,
    )


def answers_of(correct: object, where: str) -> np.ndarray:
    """Right, wrong and missing as 1, 0, NaN, shape (n, items)."""
    table = correct if isinstance(correct, pd.DataFrame) else pd.DataFrame(np.asarray(correct))
    if not table.shape[1] or not len(table):
        raise DataError(f"{where}(correct)", "holds no item or nobody", allowed="one row a person, one column an item")
    return np.column_stack([inputs.binary(table[name], where=where, name=str(name)) for name in table])


def options_of(options: object, items: int, where: str) -> np.ndarray:
    """Number of answers to each item."""
    choice = np.atleast_1d(np.asarray(options, dtype=float))
    if len(choice) not in (1, items) or not ((choice >= 2) & (choice == np.round(choice))).all():
        raise ParamsError(
            f"{where}(options)", "is no number of answers to each item", allowed="2 or more, once or an item"
        )
    return np.broadcast_to(choice, (items,))


def groups_of(cluster: object, kept: np.ndarray, where: str) -> tuple[np.ndarray, int] | None:
    """Codes of clusters of the people kept."""
    if cluster is None:
        return None
    inputs.same_length(where, correct=kept, cluster=cluster)
    groups = inputs.codes(np.asarray(cluster, dtype=object)[kept], where=where, name="cluster")
    if groups[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    return groups

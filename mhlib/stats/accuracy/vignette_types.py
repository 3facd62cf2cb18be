"""Which vignettes are referred too often, and which too seldom."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mhlib.errors import DataError
from mhlib.stats import inputs
from mhlib.stats.clustered import share
from mhlib.stats.intervals import binomial, on_logit

OVER, UNDER = "over-referral", "under-referral"


def type_table(
    referred: np.ndarray,
    case: np.ndarray,
    label: np.ndarray,
    cluster: tuple[np.ndarray, int] | None,
    *,
    conf_level: float,
) -> pd.DataFrame:
    """Share of wrong answers of each type, with its interval, in rising order of the label.

    Raises
    ------
    DataError
        A type of which some vignettes should be referred and others not.
    """
    rows, mixed = [], 0
    for name in sorted(set(label), key=str):
        inside = label == name
        key = case[inside]
        if key.min() != key.max():
            mixed += 1
            continue
        wrong = np.where(case == 1, 1 - referred, referred)
        rows.append(
            {
                "term": str(name),
                "error": UNDER if key[0] == 1 else OVER,
                **wrong_share(wrong, inside, cluster, conf_level),
            }
        )
    if mixed:
        raise DataError(
            "vignette_detection(vignette_type)",
            f"{mixed} types hold vignettes to refer and vignettes not to refer",
            allowed="one right answer a type",
            remedy="split these types",
        )
    return pd.DataFrame(rows)


def wrong_share(
    wrong: np.ndarray, inside: np.ndarray, cluster: tuple[np.ndarray, int] | None, conf_level: float
) -> dict[str, float]:
    """Share of wrong answers within one type: Wilson, or linearised on the logit with clusters."""
    n, x = int(inside.sum()), int(wrong[inside].sum())
    found = share(wrong, inside * 1.0, weights=np.ones(len(wrong)), cluster=cluster)
    if cluster is None or not 0 < found.value < 1:
        low, high = binomial(x, n, ci="wilson", conf_level=conf_level)
    else:
        low, high = on_logit(found.value, found.std_error, conf_level, found.df)
    error = found.std_error if cluster is not None and 0 < found.value < 1 else math.sqrt(x / n * (1 - x / n) / n)
    return {"estimate": x / n, "std_error": error, "conf_low": low, "conf_high": high, "n_wrong": x, "n": n}


def confusion_table(referred: np.ndarray, case: np.ndarray, label: np.ndarray) -> pd.DataFrame:
    """Answers by type: `type, should_refer, referred, not_referred, n`; last rows all types of each kind together."""
    parts = [(str(name), label == name) for name in sorted(set(label), key=str)]
    parts += [("all", np.ones(len(case), dtype=bool))]
    rows = []
    for name, inside in parts:
        for key in (False, True):
            answers = referred[inside & ((case == 1) == key)]
            if len(answers):
                yes = int(answers.sum())
                rows.append((name, key, yes, len(answers) - yes, len(answers)))
    return pd.DataFrame(rows, columns=["type", "should_refer", "referred", "not_referred", "n"])


def labels_of(vignette_type: object, case: np.ndarray, n: int, where: str) -> np.ndarray:
    """Type of each answer; the right answer itself where no type was given."""
    if vignette_type is None:
        return np.where(case == 1, "to refer", "not to refer").astype(object)
    inputs.codes(vignette_type, where=where, name="vignette_type")
    return np.asarray(pd.Series(vignette_type).reset_index(drop=True), dtype=object)

"""Whether the rows of a group can tell a random slope from the residual at all."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.findings import Refused, message

# Least eigenvalue of the four variance parts' products, as a share of the largest, at which they are four and not three.
RANK = 1e-9


def part_products(n: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sums over groups of tr(A B) for the parts of V: intercept 11', covariance 1t' + t1', slope tt', residual I.

    Parameters
    ----------
    n, first, second : ndarray, shape (g,)
        Rows of each group, sum of t, and sum of t².

    Returns
    -------
    ndarray, shape (4, 4)
        Of full rank where the variances can be told apart.
    """
    cells = [
        (0, 0, n * n), (0, 1, 2 * n * first), (0, 2, first**2), (0, 3, n), (1, 1, 2 * (n * second + first**2)),
        (1, 2, 2 * first * second), (1, 3, 2 * first), (2, 2, second**2), (2, 3, second), (3, 3, n),
    ]  # fmt: skip
    found = np.empty((4, 4))
    for a, b, values in cells:
        found[a, b] = found[b, a] = float(values.sum())
    return found


def identified(slope: np.ndarray, code: np.ndarray) -> bool:
    """Whether intercept, slope, their covariance and the residual can all be told apart.

    Parameters
    ----------
    slope : ndarray, shape (n,)
    code : ndarray of int, shape (n,)
        Group of each row.
    """
    spread = slope.std()
    t = (slope - slope.mean()) / spread if spread > 0 else np.zeros(len(slope))
    n, first = np.bincount(code).astype(float), np.bincount(code, weights=t)
    second = np.bincount(code, weights=t * t)
    if not (second - first**2 / n > RANK * np.maximum(second, 1.0)).any():
        return False
    products = part_products(n, first, second)
    scale = np.sqrt(np.diag(products))
    values = np.linalg.eigvalsh(products / np.outer(scale, scale))
    return bool(values[0] > RANK * values[-1])


def slope_refusal(slope: str, values: np.ndarray, groups: pd.Series) -> Refused | None:
    """Refusal (code `slope_not_identified`) where each group has too few different values of the slope's column."""
    if identified(values, pd.factorize(groups)[0]):
        return None
    return Refused(
        "slope_not_identified",
        message(
            "'{slope}' takes too few values within a group: how far slopes differ cannot be told from the error of "
            "measurement.",
            slope=slope,
        ),
        message("Collect a third wave, at least from some; with two waves use a random intercept or an ANCOVA."),
    )

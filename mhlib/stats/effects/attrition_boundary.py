"""How much loss of pupils a trial may bear: the boundary of the What Works Clearinghouse."""

from __future__ import annotations

import numpy as np

# Standards Handbook 4.1 (US Department of Education, public domain), Table II.1: highest difference between arms, in
# percentage points, at an overall loss of 0, 1, 2 … % that still counts as low attrition.
CAUTIOUS = (
    5.7, 5.8, 5.9, 5.9, 6.0, 6.1, 6.2, 6.3, 6.3, 6.3, 6.3, 6.2, 6.2, 6.1, 6.0, 5.9, 5.9, 5.8, 5.7, 5.5,
    5.4, 5.3, 5.2, 5.1, 4.9, 4.8, 4.7, 4.5, 4.4, 4.3, 4.1, 4.0, 3.8, 3.6, 3.5, 3.3, 3.2, 3.1, 2.9, 2.8,
    2.6, 2.5, 2.3, 2.1, 2.0, 1.8, 1.6, 1.5, 1.3, 1.2, 1.0, 0.9, 0.7, 0.6, 0.4, 0.3, 0.2, 0.0,
)  # fmt: skip
OPTIMISTIC = (
    10.0, 10.1, 10.2, 10.3, 10.4, 10.5, 10.7, 10.8, 10.9, 10.9, 10.9, 10.9, 10.9, 10.8, 10.8, 10.7, 10.6, 10.5, 10.3,
    10.2, 10.0, 9.9, 9.7, 9.5, 9.4, 9.2, 9.0, 8.8, 8.6, 8.4, 8.2, 8.0, 7.8, 7.6, 7.4, 7.2, 7.0, 6.7, 6.5, 6.3, 6.0, 5.8,
    5.6, 5.3, 5.1, 4.9, 4.6, 4.4, 4.2, 3.9, 3.7, 3.5, 3.2, 3.0, 2.8, 2.6, 2.3, 2.1, 1.9, 1.6, 1.4, 1.1, 0.9, 0.7, 0.5, 0.3,
)  # fmt: skip
TABLES = {"cautious": CAUTIOUS, "optimistic": OPTIMISTIC}


def largest_difference(overall: object, *, assumption: str = "cautious") -> np.ndarray:
    """Highest tolerable difference in loss between arms, as a share, at an overall loss given as a share.

    Parameters
    ----------
    overall : float or array-like
        Overall loss, 0–1; between whole per cents the table is joined by straight lines.
    assumption : {'cautious', 'optimistic'}

    Returns
    -------
    ndarray
        NaN where no difference at all is tolerable (beyond 57 % cautious, 65 % optimistic).

    Notes
    -----
    Reference: What Works Clearinghouse (2020) Standards Handbook 4.1, Table II.1.
    """
    table = TABLES[assumption]
    return np.interp(np.asarray(overall, dtype=float) * 100, np.arange(len(table)), table, right=np.nan) / 100

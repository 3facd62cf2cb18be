"""Sums that one chain of imputations keeps up to date, so that no update reads a row whose values did not change."""

from __future__ import annotations

import numpy as np


class ChainState:
    """Completed columns of one chain with their cross-products and sums by school.

    Parameters
    ----------
    values : ndarray, shape (n, q)
        First column ones; missing cells already filled.
    missing : list of ndarray
        For each column the rows that are imputed.
    school : ndarray of int, shape (n,)
    n_schools : int
    """

    def __init__(self, values: np.ndarray, missing: list[np.ndarray], school: np.ndarray, n_schools: int):
        self.values, self.missing, self.school, self.n_schools = values, missing, school, n_schools
        self.cross = values.T @ values
        self.sums = np.column_stack([np.bincount(school, weights=column, minlength=n_schools) for column in values.T])

    def observed(self, column: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cross-products, sums by school and design of the imputed rows, for rows in which `column` was observed."""
        rows = self.missing[column]
        lacking, school = self.values[rows], self.school[rows]
        gone = np.column_stack([np.bincount(school, weights=part, minlength=self.n_schools) for part in lacking.T])
        return self.cross - lacking.T @ lacking, self.sums - gone, lacking

    def replace(self, column: int, drawn: np.ndarray) -> None:
        """Put new values into the missing cells of a column and correct the sums."""
        rows = self.missing[column]
        change = drawn - self.values[rows, column]
        self.values[rows, column] = drawn
        self.sums[:, column] += np.bincount(self.school[rows], weights=change, minlength=self.n_schools)
        fresh = self.values.T @ self.values[:, column]
        self.cross[column, :] = self.cross[:, column] = fresh

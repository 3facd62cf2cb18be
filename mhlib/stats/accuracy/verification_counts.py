"""Who was verified: the six cells that a partly verified screen leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.errors import DataError
from mhlib.stats import inputs


@dataclass(frozen=True, slots=True)
class VerificationCounts:
    """Verified people by test and reference, and the people not verified by test."""

    tp: int
    fp: int
    fn: int
    tn: int
    positive_unverified: int
    negative_unverified: int

    @property
    def n_positive(self) -> int:
        """People who test positive."""
        return self.tp + self.fp + self.positive_unverified

    @property
    def n_negative(self) -> int:
        """People who test negative."""
        return self.fn + self.tn + self.negative_unverified

    @property
    def n_verified(self) -> int:
        """People with a reference."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def n(self) -> int:
        """Everyone tested."""
        return self.n_positive + self.n_negative


def verification_counts(test: object, reference: object, *, verified: object = None) -> VerificationCounts:
    """Count the six cells.

    Parameters
    ----------
    test : array-like of 0/1 or bool, shape (n,)
    reference : array-like of 0/1 or bool, shape (n,)
        Missing where not verified.
    verified : array-like of 0/1 or bool, shape (n,), optional
        Default: the reference is present. A reference beside `verified = 0` is not used.

    Returns
    -------
    VerificationCounts

    Raises
    ------
    DataError
        A missing test, or verified rows without a reference.
    """
    test, case, seen = verified_rows(test, reference, verified, where="verification_counts")
    cells = np.bincount((test * 3 + np.where(seen, case, 2)).astype(int), minlength=6)
    tn, fn, negative_unverified, fp, tp, positive_unverified = (int(cell) for cell in cells)
    return VerificationCounts(tp, fp, fn, tn, positive_unverified, negative_unverified)


def verified_rows(
    test: object, reference: object, verified: object, *, where: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Test 0/1, reference 0/1 (0 where unseen) and whether the row is verified."""
    test = inputs.binary(test, where=where, name="test")
    inputs.without_missing(test, where=where, name="test", remedy="leave unscored rows out and report how many")
    case, seen = reference_rows(reference, verified, where=where)
    inputs.same_length(where, test=test, reference=case)
    return test, case, seen


def reference_rows(reference: object, verified: object, *, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Reference 0/1 (0 where unseen) and whether the row is verified.

    Raises
    ------
    DataError
        Rows called verified that carry no reference.
    """
    case = inputs.binary(reference, where=where, name="reference")
    if verified is None:
        seen = ~np.isnan(case)
    else:
        seen = inputs.binary(verified, where=where, name="verified") == 1
        inputs.same_length(where, reference=case, verified=seen)
        if n_bare := int((seen & np.isnan(case)).sum()):
            raise DataError(
                f"{where}(reference)",
                f"{n_bare} rows are called verified and carry no reference",
                allowed="a reference of 0 or 1 in every verified row",
                remedy="correct `verified`, or leave it out: then a reference present means verified",
            )
    return np.where(seen, case, 0.0), seen


def tested_rows(
    test: object, reference: object, verified: object, cutoff: float | None, *, where: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As :func:`verified_rows`; a score becomes a test by `cutoff`: positive when score >= cutoff."""
    if cutoff is not None:
        score = inputs.numeric(test, where=where, name="test")
        inputs.without_missing(score, where=where, name="test", remedy="leave unscored rows out and report how many")
        test = score >= cutoff
    return verified_rows(test, reference, verified, where=where)

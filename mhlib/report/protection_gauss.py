"""Which cells may be shown without giving a protected one away exactly: greedy elimination, the dearest cell first.

The idea is that of Langsrud's Gaussian elimination (GaussSuppression): candidates are taken in turn, and one whose
showing would make a protected cell a sum of shown ones stays hidden. Here cells are vectors of bits over the cells of
the system, relations and cells already in print are eliminated first, and arithmetic is modulo 2, so that a column of
thousands of cells is a few machine words. Modulo 2 a sum can come out otherwise than in whole numbers when relations
cross in more than two dimensions; the audit, which works in whole numbers, has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass
class Elimination:
    """Bit vectors of relations, cells and protected sums, reduced by all that is known so far.

    Attributes
    ----------
    bits : array of uint64, shape (rows, words)
    mark : array of uint64, shape (rows,)
        A random fingerprint that is reduced along: equal vectors have equal marks.
    """

    bits: np.ndarray
    mark: np.ndarray

    @classmethod
    def of(cls, vectors: sparse.csr_array) -> Elimination:
        """Rows of whole numbers, modulo 2."""
        entries = vectors.tocoo()
        odd = np.round(entries.data).astype(np.int64) % 2 != 0
        row, column = entries.row[odd], entries.col[odd]
        # One word of all rows is looked at far more often than all words of one row.
        bits = np.zeros((vectors.shape[0], (vectors.shape[1] + 63) // 64), dtype=np.uint64, order="F")
        np.bitwise_xor.at(bits, (row, column // 64), np.uint64(1) << (column % 64).astype(np.uint64))
        keys = np.random.default_rng(7).integers(1, 2**63, size=vectors.shape[1]).astype(np.uint64)
        mark = np.zeros(vectors.shape[0], dtype=np.uint64)
        np.bitwise_xor.at(mark, row, keys[column])
        return cls(bits, mark)

    def know(self, row: int) -> None:
        """Takes a row as known: eliminates it from all."""
        vector, mark = self.bits[row].copy(), self.mark[row]
        word = int(np.flatnonzero(vector)[0])
        lowest = vector[word] & (~vector[word] + np.uint64(1))
        holds = np.flatnonzero(self.bits[:, word] & lowest)
        self.bits[holds] ^= vector
        self.mark[holds] ^= mark

    def is_known(self, row: int | np.ndarray) -> np.ndarray:
        """Whether a row is a sum of known ones."""
        return self.mark[row] == 0


def hidden_by_elimination(
    relations: sparse.csr_array, known: np.ndarray, candidates: Sequence[int], protect: sparse.csr_array
) -> np.ndarray:
    """Candidates that must stay hidden, shape (n,) of bool.

    Parameters
    ----------
    relations : csr_array, shape (m, n)
    known : array of int
        Cells in print already.
    candidates : sequence of int
        Cells to show if possible, the dearest first.
    protect : csr_array, shape (p, n)
        Sums of cells that must not become known; those known from the start are left out.
    """
    n, m = relations.shape[1], relations.shape[0]
    system = Elimination.of(sparse.vstack([relations, sparse.eye_array(n), protect], format="csr"))
    for row in [*range(m), *(m + known)]:
        if not system.is_known(row):
            system.know(row)
    kept = np.arange(m + n, m + n + protect.shape[0])
    kept = kept[~system.is_known(kept)]
    hidden = np.zeros(n, dtype=bool)
    for cell in candidates:
        row = m + cell
        if system.is_known(row):
            continue
        if (system.mark[kept] == system.mark[row]).any():
            hidden[cell] = True
        else:
            system.know(row)
    return hidden

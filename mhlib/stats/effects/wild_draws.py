"""Signs by cluster for the wild bootstrap, and the statistics they give."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mhlib.stats.effects.robust_inversion import Resampled

WEBB = np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)])
# Draws by clusters held at once: 4 million float64 are 32 MB.
CELLS = 4_000_000


def every_sign(n_clusters: int) -> np.ndarray:
    """All 2^g rows of signs, the first of them all 1."""
    bits = (np.arange(2**n_clusters)[:, None] >> np.arange(n_clusters)) & 1
    return 1.0 - 2.0 * bits


def drawn_weights(kind: str, n_clusters: int, n_draws: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of weights, shape (block, g); the same seed, kind and number of clusters give the same weights."""
    rng, block = np.random.default_rng(seed), max(1, CELLS // n_clusters)
    for start in range(0, n_draws, block):
        size = (min(block, n_draws - start), n_clusters)
        if kind == "rademacher":
            yield 1.0 - 2.0 * rng.integers(0, 2, size=size, dtype=np.int8)
        else:
            yield WEBB[rng.integers(0, 6, size=size, dtype=np.int8)]


def wild_statistics(
    raw: np.ndarray, information: np.ndarray, contrast: np.ndarray, blocks: Iterator[np.ndarray]
) -> Resampled:
    """Parts of the restricted wild bootstrap's t statistics (CR1 errors, whose scalar cancels), from scores alone.

    Parameters
    ----------
    raw : ndarray, shape (g, p)
        X'We of each cluster, residuals of the fit without the null, columns orthonormal.
    information : ndarray, shape (g, p, p)
        X'WX of each cluster.
    contrast : ndarray, shape (p,)
        The coefficient is contrast'gamma.
    blocks : iterator of ndarray, shape (block, g)

    Notes
    -----
    Imposing contrast'gamma = estimate - d moves the scores of cluster g by d X'WX_g contrast / contrast'contrast.
    """
    reach = information @ contrast
    shift = reach / (contrast @ contrast)
    own0, own1 = raw @ contrast, shift @ contrast
    parts = []
    for weights in blocks:
        first = weights * own0 - (weights @ raw) @ reach.T
        second = weights * own1 - (weights @ shift) @ reach.T
        parts.append(
            (
                weights @ own0,
                weights @ own1,
                np.einsum("bg,bg->b", first, first),
                np.einsum("bg,bg->b", first, second),
                np.einsum("bg,bg->b", second, second),
            )
        )
    return Resampled(*(np.concatenate(part) for part in zip(*parts, strict=True)), float(own0 @ own0))

"""Size classes of item bias, A negligible, B moderate, C large, and corrections for many items."""

from __future__ import annotations

import numpy as np

from mhlib.stats.intervals import critical

DELTA = 2.35
CLASSES = np.array(["A", "B", "C"])


def ets_class(log_ratio: np.ndarray, std_error: np.ndarray, p_value: np.ndarray) -> np.ndarray:
    """Classes of the Educational Testing Service for two answers, on delta = 2.35 times the log odds ratio.

    A: |delta| < 1 or not significant at 5 %. C: |delta| >= 1.5 and significantly above 1 (one-sided 5 %). B: the rest.
    Reference: Zwick (2012) ETS RR-12-08.
    """
    delta, error = np.abs(DELTA * log_ratio), DELTA * std_error
    with np.errstate(invalid="ignore"):
        large = (delta >= 1.5) & (delta - 1 > critical(0.90) * error)
        small = (delta < 1) | ~(p_value < 0.05)
    return CLASSES[np.where(small, 0, np.where(large, 2, 1))]


def naep_class(smd_per_sd: np.ndarray, p_value: np.ndarray) -> np.ndarray:
    """Classes for more than two answers: Mantel not significant at 5 % or |SMD / SD| <= .17 A; above .25 C; else B.

    Reference: Zwick, Thayer & Mazzeo (1997) Applied Measurement in Education 10:321.
    """
    size = np.abs(smd_per_sd)
    small = ~(p_value < 0.05) | ~(size > 0.17)
    return CLASSES[np.where(small, 0, np.where(size > 0.25, 2, 1))]


def penfield_class(log_ratio: np.ndarray, p_value: np.ndarray) -> np.ndarray:
    """Classes of the log cumulative odds ratio: |log| < .43 or not significant A, up to .64 B, beyond C.

    Reference: Penfield (2007) Applied Measurement in Education 20:335 (the ETS bounds 1 and 1.5 over 2.35).
    """
    size = np.abs(log_ratio)
    small = ~(p_value < 0.05) | ~(size >= 0.43)
    return CLASSES[np.where(small, 0, np.where(size > 0.64, 2, 1))]


def jodoin_gierl_class(gain: np.ndarray, p_value: np.ndarray) -> np.ndarray:
    """Classes of the gain in Nagelkerke's R2: not significant at 5 % or < .035 A, < .07 B, else C.

    Reference: Jodoin & Gierl (2001) Applied Measurement in Education 14:329.
    """
    return _of_gain(gain, p_value, 0.035, 0.07)


def zumbo_class(gain: np.ndarray, p_value: np.ndarray) -> np.ndarray:
    """Classes of the gain in Nagelkerke's R2: not significant at 1 % or < .13 A, < .26 B, else C.

    Reference: Zumbo & Thomas (1997), as in Zumbo (1999): the test is read at 1 %.
    """
    return _of_gain(gain, np.where(p_value < 0.01, 0.0, 1.0), 0.13, 0.26)


def _of_gain(gain: np.ndarray, p_value: np.ndarray, moderate: float, large: float) -> np.ndarray:
    """A, B or C by two bounds, A when not significant at 5 %."""
    small = ~(p_value < 0.05) | ~(gain >= moderate)
    return CLASSES[np.where(small, 0, np.where(gain >= large, 2, 1))]

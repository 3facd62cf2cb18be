"""How the items of each questionnaire answer to a pupil's latent distress (graded, probit)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm


@dataclass(frozen=True, slots=True)
class Instrument:
    """One questionnaire; `shared` is its correlation with the distress behind PHQ-9, `sign` -1 when low means distress."""

    key: str
    n_items: int
    n_options: int
    shared: float
    first: float
    step: float
    reverse: tuple[int, ...] = ()
    sign: int = 1

    @property
    def columns(self) -> list[str]:
        """Names of the answers."""
        return [f"{self.key}_{number}" for number in range(1, self.n_items + 1)]

    @property
    def slopes(self) -> np.ndarray:
        """Loading of each item, shape (n_items,); no two neighbours alike."""
        even = np.linspace(0.58, 0.82, self.n_items)
        return np.r_[even[::2], even[1::2]]

    @property
    def thresholds(self) -> np.ndarray:
        """Category bounds, shape (n_items, n_options - 1), in SDs of the item's latent answer."""
        base = self.first + self.step * np.arange(self.n_options - 1)
        return base + np.linspace(-0.25, 0.25, self.n_items)[:, None]

    def chances(self, theta: np.ndarray) -> np.ndarray:
        """P(option | theta), shape (len(theta), n_items, n_options), of a scale that is not reversed."""
        noise = np.sqrt(1 - self.slopes**2)[:, None]
        below = norm.cdf((self.thresholds[None] - self.slopes[:, None] * theta[:, None, None]) / noise)
        edges = np.pad(below, ((0, 0), (0, 0), (1, 1)), constant_values=((0, 0), (0, 0), (0, 1)))
        return np.diff(edges, axis=2)


PHQ_9 = Instrument("phq_9", 9, 4, 1.0, 0.35, 0.75)
INSTRUMENTS = (
    PHQ_9,
    Instrument("gad_7", 7, 4, 0.80, 0.45, 0.75),
    Instrument("ces_dc", 20, 4, 0.85, 0.30, 0.70, reverse=(4, 8, 12, 16)),
    Instrument("who_5", 5, 6, 0.70, -1.6, 0.65, sign=-1),
)
ANSWERS = tuple(name for tool in INSTRUMENTS for name in tool.columns)

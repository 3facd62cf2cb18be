"""What past terms say about the chance to leave, lapse, renew or certify, and how unsure that leaves the next terms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mhlib.errors import DataError
from mhlib.stats import inputs

# Jeffreys' prior: half an event and half a non-event.
PRIOR = 0.5
# Spread between terms beyond chance is looked for from this many past terms.
FEWEST_FOR_SPREAD = 4


@dataclass(frozen=True, slots=True)
class Flow:
    """Events among people at risk over past terms, and their spread between terms beyond chance (1 = none)."""

    events: float
    at_risk: float
    n_terms: int
    dispersion: float

    @property
    def rate(self) -> float:
        """Events a person and term."""
        return (self.events + PRIOR) / (self.at_risk + 2 * PRIOR)

    def drawn_rates(self, rng: np.random.Generator, n_sim: int, *, sure: bool) -> np.ndarray:
        """Rates that the past terms allow for, shape (n_sim,): beta, with spread between terms as fewer people."""
        if sure:
            return np.full(n_sim, self.rate)
        events, others = self.events / self.dispersion, (self.at_risk - self.events) / self.dispersion
        return rng.beta(events + PRIOR, others + PRIOR, n_sim)

    def drawn_events(self, rng: np.random.Generator, people: np.ndarray, rate: np.ndarray) -> np.ndarray:
        """Events among people in one term, shape (n_sim,): binomial, or beta-binomial where terms differ beyond chance."""
        if self.dispersion > 1:
            size = max(self.at_risk / self.n_terms, 2.0)
            correlation = min((self.dispersion - 1) / (size - 1), 0.99)
            strength = (1 - correlation) / correlation
            rate = rng.beta(np.maximum(rate * strength, 1e-9), np.maximum((1 - rate) * strength, 1e-9))
        return rng.binomial(people.astype(np.int64), rate)


def flow_of(past: object, *, where: str, name: str) -> Flow:
    """A flow from (events, at risk) or a sequence of such pairs, one a term.

    Raises
    ------
    DataError
        No pairs of counts, more events than people.
    """
    try:
        pairs = np.atleast_2d(np.asarray(past, dtype=float))
    except (TypeError, ValueError):
        pairs = np.empty((0, 0))
    if pairs.ndim != 2 or pairs.shape[1:] != (2,) or not len(pairs):
        raise DataError(f"{where}({name})", "is no (events, people at risk)", allowed="a pair of counts, or one a term")
    for value in pairs.ravel():
        inputs.count(value, where=where, name=name)
    if (pairs[:, 0] > pairs[:, 1]).any():
        raise DataError(f"{where}({name})", "more events than people at risk", allowed="events <= at risk in each term")
    events, at_risk = pairs.sum(axis=0)
    return Flow(float(events), float(at_risk), len(pairs), spread_between(pairs))


def spread_between(pairs: np.ndarray) -> float:
    """Pearson's chi-square a degree of freedom of the terms' rates, at least 1; 1 below four terms with anybody in them."""
    pairs = pairs[pairs[:, 1] > 0]
    rate = pairs[:, 0].sum() / pairs[:, 1].sum() if len(pairs) else 0.0
    if len(pairs) < FEWEST_FOR_SPREAD or not 0 < rate < 1:
        return 1.0
    chi = ((pairs[:, 0] - pairs[:, 1] * rate) ** 2 / (pairs[:, 1] * rate * (1 - rate))).sum()
    return max(float(chi / (len(pairs) - 1)), 1.0)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """New certificates a past term: their mean and spread beyond Poisson (1 = none)."""

    total: float
    n_terms: int
    dispersion: float

    def drawn(self, rng: np.random.Generator, n_sim: int, terms: int, *, sure: bool) -> np.ndarray:
        """New certificates, shape (n_sim, terms): gamma mean, Poisson or negative binomial terms."""
        mean = np.full(n_sim, (self.total + PRIOR) / self.n_terms)
        if not sure:
            mean = rng.gamma(self.total / self.dispersion + PRIOR, self.dispersion / self.n_terms, n_sim)
        mean = np.repeat(mean[:, None], terms, axis=1)
        if self.dispersion > 1:
            mean = rng.gamma(np.maximum(mean / (self.dispersion - 1), 1e-9), self.dispersion - 1)
        return rng.poisson(mean)


def arrivals_of(past: object, *, where: str, name: str) -> Arrivals:
    """Arrivals from counts, one a past term."""
    counts = inputs.numeric(np.atleast_1d(past), where=where, name=name)
    for value in counts:
        inputs.count(value, where=where, name=name)
    n, mean = len(counts), float(counts.mean()) if len(counts) else 0.0
    spread = float(counts.var(ddof=1) / mean) if n >= FEWEST_FOR_SPREAD and mean > 0 else 1.0
    return Arrivals(float(counts.sum()), n, max(spread, 1.0))

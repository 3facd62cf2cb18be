"""The likelihood of the two-class latent class model: EM from several starts, then Newton."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from mhlib.errors import DesignError

STARTS, EM_STEPS, NEWTON_STEPS = 12, 200, 50
SEED = 19800301
# Beyond this logit an estimate counts as standing at 0 or 1.
EDGE = 12.0
FLAT = 1e-8
LEAST = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Counts by population and pattern, and the results that make each pattern."""

    counts: np.ndarray
    digits: np.ndarray

    @property
    def n_populations(self) -> int:
        """Populations."""
        return len(self.counts)

    @property
    def n_tests(self) -> int:
        """Tests."""
        return self.digits.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Logits of prevalences, sensitivities and specificities, their covariance, and which stand inside 0–1."""

    theta: np.ndarray
    covariance: np.ndarray
    log_likelihood: float
    inside: np.ndarray


def joint(theta: np.ndarray, table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Probability of each pattern together with being a case, and with not being one, by population."""
    p, k = table.n_populations, table.n_tests
    prevalence, sens, spec = expit(theta[:p]), expit(theta[p : p + k]), expit(theta[p + k :])
    x = table.digits
    ill = np.prod(np.where(x == 1, sens, 1 - sens), axis=1)
    well = np.prod(np.where(x == 1, 1 - spec, spec), axis=1)
    return prevalence[:, None] * ill, (1 - prevalence)[:, None] * well


def log_likelihood(theta: np.ndarray, table: Table) -> float:
    """Without the multinomial constants, as is the custom."""
    ill, well = joint(theta, table)
    return float((table.counts * np.log(np.maximum(ill + well, 1e-300))).sum())


def expected_counts(theta: np.ndarray, table: Table) -> np.ndarray:
    """Counts that the model expects."""
    ill, well = joint(theta, table)
    return table.counts.sum(axis=1, keepdims=True) * (ill + well)


def row_scores(theta: np.ndarray, table: Table) -> np.ndarray:
    """Score of one person of each population and pattern on the logit scale, shape (populations, patterns, params)."""
    ill, well = joint(theta, table)
    share = ill / np.maximum(ill + well, 1e-300)
    p, k = table.n_populations, table.n_tests
    scores = np.zeros((*share.shape, p + 2 * k))
    for j in range(p):
        scores[j, :, j] = share[j] - expit(theta[j])
    for j in range(k):
        x = table.digits[:, j]
        scores[:, :, p + j] = share * (x - expit(theta[p + j]))
        scores[:, :, p + k + j] = (1 - share) * (1 - x - expit(theta[p + k + j]))
    return scores


def gradient(theta: np.ndarray, table: Table) -> np.ndarray:
    """Gradient of the log likelihood."""
    return np.einsum("ps,psj->j", table.counts, row_scores(theta, table))


def information(theta: np.ndarray, table: Table) -> np.ndarray:
    """Observed information, by central differences of the gradient."""
    h, rows = 1e-5, []
    for j in range(len(theta)):
        e = np.zeros(len(theta))
        e[j] = h
        rows.append(-(gradient(theta + e, table) - gradient(theta - e, table)) / (2 * h))
    found = np.array(rows)
    return (found + found.T) / 2


def em_ends(starts: np.ndarray, table: Table) -> np.ndarray:
    """Where EM arrives from many starts at once, shape (starts, parameters), as shares."""
    p, k, x = table.n_populations, table.n_tests, table.digits
    n, ends = table.counts.sum(axis=1), starts
    for _ in range(EM_STEPS):
        prevalence, sens, spec = np.split(np.clip(ends, LEAST, 1 - LEAST), [p, p + k], axis=1)
        ill = np.exp(np.log(sens) @ x.T + np.log1p(-sens) @ (1 - x).T)
        well = np.exp(np.log1p(-spec) @ x.T + np.log(spec) @ (1 - x).T)
        both = prevalence[:, :, None] * ill[:, None, :]
        case = table.counts * both / (both + (1 - prevalence)[:, :, None] * well[:, None, :])
        in_case, in_other = case.sum(axis=1), (table.counts - case).sum(axis=1)
        new = np.concatenate(
            [
                case.sum(axis=2) / n,
                in_case @ x / np.maximum(in_case.sum(axis=1, keepdims=True), LEAST),
                in_other @ (1 - x) / np.maximum(in_other.sum(axis=1, keepdims=True), LEAST),
            ],
            axis=1,
        )
        if np.abs(new - ends).max() < 1e-6:
            return new
        ends = new
    return ends


def fitted(table: Table) -> Fit:
    """The best of several starts, polished, with cases as the class of more positives.

    Raises
    ------
    DesignError
        A likelihood that is flat in some direction: different accuracies explain the table equally well.
    """
    rng = np.random.default_rng(SEED)
    p, k = table.n_populations, table.n_tests
    starts = np.hstack([rng.uniform(0.1, 0.9, (STARTS, p)), rng.uniform(0.55, 0.95, (STARTS, 2 * k))])
    edge = expit(EDGE + 1)
    ends = logit(np.clip(em_ends(starts, table), 1 - edge, edge))
    theta = newton(labelled(max(ends, key=lambda end: log_likelihood(end, table)), table), table)
    inside = np.abs(theta) < EDGE
    return Fit(theta, covariance_of(theta, table, inside), log_likelihood(theta, table), inside)


def labelled(theta: np.ndarray, table: Table) -> np.ndarray:
    """The same fit with its classes named so that tests are positive more often in cases, summed over tests."""
    p, k = table.n_populations, table.n_tests
    sens, spec = expit(theta[p : p + k]), expit(theta[p + k :])
    if (sens + spec - 1).sum() >= 0:
        return theta
    return np.concatenate([-theta[:p], -theta[p + k :], -theta[p : p + k]])


def newton(theta: np.ndarray, table: Table) -> np.ndarray:
    """Newton steps on the parameters inside 0–1, halved until the likelihood rises."""
    for _ in range(NEWTON_STEPS):
        free = np.abs(theta) < EDGE
        step = np.zeros_like(theta)
        slope, curve = gradient(theta, table)[free], information(theta, table)[np.ix_(free, free)]
        step[free] = np.linalg.lstsq(curve, slope, rcond=FLAT)[0]
        here, size = log_likelihood(theta, table), 1.0
        while size > 1e-6 and not log_likelihood(theta + size * step, table) >= here - 1e-10:
            size /= 2
        if size <= 1e-6:
            return theta
        theta = np.clip(theta + size * step, -EDGE - 1, EDGE + 1)
        if np.abs(step).max() < 1e-9:
            return theta
    return theta


def covariance_of(theta: np.ndarray, table: Table, inside: np.ndarray) -> np.ndarray:
    """Inverse observed information of the parameters inside 0–1; zero for those on the edge.

    Raises
    ------
    DesignError
        Information that is flat in some direction.
    """
    curve = information(theta, table)[np.ix_(inside, inside)]
    size = np.sqrt(np.maximum(np.diag(curve), 1e-300))
    values = np.linalg.eigvalsh(curve / np.outer(size, size))
    if values[0] <= FLAT**0.5 * values[-1]:
        raise DesignError(
            "latent_class",
            "the table does not tell the accuracies apart: the likelihood is flat at its top",
            allowed="populations of clearly different prevalence, and tests that agree beyond chance",
            remedy="add a test, or a population of another prevalence",
        )
    covariance = np.zeros((len(theta), len(theta)))
    covariance[np.ix_(inside, inside)] = np.linalg.inv(curve)
    return covariance

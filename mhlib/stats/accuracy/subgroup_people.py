"""People screened, who of them was verified, and the groups they belong to, checked and in arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats import inputs
from mhlib.stats.accuracy.roc_curve import UNVERIFIED

CORRECTIONS = {"begg_greenes": "Begg & Greenes (1983) within groups", "ipw": "inverse probability of verification"}
Cluster = tuple[np.ndarray, int]


@dataclass(frozen=True, slots=True)
class Screened:
    """Everyone tested; `case` is NaN where not verified, `score` rises towards ill, `chance` is that of verification."""

    score: np.ndarray
    test: np.ndarray
    case: np.ndarray
    mass: np.ndarray
    chance: np.ndarray | None
    correction: str | None
    weighted: bool
    cluster: Cluster | None

    @property
    def plain(self) -> bool:
        """Whether everyone was verified, is independent and counts once."""
        return self.correction is None and self.cluster is None and not self.weighted

    def contributions(self, group: Cluster, refused: dict[int, Refused]) -> tuple[np.ndarray, np.ndarray]:
        """Each person's contribution to the number of cases and of people; 0 within refused groups."""
        code, k = group
        seen = ~np.isnan(self.case)
        ill = np.where(seen, self.case, 0.0)
        left = ~np.isin(code, list(refused))
        if self.correction != "begg_greenes":
            known = self.known()
            return left * known * ill, left * known
        cell = (2 * code + self.test).astype(int)
        rate, up = cell_rates(cell, seen, ill, 2 * k)
        expected = rate[cell] + seen * up[cell] * (ill - rate[cell])
        return np.where(left, expected, 0.0), left.astype(float)

    def known(self) -> np.ndarray:
        """How many people a verified one stands for, by design; 0 for the others."""
        seen = ~np.isnan(self.case)
        chance = np.ones(len(seen)) if self.chance is None else np.where(seen, self.chance, 1.0)
        return np.where(seen, self.mass / chance, 0.0)

    def standing_for(self, group: Cluster) -> np.ndarray:
        """As :meth:`known`; with Begg & Greenes by the verified share of the person's group and test result."""
        if self.correction != "begg_greenes":
            return self.known()
        cell, seen = (2 * group[0] + self.test).astype(int), ~np.isnan(self.case)
        return seen * cell_rates(cell, seen, np.zeros(len(cell)), 2 * group[1])[1][cell]


def cell_rates(cell: np.ndarray, seen: np.ndarray, ill: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Case rate among the verified of each cell, and people per verified one; 0 where nobody was verified."""
    n_all, n_seen = np.bincount(cell, minlength=size), np.bincount(cell, weights=seen, minlength=size)
    cases = np.bincount(cell, weights=ill * seen, minlength=size)
    some = np.maximum(n_seen, 1)
    return np.where(n_seen > 0, cases / some, 0.0), np.where(n_seen > 0, n_all / some, 0.0)


def tested_people(
    score: object,
    reference: object,
    sign: int,
    cutoff: float,
    correction: str | None,
    probability: object,
    cluster: object,
    weights: object,
) -> Screened:
    """Checked columns.

    Raises
    ------
    DataError
        Missing scores, missing references without a correction, a verified row without a probability.
    ParamsError
        A correction that is not known, or options that do not fit together.
    """
    where = "subgroup_accuracy"
    values = inputs.numeric(score, where=where, name="score")
    case = inputs.binary(reference, where=where, name="reference")
    inputs.same_length(where, score=values, reference=case, cluster=cluster, weights=weights, probability=probability)
    inputs.without_missing(values, where=where, name="score", remedy="leave unscored rows out and report how many")
    if correction is None:
        inputs.without_missing(case, where=where, name="reference", remedy=f"{UNVERIFIED}; or choose a correction")
    else:
        inputs.one_of(correction, tuple(CORRECTIONS), where=where, name="correction")
    if (probability is not None) != (correction == "ipw"):
        raise ParamsError(
            f"{where}(verification_probability)",
            "is wanted by correction='ipw', and by no other",
            allowed="both or neither",
        )
    if weights is not None and correction == "begg_greenes":
        raise ParamsError(f"{where}(weights)", "are not used by Begg & Greenes", remedy="choose correction='ipw'")
    members = None if cluster is None else inputs.codes(cluster, where=where, name="cluster")
    if members is not None and members[1] < 2:
        raise DesignError(where, "one cluster", allowed="two or more", remedy="give no cluster, and claim no more")
    chance = None if probability is None else checked_chance(probability, ~np.isnan(case))
    test = (sign * values >= sign * cutoff).astype(float)
    mass = inputs.weights_of(weights, len(values), where=where)
    return Screened(sign * values, test, case, mass, chance, correction, weights is not None, members)


def checked_chance(probability: object, seen: np.ndarray) -> np.ndarray:
    """Chance of verification, above 0 and up to 1 in every verified row."""
    where = "subgroup_accuracy"
    chance = inputs.numeric(probability, where=where, name="verification_probability")
    if n_bad := int((seen & ~((chance > 0) & (chance <= 1))).sum()):
        raise DataError(
            f"{where}(verification_probability)",
            f"{n_bad} verified rows have no probability above 0 and up to 1",
            allowed="0 < p <= 1 in every verified row",
        )
    return chance


def grouping_codes(values: pd.Series, name: str) -> tuple[np.ndarray, list[str]]:
    """Code of each row's group and the labels: in the order of a categorical, else sorted."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        column = values.cat.remove_unused_categories()
        code, labels = column.cat.codes.to_numpy(), [str(label) for label in column.cat.categories]
    else:
        code, found = pd.factorize(values, sort=True)
        labels = [str(label) for label in found]
    if n_missing := int((code < 0).sum()):
        raise DataError(
            f"subgroup_accuracy({name})",
            f"{n_missing} of {len(code)} rows name no group",
            allowed="a group for every row",
            remedy="give missing a group of its own, or leave these rows out and report how many",
        )
    return code.astype(np.intp), labels


def people_by_group(people: Screened, code: np.ndarray, labels: list[str], name: str) -> pd.DataFrame:
    """Number of people of each group in the six cells of test and reference."""
    status = np.where(np.isnan(people.case), 2, people.case)
    cells = np.bincount((code * 6 + people.test * 3 + status).astype(int), minlength=6 * len(labels)).reshape(-1, 6)
    columns = ("tn", "fn", "negative_unverified", "fp", "tp", "positive_unverified")
    table = pd.DataFrame(cells, columns=list(columns))
    return table.assign(grouping=name, group=labels, n=cells.sum(axis=1))

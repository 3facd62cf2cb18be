"""Mean gain of each tier of a cascade, net of the comparison, and how these means vary together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.training import Training, without_before
from mhlib.analyses.parts.trial import other_design
from mhlib.findings import Message, Refused, message
from mhlib.stats.effects.cascade_gains import TierSums, tier_sums
from mhlib.stats.intervals import wald

if TYPE_CHECKING:
    from mhlib.analyses.teacher_training import Params

TIERS = {
    "city": message("city tier"),
    "town": message("town tier"),
    "school": message("school tier"),
    "class": message("class tier"),
}
COMPARED = "\0compared"
# A tier with fewer teachers, or teachers of fewer units, has no mean that could be shown (df below 4).
FEWEST_TEACHERS, FEWEST_UNITS = 10, 5
WHERE = "training_cascade"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TierRows:
    """Teachers of the cascade and of the comparison, and who is not in it.

    Attributes
    ----------
    people : DataFrame
        Columns of the teachers, with ``place`` (a tier, or COMPARED), ``gain`` (points, after less before; NaN where a test is
        missing) and ``taught`` (trainer; the unit itself where nobody taught, or nobody is named).
    tiers : tuple of str
        From the top: those that can be estimated.
    thin : tuple of str
        Tiers named that cannot.
    n_untiered, n_untested : int
        Trained teachers of no tier named; teachers of the cascade and of the comparison without both tests.
    """

    people: pd.DataFrame
    tiers: tuple[str, ...]
    thin: tuple[str, ...]
    net: bool
    trainers_known: bool
    n_untiered: int
    n_untested: int

    @property
    def measured(self) -> pd.DataFrame:
        """Teachers with both tests, of the tiers that can be estimated and of the comparison."""
        kept = self.people["gain"].notna() & self.people["place"].isin([COMPARED, *self.tiers])
        return self.people[kept]

    @property
    def order(self) -> tuple[str, ...]:
        """Tiers, the comparison before them where there is one."""
        return (COMPARED, *self.tiers) if self.net else self.tiers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TierGains:
    """Gains in deviations before the training, shape (tiers,), their covariance, and what stands behind them."""

    gains: np.ndarray
    covariance: np.ndarray
    tiers: tuple[str, ...]
    n: tuple[int, ...]
    n_compared: int
    n_clusters: int
    df: float


def tier_name(name: str) -> Message:
    """The tier's name, translated where it is known, else as the parameter file has it."""
    return TIERS.get(name, message("{given}", given=name))


def tier_term(name: str) -> str:
    """The name under which the vocabulary knows a tier; another name as it stands."""
    return f"tier_{name}" if name in TIERS else name


def tier_rows(training: Training, params: Params) -> TierRows | Refused:
    """Who stands where in the cascade, or why nobody does."""
    frame = training.teachers
    if not params.tier:
        return other_design()
    if params.tier not in frame or not frame[params.tier].isin(params.tiers).any():
        return without_tiers()
    if not training.has_baseline:
        return without_before()
    net = training.controlled and training.design != "before_after"
    place = frame[params.tier].astype(object).where(frame["treated"] == 1)
    untiered = int(((frame["treated"] == 1) & ~place.isin(params.tiers)).sum())
    if net:
        place = place.where(frame["treated"] != 0, COMPARED)
    named = [COMPARED, *params.tiers]
    people = frame.assign(place=place, gain=(frame["y"] - frame["b"]).astype(float), taught=_taught(training))
    people = people[people["place"].isin(named)]
    there = people[people["gain"].notna()].groupby("place").agg(n=("gain", "size"), units=(training.cluster, "nunique"))
    there = there[(there["n"] >= FEWEST_TEACHERS) & (there["units"] >= FEWEST_UNITS)]
    tiers = tuple(name for name in params.tiers if name in there.index)
    if refused := _too_few(tiers, net and COMPARED not in there.index):
        return refused
    return TierRows(
        people=people, tiers=tiers, thin=tuple(name for name in params.tiers if name not in tiers), net=net,
        trainers_known=_trainers_known(people), n_untiered=untiered, n_untested=int(people["gain"].isna().sum()),
    )  # fmt: skip


def _taught(training: Training) -> pd.Series:
    """Trainer of each trained teacher; the unit where there is none."""
    frame = training.teachers
    unit = frame[training.cluster].astype(object)
    if "trainer_pid" not in frame:
        return unit
    trainer = frame["trainer_pid"].astype(object)
    return ("K\0" + trainer.astype(str)).where(trainer.notna() & (frame["treated"] == 1), unit)


def _trainers_known(people: pd.DataFrame) -> bool:
    """Whether every teacher of the cascade has a trainer."""
    taught = people[people["place"] != COMPARED]
    return "trainer_pid" in taught and bool(taught["trainer_pid"].notna().all())


def _too_few(tiers: tuple[str, ...], compared: bool) -> Refused | None:
    if compared:
        return Refused(
            "few_compared",
            message("Fewer than {people} untrained teachers, or teachers of fewer than {units} units, were tested before and "
                    "after: what testing twice does cannot be taken off.", people=FEWEST_TEACHERS, units=FEWEST_UNITS),
            message("The tests before and after of more untrained teachers, from more schools."),
        )  # fmt: skip
    if len(tiers) >= 2:
        return None
    return Refused(
        "few_tiers",
        message("Fewer than two tiers have {people} teachers from {units} units with both tests: no step of the cascade can be "
                "looked at.", people=FEWEST_TEACHERS, units=FEWEST_UNITS),
        message("The tests before and after of more teachers of every tier, from more schools."),
    )  # fmt: skip


def without_tiers() -> Refused:
    """No cascade where no tier is known."""
    return Refused(
        "no_tiers",
        message("It is not known at which tier of a cascade teachers were trained, so what each step keeps cannot be looked at."),
        message("Tier, trainer and fidelity of every trained teacher: table training_tier, or the column named by parameter tier."),
    )  # fmt: skip


def tier_gains(rows: TierRows, training: Training, *, by: str) -> tuple[TierGains, TierSums]:
    """Gains net of the comparison, with errors by `unit`, by `trainer`, or by `both` (either may make teachers alike).

    Both: unit plus trainer less their intersection (Cameron, Gelbach & Miller 2011 JBES 29:238); without the last where the
    three do not make a covariance, which errs to the cautious side.
    """
    people = rows.measured
    columns = {"unit": people[training.cluster], "trainer": people["taught"]}
    wanted = list(columns) if by == "both" else [by]
    sums = {name: _sums(people, columns[name], rows.order) for name in wanted}
    first = sums[wanted[0]]
    contrast = _contrast(len(rows.tiers), rows.net) / training.sd
    parts = [contrast @ one.covariance @ contrast.T for one in sums.values()]
    covariance = sum(parts)
    if by == "both":
        pair = people[training.cluster].astype(str) + "\0" + people["taught"].astype(str)
        meet = contrast @ _sums(people, pair, rows.order).covariance @ contrast.T
        less = covariance - meet
        covariance = less if np.linalg.eigvalsh(less)[0] > 0 and (np.diag(less) > 0).all() else covariance
    clusters = np.min([(one.n > 0).sum(axis=0) for one in sums.values()], axis=0)
    # The comparison and the two ends of the cascade make the share; a tier between them makes its own steps only.
    ends = sorted({0, int(rows.net), len(rows.order) - 1})
    n = first.n.sum(axis=0).astype(int)
    found = TierGains(
        gains=contrast @ first.means, covariance=covariance, tiers=rows.tiers, n=tuple(int(one) for one in n[int(rows.net):]),
        n_compared=int(n[0]) if rows.net else 0, n_clusters=int(min(len(one.n) for one in sums.values())),
        df=float(clusters[ends].min() - 1),
    )  # fmt: skip
    return found, first


def _sums(people: pd.DataFrame, cluster: pd.Series, order: tuple[str, ...]) -> TierSums:
    return tier_sums(people["gain"], people["place"], tiers=order, cluster=cluster.to_numpy(), where=WHERE)


def _contrast(tiers: int, net: bool) -> np.ndarray:
    """Weights that take the comparison's mean off each tier's."""
    return np.column_stack([-np.ones(tiers), np.eye(tiers)]) if net else np.eye(tiers)


def fewest_trainers(rows: TierRows) -> int:
    """Trainers of the poorer end of the cascade; 0 where not everybody's trainer is known."""
    if not rows.trainers_known:
        return 0
    count = rows.measured.groupby("place")["taught"].nunique()
    return int(min(count[rows.tiers[0]], count[rows.tiers[-1]]))


def lost_at_steps(found: TierGains, conf_level: float) -> list[dict[str, object]]:
    """Deviations lost at each step, and from the first tier to the last."""
    k, rows = len(found.tiers), []
    pairs = [(at, at + 1) for at in range(k - 1)] + ([(0, k - 1)] if k > 2 else [])
    for above, below in pairs:
        weight = np.zeros(k)
        weight[[above, below]] = 1.0, -1.0
        low, high = wald(weight @ found.gains, float(np.sqrt(weight @ found.covariance @ weight)), conf_level, found.df)
        rows.append({"group": tier_term(found.tiers[above]), "subgroup": tier_term(found.tiers[below]),
                     "estimate": float(weight @ found.gains), "conf_low": low, "conf_high": high,
                     "n_used": found.n[above] + found.n[below]})  # fmt: skip
    return rows

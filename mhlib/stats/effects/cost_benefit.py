"""What the programme costs for what it gains: ratio, net benefit, and how sure we are that it is worth its price."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.measurement.school_sums import school_weights
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostEffectivenessResult:
    """Incremental cost and gain of the programme against the comparison arm.

    Attributes
    ----------
    cost_difference, gain_difference : float
        Programme minus comparison a pupil, in money and in units of gain; intervals from resamples.
    icer : float
        Cost of one more unit of gain (for a 0/1 gain, of one more reliable recovery); its bounds are NaN unless at least
        97.5 % of resamples gain.
    net_benefit : DataFrame
        `price, net_benefit, std_error, conf_low, conf_high, probability`: money value of the gain minus its cost a pupil at
        each price of a unit, and the share of resamples in which it is above 0 (the acceptability curve).
    plane : DataFrame
        `cost_difference, gain_difference` of up to 500 resamples, for the cost plane.
    share_gaining : float
        Share of resamples with a positive gain.
    """

    cost_difference: float
    cost_low: float
    cost_high: float
    gain_difference: float
    gain_low: float
    gain_high: float
    icer: float
    icer_low: float
    icer_high: float
    share_gaining: float
    net_benefit: pd.DataFrame
    plane: pd.DataFrame
    n_clusters: int | None
    n_boot: int
    seed: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `cost_difference`, `gain_difference`, `icer`, `net_benefit at <price>` (extra `probability`)."""
        rows = [
            {
                "term": "cost_difference",
                "estimate": self.cost_difference,
                "conf_low": self.cost_low,
                "conf_high": self.cost_high,
            },
            {
                "term": "gain_difference",
                "estimate": self.gain_difference,
                "conf_low": self.gain_low,
                "conf_high": self.gain_high,
            },
            {"term": "icer", "estimate": self.icer, "conf_low": self.icer_low, "conf_high": self.icer_high},
        ]
        for row in self.net_benefit.to_dict("records"):
            rows.append({"term": f"net_benefit at {row['price']:g}", "estimate": row["net_benefit"],
                         **{k: row[k] for k in ("std_error", "conf_low", "conf_high", "probability")}})  # fmt: skip
        return term_frame(rows)


def cost_effectiveness(
    cost: object,
    gain: object,
    treated: object,
    *,
    prices: Sequence[float],
    cluster: object = None,
    n_boot: int = 2000,
    seed: int,
    conf_level: float = 0.95,
) -> CostEffectivenessResult:
    """Incremental cost-effectiveness with whole schools drawn again.

    Parameters
    ----------
    cost : array-like, shape (n,)
        Money spent on the pupil, in one currency and year, programme's shared costs divided among its pupils.
    gain : array-like, shape (n,)
        0/1 (reliable recovery) or a score in which more is better.
    treated : array-like of 0/1, shape (n,)
    prices : sequence of float
        What a unit of gain may be worth to the payer, 0 or more.
    cluster : array-like, shape (n,), optional
        School; without it pupils are drawn again.
    n_boot, seed : int
    conf_level : float

    Returns
    -------
    CostEffectivenessResult
        Pupils without cost or gain are left out and counted: impute first where many are. The comparison is as causal as
        the design is.

    Raises
    ------
    DataError
        Columns of different lengths, text, a treatment that is missing or not 0/1.
    DesignError
        An arm without pupils, fewer than two schools in an arm, fewer than ten schools in all.
    ParamsError
        No price or a negative one, a missing seed.

    Notes
    -----
    ICER = dC / dE; net benefit = price dE - dC. Resamples draw schools within arms; where a school has pupils in both arms
    that is cautious, for what its arms share is not taken out.
    References: Stinnett & Mullahy (1998); Fenwick et al. (2001); Ng, Diaz-Ordaz & Grieve (2016) for clusters.
    """
    where = "cost_effectiveness"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    worth = np.asarray(prices, dtype=float)
    if not len(worth) or not np.isfinite(worth).all() or (worth < 0).any():
        raise ParamsError(f"{where}(prices)", "lack a price, or one is negative", allowed="numbers of 0 or more")
    inputs.same_length(where, cost=cost, gain=gain, treated=treated, cluster=cluster)
    c, e = (inputs.numeric(v, where=where, name=n) for v, n in ((cost, "cost"), (gain, "gain")))
    arm = inputs.without_missing(
        inputs.binary(treated, where=where, name="treated"),
        where=where,
        name="treated",
        remedy="give every pupil an arm",
    )
    kept = ~(np.isnan(c) | np.isnan(e))
    unit = np.arange(len(c))[kept] if cluster is None else inputs.codes(cluster, where=where, name="cluster")[0][kept]
    sums = sums_by_unit(c[kept], e[kept], arm[kept], unit)
    drawn = resampled_differences(sums, n_boot=n_boot, seed=seed, where=where)
    total = np.array([part.sum(axis=0) for part in sums])
    dc, de = (float(x) for x in (total[1] / total[1][0] - total[0] / total[0][0])[1:])
    tails = [(1 - conf_level) / 2, (1 + conf_level) / 2]
    (c_low, e_low), (c_high, e_high) = np.quantile(drawn, tails, axis=0)
    gaining = float((drawn[:, 1] > 0).mean())
    ratio = (math.nan, math.nan)
    if gaining >= (1 + conf_level) / 2:
        with np.errstate(divide="ignore"):
            ratio = tuple(
                float(x) for x in np.quantile(np.where(drawn[:, 1] > 0, drawn[:, 0] / drawn[:, 1], np.inf), tails)
            )
    return CostEffectivenessResult(
        cost_difference=dc,
        cost_low=float(c_low),
        cost_high=float(c_high),
        gain_difference=de,
        gain_low=float(e_low),
        gain_high=float(e_high),
        icer=dc / de if de else math.nan,
        icer_low=ratio[0],
        icer_high=ratio[1],
        share_gaining=gaining,
        net_benefit=benefit_table(worth, dc, de, drawn, tails),
        plane=pd.DataFrame(drawn[:500], columns=["cost_difference", "gain_difference"]),
        n_clusters=None if cluster is None else sum(map(len, sums)),
        n_boot=int(n_boot),
        seed=int(seed),
        n_used=int(kept.sum()),
        n_excluded=int((~kept).sum()),
        method=f"incremental cost and gain, {n_boot} resamples of {'pupils' if cluster is None else 'schools'} within arms",
        conf_level=conf_level,
    )


def sums_by_unit(cost: np.ndarray, gain: np.ndarray, arm: np.ndarray, unit: np.ndarray) -> list[np.ndarray]:
    """Pupils, cost and gain of each unit of the comparison and of the programme arm, shape (units, 3) each."""
    found = []
    for which in (0, 1):
        mine = arm == which
        names, code = np.unique(unit[mine], return_inverse=True)
        if len(names) < 2:
            raise DesignError("cost_effectiveness", "an arm holds fewer than two schools or pupils with cost and gain")
        found.append(
            np.column_stack([np.bincount(code, weights=part) for part in (np.ones(mine.sum()), cost[mine], gain[mine])])
        )
    return found


def resampled_differences(sums: list[np.ndarray], *, n_boot: int, seed: int, where: str) -> np.ndarray:
    """Differences of mean cost and mean gain in resamples of units within arms, shape (n_boot, 2)."""
    n_units = sum(map(len, sums))
    # Only for its rules on seeds, resamples and fewest schools; arms are drawn apart below.
    school_weights(max(n_units, 1), n_boot=100 if n_boot >= 100 else n_boot, seed=seed, where=where)
    rng, means = np.random.default_rng([int(seed), 1998]), []
    for part in sums:
        total = np.empty((n_boot, 3))
        step = max(1, 4_000_000 // len(part))
        for start in range(0, n_boot, step):
            size = min(step, n_boot - start)
            total[start : start + size] = part[rng.integers(0, len(part), (size, len(part)))].sum(axis=1)
        means.append(total[:, 1:] / total[:, :1])
    return means[1] - means[0]


def benefit_table(worth: np.ndarray, dc: float, de: float, drawn: np.ndarray, tails: Sequence[float]) -> pd.DataFrame:
    """Net benefit at each price with its interval and the share of resamples above 0."""
    values = drawn[:, 1][:, None] * worth - drawn[:, 0][:, None]
    low, high = np.quantile(values, tails, axis=0)
    return pd.DataFrame(
        {
            "price": worth,
            "net_benefit": worth * de - dc,
            "std_error": values.std(axis=0, ddof=1),
            "conf_low": low,
            "conf_high": high,
            "probability": (values > 0).mean(axis=0),
        }
    )

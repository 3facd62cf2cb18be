"""One area under the curve with each of its intervals side by side, every method named."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from mhlib.stats.accuracy.bootstrap_curve import bootstrap_roc
from mhlib.stats.accuracy.roc_curve import RocResult, roc
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AucIntervals:
    """One area by several methods of interval.

    Attributes
    ----------
    by_method : dict of str to RocResult
        `delong` (or `linearised` with weights), `obuchowski` (with clusters), `bootstrap_people`, `bootstrap_clusters`.
    preferred : str
        The one to quote: `obuchowski` with clusters, else `delong` or `linearised`.
    """

    auc: float
    by_method: dict[str, RocResult] = field(repr=False)
    preferred: str
    direction: str
    n_case: int
    n_noncase: int
    n_clusters: int | None
    n_boot: int
    seed: int
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """One row per method: `term` its key, with `width`, `preferred`, `method` in words, `n_boot_empty`, `n_used`."""
        rows = []
        for name, found in self.by_method.items():
            bounds = {key: getattr(found, key) for key in ("std_error", "conf_low", "conf_high")}
            extra = {"width": found.conf_high - found.conf_low, "preferred": name == self.preferred}
            empty = {"method": found.method, "n_boot_empty": found.n_boot_empty or 0, "n_used": found.n_used}
            rows.append({"term": name, "estimate": found.auc, **bounds, **extra, **empty})
        return term_frame(rows)


def auc_intervals(
    score: object,
    reference: object,
    *,
    seed: int,
    cluster: object = None,
    weights: object = None,
    direction: str = ">=",
    n_boot: int = 2000,
    conf_level: float = 0.95,
) -> AucIntervals:
    """The area with DeLong's, Obuchowski's and the bootstrap intervals.

    Parameters
    ----------
    score, reference, cluster, weights, direction, n_boot, conf_level
        As in :func:`bootstrap_roc`.
    seed : int
        Of both bootstraps.

    Returns
    -------
    AucIntervals
        Intervals that disregard schools stand beside those that do not, so that the difference can be seen.

    Raises
    ------
    DataError, DesignError, ParamsError
        As in :func:`roc` and :func:`bootstrap_roc`.

    Notes
    -----
    References: DeLong et al. (1988); Obuchowski (1997); Field & Welsh (2007).
    Checked against: tests/oracle/asah_auc.csv, tests/oracle/exam.csv, tests/oracle/roc_bootstrap.csv.
    """
    common = {"direction": direction, "conf_level": conf_level, "weights": weights}
    plain = "delong" if weights is None else "linearised"
    found = {plain: roc(score, reference, **common)}
    if cluster is not None:
        found["obuchowski"] = roc(score, reference, cluster=cluster, **common)
    found["bootstrap_people"] = bootstrap_roc(score, reference, seed=seed, n_boot=n_boot, **common)
    if cluster is not None:
        found["bootstrap_clusters"] = bootstrap_roc(
            score, reference, seed=seed, n_boot=n_boot, cluster=cluster, **common
        )
    preferred = plain if cluster is None else "obuchowski"
    quoted = found[preferred]
    return AucIntervals(
        auc=quoted.auc,
        by_method=found,
        preferred=preferred,
        direction=direction,
        n_case=quoted.n_case,
        n_noncase=quoted.n_noncase,
        n_clusters=quoted.n_clusters,
        n_boot=n_boot,
        seed=seed,
        n_used=quoted.n_used,
        n_excluded=0,
        method=f"{quoted.method}; other intervals for comparison",
        conf_level=conf_level,
    )

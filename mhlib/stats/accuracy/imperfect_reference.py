"""True prevalence behind an apparent one, when sensitivity and specificity are known from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Check, Proportion, message
from mhlib.stats import inputs
from mhlib.stats.intervals import BINOMIAL, binomial
from mhlib.stats.terms import term_frame

ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoganGladen:
    """True prevalence, 0–1.

    Attributes
    ----------
    admissible : bool
        False when the estimate fell on or outside 0 or 1 and was cut back: fewer positives than false alarms expected.
    bounds_cut : bool
        Whether a bound of the interval was cut back.
    """

    prevalence: float
    conf_low: float
    conf_high: float
    apparent_prevalence: float
    apparent_low: float
    apparent_high: float
    admissible: bool
    bounds_cut: bool
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Terms `prevalence` and `apparent_prevalence`."""
        true = {"estimate": self.prevalence, "conf_low": self.conf_low, "conf_high": self.conf_high}
        seen = {"estimate": self.apparent_prevalence, "conf_low": self.apparent_low, "conf_high": self.apparent_high}
        rows = [{"term": "prevalence", **true}, {"term": "apparent_prevalence", **seen}]
        return term_frame(rows).assign(n_used=self.n_used)


def rogan_gladen(
    x: int, n: int, *, sensitivity: float, specificity: float, ci: str = "exact", conf_level: float = 0.95
) -> RoganGladen:
    """Prevalence of cases from the number who test positive.

    Parameters
    ----------
    x, n : int
        People who test positive, people tested.
    sensitivity, specificity : float
        0–1, taken as known.
    ci : {'exact', 'wilson', 'agresti_coull', 'jeffreys'}
        Interval of the apparent prevalence, carried through the same formula.
    conf_level : float

    Returns
    -------
    RoganGladen
        Cut back to 0–1, with `admissible` False when that was needed; see :func:`rogan_gladen_check`.

    Raises
    ------
    DataError
        Counts that are not counts, or x > n.
    DesignError
        Sensitivity + specificity <= 1: the test tells nothing.
    ParamsError
        A share outside 0–1, an unknown interval.

    Notes
    -----
    p = (apparent + Sp - 1)/(Se + Sp - 1). The interval takes Se and Sp as known: it is too narrow when they are not.
    Reference: Rogan & Gladen (1978) Am J Epidemiol 107:71. Checked against: epiR::epi.prev (anchor C5).
    """
    where = "rogan_gladen"
    inputs.one_of(ci, tuple(BINOMIAL), where=where, name="ci")
    inputs.open_unit(conf_level, where=where, name="conf_level")
    x, n = inputs.count(x, where=where, name="x"), inputs.count(n, where=where, name="n")
    if x > n or n == 0:
        raise DataError(where, "more positives than people, or nobody tested", allowed="0 <= x <= n, n >= 1")
    if not (0 <= sensitivity <= 1 and 0 <= specificity <= 1):
        raise ParamsError(where, "sensitivity or specificity outside 0–1", allowed="shares from 0 to 1")
    gain = sensitivity + specificity - 1
    if gain <= 0:
        raise DesignError(where, "sensitivity + specificity do not exceed 1", allowed="a test better than chance")
    apparent = (x / n, *binomial(x, n, ci=ci, conf_level=conf_level))
    raw = [(share + specificity - 1) / gain for share in apparent]
    true = [0.0 if share < ROUNDING else min(share, 1.0) for share in raw]
    return RoganGladen(
        prevalence=true[0],
        conf_low=true[1],
        conf_high=true[2],
        apparent_prevalence=apparent[0],
        apparent_low=apparent[1],
        apparent_high=apparent[2],
        # A hair's breadth either side of 0 is rounding: such a table holds no more positives than false alarms.
        admissible=ROUNDING < raw[0] < 1 - ROUNDING,
        bounds_cut=not (raw[1] >= 0 and raw[2] <= 1),
        n_used=n,
        n_excluded=0,
        method=f"Rogan & Gladen (1978), {ci} interval of the apparent prevalence",
        conf_level=conf_level,
    )


def rogan_gladen_check(found: RoganGladen) -> Check:
    """Check that the assumed accuracy fits the share that tests positive."""
    return Check(
        message("Assumed accuracy fits the share that screens positive"),
        found.admissible,
        message(
            "{apparent} screen positive. Where this is no more than the false alarms that the assumed specificity "
            "brings, or no less than the assumed sensitivity can find, the true prevalence cannot be read off.",
            apparent=Proportion(found.apparent_prevalence, found.n_used, found.apparent_low, found.apparent_high),
        ),
    )

"""True prevalence behind an apparent one, when sensitivity and specificity are known from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.intervals import BINOMIAL, binomial
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoganGladen:
    """True prevalence, 0–1; `admissible` is False when the estimate fell outside 0–1 and was cut back."""

    prevalence: float
    conf_low: float
    conf_high: float
    apparent_prevalence: float
    apparent_low: float
    apparent_high: float
    admissible: bool
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
        Cut back to 0–1, with `admissible` False when that was needed.

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
    true = [min(max(share, 0.0), 1.0) for share in raw]
    return RoganGladen(
        prevalence=true[0],
        conf_low=true[1],
        conf_high=true[2],
        apparent_prevalence=apparent[0],
        apparent_low=apparent[1],
        apparent_high=apparent[2],
        admissible=0 <= raw[0] <= 1,
        n_used=n,
        n_excluded=0,
        method=f"Rogan & Gladen (1978), {ci} interval of the apparent prevalence",
        conf_level=conf_level,
    )

"""How small an effect a school-randomised trial can find, before, at and after randomisation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.terms import term_frame

STAGES = ("design", "randomisation", "analysis")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DetectableEffectResult:
    """Minimum detectable effect in standard deviations, with what it rests on.

    `std_error` is that of the effect to come, in the same unit; `df` of the test; `multiplier` = t quantiles summed;
    `n_used` pupils.
    """

    mdes: float
    std_error: float
    df: float
    multiplier: float
    schools: int
    stage: str
    design: str
    alpha: float
    power: float
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """Term `mdes`, in SD; extra `stage, df, schools, alpha, power`."""
        row = {"term": "mdes", "estimate": self.mdes, "std_error": self.std_error}
        return term_frame([row]).assign(
            stage=self.stage, df=self.df, schools=self.schools, alpha=self.alpha, power=self.power
        )


def minimum_detectable_effect(
    *,
    schools: int,
    pupils: object,
    icc_school: float,
    classes: float | None = None,
    icc_class: float = 0.0,
    r2_pupil: float = 0.0,
    r2_class: float = 0.0,
    r2_school: float = 0.0,
    treated: float = 0.5,
    n_covariates: int = 0,
    alpha: float = 0.05,
    power: float = 0.80,
    stage: str = "design",
) -> DetectableEffectResult:
    """Smallest standardised effect that a trial with schools as units finds with the wished power.

    Parameters
    ----------
    schools : int
        Schools randomised.
    pupils : float or array-like, shape (schools,)
        Pupils a school (two levels) or a class (three levels); one number a school takes unequal sizes into account.
    icc_school, icc_class : float
        Shares of variance between schools and, within these, between classes; 0–1.
    classes : float, optional
        Classes a school: makes it three levels.
    r2_pupil, r2_class, r2_school : float
        Shares of each level's variance that covariates explain.
    treated : float
        Share of schools in the programme arm.
    n_covariates : int
        Covariates of schools, each of which takes a degree of freedom.
    alpha, power : float
        Two-sided.
    stage : {'design', 'randomisation', 'analysis'}
        Which numbers these are: hoped for, allocated, or analysed with the city's own ICC.

    Returns
    -------
    DetectableEffectResult

    Raises
    ------
    DesignError
        No degrees of freedom are left, or fewer than one pupil a unit.
    ParamsError
        A share outside 0–1, sizes that are not one a school.

    Notes
    -----
    MDES = (t_{1-alpha/2} + t_power) sqrt(rho_3 (1-R3)/(P Q K) + rho_2 (1-R2)/(P Q K J) + (1-rho_3-rho_2)(1-R1)/(P Q K J n)),
    Q = 1 - P, df = K - covariates - 2. With unequal schools, 1 / sum of 1 / (rho_3 (1-R3) + (1-rho_3)(1-R1) / n_k).
    References: Bloom (1995); Dong & Maynard (2013) J Res Educ Effectiveness 6:24 (PowerUp).
    Checked against: tests/oracle/change_power.csv (the formulas in R).
    """
    where = "minimum_detectable_effect"
    inputs.one_of(stage, STAGES, where=where, name="stage")
    for name, value in (("treated", treated), ("alpha", alpha), ("power", power)):
        inputs.open_unit(value, where=where, name=name)
    shares = {
        "icc_school": icc_school,
        "icc_class": icc_class,
        "r2_pupil": r2_pupil,
        "r2_class": r2_class,
        "r2_school": r2_school,
    }
    if wrong := [name for name, value in shares.items() if not 0 <= value <= 1]:
        raise ParamsError(f"{where}({', '.join(wrong)})", "not a share", allowed="0–1")
    if icc_school + icc_class >= 1:
        raise ParamsError(
            f"{where}(icc_class)", "schools and classes together hold all variance", allowed="a sum below 1"
        )
    sizes = np.atleast_1d(np.asarray(pupils, dtype=float))
    if len(sizes) not in (1, schools):
        raise ParamsError(
            f"{where}(pupils)", f"{len(sizes)} sizes for {schools} schools", allowed="one, or one a school"
        )
    df = schools - n_covariates - 2
    if df < 1 or not (sizes >= 1).all() or (classes is not None and classes < 1):
        raise DesignError(
            where, f"{df} degrees of freedom, or a school without pupils", remedy="randomise more schools"
        )
    per = 1.0 if classes is None else float(classes)
    between = icc_school * (1 - r2_school) + icc_class * (1 - r2_class) / per
    each = between + (1 - icc_school - icc_class) * (1 - r2_pupil) / (per * sizes)
    information = (1 / each).sum() * (schools if len(sizes) == 1 else 1)
    std_error = 1 / math.sqrt(treated * (1 - treated) * information)
    return detectable(
        std_error,
        df,
        schools=schools,
        alpha=alpha,
        power=power,
        stage=stage,
        design="two levels" if classes is None else "three levels",
        n_used=round(per * sizes.sum() * (schools if len(sizes) == 1 else 1)),
        method="PowerUp (Dong & Maynard 2013)",
    )


def detectable(
    std_error: float, df: float, *, alpha: float, power: float, schools: int, **rest: object
) -> DetectableEffectResult:
    """Record of an effect whose standard error and degrees of freedom are known."""
    multiplier = float(stats.t.ppf(1 - alpha / 2, df) + stats.t.ppf(power, df))
    return DetectableEffectResult(
        mdes=multiplier * std_error,
        std_error=std_error,
        df=float(df),
        multiplier=multiplier,
        schools=int(schools),
        alpha=alpha,
        power=power,
        n_excluded=0,
        conf_level=1 - alpha,
        **rest,
    )


def schools_needed(*, effect: float, most: int = 2000, **options: object) -> int:
    """Fewest schools with which :func:`minimum_detectable_effect` reaches `effect`, in SD.

    Parameters
    ----------
    effect : float
        Smallest effect worth finding, in SD, above 0.
    most : int
        Where to stop looking.
    **options
        As in :func:`minimum_detectable_effect`, without `schools`; `pupils` is one number.

    Returns
    -------
    int

    Raises
    ------
    DesignError
        Even `most` schools are too few.
    ParamsError
        An effect of 0 or less.
    """
    if not effect > 0:
        raise ParamsError("schools_needed(effect)", f"is {effect}", allowed="a number above 0, in SD")
    low, high = 3 + int(options.get("n_covariates", 0)), most
    if minimum_detectable_effect(schools=high, **options).mdes > effect:
        raise DesignError(
            "schools_needed", f"{most} schools are too few for {effect} SD", remedy="seek a larger effect"
        )
    while low < high:
        middle = (low + high) // 2
        if minimum_detectable_effect(schools=middle, **options).mdes <= effect:
            high = middle
        else:
            low = middle + 1
    return low

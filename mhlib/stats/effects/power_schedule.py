"""How small an effect a wait-list, a stepped wedge or any staggered roll-out can find."""

from __future__ import annotations

import math

import numpy as np

from mhlib.errors import DesignError, ParamsError
from mhlib.stats import inputs
from mhlib.stats.effects.power_trial import STAGES, DetectableEffectResult, detectable


def wait_list(schools: int, *, terms: int = 2) -> np.ndarray:
    """Schedule of a wait-list: half the schools (the larger half) start after the first term, the rest after the last.

    Returns
    -------
    ndarray of 0/1, shape (schools, terms)
    """
    return np.array([[int(t > 0 and s < math.ceil(schools / 2)) for t in range(terms)] for s in range(schools)])


def stepped_wedge(schools: int, *, steps: int) -> np.ndarray:
    """Schedule in which an equal share of schools starts at each of `steps` steps, after one term without programme.

    Returns
    -------
    ndarray of 0/1, shape (schools, steps + 1)
    """
    group = np.arange(schools) * steps // schools
    return (np.arange(steps + 1)[None, :] > group[:, None]).astype(int)


def detectable_effect_of_schedule(
    schedule: object,
    *,
    pupils: float,
    icc: float,
    school_autocorrelation: float = 1.0,
    pupil_autocorrelation: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.80,
    stage: str = "design",
) -> DetectableEffectResult:
    """Smallest standardised effect of a roll-out, from the schedule itself.

    Parameters
    ----------
    schedule : array-like of numbers, shape (schools, terms)
        0 without the programme, 1 with it; a share between for a partial term; NaN where a school is not measured.
        See :func:`wait_list` and :func:`stepped_wedge`.
    pupils : float
        Pupils measured a school and term.
    icc : float
        Correlation of two pupils of one school in one term, 0–1.
    school_autocorrelation : float
        Correlation of a school's own level between terms, 0–1; 1 is Hussey & Hughes' model and often too hopeful.
    pupil_autocorrelation : float
        Correlation of a pupil with himself between terms, within school; 0 when other pupils are measured each term.
    alpha, power : float
    stage : {'design', 'randomisation', 'analysis'}

    Returns
    -------
    DetectableEffectResult
        Terms are adjusted for; the test has schools - 2 degrees of freedom.

    Raises
    ------
    DesignError
        Fewer than three schools, or a schedule in which terms and programme cannot be told apart.
    ParamsError
        A share outside 0–1.

    Notes
    -----
    Generalised least squares of school-by-term means on terms and programme with the block-exchangeable covariance
    a J + (c + e/m) I + ..., which gives Hussey & Hughes' closed form when both autocorrelations are 1 and 0.
    References: Hussey & Hughes (2007) Contemp Clin Trials 28:182; Hooper et al. (2016) Stat Med 35:4718.
    Checked against: tests/oracle/change_schedule.csv (R, pupils written out one by one).
    """
    where = "detectable_effect_of_schedule"
    inputs.one_of(stage, STAGES, where=where, name="stage")
    for name, value in (("alpha", alpha), ("power", power)):
        inputs.open_unit(value, where=where, name=name)
    given = {
        "icc": icc,
        "school_autocorrelation": school_autocorrelation,
        "pupil_autocorrelation": pupil_autocorrelation,
    }
    if wrong := [name for name, value in given.items() if not 0 <= value <= 1]:
        raise ParamsError(f"{where}({', '.join(wrong)})", "not a share", allowed="0–1")
    table = np.asarray(schedule, dtype=float)
    if table.ndim != 2 or len(table) < 3 or pupils < 1:
        raise DesignError(
            where, "fewer than three schools, or nobody measured", allowed="(schools, terms), pupils >= 1"
        )
    information = schedule_information(table, pupils, **given)
    variance = np.linalg.pinv(information)[-1, -1]
    if np.linalg.matrix_rank(information) < len(information) or not variance > 0:
        raise DesignError(
            where,
            "programme and terms cannot be told apart in this schedule",
            remedy="let some schools start later than others",
        )
    return detectable(
        math.sqrt(variance),
        len(table) - 2,
        schools=len(table),
        alpha=alpha,
        power=power,
        stage=stage,
        design="roll-out",
        n_used=round(pupils * np.isfinite(table).sum()),
        method="generalised least squares of the schedule (Hussey & Hughes 2007; Hooper et al. 2016)",
    )


def schedule_information(
    table: np.ndarray, pupils: float, *, icc: float, school_autocorrelation: float, pupil_autocorrelation: float
) -> np.ndarray:
    """Sum over schools of D'V^-1 D, D = terms and programme, of means a school and term; last row is the programme."""
    terms = table.shape[1]
    shared = icc * school_autocorrelation + (1 - icc) * pupil_autocorrelation / pupils
    own = icc * (1 - school_autocorrelation) + (1 - icc) * (1 - pupil_autocorrelation) / pupils
    measured = np.isfinite(table).any(axis=0)
    information = np.zeros((terms + 1, terms + 1))
    for row in table:
        seen = np.isfinite(row)
        design = np.column_stack([np.eye(terms)[seen], row[seen]])
        inverse = np.linalg.inv(shared * np.ones((seen.sum(), seen.sum())) + own * np.eye(seen.sum()))
        information += design.T @ inverse @ design
    kept = np.append(measured, True)
    return information[np.ix_(kept, kept)]

"""One programme's evaluation: who was allocated, what was measured, and what the design allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.data.trial import TrialData
from mhlib.errors import ParamsError
from mhlib.findings import Refused, message

if TYPE_CHECKING:
    from mhlib.analyses.intervention_outcomes import Params

RANDOMISED = ("school_rct", "class_rct", "pupil_rct", "wait_list", "stepped_wedge")
# Designs whose comparison is between schools that start at different terms, or units over years.
ROLLED_OUT = ("staggered", "stepped_wedge", "panel", "time_series")
# Those served differ from the others by design: a section of its own gives the effect, and arms as such are not compared.
UNLIKE = ("above_cutoff", "matched", *ROLLED_OUT)
# Rows are units and times: nobody in particular stands behind a number, and the outcome is in units of its own.
OF_UNITS = ("panel", "time_series")
FEW_CLUSTERS = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """What every section works on.

    Attributes
    ----------
    data : TrialData
    people : DataFrame, one row a pupil
        As loaded, with ``treated`` (1.0 programme, 0.0 control, NaN another arm), ``y`` (primary outcome, points),
        ``b`` (baseline, points), ``measured`` (y is there), ``covered`` (so is all else that the comparison of the design
        needs: baseline, covariates, stratum) and ``analysed`` (both). Clusters never change after allocation.
    design, cluster, control : str
        ``cluster`` is the column behind every interval; ``""`` where pupils were allocated one by one and none is named.
    levels : tuple of str
        Nesting of the mixed model, the widest first.
    """

    data: TrialData
    people: pd.DataFrame
    design: str
    cluster: str
    levels: tuple[str, ...]
    control: str
    treated_arms: tuple[str, ...]

    @property
    def provenance(self) -> object:
        """Where the rows came from."""
        return self.data.provenance

    @property
    def randomised(self) -> bool:
        """Whether lots decided who was served first."""
        return self.design in RANDOMISED

    @property
    def controlled(self) -> bool:
        """Whether anybody without the programme was measured."""
        if not len(self.people):
            return bool(self.data.panel["exposure"].nunique() > 1)
        return bool((self.people["treated"] == 0).any() and (self.people["treated"] == 1).any())

    @property
    def compared(self) -> pd.DataFrame:
        """Pupils of the two arms with a measured outcome and baseline, and the covariates and stratum where arms are compared."""
        people = self.people[self.people["treated"].notna() & self.people["measured"]]
        if self.design not in UNLIKE:
            return people[people["covered"]]
        return people[people["b"].notna()] if self.has_baseline else people

    @property
    def has_baseline(self) -> bool:
        """Whether the outcome was measured before the programme."""
        return bool(len(self.people)) and bool(self.people["b"].notna().any())

    @property
    def n_clusters(self) -> int:
        """Clusters among those compared."""
        return int(self.compared[self.cluster].nunique())

    @property
    def sd(self) -> float:
        """Standard deviation of the primary outcome among controls (all, where nobody is a control), in points."""
        people = self.compared
        chosen = people.loc[people["treated"] == 0, "y"] if self.controlled else people["y"]
        return float(chosen.std(ddof=1))


def trial_of(data: TrialData, params: Params) -> Trial:
    """The record that every section works on."""
    people = data.people.copy()
    control, *treated = params.arms
    if len(people):
        if params.primary not in data.occasions:
            raise ParamsError("primary", f"no occasion {params.primary!r}", allowed=", ".join(data.occasions))
        # The first arm after the control is the primary contrast; others have their own rows.
        people["treated"] = (
            people["arm"].map({control: 0.0, treated[0]: 1.0} if treated else {control: 1.0}).astype(float)
        )
        people["y"] = people[f"y_{params.primary}"]
        people["b"] = people[f"y_{params.baseline}"] if params.baseline else np.nan
        people["measured"] = people["y"].notna()
        _demand_columns(people, params)
        if params.stratum and params.stratum != "stratum":
            people["stratum"] = people[params.stratum]
        people["covered"] = _covered(people, params)
        people["analysed"] = people["measured"] & people["covered"]
    return Trial(
        data=data, people=people, design=params.design, cluster=params.cluster or params.allocated,
        levels=tuple(params.levels), control=control, treated_arms=tuple(treated),
    )  # fmt: skip


def _demand_columns(people: pd.DataFrame, params: Params) -> None:
    """Every column that the plan names is there."""
    named = {"stratum": [params.stratum], "covariates": params.covariates, "cluster": [params.cluster or params.allocated],
             "levels": params.levels}  # fmt: skip
    for where, names in named.items():
        if absent := [name for name in names if name and name not in people]:
            raise ParamsError(
                where,
                f"the source has no column {', '.join(absent)}",
                allowed=", ".join(name for name in people if name not in ("treated", "y", "b", "measured")),
                remedy="name a column of the source, or map it in columns",
            )


def _covered(people: pd.DataFrame, params: Params) -> pd.Series:
    """Whether all is there that the comparison needs beside the outcome; a column nobody has is no condition."""
    names = [] if params.design in (*ROLLED_OUT, "above_cutoff") else ["b", *params.covariates]
    if params.stratum and params.design not in UNLIKE:
        names.append("stratum")
    return people[[name for name in names if people[name].notna().any()]].notna().all(axis=1)


def without_pupils() -> Refused:
    """No section on pupils from a panel of units."""
    return Refused(
        "no_pupils",
        message("The source holds units over time and no pupils, so this cannot be looked at."),
        message("One row a pupil with arm, school and the outcome at each occasion."),
    )


def other_design() -> Refused:
    """The section speaks of a design that this study is not; a report leaves such a section out."""
    return Refused("other_design", message("This section belongs to a study of another design."), message("Nothing."))


def without_control() -> Refused:
    """No effect where everybody was served."""
    return Refused(
        "no_control",
        message(
            "Nobody without the programme was measured, or the source does not say who was served: no difference can be estimated."
        ),
        message("The same outcome from pupils or schools not yet served, at the same occasions."),
    )


def without_allocation() -> Refused:
    """Two arms under a design that compares nobody: what set them apart is not said, so their difference is no effect."""
    return Refused(
        "no_comparison",
        message("The plan has no comparison, only before and after: the arms in the data may have differed from the start, so their "
                "difference is no effect."),
        message("How it was decided who was served; the design matched compares groups that chose themselves, after making them "
                "alike."),
    )  # fmt: skip


def without_baseline() -> Refused:
    """Nothing that starts from a first measurement."""
    return Refused(
        "no_baseline",
        message("The outcome was not measured before the programme."),
        message("The outcome of the same pupils before the programme starts."),
    )


def nothing_measured() -> Refused:
    """No comparison where an arm has nobody left."""
    return Refused(
        "nothing_measured",
        message("Nobody, or nobody of one arm, has the outcome at the primary occasion and all else that the comparison needs: there "
                "is nothing to compare."),
        message("The outcome at the primary occasion, and first score and covariates, from pupils of both arms."),
    )  # fmt: skip


def arms_refusal(trial: Trial) -> Refused | None:
    """Why the arms as such cannot be compared; None where they can."""
    if not len(trial.people):
        return without_pupils()
    if trial.design in UNLIKE:
        return Refused(
            "arms_unlike",
            message("Those served and those not served differ by design, so their means are not compared; the section on this design "
                    "gives the effect."),
            message("Nothing."),
        )  # fmt: skip
    if not trial.controlled:
        return without_control()
    if trial.design == "before_after":
        return without_allocation()
    return None if trial.compared["treated"].nunique() == 2 else nothing_measured()

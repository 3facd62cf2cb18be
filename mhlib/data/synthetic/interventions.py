"""Four designs with their arms, doses and outcomes; the planted effects stand in the truth folder only.

school_rct     schools drawn by lot, before / after / follow-up
wait_list      classes drawn by lot within schools; the control classes are served between after and follow-up
above_cutoff   everyone whose score reaches the cut-off is served: a sharp discontinuity in `running`
staggered      schools begin in term 3, 4 or 5 by lot, or never; one outcome a term, the effect grows with exposure
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from mhlib.data.synthetic import planted
from mhlib.data.synthetic.planted import rng_of

OCCASIONS = {"pre": 4, "post": 5, "follow_up": 6}
SCHOOLS = {"school_rct": 48, "wait_list": 24, "above_cutoff": 24, "staggered": 36}
A_CLASS = {"school_rct": 12, "wait_list": 20, "above_cutoff": 20, "staggered": 6}
CUT = int(planted.SCORE_MEAN + planted.SCORE_SD)
TRAIT = 0.6


def interventions(seed: int, place: pd.DataFrame, pupil_pid, school_pid, class_pid) -> dict[str, pd.DataFrame]:
    """Tables intervention (groups and arms), outcome (a row a pupil and occasion) and dose (those served)."""
    rng = rng_of(seed, "intervention")
    now = place[(place["year"] == place["year"].max()) & (place["grade"] >= 4)]
    groups, outcomes, doses = [], [], []
    for design in planted.EFFECTS:
        some = _members(rng, design, now)
        group, served_from = _allocated(rng, design, some)
        outcome, served = _outcomes(rng, design, some, served_from)
        names = class_pid if design == "wait_list" else school_pid
        groups.append(group.assign(group_pid=names[group.pop("unit").to_numpy()]))
        outcomes.append(outcome)
        doses.append(_doses(rng, design, some["pupil"].to_numpy()[served]))
    outcome, dose = pd.concat(outcomes, ignore_index=True), pd.concat(doses, ignore_index=True)
    for table in (outcome, dose):
        table.insert(0, "pupil_pid", pupil_pid[table.pop("pupil").to_numpy()])
    outcome.insert(1, "school_pid", school_pid[outcome.pop("school").to_numpy()])
    outcome.insert(2, "class_pid", class_pid[outcome.pop("class").to_numpy()])
    return {"intervention": pd.concat(groups, ignore_index=True), "outcome": outcome, "dose": dose}


def planted_effects() -> pd.DataFrame:
    """What each design would find with no error: in SD of distress, and in points of the score."""
    rows = []
    for design, effect in planted.EFFECTS.items():
        if design == "staggered":
            rows += [
                (design, f"term_{n}_of_exposure", effect * share) for n, share in enumerate(planted.EXPOSURE, start=1)
            ]
        else:
            rows += [(design, "post", effect), (design, "follow_up", effect * planted.KEPT_AT_FOLLOW_UP)]
    table = pd.DataFrame(rows, columns=["design", "occasion", "effect_sd"])
    # After the wait, the control classes are served too: what is left between the arms is the difference.
    waited = (table["design"] == "wait_list") & (table["occasion"] == "follow_up")
    table.loc[waited, "effect_sd"] = planted.EFFECTS["wait_list"] * (planted.KEPT_AT_FOLLOW_UP - 1)
    return table.assign(effect_points=table["effect_sd"] * planted.SCORE_SD)


def _members(rng, design: str, now: pd.DataFrame) -> pd.DataFrame:
    if design == "staggered":
        # Six terms in one school: whoever entered it in the first school year or before.
        first = now["level"].map(planted.FIRST_GRADE)
        now = now[now["grade"] - first >= 2]
    schools = np.unique(now["school"])
    chosen = rng.choice(schools, min(len(schools), SCHOOLS[design]), replace=False)
    return now[now["school"].isin(chosen)].groupby("class").head(A_CLASS[design]).reset_index(drop=True)


def _allocated(rng, design: str, some: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Groups with arm and first term of service (missing: never), and that term for each pupil (99: never)."""
    unit = some["class" if design == "wait_list" else "school"].to_numpy()
    units = np.unique(unit)
    if design == "staggered":
        start = np.array([3, 4, 5, 99])[rng.permutation(len(units)) % 4]
    elif design == "above_cutoff":
        start = np.full(len(units), 5)
    else:
        start = np.where(_halved(rng, design, some, units), 5, 6 if design == "wait_list" else 99)
    treated = start <= 5
    group = pd.DataFrame({
        "design": design, "unit": units, "start_term": pd.array(start, dtype="Int8"),
        "arm": np.where(treated, "intervention", "control"),
    })  # fmt: skip
    group["start_term"] = group["start_term"].mask(start == 99)
    return group, start[np.searchsorted(units, unit)]


def _halved(rng, design: str, some: pd.DataFrame, units: np.ndarray) -> np.ndarray:
    """Half of the units by lot; classes are halved within their school."""
    if design != "wait_list":
        return rng.permutation(len(units)) % 2 == 0
    school = some.groupby("class")["school"].first().loc[units].to_numpy()
    order = np.lexsort((rng.random(len(units)), school))
    half = np.empty(len(units), bool)
    half[order] = np.arange(len(units)) % 2 == 0
    return half


def _outcomes(rng, design: str, some: pd.DataFrame, served_from: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    n, effect = len(some), planted.EFFECTS[design]
    own = rng.normal(0, np.sqrt(TRAIT), n)
    own += rng.normal(0, np.sqrt(planted.ICC_SCHOOL), some["school"].max() + 1)[some["school"]]
    own += rng.normal(0, np.sqrt(planted.ICC_CLASS), some["class"].max() + 1)[some["class"]]
    moment = np.sqrt(1 - TRAIT - planted.ICC_SCHOOL - planted.ICC_CLASS)
    terms = {f"term_{t}": t for t in range(1, 7)} if design == "staggered" else OCCASIONS
    served, running, parts = served_from <= 6, np.full(n, np.nan), []
    for occasion, term in terms.items():
        distress = own + rng.normal(0, moment, n)
        if not parts and design == "above_cutoff":
            running = _score(distress) - CUT
            served = running >= 0
            served_from = np.where(served, 5, 99)
        distress = distress + effect * _exposure(design, term - served_from + 1)
        arm = np.where(served_from <= 5, "intervention", "control")
        part = some[["pupil", "school", "class"]].assign(
            design=design, arm=arm, running=running, occasion=occasion, term=np.int8(term), distress=distress.round(3),
            score=_score(distress).astype("int8"),
        )  # fmt: skip
        # Whoever was worse off at the start is likelier to be missing later.
        there = rng.random(n) >= (expit(-2.4 + 0.35 * parts[0]["distress"]) if parts else 0.0)
        parts.append(part[there] if parts else part)
    return pd.concat(parts, ignore_index=True), np.flatnonzero(served)


def _exposure(design: str, terms: np.ndarray) -> np.ndarray:
    """Share of the effect after so many terms of service (1 in the first)."""
    shares = planted.EXPOSURE if design == "staggered" else (1.0, planted.KEPT_AT_FOLLOW_UP)
    padded = np.r_[0.0, shares]
    return padded[np.clip(terms, 0, len(shares))]


def _score(distress: np.ndarray) -> np.ndarray:
    return np.clip(np.round(planted.SCORE_MEAN + planted.SCORE_SD * distress), 0, 60)


def _doses(rng, design: str, pupil: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({
        "pupil": pupil, "design": design, "sessions": rng.integers(1, 9, len(pupil)).astype("int8"),
        "fidelity": rng.beta(8, 2, len(pupil)).round(2),
    })  # fmt: skip

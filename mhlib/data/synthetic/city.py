"""A whole city: people, six waves of answers and interviews, and everything the programme keeps books of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mhlib.data.synthetic import (
    calendar,
    family,
    interventions,
    packs,
    planted,
    programme,
    responses,
    service,
    skills,
    training,
    workforce,
)  # fmt: skip
from mhlib.data.synthetic.assumptions import assumptions
from mhlib.data.synthetic.calibration import level_models
from mhlib.data.synthetic.people import YEARS, People, names, people
from mhlib.data.synthetic.planted import rng_of
from mhlib.data.synthetic.verification import interviews, prorated_total

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wave:
    """One wave: answers, interviews, who was named before it, the roll, and the truth."""

    number: int
    response: pd.DataFrame
    assessment: pd.DataFrame
    named: pd.DataFrame
    enrolment: pd.DataFrame
    truth: pd.DataFrame


def city_tables(
    seed: int, n_schools: int, n_pupils: int, wanted: frozenset[str], progress: Progress
) -> Iterator[tuple[str, pd.DataFrame, bool]]:
    """Every table as (name, rows, is_truth); `response` and `enrolment` come wave by wave under the same name."""
    folk = people(seed, n_schools, n_pupils)
    progress("people", 0.1)
    yield from ((name, table, False) for name, table in folk.tables.items())
    assessed, named = [], []
    for wave in waves(seed, folk, n_pupils / 130_000, wanted):
        yield "response", wave.response, False
        yield "enrolment", wave.enrolment, False
        yield "truth_wave", wave.truth, True
        assessed.append(wave.assessment)
        named.append(wave.named)
        progress(f"wave {wave.number}", 0.1 + 0.1 * wave.number)
    assessment = pd.concat(assessed, ignore_index=True)
    yield "assessment", assessment, False
    for name, table in books(seed, folk, assessment, pd.concat(named, ignore_index=True), n_pupils):
        yield name, packs.disturbed_table(name, table, wanted), False
        progress(name, 0.85)
    yield from ((name, table, True) for name, table in truths(seed, folk).items())


def waves(
    seed: int, folk: People, scale: float, wanted: frozenset[str], *, last: int = planted.WAVES
) -> Iterator[Wave]:
    """Answers, interviews and truth of each wave up to `last`; `scale` 1 is a city of 130,000."""
    sex, class_pid = folk.tables["pupil"]["sex"].to_numpy(), class_names(folk)
    truth = responses.latent(seed, len(sex), len(folk.tables["school"]), len(class_pid))
    trained = workforce.trained_schools(seed, folk.tables["school"]["school_pid"].to_numpy())
    for number in range(1, last + 1):
        rng = rng_of(seed, f"response {number}")
        place = folk.place[folk.place["year"] == YEARS[(number - 1) // 2]].sort_values(["school", "class", "pupil"])
        keys = _keys(folk, place, class_pid, number)
        theta, case = responses.distress(rng, truth, place, sex, level_models())
        absent = place["level"].map(planted.ABSENT).to_numpy()
        here = rng.random(len(place)) >= absent
        careless = responses.carelessness(rng, len(place))
        response = _response(rng, keys[here], number, theta[here], careless[here])
        assessment = _assessment(seed, number, response, case[here], scale, wanted)
        named = keys.iloc[training.named(rng_of(seed, f"named {number}"), number, case, trained[place["school"]])]
        yield Wave(
            number=number, response=packs.disturbed_response(response, wanted, seed, number), assessment=assessment,
            named=named[["pupil_pid", "school_pid", "wave"]].assign(
                screened_from=calendar.screening_period(number)[0].to_datetime64()),
            enrolment=keys,
            truth=keys[["pupil_pid", "school_pid", "class_pid", "wave"]].assign(
                level=place["level"].to_numpy(), theta=theta, true_case=case, answered=here, careless=careless),
        )  # fmt: skip


def _keys(folk: People, place: pd.DataFrame, class_pid: np.ndarray, wave: int) -> pd.DataFrame:
    return pd.DataFrame({
        "pupil_pid": folk.tables["pupil"]["pupil_pid"].to_numpy()[place["pupil"]], "wave": np.int8(wave),
        "class_pid": class_pid[place["class"]],
        "school_pid": folk.tables["school"]["school_pid"].to_numpy()[place["school"]],
        "grade": place["grade"].to_numpy(),
    })  # fmt: skip


def _response(rng, keys: pd.DataFrame, wave: int, theta: np.ndarray, careless: np.ndarray) -> pd.DataFrame:
    n = len(keys)
    haste = np.where(careless > 0, 0.3, 1)
    return pd.DataFrame({
        **{name: keys[name].to_numpy() for name in ("pupil_pid", "wave", "school_pid", "class_pid", "grade")},
        "answered_on": calendar.screening_days(wave, rng, n),
        "seconds": np.clip(rng.lognormal(6.1, 0.35, n) * haste, 20, 3600).astype("int16"),
        "device": np.array(["tablet", "computer", "phone"], object)[rng.integers(0, 3, n)],
        **responses.answers(rng, theta, careless),
    })  # fmt: skip


def _assessment(seed, wave, response, case, scale, wanted) -> pd.DataFrame:
    """Interviews follow the answers as they were given, whatever fault the export has later."""
    rng = rng_of(seed, f"assessment {wave}")
    total = prorated_total(response[[f"phq_9_{j}" for j in range(1, 10)]].to_numpy())
    found = interviews(rng, total, case, scale=scale, packs=wanted)
    seen = response.iloc[found.pop("row").to_numpy()]
    return pd.DataFrame({
        **{name: seen[name].to_numpy() for name in ("pupil_pid", "wave", "school_pid")},
        "assessed_on": seen["answered_on"].to_numpy() + rng.integers(2, 15, len(seen)).astype("timedelta64[D]"),
        "rater": rng.integers(1, 41, len(seen)).astype("int8"), "method": "structured interview", **found,
    })  # fmt: skip


def class_names(folk: People) -> np.ndarray:
    """Pseudonyms of the classes in the order of their codes."""
    return names("C", int(folk.place["class"].max()) + 1)


def books(
    seed: int, folk: People, assessment: pd.DataFrame, named: pd.DataFrame, n_pupils: int
) -> Iterator[tuple[str, pd.DataFrame]]:
    """All tables beside people, answers and interviews."""
    school, pupil, household = (folk.tables[name] for name in ("school", "pupil", "household"))
    school_pid, pupil_pid = school["school_pid"].to_numpy(), pupil["pupil_pid"].to_numpy()
    staff = workforce.teachers(seed, school, n_pupils)
    teacher = staff["teacher"]
    yield from staff.items()
    yield from training.training(seed, teacher, school, workforce.trained_schools(seed, school_pid)).items()
    yield "nomination", training.nominations(seed, named, teacher)
    yield "supervision", workforce.supervision(seed, teacher)
    yield from service.grids(seed, folk.place, pupil_pid, teacher, school_pid).items()
    yield from service.cases(seed, assessment).items()
    yield from service.rooms(seed, school, folk.place, pupil_pid).items()
    yield from interventions.interventions(seed, folk.place, pupil_pid, school_pid, class_names(folk)).items()
    yield from programme.lessons(seed, folk.tables["class"]).items()
    yield from family.families(seed, folk.place, pupil, household, school).items()
    yield from programme.small_tables(seed, school).items()
    yield "calendar", calendar.calendar()
    yield "assumption", assumptions()
    yield "about", pd.DataFrame({"notice": [planted.NOTICE]})


def truths(seed: int, folk: People) -> dict[str, pd.DataFrame]:
    """What was planted, for the tests and for nobody else."""
    models = pd.DataFrame([{"level": level, **{field: getattr(model, field) for field in model.__slots__}}
                           for level, model in level_models().items()])  # fmt: skip
    single = {"icc_school": planted.ICC_SCHOOL, "icc_class": planted.ICC_CLASS, "stability": planted.STABILITY,
              "case_stability": planted.CASE_STABILITY, "careless": planted.CARELESS,
              "family_effect": planted.FAMILY_EFFECT, "lost": planted.LOST, **planted.TRAINING}  # fmt: skip
    school_pid = folk.tables["school"]["school_pid"]
    latent = responses.latent(seed, 1, len(school_pid), 1)
    trained = workforce.trained_schools(seed, school_pid.to_numpy())
    return {
        "truth_planted": planted.planted_accuracy(), "truth_ppv_scenario": planted.ppv_scenarios(),
        "truth_effect": interventions.planted_effects(), "truth_training": training.planted_training(),
        "truth_level_model": models, "truth_skill": skills.planted_skills(),
        "truth_school": pd.DataFrame({"school_pid": school_pid, "shift": latent.school, "trained": trained}),
        "truth_wait": pd.DataFrame({"kind": list(planted.WAITS), "median_days": list(planted.WAITS.values())}),
        "truth_parameter": pd.DataFrame({"parameter": list(single), "value": list(single.values())}),
    }  # fmt: skip

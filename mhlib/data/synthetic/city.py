"""A whole city: people, six waves of answers and interviews, and everything the programme keeps books of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from mhlib.data.synthetic import calendar, packs, planted, programme, responses, service, workforce
from mhlib.data.synthetic.people import YEARS, People, people
from mhlib.data.synthetic.planted import rng_of
from mhlib.data.synthetic.verification import interviews, prorated_total

Progress = Callable[[str, float], None]


def city_tables(
    seed: int, n_schools: int, n_pupils: int, wanted: frozenset[str], progress: Progress
) -> Iterator[tuple[str, pd.DataFrame, bool]]:
    """Every table as (name, rows, is_truth); the waves of `response` come one by one under the same name."""
    folk = people(seed, n_schools, n_pupils)
    progress("people", 0.15)
    yield from ((name, table, False) for name, table in folk.tables.items())
    seen = []
    for wave, response, assessment, truth in waves(seed, folk, n_pupils / 130_000, wanted):
        progress(f"wave {wave}", 0.15 + 0.1 * wave)
        yield "response", response, False
        yield "truth_wave", truth, True
        seen.append(assessment)
    assessment = pd.concat(seen, ignore_index=True)
    yield "assessment", assessment, False
    yield "enrolment", enrolment(folk), False
    progress("programme", 0.8)
    for name, table in books(seed, folk, assessment, n_pupils):
        yield name, packs.disturbed_table(name, table, wanted), False
    yield "truth_planted", planted.planted_accuracy(), True
    yield "truth_ppv_scenario", planted.ppv_scenarios(), True
    effects = pd.DataFrame({"design": list(planted.EFFECTS), "effect_sd": list(planted.EFFECTS.values())})
    yield "truth_effect", effects, True
    clusters = {"icc_school": planted.ICC_SCHOOL, "icc_class": planted.ICC_CLASS, **planted.TRAINING}
    yield "truth_parameter", pd.DataFrame({"parameter": list(clusters), "value": list(clusters.values())}), True


def waves(seed: int, folk: People, scale: float, wanted: frozenset[str]):
    """Answers, interviews and truth of each wave."""
    school_pid = folk.tables["school"]["school_pid"].to_numpy()
    pupil_pid = folk.tables["pupil"]["pupil_pid"].to_numpy()
    sex = folk.tables["pupil"]["sex"].to_numpy()
    n_classes = int(folk.place["class"].max()) + 1
    class_pid = class_names(n_classes)
    truth = responses.latent(seed, len(pupil_pid), len(school_pid), n_classes)
    means = responses.solve_means()
    for wave in range(1, planted.WAVES + 1):
        rng = rng_of(seed, f"response {wave}")
        place = folk.place[folk.place["year"] == YEARS[(wave - 1) // 2]]
        place = place[rng.random(len(place)) >= planted.ABSENT].sort_values(["school", "class", "pupil"])
        theta, case = responses.distress(rng, truth, place, sex, means)
        careless = responses.carelessness(rng, len(place))
        answers = responses.answers(rng, theta, careless)
        days = calendar.screening_days(wave, rng, len(place))
        response = pd.DataFrame({
            "pupil_pid": pupil_pid[place["pupil"]], "wave": np.int8(wave), "school_pid": school_pid[place["school"]],
            "class_pid": class_pid[place["class"]], "grade": place["grade"].to_numpy(), "answered_on": days,
            "seconds": np.clip(rng.lognormal(6.1, 0.35, len(place)) * np.where(careless > 0, 0.3, 1), 20, 3600)
            .astype("int16"), "device": rng.choice(["tablet", "computer", "phone"], len(place)), **answers,
        })  # fmt: skip
        total = prorated_total(np.column_stack([answers[f"phq_9_{j}"] for j in range(1, 10)]))
        found = interviews(rng_of(seed, f"assessment {wave}"), total, case, scale=scale, packs=wanted)
        row = found.pop("row").to_numpy()
        assessment = pd.DataFrame({
            "pupil_pid": response["pupil_pid"].to_numpy()[row], "wave": np.int8(wave),
            "school_pid": response["school_pid"].to_numpy()[row],
            "assessed_on": days[row] + pd.to_timedelta(rng.integers(2, 15, len(row)), unit="D"),
            "rater": rng.integers(1, 41, len(row)).astype("int8"), "method": "structured interview", **found,
        })  # fmt: skip
        latent = pd.DataFrame({"pupil_pid": response["pupil_pid"], "school_pid": response["school_pid"],
                               "wave": np.int8(wave), "level": place["level"].to_numpy(), "theta": theta,
                               "true_case": case, "careless": careless})  # fmt: skip
        yield wave, packs.disturbed_response(response, wanted, seed, wave), assessment, latent


def class_names(n: int) -> np.ndarray:
    """Pseudonyms of the classes in the order of their codes."""
    from mhlib.data.synthetic.people import names

    return names("C", n)


def enrolment(folk: People) -> pd.DataFrame:
    """Who was on which class's roll in each wave."""
    school_pid = folk.tables["school"]["school_pid"].to_numpy()
    pupil_pid = folk.tables["pupil"]["pupil_pid"].to_numpy()
    class_pid = class_names(int(folk.place["class"].max()) + 1)
    parts = []
    for wave in range(1, planted.WAVES + 1):
        place = folk.place[folk.place["year"] == YEARS[(wave - 1) // 2]]
        parts.append(pd.DataFrame({
            "pupil_pid": pupil_pid[place["pupil"]], "wave": np.int8(wave), "class_pid": class_pid[place["class"]],
            "school_pid": school_pid[place["school"]], "grade": place["grade"].to_numpy(),
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def books(seed: int, folk: People, assessment: pd.DataFrame, n_pupils: int) -> Iterator[tuple[str, pd.DataFrame]]:
    """All tables beside people, answers and interviews."""
    school = folk.tables["school"]
    school_pid, pupil_pid = school["school_pid"].to_numpy(), folk.tables["pupil"]["pupil_pid"].to_numpy()
    class_pid = class_names(int(folk.place["class"].max()) + 1)
    staff = workforce.teachers(seed, school, n_pupils)
    trained, _ = workforce.training(seed, staff["teacher"], len(school))
    parts = [
        staff, trained, workforce.nominations(seed, assessment, staff["teacher"]),
        service.grids(seed, folk.place, pupil_pid, staff["teacher"], school_pid), service.cases(seed, assessment),
        service.rooms(seed, school, folk.place, pupil_pid),
        programme.interventions(seed, folk.place, pupil_pid, school_pid, class_pid),
        programme.lessons(seed, folk.tables["class"], folk.tables["household"]),
        programme.surveys(seed, folk.place, pupil_pid), programme.small_tables(seed, school),
        {"calendar": calendar.calendar(), "assumption": planted.assumptions(),
         "about": pd.DataFrame({"notice": [planted.NOTICE]})},
    ]  # fmt: skip
    for part in parts:
        yield from part.items()

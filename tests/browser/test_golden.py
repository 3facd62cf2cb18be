"""The numbers of the reports on the small city, before the gate, against the committed tables.

Renew it, when a change of the numbers is meant, with

    MHLIB_RENEW_GOLDEN=1 .venv/bin/python -m pytest tests/browser/test_golden.py -q

and read the difference in git before committing it.
"""

import csv
import math
import os
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
HEADER = ["element", "row", "column", "value"]
# Mixed models stop where the likelihood is flat: their last digits are the machine's.
RELATIVE = {"screening_validity": 1e-6, "intervention_outcomes": 1e-4, "teacher_training": 1e-4}
ABSOLUTE = {"screening_validity": 1e-9, "intervention_outcomes": 1e-6, "teacher_training": 1e-6}
ACTED_ON = {
    "screening_validity": {"positives", "items", "reliability", "structure", "steps", "predictive", "bands", "choices", "plan"},
    "intervention_outcomes": {"flow_steps", "estimate", "means", "inference", "multiverse_table", "outcomes", "next_term", "icc"},
    "teacher_training": {"flow_steps", "dropped", "estimate", "behaviour_rates_table", "reach_claims", "cost_costs"},
}  # fmt: skip


def rows_of(internal: dict[str, list[dict]]) -> dict[tuple[str, str, str], float]:
    """Every number of every table: element, the row's own words (with its place where these repeat), column."""
    found: dict[tuple[str, str, str], float] = {}
    for element, rows in internal.items():
        names = [" | ".join(str(value) for value in row.values() if isinstance(value, str)) for row in rows]
        for at, (row, name) in enumerate(zip(rows, names, strict=True)):
            key = f"{name} #{at}" if names.count(name) > 1 else name
            for column, value in row.items():
                if isinstance(value, int | float) and not math.isnan(value):
                    found[element, key, column] = float(value)
    return found


@pytest.fixture(scope="module", params=list(ACTED_ON))
def evaluation(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def numbers(run_of, evaluation) -> dict[tuple[str, str, str], float]:
    return rows_of(run_of(f"demo/{evaluation}")["internal"])


def read_golden(path: Path) -> dict[tuple[str, str, str], float]:
    with path.open(encoding="utf-8", newline="") as lines:
        return {(row["element"], row["row"], row["column"]): float(row["value"]) for row in csv.DictReader(lines)}


def test_the_numbers_are_those_of_the_golden_table(numbers, evaluation):
    path = GOLDEN / f"{evaluation}_small.csv"
    if os.environ.get("MHLIB_RENEW_GOLDEN"):
        with path.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.writer(lines, lineterminator="\n")
            writer.writerow(HEADER)
            writer.writerows([*key, f"{value:.10g}"] for key, value in numbers.items())
    golden = read_golden(path)
    assert golden.keys() - numbers.keys() == set(), "terms that are gone"
    assert numbers.keys() - golden.keys() == set(), "terms that are new"
    moved = {key: (golden[key], value) for key, value in numbers.items()
             if not math.isclose(golden[key], value, rel_tol=RELATIVE[evaluation], abs_tol=ABSOLUTE[evaluation])}  # fmt: skip
    assert moved == {}


def test_the_golden_table_holds_what_a_reader_acts_on(numbers, evaluation):
    assert ACTED_ON[evaluation] <= {element for element, _, _ in numbers}
    assert len(numbers) > (500 if evaluation == "screening_validity" else 150)


def test_the_same_city_in_the_other_language_has_the_same_numbers(run_of, numbers, evaluation):
    assert rows_of(run_of(f"demo/{evaluation}", "zh")["internal"]) == numbers

"""The numbers of the report on the small city, before the gate, against the committed table.

Renew it, when a change of the numbers is meant, with

    MHLIB_RENEW_GOLDEN=1 .venv/bin/python -m pytest tests/browser/test_golden.py -q

and read the difference in git before committing it.
"""

import csv
import math
import os
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "screening_validity_small.csv"
HEADER = ["element", "row", "column", "value"]
RELATIVE, ABSOLUTE = 1e-6, 1e-9


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


@pytest.fixture(scope="module")
def numbers(run_of) -> dict[tuple[str, str, str], float]:
    return rows_of(run_of("demo")["internal"])


def read_golden() -> dict[tuple[str, str, str], float]:
    with GOLDEN.open(encoding="utf-8", newline="") as lines:
        return {(row["element"], row["row"], row["column"]): float(row["value"]) for row in csv.DictReader(lines)}


def test_the_numbers_are_those_of_the_golden_table(numbers):
    if os.environ.get("MHLIB_RENEW_GOLDEN"):
        with GOLDEN.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.writer(lines, lineterminator="\n")
            writer.writerow(HEADER)
            writer.writerows([*key, f"{value:.10g}"] for key, value in numbers.items())
    golden = read_golden()
    assert golden.keys() - numbers.keys() == set(), "terms that are gone"
    assert numbers.keys() - golden.keys() == set(), "terms that are new"
    moved = {key: (golden[key], value) for key, value in numbers.items()
             if not math.isclose(golden[key], value, rel_tol=RELATIVE, abs_tol=ABSOLUTE)}  # fmt: skip
    assert moved == {}


def test_the_golden_table_holds_what_a_reader_acts_on(numbers):
    elements = {element for element, _, _ in numbers}
    assert {
        "positives",
        "items",
        "reliability",
        "structure",
        "steps",
        "predictive",
        "bands",
        "choices",
        "plan",
    } <= elements
    assert len(numbers) > 500 and ("positives", "proportion", "estimate") in numbers


def test_the_same_city_in_the_other_language_has_the_same_numbers(run_of, numbers):
    assert rows_of(run_of("demo", "zh")["internal"]) == numbers

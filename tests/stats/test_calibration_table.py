"""The committed table of calibration is whole, passes its own rules, and comes again from its seeds."""

import importlib.util
from collections import Counter

import pytest

from ..claims import (
    COLUMNS,
    HEADLINE,
    PAGE,
    ROOT,
    TABLE,
    Claims,
    as_csv,
    as_page,
    merged,
    monte_carlo,
    passes,
    read_table,
    slow_tests,
)

ROWS = read_table()
FEWEST_COVERED = 400


def file_of(row) -> str:
    return row["test"].split("::")[0]


def test_every_slow_recovery_test_has_its_rows_and_every_row_its_test():
    listed = slow_tests()
    assert all(listed.values()), [name for name, asks in listed.items() if not asks]
    assert {row["test"].split("[")[0] for row in ROWS} == set(listed)


def test_every_row_passes_its_own_rule():
    assert not [row for row in ROWS if not passes(row)]


@pytest.mark.parametrize("row", [row for row in ROWS if row["count"]], ids=lambda row: f"{row['test']} {row['claim']}")
def test_figures_of_a_row_follow_from_its_count(row):
    count, n = int(row["count"]), int(row["replicates"])
    low, high = monte_carlo(count, n, int(row["family"]))
    assert (row["found"], row["low"], row["high"]) == (f"{count / n:.4f}", f"{low:.4f}", f"{high:.4f}")


def test_a_claim_has_one_row():
    twice = [key for key, n in Counter((row["test"], row["claim"]) for row in ROWS).items() if n > 1]
    assert not twice


def test_the_family_is_every_nominal_claim_of_the_file():
    nominal = Counter(file_of(row) for row in ROWS if row["must"] in ("cover", "size"))
    assert {(file_of(row), int(row["family"])) for row in ROWS} == set(nominal.items())


def test_headline_claims_have_replicates_and_others_say_why_not():
    short = [row for row in ROWS if int(row["replicates"]) < HEADLINE]
    assert not [row["claim"] for row in short if not row["why"]]
    assert not [
        row["claim"] for row in short if row["must"] in ("cover", "size") and int(row["replicates"]) < FEWEST_COVERED
    ]
    headline = {"sensitivity and specificity", "area under the curve", "reliability"}
    assert headline <= {row["area"] for row in ROWS if int(row["replicates"]) >= HEADLINE and row["must"] == "cover"}


def test_rules_are_the_protocol():
    for row in ROWS:
        low, high = float(row["allowed_low"]), float(row["allowed_high"])
        if row["must"] == "cover":
            assert low == 0.94 and high in (0.96, 1.0), row["claim"]
        if row["must"] == "size" and (high, low) != (0.06, 0.04):
            assert high <= 0.06 or row["why"], row["claim"]
        assert row["seed"], row["claim"]


def test_where_the_naive_analysis_fails_the_corrected_one_stands_beside_it():
    studies = {(row["test"]) for row in ROWS if row["must"] == "fail"}
    assert len(studies) >= 15
    assert not [test for test in studies if not any(row["test"] == test and row["must"] != "fail" for row in ROWS)]


def test_the_page_is_the_table_and_nothing_else():
    assert PAGE.read_text(encoding="utf-8") == as_page(ROWS)
    assert TABLE.read_text(encoding="utf-8") == as_csv(merged(ROWS, []))
    assert tuple(ROWS[0]) == COLUMNS


def test_a_row_comes_again_from_its_seed():
    name = "tests/stats/test_recovery.py"
    spec = importlib.util.spec_from_file_location("recovery_again", ROOT / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    test = f"{name}::test_delong_covers_the_planted_area"
    claims = Claims(test, full=True)
    module.test_delong_covers_the_planted_area(claims)
    again = [{key: str(value) for key, value in row.items()} for row in claims.rows]
    assert again == [row for row in ROWS if row["test"] == test]


def row_of(must: str, low: float, high: float, least: float = 0.94, most: float = 0.96) -> dict[str, object]:
    return {
        "must": must,
        "low": low,
        "high": high,
        "found": (low + high) / 2,
        "allowed_low": least,
        "allowed_high": most,
    }


@pytest.mark.parametrize(
    ("row", "good"),
    [
        (row_of("cover", 0.93, 0.945), True),
        (row_of("cover", 0.92, 0.939), False),
        (row_of("cover", 0.961, 0.98), False),
        (row_of("size", 0.03, 0.045, 0.04, 0.06), True),
        (row_of("size", 0.07, 0.09, 0.04, 0.06), False),
        (row_of("fail", 0.10, 0.49, 0.5, 1), True),
        (row_of("fail", 0.10, 0.51, 0.5, 1), False),
        (row_of("find", 0.91, 0.99, 0.9, 1), True),
        (row_of("find", 0.89, 0.99, 0.9, 1), False),
        (row_of("near", -0.5, 0.4, -0.1, 0.1), True),
        (row_of("near", 0.1, 0.4, -0.1, 0.1), False),
    ],
)
def test_the_rules_can_fail(row, good):
    assert passes(row) is good


def test_a_broken_claim_is_recorded_before_it_fails():
    claims = Claims("t", full=True)
    study = claims("area", "design", n="1", seed=[1], family=1)
    with pytest.raises(AssertionError, match=r"area: a must cover, found 0\.5000"):
        study.cover({"a": 1000})
    assert len(claims.rows) == 1


def test_a_claim_without_a_committed_row_fails():
    claims = Claims("t", full=False, known={("t", "a")})
    study = claims("area", "design", n="1", seed=[1], family=1)
    assert study.replicates == 500
    study.cover({"a": 475})
    with pytest.raises(AssertionError, match="make calibrate"):
        study.cover({"b": 475})

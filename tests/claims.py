"""What the slow tests claim, how each claim is judged, and the table of all of them (docs/calibration.csv and .md).

A study runs its replicates and hands over counts; each claim becomes a row before it is asserted. `--calibrate` runs every
replicate and writes the table; without it a quarter of them run and are judged by the same rule, whose interval is then
twice as wide.
"""

from __future__ import annotations

import ast
import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

ROOT = Path(__file__).resolve().parents[1]
TABLE, PAGE = ROOT / "docs" / "calibration.csv", ROOT / "docs" / "calibration.md"
HEADLINE, FEWEST = 2000, 250
COLUMNS = (
    "area", "claim", "design", "n", "must", "nominal", "replicates", "count", "found", "low", "high", "allowed_low",
    "allowed_high", "family", "seed", "why", "test",
)  # fmt: skip


def monte_carlo(count: int, replicates: int, family: int) -> tuple[float, float]:
    """Wilson's interval of a share of replicates, family-wise at 95 % over `family` claims."""
    low, high = proportion_confint(int(count), replicates, alpha=0.05 / family, method="wilson")
    return float(low), float(high)


def passes(row: Mapping[str, object]) -> bool:
    """Whether a row keeps its own rule; works on rows read from the table too."""
    low, high, least, most = (float(row[name]) for name in ("low", "high", "allowed_low", "allowed_high"))
    if row["must"] in ("cover", "size"):
        return low <= most and high >= least
    if row["must"] == "near":
        return least <= float(row["found"]) <= most
    if row["must"] == "fail":
        return high < least or low > most
    return least <= low and high <= most


@dataclass
class Study:
    """One design, simulated `replicates` times from one seed."""

    claims: Claims
    area: str
    design: str
    n: str
    seed: tuple[int, ...]
    replicates: int
    family: int
    why: str
    rng: np.random.Generator = field(init=False)

    def __post_init__(self):
        self.rng = np.random.default_rng(list(self.seed))

    def cover(self, counts: Mapping[str, int], nominal: float = 0.95, *, per: int = 1, cautious: bool = False) -> None:
        """Intervals hold the planted value at the nominal rate, up to a point; a cautious one may hold it more often.

        With `per` a count sums over so many independent intervals a replicate.
        """
        self._shares(counts, "cover", nominal, nominal - 0.01, 1.0 if cautious else nominal + 0.01, per)

    def size(
        self, counts: Mapping[str, int], nominal: float = 0.05, *, least: float | None = None, margin: float = 0.01
    ) -> None:
        """Tests reject the truth at the nominal rate, up to a point; `least` lets a cautious test reject less often."""
        self._shares(counts, "size", nominal, nominal - margin if least is None else least, nominal + margin, 1)

    def fail(
        self,
        counts: Mapping[str, int],
        *,
        below: float | None = None,
        above: float | None = None,
        nominal: float | None = None,
    ) -> None:
        """The analysis that ignores the difficulty is wrong for all to see: its share lies below, or above, a bound."""
        usual = 0.95 if above is None else 0.05
        allowed = (below, 1.0) if above is None else (0.0, above)
        self._shares(counts, "fail", usual if nominal is None else nominal, *allowed, 1)

    def find(
        self, counts: Mapping[str, int], *, least: float = 0.0, most: float = 1.0, per: int = 1, of: int | None = None
    ) -> None:
        """What was planted is found at least so often (or what was not, at most so often); `of`: in so many replicates."""
        self._shares(counts, "find", None, least, most, per, of)

    def near(self, values: Mapping[str, Sequence[float]], low: float, high: float) -> None:
        """Means over replicates lie between two bounds; their Monte Carlo interval is shown."""
        quantile, rows = stats.norm.isf(0.025 / self.family), []
        for claim, each in values.items():
            mean, half = float(np.mean(each)), quantile * float(np.std(each, ddof=1)) / math.sqrt(len(each))
            rows.append(self._row(claim, "near", None, len(each), None, mean, (mean - half, mean + half), (low, high)))
        self.claims.add(rows)

    def _shares(self, counts, must, nominal, least, most, per, of=None):
        trials = (of or self.replicates) * per
        rows = [
            self._row(claim, must, nominal, trials, int(count), int(count) / trials,
                      monte_carlo(count, trials, self.family), (least, most))
            for claim, count in counts.items()
        ]  # fmt: skip
        self.claims.add(rows)

    def _row(self, claim, must, nominal, replicates, count, found, interval, allowed) -> dict[str, object]:
        return {
            "area": self.area, "claim": claim, "design": self.design, "n": self.n, "must": must,
            "nominal": "" if nominal is None else nominal, "replicates": replicates,
            "count": "" if count is None else count, "found": f"{found:.4f}", "low": f"{interval[0]:.4f}",
            "high": f"{interval[1]:.4f}", "allowed_low": round(float(allowed[0]), 6), "allowed_high": round(float(allowed[1]), 6),
            "family": self.family, "seed": " ".join(map(str, self.seed)), "why": self.why, "test": self.claims.test,
        }  # fmt: skip


class Claims:
    """The claims of one slow test. Call it to open a study; the study records, then asserts.

    Parameters
    ----------
    test : str
        Node of the test, from the root of the project.
    full : bool
        Every replicate, as for the table; else a quarter.
    known : set of (test, claim), optional
        Rows of the committed table; a claim without one fails.
    """

    def __init__(self, test: str, *, full: bool, known: set[tuple[str, str]] | None = None, rows: list | None = None):
        self.test, self.full, self.known = test, full, known
        self.rows = [] if rows is None else rows

    def __call__(
        self, area: str, design: str, *, n: str, seed: Sequence[int], family: int = 1, replicates: int = HEADLINE, why: str = "",
        fewest: int = FEWEST,
    ) -> Study:  # fmt: skip
        """Open a study; `why` says why it has fewer than 2,000 replicates, or another peculiarity of its rule."""
        runs = replicates if self.full else min(replicates, max(replicates // 4, fewest))
        return Study(self, area, design, n, tuple(int(part) for part in seed), runs, family, why)

    def add(self, rows: list[dict[str, object]]) -> None:
        """Record all, then fail if one breaks its rule or stands in no committed table."""
        self.rows += rows
        broken = [row for row in rows if not passes(row)]
        assert not broken, "\n".join(sentence(row) for row in broken)
        lost = [row["claim"] for row in rows if self.known is not None and (self.test, row["claim"]) not in self.known]
        assert not lost, f"no row in {TABLE.name} for {lost}: run `make calibrate`"


def sentence(row: Mapping[str, object]) -> str:
    """A row in words, for the failure's text."""
    return (
        f"{row['area']}: {row['claim']} must {row['must']}, found {row['found']} [{row['low']}, {row['high']}] in "
        f"{row['replicates']} replicates, allowed {row['allowed_low']} to {row['allowed_high']}"
    )


def read_table(path: Path = TABLE) -> list[dict[str, str]]:
    """Rows of the committed table; none where there is no table yet."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def slow_tests(root: Path = ROOT) -> dict[str, bool]:
    """Every slow test of the recovery files, `file::function`, and whether it asks for the fixture `claims`."""
    found = {}
    for path in sorted((root / "tests").rglob("test_recovery*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        whole = any(isinstance(node, ast.Assign) and "mark.slow" in ast.unparse(node) for node in tree.body)
        for node in tree.body:
            if not (isinstance(node, ast.FunctionDef) and node.name.startswith("test_")):
                continue
            if whole or any("mark.slow" in ast.unparse(one) for one in node.decorator_list):
                name = f"{path.relative_to(root).as_posix()}::{node.name}"
                found[name] = "claims" in {arg.arg for arg in node.args.args}
    return found


def merged(old: Sequence[Mapping[str, object]], new: Sequence[Mapping[str, object]]) -> list[dict[str, str]]:
    """The table after a run: its rows replace those of the same tests, and rows of tests that are gone leave."""
    ran, there = {row["test"] for row in new}, slow_tests()
    kept = [row for row in old if row["test"] not in ran] + list(new)
    kept = [{name: str(row[name]) for name in COLUMNS} for row in kept if row["test"].split("[")[0] in there]
    return sorted(kept, key=lambda row: (row["area"], row["test"]))


def as_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """The table's bytes: no date, no machine, the same on every run."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def seeing(replicates: int, family: int, true: float, nominal: float = 0.95) -> float:
    """Chance that the rule catches an interval whose real coverage is `true`."""
    counts = np.arange(replicates + 1)
    low, high = proportion_confint(counts, replicates, alpha=0.05 / family, method="wilson")
    caught = (high < nominal - 0.01) | (low > nominal + 0.01)
    return float(stats.binom.pmf(counts[caught], replicates, true).sum())


def as_page(rows: Sequence[Mapping[str, object]]) -> str:
    """The page that people read; made from the rows of the table alone."""
    lines = [INTRODUCTION.format(**tally(rows)), "", *power_table(), ""]
    lines += watched(rows)
    for area in dict.fromkeys(row["area"] for row in rows):
        lines += [f"## {area[0].upper()}{area[1:]}", ""]
        here = [row for row in rows if row["area"] == area]
        for design, n in dict.fromkeys((row["design"], row["n"]) for row in here):
            lines += [f"**{design[0].upper()}{design[1:]}** (n: {n})", ""]
            lines += [
                "| claim | must | found | Monte Carlo interval | allowed | replicates | seed |",
                "|---|---|---|---|---|---|---|",
            ]
            mine = [row for row in here if (row["design"], row["n"]) == (design, n)]
            lines += [page_row(row) for row in mine] + [""]
            lines += [f"{why[0].upper()}{why[1:]}." for why in dict.fromkeys(row["why"] for row in mine) if why]
            lines += [""] if lines[-1] else []
    return "\n".join(lines).rstrip("\n") + "\n"


def watched(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Nominal claims that pass among many and would fail if they stood alone."""
    alone = []
    for row in rows:
        if row["must"] in ("cover", "size"):
            low, high = monte_carlo(int(row["count"]), int(row["replicates"]), 1)
            if low > float(row["allowed_high"]) or high < float(row["allowed_low"]):
                alone.append(row)
    lines = ["## Rows to watch", "", WATCHED.format(n=len(alone)), ""]
    if alone:
        lines += ["| area | claim | design | n | found | replicates |", "|---|---|---|---|---|---|"]
        names = ("area", "claim", "design", "n", "found", "replicates")
        lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in alone] + [""]
    return lines


WATCHED = """{n} rows pass under the family-wise rule and would not under their own 95 % interval. One in twenty does so by luck at
the edge of the band; where it is a bootstrap of few schools or a rough approximation, read the interval as a little short."""


def page_row(row: Mapping[str, object]) -> str:
    must = f"{row['must']} {row['nominal']}" if row["nominal"] and row["must"] != "fail" else row["must"]
    allowed = f"{row['allowed_low']} to {row['allowed_high']}"
    allowed = f"not {allowed}" if row["must"] == "fail" else allowed
    cells = (
        row["claim"],
        must,
        row["found"],
        f"{row['low']} to {row['high']}",
        allowed,
        row["replicates"],
        row["seed"],
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def tally(rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    musts = [row["must"] for row in rows]
    return {"total": len(rows), "fewer": sum(int(row["replicates"]) < HEADLINE for row in rows)} | {
        must: musts.count(must) for must in ("cover", "size", "fail", "find", "near")
    }


def power_table() -> list[str]:
    """What the rule can and cannot see, computed from the binomial distribution."""
    trues = (0.90, 0.92, 0.93, 0.94, 0.95)
    lines = [
        "| replicates | claims in the family | " + " | ".join(f"{true:.2f}" for true in trues) + " |",
        "|---" * 7 + "|",
    ]
    for replicates, family in ((2000, 1), (2000, 10), (2000, 30), (1000, 10), (500, 10), (400, 10), (250, 10)):
        chances = " | ".join(f"{100 * seeing(replicates, family, true):.0f} %" for true in trues)
        lines.append(f"| {replicates:,} | {family} | {chances} |")
    return lines


INTRODUCTION = """# Calibration: what the intervals and tests do when the truth is known

Made by `make calibrate` from the tests `test_recovery*.py`; do not edit. A test keeps this page and `calibration.csv` to
the tests' own claims. {total} claims: {cover} cover, {size} size, {fail} fail, {find} find, {near} near.

**How to read it.** In each row a data set was drawn again and again from a planted truth, and the method that the reports
use was run on each. `found` is the share of replicates in which the interval held the truth, the test rejected, or the
naive analysis did whatever the row says; for `near` it is a mean.

| must | passes when |
|---|---|
| cover | the Monte Carlo interval of the coverage meets nominal ± 1 point (allowed up to 1 where the method is cautious by design) |
| size | the same of the share of wrong rejections |
| fail | the whole Monte Carlo interval lies outside the band: whoever ignores the difficulty is wrong for all to see |
| find | the whole Monte Carlo interval lies within the allowed band (what was planted is found, or false alarms stay few) |
| near | the mean lies within the allowed band; its Monte Carlo interval (normal) is shown |

The Monte Carlo interval is Wilson's, at 95 % over all the cover and size claims of one test file together (Bonferroni), so
that a right method is seldom failed by luck. A headline claim has 2,000 replicates or more; {fewer} claims have fewer, and
each says why. Nominal rates and the ± 1 point are the protocol; the bands of fail, find and near were set by the authors,
partly after a first look: they guard against a change and are no test of a theory. `seed` is what
`numpy.random.default_rng` was given; the same seed gives the same counts.

**CI runs a subset.** `make test-slow` runs a quarter of the replicates (250 at least, of cities 100) from the same seeds, under
the same rule, whose interval is then about twice as wide. `make calibrate` runs all of them and writes this page.

**What the rule cannot see.** A pass does not prove nominal coverage. Chance that the rule fails an interval whose true
coverage is as in the column head (nominal 0.95; the last two columns are false alarms):"""

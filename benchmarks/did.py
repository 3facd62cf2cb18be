"""Difference-in-differences beside diff-diff."""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from mhlib.stats.effects.did_rollout import did_staggered
from mhlib.stats.effects.did_two_groups import did
from mhlib.stats.effects.event_leads import event_study

SCHOOLS, TERMS, PUPILS = 129, 8, 130_000
ROLL = {"outcome": "y", "unit": "school", "time": "term", "first_treated": "first"}


def roll_out(pupils: int) -> pd.DataFrame:
    """Pupils by school and term; schools begin in terms 3 to 6 or never."""
    rng = np.random.default_rng(11)
    each = max(pupils // SCHOOLS, 2)
    first = np.resize([3, 4, 5, 6, 0], SCHOOLS)
    school, term = (
        np.repeat(np.arange(SCHOOLS), each * TERMS),
        np.tile(np.repeat(np.arange(1, TERMS + 1), each), SCHOOLS),
    )
    rows = pd.DataFrame({"school": school, "term": term, "first": first[school], "one": 1})
    since = np.where(rows["first"] > 0, rows["term"] - rows["first"] + 1, 0).clip(min=0)
    rows["y"] = 0.1 * rng.normal(size=(SCHOOLS, TERMS))[school, term - 1] - 0.05 * since + rng.normal(size=len(rows))
    rows["post"], rows["treated"] = (rows["term"] > 4) * 1, (rows["first"] > 0) * 1
    return rows


def promises(quick: bool) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, numbers to compare)."""
    import diff_diff
    import statsmodels.formula.api as smf

    rows = roll_out(PUPILS // 10 if quick else PUPILS)
    means = rows.groupby(["school", "term"], as_index=False)[["y", "first"]].mean()
    found = did_staggered(means, **ROLL, compare=False)
    study = event_study(found)

    def peer() -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = diff_diff.CallawaySantAnna(estimation_method="reg", base_period="universal").fit(
                means, "y", "school", "term", "first"
            )
            return fit, [fit.aggregate(kind) for kind in ("event_study", "group", "simple")]

    def honest() -> float:
        fit = peer()[1][0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return diff_diff.HonestDiD(method="smoothness", M=float(study.bounds[5].limit)).fit(fit).ci_ub

    return [
        (f"group-time effects, all averages, Welch df, {SCHOOLS} schools x {TERMS} terms", "diff-diff (no df, no calendar)",
         lambda: did_staggered(means, **ROLL, compare=False), peer,
         lambda a, b: abs(a.to_frame().set_index("term").loc["overall", "estimate"] - b[0].overall_att) < 1e-9),
        (f"the same from {len(rows):,} rows of pupils", "diff-diff on means made by pandas",
         lambda: did_staggered(rows, **ROLL, compare=False),
         lambda: (rows.groupby(["school", "term"])[["y", "first"]].mean(), peer()),
         lambda a, b: abs(a.to_frame().set_index("term").loc["overall", "estimate"] - b[1][0].overall_att) < 1e-9),
        ("event study: joint test, power, 8 bounds, 2 breakdown values", "diff-diff, one smoothness interval",
         lambda: event_study(found), honest,
         lambda a, b: abs(a.bounds[5].conf_high - b) < 0.05 * (a.bounds[5].conf_high - a.bounds[5].conf_low)),
        (f"two groups, {len(rows):,} rows, CR2 + df by school", "statsmodels, CR1S (no CR2, no df)",
         lambda: did(rows, outcome="y", treated="treated", post="post", cluster="school"),
         lambda: smf.ols("y ~ treated * post", rows).fit(cov_type="cluster", cov_kwds={"groups": rows["school"]}),
         lambda a, b: abs(a.estimate - b.params["treated:post"]) < 1e-9),
    ]  # fmt: skip

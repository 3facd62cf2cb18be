"""The speed of each promise beside its peer, in one process on the same data: `make bench`.

A ratio counts only when both give the same number; absolute times depend on the machine.
"""

import statistics
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from mhlib.stats.accuracy import roc, verification_corrected_roc
from mhlib.stats.measurement import cronbach_alpha, item_analysis

PUPILS, SCHOOLS, ITEMS = 130_000, 129, 20


def seconds(run: Callable[[], object], repeats: int) -> tuple[float, object]:
    """Median CPU seconds after one warm-up, and the result."""
    result, taken = run(), []
    for _ in range(repeats):
        start = time.process_time()
        result = run()
        taken.append(time.process_time() - start)
    return statistics.median(taken), result


def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    trait = rng.normal(size=(PUPILS, 1))
    items = np.clip(np.round(1.2 + trait + rng.normal(size=(PUPILS, ITEMS))), 0, 3)
    total = items.sum(axis=1)
    case = rng.random(PUPILS) < 1 / (1 + np.exp(3.5 - 0.08 * (total - total.mean())))
    verified = (total >= np.quantile(total, 0.85)) | (rng.random(PUPILS) < 0.05)
    probability = np.where(total >= np.quantile(total, 0.85), 1, 0.05)
    school = rng.integers(0, SCHOOLS, PUPILS)
    return {
        "items": items,
        "total": total,
        "case": case,
        "verified": verified,
        "school": school,
        "probability": probability,
    }


def promises(d: dict[str, np.ndarray], n_boot: int) -> list[tuple[str, str, Callable, Callable, Callable]]:
    """(promise, peer, ours, theirs, numbers to compare)."""
    import pingouin
    from sklearn.metrics import roc_auc_score

    frame = pd.DataFrame(d["items"])
    reference = pd.Series(np.where(d["verified"], d["case"], None), dtype="boolean")

    def loop() -> float:
        """What one writes with sklearn: whole schools drawn again, weights for the verified, one area at a time."""
        rng, rows = np.random.default_rng(1), np.flatnonzero(d["verified"])
        by_school = [rows[d["school"][rows] == school] for school in range(SCHOOLS)]
        areas = []
        for _ in range(20):
            drawn = np.concatenate([by_school[school] for school in rng.integers(0, SCHOOLS, SCHOOLS)])
            areas.append(roc_auc_score(d["case"][drawn], d["total"][drawn], sample_weight=1 / d["probability"][drawn]))
        return float(np.median(areas))

    def corrected() -> object:
        return verification_corrected_roc(
            d["total"], reference, seed=1, cluster=d["school"], n_boot=n_boot,
            verification_probability=pd.Series(d["probability"]),
        )  # fmt: skip

    return [
        ("ROC with DeLong interval, 130,000 pupils", "sklearn (area only)", lambda: roc(d["total"], d["case"]),
         lambda: roc_auc_score(d["case"], d["total"]), lambda a, b: abs(a.auc - b) < 1e-12),
        ("alpha with interval, 20 items", "pingouin", lambda: cronbach_alpha(frame),
         lambda: pingouin.cronbach_alpha(frame), lambda a, b: abs(a.alpha - b[0]) < 1e-9),
        ("item analysis, 20 items", "pandas, item by item", lambda: item_analysis(frame),
         lambda: [frame[name].corr(frame.drop(columns=name).sum(axis=1)) for name in frame],
         lambda a, b: np.allclose(a.to_frame()["estimate"], b)),
        (f"verification-corrected area, {n_boot} resamples of schools", f"sklearn loop (20 timed, x {n_boot / 20:g})",
         corrected, loop, lambda a, b: abs(a.auc - b) < 0.01),
    ]  # fmt: skip


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    n_boot, repeats = (200, 1) if quick else (2000, 3)
    warnings.simplefilter("ignore")
    d = data()
    print(f"{'promise':<58}{'mhlib ms':>10}  {'peer':<36}{'peer ms':>12}{'ratio':>9}  same")
    for promise, peer, ours, theirs, same in promises(d, n_boot):
        own, mine = seconds(ours, repeats)
        other, their = seconds(theirs, 1 if "loop" in peer else repeats)
        other *= n_boot / 20 if "loop" in peer else 1
        agree = "yes" if same(mine, their) else "NO"
        print(
            f"{promise:<58}{1000 * own:>10.1f}  {peer:<36}{1000 * other:>12.1f}{other / own:>9.1f}  {agree}", flush=True
        )


if __name__ == "__main__":
    main()

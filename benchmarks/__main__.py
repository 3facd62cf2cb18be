"""The speed of each promise beside its peer, in one process on the same data: `make bench`.

`python -m benchmarks [--quick] [area …]` runs some areas only. A ratio counts only when both give the same number;
absolute times depend on the machine. Peers that take hours are timed on a part and scaled, and say so as `x N`.
"""

import argparse
import importlib
import os
import re
import statistics
import sys
import time
import warnings
from collections.abc import Callable

# Threads would be timed as much as the method; the reports run on one as well.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

AREAS = (
    "roc",
    "decision",
    "verification",
    "reliability",
    "ordinal",
    "cfa",
    "irt",
    "dif",
    "robust",
    "multilevel",
    "mixed_robust",
    "protection",
    "change",
    "did",
    "slopes",
    "discontinuity",
)
# A peer slower than this is timed once, without a warm-up.
DEAR = 3.0


def seconds(run: Callable[[], object], repeats: int) -> tuple[float, object]:
    """Median CPU seconds after one warm-up, and the result; of a dear call the single run."""
    start = time.process_time()
    result = run()
    first = time.process_time() - start
    if first > DEAR:
        return first, result
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        result = run()
        taken.append(time.process_time() - start)
    return statistics.median(taken), result


def scale_of(peer: str) -> float:
    """How often the timed part of a peer must be taken: the N of `x N)` in its text, else 1."""
    found = re.search(r"x ([\d.]+)\)", peer)
    return float(found.group(1)) if found else 1.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("areas", nargs="*", help=f"some of {', '.join(AREAS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer rows, resamples and repeats")
    given = parser.parse_args()
    if unknown := set(given.areas) - set(AREAS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; allowed: {', '.join(AREAS)}")
    warnings.simplefilter("ignore")
    print(f"{'promise':<62}{'mhlib ms':>10}  {'peer':<52}{'peer ms':>12}{'ratio':>9}  same")
    agree = True
    for area in given.areas or AREAS:
        for promise, peer, ours, theirs, same in importlib.import_module(f"benchmarks.{area}").promises(given.quick):
            own, mine = seconds(ours, 1 if given.quick else 3)
            other, their = seconds(theirs, 1)
            other, equal = other * scale_of(peer), bool(same(mine, their))
            agree &= equal
            print(f"{promise:<62}{1000 * own:>10.1f}  {peer:<52}{1000 * other:>12.1f}{other / own:>9.1f}  {'yes' if equal else 'NO'}",
                  flush=True)  # fmt: skip
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())

"""Process CPU time that one symbolic comparison costs this process: the trip to the worker.

New texts every time, so that no remembered verdict answers; bounds, exchange and verdict count,
what the worker computes does not. Medians of turns, one thread.

    python benchmarks/grading_worker.py [--out benchmarks/results.json]
"""

import argparse
import itertools
import time
from pathlib import Path

from common import RESULTS, merge, row, say, side_by_side

from versus.grading.symbolic import compare

COMMAND = "python benchmarks/grading_worker.py"
TARGET_SECONDS = 2e-4
TURNS, STEPS = 15, 200
NAME = (
    "grading: round trip of a symbolic comparison, "
    f"{1e3 * TARGET_SECONDS:g} ms of this process's CPU time divided by those measured"
)
_numbers = itertools.count(1000)


def main() -> None:
    """Measure, print and merge the ratio into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    started = time.monotonic()
    compare("x", "y")
    say(f"first comparison, with the start of the worker: {time.monotonic() - started:.2f} s")
    seconds = side_by_side({"short": _short, "roots": _roots}, TURNS, STEPS)
    say("CPU ms per comparison: " + ", ".join(f"{k} {1e3 * v:.3f}" for k, v in seconds.items()))
    merge(arguments.out, [row("reoac", NAME, TARGET_SECONDS / max(seconds.values()), 1.0, COMMAND)])


def _short() -> None:
    k = next(_numbers)
    compare(f"{k}+x", f"x+{k}")


def _roots() -> None:
    k = next(_numbers)
    compare(rf"\frac{{\sqrt{{{k}}}+1}}{{2}}", rf"\frac{{1}}{{2}}+\frac{{{k}}}{{2\sqrt{{{k}}}}}")


if __name__ == "__main__":
    main()

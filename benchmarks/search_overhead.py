"""CPU seconds that a search trial costs beyond its training, with tracking, in this process.

``versus search memory`` runs in an empty project. The first trials pay for imports, the stores and
their tables; what counts are the hundred after them: drawing, storage, pruning, records, MLflow.

    python benchmarks/search_overhead.py [--out benchmarks/results.json]
"""

import argparse
import contextlib
import io
from pathlib import Path

from common import RESULTS, Stopwatch, empty_project, merge, row, say

FIRST, COUNTED = 10, 100
TARGET_SECONDS = 0.1
COMMAND = "python benchmarks/search_overhead.py"
NAME = (
    "search: overhead of a trial with tracking, without its training: "
    f"{TARGET_SECONDS:g} CPU seconds divided by those measured"
)


def main() -> None:
    """Measure, print the parts and merge the ratio into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    watch = Stopwatch()
    _watch_parts(watch)
    with empty_project():
        _search(FIRST)
        watch.lap()
        _search(FIRST + COUNTED)
        lap = watch.lap()
    parts = {name: seconds / COUNTED for name, seconds in lap.items()}
    say("CPU ms per trial: " + ", ".join(f"{k} {1e3 * v:.1f}" for k, v in parts.items()))
    overhead = sum(parts.values()) - parts["training"] - parts["outputs"]
    say(f"overhead of a trial: {1e3 * overhead:.1f} ms (target {1e3 * TARGET_SECONDS:g})")
    merge(arguments.out, [row("memory", NAME, TARGET_SECONDS / overhead, 1.0, COMMAND)])


def _watch_parts(watch: Stopwatch) -> None:
    from versus.core.search import results, runner, storage
    from versus.core.search.study import Reporter, Study

    watch.watch(Study, "_means", "training")
    watch.watch(Reporter, "_tell", "reports")
    watch.watch(storage, "suggest", "drawing")
    watch.watch(results, "write_outputs", "outputs")
    watch.watch(runner._Sender, "send", "tracking")


def _search(trials: int) -> None:
    from versus import cli

    command = ["search", "memory", "--study", "s", "--trials", str(trials), "--quiet"]
    with contextlib.redirect_stdout(io.StringIO()):
        code = cli.main(command)
    if code != 0:
        raise RuntimeError(f"versus {' '.join(command)} gave exit code {code}")


if __name__ == "__main__":
    main()

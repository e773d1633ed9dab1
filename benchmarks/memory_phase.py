"""CPU seconds of the phase diagram by the command that a user types, with imports and tracking.

``versus train memory --profile phase`` runs as a process in an empty project: 128 cells of noise x
drift x conditioning, four tuned rules, 20 seeds, verdict, pictures, MLflow.

    python benchmarks/memory_phase.py [--out benchmarks/results.json]
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

from common import RESULTS, empty_project, merge, row, say

TARGET_SECONDS = 180.0
COMMAND = "python benchmarks/memory_phase.py"
NAME = f"phase diagram, whole command: {TARGET_SECONDS:g} CPU seconds divided by those measured"


def main() -> None:
    """Measure and merge the ratio into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with empty_project() as root:
        seconds = _train()
        verdict = json.loads(next(root.rglob("verdict.json")).read_text())
    cells, seeds = len({one["metric"] for one in verdict["comparisons"]}), len(verdict["seeds"])
    if cells < 64 or seeds < 20:
        raise RuntimeError(f"expected 64 cells and 20 seeds at least, received {cells}, {seeds}")
    say("\n".join(verdict["findings"]))
    say(f"{cells} cells, {seeds} seeds: {seconds:.0f} CPU-s (target {TARGET_SECONDS:g})")
    merge(arguments.out, [row("memory", NAME, TARGET_SECONDS / seconds, 1.0, COMMAND)])


def _train() -> float:
    """Run the command; its CPU seconds."""
    command = [sys.executable, "-m", "versus", "train", "memory", "--profile", "phase", "--quiet"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()

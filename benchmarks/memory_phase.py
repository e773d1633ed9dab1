"""CPU seconds of the phase diagram by the command that a user types, with imports and tracking.

``versus train memory --profile phase`` runs as a process in an empty project: 128 cells of noise x
drift x conditioning, four tuned rules, 20 seeds, verdict, pictures, MLflow.

    python benchmarks/memory_phase.py [--out benchmarks/results.json]
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from common import RESULTS, merge, row, say

ROOT = Path(__file__).resolve().parents[1]
TARGET_SECONDS = 180.0
COMMAND = "python benchmarks/memory_phase.py"
NAME = f"phase diagram, whole command: {TARGET_SECONDS:g} CPU seconds divided by those measured"


def main() -> None:
    """Measure and merge the ratio into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "params", Path(folder, "params"))
        seconds = _train(folder)
        verdict = json.loads(next(Path(folder).rglob("verdict.json")).read_text())
    cells, seeds = len({one["metric"] for one in verdict["comparisons"]}), len(verdict["seeds"])
    if cells < 64 or seeds < 20:
        raise RuntimeError(f"expected 64 cells and 20 seeds at least, received {cells}, {seeds}")
    say("\n".join(verdict["findings"]))
    say(f"{cells} cells, {seeds} seeds: {seconds:.0f} CPU-s (target {TARGET_SECONDS:g})")
    merge(arguments.out, [row("memory", NAME, TARGET_SECONDS / seconds, 1.0, COMMAND)])


def _train(folder: str) -> float:
    """Run the command in an empty project; its CPU seconds."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    command = [sys.executable, "-m", "versus", "train", "memory", "--profile", "phase", "--quiet"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command, check=True, env={**clean, "VERSUS_ROOT": folder}, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()

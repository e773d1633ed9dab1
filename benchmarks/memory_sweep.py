"""CPU seconds of the seed document's 192-run sweep, by the command that a user types.

``versus train memory --profile full`` runs in an empty project in this process: data, training,
tables, verdict and the projection into MLflow on sqlite. Imports and the creation of the store
(its migrations, once per project) come before and are reported by themselves, and so are the
pictures. The first sweep of the process counts: later ones find everything warm.

    python benchmarks/memory_sweep.py [--out benchmarks/results.json]
"""

import argparse
import contextlib
import importlib
import io
from pathlib import Path

from common import RESULTS, Stopwatch, empty_project, merge, row, say

TARGET_SECONDS = 3.0
COMMAND = "python benchmarks/memory_sweep.py"
HEAVY = (
    "matplotlib.pyplot",
    "mlflow.data",
    "mlflow.entities",
    "mlflow.store.tracking.sqlalchemy_store",
    "pandas",
    "scipy.stats",
    "torch",
    "versus.core.delivery",
    "versus.core.evaluation",
    "versus.core.pipeline",
    "versus.experiments.memory",
)
SWEEP = ("train", "memory", "--profile", "full", "--quiet")
NAME = (
    "192-run sweep with tracking, first in its process, without imports and pictures: "
    f"{TARGET_SECONDS:g} CPU seconds divided by those measured"
)


def main() -> None:
    """Measure, print the parts of every sweep and merge the ratio into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    watch = Stopwatch()
    _imports()
    say(f"imports {sum(watch.lap().values()):.2f} CPU-s")
    _watch_parts(watch)
    laps = [_sweep(watch) for _ in range(arguments.repeats)]
    seconds = sum(laps[0].values()) - laps[0]["pictures"]
    say(f"the first without pictures: {seconds:.2f} CPU-s (target {TARGET_SECONDS:g})")
    merge(arguments.out, [row("memory", NAME, TARGET_SECONDS / seconds, 1.0, COMMAND)])


def _imports() -> None:
    """Everything that the command imports on its way."""
    for name in HEAVY:
        importlib.import_module(name)


def _watch_parts(watch: Stopwatch) -> None:
    from versus.core import delivery, pipeline, stages
    from versus.core.experiment import find

    watch.watch(stages, "prepare", "data")
    watch.watch(pipeline, "train", "training")
    watch.watch(pipeline, "compare", "verdict")
    watch.watch(find("memory"), "plots", "pictures")
    watch.watch(delivery, "deliver", "tracking")


def _sweep(watch: Stopwatch) -> dict[str, float]:
    """One sweep in a project of its own; CPU seconds by part."""
    from versus import cli
    from versus.core import tracking

    with empty_project() as root:
        watch.lap()
        tracking.initialise(tracking.tracking_uri(root))
        store = sum(watch.lap().values())
        with contextlib.redirect_stdout(io.StringIO()):
            code = cli.main(SWEEP)
        lap = watch.lap()
        if code != 0:
            raise RuntimeError(f"versus {' '.join(SWEEP)} gave exit code {code}")
        _check(root)
    parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in lap.items())
    say(f"sweep {sum(lap.values()):.2f} CPU-s: {parts}; a new store before it {store:.2f}")
    return lap


def _check(root: Path) -> None:
    """All runs are there, and MLflow has a run of every variant."""
    import pandas as pd
    from mlflow import MlflowClient

    table = pd.read_csv(next(root.glob("runs/memory/*/results/runs.csv")))
    client = MlflowClient(f"sqlite:///{root}/mlflow.db")
    experiment = client.get_experiment_by_name("memory")
    runs = client.search_runs([experiment.experiment_id]) if experiment else []
    found = (len(table), len(runs), {run.info.status for run in runs})
    if found != (192, 17, {"FINISHED"}):
        raise RuntimeError(f"expected 192 rows and 17 finished runs, received {found}")


if __name__ == "__main__":
    main()

"""The stacks of a comparison and the workers of a study on a cluster, waited for here."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from versus.core import stackfolder
from versus.core.display import Display
from versus.core.errors import ConfigError, ProcessError
from versus.core.experiment import Experiment, available
from versus.core.launching import jobs, ray_cluster
from versus.core.launching.child import THREADS, Piece
from versus.core.paths import project_root
from versus.core.runs import BaseComparison, RunConfig
from versus.core.stages import Places

SEND = 30.0  # seconds between two looks of the tracking server at the series
PASSED = ("VERSUS_", "MLFLOW_", "HF_", "CUBLAS_", "PYTHONPATH")
SHOWN = 3  # failures that an error tells of


def shared_environment() -> dict[str, str]:
    """The variables that decide about data, results and tracking, as they are here."""
    names = (*PASSED, *(f"{name.upper()}_" for name in available()))
    found = {k: v for k, v in os.environ.items() if k.startswith(names) or k in THREADS}
    return {**found, "VERSUS_ROOT": str(project_root())}


def train(
    experiment: Experiment,
    comparison: BaseComparison,
    places: Places,
    display: Display,
    send: Callable[[], None] | None,
) -> None:
    """Have every stack that is not finished trained where the launcher says; at once if here.

    Args:
        experiment: what is compared.
        comparison: with what was tuned.
        places: folders that all machines share.
        display: told how many are trained.
        send: projects the series to MLflow as they grow.

    Raises:
        ConfigError: if the launcher cannot be used.
        ProcessError: if stacks could not be trained; the others are.
    """
    launcher = comparison.launcher
    if launcher.kind == "local":
        return
    if launcher.kind == "slurm":
        raise ConfigError(
            "launcher.kind: a command that waits for its results cannot submit to SLURM, received "
            "slurm; use local or ray, or `versus train`"
        )
    stacks = experiment.stacks(comparison.expand())
    folders = [stackfolder.path_of(places, number) for number in range(len(stacks))]
    missing = [n for n, folder in enumerate(folders) if not stackfolder.is_finished(folder)]
    if missing:
        folder = jobs.write(comparison, places, tracked=False, tags={})
        jobs.Job(folder, experiment, comparison, places).settle(comparison)
        pieces = [
            piece(described(stacks[n], n), ("job", str(folder), str(n)), folder, f"{n:04d}")
            for n in missing
        ]
        _run(pieces, comparison, display, _Progress(pieces, len(stacks), display, send))


def described(stack: Sequence[RunConfig], number: int) -> str:
    """What messages call a stack."""
    first = stack[0].key
    others = f" and {len(stack) - 1} more" if len(stack) > 1 else ""
    return f"stack {number} ({first.variant} seed {first.seed}{others})"


def piece(name: str, words: Sequence[str], folder: Path, log: str) -> Piece:
    """A command to be run elsewhere, in the same folder and environment."""
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    return Piece(name, tuple(words), os.getcwd(), str(logs / f"{log}.log"), shared_environment())


def work(
    commands: Sequence[Sequence[str]],
    comparison: BaseComparison,
    folder: Path,
    display: Display,
    tick: Callable[[Piece | None], None],
) -> None:
    """Run the workers of a study on the cluster until all have ended.

    Raises:
        ConfigError: if the launcher cannot be used.
        ProcessError: if workers failed.
    """
    pieces = [
        piece(f"worker {number}", words, folder, f"worker-{number}")
        for number, words in enumerate(commands, 1)
    ]
    _run(pieces, comparison, display, tick)


def _run(
    pieces: Sequence[Piece],
    comparison: BaseComparison,
    display: Display,
    tick: Callable[[Piece | None], None],
) -> None:
    launcher = comparison.launcher
    resources = ray_cluster.resources_of(launcher, comparison.threads, comparison.device)
    failed = ray_cluster.run(pieces, launcher, resources, display, tick)
    if failed:
        raise ProcessError(_told(failed, len(pieces), Path(pieces[0].log).parent))


def _told(failed: Mapping[str, str], count: int, logs: Path) -> str:
    shown = [f"{name}: {problem}" for name, problem in list(failed.items())[:SHOWN]]
    more = f"\nand {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    return (
        f"{len(failed)} of {count} failed on the cluster:\n" + "\n".join(shown) + more + "\n"
        f"what they said is in {logs}; mend that, and the same command goes on with what is left"
    )


class _Progress:
    """Tells of stacks as they end, and sends their series now and then."""

    def __init__(
        self,
        pieces: Sequence[Piece],
        total: int,
        display: Display,
        send: Callable[[], None] | None,
    ) -> None:
        self.done, self.total = total - len(pieces), total
        self.display, self.send = display, send
        self._sent = time.monotonic()
        display.note(f"{len(pieces)} of {total} stacks are to be trained on the cluster")

    def __call__(self, ended: Piece | None) -> None:
        if ended is not None:
            self.done += 1
            self.display.note(f"{self.done} of {self.total} stacks trained: {ended.name}")
        if self.send is not None and time.monotonic() - self._sent >= SEND:
            self.send()
            self._sent = time.monotonic()

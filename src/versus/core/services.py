"""Series sent to TensorBoard and to Weights & Biases, each an optional package.

Both are projections of the JSON lines: a process sends a series from its beginning and then goes
on as lines become safe, so that a resumed training leaves one continuous curve.
"""

import math
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from versus.core.errors import ConfigError
from versus.core.paths import discard
from versus.core.runs import RunKey
from versus.core.sinks import Record, read_from

if TYPE_CHECKING:
    from versus.core.exhibits import Exhibits


class SeriesSink(ABC):
    """Sends every record of a stack once per process, each run to a writer of its own."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self._offset = 0
        self._writers: dict[RunKey, Any] = {}

    def covered(self) -> None:
        """Send the new lines."""
        self._offset, records = read_from(self.source, self._offset)
        for record in records:
            run = RunKey(record["variant"], record["seed"])
            if run not in self._writers:
                self._writers[run] = self.open(run)
            finite = {k: v for k, v in record["metrics"].items() if _is_number(v)}
            self.send(self._writers[run], finite, record)

    def close(self) -> None:
        """Send the rest and end all writers."""
        self.covered()
        for writer in self._writers.values():
            self.end(writer)

    @abstractmethod
    def open(self, run: RunKey) -> Any:
        """A writer for one run, which begins anew."""

    @abstractmethod
    def send(self, writer: Any, metrics: dict[str, float], record: Record) -> None:
        """Send one record."""

    @abstractmethod
    def end(self, writer: Any) -> None:
        """Finish a run's writer."""


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


class TensorBoardSink(SeriesSink):
    """Event files in ``folder/<variant>/seed-<n>``.

    Raises:
        ConfigError: if the package is missing.
    """

    def __init__(self, source: Path, folder: Path) -> None:
        super().__init__(source)
        self.folder = folder
        try:
            import torch.utils.tensorboard  # noqa: F401 - fails where tensorboard is missing
        except ImportError as error:
            raise _missing("--tensorboard", "tensorboard") from error

    def open(self, run: RunKey) -> Any:
        """A writer in an empty folder."""
        from torch.utils.tensorboard import SummaryWriter

        folder = _events(self.folder, run)
        if folder.is_dir():
            discard(folder)
        return SummaryWriter(str(folder))

    def send(self, writer: Any, metrics: dict[str, float], record: Record) -> None:
        """Scalars with the record's step and time."""
        for name, value in metrics.items():
            writer.add_scalar(name, value, record["step"], walltime=record["time"] / 1000)
        writer.flush()

    def end(self, writer: Any) -> None:
        """Close the event file."""
        writer.close()

    @staticmethod
    def add(folder: Path, run: RunKey, exhibits: "Exhibits", step: int) -> None:
        """Add histograms and pictures to what a finished training has sent."""
        from torch.utils.tensorboard import SummaryWriter

        writer: Any = SummaryWriter(str(_events(folder, run)))
        for name, values in exhibits.histograms.items():
            writer.add_histogram(name, values, step)
        for name, pictures in exhibits.pictures.items():
            writer.add_images(name, pictures, step, dataformats="NHWC")
        writer.close()


def _events(folder: Path, run: RunKey) -> Path:
    return folder / run.variant / f"seed-{run.seed}"


class WandbSink(SeriesSink):
    """One run of Weights & Biases per run, grouped by comparison.

    Where it runs (online, offline) is up to ``WANDB_MODE``; its files lie below ``folder``.

    Raises:
        ConfigError: if the package is missing.
    """

    def __init__(self, source: Path, project: str, group: str, folder: Path) -> None:
        super().__init__(source)
        self.project, self.group, self.folder = project, group, folder
        try:
            import wandb  # noqa: F401 - fails where it is missing
        except ImportError as error:
            raise _missing("--hook-wandb", "wandb") from error

    def open(self, run: RunKey) -> Any:
        """A run whose id follows from comparison, variant and seed, so that a resume meets it.

        Raises:
            ConfigError: if the service refuses.
        """
        import wandb

        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            return wandb.init(
                project=self.project,
                group=self.group,
                name=f"{run.variant} seed {run.seed}",
                id=f"{self.group}-{run.variant}-{run.seed}".replace("=", "-").replace(",", "-"),
                config=run._asdict(),
                dir=self.folder,
                reinit="create_new",
                resume=None if os.environ.get("WANDB_MODE") == "offline" else "allow",
                settings=wandb.Settings(console="off", x_disable_stats=True, silent=True),
            )
        except wandb.Error as error:
            raise ConfigError(
                f"--hook-wandb {self.project}: refused ({error}); `wandb login` first, or set "
                "WANDB_MODE=offline, and give the same command again"
            ) from error

    def send(self, writer: Any, metrics: dict[str, float], record: Record) -> None:
        """One call per record; records of one step are merged by the service."""
        writer.log({**metrics, "epoch": record["epoch"]}, step=record["step"])

    def end(self, writer: Any) -> None:
        """Finish the run."""
        writer.finish()


def _missing(flag: str, package: str) -> ConfigError:
    return ConfigError(
        f"{flag}: the package {package} is not installed; pip install 'versus-lab[{package}]' or "
        "leave the flag out"
    )

"""Where training metrics go. The JSON lines are the truth; every other sink is a projection.

Each record is one line
``{"time": ms, "step": n, "epoch": e, "variant": v, "seed": s, "metrics": {...}}``, with the epochs
that were over by then. An infinite value (the run has diverged) is written as ``null``. Times do
not count when two series are compared.
"""

import csv
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from versus.core.display import Display
from versus.core.errors import DataError
from versus.core.learner import Metrics
from versus.core.paths import replacing, shown
from versus.core.runs import RunKey

logger = logging.getLogger(__name__)
Record = dict[str, Any]


def per_run(metrics: Metrics, runs: Sequence[RunKey]) -> list[dict[str, float]]:
    """Split metrics of a stack into one mapping per run; scalars go to all, NaN to none.

    Raises:
        ValueError: if a vector's length is not the number of runs.
    """
    split: list[dict[str, float]] = [{} for _ in runs]
    for name, value in metrics.items():
        entries = (
            value.detach().reshape(-1).tolist() if isinstance(value, Tensor) else [float(value)]
        )
        if len(entries) not in (1, len(runs)):
            raise ValueError(f"metric {name}: {len(entries)} entries for {len(runs)} runs")
        for index, mapping in enumerate(split):
            entry = entries[index % len(entries)]
            if not math.isnan(entry):
                mapping[name] = entry
    return split


class Sink(Protocol):
    """A projection of the JSON lines, told whenever more of them are safe."""

    def covered(self) -> None:
        """A checkpoint now covers all lines written so far."""

    def close(self) -> None:
        """Training of the stack has ended."""


class JsonLines:
    """The metric series of one stack, appended and, on resume, cut back to the checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def truncate(self, size: int) -> None:
        """Drop what no checkpoint covers.

        Raises:
            DataError: if the file is shorter than the checkpoint says.
        """
        held = self.path.stat().st_size
        if held < size:
            raise DataError(
                f"{shown(self.path)}: holds {held} bytes where the checkpoint covers {size}; it "
                "was cut by hand; remove its folder to train anew"
            )
        self._file.truncate(size)

    def write(
        self,
        step: int,
        epoch: int,
        runs: Sequence[RunKey],
        metrics: Metrics,
        begun: Sequence[bool] | None = None,
    ) -> None:
        """Append one record per run that has a value, and has begun the epoch if that is told."""
        now = time.time_ns() // 1_000_000
        for index, (run, values) in enumerate(zip(runs, per_run(metrics, runs), strict=True)):
            finite = {k: None if math.isinf(v) else v for k, v in values.items()}
            position = {"time": now, "step": step, "epoch": epoch}
            record = {**position, "variant": run.variant, "seed": run.seed, "metrics": finite}
            if finite and (begun is None or begun[index]):
                self._file.write(json.dumps(record) + "\n")

    def commit(self) -> int:
        """Force everything to disk; return the size in bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self.path.stat().st_size

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: Path) -> Iterator[Record]:
    """Yield the records of a series; a torn last line is left out."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def read_from(path: Path, offset: int) -> tuple[int, list[Record]]:
    """The whole records after byte ``offset``, and where they end."""
    records = []
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                break
            offset += len(line)
            records.append(json.loads(line))
    return offset, records


def series(path: Path) -> list[tuple[str, int, str, int, float | None]]:
    """``(variant, seed, key, step, value)`` of every metric: what a resume must reproduce."""
    return [
        (record["variant"], record["seed"], key, record["step"], value)
        for record in read(path)
        for key, value in record["metrics"].items()
    ]


def told(records: Sequence[Record], names: Mapping[str, str]) -> str:
    """Means over the finite values of records of several runs, in words.

    Args:
        records: one per run.
        names: metric -> what it is called; those without a value are left out.
    """
    values = {
        name: [r["metrics"][metric] for r in records if r["metrics"].get(metric) is not None]
        for metric, name in names.items()
    }
    parts = [f"{name} {sum(known) / len(known):.4g}" for name, known in values.items() if known]
    return ", ".join(parts) or "diverged"


class CsvSink:
    """The series as ``metrics_by_step.csv``: variant, seed, metric, step, value."""

    def __init__(self, source: Path) -> None:
        self.source = source

    def covered(self) -> None:
        """The table is written once, at the end."""

    def close(self) -> None:
        """Write the table beside the JSON lines."""
        with (
            replacing(self.source.with_name("metrics_by_step.csv")) as path,
            path.open("w", newline="", encoding="utf-8") as file,
        ):
            table = csv.writer(file)
            table.writerow(["variant", "seed", "metric", "step", "value"])
            table.writerows(series(self.source))


class ConsoleSink:
    """The newest metrics of every variant in the stack, at most every few seconds.

    Args:
        source: the JSON lines.
        display: where to print.
        tell: what to print of a variant and the newest records of its runs; empty = nothing.
        metrics: those that are told, as far as there are any; all where there are none.
        seconds: least time between two prints; 0 = every record is told, also those from before
            an interruption.
    """

    def __init__(
        self,
        source: Path,
        display: Display,
        tell: Callable[[str, Sequence[Record]], str],
        metrics: Sequence[str] = (),
        seconds: float = 5.0,
    ) -> None:
        self.source = source
        self.display = display
        self.tell = tell
        self.metrics = metrics
        self.seconds = seconds
        self._offset = 0
        self._last = time.monotonic()

    def covered(self) -> None:
        """Print what is new when the last print is long enough ago."""
        if time.monotonic() - self._last < self.seconds:
            return
        self._last = time.monotonic()
        self._offset, records = read_from(self.source, self._offset)
        for (variant, _), rows in self._grouped(records).items():
            if line := self.tell(variant, self._chosen(rows)):
                self.display.note(line)

    def _grouped(self, records: Sequence[Record]) -> dict[tuple[str, int | None], list[Record]]:
        """The newest record of each run by variant; where all are told, by variant and step."""
        everything = self.seconds == 0
        newest = {(r["variant"], r["seed"]): r for r in records}
        groups: dict[tuple[str, int | None], list[Record]] = {}
        for record in records if everything else newest.values():
            step = record["step"] if everything else None
            groups.setdefault((record["variant"], step), []).append(record)
        return groups

    def _chosen(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records with the metrics that are told."""
        there = {name for record in records for name in record["metrics"]}
        names = [name for name in self.metrics if name in there]
        if not names:
            return records
        return [
            {
                **record,
                "metrics": {n: record["metrics"][n] for n in names if n in record["metrics"]},
            }
            for record in records
        ]

    def close(self) -> None:
        """Nothing is held back."""


class CallbackSink:
    """Calls a function once lines are safe, at most every few seconds (MLflow's projection)."""

    def __init__(self, send: Callable[[], None], seconds: float = 10.0) -> None:
        self.send = send
        self.seconds = seconds
        self._last = time.monotonic()

    def covered(self) -> None:
        """Send when the last call is long enough ago."""
        if time.monotonic() - self._last >= self.seconds:
            self.send()
            self._last = time.monotonic()

    def close(self) -> None:
        """The caller sends the rest when the comparison ends."""


def all_covered(sinks: Iterable[Sink]) -> None:
    """Tell every sink that a checkpoint was written."""
    for sink in sinks:
        sink.covered()

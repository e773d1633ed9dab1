"""Metric series of a work folder, read line by line into compact columns. No torch, no MLflow.

A torn last line is what a running or killed process leaves and is passed over. Any other line
that cannot be read means a damaged file: it is an error unless the caller asks to leave such
lines out, because a picture would not show that points are missing.
"""

import json
import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from versus.core.errors import DataError
from versus.core.paths import shown

COLUMNS = ("variant", "seed", "metric", "step", "epoch", "value")
Damage = Callable[[str], None]
"""Told of every damaged line: raises, or notes it."""


class Key(NamedTuple):
    """What one series belongs to."""

    variant: str
    seed: int
    metric: str


class Growing:
    """Steps, epochs (nan where none was recorded) and values of one series, each of one length."""

    __slots__ = ("epochs", "steps", "values")

    def __init__(self) -> None:
        self.steps, self.epochs, self.values = array("d"), array("d"), array("d")

    def add(self, step: float, epoch: float, value: float) -> None:
        """Append one point."""
        self.steps.append(step)
        self.epochs.append(epoch)
        self.values.append(value)

    def columns(self) -> dict[str, Any]:
        """The three columns as arrays of shape (points,)."""
        return {
            "step": np.asarray(self.steps),
            "epoch": np.asarray(self.epochs),
            "value": np.asarray(self.values),
        }


Columns = dict[Key, Growing]


def refuse(message: str) -> None:
    """The default treatment of a damaged line.

    Raises:
        DataError: always.
    """
    raise DataError(
        f"{message}; restore the file or train again, or leave such lines out with --skip-corrupt"
    )


def read_stacks(work: Path, damaged: Damage = refuse) -> Columns:
    """All series below ``work/stacks``; an infinite value means that the run has diverged.

    Raises:
        DataError: if a line in the middle of a file is damaged (by :func:`refuse`).
    """
    columns: Columns = {}
    for path in sorted(work.glob("stacks/*/metrics.jsonl")):
        for record in _records(path, damaged):
            _add(columns, record)
    return columns


def _records(path: Path, damaged: Damage) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield _checked(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                damaged(f"{shown(path)} line {number}: not a metric record ({error!r:.120})")


def _checked(record: Any) -> dict[str, Any]:
    """The record with its types settled, so that none is added in part."""
    return {
        "variant": str(record["variant"]),
        "seed": int(record["seed"]),
        "step": float(record["step"]),
        "epoch": math.nan if record.get("epoch") is None else float(record["epoch"]),
        "metrics": {
            str(name): math.inf if value is None else float(value)
            for name, value in record["metrics"].items()
        },
    }


def _add(columns: Columns, record: dict[str, Any]) -> None:
    for name, value in record["metrics"].items():
        key = Key(record["variant"], record["seed"], name)
        series = columns.get(key)
        if series is None:
            series = columns[key] = Growing()
        series.add(record["step"], record["epoch"], value)


def as_table(columns: Columns, metrics: Sequence[str]) -> pd.DataFrame:
    """The series of some metrics, one row per point, with :data:`COLUMNS`, in recorded order."""
    wanted = set(metrics)
    parts = [
        pd.DataFrame({**key._asdict(), **series.columns()})
        for key, series in columns.items()
        if key.metric in wanted
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))

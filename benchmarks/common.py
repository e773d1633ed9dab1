"""What the benchmark scripts share: one results file, merged row by row."""

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

Row = dict[str, object]
"""experiment, name, ratio, target, holds, command."""

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("results.json")


def row(experiment: str, name: str, ratio: float, target: float, command: str) -> Row:
    """One measured ratio; it holds when it is at least its target."""
    return {
        "experiment": experiment,
        "name": name,
        "ratio": round(ratio, 1 if ratio >= 2 else 2),
        "target": target,
        "holds": ratio >= target,
        "command": command,
    }


def merge(path: Path, rows: list[Row]) -> None:
    """Replace the rows of the same experiment and name, keep all others."""
    old = json.loads(path.read_text()) if path.exists() else []
    new = {(row["experiment"], row["name"]) for row in rows}
    kept = [row for row in old if (row["experiment"], row["name"]) not in new]
    path.write_text(json.dumps(kept + rows, indent=2) + "\n")


class Stopwatch:
    """CPU seconds of this process by part; what a part calls counts for the inner part only."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._parts = ["rest"]
        self._since = time.process_time()

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Charge the block to ``name``."""
        self._charge()
        self._parts.append(name)
        try:
            yield
        finally:
            self._charge()
            self._parts.pop()

    def watch(self, owner: Any, function: str, name: str) -> None:
        """Charge every call of ``owner.function`` to ``name``."""
        real: Callable[..., Any] = getattr(owner, function)

        @wraps(real)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return real(*args, **kwargs)

        setattr(owner, function, timed)

    def lap(self) -> dict[str, float]:
        """The seconds since the last lap."""
        self._charge()
        lap = dict(self.seconds)
        self.seconds.clear()
        return lap

    def _charge(self) -> None:
        now = time.process_time()
        self.seconds[self._parts[-1]] += now - self._since
        self._since = now


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def empty_project() -> Iterator[Path]:
    """A project with our params and nothing else, for this process and those that it starts."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "params", Path(folder, "params"))
        os.environ["VERSUS_ROOT"] = folder
        yield Path(folder)

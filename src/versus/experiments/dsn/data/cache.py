"""A cache of what is made from files: inputs of learning, never anything that learns.

An entry's key is the digest of the content it is made from, of the code that makes it (name and
version) and of its settings, so nothing has to be invalidated: changed weights, files or settings
have other keys. Entries are written whole; a torn one is made again. Several processes and threads
may use one folder.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from versus.core.config import digest
from versus.core.paths import project_root, replacing, sweep_beside

Arrays = Mapping[str, npt.NDArray[Any]]
T = TypeVar("T")


class Counts(NamedTuple):
    """Use of a cache.

    Attributes:
        hits: times that something was there.
        misses: times that it had to be made.
        size: entries that are kept.
    """

    hits: int
    misses: int
    size: int

    @property
    def hit_rate(self) -> float:
        """Share of the requests that were hits; 0 before the first."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


class _Counting:
    def __init__(self) -> None:
        self._counting = threading.Lock()
        self.hits = self.misses = 0

    def note(self, *, hits: int = 0, misses: int = 0) -> None:
        """Count uses."""
        with self._counting:
            self.hits += hits
            self.misses += misses


class DiskCache(_Counting):
    """Arrays in files, one for each key."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder``: where they lie; ``None`` = ``runs/dsn/cache`` of the project."""
        super().__init__()
        self.folder = folder or project_root() / "runs" / "dsn" / "cache"

    def path(self, key: Mapping[str, Any]) -> Path:
        """The file of a key: JSON values that tell content, code and settings."""
        name = digest(dict(key))
        return self.folder / name[:2] / f"{name}.safetensors"

    def find(self, key: Mapping[str, Any]) -> Arrays | None:
        """What is there for a key, if anything; a torn file is removed. Does not count."""
        path = self.path(key)
        try:
            return load_file(path)
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError):
            path.unlink(missing_ok=True)
            return None

    def get(self, key: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
        """What is there for a key, or what ``make`` makes; others wait meanwhile.

        Raises:
            DataError: if it cannot be written.
        """
        found = self.find(key)
        if found is None:
            path = self.path(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock")):
                found = self.find(key)
                if found is None:
                    self.note(misses=1)
                    sweep_beside(path)
                    return self._kept(path, make())
        self.note(hits=1)
        return found

    @staticmethod
    def _kept(path: Path, arrays: Arrays) -> Arrays:
        with replacing(path) as temporary:
            temporary.write_bytes(save({k: np.ascontiguousarray(v) for k, v in arrays.items()}))
        return arrays

    def counts(self) -> Counts:
        """Use by this object, and entries in the folder."""
        whole = self.folder.glob("*/[!.]*.safetensors")  # not what is being written
        return Counts(self.hits, self.misses, sum(1 for _ in whole))


class Recent(_Counting, Generic[T]):
    """The ``limit`` values that were asked for last, in memory; safe under threads."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit, self._guard = limit, threading.RLock()
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept for ``key``, or what ``make`` makes; it is made once, others wait."""
        with self._guard:
            hit = key in self._values
            self.note(hits=hit, misses=not hit)
            value = self._values.pop(key) if hit else make()
            if self._limit > 0:
                self._values[key] = value
                while len(self._values) > self._limit:
                    self._values.popitem(last=False)
            return value

    def counts(self) -> Counts:
        """Use so far."""
        return Counts(self.hits, self.misses, len(self._values))

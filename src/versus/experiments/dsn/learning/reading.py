"""Sequences of a split, read once for all runs of a comparison."""

from functools import lru_cache
from pathlib import Path

from versus.experiments.dsn.data import shards
from versus.experiments.dsn.data.sequences import Sequence


def read(data: Path, split: str) -> tuple[Sequence, ...]:
    """The sequences of a split; what is shared must not be changed.

    Raises:
        DataError: if there are no such data, or they are torn or not finite.
    """
    file = data / shards.FOLDER / f"{split}.safetensors"
    stamp = file.stat().st_mtime_ns if file.is_file() else 0
    return _read(data.resolve(), split, stamp)


@lru_cache(maxsize=4)
def _read(data: Path, split: str, stamp: int) -> tuple[Sequence, ...]:
    return tuple(shards.read(data, split))

"""The folder of one stack: where it lies, who may write in it, and whether its training is over.

Several processes may be asked to train the same stack: a retry and a first attempt whose machine
was only thought dead. They take turns by a lock (``flock``, which NFS passes on to its server), so
that the second one finds the checkpoints of the first, and nothing else.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from versus.core.paths import read_json, shown, sweep
from versus.core.stages import Places


def path_of(places: Places, number: int) -> Path:
    """Where the stack of that number, from 0, keeps its state."""
    return places.work / "stacks" / f"{number:04d}"


def is_finished(folder: Path) -> bool:
    """Whether the stack has been trained to its end; one that diverged as a whole has not."""
    cursor = folder / "cursor.json"
    return cursor.is_file() and bool(read_json(cursor).get("finished"))


@contextmanager
def held(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Be the only one who writes in ``folder``; wait for whoever does, and ``tell`` of that."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell(f"{shown(folder)}: waiting for the process that trains there")
        lock.acquire()
    try:
        sweep(folder)  # what a killed process was writing
        yield
    finally:
        lock.release()

"""Key frames against true key poses: one to one, as many as can be matched."""

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Several
from typing import NamedTuple

import numpy as np

from versus.experiments.dsn.data.sequences import IntArray, Span


class Found(NamedTuple):
    """Counts of key frames and key poses.

    Attributes:
        hits: pairs of a chosen frame and a key pose.
        chosen: chosen frames.
        keys: key poses.
    """

    hits: int
    chosen: int
    keys: int

    @property
    def precision(self) -> float:
        """Share of chosen frames that are hits; 0 without any."""
        return self.hits / self.chosen if self.chosen else 0.0

    @property
    def recall(self) -> float:
        """Share of key poses that are hit; 0 without any."""
        return self.hits / self.keys if self.keys else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.chosen + self.keys
        return 2 * self.hits / total if total else 0.0


def total(parts: Iterable[Found]) -> Found:
    """The counts of several scenes together."""
    rows = list(parts)
    return Found(*(sum(getattr(row, name) for row in rows) for name in Found._fields))


def around_keys(keys: IntArray, tolerance: int) -> list[Span]:
    """Frames that hit a key pose: at most ``tolerance`` from its frame; ends exclusive."""
    return [(key - tolerance, key + tolerance + 1) for key in keys.tolist()]


def around_holds(keys: IntArray, holds: Several[Span], tolerance: int) -> list[Span]:
    """Frames that hit a key pose: at most ``tolerance`` from its hold; ends exclusive.

    A key pose outside of all holds counts as held for its one frame.
    """
    return [(start - tolerance, end + tolerance) for start, end in _holds_of(keys, holds)]


def _holds_of(keys: IntArray, holds: Several[Span]) -> Iterator[Span]:
    for key in keys.tolist():
        yield next((span for span in holds if span[0] <= key < span[1]), (key, key + 1))


def matched(frames: IntArray, windows: Several[Span]) -> IntArray:
    """Give frames to windows that contain them, one to one, as many as possible.

    Frames are taken in order, each for that open window that ends first (Glover 1967: maximum
    matching in a convex bipartite graph). No choice is better: if a best matching gives the frame
    to another window, or to none, then that window ends later, and whichever later frame had the
    first one can have the other instead.

    Args:
        frames: increasing, ``[K]``.
        windows: ends exclusive.

    Returns:
        Number of the window of each frame, -1 for none, ``[K]``.
    """
    open_, found = set(range(len(windows))), []
    for frame in frames.tolist():
        fitting = [n for n in open_ if windows[n][0] <= frame < windows[n][1]]
        best = min(fitting, key=lambda n: (windows[n][1], n), default=-1)
        open_.discard(best)
        found.append(best)
    return np.array(found, dtype=np.int64)


def found(frames: IntArray, windows: Several[Span]) -> Found:
    """Count hits; see :func:`matched`."""
    hits = int((matched(frames, windows) >= 0).sum())
    return Found(hits, len(frames), len(windows))

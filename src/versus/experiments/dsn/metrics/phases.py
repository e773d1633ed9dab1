"""In which phase of an animation frames lie: at a key pose, elsewhere in a hold, between holds."""

from collections import Counter
from collections.abc import Sequence as Several

import numpy as np

from versus.experiments.dsn.data.sequences import IntArray, Sequence, Span
from versus.experiments.dsn.metrics.matching import around_keys

KEY, HOLD, TWEEN = "key", "hold", "tween"
PHASES = (KEY, HOLD, TWEEN)


def phases(frames: IntArray, keys: IntArray, holds: Several[Span], tolerance: int) -> list[str]:
    """The phase of every frame.

    Args:
        frames: of the original file.
        keys: frames of the key poses.
        holds: spans during which they are held.
        tolerance: frames by which a frame at a key pose may miss it.
    """
    at_key = _within(frames, around_keys(keys, tolerance))
    held = _within(frames, holds)
    names = np.where(at_key, KEY, np.where(held, HOLD, TWEEN))
    return [str(name) for name in names]


def _within(frames: IntArray, spans: Several[Span]) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    inside = np.zeros(len(frames), dtype=np.bool_)
    for start, end in spans:
        inside |= (start <= frames) & (frames < end)
    return inside


def shares(
    scenes: Several[Sequence], chosen: Several[IntArray] | None, tolerance: int
) -> dict[str, float]:
    """Share of frames in each phase; empty where no key pose is known or no frame is chosen.

    Args:
        scenes: of any videos.
        chosen: rows of each; None = all.
        tolerance: as for :func:`phases`.
    """
    counts: Counter[str] = Counter()
    for place, scene in enumerate(scenes):
        if scene.keys is not None:
            frames = scene.picks if chosen is None else scene.picks[chosen[place]]
            counts.update(phases(frames, scene.keys, scene.holds, tolerance))
    return {name: counts[name] / counts.total() for name in PHASES} if counts else {}

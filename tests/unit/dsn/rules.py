"""Selections without learning and their F1, written plainly, for the data's own tests."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from versus.experiments.dsn.data.animation.clips import Clip
from versus.experiments.dsn.data.features.motion import STEADY, changes, small_grey

Rule = Callable[[Clip, int], list[int]]


def f1(rule: Rule, clips: Sequence[Clip], tolerance: int = 2) -> float:
    """Mean F1 over clips, with as many frames selected as there are key poses."""
    found = []
    for clip in clips:
        keys = list(clip.truth.keys)
        selected = sorted(rule(clip, len(keys)))
        right = sum(_taken(frame, keys, tolerance) for frame in selected)
        found.append(2 * right / (len(selected) + len(clip.truth.keys)))
    return float(np.mean(found))


def _taken(frame: int, keys: list[int], tolerance: int) -> bool:
    near = min(keys, key=lambda key: abs(key - frame), default=None)
    if near is None or abs(near - frame) > tolerance:
        return False
    keys.remove(near)
    return True


def uniform(clip: Clip, count: int) -> list[int]:
    """Middles of parts of equal length."""
    return [int((number + 0.5) * len(clip.frames) / count) for number in range(count)]


def stillest(clip: Clip, count: int, gap: int = 8) -> list[int]:
    """Minima of the smoothed frame difference, none within ``gap`` frames of another."""
    frames = clip.frames[:, ::2, ::2].astype(np.int16)
    return _lowest(np.abs(np.diff(frames, axis=0)).mean((1, 2, 3)), count, gap)


def steadiest(clip: Clip, count: int, gap: int = 8) -> list[int]:
    """The same of what changes beyond the camera's shift and the light."""
    return _lowest(changes(small_grey(clip.frames), None)[1:, STEADY], count, gap)


def _lowest(steps: npt.NDArray[np.floating[Any]], count: int, gap: int) -> list[int]:
    both = (np.append(steps, steps[-1]) + np.append(steps[:1], steps)) / 2
    chosen: list[int] = []
    for frame in np.argsort(gaussian_filter1d(both, 1.0), kind="stable").tolist():
        if len(chosen) < count and all(abs(frame - other) >= gap for other in chosen):
            chosen.append(frame)
    return chosen

"""When a figure holds a key pose, and how it goes from one to the next."""

from typing import NamedTuple

import numpy as np

from versus.experiments.dsn.data.animation.styles import Style
from versus.experiments.dsn.data.sequences import FloatArray, IntArray, Span

BRIEF = (1, 2)
IDLE = (16, 28)
PAUSE = (3, 6)
BRIEF_SHARE, IDLE_SHARE = 0.1, 0.04
"""Of the holds, at difficulty 1."""
PAUSE_SHARE = 0.6
"""Of the tweens, at difficulty 1: those that stand still on the way, without turning."""


class Timeline(NamedTuple):
    """One shot of one figure; ``[T]`` frames.

    Attributes:
        leaving: number of the pose that a frame holds or leaves, ``[T]``.
        progress: 0 at that pose, 1 at the next one, ``[T]``.
        drawing: first frame of the drawing that a frame shows, ``[T]``.
        holds: frames at which the key poses are held, in order.
        poses: how many poses there are; the first and the last may be outside of the shot.
        on: frames for which a drawing stays.
    """

    leaving: IntArray
    progress: FloatArray
    drawing: IntArray
    holds: tuple[Span, ...]
    poses: int
    on: int


class _Draft:
    """Frames as they are appended."""

    def __init__(self) -> None:
        self.leaving: list[int] = []
        self.progress: list[float] = []
        self.drawing: list[int] = []

    def show(self, pose: int, progress: float, frames: int) -> Span:
        start = len(self.leaving)
        self.leaving += [pose] * frames
        self.progress += [progress] * frames
        self.drawing += [start] * frames
        return start, start + frames


def timeline(rng: np.random.Generator, style: Style, keys: int, difficulty: float) -> Timeline:
    """Draw the timing of a shot with ``keys`` key poses.

    Args:
        rng: decides everything.
        style: lengths, exposures and eases.
        keys: how many key poses are held.
        difficulty: 0 = plain holds; 1 = brief ones, idle ones, and pauses that are none.
    """
    on = int(rng.choice([n for n, _ in style.exposures], p=[p for _, p in style.exposures]))
    draft, pose, holds = _Draft(), 0, []
    if rng.random() < 0.4:
        _tween(draft, rng, style, pose, on, difficulty)
        pose += 1
    for number in range(keys):
        holds.append(draft.show(pose, 0.0, _hold_length(rng, style, difficulty)))
        if number < keys - 1 or rng.random() < 0.4:
            _tween(draft, rng, style, pose, on, difficulty)
            pose += 1
    return Timeline(
        np.array(draft.leaving),
        np.array(draft.progress),
        np.array(draft.drawing),
        tuple(holds),
        pose + 2,
        on,
    )


def _hold_length(rng: np.random.Generator, style: Style, difficulty: float) -> int:
    brief, idle = BRIEF_SHARE * difficulty, IDLE_SHARE * difficulty
    chance = rng.random()
    low, high = BRIEF if chance < brief else IDLE if chance > 1 - idle else style.hold
    return int(rng.integers(low, high + 1))


def _tween(
    draft: _Draft, rng: np.random.Generator, style: Style, pose: int, on: int, difficulty: float
) -> None:
    """Append the drawings between two key poses; some stand still for a moment on the way."""
    drawings = max(2, round(int(rng.integers(style.tween[0], style.tween[1] + 1)) / on))
    ease = EASES[str(rng.choice(style.eases))]
    halt = int(rng.integers(1, drawings)) if rng.random() < PAUSE_SHARE * difficulty else -1
    for number in range(drawings):
        frames = on + (int(rng.integers(*PAUSE)) if number == halt else 0)
        draft.show(pose, float(ease((number + 1) / (drawings + 1))), frames)


def _smooth(x: float) -> float:
    return x * x * (3 - 2 * x)


def _slow_in(x: float) -> float:
    return 1 - (1 - x) ** 2


def _slow_out(x: float) -> float:
    return x * x


def _overshoot(x: float) -> float:
    return 1 + 2.7 * (x - 1) ** 3 + 1.7 * (x - 1) ** 2


def _anticipate(x: float) -> float:
    return 1 - _overshoot(1 - x)


EASES = {
    "smooth": _smooth,
    "slow_in": _slow_in,
    "slow_out": _slow_out,
    "overshoot": _overshoot,
    "anticipate": _anticipate,
}
"""Name -> share of the way that is done after a share of the time; both ends are fixed."""

"""Clips: shots joined by cuts and fades, and what is true of them."""

import itertools
from typing import NamedTuple

import cv2
import numpy as np

from versus.core.seeding import derive
from versus.experiments.dsn.data.animation.shots import draw, plan
from versus.experiments.dsn.data.animation.stage import Image
from versus.experiments.dsn.data.animation.styles import FOREIGN, HOME, Style
from versus.experiments.dsn.data.sequences import Span

SHOTS = (2, 3)
KEYS = (3, 5)
FADE = (6, 12)
STYLES = {"test_style": FOREIGN}
"""Splits that are drawn in another style than the rest."""


class Truth(NamedTuple):
    """What is known of a clip; all numbers are frames.

    Attributes:
        cuts: first frame of every shot but the first; of a fade, its middle.
        scenes: the shots.
        keys: middle of every hold of a key pose, increasing.
        holds: the holds.
        exposures: for each shot, frames for which a drawing stays: on ones, twos, threes.
    """

    cuts: tuple[int, ...]
    scenes: tuple[Span, ...]
    keys: tuple[int, ...]
    holds: tuple[Span, ...]
    exposures: tuple[int, ...]


class Clip(NamedTuple):
    """A rendered clip.

    Attributes:
        name: split and number.
        frames: ``[T, H, W, 3]``, red, green, blue.
        truth: what is to be found in it.
    """

    name: str
    frames: Image
    truth: Truth


class _Film(NamedTuple):
    """A shot and where its holds are."""

    frames: Image
    holds: tuple[Span, ...]
    on: int


def clip(
    seed: int, split: str, number: int, *, size: tuple[int, int], difficulty: float = 1.0
) -> Clip:
    """Clip ``number`` of a split: a function of the arguments alone.

    Args:
        seed: of the data.
        split: ``train``, ``validation``, ``test`` or ``test_style``.
        number: within the split.
        size: width and height in pixels.
        difficulty: 0 = a hold is where nothing moves; 1 = holds are brief or long, the camera,
            tails and passers-by move through them, tweens pause, and light flickers.
    """
    rng = np.random.default_rng(derive("dsn", seed, split, number))
    style = STYLES.get(split, HOME)
    films = [
        _film(rng, style, size, difficulty)
        for _ in range(int(rng.integers(SHOTS[0], SHOTS[1] + 1)))
    ]
    frames, truth = films[0].frames, [(film.on, film.holds) for film in films]
    starts = [0]
    for film in films[1:]:
        fade = int(rng.integers(*FADE)) if rng.random() < 0.25 else 0
        starts.append(len(frames) - fade)
        frames = _joined(frames, film.frames, fade)
    middles = [0, *_middles(starts, films), len(frames)]
    _grain(rng, style, frames)
    return Clip(f"{split}-{number:04d}", frames, _truth(middles, starts, truth))


def _film(
    rng: np.random.Generator, style: Style, size: tuple[int, int], difficulty: float
) -> _Film:
    shot = plan(rng, style, int(rng.integers(KEYS[0], KEYS[1] + 1)), size, difficulty)
    return _Film(draw(shot, size), shot.time.holds, shot.time.on)


def _joined(first: Image, second: Image, fade: int) -> Image:
    """One shot after the other, ``fade`` frames of both at once."""
    if not fade:
        return np.concatenate([first, second])
    shares = (np.arange(fade) + 1) / (fade + 1)
    pairs = zip(first[-fade:], second[:fade], shares.tolist(), strict=True)
    both = [cv2.addWeighted(old, 1 - share, new, share, 0) for old, new, share in pairs]
    return np.concatenate([first[:-fade], np.stack(both).astype(np.uint8), second[fade:]])


def _middles(starts: list[int], films: list[_Film]) -> list[int]:
    """First frame of every shot but the first: where it outweighs the one before."""
    ends = [start + len(film.frames) for start, film in zip(starts, films, strict=True)]
    return [(start + end) // 2 for start, end in zip(starts[1:], ends[:-1], strict=True)]


def _truth(
    bounds: list[int], starts: list[int], shots: list[tuple[int, tuple[Span, ...]]]
) -> Truth:
    scenes = tuple(itertools.pairwise(bounds))
    holds = tuple(
        (max(start + first, scene[0]), min(start + last, scene[1]))
        for scene, start, (_, spans) in zip(scenes, starts, shots, strict=True)
        for first, last in spans
        if max(start + first, scene[0]) < min(start + last, scene[1])
    )
    keys = tuple((first + last - 1) // 2 for first, last in holds)
    return Truth(tuple(bounds[1:-1]), scenes, keys, holds, tuple(on for on, _ in shots))


def _grain(rng: np.random.Generator, style: Style, frames: Image) -> None:
    """Add film grain in place: one sheet of noise, laid differently on every frame."""
    height, width = frames.shape[1:3]
    sheet = rng.normal(0, style.grain, (height + 64, width + 64, 3)).round()
    brighter, darker = (np.clip(sign * sheet, 0, 255).astype(np.uint8) for sign in (1, -1))
    for frame, (top, left) in zip(frames, rng.integers(0, 64, (len(frames), 2)), strict=True):
        window = slice(top, top + height), slice(left, left + width)
        cv2.add(frame, brighter[window], frame)
        cv2.subtract(frame, darker[window], frame)

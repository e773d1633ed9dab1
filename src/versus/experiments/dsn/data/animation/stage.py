"""What is around a figure: background, camera, passers-by, and light."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from versus.experiments.dsn.data.animation.figures import Colour, blob, colour
from versus.experiments.dsn.data.animation.styles import Style
from versus.experiments.dsn.data.sequences import FloatArray, Span

Image = npt.NDArray[np.uint8]
MARGIN = 0.6
"""How far the painted background goes beyond the picture, in picture heights."""

MOVING = (0.15, 0.1, 0.1, 0.1, 0.1)
"""Shares of pans, drifts, shakes, zooms and looks around at difficulty 1."""
LOOKS, PACE = 0.8, (0.012, 0.03)
"""Share of the holds through which a camera looks around; picture heights per frame."""
FLICKER_SHARE = 1.0
"""Of the shots, at difficulty 1: those in which light flickers for a while, as of a fire."""
FLICKERS = (24, 72)
"""Frames of that while."""
FLICKER = (0.75, 1.0)
"""Gain of a light that flickers, frame by frame."""


class Extra(NamedTuple):
    """Something that moves on its own.

    Attributes:
        corners: in all frames, ``[T, corners, 2]``, in picture heights.
        depth: share of the camera's movement that it takes part in; above 1 = in front.
        colour: red, green, blue.
    """

    corners: FloatArray
    depth: float
    colour: Colour


def background(rng: np.random.Generator, style: Style, width: int, height: int) -> Image:
    """A painted background with margins for the camera, ``[H + 2m, W + 2m, 3]``."""
    margin = round(MARGIN * height)
    rows, columns = height + 2 * margin, width + 2 * margin
    top, bottom = (np.array(colour(rng, style), dtype=np.float64) for _ in range(2))
    ramp = np.linspace(0, 1, rows)[:, None, None]
    canvas = np.broadcast_to(top + (bottom - top) * ramp, (rows, columns, 3))
    painted = np.ascontiguousarray(canvas.round().astype(np.uint8))
    for _ in range(int(rng.integers(8, 20))):
        centre = rng.uniform(0, 1, 2) * (columns, rows)
        size = rng.uniform(0.06, 0.35) * height
        corners = blob(rng, style, (rng.uniform(0.4, 1.6), rng.uniform(0.4, 1.6))) * size + centre
        cv2.fillPoly(painted, [corners.round().astype(np.int32)], colour(rng, style), cv2.LINE_AA)
    return painted


def camera(
    rng: np.random.Generator, frames: int, difficulty: float, holds: tuple[Span, ...]
) -> FloatArray:
    """Where the camera is: ``[T, 3]`` of x and y in picture heights, and magnification.

    Args:
        rng: decides it.
        frames: of the shot.
        difficulty: 0 = it stands still.
        holds: during which a figure stands still: there is time to look around.
    """
    path = np.zeros((frames, 3))
    path[:, 2] = 1
    kind = rng.choice(
        ["still", "pan", "drift", "shake", "zoom", "look"], p=_camera_shares(min(1.0, difficulty))
    )
    if kind == "pan":
        start, end = sorted(rng.uniform(0, 1, 2))
        share = np.clip((np.linspace(0, 1, frames) - start * 0.4) / (0.3 + end * 0.7), 0, 1)
        path[:, :2] = share[:, None] * _direction(rng) * rng.uniform(0.2, 0.9) * MARGIN
    elif kind == "drift":
        path[:, :2] = _drift(rng, frames) * 0.05
    elif kind == "shake":
        age = np.arange(frames) - rng.integers(0, max(1, frames - 10))
        decay = np.where(age >= 0, np.exp(-np.maximum(age, 0) / 6), 0) * 0.05
        path[:, :2] = decay[:, None] * rng.choice([-1, 1], (frames, 2))
    elif kind == "zoom":
        path[:, 2] = np.linspace(1.0, rng.uniform(1.15, 1.5), frames)[:: rng.choice([-1, 1])]
    elif kind == "look":
        path[:, :2] = looking(rng, frames, holds)
    return path


def looking(rng: np.random.Generator, frames: int, holds: tuple[Span, ...]) -> FloatArray:
    """A camera that goes to and fro while the figure holds its poses, ``[T, 2]``."""
    steps = np.zeros((frames, 2))
    way = _direction(rng)
    for number, (start, end) in enumerate(holds):
        if rng.random() < LOOKS:
            steps[start:end] = way * (-1) ** number * rng.uniform(*PACE)
    return np.asarray(steps.cumsum(0))


def _camera_shares(difficulty: float) -> list[float]:
    moving = np.array(MOVING) * difficulty
    return [float(1 - moving.sum()), *moving.tolist()]


def _direction(rng: np.random.Generator) -> FloatArray:
    angle = rng.choice([0, np.pi]) + rng.uniform(-0.4, 0.4)
    return np.array([np.cos(angle), np.sin(angle)])


def _drift(rng: np.random.Generator, frames: int) -> FloatArray:
    """A hand-held camera: two slow waves in each direction, ``[T, 2]``."""
    time = np.arange(frames)[:, None, None]
    periods, phases = rng.uniform(20, 70, (1, 2, 2)), rng.uniform(0, 2 * np.pi, (1, 2, 2))
    return np.asarray(np.sin(2 * np.pi * time / periods + phases).sum(1) / 2)


def extras(
    rng: np.random.Generator, style: Style, frames: int, aspect: float, difficulty: float
) -> list[Extra]:
    """Clouds, cars, passers-by and falling things; in front of the figure where depth > 1."""
    found = [_mover(rng, style, frames, aspect) for _ in range(rng.binomial(3, 0.4 * difficulty))]
    found += [_pillar(rng, style, frames, aspect) for _ in range(int(rng.integers(0, 3)))]
    if rng.random() < 0.15 * difficulty:
        found += _falling(rng, style, frames, aspect)
    return found


def _mover(rng: np.random.Generator, style: Style, frames: int, aspect: float) -> Extra:
    """Goes across at its own pace, on its own exposure; some come and go."""
    on = int(rng.choice([1, 2]))
    time = np.arange(frames) // on * on
    start = np.array([rng.uniform(-0.2, aspect + 0.2), rng.uniform(0.1, 0.9)])
    velocity = np.array([rng.choice([-1, 1]) * rng.uniform(0.004, 0.022), rng.normal(0, 0.002)])
    bob = np.stack([np.zeros(frames), 0.04 * np.sin(time * rng.uniform(0.1, 0.5))], 1)
    moving = time if rng.random() < 0.6 else np.clip(time - rng.integers(0, frames), 0, None)
    place = start + moving[:, None] * velocity + bob
    outline = blob(rng, style, (rng.uniform(0.05, 0.2), rng.uniform(0.04, 0.12)))
    depth = 1.3 if rng.random() < 0.2 else rng.uniform(0.3, 0.9)
    return Extra(place[:, None] + outline, depth, colour(rng, style))


def _pillar(rng: np.random.Generator, style: Style, frames: int, aspect: float) -> Extra:
    """Part of the set, at a depth of its own: it shows parallax when the camera moves."""
    outline = blob(rng, style, (rng.uniform(0.05, 0.25), rng.uniform(0.3, 0.7)))
    place = np.array([rng.uniform(0, aspect), rng.uniform(0.6, 1.1)])
    corners = np.broadcast_to(outline + place, (frames, *outline.shape))
    return Extra(corners, float(rng.choice([0.7, 1.4], p=[0.8, 0.2])), colour(rng, style))


def _falling(rng: np.random.Generator, style: Style, frames: int, aspect: float) -> list[Extra]:
    """Rain, leaves or sparks."""
    shade, speed = colour(rng, style), rng.uniform(0.02, 0.06)
    outline = blob(rng, style, (0.012, rng.uniform(0.012, 0.05)))
    found = []
    for _ in range(10):
        height = (rng.uniform(0, 1.2) + np.arange(frames) * speed) % 1.2 - 0.1
        place = np.stack([np.full(frames, rng.uniform(0, aspect)), height], 1)
        found.append(Extra(place[:, None] + outline, 1.0, shade))
    return found


def light(rng: np.random.Generator, frames: int, difficulty: float) -> FloatArray:
    """Gain of the three colours and what is added, ``[T, 4]``: colour script and flashes."""
    script = np.ones((frames, 4))
    script[:, 3] = 0
    if rng.random() < 0.25:
        ends = rng.uniform(0.65, 1.0, (2, 3))
        script[:, :3] = np.linspace(ends[0], ends[1], frames)
    if rng.random() < 0.4 * difficulty:
        at = int(rng.integers(0, max(1, frames - 4)))
        flash = np.array([0.85, 0.6, 0.35, 0.15])[: frames - at]
        script[at : at + len(flash), 3] = 255 * flash
        script[at : at + len(flash), :3] *= (1 - flash)[:, None]
    if rng.random() < FLICKER_SHARE * difficulty:
        start, length = int(rng.integers(0, frames)), int(rng.integers(*FLICKERS))
        script[start : start + length, :3] *= rng.uniform(*FLICKER, (length, 1))[: frames - start]
    return script

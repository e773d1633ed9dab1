"""One shot: a figure acts in front of a background; drawn frame by frame."""

from typing import NamedTuple

import cv2
import numpy as np

from versus.experiments.dsn.data.animation import figures, stage
from versus.experiments.dsn.data.animation.figures import Colour, Part
from versus.experiments.dsn.data.animation.stage import Extra, Image
from versus.experiments.dsn.data.animation.styles import Style
from versus.experiments.dsn.data.animation.timeline import Timeline, timeline
from versus.experiments.dsn.data.sequences import FloatArray

SHIFT = 4
"""Binary digits of a pixel's fraction."""
SMEAR = 0.16
"""Picture heights between two drawings from which on a figure is smeared."""


class Shot(NamedTuple):
    """What is to be drawn; corners are in picture heights.

    Attributes:
        time: when the figure holds its key poses.
        painted: background, with margins.
        camera: ``[T, 3]``.
        light: ``[T, 4]``.
        extras: what else moves.
        parts: of the figure.
        corners: of the parts, ``[T, parts, corners, 2]``.
        outline: whether parts have a dark line.
    """

    time: Timeline
    painted: Image
    camera: FloatArray
    light: FloatArray
    extras: list[Extra]
    parts: list[Part]
    corners: FloatArray
    outline: bool


def plan(
    rng: np.random.Generator, style: Style, keys: int, size: tuple[int, int], difficulty: float
) -> Shot:
    """Decide everything about a shot.

    Args:
        rng: decides it.
        style: what it looks like.
        keys: number of key poses.
        size: width and height in pixels.
        difficulty: 0 to 1.
    """
    width, height = size
    time = timeline(rng, style, keys, difficulty)
    frames = len(time.leaving)
    parts = figures.figure(rng, style)
    return Shot(
        time=time,
        painted=stage.background(rng, style, width, height),
        camera=stage.camera(rng, frames, difficulty, time.holds),
        light=stage.light(rng, frames, difficulty),
        extras=stage.extras(rng, style, frames, width / height, difficulty),
        parts=parts,
        corners=_acted(rng, time, parts, width / height, difficulty),
        outline=style.outline,
    )


def _acted(
    rng: np.random.Generator, time: Timeline, parts: list[Part], aspect: float, difficulty: float
) -> FloatArray:
    keys = figures.key_poses(rng, time.poses, rng.uniform(0.13, 0.2))
    keys[:, figures.X] *= aspect
    poses = figures.posed(time, keys)
    frames = np.arange(len(poses))
    poses[:, figures.SQUASH] += 0.03 * difficulty * np.sin(frames * rng.uniform(0.2, 0.5))
    if rng.random() < 0.4 * difficulty:  # a moving hold: the pose is kept and drifts
        poses[:, figures.X] += 0.03 * np.sin(frames * rng.uniform(0.05, 0.15))
    tail = figures.trailing(poses[:, figures.X], rng.uniform(0.1, 0.3), rng.uniform(0.15, 0.4))
    if rng.random() < 0.5:  # what trails behind is drawn with the figure, not on its own
        tail = tail[time.drawing]
    return figures.polygons(parts, poses, tail)


def draw(shot: Shot, size: tuple[int, int]) -> Image:
    """All frames of a shot, ``[T, H, W, 3]``."""
    frames = len(shot.camera)
    film = np.empty((frames, size[1], size[0], 3), np.uint8)
    behind = [(e.colour, _seen(e.corners, shot.camera, e.depth, size)) for e in shot.extras]
    front = [pair for pair, extra in zip(behind, shot.extras, strict=True) if extra.depth > 1]
    back = [pair for pair, extra in zip(behind, shot.extras, strict=True) if extra.depth <= 1]
    corners = _seen(shot.corners, shot.camera, 1.0, size)
    ghosts = _ghosts(shot.corners, shot.time)
    for frame in range(frames):
        canvas = film[frame]
        _paint(canvas, shot, frame)
        for shade, points in back:
            cv2.fillPoly(canvas, [points[frame]], shade, cv2.LINE_AA, SHIFT)
        if frame in ghosts:
            _smear(canvas, shot, corners, frame, ghosts[frame])
        _figure(canvas, shot.parts, corners[frame], shot.outline)
        for shade, points in front:
            cv2.fillPoly(canvas, [points[frame]], shade, cv2.LINE_AA, SHIFT)
        _lit(canvas, shot.light[frame])
    return film


def _seen(
    corners: FloatArray, camera: FloatArray, depth: float, size: tuple[int, int]
) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """Corners in fractions of pixels, as the camera sees what is at that depth."""
    middle = np.array([size[0] / size[1], 1.0]) / 2
    lead = (slice(None),) + (None,) * (corners.ndim - 2)
    moved = (corners - middle - depth * camera[:, :2][lead]) * camera[:, 2:][lead] + middle
    return np.asarray((moved * size[1] * 2**SHIFT).round().clip(-32000, 32000).astype(np.int32))


def _paint(canvas: Image, shot: Shot, frame: int) -> None:
    """The background, which moves half as much as the camera."""
    x, y, zoom = shot.camera[frame].tolist()
    height, width = canvas.shape[:2]
    margin = (shot.painted.shape[0] - height) // 2
    scale = 1 + (zoom - 1) * 0.5
    left = margin + 0.5 * x * height + width / 2 * (1 - 1 / scale)
    top = margin + 0.5 * y * height + height / 2 * (1 - 1 / scale)
    matrix = np.array([[1 / scale, 0, left], [0, 1 / scale, top]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(shot.painted, matrix, (width, height), canvas, flags, cv2.BORDER_REPLICATE)


def _figure(
    canvas: Image,
    parts: list[Part],
    corners: np.ndarray[tuple[int, ...], np.dtype[np.int32]],
    outline: bool,
) -> None:
    for part, points in zip(parts, corners, strict=True):
        cv2.fillPoly(canvas, [points], part.colour, cv2.LINE_AA, SHIFT)
        if outline:
            cv2.polylines(canvas, [points], True, (15, 15, 20), 1, cv2.LINE_AA, SHIFT)


def _ghosts(corners: FloatArray, time: Timeline) -> dict[int, int]:
    """Frame -> an earlier one from which the figure is smeared."""
    centres = corners.mean((1, 2))
    before = np.maximum(time.drawing - 1, 0)
    far = np.linalg.norm(centres - centres[before], axis=1) > SMEAR
    return {int(frame): int(before[frame]) for frame in np.flatnonzero(far)}


def _smear(
    canvas: Image,
    shot: Shot,
    corners: np.ndarray[tuple[int, ...], np.dtype[np.int32]],
    frame: int,
    before: int,
) -> None:
    """The largest parts stretched from where they were."""
    for number, part in enumerate(shot.parts):
        if part.limb == -1 and number < len(shot.parts) - 1:
            ends = np.concatenate(
                [(corners[before] + corners[frame])[number] // 2, corners[frame][number]]
            )
            hull = cv2.convexHull(ends)
            cv2.fillPoly(canvas, [hull], _paler(part.colour), cv2.LINE_AA, SHIFT)


def _paler(shade: Colour) -> Colour:
    red, green, blue = ((value * 3 + 255) // 4 for value in shade)
    return red, green, blue


def _lit(canvas: Image, light: FloatArray) -> None:
    if light[3] or (light[:3] != 1).any():
        gains = np.diag(light[:3])
        cv2.transform(canvas, np.concatenate([gains, np.full((3, 1), light[3])], 1), canvas)

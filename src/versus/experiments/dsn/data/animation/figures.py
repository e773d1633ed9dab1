"""Figures: parts on a rig, posed for all frames of a shot at once."""

from typing import NamedTuple

import cv2
import numpy as np

from versus.experiments.dsn.data.animation.styles import Style
from versus.experiments.dsn.data.animation.timeline import Timeline
from versus.experiments.dsn.data.sequences import FloatArray

CORNERS = 14
LIMBS = 4
X, Y, SIZE, TURN, SQUASH = range(5)
POSE = 5 + LIMBS
"""Numbers of a pose: place (shares of the picture), size, turn, squash, angles of the limbs."""
Colour = tuple[int, int, int]


class Part(NamedTuple):
    """A polygon on a figure.

    Attributes:
        outline: around its joint, ``[CORNERS, 2]``, in units of the body's radius.
        joint: where it is fixed, same units.
        limb: which angle turns it; -1 = none, ``LIMBS`` = the tail's.
        colour: red, green, blue.
    """

    outline: FloatArray
    joint: FloatArray
    limb: int
    colour: Colour


def colour(rng: np.random.Generator, style: Style) -> Colour:
    """A colour of the style's."""
    hue, saturation, value = (
        rng.uniform(*limits) for limits in (style.hues, style.saturation, style.value)
    )
    pixel = np.array([[[hue % 1 * 179, saturation * 255, value * 255]]], dtype=np.uint8)
    red, green, blue = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].tolist()
    return red, green, blue


def blob(rng: np.random.Generator, style: Style, radii: tuple[float, float]) -> FloatArray:
    """An outline of :data:`CORNERS` points; angular styles repeat some of them."""
    count = int(rng.integers(style.corners[0], style.corners[1] + 1))
    angles = (np.arange(count) + rng.uniform(-0.2, 0.2, count)) * 2 * np.pi / count
    radius = 1 + style.roughness * rng.uniform(-1, 1, count)
    points = np.stack([np.cos(angles) * radii[0], np.sin(angles) * radii[1]], 1) * radius[:, None]
    return np.asarray(points[np.arange(CORNERS) * count // CORNERS])


def _limb(length: float, width: float) -> FloatArray:
    """A tapered limb that hangs from its joint."""
    half = np.linspace(0, np.pi, CORNERS // 2)
    top = np.stack([np.cos(half) * width, -np.sin(half) * width], 1)
    end = np.stack([-np.cos(half) * width * 0.6, length + np.sin(half) * width * 0.6], 1)
    return np.concatenate([top, end])


def figure(rng: np.random.Generator, style: Style) -> list[Part]:
    """The parts of a figure in the order in which they are drawn."""
    skin, cloth, hair = (colour(rng, style) for _ in range(3))
    width, height = rng.uniform(0.55, 0.95), rng.uniform(0.8, 1.15)
    joints = [(-width * 0.5, height * 0.7), (width * 0.5, height * 0.7)]
    joints += [(-width * 0.8, -height * 0.45), (width * 0.8, -height * 0.45)]
    lengths = rng.uniform(0.7, 1.3, 2).repeat(2)
    limbs = [
        Part(_limb(lengths[i], 0.22), np.array(joints[i]), i, skin if i > 1 else cloth)
        for i in range(LIMBS)
    ]
    tail = Part(_limb(rng.uniform(1.0, 1.7), 0.28), np.array([0.0, height * 0.5]), LIMBS, hair)
    body = Part(blob(rng, style, (width, height)), np.zeros(2), -1, cloth)
    head = Part(blob(rng, style, (0.5, 0.5)), np.array([0.0, -height - 0.35]), -1, skin)
    plume = Part(_limb(rng.uniform(0.6, 1.0), 0.25), np.array([0.0, -height - 0.7]), LIMBS, hair)
    eye = Part(blob(rng, style, (0.12, 0.16)), np.array([0.18, -height - 0.4]), -1, (20, 20, 30))
    return [tail, *limbs[:2], body, *limbs[2:], plume, head, eye]


def key_poses(rng: np.random.Generator, count: int, size: float) -> FloatArray:
    """Poses one after the other, ``[count, POSE]``; some change the limbs alone."""
    poses = np.empty((count, POSE))
    for number in range(count):
        pose = np.concatenate(
            [
                [rng.uniform(0.18, 0.82), rng.uniform(0.42, 0.72)],
                [size * rng.uniform(0.8, 1.25), rng.uniform(-0.5, 0.5), rng.uniform(0.85, 1.2)],
                rng.uniform(-1.6, 1.6, LIMBS),
            ]
        )
        if number and rng.random() < 0.3:
            pose[: SQUASH + 1] = poses[number - 1, : SQUASH + 1] + rng.normal(0, 0.03, 5)
        poses[number] = pose
    return poses


def posed(time: Timeline, poses: FloatArray) -> FloatArray:
    """The pose of every frame, ``[T, POSE]``."""
    before, after = poses[time.leaving], poses[time.leaving + 1]
    return np.asarray(before + (after - before) * time.progress[:, None])


def trailing(x: FloatArray, stiffness: float, damping: float) -> FloatArray:
    """Angle of a tail that follows ``x``, ``[T]``: it lags behind and swings out."""
    angles, angle, speed = np.empty(len(x)), 0.0, 0.0
    pulls = np.diff(x, prepend=x[:1]) * 9.0
    for frame, pull in enumerate(pulls.tolist()):
        speed += pull - stiffness * angle - damping * speed
        angle = min(max(angle + speed, -2.0), 2.0)
        angles[frame] = angle
    return angles


def polygons(parts: list[Part], poses: FloatArray, tail: FloatArray) -> FloatArray:
    """Corners of all parts in all frames, ``[T, parts, CORNERS, 2]``, in picture heights.

    Args:
        parts: of the figure.
        poses: ``[T, POSE]``; the place is already in picture heights.
        tail: angle of what trails behind, ``[T]``.
    """
    joints = np.concatenate([poses[:, SQUASH + 1 :], tail[:, None], np.zeros((len(poses), 1))], 1)
    angles = joints[:, [part.limb for part in parts]]
    outlines = np.stack([part.outline for part in parts])
    local = (
        _turned(outlines[None], angles[:, :, None]) + np.stack([p.joint for p in parts])[:, None]
    )
    stretch = np.stack([1 / poses[:, SQUASH], poses[:, SQUASH]], 1) * poses[:, SIZE, None]
    world = _turned(local * stretch[:, None, None], poses[:, TURN, None, None])
    return np.asarray(world + poses[:, None, None, [X, Y]])


def _turned(points: FloatArray, angle: FloatArray) -> FloatArray:
    """Rotate ``[..., 2]`` by ``[...]`` radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = points[..., 0], points[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], -1)

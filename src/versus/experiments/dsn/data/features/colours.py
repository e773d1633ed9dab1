"""Distributions of a frame's colours, from which the distance of two sets of frames is a sum.

For a direction in the space of colours, the 1-Wasserstein distance of two sets of pixels is the
area between the distribution functions of their projections; that of a set of frames is the mean of
theirs. So ``sum(abs(mean of A - mean of B)) * width(bins)`` over the bins is the distance, and its
mean over levels and directions is the ColorSWD.
"""

import cv2
import numpy as np
import numpy.typing as npt

from versus.core.seeding import derive
from versus.experiments.dsn.data.animation.stage import Image
from versus.experiments.dsn.data.sequences import FloatArray

VERSION = 1
REACH = 3**0.5 / 2
"""How far a colour can be from grey: colours are in a cube of side 1."""

WHOLE = 65535
"""Stands for all pixels: shares are kept as whole numbers of two bytes."""
Fractions = npt.NDArray[np.uint16]


def shares(fractions: Fractions) -> npt.NDArray[np.float32]:
    """Numbers from 0 to 1."""
    return fractions.astype(np.float32) / np.float32(WHOLE)


def width(bins: int) -> float:
    """Width of a bin."""
    return 2 * REACH / bins


def directions(count: int, seed: int) -> FloatArray:
    """Fixed directions of length 1, ``[count, 3]``."""
    rng = np.random.default_rng(derive("dsn", "colours", seed))
    drawn = rng.normal(size=(count, 3))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def distributions(
    frames: Image, along: FloatArray, *, levels: int, bins: int, longest: int
) -> Fractions:
    """Share of the pixels whose projection is at most a bin's upper end.

    Args:
        frames: ``[N, H, W, 3]``, red, green, blue.
        along: directions, ``[K, 3]``.
        levels: sizes of the picture, each half as large as the one before.
        bins: number of bins.
        longest: longest side of the largest picture in pixels.

    Returns:
        ``[N, levels, K, bins]``: :func:`shares` makes numbers from 0 to 1 of them.
    """
    found = np.empty((len(frames), levels, len(along), bins), np.uint16)
    scale = min(1.0, longest / max(frames.shape[1:3]))
    size = max(1, round(frames.shape[2] * scale)), max(1, round(frames.shape[1] * scale))
    steps, grey = (along.T * (bins / (2 * REACH) / 255)).astype(np.float32), 127.5
    apart = np.arange(len(along), dtype=np.int32) * bins
    for number, frame in enumerate(frames):
        picture = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        for level in range(levels):
            pixels = picture.reshape(-1, 3).astype(np.float32) - np.float32(grey)
            place = np.floor(pixels @ steps + bins / 2).astype(np.int32).clip(0, bins - 1)
            counts = np.bincount((place + apart).ravel(), minlength=len(along) * bins)
            total = counts.reshape(len(along), bins).cumsum(1)
            found[number, level] = (total * (WHOLE / len(pixels))).round()
            picture = cv2.pyrDown(picture)
    return found

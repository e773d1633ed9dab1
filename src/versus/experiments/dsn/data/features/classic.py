"""Features of frames that need no weights: 611 numbers of colour, shape and layout.

Four blocks, each of norm 1 (or zero where a frame has nothing to tell): square roots of a histogram
of hue and saturation, the lowest frequencies of the brightness, orientations of its edges in a grid
of cells, and the colours in a grid. Their concatenation has norm 1 again.
"""

import cv2
import numpy as np
import numpy.typing as npt

from versus.experiments.dsn.data.animation.stage import Image

VERSION = 1
WIDTH = 611
HUES, SATURATIONS = 12, 8
SIDE = 32
"""Pixels on a side of what frequencies and edges are taken of."""
FREQUENCIES = 10
CELLS, ORIENTATIONS = 4, 8
LAYOUT = (12, 8)
"""Columns and rows of the grid of colours."""
HISTOGRAM_SIDE = 80
Floats = npt.NDArray[np.float32]


def classic(frames: Image) -> Floats:
    """Features of frames.

    Args:
        frames: ``[N, H, W, 3]``, red, green, blue.

    Returns:
        ``[N, 611]``, rows of norm 1.
    """
    pictures = np.stack([_shrunk(frame, (SIDE, SIDE)) for frame in frames])
    grey = np.asarray(pictures @ _LUMA, np.float32)
    blocks = [_hues(frames), _frequencies(grey), _edges(grey), _layout(frames)]
    return unit(np.concatenate([unit(block) for block in blocks], 1))


def unit(rows: Floats) -> Floats:
    """Rows of norm 1; zero rows stay zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1), np.float32)


_LUMA = np.array([0.299, 0.587, 0.114], np.float32) / 255


def _shrunk(frame: Image, size: tuple[int, int]) -> Image:
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))


def _hues(frames: Image) -> Floats:
    """Square roots of the shares of pixels with a hue and saturation, ``[N, 96]``."""
    height, width = frames.shape[1:3]
    scale = min(1.0, HISTOGRAM_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.stack([_shrunk(frame, size) for frame in frames])
    pixels = cv2.cvtColor(small.reshape(1, -1, 3), cv2.COLOR_RGB2HSV).reshape(len(frames), -1, 3)
    bins = _HUE_BIN[pixels[..., 0]] + _SATURATION_BIN[pixels[..., 1]]
    shares = _counted(bins, HUES * SATURATIONS) / bins.shape[1]
    return np.asarray(np.sqrt(shares), np.float32)


_HUE_BIN = (np.arange(256).clip(0, 179) * HUES // 180 * SATURATIONS).astype(np.int32)
_SATURATION_BIN = (np.arange(256) * SATURATIONS // 256).astype(np.int32)


def _counted(bins: npt.NDArray[np.int32], count: int, weights: Floats | None = None) -> Floats:
    """Histogram of each row, ``[N, count]``."""
    apart = bins + (np.arange(len(bins), dtype=np.int32) * count)[:, None]
    flat = None if weights is None else weights.ravel()
    found = np.bincount(apart.ravel(), flat, len(bins) * count)
    return found.reshape(len(bins), count).astype(np.float32)


def _frequencies(grey: Floats) -> Floats:
    """Lowest cosine frequencies without the mean, ``[N, 99]``."""
    found = _COSINES @ grey @ _COSINES.T
    return np.asarray(found.reshape(len(grey), -1)[:, 1:])


_COSINES = np.cos(np.pi * np.arange(FREQUENCIES)[:, None] * (np.arange(SIDE) + 0.5) / SIDE).astype(
    np.float32
)


def _edges(grey: Floats) -> Floats:
    """Square roots of the strength of edges by cell and orientation, ``[N, 128]``."""
    rows, columns = np.gradient(grey, axis=(1, 2))
    strength = np.hypot(rows, columns)
    turn = np.arctan2(rows, columns) / (2 * np.pi) % 1
    orientation = np.minimum((turn * ORIENTATIONS).astype(np.int32), ORIENTATIONS - 1)
    cell = np.arange(SIDE) * CELLS // SIDE
    bins = orientation + (cell[:, None] * CELLS + cell).astype(np.int32) * ORIENTATIONS
    shape = len(grey), -1
    sums = _counted(bins.reshape(shape), CELLS**2 * ORIENTATIONS, strength.reshape(shape))
    return np.sqrt(sums)


def _layout(frames: Image) -> Floats:
    """Colours in a grid, from -0.5 to 0.5, ``[N, 288]``."""
    small = np.stack([_shrunk(frame, LAYOUT) for frame in frames])
    return np.asarray(small.reshape(len(frames), -1) / 255 - 0.5, np.float32)

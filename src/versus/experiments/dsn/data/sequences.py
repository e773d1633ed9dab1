"""Sequences: scenes of videos, as models read them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Span = tuple[int, int]
"""Frames of the original file, end exclusive."""


class Sequence(NamedTuple):
    """One scene of one video. Frames are counted in the original file, everywhere.

    Attributes:
        video: name of the video.
        scene: number of the scene within it.
        fps: mean frame rate of the file.
        span: frames of the scene.
        picks: frame of each row, increasing, ``[T]``.
        times: when it is shown, in seconds, ``[T]``.
        features: what it looks like, ``[T, D]`` float32, rows of norm 1.
        motion: how it moves, ``[T, M]`` float32.
        colours: distribution functions of its colours, ``[T, levels, directions, bins]``: as they
            are stored, uint16, or float32 from 0 to 1; without elements where they were not asked
            for. :func:`versus.experiments.dsn.batches.colours_of` reads both.
        keys: frames of the true key poses; None = unknown.
        holds: spans during which a key pose is held; empty = unknown.
    """

    video: str
    scene: int
    fps: float
    span: Span
    picks: IntArray
    times: FloatArray
    features: Tensor
    motion: Tensor
    colours: Tensor
    keys: IntArray | None
    holds: tuple[Span, ...]

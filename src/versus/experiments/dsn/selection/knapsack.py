"""Summaries: the segments of a video that are worth most and fill a share of it."""

import itertools
import math
from collections.abc import Sequence as Several

import numpy as np

from versus.experiments.dsn.data.sequences import FloatArray, IntArray, Span


def knapsack(values: FloatArray, sizes: IntArray, capacity: int) -> IntArray:
    """The 0/1 knapsack problem by dynamic programming, exactly.

    Args:
        values: of the items, not negative, ``[N]``.
        sizes: of the items, at least 1, ``[N]``.
        capacity: what the sizes of the chosen items may add up to.

    Returns:
        Chosen items, increasing. Of equally good choices the one without the later items.
    """
    best = np.zeros(capacity + 1)
    taken = np.zeros((len(values), capacity + 1), dtype=bool)
    for item, (value, size) in enumerate(zip(values, sizes.tolist(), strict=True)):
        if size <= capacity:
            with_it = best[: capacity + 1 - size] + value
            taken[item, size:] = with_it > best[size:]
            best[size:] = np.maximum(best[size:], with_it)
    chosen = []
    for item in reversed(range(len(values))):
        if taken[item, capacity]:
            chosen.append(item)
            capacity -= int(sizes[item])
    return np.array(chosen[::-1], dtype=np.int64)


def spread(scores: FloatArray, picks: IntArray, frames: int) -> FloatArray:
    """Scores of all frames: each row's holds until the next row, frames before the first score 0.

    Args:
        scores: of every row, ``[T]``.
        picks: its frame, increasing, ``[T]``.
        frames: of the video.

    Returns:
        ``[frames]``.
    """
    rows = np.searchsorted(picks, np.arange(frames), side="right") - 1
    return np.where(rows >= 0, scores[rows], 0.0)


def best_segments(of_frames: FloatArray, segments: Several[Span], share: float) -> IntArray:
    """Segments with the greatest sum of mean scores in at most ``share`` of the frames.

    That is the protocol of SumMe and TVSum (Song et al., CVPR 2015; Zhang et al., ECCV 2016): a
    segment is worth the mean score of its frames and takes as much room as it has frames.

    Args:
        of_frames: score of every frame of the video, not negative, ``[frames]``.
        segments: of the video; together they may leave frames out.
        share: of the frames of the video.

    Returns:
        Numbers of the chosen segments, increasing.
    """
    values = np.array([of_frames[start:end].mean() for start, end in segments])
    sizes = np.array([end - start for start, end in segments], dtype=np.int64)
    return knapsack(values, sizes, int(len(of_frames) * share))


def pieces(span: Span, longest: float) -> list[Span]:
    """A span in equal parts of at most ``longest`` frames; lengths differ by one at most."""
    start, end = span
    count = math.ceil((end - start) / max(1, int(longest)))
    edges = np.linspace(start, end, count + 1).round().astype(int).tolist()
    return list(itertools.pairwise(edges))

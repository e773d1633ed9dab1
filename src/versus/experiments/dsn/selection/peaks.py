"""The best frames, none close to a better one: greedy non-maximum suppression in time."""

import numpy as np

from versus.core.errors import DataError
from versus.experiments.dsn.data.sequences import FloatArray, IntArray


def top(scores: FloatArray, picks: IntArray, count: int, gap: float) -> IntArray:
    """The ``count`` best frames with at least ``gap`` frames from one to the next.

    Frames are taken from the best score down; of equal scores the earlier is better. Where fewer
    than ``count`` are that far apart, the rest is taken with half the gap, and so on.

    Args:
        scores: of every row, ``[T]``.
        picks: its frame in the original file, increasing, ``[T]``.
        count: frames wanted; all of them if there are fewer.
        gap: least distance in frames of the original file.

    Returns:
        Rows, increasing.

    Raises:
        DataError: if a score is not finite.
    """
    check(scores, picks)
    chosen: list[int] = []
    count = min(count, len(scores))
    while len(chosen) < count:
        _take(chosen, scores, picks, count, gap)
        gap = gap / 2 if gap > 1 else 0.0
    return np.array(sorted(chosen), dtype=np.int64)


def above(scores: FloatArray, picks: IntArray, threshold: float, gap: float, most: int) -> IntArray:
    """The best frames that score ``threshold`` or more, ``gap`` apart; the best one in any case.

    Args:
        scores: of every row, ``[T]``.
        picks: its frame in the original file, increasing, ``[T]``.
        threshold: least score.
        gap: least distance in frames of the original file.
        most: frames at most.

    Returns:
        Rows, increasing.

    Raises:
        DataError: if a score is not finite.
    """
    check(scores, picks)
    chosen: list[int] = []
    _take(chosen, scores, picks, min(most, len(scores)), gap)
    good = [row for row in chosen if scores[row] >= threshold]
    return np.array(sorted(good or chosen[:1]), dtype=np.int64)


def _take(chosen: list[int], scores: FloatArray, picks: IntArray, count: int, gap: float) -> None:
    """Append rows, best first, until there are ``count`` or none is left."""
    left = scores.astype(np.float64)
    for row in chosen:
        _suppress(left, picks, row, gap)
    while len(chosen) < count:
        best = int(left.argmax())
        if left[best] == -np.inf:
            return
        chosen.append(best)
        _suppress(left, picks, best, gap)


def _suppress(left: FloatArray, picks: IntArray, row: int, gap: float) -> None:
    left[np.abs(picks - picks[row]) < gap] = -np.inf
    left[row] = -np.inf


def check(scores: FloatArray, picks: IntArray) -> None:
    """Refuse scores that cannot be ordered.

    Raises:
        DataError: if a score is not finite, or there is not one per frame.
    """
    if scores.shape != picks.shape or scores.ndim != 1:
        raise DataError(
            f"selection: {scores.shape} scores for {picks.shape} frames; give one per frame"
        )
    if not np.isfinite(scores).all():
        count = int((~np.isfinite(scores)).sum())
        raise DataError(
            f"selection: {count} of {len(scores)} scores are not finite; "
            "check the features, and whether the scorer diverged"
        )

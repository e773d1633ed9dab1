"""Kernel temporal segmentation: change points that leave the least variance within segments.

Potapov et al., "Category-specific video summarization" (ECCV 2014): dynamic programming over the
Gram matrix, and a penalty that decides the number of segments.
"""

import numpy as np

from versus.experiments.dsn.data.sequences import FloatArray


def scatters(gram: FloatArray) -> FloatArray:
    """Scatter of every segment ``[i, j)`` around its mean, ``[T + 1, T + 1]``; infinite if empty.

    Args:
        gram: inner products of the rows, ``[T, T]``.
    """
    count = len(gram)
    block = np.zeros((count + 1, count + 1))
    block[1:, 1:] = gram.cumsum(0).cumsum(1)
    trace = np.concatenate([[0.0], np.diag(gram).cumsum()])
    ends = np.arange(count + 1)
    length = ends[None] - ends[:, None]
    corner = np.diag(block)
    inside = corner[None] - block - block.T + corner[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = trace[None] - trace[:, None] - inside / length
    return np.where(length > 0, found, np.inf)


def best_cuts(gram: FloatArray, most: int, shortest: int = 1) -> tuple[list[list[int]], FloatArray]:
    """The best change points for every number of them.

    Args:
        gram: inner products, ``[T, T]``.
        most: largest number of change points.
        shortest: fewest rows of a segment.

    Returns:
        For 0, 1, ... ``most`` change points: where they are, and the scatter that is left,
        infinite where segments would be too short.
    """
    count = len(gram)
    cost = scatters(gram)
    cost[np.subtract.outer(np.arange(count + 1), np.arange(count + 1)) > -shortest] = np.inf
    least = np.full((most + 2, count + 1), np.inf)
    came = np.zeros((most + 2, count + 1), np.int64)
    least[0, 0] = 0.0
    for segments in range(1, most + 2):
        totals = least[segments - 1][:, None] + cost
        came[segments] = totals.argmin(0)
        least[segments] = totals.min(0)
    return [_trace(came, cuts + 1, count) for cuts in range(most + 1)], least[1:, count]


def _trace(
    came: np.ndarray[tuple[int, ...], np.dtype[np.int64]], segments: int, end: int
) -> list[int]:
    cuts = []
    for number in range(segments, 1, -1):
        end = int(came[number, end])
        cuts.append(end)
    return cuts[::-1]


def segment(features: FloatArray, most: int, shortest: int = 1, penalty: float = 1.0) -> list[int]:
    """Change points of a sequence of features.

    Args:
        features: rows, ``[T, D]``.
        most: largest number of change points.
        shortest: fewest rows of a segment.
        penalty: weight of ``m / T * (log(T / m) + 1)`` for ``m`` change points, in units of the
            scatter of the whole sequence.

    Returns:
        First row of every segment but the first.
    """
    count = len(features)
    shortest = min(shortest, count)
    gram = np.asarray(features @ features.T, np.float64)
    cuts, left = best_cuts(gram, most, shortest)
    numbers = np.arange(len(left))
    with np.errstate(divide="ignore", invalid="ignore"):
        price = np.where(numbers > 0, numbers / count * (np.log(count / numbers) + 1), 0.0)
    whole = max(float(left[0]), 1e-12)
    return cuts[int(np.argmin(left / whole + penalty * price))]

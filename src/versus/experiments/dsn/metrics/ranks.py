"""Whether scores order frames as the truth does."""

from collections.abc import Sequence as Several
from typing import Any

import numpy as np
import numpy.typing as npt

from versus.experiments.dsn.data.sequences import FloatArray, IntArray, Span


def truth(picks: IntArray, keys: IntArray, holds: Several[Span]) -> FloatArray:
    """True scores: minus the frames from a held key pose, 0 while it is held, ``[T]``.

    Args:
        picks: frames of the rows, ``[T]``.
        keys: frames of the key poses, at least one.
        holds: spans during which they are held; without any, key poses count as held for a frame.
    """
    spans = np.array(list(holds) or [(key, key + 1) for key in keys.tolist()])
    before = spans[:, 0] - picks[:, None]
    after = picks[:, None] - (spans[:, 1] - 1)
    away: FloatArray = np.maximum(np.maximum(before, after), 0).min(1).astype(np.float64)
    return -away


def stillness(change: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """1 for the frame of a scene that changes least, 0 for that which does most, by rank, ``[T]``.

    Args:
        change: of each frame, ``[T]``; equal ones share their mean rank.
    """
    from scipy import stats

    rank = stats.rankdata(change) - 1
    still: FloatArray = 1 - rank / max(len(change) - 1, 1)
    return still


def kendall_tau(x: FloatArray, y: FloatArray) -> float:
    """Kendall's tau-b of two equally long samples; 0 where one of them is constant."""
    from scipy import stats  # a third of a second

    return 0.0 if _constant(x, y) else float(stats.kendalltau(x, y).statistic)


def spearman_rho(x: FloatArray, y: FloatArray) -> float:
    """Spearman's rho of two equally long samples; 0 where one of them is constant."""
    from scipy import stats

    return 0.0 if _constant(x, y) else float(stats.spearmanr(x, y).statistic)


def _constant(x: FloatArray, y: FloatArray) -> bool:
    return len(x) < 2 or bool(np.ptp(x) == 0) or bool(np.ptp(y) == 0)

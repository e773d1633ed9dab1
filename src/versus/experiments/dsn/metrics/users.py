"""Summaries against those of several people: the protocol of SumMe and TVSum."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from versus.experiments.dsn.data.sequences import FloatArray
from versus.experiments.dsn.metrics.ranks import kendall_tau, spearman_rho

BoolArray = npt.NDArray[np.bool_]


def summary_f1(summary: BoolArray, users: BoolArray, over: Literal["max", "mean"]) -> float:
    """F1 of the frames of a summary against every person's, in one number.

    Args:
        summary: frames in it, ``[frames]``.
        users: frames in the summary of each person, ``[U, frames]``.
        over: max as for SumMe (Gygli et al., ECCV 2014) or mean as for TVSum (Song et al., CVPR
            2015).
    """
    shared = (users & summary).sum(1)
    sizes = users.sum(1) + summary.sum()
    scores = np.where(sizes > 0, 2 * shared / np.maximum(sizes, 1), 0.0)
    return float(scores.max() if over == "max" else scores.mean())


def rank_agreement(scores: FloatArray, users: FloatArray) -> tuple[float, float]:
    """Mean Kendall tau and Spearman rho with the scores of each person (Otani et al., CVPR 2019).

    Args:
        scores: of the frames, ``[T]``.
        users: of each person, ``[U, T]``.
    """
    taus = [kendall_tau(scores, one) for one in users]
    rhos = [spearman_rho(scores, one) for one in users]
    return float(np.mean(taus)), float(np.mean(rhos))

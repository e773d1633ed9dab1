"""Closed forms of what a rule should reach, to be drawn on plots and tested against simulation.

Setting unless said otherwise: white unit keys of dimension d, a fixed map with unit signal variance
per row, noise of standard deviation ``noise``. Errors are prequential (read, then write), per row:
the mean squared difference of prediction and noisy value, *not* divided by the values' variance
1 + noise^2; see :func:`normalised`.
"""

import math


def normalised(error: float, noise: float) -> float:
    """NMSE: the error divided by the variance 1 + noise^2 of the values."""
    return error / (1 + noise**2)


def delta_steady_state(step: float, noise: float) -> float:
    """Error of Delta without decay after many steps: noise^2 2 / (2 - step).

    Args:
        step: lr (the keys have unit length); the rule is stable in (0, 2), else infinity.
        noise: Standard deviation.
    """
    return noise**2 * 2 / (2 - step) if 0 < step < 2 else math.inf


def delta_transient_factor(step: float, dim: int) -> float:
    """Factor per step of the error of the map, E|M_t - A|^2, towards its steady value.

    1 - step (2 - step) / dim, exact for white unit keys; below 1 iff 0 < step < 2.
    """
    return 1 - step * (2 - step) / dim


def delta_error(step: float, noise: float, dim: int, written: int) -> float:
    """Error of Delta without decay after ``written`` pairs, from M = 0.

    The steady state plus the transient: with f the factor per step and s the steady excess
    noise^2 step / (2 - step), it is noise^2 + s + f^written (1 - s).
    """
    excess = noise**2 * step / (2 - step)
    factor = delta_transient_factor(step, dim)
    return noise**2 + excess + factor**written * (1 - excess)


def least_squares(pairs: int, dim: int, noise: float) -> float:
    """Error of the minimum-norm least-squares memory of n = ``pairs`` pairs (OmegaRidge, reg 0).

    n < d - 1: (1 - n/d) + noise^2 n / (d - n - 1) + noise^2; n > d + 1:
    noise^2 (1 + d / (n - d - 1)). In between the mean is infinite: the double-descent pole.

    The first term is exact; the others are those of Gaussian keys of variance 1/d, which unit keys
    approach as d grows (at d = 32 unit keys give up to 5 % less, most just above the pole).
    """
    if pairs < dim - 1:
        return 1 - pairs / dim + noise**2 * (1 + pairs / (dim - pairs - 1))
    if pairs > dim + 1:
        return noise**2 * (1 + dim / (pairs - dim - 1))
    return math.inf


def recursive_least_squares(written: int, dim: int, noise: float) -> float:
    """Error of RLS which forgets nothing, with a vanishing ridge, after ``written`` pairs.

    It is :func:`least_squares` of all pairs so far.
    """
    return least_squares(written, dim, noise)


def one_pass_recall(pairs: float, dim: float) -> float:
    """Least NMSE that any linear memory reaches on n stored pairs with unrelated Gaussian values.

    max(0, 1 - d/n), from the rank d of the keys alone, whatever their distribution. RLS and
    OmegaRidge attain it with a window of at least n pairs and a vanishing ridge.
    """
    return max(0.0, 1 - dim / pairs)

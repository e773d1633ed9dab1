"""How well chosen frames stand for all frames of a video, by features and by colours.

Rows of features have norm 1, and the distance of two frames is 1 - cosine. Everything is computed
in float64 without sampling.
"""

import torch
from torch import Tensor

from versus.experiments.dsn.rewards import colours as color_swds


def nearest(features: Tensor, chosen: Tensor) -> Tensor:
    """Distance of every frame to the nearest chosen one, ``[T]``.

    Args:
        features: of all frames, ``[T, D]``.
        chosen: rows, at least one, ``[K]``.
    """
    rows = features.double()
    return (1 - rows @ rows[chosen].T).amin(1).clamp_min(0)


def rec_err(features: Tensor, chosen: Tensor) -> float:
    """RecErr: mean distance of the frames to the nearest chosen one; see :func:`nearest`."""
    return float(nearest(features, chosen).mean())


def temporal_coverage(features: Tensor, chosen: Tensor, tau: float) -> float:
    """TemporalCoverage: share of frames within ``tau`` of a chosen one; see :func:`nearest`."""
    return float((nearest(features, chosen) <= tau).double().mean())


def diversity(features: Tensor, chosen: Tensor) -> float:
    """Mean distance of two chosen frames; 0 under two.

    Args:
        features: of all frames, ``[T, D]``.
        chosen: rows, ``[K]``.
    """
    count = len(chosen)
    if count < 2:
        return 0.0
    rows = features[chosen].double()
    products = rows @ rows.T
    return float(1 - (products.sum() - products.trace()) / (count * (count - 1)))


def frechet(features: Tensor, chosen: Tensor) -> float:
    """Frechet distance of Gaussians with the moments of all and of chosen frames, exactly.

    ``|m - n|^2 + tr(S) + tr(R) - 2 tr((S^(1/2) R S^(1/2))^(1/2))`` (Dowson and Landau 1982, eq. 4).
    With S = A^T A and R = B^T B from centred rows, the last trace is the sum of the singular values
    of A B^T: the matrix under its root has the eigenvalues of (A B^T)(A B^T)^T. The seed takes the
    root of the symmetrised S R instead, which is wrong where S and R do not commute.

    Args:
        features: of all frames, ``[T, D]``.
        chosen: rows, ``[K]``.

    Raises:
        ValueError: under two frames or two chosen ones, which have no covariance.
    """
    if min(len(features), len(chosen)) < 2:
        raise ValueError(f"needs two frames, received {len(chosen)} of {len(features)}")
    (mean, a), (other, b) = _moments(features.double()), _moments(features[chosen].double())
    shared = torch.linalg.svdvals(a @ b.T).sum()
    gap = (mean - other).square().sum()
    return max(0.0, float(gap + a.square().sum() + b.square().sum() - 2 * shared))


def _moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The mean, and rows whose products with themselves are the covariance."""
    mean = rows.mean(0)
    return mean, (rows - mean) / (len(rows) - 1) ** 0.5


def color_swd(colours: Tensor, chosen: Tensor) -> float:
    """ColorSWD: mean 1-D Wasserstein distance of projected colours of all and of chosen frames.

    It is the area between their distribution functions, which are means of those of the frames.
    The seed calls it MS-SWD and estimates it from samples of pixels.

    Args:
        colours: distribution functions, ``[T, levels, directions, bins]``, of
            :func:`versus.experiments.dsn.rewards.colours.distribution`.
        chosen: rows, at least one, ``[K]``.
    """
    directions, bins = colours.shape[2:]
    curves = colours.double()
    between = (curves.mean(0) - curves[chosen].mean(0)).abs().sum(-1)
    return float((between * color_swds.widths(directions, bins)).mean())

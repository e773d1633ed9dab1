"""Numbers that several hooks share: norms, angles, spectra and inequality of rows.

Everything works on the last axis (or the last two), for any number of leading axes, so that a stack
of runs is measured at once. What is undefined (the angle of a zero row, the spectrum of a matrix
that is not finite) is NaN: no such metric now.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from versus.core.weights import Shape

DEGREES = 180 / math.pi


def norm(rows: Tensor) -> Tensor:
    """Euclidean length of each row, (..., P) -> (...)."""
    length: Tensor = torch.linalg.vector_norm(rows, dim=-1)
    return length


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product of each row of ``a`` with that of ``b``, (..., P) -> (...)."""
    product: Tensor = torch.linalg.vecdot(a, b)
    return product


def ratio(a: Tensor, b: Tensor | float) -> Tensor:
    """``a / b``; NaN where ``b`` is zero."""
    below = torch.as_tensor(b, dtype=a.dtype, device=a.device)
    return torch.where(below == 0, torch.nan, a / below)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of the angle between rows, (..., P) -> (...); NaN where a row is zero."""
    return ratio(dot(a, b), norm(a) * norm(b)).clamp(-1, 1)


def columns(rows: Tensor, shapes: Mapping[str, Shape]) -> dict[str, Tensor]:
    """Views of ``rows`` (..., P) by parameter name, flat: (..., size of the parameter)."""
    widths = [math.prod(shape) for shape in shapes.values()]
    return dict(zip(shapes, torch.split(rows, widths, dim=-1), strict=True))


def singular_values(matrices: Tensor) -> Tensor:
    """Singular values, largest first, (..., m, n) -> (..., min(m, n)); NaN if not finite."""
    finite = matrices.isfinite().all(-1, keepdim=True).all(-2, keepdim=True)
    values = torch.linalg.svdvals(torch.where(finite, matrices, 0))
    return torch.where(finite[..., 0], values, torch.nan)


def spectrum(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, largest first and never negative, and eigenvectors of Gram matrices.

    Args:
        gram: (..., n, n), symmetric.

    Returns:
        (..., n), and (..., n, n) with one eigenvector per column; NaN if not finite.
    """
    finite = gram.isfinite().all(-1, keepdim=True).all(-2, keepdim=True)
    values, vectors = torch.linalg.eigh(torch.where(finite, gram, 0).double())
    values = torch.where(finite[..., 0], values.clamp(min=0), torch.nan)
    return values.flip(-1).to(gram.dtype), vectors.flip(-1).to(gram.dtype)


def effective_rank(values: Tensor) -> Tensor:
    """(sum s)^2 / sum s^2 of singular values, (..., n) -> (...): n where all are equal."""
    return ratio(values.sum(-1) ** 2, (values**2).sum(-1))


def participation_ratio(variances: Tensor) -> Tensor:
    """(sum v)^2 / sum v^2 of variances, (..., n) -> (...) (Gao et al. 2017)."""
    return ratio(variances.sum(-1) ** 2, (variances**2).sum(-1))


def share(weights: Tensor) -> Tensor:
    """Each entry as a fraction of its row's sum, (..., n) -> (..., n)."""
    return ratio(weights, weights.sum(-1, keepdim=True))


def entropy(shares: Tensor) -> Tensor:
    """Shannon entropy in nats of fractions that sum to one, (..., n) -> (...)."""
    total: Tensor = torch.special.xlogy(shares, shares).sum(-1)
    return -total


def gini(amounts: Tensor) -> Tensor:
    """Gini coefficient of amounts >= 0, (..., n) -> (...): 0 = equal, 1 - 1/n = one has all."""
    n = amounts.shape[-1]
    rank = torch.arange(1, n + 1, device=amounts.device, dtype=amounts.dtype)
    ordered = amounts.sort(-1).values
    return ratio(((2 * rank - n - 1) * ordered).sum(-1), n * amounts.sum(-1))


def needed_for(amounts: Tensor, fraction: float) -> Tensor:
    """How many of the largest amounts make up ``fraction`` of their sum, (..., n) -> (...)."""
    reached = share(amounts.sort(-1, descending=True).values).cumsum(-1)
    count = (reached < fraction - 1e-6).sum(-1) + 1
    return torch.where(reached[..., -1].isnan(), torch.nan, count.to(amounts.dtype))


def autocorrelation(series: Tensor) -> Tensor:
    """Lag-1 autocorrelation of (T, ...) along the first axis; NaN for a constant series."""
    centred = series - series.mean(0)
    return ratio((centred[1:] * centred[:-1]).sum(0), (centred**2).sum(0))


def spread(series: Tensor) -> Tensor:
    """Standard deviation (divided by T, not T - 1) of (T, ...) along the first axis."""
    return series.std(0, correction=0)

"""Feature maps of keys and queries."""

import math
from typing import Literal

import torch
from torch import Tensor

Features = Literal["linear", "poly2"]


def expand(features: Features, keys: Tensor) -> Tensor:
    """Map keys (..., d) to features (..., :func:`dimension`).

    poly2 is the exact map of degree two, (k, k_i^2, sqrt2 k_i k_j for i < j) / sqrt2, so that
    phi(k) . phi(k') = (k . k' + (k . k')^2) / 2 and keys of length 1 keep it.
    """
    if features == "linear":
        return keys
    first, second = torch.triu_indices(keys.shape[-1], keys.shape[-1], device=keys.device)
    scale = torch.where(first == second, keys.new_tensor(math.sqrt(0.5)), 1.0)
    squares = keys[..., first] * keys[..., second] * scale
    return torch.cat((keys * math.sqrt(0.5), squares), -1)


def dimension(features: Features, dim: int) -> int:
    """Number of features of keys of ``dim`` entries."""
    return dim if features == "linear" else dim * (dim + 3) // 2


def key_dimension(features: Features, dimension: int) -> int:
    """Entries of the keys that have so many features."""
    return dimension if features == "linear" else (math.isqrt(8 * dimension + 9) - 3) // 2

"""ColorSWD, the colour distance that the seed calls MS-SWD, from distribution functions.

Colours of pixels are projected on fixed directions of RGB at several levels of a Gaussian pyramid.
The 1-D Wasserstein distance between two sets of frames is the area between the distribution
functions of their projections, and that of a set of frames is the mean of those of its frames. So
a frame is described once and any selection costs a product of matrices, without sampling pixels.

It compares colours without their places: it is not the MS-SWD of He et al. (ECCV 2024).
"""

import numpy as np
import torch
from torch import Tensor


def directions(count: int) -> Tensor:
    """Unit vectors of RGB, ``[count, 3]``: those of the seed."""
    drawn = np.random.default_rng(42).normal(size=(count, 3))
    return torch.from_numpy(drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).float()


def lowest(count: int) -> Tensor:
    """Smallest projection of a colour on each direction, ``[count]``."""
    return directions(count).clamp_max(0).sum(1)


def widths(count: int, bins: int) -> Tensor:
    """Width of a bin of each direction, ``[count]``: all colours fit into ``bins`` of them."""
    return directions(count).abs().sum(1) / bins


def distribution(pixels: Tensor, count: int, bins: int) -> Tensor:
    """Distribution functions of projected colours, ``[count, bins]``: shares up to each bin.

    Args:
        pixels: RGB in [0, 1], ``[P, 3]``.
        count: directions.
        bins: of each.
    """
    projected = pixels @ directions(count).T
    places = ((projected - lowest(count)) / widths(count, bins)).long().clamp(0, bins - 1)
    flat = (places + bins * torch.arange(count)).flatten()
    shares = torch.bincount(flat, minlength=count * bins).view(count, bins) / len(pixels)
    return shares.cumsum(1)

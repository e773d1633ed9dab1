"""Medoids of k-means clusters, as a function of the data and a name."""

import numpy as np
import torch
from torch import Tensor

from versus.core import seeding
from versus.experiments.dsn.data.sequences import IntArray

ITERATIONS = 50
EXACT = "donot_use_mm_for_euclid_dist"
"""The distance of equal rows is 0, and not what rounding leaves."""


def medoids(rows: Tensor, count: int, *name: int | str) -> IntArray:
    """Rows that stand for clusters of ``rows``: the nearest to each centre, of equals the first.

    Args:
        rows: ``[T, D]``.
        count: clusters; with fewer distinct rows there are as many as these.
        name: decides the draws.

    Returns:
        Numbers of rows, increasing, ``[count]`` or fewer.
    """
    rows = rows.double()
    return np.unique(torch.cdist(centres(rows, count, *name), rows).argmin(1).numpy())


def centres(rows: Tensor, count: int, *name: int | str) -> Tensor:
    """Centres of k-means clusters, ``[count, D]`` or fewer; see :func:`medoids`.

    Lloyd's algorithm from the seeds of k-means++ (Arthur and Vassilvitskii, SODA 2007).
    """
    found = rows[_seeds(rows, count, seeding.generator("kmeans", *name))]
    for _ in range(ITERATIONS):
        nearest = torch.cdist(rows, found).argmin(1)
        members = torch.nn.functional.one_hot(nearest, len(found)).to(rows)
        sizes = members.sum(0)[:, None]
        moved = torch.where(sizes > 0, members.T @ rows / sizes.clamp_min(1), found)
        if torch.equal(moved, found):
            break
        found = moved
    return found


def _seeds(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Each next seed is drawn with the squared distance to the nearest seed so far."""
    seeds = torch.randint(len(rows), (1,), generator=generator)
    while len(seeds) < min(count, len(rows)):
        weights = torch.cdist(rows, rows[seeds], compute_mode=EXACT).amin(1).square()
        if not weights.any():
            break
        drawn = torch.multinomial(weights, 1, generator=generator)
        seeds = torch.cat([seeds, drawn])
    return seeds

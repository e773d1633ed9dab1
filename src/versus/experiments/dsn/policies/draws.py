"""Random numbers of selections: the same for a sequence in any batch, on any device."""

from collections.abc import Sequence

import torch
from torch import Tensor

from versus.core import seeding

Name = tuple[int | str, ...]
"""What tells a draw from all others: the sequence and the epoch."""


def uniforms(seed: int, names: Sequence[Name], mask: Tensor, episodes: int) -> Tensor:
    """Numbers in [0, 1), ``[B, E, T]`` float64, 0 at padding.

    Args:
        seed: of the run.
        names: of the draws, one per sequence.
        mask: ``[B, T]``, True where there is a frame; these come first.
        episodes: E.
    """
    found = torch.zeros(len(names), episodes, mask.shape[1], dtype=torch.float64)
    for row, name, frames in zip(found, names, mask.sum(1).tolist(), strict=True):
        source = seeding.generator("selections", seed, *name)
        row[:, :frames] = torch.rand(episodes, frames, generator=source, dtype=torch.float64)
    return found.to(mask.device)

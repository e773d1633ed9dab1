"""Sequences of unequal length as rows of one matrix, so that padding is never computed with.

Shapes: B sequences, T frames of the longest, N real frames of all.
"""

import torch
from torch import Tensor


class Layout:
    """Where the real frames of padded sequences lie.

    Args:
        mask: ``[B, T]``, True where there is a frame; the frames of a sequence come first, and
            there is at least one.

    Attributes:
        lengths: frames of each sequence.
        positions: number of each row within its sequence, ``[N]``.
        owners: sequence of each row, ``[N]``.
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask
        self.counts = mask.sum(1)
        self.lengths: list[int] = self.counts.tolist()
        self.owners, self.positions = mask.nonzero(as_tuple=True)
        self._places = self.owners * mask.shape[1] + self.positions

    def rows(self, padded: Tensor) -> Tensor:
        """Real frames one after the other, ``[B, T, ...]`` to ``[N, ...]``."""
        return padded.flatten(0, 1).index_select(0, self._places)

    def padded(self, rows: Tensor) -> Tensor:
        """``[N, ...]`` to ``[B, T, ...]``, zero at padding."""
        whole = rows.new_zeros(self.mask.numel(), *rows.shape[1:])
        return whole.index_copy(0, self._places, rows).view(*self.mask.shape, *rows.shape[1:])

    def reversed(self, rows: Tensor) -> Tensor:
        """Every sequence from its end, ``[N, ...]``."""
        ends = self.counts.cumsum(0)[self.owners]
        return rows.index_select(0, ends - 1 - self.positions)

    def span(self) -> Tensor:
        """Frames of the sequence of each row, ``[N]``."""
        return self.counts[self.owners]

    def like(self, size: int) -> Tensor:
        """Mask of the sequences in windows of ``size`` frames, ``[B, ceil(T / size)]``."""
        windows = -(-self.counts // size)
        most = -(-self.mask.shape[1] // size)
        return torch.arange(most, device=self.mask.device) < windows[:, None]

"""Frames at several temporal scales."""

import torch
from torch import Tensor, where
from torch.nn import Conv1d, LayerNorm, Linear, Module, ModuleList
from torch.nn.functional import interpolate, pad, relu

from versus.experiments.dsn.models.config import ModelConfig
from versus.experiments.dsn.models.layout import Layout


class Scales(Module):
    """Scale s pools windows of 2^s frames, convolves, and is brought back to every frame.

    A window at the end of a sequence pools what is there. Between windows values go linearly from
    centre to centre, whatever the length of the sequence; where 2^s divides it, this is
    ``interpolate`` to its length.

    Args:
        config: hidden, scales and fusion.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.fusion = config.fusion
        hidden, count = config.hidden, config.scales
        self.convolutions = ModuleList(Conv1d(hidden, hidden, 3, padding=1) for _ in range(count))
        if self.fusion == "concat":
            self.join = Linear(hidden * count, hidden)
        elif self.fusion == "softmax":
            self.weigh = Linear(hidden, count)
        self.norm = LayerNorm(hidden)

    def forward(self, rows: Tensor, layout: Layout) -> Tensor:
        """``[N, H]`` to the same."""
        frames = layout.padded(rows).transpose(1, 2)
        levels = [
            layout.rows(_seen(frames, convolve, 2**level, layout).transpose(1, 2))
            for level, convolve in enumerate(self.convolutions)
        ]
        normed: Tensor = self.norm(self._fused(rows, levels))
        return normed

    def _fused(self, rows: Tensor, levels: list[Tensor]) -> Tensor:
        if self.fusion == "concat":
            return _joined(self.join.weight, self.join.bias, levels)
        if self.fusion == "sum":
            return sum(levels[1:], levels[0])
        shares: tuple[Tensor, ...] = self.weigh(rows).softmax(-1).unbind(-1)
        parts = [share[:, None] * level for share, level in zip(shares, levels, strict=True)]
        return sum(parts[1:], parts[0])


def _joined(weights: Tensor, bias: Tensor, levels: list[Tensor]) -> Tensor:
    """A linear layer over the levels side by side, without putting them there."""
    pieces = torch.split(weights, levels[0].shape[1], 1)
    parts = [level @ piece.T for level, piece in zip(levels, pieces, strict=True)]
    return sum(parts, bias)


def _seen(frames: Tensor, convolve: Module, size: int, layout: Layout) -> Tensor:
    """``[B, H, T]`` at one scale, to the same; anything at padding."""
    if size == 1:
        return relu(convolve(frames))
    kept = layout.like(size)[:, None]
    coarse = relu(convolve(pooled(frames, size, layout)))
    last = coarse.take_along_dim(kept.sum(-1, keepdim=True) - 1, -1)
    coarse = where(kept, coarse, last)
    fine = interpolate(coarse, scale_factor=float(size), mode="linear")
    return fine[..., : frames.shape[-1]]


def pooled(frames: Tensor, size: int, layout: Layout) -> Tensor:
    """Half maximum, half mean of the real frames of windows, ``[B, H, ceil(T / size)]``.

    ``frames`` are 0 at padding, and so are windows without a real frame.
    """
    missing = -frames.shape[-1] % size
    real = pad(layout.mask, (0, missing)).view(len(frames), 1, -1, size)
    windows = pad(frames, (0, missing)).view(*frames.shape[:2], -1, size)
    mean = windows.sum(-1) / real.sum(-1).clamp_min(1)
    highest = where(real | ~real.any(-1, keepdim=True), windows, -float("inf")).amax(-1)
    return (highest + mean) / 2

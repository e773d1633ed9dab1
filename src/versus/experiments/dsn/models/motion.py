"""How motion joins appearance."""

import torch
from torch import Tensor
from torch.nn import GELU, Dropout, LayerNorm, Linear, Module, Sequential

from versus.experiments.dsn.models.config import ModelConfig
from versus.experiments.dsn.models.layers import Attention
from versus.experiments.dsn.models.layout import Layout


class SideBySide(Module):
    """Motion and appearance side by side through two layers.

    Args:
        config: hidden and dropout.
        motion: numbers of motion per frame.
    """

    def __init__(self, config: ModelConfig, motion: int) -> None:
        super().__init__()
        hidden = config.hidden
        self.layers = Sequential(
            Linear(motion + hidden, 2 * hidden),
            LayerNorm(2 * hidden),
            GELU(),
            Dropout(config.dropout),
            Linear(2 * hidden, hidden),
            LayerNorm(hidden),
        )

    def forward(self, motion: Tensor, rows: Tensor, layout: Layout) -> Tensor:
        """``[N, M]`` and ``[N, H]`` to ``[N, H]``."""
        joined: Tensor = self.layers(torch.cat([motion, rows], 1))
        return joined


class CrossAttention(Module):
    """Motion asks, appearance answers, a gate decides how much of the answer counts.

    Args:
        config: hidden, heads and dropout.
        motion: numbers of motion per frame.
    """

    def __init__(self, config: ModelConfig, motion: int) -> None:
        super().__init__()
        hidden, dropout = config.hidden, config.dropout
        self.attention = Attention(motion, hidden, hidden, config.heads, dropout)
        self.straight = Linear(motion, hidden)
        self.gate = Linear(motion + hidden, hidden)
        self.attended = LayerNorm(hidden)
        self.layers = Sequential(
            Linear(hidden, 4 * hidden),
            GELU(),
            Dropout(dropout),
            Linear(4 * hidden, hidden),
            Dropout(dropout),
        )
        self.done = LayerNorm(hidden)

    def forward(self, motion: Tensor, rows: Tensor, layout: Layout) -> Tensor:
        """``[N, M]`` and ``[N, H]`` to ``[N, H]``."""
        straight = self.straight(motion)
        attended = self.attended(straight + self.attention(motion, rows, layout))
        open_share = self.gate(torch.cat([motion, rows], 1)).sigmoid()
        joined = torch.lerp(straight, attended, open_share)
        done: Tensor = self.done(joined + self.layers(joined))
        return done


def make_fusion(config: ModelConfig, motion: int) -> SideBySide | CrossAttention | None:
    """The fusion of a configuration; None where motion is left out."""
    match config.motion:
        case "simple":
            return SideBySide(config, motion)
        case "cross_attention":
            return CrossAttention(config, motion)
        case _:
            return None

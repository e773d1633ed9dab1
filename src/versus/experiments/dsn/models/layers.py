"""Layers over rows of frames.

None of them sees padding, so it changes neither values, gradients nor the draws of dropout.
"""

import math

import torch
from torch import Tensor
from torch.nn import LSTM, BatchNorm1d, Dropout, LayerNorm, Linear, Module, Parameter
from torch.nn.functional import relu, scaled_dot_product_attention

from versus.experiments.dsn.models.layout import Layout


class FrameNorm(BatchNorm1d):
    """Batch normalisation over the real frames of a batch.

    A batch of a single frame has no spread: it is normalised by the running statistics.
    """

    def forward(self, rows: Tensor) -> Tensor:
        """``[N, H]`` to the same."""
        if self.training and len(rows) < 2:
            self.eval()
            alone: Tensor = super().forward(rows)
            self.train()
            return alone
        return super().forward(rows)


class BiLSTM(Module):
    """An LSTM in both directions, each of which starts where a sequence does.

    Two padded passes take a third of the time of one over a packed sequence.

    Args:
        inputs: size of a row.
        hidden: numbers in each direction.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.ahead = LSTM(inputs, hidden, batch_first=True)
        self.back = LSTM(inputs, hidden, batch_first=True)

    def forward(self, rows: Tensor, layout: Layout) -> Tensor:
        """``[N, inputs]`` to ``[N, 2 hidden]``: ahead, then back."""
        ahead = layout.rows(self.ahead(layout.padded(rows))[0])
        back = layout.rows(self.back(layout.padded(layout.reversed(rows)))[0])
        return torch.cat([ahead, layout.reversed(back)], 1)


class Attention(Module):
    """Every frame of a sequence asks all frames of it (Vaswani et al. 2017, eq. 1).

    Args:
        asking: size of the rows that ask.
        answering: size of the rows that are asked.
        hidden: size of the answers.
        heads: they divide ``hidden``.
        dropout: share of attention and of answers left out in training.
    """

    def __init__(self, asking: int, answering: int, hidden: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.query = Linear(asking, hidden)
        self.key = Linear(answering, hidden)
        self.value = Linear(answering, hidden)
        self.out = Linear(hidden, hidden)
        self.dropout = Dropout(dropout)

    def forward(self, asking: Tensor, answering: Tensor, layout: Layout) -> Tensor:
        """``[N, asking]`` and ``[N, answering]`` to ``[N, hidden]``."""
        parts = self.query(asking), self.key(answering), self.value(answering)
        heads = [part.view(len(part), self.heads, -1).transpose(0, 1) for part in parts]
        split = zip(*(part.split(layout.lengths, 1) for part in heads), strict=True)
        share = self.dropout.p if self.training else 0.0
        found = [
            scaled_dot_product_attention(q[None], k[None], v[None], dropout_p=share)[0]
            for q, k, v in split
        ]
        merged = torch.cat(found, 1).transpose(0, 1).flatten(1)
        answers: Tensor = self.dropout(self.out(merged))
        return answers


class AttentionLayer(Module):
    """Self-attention and two layers, each added and normalised after.

    Args:
        hidden: size of a row.
        heads: of attention.
        dropout: share left out in training.
    """

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(hidden, hidden, hidden, heads, dropout)
        self.attended = LayerNorm(hidden)
        self.wide = Linear(hidden, 4 * hidden)
        self.narrow = Linear(4 * hidden, hidden)
        self.dropout = Dropout(dropout)
        self.done = LayerNorm(hidden)

    def forward(self, rows: Tensor, layout: Layout) -> Tensor:
        """``[N, H]`` to the same."""
        rows = self.attended(rows + self.attention(rows, rows, layout))
        inner = self.narrow(self.dropout(relu(self.wide(rows))))
        done: Tensor = self.done(rows + self.dropout(inner))
        return done


class Sinusoidal(Module):
    """Adds sines and cosines of the place (Vaswani et al. 2017, section 3.5), of any length.

    Args:
        hidden: size of a row.
        dropout: share left out in training.
    """

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)

    def forward(self, rows: Tensor, layout: Layout) -> Tensor:
        """``[N, H]`` to the same."""
        hidden = rows.shape[1]
        steps = torch.arange(0, hidden, 2, device=rows.device)
        slopes = torch.exp(steps * (-math.log(10_000) / hidden))
        angles = layout.positions[:, None] * slopes
        places = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :hidden]
        moved: Tensor = self.dropout(rows + places.to(rows.dtype))
        return moved


class Learned(Module):
    """Adds a learned vector per place.

    A sequence that is longer than the table is spread over it evenly, and places between two
    entries take from both.

    Args:
        hidden: size of a row.
        entries: of the table.
        dropout: share left out in training.
    """

    def __init__(self, hidden: int, entries: int, dropout: float) -> None:
        super().__init__()
        self.table = Parameter(torch.randn(entries, hidden) * 0.02)
        self.dropout = Dropout(dropout)

    def forward(self, rows: Tensor, layout: Layout) -> Tensor:
        """``[N, H]`` to the same."""
        last = len(self.table) - 1
        ends = (layout.span() - 1).clamp_min(1)
        exact = layout.positions * (last / ends.double()).clamp_max(1.0)
        below = exact.long().clamp_max(last - 1)
        share = (exact - below).to(rows.dtype)[:, None]
        places = torch.lerp(self.table[below], self.table[below + 1], share)
        moved: Tensor = self.dropout(rows + places)
        return moved

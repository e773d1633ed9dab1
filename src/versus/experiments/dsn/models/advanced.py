"""The advanced network: an encoder, positions, scales, self-attention and a BiLSTM."""

from torch import Tensor
from torch.nn import Dropout, Linear, Module, ModuleList
from torch.nn.functional import relu

from versus.experiments.dsn.models.config import ModelConfig
from versus.experiments.dsn.models.layers import (
    AttentionLayer,
    BiLSTM,
    FrameNorm,
    Learned,
    Sinusoidal,
)
from versus.experiments.dsn.models.layout import Layout
from versus.experiments.dsn.models.motion import make_fusion
from versus.experiments.dsn.models.scales import Scales


class Block(Module):
    """Linear, normalisation over frames, ReLU, dropout.

    Args:
        inputs: size of a row.
        hidden: size of the result.
        dropout: share left out in training.
    """

    def __init__(self, inputs: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.linear = Linear(inputs, hidden)
        self.norm = FrameNorm(hidden)
        self.dropout = Dropout(dropout)

    def forward(self, rows: Tensor) -> Tensor:
        """``[N, inputs]`` to ``[N, hidden]``."""
        found: Tensor = self.dropout(relu(self.norm(self.linear(rows))))
        return found


class Encoder(Module):
    """Two blocks, and the features past them where their size differs.

    Args:
        config: hidden and dropout.
        features: numbers per frame.
    """

    def __init__(self, config: ModelConfig, features: int) -> None:
        super().__init__()
        hidden = config.hidden
        self.first = Block(features, hidden, config.dropout)
        self.second = Block(hidden, hidden, config.dropout)
        self.past = Linear(features, hidden) if features != hidden else None

    def forward(self, rows: Tensor) -> Tensor:
        """``[N, D]`` to ``[N, H]``."""
        found: Tensor = self.second(self.first(rows))
        return found if self.past is None else found + self.past(rows)


class Advanced(Module):
    """Features -> encoder -> (motion) -> positions -> scales -> attention -> BiLSTM -> one score.

    Args:
        config: of kind advanced.
        features: numbers per frame, D.
        motion: numbers of motion per frame, M.
    """

    def __init__(self, config: ModelConfig, features: int, motion: int = 0) -> None:
        super().__init__()
        hidden, dropout = config.hidden, config.dropout
        self.encoder = Encoder(config, features)
        self.motion = make_fusion(config, motion)
        self.positions = (
            Sinusoidal(hidden, dropout)
            if config.positions == "sinusoidal"
            else Learned(hidden, config.table, dropout)
        )
        self.scales = Scales(config)
        self.layers = ModuleList(
            AttentionLayer(hidden, config.heads, config.attention_dropout)
            for _ in range(config.layers)
        )
        self.lstm = BiLSTM(hidden, config.lstm_hidden) if config.lstm else None
        self.dropout = Dropout(dropout)
        self.head = Linear(2 * config.lstm_hidden if config.lstm else hidden, 1)

    def forward(self, features: Tensor, motion: Tensor, mask: Tensor) -> Tensor:
        """Scores as logits.

        Args:
            features: ``[B, T, D]``.
            motion: ``[B, T, M]``; not looked at where the configuration leaves it out.
            mask: ``[B, T]``, True where there is a frame; these come first.

        Returns:
            ``[B, T]``, 0 at padding.
        """
        layout = Layout(mask)
        rows = self.encoder(layout.rows(features))
        if self.motion is not None:
            rows = self.motion(layout.rows(motion), rows, layout)
        rows = self.scales(self.positions(rows, layout), layout)
        for layer in self.layers:
            rows = layer(rows, layout)
        if self.lstm is not None:
            rows = self.lstm(rows, layout)
        return layout.padded(self.head(self.dropout(rows))[:, 0])

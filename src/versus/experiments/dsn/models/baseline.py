"""The baseline: one layer and a BiLSTM.

Zhou, Qiao and Xiang 2018: Deep reinforcement learning for unsupervised video summarization with
diversity-representativeness reward, AAAI.
"""

from torch import Tensor
from torch.nn import Dropout, Linear, Module
from torch.nn.functional import relu

from versus.experiments.dsn.models.config import ModelConfig
from versus.experiments.dsn.models.layers import BiLSTM
from versus.experiments.dsn.models.layout import Layout
from versus.experiments.dsn.models.motion import make_fusion


class Baseline(Module):
    """Features -> Linear and ReLU -> (motion) -> BiLSTM -> dropout -> one score.

    Args:
        config: of kind baseline.
        features: numbers per frame, D.
        motion: numbers of motion per frame, M.
    """

    def __init__(self, config: ModelConfig, features: int, motion: int = 0) -> None:
        super().__init__()
        self.encoder = Linear(features, config.hidden)
        self.motion = make_fusion(config, motion)
        self.lstm = BiLSTM(config.hidden, config.lstm_hidden)
        self.dropout = Dropout(config.dropout)
        self.head = Linear(2 * config.lstm_hidden, 1)

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
        rows = relu(self.encoder(layout.rows(features)))
        if self.motion is not None:
            rows = self.motion(layout.rows(motion), rows, layout)
        return layout.padded(self.head(self.dropout(self.lstm(rows, layout)))[:, 0])

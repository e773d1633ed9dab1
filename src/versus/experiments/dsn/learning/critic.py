"""The critic: what a sequence's selections will be worth."""

import torch
from torch import Tensor
from torch.nn import Linear, Module
from torch.nn.functional import relu

from versus.core.module_state import initialised
from versus.experiments.dsn.batches import Batch


class Critic(Module):
    """Means of features and motion over the frames -> one hidden layer -> a value.

    Args:
        inputs: numbers of features and motion per frame.
        hidden: hidden units.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.first = Linear(inputs, hidden)
        self.second = Linear(hidden, 1)

    def forward(self, batch: Batch) -> Tensor:
        """``[B]``."""
        frames = torch.cat([batch.features, batch.motion], 2) * batch.mask[..., None]
        mean = frames.sum(1) / batch.mask.sum(1, keepdim=True)
        value: Tensor = self.second(relu(self.first(mean)))[:, 0]
        return value


def make_critic(inputs: int, hidden: int, *key: int | str) -> Critic:
    """A critic whose weights depend on ``key`` alone."""
    return initialised(lambda: Critic(inputs, hidden), "dsn critic", *key)

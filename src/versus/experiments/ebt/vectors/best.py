"""The weights with the lowest validation error of every run."""

from typing import NamedTuple

import torch
from torch import Tensor


class Best(NamedTuple):
    """The best evaluation of S runs so far.

    Attributes:
        error: on validation examples, (S,); infinite before the first evaluation.
        values: the weights that it was measured with, (S, P).
        step: steps before it, (S,).
    """

    error: Tensor
    values: Tensor
    step: Tensor

    @classmethod
    def none(cls, values: Tensor) -> "Best":
        """Before the first evaluation: the initial weights."""
        step = torch.zeros(len(values), dtype=torch.float64)
        return cls(torch.full_like(step, torch.inf), values.clone(), step)

    def after(self, error: Tensor, values: Tensor, step: int, active: Tensor) -> "Best":
        """With an evaluation of the active runs taken into account."""
        better = (error < self.error) & active
        return Best(
            torch.where(better, error, self.error),
            torch.where(better[:, None].to(values.device), values, self.values),
            torch.where(better, float(step), self.step),
        )

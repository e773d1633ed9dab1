"""What happens to a gradient between the loss and the optimiser: Grokfast's filter and clipping."""

from collections.abc import Sequence

import torch
from torch import Tensor

from versus.experiments.ordering.config import TrainConfig


class GradientFilter:
    """Grokfast-EMA (J. Lee et al., "Grokfast", arXiv 2405.20233), then clipping, per run.

    With g the gradient, m <- alpha m + (1 - alpha) g and the optimiser sees g + lambda m; the
    average begins with the first gradient, as in the authors' program. Where neither is asked for,
    the optimiser sees the gradient itself.

    Args:
        settings: one per run.
        gradients: raw gradients, (S, P), never changed.
    """

    def __init__(self, settings: Sequence[TrainConfig], gradients: Tensor) -> None:
        self._raw = gradients

        def column(entries: Sequence[float]) -> Tensor:
            return torch.tensor(entries, device=gradients.device)[:, None]

        self._alpha = column([one.grokfast_alpha for one in settings])
        self._lambda = column([one.grokfast_lambda for one in settings])
        limits = [one.max_grad_norm or torch.inf for one in settings]
        self._limit = column(limits)
        self._clips = min(limits) < torch.inf
        averages = any(one.grokfast_lambda for one in settings)
        self.average = torch.zeros_like(gradients) if averages else None
        copied = averages or self._clips
        self.seen = torch.zeros_like(gradients) if copied else gradients

    def apply(self, *, first: bool) -> None:
        """Fill ``seen``, (S, P), from the raw gradients; ``first``: of the training."""
        if self.average is not None:
            alpha = torch.zeros_like(self._alpha) if first else self._alpha
            self.average.mul_(alpha).addcmul_(1 - alpha, self._raw)
            torch.addcmul(self._raw, self._lambda, self.average, out=self.seen)
        elif self._clips:
            self.seen.copy_(self._raw)
        if self._clips:
            norms = torch.stack(torch._foreach_norm(list(self.seen)))
            self.seen.mul_((self._limit / (norms[:, None] + 1e-6)).clamp_(max=1))

"""Matrices that hooks share: computed once, and only while a hook that is due uses them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from versus.core.weights import Weights


class Quantities:
    """Weights, gradients and what is made of them, each (S, P).

    Args:
        weights: of the learner.
        reference: weights of a solution, if one was named.
    """

    def __init__(self, weights: Weights, reference: Tensor | None = None) -> None:
        self.weights = weights
        self._reference = reference
        self._epoch_start: Tensor | None = None
        self._coming: Tensor | None = None
        self._step_start: Tensor | None = None
        self._sum: Tensor | None = None
        self._count = 0
        self._gradients: Tensor | None = None
        self._update: Tensor | None = None

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.values().device

    @property
    def has_reference(self) -> bool:
        """Whether there is a reference solution."""
        return self._reference is not None

    def begin_epoch(self, uses: frozenset[str]) -> None:
        """Start the sums of an epoch."""
        self._epoch_start = self.values().clone() if "epoch_start" in uses else None
        self._sum, self._count = None, 0

    def keep_before(self) -> None:
        """Keep the weights that the coming step is going to change."""
        if self._coming is None:
            self._coming = self.values().clone()

    def end_step(self, uses: frozenset[str]) -> None:
        """Add the step's gradient to the epoch's."""
        self._gradients = self._update = None
        self._step_start, self._coming = self._coming, None
        if "epoch_gradient" in uses:
            gradients = self.gradients()
            self._sum = gradients.clone() if self._sum is None else self._sum.add_(gradients)
            self._count += 1

    def values(self) -> Tensor:
        """Present weights."""
        return self.weights.values()

    def gradients(self) -> Tensor:
        """Gradients of the last step."""
        if self._gradients is None:
            self._gradients = self.weights.gradients()
        return self._gradients

    def update(self) -> Tensor:
        """What the step has added to the weights."""
        if self._update is None:
            self._update = self.values() - _known(self._step_start, "update")
        return self._update

    def epoch_gradient(self) -> Tensor:
        """Mean gradient of the epoch's steps so far."""
        return _known(self._sum, "epoch_gradient") / self._count

    def epoch_start(self) -> Tensor:
        """Weights before the epoch."""
        return _known(self._epoch_start, "epoch_start")

    def reference(self) -> Tensor:
        """Weights of the reference solution."""
        return _known(self._reference, "reference")

    def state_dict(self) -> dict[str, Any]:
        """What is open in the middle of an epoch."""
        return {"epoch_start": self._epoch_start, "sum": self._sum, "count": self._count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        device = self.device
        start, total = state["epoch_start"], state["sum"]
        self._epoch_start = None if start is None else start.to(device)
        self._sum = None if total is None else total.to(device)
        self._count = state["count"]


def _known(matrix: Tensor | None, use: str) -> Tensor:
    if matrix is None:
        raise RuntimeError(f"not kept: the hook must declare uses = frozenset({{{use!r}}})")
    return matrix

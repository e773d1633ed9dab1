"""Optimisers of a stack: every run is a row of one matrix, with its own rate and decay.

A row is advanced by the same kernel whether it is alone or one of many, so its numbers do not
depend on its neighbours. Shapes: S runs, P parameters of one run.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from versus.core.weights import Shape, split
from versus.experiments.ordering.config import TrainConfig

EPSILON = 1e-8
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NEWTON_SCHULZ_STEPS = 5


class Group(NamedTuple):
    """Rows that share a rate and a decay."""

    rows: Sequence[int]
    lr: float
    decay: float


class Optimizer(Protocol):
    """What advances the rows.

    Attributes:
        buffers: name -> (S, P), everything it remembers.
    """

    buffers: Mapping[str, Tensor]

    def step(self, groups: Sequence[Group], count: int) -> None:
        """Advance the rows of the groups by their gradients; ``count`` steps with this one."""

    def moments(self, count: int) -> tuple[Tensor, Tensor] | None:
        """Bias-corrected moments (S, P) after ``count`` steps; None where there are none."""


def make_optimizer(
    settings: TrainConfig, values: Tensor, gradients: Tensor, shapes: Mapping[str, Shape]
) -> Optimizer:
    """The optimiser of a stack.

    Args:
        settings: which one, and what all runs share.
        values: weights, (S, P), changed in place by every step.
        gradients: where a step finds the gradients, (S, P).
        shapes: parameter name -> shape in one run, in the order of the columns.
    """
    if settings.optimizer == "sgd":
        return Momentum(values, gradients, settings.momentum)
    if settings.optimizer == "muon":
        return Muon(values, gradients, shapes, settings.momentum, settings.betas)
    decoupled = settings.optimizer == "adamw"
    return Adam(values, gradients, _whole, settings.betas, decoupled=decoupled)


Cut = Callable[[Tensor], list[list[Tensor]]]
"""Cuts a matrix (S, P) into the contiguous pieces of each row that an optimiser is to see."""


def _whole(matrix: Tensor) -> list[list[Tensor]]:
    return [[row] for row in matrix]


class Adam:
    """Adam (D. P. Kingma and J. Ba, 2015) or AdamW (I. Loshchilov and F. Hutter, 2019).

    Torch's fused kernel, equal to the bit to ``torch.optim.AdamW(fused=True)`` on each row.

    Args:
        values: weights, (S, P).
        gradients: (S, P).
        cut: which columns it is for.
        betas: shares of the old moments that are kept.
        decoupled: AdamW's decay; else the decay is added to the gradient.
    """

    def __init__(
        self,
        values: Tensor,
        gradients: Tensor,
        cut: Cut,
        betas: tuple[float, float],
        *,
        decoupled: bool = True,
    ) -> None:
        first, second = torch.zeros_like(values), torch.zeros_like(values)
        self.buffers: Mapping[str, Tensor] = {"exp_avg": first, "exp_avg_sq": second}
        self._pieces = [cut(matrix) for matrix in (values, gradients, first, second)]
        self._betas = betas
        self._kernel: Any = torch._fused_adamw_ if decoupled else torch._fused_adam_

    def step(self, groups: Sequence[Group], count: int) -> None:
        """See :class:`Optimizer`."""
        counted = torch.tensor(float(count), device=self.buffers["exp_avg"].device)
        for rows, lr, decay in groups:
            lists = [[piece for row in rows for piece in table[row]] for table in self._pieces]
            self._kernel(
                *lists,
                [],
                [counted] * len(lists[0]),
                lr=lr,
                beta1=self._betas[0],
                beta2=self._betas[1],
                weight_decay=decay,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def moments(self, count: int) -> tuple[Tensor, Tensor] | None:
        """See :class:`Optimizer`."""
        first, second = self.buffers["exp_avg"], self.buffers["exp_avg_sq"]
        if count == 0:
            return None
        return first / (1 - self._betas[0] ** count), second / (1 - self._betas[1] ** count)


class Momentum:
    """Gradient descent with heavy-ball momentum, the decay added to the gradient."""

    def __init__(self, values: Tensor, gradients: Tensor, momentum: float) -> None:
        velocity = torch.zeros_like(values)
        self.buffers: Mapping[str, Tensor] = {"momentum": velocity}
        self._rows = [list(matrix) for matrix in (values, gradients, velocity)]
        self._momentum = momentum

    def step(self, groups: Sequence[Group], count: int) -> None:
        """See :class:`Optimizer`."""
        for rows, lr, decay in groups:
            for row in rows:
                value, gradient, velocity = (matrix[row] for matrix in self._rows)
                velocity.mul_(self._momentum).add_(gradient).add_(value, alpha=decay)
                value.add_(velocity, alpha=-lr)

    def moments(self, count: int) -> tuple[Tensor, Tensor] | None:
        """It keeps no second moment."""
        return None


class Muon:
    """Orthogonalised momentum for matrices inside the blocks, AdamW for everything else.

    K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024), with
    Nesterov momentum, and updates scaled to the size of AdamW's by 0.2 sqrt(max(rows, columns)),
    so that rates and decays can be compared (J. Liu et al., "Muon is scalable for LLM training",
    arXiv 2502.16982).
    """

    def __init__(
        self,
        values: Tensor,
        gradients: Tensor,
        shapes: Mapping[str, Shape],
        momentum: float,
        betas: tuple[float, float],
    ) -> None:
        matrices = [n for n in shapes if n.startswith("layers.") and len(shapes[n]) == 2]

        def others(matrix: Tensor) -> list[list[Tensor]]:
            named = split(matrix, shapes)
            kept = [part for name, part in named.items() if name not in matrices]
            return [[part[row] for part in kept] for row in range(len(matrix))]

        self._adam = Adam(values, gradients, others, betas)
        velocity = torch.zeros_like(values)
        self.buffers: Mapping[str, Tensor] = {**self._adam.buffers, "momentum": velocity}
        views = [split(matrix, shapes) for matrix in (values, gradients, velocity)]
        self._matrices = [tuple(view[name] for view in views) for name in matrices]
        self._momentum = momentum

    def step(self, groups: Sequence[Group], count: int) -> None:
        """See :class:`Optimizer`."""
        self._adam.step(groups, count)
        for value, gradient, velocity in self._matrices:
            size = 0.2 * math.sqrt(max(value.shape[1:]))
            for rows, lr, decay in groups:
                chosen = list(rows)
                velocity[chosen] = velocity[chosen].lerp(gradient[chosen], 1 - self._momentum)
                ahead = gradient[chosen].lerp(velocity[chosen], self._momentum)
                decayed = value[chosen] * (1 - lr * decay)
                value[chosen] = decayed.sub_(orthogonalised(ahead), alpha=lr * size)

    def moments(self, count: int) -> tuple[Tensor, Tensor] | None:
        """Most weights have no second moment."""
        return None


def orthogonalised(matrices: Tensor) -> Tensor:
    """Roughly U V^T of each matrix U S V^T of (n, rows, columns), by Newton-Schulz."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        square = torch.bmm(x, x.transpose(1, 2))
        x = torch.baddbmm(x, b * square + c * torch.bmm(square, square), x, beta=a)
    return x.transpose(1, 2) if tall else x


def learning_rate(settings: TrainConfig, step: int, steps_per_epoch: int) -> float:
    """Rate of step ``step`` (from 0): warm-up times cosine, which has one value per epoch."""
    rate = settings.lr
    if settings.schedule == "cosine":
        turn = math.pi * (step // steps_per_epoch) / settings.epochs
        rate = settings.min_lr + (settings.lr - settings.min_lr) * (1 + math.cos(turn)) / 2
    return rate * min(1.0, (step + 1) / settings.warmup_steps) if settings.warmup_steps else rate

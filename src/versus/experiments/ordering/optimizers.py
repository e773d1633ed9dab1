"""Optimisers of a stack: every run is a row of one matrix, with its own rate and decay.

A row is advanced by the same kernel whether it is alone or one of many, so its numbers do not
depend on its neighbours. Shapes: S runs, P parameters of one run.
"""

import math
from collections.abc import Mapping, Sequence
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


Slopes = Mapping[int, Mapping[str, Tensor]]
"""Row -> parameter name -> where its gradient is found, of its shape in one run."""


class Optimizer(Protocol):
    """What advances the rows.

    Attributes:
        buffers: name -> (S, P), everything it remembers.
    """

    buffers: Mapping[str, Tensor]

    def look_at(self, slopes: Slopes) -> None:
        """Where every step from now on finds the gradients of the rows that it advances."""

    def step(self, groups: Sequence[Group], count: int) -> None:
        """Advance the rows of the groups by their gradients; ``count`` steps with this one."""

    def moments(self, count: int) -> tuple[Tensor, Tensor] | None:
        """Bias-corrected moments (S, P) after ``count`` steps; None where there are none."""


def make_optimizer(settings: TrainConfig, values: Tensor, shapes: Mapping[str, Shape]) -> Optimizer:
    """The optimiser of a stack.

    Args:
        settings: which one, and what all runs share.
        values: weights, (S, P), changed in place by every step.
        shapes: parameter name -> shape in one run, in the order of the columns.
    """
    if settings.optimizer == "sgd":
        return Momentum(values, shapes, settings.momentum)
    if settings.optimizer == "muon":
        return Muon(values, shapes, settings.momentum, settings.betas)
    return Adam(values, shapes, list(shapes), settings.betas, settings.optimizer == "adamw")


class _Lists:
    """The pieces that a kernel takes, for each group: values, gradients and buffers.

    Args:
        matrices: values and buffers, (S, P) each.
        shapes: of the parameters.
        names: of those that are wanted.
    """

    def __init__(
        self, matrices: Sequence[Tensor], shapes: Mapping[str, Shape], names: Sequence[str]
    ) -> None:
        self._views = [split(matrix, shapes) for matrix in matrices]
        self._names = names
        self._slopes: Slopes = {}
        self._groups: Sequence[Group] = ()
        self._lists: list[list[list[Tensor]]] = []

    def look_at(self, slopes: Slopes) -> None:
        """See :class:`Optimizer`."""
        self._slopes, self._groups = slopes, ()

    def of(self, groups: Sequence[Group]) -> list[list[list[Tensor]]]:
        """For each group its lists: values, gradients, then the buffers."""
        if groups is not self._groups:
            self._groups, self._lists = groups, [self._of(group.rows) for group in groups]
        return self._lists

    def _of(self, rows: Sequence[int]) -> list[list[Tensor]]:
        pieces = [[view[name][r] for r in rows for name in self._names] for view in self._views]
        slopes = [self._slopes[row][name] for row in rows for name in self._names]
        return [pieces[0], slopes, *pieces[1:]]


class Adam:
    """Adam (D. P. Kingma and J. Ba, 2015) or AdamW (I. Loshchilov and F. Hutter, 2019).

    Torch's fused kernel, equal to the bit to ``torch.optim.AdamW(fused=True)`` on each row.

    Args:
        values: weights, (S, P).
        shapes: of all parameters.
        names: the parameters that it is for.
        betas: shares of the old moments that are kept.
        decoupled: AdamW's decay; else the decay is added to the gradient.
    """

    def __init__(
        self,
        values: Tensor,
        shapes: Mapping[str, Shape],
        names: Sequence[str],
        betas: tuple[float, float],
        decoupled: bool,
    ) -> None:
        first, second = torch.zeros_like(values), torch.zeros_like(values)
        self.buffers: Mapping[str, Tensor] = {"exp_avg": first, "exp_avg_sq": second}
        self._lists = _Lists((values, first, second), shapes, names)
        self._betas = betas
        self._kernel: Any = torch._fused_adamw_ if decoupled else torch._fused_adam_

    def look_at(self, slopes: Slopes) -> None:
        """See :class:`Optimizer`."""
        self._lists.look_at(slopes)

    def step(self, groups: Sequence[Group], count: int) -> None:
        """See :class:`Optimizer`."""
        counted = torch.tensor(float(count), device=self.buffers["exp_avg"].device)
        for (_, lr, decay), lists in zip(groups, self._lists.of(groups), strict=True):
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

    def __init__(self, values: Tensor, shapes: Mapping[str, Shape], momentum: float) -> None:
        velocity = torch.zeros_like(values)
        self.buffers: Mapping[str, Tensor] = {"momentum": velocity}
        self._lists = _Lists((values, velocity), shapes, list(shapes))
        self._momentum = momentum

    def look_at(self, slopes: Slopes) -> None:
        """See :class:`Optimizer`."""
        self._lists.look_at(slopes)

    def step(self, groups: Sequence[Group], count: int) -> None:
        """See :class:`Optimizer`."""
        for (_, lr, decay), lists in zip(groups, self._lists.of(groups), strict=True):
            values, gradients, velocities = lists
            torch._foreach_mul_(velocities, self._momentum)
            torch._foreach_add_(velocities, gradients)
            torch._foreach_add_(velocities, values, alpha=decay)
            torch._foreach_add_(values, velocities, alpha=-lr)

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
        shapes: Mapping[str, Shape],
        momentum: float,
        betas: tuple[float, float],
    ) -> None:
        self._names = [n for n in shapes if n.startswith("layers.") and len(shapes[n]) == 2]
        others = [name for name in shapes if name not in self._names]
        self._adam = Adam(values, shapes, others, betas, decoupled=True)
        velocity = torch.zeros_like(values)
        self.buffers: Mapping[str, Tensor] = {**self._adam.buffers, "momentum": velocity}
        self._values, self._velocities = split(values, shapes), split(velocity, shapes)
        self._slopes: Slopes = {}
        self._momentum = momentum

    def look_at(self, slopes: Slopes) -> None:
        """See :class:`Optimizer`."""
        self._slopes = slopes
        self._adam.look_at(slopes)

    def step(self, groups: Sequence[Group], count: int) -> None:
        """See :class:`Optimizer`."""
        self._adam.step(groups, count)
        for name in self._names:
            for group in groups:
                self._turn(name, group)

    def _turn(self, name: str, group: Group) -> None:
        values, velocities = self._values[name], self._velocities[name]
        rows = list(group.rows)
        gradients = torch.stack([self._slopes[row][name] for row in rows])
        velocities[rows] = velocities[rows].lerp(gradients, 1 - self._momentum)
        update = orthogonalised(gradients.lerp(velocities[rows], self._momentum))
        size = 0.2 * math.sqrt(max(values.shape[1:]))
        decayed = values[rows] * (1 - group.lr * group.decay)
        values[rows] = decayed.sub_(update, alpha=group.lr * size)

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

"""Gradient steps on an answer, in training and in prediction.

Shapes: B examples, N descents of each, 10 logits of the answer.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from versus.core.errors import DataError
from versus.experiments.ebt.config import DescentConfig

Energy = Callable[[Tensor], Tensor]
"""Energies (B, N) of answers (B, N, 10)."""


class Descended(NamedTuple):
    """Where descents ended: answers (B, N, 10); energies (B, N) there and at the start."""

    answers: Tensor
    energies: Tensor
    first_energies: Tensor


def slope(energy: Energy, answer: Tensor, *, differentiable: bool = False) -> tuple[Tensor, Tensor]:
    """Energies (B, N) and their gradient (B, N, 10) at answers (B, N, 10)."""
    with torch.enable_grad():
        answer = answer if answer.requires_grad else answer.detach().requires_grad_()
        energies = energy(answer)
        (gradient,) = torch.autograd.grad(energies.sum(), answer, create_graph=differentiable)
    return energies.detach(), gradient


def train_descent(
    settings: DescentConfig,
    energy: Energy,
    constant: Energy,
    answer: Tensor,
    step_size: Tensor,
    source: torch.Generator,
) -> Tensor:
    """Answers (B, 1, 10) after the steps of a training batch, differentiable in the weights.

    Args:
        settings: number of steps, noise, jitter, and which steps are differentiated.
        energy: with the gradient of its context.
        constant: the same energy without it, for steps that are not differentiated.
        answer: starts (B, 1, 10).
        step_size: of every step, a scalar.
        source: of extra steps, jitter and noise; they are drawn on the CPU.
    """
    extra = int(torch.randint(settings.extra_steps + 1, (), generator=source))
    factor = settings.jitter ** float(2 * torch.rand((), generator=source) - 1)
    steps = settings.steps + extra
    for step in range(1, steps + 1):
        through = settings.gradient == "all" or step == steps
        chosen = energy if through else constant
        _, gradient = slope(chosen, answer, differentiable=through)
        size = step_size if through else step_size.detach()
        answer = answer - factor * size * gradient
        if settings.noise and step < steps:
            noise = torch.randn(answer.shape, generator=source).to(answer.device)
            answer = answer + settings.noise * noise
    return answer


def descend(settings: DescentConfig, energy: Energy, start: Tensor, step_size: float) -> Descended:
    """Answers after the steps of a prediction.

    Raises:
        DataError: if an answer is no longer finite.
    """
    answer = start
    course: list[Tensor] = []
    for step in range(1, settings.steps + 1):
        current, gradient = slope(energy, answer)
        course.append(current)
        proposed = answer.detach() - step_size * gradient
        if not bool(proposed.isfinite().all()):
            raise DataError(
                f"the descent of the energy diverged at inner step {step} of {settings.steps} with "
                f"step size {step_size:g}; choose a smaller model.descent.step_size, or fewer steps"
            )
        if settings.accept_lower:
            lower = energy(proposed).detach() < current
            proposed = torch.where(lower[..., None], proposed, answer)
        answer = proposed
    return Descended(answer, energy(answer).detach(), course[0])

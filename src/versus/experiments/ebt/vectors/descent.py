"""How an energy's answer is found: gradient steps on y.

Shapes: S models, N rows, d coordinates of the answer.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from versus.core.errors import DataError
from versus.experiments.ebt.config import DescentConfig
from versus.experiments.ebt.vectors.energies import Energy
from versus.experiments.ebt.vectors.mlp import Parameters


def draw_start(kind: str, size: Sequence[int], source: torch.Generator) -> Tensor:
    """Where descents start: normal, uniform, zero or legacy."""
    if kind == "zero":
        return torch.zeros(size)
    if kind == "uniform":
        return torch.rand(size, generator=source) * 2 - 1
    normal = torch.randn(size, generator=source)
    return normal * 2 - 1 if kind == "legacy" else normal


def loss(
    energy: Energy,
    p: Parameters,
    x: Tensor,
    target: Tensor,
    start: Tensor,
    sizes: Tensor,
    steps: int,
    *,
    noise: Sequence[Tensor] = (),
    through_all: bool = False,
) -> tuple[Tensor, Tensor]:
    """Mean squared error after a descent, (S,), and the answers (S, N, d), differentiable.

    Args:
        energy: what is descended.
        p: weights, name -> (S, *shape).
        x: inputs, (S, N, 2d).
        target: true answers, (S, N, d).
        start: where it starts, (S, N, d).
        sizes: step size of each model, (S,).
        steps: n.
        noise: added after each step but the last, (S, N, d) each; empty = none.
        through_all: gradients flow through all steps, not the last alone.
    """
    alpha, y = sizes[:, None, None], start
    with torch.set_grad_enabled(torch.is_grad_enabled() and through_all):
        context = energy.context(p, x)
        for k in range(steps - 1):
            y = y - alpha * energy.slope(p, context, y)
            y = y + noise[k] if noise else y
    y = y - alpha * energy.slope(p, energy.context(p, x), y)
    return (y - target).square().mean((1, 2)), y


@torch.no_grad()
def path(
    energy: Energy,
    p: Parameters,
    context: Tensor,
    start: Tensor,
    sizes: Tensor,
    steps: int,
    *,
    accept_lower: bool = False,
) -> Iterator[Tensor]:
    """The answers (S, N, d) after 1, 2, ... ``steps`` steps.

    Args:
        energy: what is descended.
        p: weights.
        context: of the inputs, from :meth:`.Energy.context`.
        start: where it starts, (S, N, d).
        sizes: step size of each model, (S,).
        steps: n.
        accept_lower: a row keeps its answer where a step would not lower its energy.
    """
    y, alpha = start, sizes[:, None, None]
    level = energy.value(p, context, y) if accept_lower else None
    for _ in range(steps):
        proposed = torch.addcmul(y, energy.slope(p, context, y), alpha, value=-1)
        if level is not None:
            reached = energy.value(p, context, proposed)
            lower = reached < level
            level = torch.where(lower, reached, level)
            proposed = torch.where(lower[..., None], proposed, y)
        y = proposed
        yield y


@torch.no_grad()
def answer(
    energy: Energy, p: Parameters, x: Tensor, starts: Tensor, sizes: Tensor, how: DescentConfig
) -> Tensor:
    """The answers (S, N, d); of descents from several starts, those with the lowest energy.

    Args:
        energy: what is descended.
        p: weights.
        x: inputs, (S, N, 2d).
        starts: where descents start, (S, samples, d), the same for every row.
        sizes: step size of each model, (S,).
        how: settings.
    """
    context = energy.context(p, x)
    ends = []
    for start in starts.unbind(1):
        first = start[:, None].expand(-1, x.shape[1], -1)
        *_, end = path(energy, p, context, first, sizes, how.steps, accept_lower=how.accept_lower)
        ends.append(end)
    if len(ends) == 1:
        return ends[0]
    levels = torch.stack([energy.value(p, context, y) for y in ends])
    lowest = levels.nan_to_num(nan=torch.inf).argmin(0)[None, ..., None]
    return torch.stack(ends).gather(0, lowest.expand(1, *ends[0].shape))[0]


def check_finite(answers: Sequence[Tensor], sizes: Tensor) -> None:
    """Refuse a descent that has left the finite numbers.

    Args:
        answers: after 1, 2, ... steps.
        sizes: step sizes, (S,).

    Raises:
        DataError: naming the first such step and its size.
    """
    if message := first_infinite(answers, sizes):
        raise DataError(message)


def first_infinite(answers: Sequence[Tensor], sizes: Tensor) -> str:
    """What to say of the first step whose answers have no finite square; empty if all have."""
    for k, y in enumerate(answers, 1):
        if not bool(y.square().isfinite().all()):
            told = ", ".join(f"{size:g}" for size in dict.fromkeys(sizes.tolist()))
            return (
                f"the descent of the energy diverged at inner step {k} of {len(answers)} with step "
                f"size {told}; choose a smaller model.descent.step_size, or fewer steps"
            )
    return ""

"""Optimisers against PyTorch's, and against their papers' formulas."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from versus.core.weights import split
from versus.experiments.ordering.config import TrainConfig
from versus.experiments.ordering.filters import GradientFilter
from versus.experiments.ordering.model import Transformer
from versus.experiments.ordering.optimizers import (
    Group,
    learning_rate,
    make_optimizer,
    orthogonalised,
)

SHAPES = Transformer(p=7, d=8, heads=2, layers=1, ffn=12).shapes
RUNS, STEPS = 3, 5
RATES, DECAYS = (0.01, 0.1, 0.01), (1.0, 0.5, 0.0)
GROUPS = [Group([row], RATES[row], DECAYS[row]) for row in range(RUNS)]


def draws() -> list[Tensor]:
    width = sum(math.prod(shape) for shape in SHAPES.values())
    source = torch.Generator().manual_seed(0)
    return [torch.randn(RUNS, width, generator=source) for _ in range(STEPS + 1)]


def trained(**changes: Any) -> Tensor:
    values, *gradients = draws()
    given = torch.zeros_like(values)
    optimizer = make_optimizer(TrainConfig(**changes), values, given, SHAPES)
    for count, gradient in enumerate(gradients, start=1):
        given.copy_(gradient)
        optimizer.step(GROUPS, count)
    return values


def by_pytorch(make: Callable[[Tensor, float, float], torch.optim.Optimizer]) -> Tensor:
    values, *gradients = draws()
    for row, value in enumerate(values):
        parameter = torch.nn.Parameter(value)
        optimizer = make(parameter, RATES[row], DECAYS[row])
        for gradient in gradients:
            parameter.grad = gradient[row]
            optimizer.step()
    return values


def test_adamw_and_adam_are_pytorchs_to_the_bit() -> None:
    adamw = by_pytorch(lambda p, lr, wd: torch.optim.AdamW([p], lr, weight_decay=wd, fused=True))
    assert torch.equal(trained(optimizer="adamw"), adamw)
    adam = by_pytorch(
        lambda p, lr, wd: torch.optim.Adam([p], lr, (0.8, 0.95), weight_decay=wd, fused=True)
    )
    assert torch.equal(trained(optimizer="adam", betas=(0.8, 0.95)), adam)


def test_momentum_is_pytorchs() -> None:
    sgd = by_pytorch(lambda p, lr, wd: torch.optim.SGD([p], lr, momentum=0.7, weight_decay=wd))
    assert torch.allclose(trained(optimizer="sgd", momentum=0.7), sgd, atol=1e-6)


def naive_newton_schulz(matrix: Tensor) -> Tensor:
    """The authors' program, for one matrix and without their half precision."""
    x: Tensor = matrix / (matrix.norm() + 1e-7)
    if matrix.shape[0] > matrix.shape[1]:
        x = x.T
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


def test_muon_orthogonalises_matrices_and_leaves_the_rest_to_adamw() -> None:
    found = split(trained(optimizer="muon", momentum=0.9), SHAPES)
    adamw = split(trained(optimizer="adamw"), SHAPES)
    values, *gradients = (split(drawn, SHAPES) for drawn in draws())
    for name, shape in SHAPES.items():
        if not (name.startswith("layers.") and len(shape) == 2):
            assert torch.equal(found[name], adamw[name])
            continue
        for row in range(RUNS):
            weight, momentum = values[name][row], torch.zeros(shape)
            for gradient in gradients:
                slope = gradient[name][row]
                momentum = 0.9 * momentum + 0.1 * slope
                update = naive_newton_schulz(0.1 * slope + 0.9 * momentum)
                weight = weight * (1 - RATES[row] * DECAYS[row])
                weight = weight - RATES[row] * 0.2 * math.sqrt(max(shape)) * update
            assert torch.allclose(found[name][row], weight, atol=1e-4)


def test_newton_schulz_brings_singular_values_near_one() -> None:
    matrices = torch.randn(4, 10, 30, generator=torch.Generator().manual_seed(0))
    singular = torch.linalg.svdvals(orthogonalised(matrices))
    assert bool(((singular > 0.6) & (singular < 1.3)).all())


def test_grokfast_adds_the_average_and_clipping_shortens_what_is_too_long() -> None:
    gradients = draws()
    asked = [
        TrainConfig(),
        TrainConfig(grokfast_alpha=0.8, grokfast_lambda=2.0),
        TrainConfig(grokfast_alpha=0.8, grokfast_lambda=2.0, max_grad_norm=1.5),
    ]
    raw = torch.zeros_like(gradients[0])
    shaper = GradientFilter(asked, raw)
    average = gradients[0]
    for number, gradient in enumerate(gradients):
        raw.copy_(gradient)
        shaper.apply(first=number == 0)
        average = 0.8 * average + 0.2 * gradient
        wanted = gradient + 2.0 * average
        assert torch.equal(raw, gradient)
        assert torch.equal(shaper.seen[0], gradient[0])
        assert torch.allclose(shaper.seen[1], wanted[1], atol=1e-5)
        clipped = wanted[2] * 1.5 / wanted[2].norm()
        assert torch.allclose(shaper.seen[2], clipped, atol=1e-5)
    assert GradientFilter(asked[:1], raw).seen is raw


@pytest.mark.parametrize("warmup", [0, 10])
def test_cosine_is_pytorchs_once_per_epoch(warmup: int) -> None:
    asked = TrainConfig(
        lr=0.3, min_lr=0.01, schedule="cosine", epochs=7, warmup_steps=warmup, batch_size=1
    )
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], 0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 7, 0.01)
    for step in range(28):
        expected = schedule.get_last_lr()[0] * min(1, (step + 1) / (warmup or 1))
        assert learning_rate(asked, step, steps_per_epoch=4) == pytest.approx(expected)
        optimizer.step()
        if step % 4 == 3:
            schedule.step()

"""Loops and fast forms are differentiable, and their gradients are the same."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.memory.rule_checks import F64, white
from versus.experiments.memory import fast, features, naive
from versus.experiments.memory.rules import RULES, RuleSettings

STEPS, DIM, ROWS = 6, 3, 2
Outputs = tuple[Tensor, Tensor]


def by_loop(one: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor) -> Outputs:
    return naive.run(one, keys, values, memory)[:2]


def by_blocks(one: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor) -> Outputs:
    """In two chunks, beside another run."""
    rule = fast.make([one, replace(one, reg=0.3)], 1, ROWS, DIM, F64)
    rule.state["memory"] = torch.stack((memory, torch.zeros_like(memory)))[None]
    cut = len(keys) - 2
    parts = zip(keys[None].tensor_split([cut], 1), values[None].tensor_split([cut], 1), strict=True)
    predictions = torch.cat([rule.write(k, v) for k, v in parts], 2)
    return predictions[0, 0], rule.state["memory"][0, 0]


def inputs(one: RuleSettings) -> tuple[Tensor, Tensor, Tensor]:
    keys, values = white(1, STEPS, DIM, ROWS)
    generator = torch.Generator().manual_seed(1)
    size = features.dimension(one.features, DIM)
    memory = torch.randn(ROWS, size, dtype=F64, generator=generator)
    return (
        (1.1 * keys[0]).requires_grad_(),
        values[0].requires_grad_(),
        (0.3 * memory).requires_grad_(),
    )


def assert_differentiable(one: RuleSettings) -> None:
    """Against finite differences, with respect to keys, values and initial memory."""
    tensors = inputs(one)
    expected, received = by_loop(one, *tensors), by_blocks(one, *tensors)
    torch.testing.assert_close(received, expected)
    direction = [torch.randn_like(part) for part in expected]
    gradients = [
        torch.autograd.grad(out, tensors, direction, allow_unused=True, materialize_grads=True)
        for out in (expected, received)
    ]
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-8, atol=1e-10)
    for form in (by_loop, by_blocks):
        assert torch.autograd.gradcheck(lambda *t: form(one, *t), tensors, fast_mode=True)  # noqa: B023


@pytest.mark.parametrize("updater", RULES)
@pytest.mark.parametrize("window", [1, 2, 5])
def test_every_rule_is_differentiable(updater: str, window: int) -> None:
    assert_differentiable(
        RuleSettings(updater, window, lr=0.3, reg=0.2, gamma=0.8, inner_steps=2, momentum=0.4)
    )


@pytest.mark.parametrize("updater", RULES)
@pytest.mark.parametrize("options", [{"features": "poly2"}, {"read": "after"}, {"clip": 0.4}])
def test_every_option_is_differentiable(updater: str, options: dict[str, Any]) -> None:
    assert_differentiable(
        RuleSettings(updater, 4, lr=0.3, reg=0.2, gamma=0.8, momentum=0.4, **options)
    )


@pytest.mark.parametrize("updater", ["Delta", "GatedDelta", "Titans", "Omega"])
@pytest.mark.parametrize("window", [2, 4])
@pytest.mark.parametrize("step_norm", ["mean", "trace"])
def test_normalised_steps_are_differentiable(updater: str, window: int, step_norm: Any) -> None:
    assert_differentiable(
        RuleSettings(updater, window, lr=0.3, reg=0.2, gamma=0.8, step_norm=step_norm)
    )


@pytest.mark.parametrize("window", [2, 5])
def test_the_minimum_norm_solution_is_differentiable(window: int) -> None:
    assert_differentiable(RuleSettings("OmegaRidge", window))


@pytest.mark.parametrize("updater", ["NLMS", "Longhorn", "Delta", "Omega"])
def test_keys_of_zeros_have_finite_gradients(updater: str) -> None:
    one = RuleSettings(updater, 2, lr=0.5, step_norm="trace")
    keys, values, memory = inputs(one)
    keys = torch.cat((torch.zeros(2, DIM, dtype=F64), keys.detach()[2:])).requires_grad_()
    for form in (by_loop, by_blocks):
        loss = sum(out.sum() for out in form(one, keys, values, memory))
        gradients = torch.autograd.grad(loss, (keys, values, memory))  # type: ignore[arg-type]
        assert all(gradient.isfinite().all() for gradient in gradients)

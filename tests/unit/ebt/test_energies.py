"""Energies, their slopes and the gradients of a training step, against autograd."""

from typing import Any

import pytest
import torch
from torch import Tensor

from versus.core.weights import split
from versus.experiments.ebt.config import ModelConfig
from versus.experiments.ebt.vectors import descent, quick
from versus.experiments.ebt.vectors.energies import Energy, MLPEnergy, energy_of

KINDS = ("scalar", "sum_of_squares", "residual", "bilinear", "coordinate")
S, B, D, STEPS = 3, 5, 4, 6


class Case:
    """Three models of one energy in double precision, and a batch of each."""

    def __init__(self, kind: str) -> None:
        model = ModelConfig.model_validate({"energy": kind, "latent_dim": 16, "products": 7})
        self.energy: Energy = energy_of(model, D)
        rows = torch.stack([self.energy.initial(seed) for seed in range(S)]).double()
        self.p = {
            name: value.clone().requires_grad_()
            for name, value in split(rows, self.energy.shapes).items()
        }
        source = torch.Generator().manual_seed(7)
        drawn = torch.randn(S, B, 4 * D, generator=source, dtype=torch.float64)
        self.x, self.target, self.start = torch.split(drawn, [2 * D, D, D], dim=-1)
        self.sizes = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
        self.noise = list(torch.randn(STEPS - 1, S, B, D, generator=source, dtype=torch.float64))

    def by_autograd(self, noise: list[Tensor], through_all: bool = False) -> list[Tensor | None]:
        """Gradients by the weights and step sizes, the descent as anybody would write it."""
        y = self.start
        for k in range(STEPS):
            y = y if through_all else y.detach()
            y = y.requires_grad_() if y.is_leaf else y
            context = self.energy.context(self.p, self.x)
            total = self.energy.value(self.p, context, y).sum()
            keep = through_all or k == STEPS - 1
            (slope,) = torch.autograd.grad(total, y, create_graph=keep)
            y = y - self.sizes[:, None, None] * slope
            y = y + noise[k] if noise and k < STEPS - 1 else y
        self.answers = y.detach()
        loss = (y - self.target).square().mean((1, 2)).sum()
        return list(torch.autograd.grad(loss, [*self.p.values(), self.sizes], allow_unused=True))


@pytest.mark.parametrize("kind", KINDS)
def test_slope_is_the_derivative_of_the_value(kind: str) -> None:
    case = Case(kind)
    y = case.start.clone().requires_grad_()
    context = case.energy.context(case.p, case.x)
    (expected,) = torch.autograd.grad(case.energy.value(case.p, context, y).sum(), y)
    with torch.no_grad():
        without_graph = case.energy.slope(case.p, context, y)
    torch.testing.assert_close(without_graph, expected)
    torch.testing.assert_close(case.energy.slope(case.p, context, y), expected)


@pytest.mark.parametrize("with_noise", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "bilinear"])
def test_quick_step_has_the_gradients_of_autograd(kind: str, with_noise: bool) -> None:
    case = Case(kind)
    noise = case.noise if with_noise else []
    *by_weights, by_size = case.by_autograd(noise)
    assert isinstance(case.energy, MLPEnergy)
    sizes = case.sizes.detach()
    found = quick.step(
        case.energy, case.p, case.x, case.target, case.start.detach(), sizes, STEPS, noise
    )
    torch.testing.assert_close(found.answers, case.answers)
    torch.testing.assert_close(found.by_size, by_size)
    for name, expected in zip(case.p, by_weights, strict=True):
        if expected is None:  # a constant of the energy has no influence
            assert name == "b4"
            assert name not in found.gradients
        else:
            torch.testing.assert_close(found.gradients[name], expected)


@pytest.mark.parametrize("through_all", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_loss_has_the_gradients_of_autograd(kind: str, through_all: bool) -> None:
    case = Case(kind)
    expected = case.by_autograd(case.noise, through_all)
    losses, answers = descent.loss(
        case.energy,
        case.p,
        case.x,
        case.target,
        case.start.detach(),
        case.sizes,
        STEPS,
        noise=case.noise,
        through_all=through_all,
    )
    torch.testing.assert_close(answers.detach(), case.answers)
    found = torch.autograd.grad(losses.sum(), [*case.p.values(), case.sizes], allow_unused=True)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(
            *(torch.zeros(()) if g is None or not g.any() else g for g in (one, other))
        )


def test_scalar_energy_is_the_seed_documents_network() -> None:
    """E = w . silu(L3 silu(L2 silu(L1 [x; y]))) + b with 37121 parameters at its sizes."""
    energy = energy_of(ModelConfig(), 10)
    row = energy.initial(0)
    assert row.numel() == 37_121
    p = {name: value[0] for name, value in split(row[None], energy.shapes).items()}
    x, y = torch.randn(1, 6, 20), torch.randn(1, 6, 10)
    layers: list[Any] = [torch.nn.Linear(30, 128), *(torch.nn.Linear(128, 128) for _ in "23")]
    layers.append(torch.nn.Linear(128, 1))
    layers[0].weight.data = torch.cat([p["w1x"], p["w1y"]]).T
    layers[0].bias.data = p["b1"]
    for layer, number in zip(layers[1:], "234", strict=True):
        layer.weight.data, layer.bias.data = p[f"w{number}"].T, p[f"b{number}"]
    h = torch.cat([x[0], y[0]], dim=1)
    for layer in layers[:3]:
        h = torch.nn.functional.silu(layer(h))
    parameters = {name: value[None] for name, value in p.items()}
    found = energy.value(parameters, energy.context(parameters, x), y)
    torch.testing.assert_close(found[0], layers[3](h)[:, 0].detach())


def test_coordinate_energy_is_a_sum_of_independent_terms() -> None:
    case = Case("coordinate")
    context = case.energy.context(case.p, case.x)
    whole = case.energy.value(case.p, context, case.start)
    total = torch.zeros_like(whole)
    for i in range(D):
        one = energy_of(ModelConfig(energy="coordinate", latent_dim=16), 1)
        pair = case.x[..., [i, D + i]]
        total = total + one.value(case.p, one.context(case.p, pair), case.start[..., [i]])
    torch.testing.assert_close(whole, total)


def test_compiled_step_is_the_uncompiled_one() -> None:
    case = Case("scalar")
    assert isinstance(case.energy, MLPEnergy)
    p = {name: value.detach().float() for name, value in case.p.items()}
    x, target, start, sizes = (
        part.detach().float() for part in (case.x, case.target, case.start, case.sizes)
    )
    plain = quick.step(case.energy, p, x, target, start, sizes, STEPS)
    compiled = torch.compile(quick.step, dynamic=False)(
        case.energy, p, x, target, start, sizes, STEPS
    )
    torch.testing.assert_close(compiled.losses, plain.losses, rtol=1e-5, atol=1e-6)
    for name, gradient in plain.gradients.items():
        torch.testing.assert_close(compiled.gradients[name], gradient, rtol=1e-4, atol=1e-6)

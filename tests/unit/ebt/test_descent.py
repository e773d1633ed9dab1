"""Descents on energies whose minima are known."""

import math
from collections.abc import Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from versus.core.errors import DataError
from versus.core.weights import Shape
from versus.experiments.ebt.config import DescentConfig
from versus.experiments.ebt.vectors import descent
from versus.experiments.ebt.vectors.energies import Energy
from versus.experiments.ebt.vectors.mlp import Parameters


class Bowl(Energy):
    """Half the squared distance of y from the first half of x; the row's minimum is there."""

    shapes: Mapping[str, Shape] = {}

    def initial(self, seed: int) -> Tensor:
        return torch.zeros(0)

    def context(self, p: Parameters, x: Tensor) -> Tensor:
        return x.chunk(2, dim=-1)[0]

    def value(self, p: Parameters, context: Tensor, y: Tensor) -> Tensor:
        return 0.5 * (y - context).square().sum(-1)

    def slope(self, p: Parameters, context: Tensor, y: Tensor) -> Tensor:
        return y - context


class Valleys(Bowl):
    """cos(y) + y / 20 per coordinate: a minimum near every odd multiple of pi, left ones deeper."""

    def value(self, p: Parameters, context: Tensor, y: Tensor) -> Tensor:
        return (y.cos() + y / 20).sum(-1)

    def slope(self, p: Parameters, context: Tensor, y: Tensor) -> Tensor:
        return 1 / 20 - y.sin()


X = torch.randn(1, 7, 6, generator=torch.Generator().manual_seed(0))
CENTRE = X[..., :3]


def ends(size: float, steps: int, **how: bool) -> list[Tensor]:
    start = torch.full((1, 7, 3), 4.0)
    return list(descent.path(Bowl(), {}, CENTRE, start, torch.tensor([size]), steps, **how))


@given(st.floats(0.05, 1.9), st.integers(1, 30))
def test_distance_shrinks_by_its_factor_at_every_step(size: float, steps: int) -> None:
    expected = CENTRE + (4.0 - CENTRE) * (1 - size) ** steps
    torch.testing.assert_close(ends(size, steps)[-1], expected, rtol=1e-4, atol=1e-4)


@given(st.floats(0.05, 3.0), st.integers(1, 20))
def test_energy_never_rises_where_only_lower_ones_are_accepted(size: float, steps: int) -> None:
    answers = [torch.full((1, 7, 3), 4.0), *ends(size, steps, accept_lower=True)]
    levels = torch.stack([Bowl().value({}, CENTRE, y) for y in answers])
    assert bool((levels.diff(dim=0) <= 0).all())
    if size > 2:  # every step overshoots
        assert torch.equal(answers[-1], answers[0])


def test_the_start_with_the_lowest_energy_wins() -> None:
    turn = 2 * math.pi
    starts = torch.tensor([0.5 + turn, 0.5 - turn, 0.5]).view(1, 3, 1)
    how = DescentConfig(steps=300, step_size=0.1, samples=3)
    found = descent.answer(Valleys(), {}, X[..., :2], starts, torch.tensor([0.1]), how)
    leftmost = math.pi - math.asin(1 / 20) - turn
    torch.testing.assert_close(found, torch.full_like(found, leftmost), atol=1e-3, rtol=0)


def test_a_descent_that_diverges_is_named() -> None:
    answers = ends(1e20, 5)
    with pytest.raises(DataError, match=r"inner step 1 of 5 with step size 1e\+20"):
        descent.check_finite(answers, torch.tensor([1e20]))
    descent.check_finite(ends(1.0, 5), torch.tensor([1.0]))


@pytest.mark.parametrize(
    ("kind", "mean", "deviation"),
    [("normal", 0, 1), ("uniform", 0, 3**-0.5), ("zero", 0, 0), ("legacy", -1, 2)],
)
def test_starts_have_their_distribution(kind: str, mean: float, deviation: float) -> None:
    drawn = descent.draw_start(kind, (20_000,), torch.Generator().manual_seed(1))
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.05)
    assert float(drawn.std()) == pytest.approx(deviation, abs=0.05)

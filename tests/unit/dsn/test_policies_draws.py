"""Selections drawn: how often, from which numbers, and at the edges."""

import math
from collections.abc import Callable
from itertools import combinations, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.unit.dsn.test_policies import TOPK, gradient, kinds, outcomes, real, scores
from versus.core import seeding
from versus.core.config import validate
from versus.core.errors import ConfigError
from versus.experiments.dsn.policies import POLICIES, Draw, PolicyConfig, advantages, uniforms


def draw(kind: str, logits: Tensor, budget: int, episodes: int, epoch: int = 0) -> Draw:
    mask = real(logits)
    numbers = uniforms(3, [("video", epoch)], mask, episodes)
    return POLICIES[kind](logits[None], mask, torch.tensor([budget]), numbers)


@kinds
def test_selections_are_drawn_with_their_probability(kind: str) -> None:
    logits = scores(4, 1.5)
    count = 20_000
    found = draw(kind, logits, 2, count)
    every, log_prob = outcomes(kind, logits, 2)
    for picked in torch.unique(every, dim=0):
        share = float((found.selection[0] == picked).all(1).double().mean())
        exact = float(log_prob.detach()[(every == picked).all(1)].exp().sum())
        assert abs(share - exact) < 4.5 * math.sqrt(exact * (1 - exact) / count)


@kinds
@settings(max_examples=20, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    spare=st.integers(0, 5),
    epoch=st.integers(0, 3),
)
def test_draws_depend_on_their_sequence_and_epoch_alone(
    kind: str, lengths: list[int], spare: int, epoch: int
) -> None:
    most = max(lengths) + spare
    mask = torch.arange(most) < torch.tensor(lengths)[:, None]
    logits = torch.full((len(lengths), most), 50.0)
    for row, frames in zip(logits, lengths, strict=True):
        row[:frames] = scores(frames).detach()
    logits.requires_grad_()
    frames_there, budgets = torch.tensor(lengths), torch.arange(2, 2 + 2 * len(lengths), 2)
    names = [(f"video {i}", epoch) for i in range(len(lengths))]
    together = POLICIES[kind](logits, mask, budgets, uniforms(3, names, mask, 3))
    assert not bool((together.selection & ~mask[:, None]).any())
    if kind in TOPK:
        assert bool((together.selection.sum(2) == budgets.minimum(frames_there)[:, None]).all())
    whole = gradient(together.log_prob.sum() + together.entropy.sum(), logits)
    assert bool((whole[~mask] == 0).all())
    for b, frames in enumerate(lengths):
        row = logits[b : b + 1, :frames].detach().requires_grad_()
        plain = mask[b : b + 1, :frames]
        numbers = uniforms(3, names[b : b + 1], plain, 3)
        alone = POLICIES[kind](row, plain, budgets[b : b + 1], numbers)
        assert torch.equal(alone.selection[0], together.selection[b, :, :frames])
        torch.testing.assert_close(alone.log_prob[0], together.log_prob[b], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(alone.entropy[0], together.entropy[b], rtol=1e-4, atol=1e-5)
        slopes = gradient(alone.log_prob.sum() + alone.entropy.sum(), row)
        torch.testing.assert_close(slopes[0], whole[b, :frames], rtol=1e-3, atol=1e-4)


def test_draws_differ_by_seed_sequence_and_epoch() -> None:
    mask = torch.ones(1, 20, dtype=torch.bool)
    drawn = [
        uniforms(seed, [(video, epoch)], mask, 2)
        for seed, video, epoch in product((0, 1), ("a", "b"), (0, 1))
    ]
    assert all(not torch.equal(*pair) for pair in combinations(drawn, 2))
    assert torch.equal(drawn[0], uniforms(0, [("a", 0)], mask, 2))
    assert torch.equal(drawn[0], uniforms(0, [("a", 0)], mask, 5)[:, :2])


@pytest.mark.parametrize("kind", TOPK)
def test_a_budget_beyond_the_sequence_selects_all_of_it(kind: str) -> None:
    logits = scores(3)
    found = draw(kind, logits, 9, 2)
    assert bool(found.selection.all())
    if kind == "gumbel_topk":
        assert found.log_prob.tolist() == [[0.0, 0.0]]


@kinds
@pytest.mark.parametrize("level", [-300.0, 300.0])
def test_extreme_scores_have_finite_gradients(kind: str, level: float) -> None:
    logits = torch.linspace(-1, 1, 6) * level
    logits.requires_grad_()
    found = draw(kind, logits, 2, 8)
    total = found.log_prob.sum() + found.entropy.sum()
    assert bool(gradient(total, logits).isfinite().all())


def entropy_of(kind: str) -> Callable[[Tensor], float]:
    return lambda logits: float(draw(kind, logits, 1, 1).entropy)


def test_entropy_per_frame() -> None:
    measured = entropy_of("bernoulli")
    assert measured(torch.zeros(7)) == pytest.approx(math.log(2))
    p = 0.2
    certain = torch.tensor([math.log(p / (1 - p)), 60.0])
    exact = -(p * math.log(p) + (1 - p) * math.log(1 - p)) / 2
    assert measured(certain) == pytest.approx(exact, rel=1e-5)
    for kind in TOPK:
        measured = entropy_of(kind)
        assert measured(torch.zeros(7)) == pytest.approx(1.0)
        assert measured(torch.tensor([0.0, 0.0, -90.0, -90.0])) == pytest.approx(0.5)
        assert measured(torch.zeros(1)) == 0.0


def test_scaled_advantages_have_size_one_and_the_same_direction() -> None:
    total = torch.randn(3, 4, generator=seeding.generator("total"))
    plain, scaled = advantages(total), advantages(total, scaled=True)
    assert float(scaled.square().mean()) == pytest.approx(1.0, rel=1e-5)
    torch.testing.assert_close(plain / plain[0, 0], scaled / scaled[0, 0])
    assert bool((advantages(torch.ones(2, 3), scaled=True) == 0).all())


def test_kinds_are_those_of_the_config() -> None:
    for kind in POLICIES:
        assert validate(PolicyConfig, {"kind": kind}).kind == kind
    with pytest.raises(ConfigError, match="kind"):
        validate(PolicyConfig, {"kind": "greedy"})

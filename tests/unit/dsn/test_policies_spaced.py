"""Selections whose frames keep their distance: their probabilities and gradients, enumerated."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from versus.core import seeding
from versus.experiments.dsn.policies import Draw, spaced, uniforms
from versus.experiments.dsn.selection.peaks import top

LOGITS = torch.tensor([[0.3, -0.8, 1.1, 0.0, -0.4, 0.9]])
GAP, BUDGET = 2, 2


def orders() -> list[tuple[int, ...]]:
    return [o for o in itertools.permutations(range(6), BUDGET) if abs(o[0] - o[1]) >= GAP]


def chance(order: tuple[int, ...], logits: list[float]) -> float:
    """Of drawing the first among all frames, the second among those that are left."""
    weights = [math.exp(value) for value in logits]
    left = sum(w for i, w in enumerate(weights) if abs(i - order[0]) >= GAP)
    return weights[order[0]] / sum(weights) * weights[order[1]] / left


def drawn(logits: Tensor, episodes: int, gap: int = GAP, budget: int = BUDGET) -> Draw:
    mask = torch.ones_like(logits, dtype=torch.bool)
    numbers = uniforms(0, [("v", 0)], mask, episodes)
    return spaced(logits, mask, torch.tensor([budget]), numbers, gap=gap)


def test_selections_come_as_often_as_they_are_probable() -> None:
    found = drawn(LOGITS, 20_000)
    assert sum(chance(o, LOGITS[0].tolist()) for o in orders()) == pytest.approx(1)
    for pair in {tuple(sorted(o)) for o in orders()}:
        wanted: float = sum(chance(o, LOGITS[0].tolist()) for o in itertools.permutations(pair))
        share = float(found.selection[0][:, list(pair)].all(1).double().mean())
        assert abs(share - wanted) < 4 * math.sqrt(wanted * (1 - wanted) / 20_000)


def test_log_prob_is_that_of_the_order() -> None:
    found = drawn(LOGITS, 200)
    known = {
        frozenset(o): {chance(p, LOGITS[0].tolist()) for p in itertools.permutations(o)}
        for o in orders()
    }
    for selection, log_prob in zip(found.selection[0], found.log_prob[0], strict=True):
        several = known[frozenset(selection.nonzero()[:, 0].tolist())]
        assert min(abs(math.exp(float(log_prob)) - one) for one in several) < 1e-6


def test_the_gradient_is_that_of_the_expected_reward() -> None:
    logits = LOGITS.clone().requires_grad_()
    worth = torch.tensor([0.0, 1.0, 3.0, -1.0, 0.5, 2.0])
    found = drawn(logits, 20_000)
    rewards = (found.selection[0] * worth).sum(1)
    gain = ((rewards - rewards.mean()) * found.log_prob[0]).mean()
    (gradient,) = torch.autograd.grad(gain, logits)
    exact = LOGITS.double().clone().requires_grad_()
    weights = exact[0].exp()
    expected = torch.zeros((), dtype=torch.float64)
    for a, b in orders():
        left = sum(weights[i] for i in range(6) if abs(i - a) >= GAP)
        expected = expected + weights[a] / weights.sum() * weights[b] / left * (worth[a] + worth[b])
    (wanted,) = torch.autograd.grad(expected, exact)
    torch.testing.assert_close(gradient.double(), wanted, rtol=0, atol=0.03)


def test_sure_scores_are_selected_as_the_selection_with_suppression_does() -> None:
    scores = torch.randn(1, 40, generator=seeding.generator("scores"))
    found = drawn(1e4 * scores, 3, gap=5, budget=4)
    frames = torch.arange(40).numpy()
    expected = top(scores[0].double().numpy(), frames, 4, 5).tolist()
    for selection in found.selection[0]:
        assert selection.nonzero()[:, 0].tolist() == expected


def test_padding_is_never_drawn_and_short_sequences_have_fewer() -> None:
    mask = torch.tensor([[True] * 5 + [False] * 3, [True] * 8])
    logits = torch.zeros(2, 8, requires_grad=True)
    numbers = uniforms(0, [("a",), ("b",)], mask, 50)
    found = spaced(logits, mask, torch.tensor([3, 3]), numbers, gap=4)
    assert not found.selection[~mask[:, None].expand_as(found.selection)].any()
    assert found.selection.sum(2).max() == 2
    assert bool(found.log_prob.isfinite().all())
    (gradient,) = torch.autograd.grad(found.log_prob.sum(), logits)
    assert not gradient[0, 5:].any()

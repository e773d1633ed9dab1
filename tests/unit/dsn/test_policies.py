"""Policies against the enumeration of everything they can draw."""

import math
from itertools import combinations, permutations, product

import pytest
import torch
from torch import Tensor

from versus.core import seeding
from versus.experiments.dsn.policies import POLICIES, advantages, uniforms
from versus.experiments.dsn.policies import probabilities as chances

TOPK = ["gumbel_topk", "plackett_luce"]
kinds = pytest.mark.parametrize("kind", POLICIES)


def scores(frames: int, spread: float = 1.0, key: str = "scores") -> Tensor:
    found = torch.randn(frames, generator=seeding.generator(key, frames), dtype=torch.float64)
    return (spread * found).requires_grad_()


def worth(selection: Tensor) -> Tensor:
    """Some reward of a set, nothing like a sum over frames."""
    places = torch.arange(1, selection.shape[-1] + 1, dtype=torch.float64)
    total = (selection * places.sqrt()).sum(-1)
    return (1.7 * total).sin() + 0.3 * selection.sum(-1) + (selection[..., 0] & selection[..., -1])


def subsets(frames: int) -> Tensor:
    return torch.tensor(list(product([False, True], repeat=frames)))


def sets(frames: int, size: int) -> Tensor:
    found = torch.zeros(math.comb(frames, size), frames, dtype=torch.bool)
    for row, picked in zip(found, combinations(range(frames), size), strict=True):
        row[list(picked)] = True
    return found


def gradient(value: Tensor, of: Tensor) -> Tensor:
    return torch.autograd.grad(value, of, retain_graph=True)[0]


def real(logits: Tensor) -> Tensor:
    return torch.ones(1, len(logits), dtype=torch.bool)


# --- probabilities --------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [1, 3, 6])
def test_a_bernoulli_selection_has_the_product_of_its_frames(frames: int) -> None:
    logits = scores(frames, 3.0)
    every = subsets(frames)
    found = chances.of_bernoulli(logits[None], real(logits), every[None])[0].detach()
    for row, value in zip(every, found, strict=True):
        plain = [p if s else 1 - p for p, s in zip(logits.detach().sigmoid(), row, strict=True)]
        assert float(value.exp()) == pytest.approx(math.prod(map(float, plain)), rel=1e-9)
    assert float(found.exp().sum()) == pytest.approx(1.0)


def in_order(logits: Tensor, order: tuple[int, ...]) -> Tensor:
    """Draw one frame after the other by softmax over those that are left."""
    total, left = torch.zeros((), dtype=torch.float64), list(range(len(logits)))
    for frame in order:
        total = total + logits[frame] - logits[left].logsumexp(0)
        left.remove(frame)
    return total


@pytest.mark.parametrize(("frames", "size"), [(1, 1), (4, 1), (5, 3), (4, 4), (6, 4)])
@pytest.mark.parametrize("spread", [0.0, 1.0, 6.0, 40.0])
def test_orders_and_sets_have_the_probability_of_drawing_without_putting_back(
    frames: int, size: int, spread: float
) -> None:
    logits = scores(frames, spread)
    orders = torch.tensor(list(permutations(range(frames), size)))
    by_order = chances.of_order(logits[None], real(logits), orders[None], torch.tensor([size]))[0]
    plain = torch.stack([in_order(logits, tuple(order.tolist())) for order in orders])
    torch.testing.assert_close(by_order, plain, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(
        gradient(by_order.sin().sum(), logits), gradient(plain.sin().sum(), logits)
    )

    every = sets(frames, size)
    by_set = chances.of_set(logits[None], real(logits), every[None])[0]
    member = torch.zeros(len(orders), frames, dtype=torch.bool).scatter(1, orders, True)
    same = (member[None] == every[:, None]).all(2)
    exact = plain.expand(same.shape).masked_fill(~same, -math.inf).logsumexp(1)
    torch.testing.assert_close(by_set, exact, rtol=1e-7, atol=1e-7)
    weights = torch.arange(1.0, len(every) + 1, dtype=torch.float64)
    torch.testing.assert_close(
        gradient((weights * by_set).sum(), logits),
        gradient((weights * exact).sum(), logits),
        rtol=1e-6,
        atol=1e-6,
    )


@pytest.mark.parametrize(("frames", "size"), [(300, 15), (120, 60), (2000, 15)])
def test_large_sets_are_exact_where_a_closed_form_is_known(frames: int, size: int) -> None:
    """Equal scores: every set has the same probability. The gradient's sum over frames is 0."""
    logits = torch.zeros(frames, dtype=torch.float64, requires_grad=True)
    selection = torch.arange(frames) < size
    found = chances.of_set(logits[None], real(logits), selection[None, None])
    count = math.lgamma(frames + 1) - math.lgamma(size + 1) - math.lgamma(frames - size + 1)
    assert found.tolist() == [[pytest.approx(-count, abs=1e-6)]]
    slopes = gradient(found.sum(), logits)
    torch.testing.assert_close(slopes[:size], slopes[:1].expand(size))
    assert float(slopes.sum()) == pytest.approx(0.0, abs=1e-9)


# --- the gradient of the expected reward ----------------------------------------------------------


def expected_gradient(kind: str, logits: Tensor, size: int) -> Tensor:
    """Of the sum over all sets of probability times reward, by autograd through plain formulas."""
    if kind == "bernoulli":
        every = subsets(len(logits))
        p = torch.where(every, logits.sigmoid(), 1 - logits.sigmoid()).prod(1)
        return gradient((p * worth(every)).sum(), logits)
    total = torch.zeros((), dtype=torch.float64)
    for order in permutations(range(len(logits)), size):
        picked = torch.zeros(len(logits), dtype=torch.bool)
        picked[list(order)] = True
        total = total + in_order(logits, order).exp() * worth(picked)
    return gradient(total, logits)


def outcomes(kind: str, logits: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Everything the policy can draw, ``[n, T]``, and its log-probability, ``[n]``."""
    if kind == "bernoulli":
        every = subsets(len(logits))
        return every, chances.of_bernoulli(logits[None], real(logits), every[None])[0]
    if kind == "gumbel_topk":
        every = sets(len(logits), size)
        return every, chances.of_set(logits[None], real(logits), every[None])[0]
    orders = torch.tensor(list(permutations(range(len(logits)), size)))
    found = chances.of_order(logits[None], real(logits), orders[None], torch.tensor([size]))[0]
    return torch.zeros(len(orders), len(logits), dtype=torch.bool).scatter(1, orders, True), found


@kinds
@pytest.mark.parametrize("frames", [3, 4])
def test_the_leave_one_out_estimator_has_exactly_the_right_expectation(
    kind: str, frames: int
) -> None:
    """Over all pairs and, where they are few, triples of draws, weighted by their probability."""
    logits = scores(frames)
    every, log_prob = outcomes(kind, logits, 2)
    expected = expected_gradient(kind, logits, 2)
    for episodes in (2, 3) if len(every) <= 12 else (2,):
        drawn = torch.cartesian_prod(*[torch.arange(len(every))] * episodes)
        better = advantages(worth(every)[drawn])
        weights = log_prob.detach()[drawn].sum(1).exp()
        assert float(weights.sum()) == pytest.approx(1.0)
        estimate = (better * log_prob[drawn]).mean(1)
        torch.testing.assert_close(
            gradient((weights * estimate).sum(), logits), expected, rtol=1e-6, atol=1e-7
        )


@kinds
@pytest.mark.parametrize("frames", [2, 5, 8])
def test_the_mean_of_many_draws_is_the_gradient_of_the_expected_reward(
    kind: str, frames: int
) -> None:
    logits = scores(frames)
    groups, episodes, size = 1500, 4, max(frames // 2, 1)
    rows = logits.expand(groups, -1).clone().detach().requires_grad_()
    mask = torch.ones(groups, frames, dtype=torch.bool)
    numbers = uniforms(0, [("video", i) for i in range(groups)], mask, episodes)
    found = POLICIES[kind](rows, mask, torch.full((groups,), size), numbers)
    better = advantages(worth(found.selection))
    each = gradient((better * found.log_prob).mean(1).sum(), rows)
    error = each.std(0) / math.sqrt(groups)
    expected = expected_gradient(kind, logits, size)
    assert bool(((each.mean(0) - expected).abs() < 4.2 * error + 1e-9).all())
    assert bool((error < 0.2).all())


def test_sets_vary_less_than_orders() -> None:
    logits = scores(6)
    every, by_set = outcomes("gumbel_topk", logits, 3)
    drawn, by_order = outcomes("plackett_luce", logits, 3)

    def second_moment(selections: Tensor, log_prob: Tensor) -> float:
        slopes = torch.stack([gradient(value, logits) for value in log_prob])
        sizes = (worth(selections)[:, None] * slopes).square().sum(1)
        return float((log_prob.detach().exp() * sizes).sum())

    assert second_moment(every, by_set) < second_moment(drawn, by_order)

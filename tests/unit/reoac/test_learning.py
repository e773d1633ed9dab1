"""Advantages, losses and experience against naive forms and closed ones."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from tests.contract.contract import same
from versus.core import seeding
from versus.core.config import validate
from versus.core.errors import ConfigError
from versus.experiments.reoac.config import Comparison
from versus.experiments.reoac.learning import advantages, losses
from versus.experiments.reoac.learning.experience import (
    Alternatives,
    Decisions,
    Experience,
    Writings,
    joined,
    kept,
)
from versus.experiments.reoac.learning.state import from_state, to_state


def draw(*shape: int, key: str = "draw") -> Tensor:
    return torch.randn(*shape, generator=seeding.generator(key, *shape))


def test_returns_to_go_leave_out_what_was_spent_before() -> None:
    cost = torch.tensor([[1.0, 2.0], [3.0, 9.0], [5.0, 9.0]])
    alive = torch.tensor([[True, True], [True, False], [True, False]])
    found = advantages.to_go(torch.tensor([1.0, 0.0]), cost, alive, 0.1)
    expected = [[1 - 0.9, -0.2], [1 - 0.8, 0.0], [1 - 0.5, 0.0]]
    assert found.tolist() == [pytest.approx(row, abs=1e-6) for row in expected]


@given(st.lists(st.floats(-3, 3), min_size=6, max_size=6), st.sampled_from([2, 3, 6]))
def test_leaving_one_out_compares_with_the_others_of_the_problem(
    values: list[float], samples: int
) -> None:
    found = advantages.within_problems(torch.tensor(values), samples).tolist()
    for start in range(0, 6, samples):
        group = values[start : start + samples]
        for i, value in enumerate(group):
            others = group[:i] + group[i + 1 :]
            assert found[start + i] == pytest.approx(value - sum(others) / len(others), abs=1e-5)
        assert sum(found[start : start + samples]) == pytest.approx(0, abs=1e-4)


def test_the_critic_is_a_baseline_by_the_policys_expectation() -> None:
    values, scores, returns = draw(5, 3), draw(5, 3, key="scores"), draw(5)
    found = advantages.against_critic(returns, values, scores.log_softmax(-1))
    for n in range(5):
        chances = scores[n].softmax(-1)
        expected = sum(float(c * v) for c, v in zip(chances, values[n], strict=True))
        assert float(found[n]) == pytest.approx(float(returns[n]) - expected, abs=1e-6)


def test_bounds_of_advantages() -> None:
    given_ = torch.tensor([-3.0, -0.1, 0.0, 0.2, 4.0])
    assert advantages.bounded(given_, False, 0).equal(given_)
    assert advantages.bounded(given_, True, 0).tolist() == pytest.approx([0, 0, 0, 0.2, 4])
    assert advantages.bounded(given_, False, 1).tolist() == pytest.approx([-1, -0.1, 0, 0.2, 1])


# --- losses ---------------------------------------------------------------------------------------


def gradient(loss: Tensor, of: Tensor) -> Tensor:
    return torch.autograd.grad(loss, of)[0]


def test_on_policy_the_surrogate_has_the_gradient_of_reinforce() -> None:
    scores, advantage = draw(7, 4).requires_grad_(), draw(7)
    chosen = torch.tensor([0, 1, 2, 3, 0, 1, 2])
    policy: Any = Categorical(logits=scores)
    before = policy.log_prob(chosen).detach()
    ours = losses.policy_gradient(scores, chosen, before, advantage, 0.2, 0.03)
    plain = -(policy.log_prob(chosen) * advantage).mean() - 0.03 * policy.entropy().mean()
    assert gradient(ours, scores).allclose(gradient(plain, scores), atol=1e-6)


def test_a_choice_that_has_become_much_likelier_pushes_no_more() -> None:
    scores = torch.tensor([[2.0, 0.0]], requires_grad=True)
    chosen = torch.tensor([0])
    before = torch.tensor([math.log(0.5)])
    better, worse = torch.tensor([1.0]), torch.tensor([-1.0])
    pushed = losses.policy_gradient(scores, chosen, before, better, 0.2, 0.0)
    pulled = losses.policy_gradient(scores, chosen, before, worse, 0.2, 0.0)
    assert not gradient(pushed, scores).any()
    assert gradient(pulled, scores).abs().min() > 0


def test_branches_give_the_gradient_of_the_expected_return() -> None:
    scores, values = draw(3, 4).requires_grad_(), draw(3, 4, key="values")
    operators = torch.arange(4).expand(3, 4)  # all were tried, so that the expectation is exact
    expected = (scores.softmax(-1) * values).sum(1).mean()
    ours = losses.branch_gradient(scores, operators, values)
    assert gradient(-ours, scores).allclose(gradient(expected, scores), atol=1e-6)


def test_soft_q_is_least_at_the_softmax_of_q() -> None:
    values = draw(6, 5)
    best = losses.soft_q(values / 0.7, values, 0.7)
    target: Any = Categorical(logits=values / 0.7)
    spread = target.entropy().mean()
    assert float(best) == pytest.approx(float(spread), abs=1e-6)
    assert float(losses.soft_q(values + draw(6, 5, key="off"), values, 0.7)) > float(best)


def test_the_critic_learns_at_what_was_tried() -> None:
    values = draw(4, 3)
    chosen, returns = torch.tensor([2, 0, 1, 1]), draw(4)
    naive = sum((float(values[n, chosen[n]]) - float(returns[n])) ** 2 for n in range(4)) / 4
    assert float(losses.critic_loss(values, chosen, returns)) == pytest.approx(naive, rel=1e-5)
    tried = torch.tensor([[0, 2], [1, 0], [2, 1], [0, 1]])
    several = draw(4, 2)
    naive = sum(
        (float(values[n, tried[n, k]]) - float(several[n, k])) ** 2
        for n in range(4)
        for k in range(2)
    )
    assert float(losses.critic_loss(values, tried, several)) == pytest.approx(naive / 8, rel=1e-5)


def test_tokens_weigh_as_their_rows() -> None:
    logits, tokens = draw(2, 3, 5), torch.tensor([[0, 1, 2], [4, 3, 2]])
    where = torch.tensor([[True, False, True], [False, True, False]])
    weight = torch.tensor([0.5, -2.0])
    log_probs = logits.log_softmax(-1)
    naive = -sum(
        float(weight[n]) * float(log_probs[n, g, tokens[n, g]])
        for n in range(2)
        for g in range(3)
        if where[n, g]
    )
    assert float(losses.token_loss(logits, tokens, where, weight)) == pytest.approx(naive / 3)


def test_the_divergence_is_that_of_the_distributions_and_none_at_the_start() -> None:
    ours, before = draw(2, 3, 5), draw(2, 3, 5, key="before")
    ours[..., 0] = before[..., 0] = -math.inf  # what neither writes
    where = torch.tensor([[True, False, True], [True, True, False]])
    exact = kl_divergence(
        Categorical(logits=ours[where][:, 1:]), Categorical(logits=before[where][:, 1:])
    )
    assert float(losses.divergence(ours, before, where)) == pytest.approx(float(exact.mean()))
    ours.requires_grad_()
    start = losses.divergence(ours, ours.detach(), where)
    assert float(start.detach()) == pytest.approx(0, abs=1e-6)
    assert gradient(start, ours).nan_to_num(nan=1).abs().max() < 1e-6


# --- experience -----------------------------------------------------------------------------------


def taught(episodes: int, branches: int = 0) -> Experience:
    rows = 2 * episodes
    tokens, final, written = torch.ones(3, rows, 4)
    writings = Writings(torch.ones(rows), tokens, final, written, draw(rows))
    return Experience(
        episodes,
        Decisions(draw(rows, 3), torch.ones(rows).long(), *(draw(rows) for _ in range(3))),
        Alternatives(draw(branches, 3), torch.ones(branches, 2).long(), draw(branches, 2)),
        writings,
    )


def test_the_newest_iterations_are_kept() -> None:
    parts = [taught(n) for n in (5, 4, 3, 2)]
    assert [part.episodes for part in kept(parts, 9)] == [4, 3, 2]
    assert [part.episodes for part in kept(parts, 1)] == [2]  # it is always looked at
    whole = joined(kept(parts, 9))
    assert (whole.episodes, len(whole.decisions.chosen), len(whole.writings.weight)) == (9, 18, 18)


def test_iterations_without_branches_join_those_with_some() -> None:
    none = taught(2)._replace(alternatives=Alternatives(draw(0, 3), draw(0, 0), draw(0, 0)))
    assert len(joined([none, taught(2, branches=3), none]).alternatives.values) == 3
    assert not len(joined([none, none]).alternatives.values)


def test_experience_survives_a_checkpoint() -> None:
    of = taught(3, branches=2)
    assert same(to_state(from_state(to_state(of))), to_state(of))


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"samples": 1}, "samples: rloo compares .* received 1"),
        (
            {"finetune_mode": "lora", "target": "sampled"},
            "rollout.temperature: .* received 0; take 1, or target",
        ),
        ({"rollout": {"cost_lambda": 0.5}}, "cost_lambda: a right answer could be worth less"),
        ({"rollout": {"gen_len": 5}}, "gen_len: the embedded backbone writes .* = 26 tokens"),
        ({"rollout": {"gen_len": 0}}, "gen_len"),
    ],
)
def test_impossible_settings_are_refused(train: dict[str, Any], message: str) -> None:
    rollout = {"max_steps": 6, "gen_len": 26, **train.pop("rollout", {})}
    with pytest.raises(ConfigError, match=message):
        validate(Comparison, {"experiment": "reoac", "train": {**train, "rollout": rollout}})

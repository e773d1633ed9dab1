"""What a training does with problems, rewards, settings and networks that are no good."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.reoac.learners import LORA, comparison, learner, trained, weights
from versus.core.config import validate
from versus.core.errors import ConfigError, DataError, TrainingError
from versus.core.trainer import Trainer
from versus.experiments.reoac import problems
from versus.experiments.reoac.config import Comparison
from versus.experiments.reoac.console import notes
from versus.experiments.reoac.learning.config import TrainConfig
from versus.experiments.reoac.learning.lessons import Rewards
from versus.experiments.reoac.problems import Problem
from versus.experiments.reoac.rollouts.looking import UnsoundError
from versus.grading.symbolic import comparing
from versus.grading.symbolic.client import CLIENT, OverrunError

pytestmark = pytest.mark.usefixtures("own_project")


# --- problems -------------------------------------------------------------------------------------


def test_fewer_problems_than_asked_for_are_said_and_counted(data: Path) -> None:
    found, told = trained(data, problems=200)
    assert len(found.problems) == 50
    assert told["train/episodes"] == 100
    few = notes(comparison(problems=200), data)[1]
    assert few.startswith("train.problems 200: the training split has 60 problems, of which")
    assert few.endswith("takes 10, so that an iteration rolls out the 50 that are left")
    assert len(notes(comparison(problems=50), data)) == 1
    skipping = notes(comparison(problems=50, skip=30), data)[1]
    assert skipping.endswith(
        "leaves out 30 and train.validation takes 10, so that an iteration "
        "rolls out the 20 that are left"
    )


def test_a_buffer_counts_the_episodes_that_it_holds(data: Path) -> None:
    assert [trained(data, n, buffer_size=20)[1]["train/episodes"] for n in (1, 2, 3)] == [8, 16, 16]


@pytest.mark.parametrize("validation", [60, 1000])
def test_nothing_left_to_learn_from(data: Path, validation: int) -> None:
    with pytest.raises(DataError, match=rf"train.validation: the last {validation} .* it has 60"):
        learner(data, validation=validation)


def test_a_rule_needs_no_training_problems(data: Path) -> None:
    rule = learner(data, validation=1000, model={"policy": {"kind": "threshold"}})
    assert math.isfinite(float(rule.evaluate()["test/return"]))


@pytest.mark.parametrize("which", ["to learn from", "for train.validation"])
def test_problems_that_are_all_too_long(
    data: Path, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = problems.first

    def some(*args: Any) -> list[Problem]:
        rows, validates = real(*args), which == "for train.validation"
        if args[2] == "test":
            return rows
        return [
            row._replace(prompt=[]) if (i >= len(rows) - 10) == validates else row
            for i, row in enumerate(rows)
        ]

    learner(data)
    monkeypatch.setattr(problems, "first", some)
    with pytest.raises(DataError, match=rf"gen_len: of the \d+ problems {which}, no prompt leaves"):
        learner(data)


def test_prompts_without_room_are_left_out_and_said_once(
    data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = problems.first
    monkeypatch.setattr(
        problems, "first", lambda *a: [row._replace(prompt=[]) for row in real(*a)[:7]] + real(*a)
    )
    found = [learner(data, losses={"entropy": 0.1 * seed}) for seed in range(2)]
    assert [len(each.problems) for each in found] == [50, 50]
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("train.task gsm8k: 7 of 57 problems are not trained on, since their")


@pytest.mark.parametrize("operator", ["O_NUM", "O_BRANCH"])
def test_a_branch_is_no_fallback(data: Path, operator: str) -> None:
    """The tiny backbone predicts few numbers, so that O_NUM often finds no position."""
    found = learner(data, rollout={"selection_mode": "argmax"})
    chosen = found.parts.operators.ids.index(operator)
    with torch.no_grad():
        found.parts.actor.second.weight.zero_()
        found.parts.actor.second.bias.zero_()[chosen] = 9.0
    (batch,) = found.batches(0)
    told = found.train_step(batch)
    assert (told["train/fallbacks"] > 0) == (operator == "O_NUM")


def test_the_last_pass_alone_decides_nothing() -> None:
    tree: dict[str, Any] = {"experiment": "reoac", "train": {"rollout": {"max_steps": 1}}}
    with pytest.raises(ConfigError, match=r"rollout.max_steps: .* nothing to decide .* received 1"):
        validate(Comparison, tree)
    rule = {"policy": {"kind": "threshold"}}
    validate(Comparison, {**tree, "model": rule})


# --- rewards --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["strict", "shaped"])
def test_a_storm_of_timeouts_is_counted_and_training_goes_on(
    data: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every symbolic comparison of every iteration runs into the limits."""

    def overrun(request: object) -> Any:
        raise OverrunError("took longer than 2 s")

    comparing._compared.cache_clear()
    monkeypatch.setattr(CLIENT, "ask", overrun)
    written = 0

    def texts(tokens: torch.Tensor, _: object) -> list[str]:
        nonlocal written
        written += len(tokens)
        return ["so \\boxed{\\int_0^1 x^n dx}"] * len(tokens)

    monkeypatch.setattr("versus.experiments.reoac.rollouts.returns.texts", texts)
    found = learner(data, reward={"mode": mode}, task="math")
    found.problems = [p._replace(target="\\frac{1}{n+1} \\sqrt{2}") for p in found.problems]
    for step in range(3):
        (batch,) = found.batches(step)
        written = 0
        told = found.train_step(batch)
        assert told["train/timeouts"] == written >= 8  # branches are graded too
        assert all(math.isfinite(float(value)) for value in told.values())
    assert not bool(found.diverged)
    comparing._compared.cache_clear()


def test_equal_returns_warn_with_the_cause(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    found, _ = trained(data, 2, rollout={"selection_mode": "argmax"})
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == (
        "default of seed 0: all advantages of iteration 0 are zero (all rewards are 0, and all "
        "roll-outs of a problem cost the same), so that it teaches the policy nothing"
    )
    assert not bool(found.diverged)


def test_a_backbone_without_a_return_above_zero_is_warned_of(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = weights(learner(data, **LORA, losses={"kl": 0}))
    found, _ = trained(data, 2, **LORA, losses={"kl": 0})
    said = [r.getMessage() for r in caplog.records if "backbone" in r.getMessage()]
    assert len(said) == 1
    assert "no return of iteration 0 is above zero (the largest is -0." in said[0]
    assert "the mean reward 0), so that it teaches the backbone nothing" in said[0]
    lora_b = [name for name in before if "lora_B" in name]
    assert lora_b
    assert all(bool((weights(found)[name] == 0).all()) for name in lora_b)


@pytest.mark.parametrize(("positive", "clip"), [(False, 0.0), (True, 0.0), (False, 0.01)])
@pytest.mark.parametrize("target", ["sampled", "reference"])
def test_bounds_of_advantages_hold_for_the_backbones_tokens(
    data: Path, target: str, positive: bool, clip: float
) -> None:
    bounds = {"advantage_positive": positive, "advantage_clip": clip}
    rollout = {"temperature": 1.0, "cost_lambda": 0.0 if target == "reference" else 0.05}
    found = learner(data, **LORA, target=target, rollout=rollout, losses=bounds)
    (batch,) = found.batches(0)
    played, worth, _ = found._roll_out(batch)
    rich = worth._replace(value=worth.value + torch.arange(len(worth.value)) % 3)
    weight = found._taught(batch, played, rich).writings.weight
    assert bool((weight >= 0).all()) == (positive or target == "reference")
    assert float(weight.abs().max()) == pytest.approx(clip or float(weight.abs().max()))
    assert bool(weight.any())


def test_rewards_are_those_of_the_grader() -> None:
    problem = Problem("a", "1 + 1?", [1], "2", [], "sums")
    rewards = Rewards([problem] * 2, TrainConfig())
    assert rewards([0, 1], ["#### 2", "#### 3"]) == [1.0, 0.0]
    part = Rewards([problem], TrainConfig.model_validate({"reward": {"mode": "shaped"}}))
    assert 0 < part([0], ["#### 3"])[0] < 1


# --- networks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "steps", "why"),
    [
        ("actor", 1, "actor: its scores are not finite at step 0; its weights have diverged"),
        ("actor", 4, "loss or gradient of the actor are not finite; lower train.optim.actor_lr"),
        ("critic", 4, "loss or gradient of the critic are not finite; lower train.optim.critic_lr"),
    ],
)
def test_a_step_that_is_too_large_ends_the_run(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, part: str, steps: int, why: str
) -> None:
    update = {f"{part}_steps": steps}
    lost = learner(data, optim={f"{part}_lr": 1e30}, update=update)
    with pytest.raises(TrainingError, match=r"all 1 runs .* diverged .*; choose a smaller"):
        Trainer(lost, tmp_path / "run").run()
    assert bool(lost.diverged)
    assert f"default of seed 0: {why}" in caplog.text


@pytest.mark.parametrize("part", ["actor", "critic", "backbone"])
def test_a_step_beyond_the_numbers_is_refused(part: str) -> None:
    with pytest.raises(ConfigError, match=rf"{part}_lr.*1e\+38"):
        comparison(optim={f"{part}_lr": 1e38})


def test_a_backbone_that_diverges_ends_its_run_and_says_so(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its weights are numbers yet, what it makes of them is not."""
    found = learner(data, finetune_mode="full", update={"backbone_batch": 8})
    found.evaluated(0, found.evaluate())
    with torch.no_grad():
        for weight in found.parts.learnt()["backbone"].parameters():
            weight.fill_(1e38)
    (batch,) = found.batches(0)
    assert found.train_step(batch) == {"train/total_loss": math.inf}
    assert "default of seed 0: backbone: its logits are not finite at step 0" in caplog.text
    assert bool(found.diverged)
    assert set(found.evaluate().values()) == {math.inf}


def test_a_backbone_that_diverges_in_the_last_step_is_found_by_the_evaluation(data: Path) -> None:
    found = learner(data, finetune_mode="full", update={"backbone_batch": 8})
    with torch.no_grad():
        for weight in found.parts.learnt()["backbone"].parameters():
            weight.fill_(1e38)
    assert set(found.evaluate().values()) == {math.inf}
    assert bool(found.diverged)


def test_a_frozen_backbone_that_is_damaged_is_no_divergence(data: Path) -> None:
    found = learner(data)
    with torch.no_grad():
        next(found.parts.model.module.parameters()).fill_(math.nan)
    (batch,) = found.batches(0)
    with pytest.raises(UnsoundError, match="backbone: its logits are not finite at step 0"):
        found.train_step(batch)


def _outcome(data: Path, **train: Any) -> dict[str, torch.Tensor]:
    return weights(trained(data, 2, **train)[0])


@pytest.mark.parametrize("part", ["actor", "critic"])
def test_dropout_changes_what_its_network_learns_and_is_reproducible(data: Path, part: str) -> None:
    model: dict[str, Any] = {"operators": [{"id": "O_SCOPE"}, {"id": "O_FAST"}]}
    dropping: dict[str, Any] = {"model": {**model, part: {"dropout": 0.5}}}
    plain = _outcome(data, model=model)
    one, two = (_outcome(data, **dropping) for _ in range(2))
    changed = {name for name in plain if not torch.equal(plain[name], one[name])}
    assert f"{part}.first.weight" in changed
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_dropout_of_adapters_changes_what_they_learn_and_is_reproducible(data: Path) -> None:
    drawn: dict[str, Any] = {**LORA, "rollout": {"temperature": 1.0}}
    dropping = {**drawn, "lora": {"dropout": 0.5}}
    plain, one = _outcome(data, **drawn), _outcome(data, **dropping)
    torch.rand(3)
    two = _outcome(data, **dropping)
    changed = {name for name in plain if not torch.equal(plain[name], one[name])}
    assert any("lora_B" in name for name in changed)
    assert all(torch.equal(one[name], two[name]) for name in one)
    torch.manual_seed(3)
    found = learner(data, **dropping)
    state = torch.get_rng_state()
    (batch,) = found.batches(0)
    found.train_step(batch)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module.training for module in found.parts.model.module.modules())

"""The vector half of the ebt experiment keeps the trainer's contract."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from tests.contract.contract import LearnerContract, same
from versus.core.hooks.needs import Adaptive, Differentiable
from versus.core.runs import RunConfig, RunKey
from versus.core.trainer import Rhythm, Trainer
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.data.draws import draw
from versus.experiments.ebt.data.tasks import OPERATIONS
from versus.experiments.ebt.vectors.building import learner_of
from versus.experiments.ebt.vectors.learner import VectorLearner

DESCENT = {"steps": 3, "learned": True, "noise": 0.01, "jitter": 2.0, "extra_steps": 2}
ENERGY = {"kind": "energy", "descent": {**DESCENT, "replay": 0.5}}


def comparison(tasks: Sequence[str] = ("add", "multiply"), **changes: Any) -> Comparison:
    """Small sizes that divide nothing."""
    settings: dict[str, Any] = {
        "experiment": "ebt",
        "seeds": 2,
        "device": "cpu",
        "data": {
            "tasks": tasks,
            "vec_size": 3,
            "size_train": 37,
            "size_val": 11,
            "size_test": 13,
            "shifts": [1, 2],
        },
        "model": {"latent_dim": 12, **ENERGY},
        "train": {"steps": 7, "block": 3, "batch_size": 5, "log_test": True},
    }
    return Comparison.model_validate(settings | changes)


def make(stack: Sequence[RunConfig]) -> VectorLearner:
    return learner_of(stack, [draw(r.config.data, r.config.task, r.key.seed) for r in stack])


@pytest.fixture(autouse=True)
def enormous(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task whose squared errors are no float32 numbers."""
    monkeypatch.setitem(OPERATIONS, "enormous", lambda a, b: a * 1e25)


TASKS = ("add", "multiply", "enormous")


class TestVectorLearner(LearnerContract):
    """An energy with everything that a descent can have, on three tasks."""

    runs: ClassVar = [RunKey(task, seed) for task in TASKS for seed in (0, 1)]
    poisoned = "enormous"

    def make(self, runs: Sequence[RunKey], folder: Path) -> VectorLearner:
        return make([run for run in comparison(TASKS).expand() if run.key in runs])

    def overfit(self, folder: Path) -> float:
        asked = comparison(
            seeds=1,
            model={"kind": "energy", "latent_dim": 32, "energy": "residual"},
            train={"steps": 1, "batch_size": 5, "lr": 0.01},
        )
        learner = make(asked.expand())
        (batch,) = learner.batches(0)
        losses = [learner.train_step(batch)["train/step_loss"] for _ in range(300)]
        return float((torch.as_tensor(losses[-1]) / torch.as_tensor(losses[0])).max())


class TestOnePassLearner(TestVectorLearner):
    """The feed-forward network."""

    def make(self, runs: Sequence[RunKey], folder: Path) -> VectorLearner:
        asked = comparison(TASKS, model={"kind": "ffn", "latent_dim": 12})
        return make([run for run in asked.expand() if run.key in runs])


class TestClosedFormLearner(TestVectorLearner):
    """Least squares: one step."""

    runs: ClassVar = [RunKey(task, seed) for task in ("add", "multiply") for seed in (0, 1)]
    poisoned = ""

    def make(self, runs: Sequence[RunKey], folder: Path) -> VectorLearner:
        asked = comparison(model={"kind": "quadratic"})
        return make([run for run in asked.expand() if run.key in runs])

    def overfit(self, folder: Path) -> float:
        learner = self.train(self.runs[:1], folder).learner
        return float(torch.as_tensor(learner.evaluate()["train/mse"]))


def learner_on(*tasks: str) -> VectorLearner:
    return make(comparison(tasks, seeds=1).expand())


def test_a_run_that_diverges_is_frozen_and_the_others_go_on_to_the_bit() -> None:
    both, alone = (learner_on(*tasks) for tasks in (("add", "multiply"), ("multiply",)))
    for learner in (both, alone):
        step = 0
        for epoch in range(learner.total_epochs):
            for batch in learner.batches(epoch):
                if step == 2 and learner is both:
                    learner.weights().values()[0] = torch.inf
                    kept = learner.weights().values()[0].clone()
                learner.train_step(batch)
                step += 1
            learner.evaluated(epoch + 1, learner.evaluate())
    assert both.diverged.tolist() == [True, False]
    assert same(both.weights().values()[0], kept)
    found = both.evaluate()
    assert torch.as_tensor(found["shift_2/mse"])[0] == torch.inf
    torch.testing.assert_close(both.weights().values()[1], alone.weights().values()[0])
    assert "inner step" in both.failures[0]


def test_an_exploding_descent_says_where(caplog: pytest.LogCaptureFixture) -> None:
    model = {"latent_dim": 12, "energy": "residual", "descent": {"step_size": 1e20}}
    learner = make(comparison(model=model, seeds=1, data=comparison().data).expand())
    learner.train_step(next(iter(learner.batches(0))))
    assert bool(learner.diverged.all())
    assert "inner step 1 of 10 with step size 1e+20" in caplog.text


def test_it_is_what_hooks_may_ask_for(tmp_path: Path) -> None:
    for model in (ENERGY, {"kind": "ffn"}):
        learner = make(comparison(model={"latent_dim": 12, **model}).expand())
        assert isinstance(learner, Differentiable)
        assert isinstance(learner, Adaptive)
        for batch in learner.batches(0):
            values = learner.weights().values().clone().requires_grad_()
            (expected,) = torch.autograd.grad(learner.loss(values, batch).sum(), values)
            learner.train_step(batch)
            torch.testing.assert_close(
                learner.weights().gradients(), expected, rtol=1e-4, atol=1e-7
            )


def test_test_data_are_measured_once_and_of_the_best_validation_weights(tmp_path: Path) -> None:
    asked = comparison(train={"steps": 60, "block": 10, "batch_size": 5, "lr": 0.05})
    learner = make(asked.expand())
    validation, weights = [], []
    for epoch in range(learner.total_epochs):
        for batch in learner.batches(epoch):
            learner.train_step(batch)
        metrics = learner.evaluate()
        assert any(n.startswith("shift_") for n in metrics) == (epoch == 5)
        learner.evaluated(epoch + 1, metrics)
        validation.append(torch.as_tensor(metrics["val/mse"]))
        weights.append(learner.weights().values().clone())
    best = torch.stack(validation).argmin(0)
    assert len(set(best.tolist())) > 1  # the last evaluation is not always the best
    for row, epoch in enumerate(best.tolist()):
        assert torch.equal(learner.best.values[row], weights[epoch][row])
        assert float(learner.best.step[row]) == 10 * (epoch + 1)


def test_a_resumed_stack_knows_its_failures(tmp_path: Path) -> None:
    learner = learner_on("enormous", "add")
    Trainer(learner, tmp_path, rhythm=Rhythm(1)).run()
    again = learner_on("enormous", "add")
    again.load_state_dict(learner.state_dict())
    assert again.failures == learner.failures
    assert list(again.failures) == [0]

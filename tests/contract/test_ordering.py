"""The ordering experiment keeps the trainer's contract."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from tests.contract.contract import LearnerContract, same
from versus.core import stages
from versus.core.experiment import find
from versus.core.hooks.needs import Adaptive, Differentiable, Replaying
from versus.core.runs import RunConfig, RunKey
from versus.core.trainer import Rhythm, Trainer
from versus.experiments.ordering.config import Comparison
from versus.experiments.ordering.learner import OrderingLearner

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "stride": {"train": {"order": "stride"}},
    "random": {"train": {"order": "random", "weight_decay": 0.1}},
    "alternating": {"train": {"order": "alternating", "lr": 0.01}},
    "shaped": {"train": {"order": "resonant", "max_grad_norm": 0.1, "grokfast_lambda": 2.0}},
    "exploding": {"train": {"lr": 1e6}},
}
# Some runs reach this accuracy by chance and stop, others never do.
TRAIN = {"epochs": 3, "batch_size": 20, "target_accuracy": 0.18, "sustained": 1}


def comparison(**changes: Any) -> Comparison:
    """Small sizes that divide nothing."""
    settings: dict[str, Any] = {
        "experiment": "ordering",
        "seeds": 2,
        "device": "cpu",
        "data": {"p": 11, "op": "quadratic", "train_fraction": 0.45},
        "model": {"embed_dim": 16, "layers": 2, "ffn": 24, "dropout": 0.1},
        "train": TRAIN,
        "variants": VARIANTS,
    }
    return Comparison.model_validate(settings | changes)


def make(asked: Comparison, folder: Path, runs: Sequence[RunKey] | None = None) -> OrderingLearner:
    stages.prepare(find("ordering"), asked, folder / "data")
    stack: list[RunConfig] = [run for run in asked.expand() if runs is None or run.key in runs]
    return OrderingLearner(stack, folder / "data")


class TestOrderingLearner(LearnerContract):
    """Orders, decays and rates beside each other, and a step size that explodes."""

    runs: ClassVar = [RunKey(name, seed) for name in VARIANTS for seed in (0, 1)]
    poisoned = "exploding"

    def make(self, runs: Sequence[RunKey], folder: Path) -> OrderingLearner:
        return make(comparison(), folder, runs)

    def overfit(self, folder: Path) -> float:
        asked = comparison(
            variants={}, seeds=1, train={**TRAIN, "order": "fixed-random", "lr": 0.01}, model={}
        )
        learner = make(asked, folder)
        batch = next(iter(learner.batches(0)))
        losses = [float(learner.train_step(batch)["train/step_loss"]) for _ in range(40)]
        return losses[-1] / losses[0]


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "muon"])
def test_a_slice_equals_its_single_run_to_the_bit(tmp_path: Path, optimizer: str) -> None:
    """Also while others stop, explode, and are left out of the step."""
    # Blocks of 32 numbers are computed by other instructions than what is left over; with a batch
    # of 16 and 4 heads nothing is left over.
    train = TRAIN | {"epochs": 6, "batch_size": 16, "optimizer": optimizer}
    data = {"p": 11, "op": "quadratic", "train_size": 48}
    asked = comparison(train=train, data=data)
    together = make(asked, tmp_path)
    Trainer(together, tmp_path / "stack", rhythm=Rhythm(0)).run()
    assert 0 < int(together.active.sum()) < len(together.runs)
    healthy = [run for run in together.runs if run.variant != "exploding"]
    for row, key in enumerate(healthy):
        alone = make(asked, tmp_path, [key])
        for epoch in range(alone.total_epochs):
            alone.evaluated(epoch, alone.evaluate())
            for batch in alone.batches(epoch):
                if alone.active.any():
                    alone.train_step(batch)
        alone.evaluated(alone.total_epochs, alone.evaluate())
        assert same(alone.engine.values[0], together.engine.values[row]), key
        assert same(alone.best[0], together.best[row]), key


def test_it_is_what_hooks_may_ask_for(tmp_path: Path) -> None:
    learner = make(comparison(), tmp_path)
    assert isinstance(learner, Differentiable)
    assert isinstance(learner, Adaptive)
    assert isinstance(learner, Replaying)


def test_shuffled_epochs_start_from_the_state_and_leave_the_learner_alone(tmp_path: Path) -> None:
    asked = comparison(variants={"a": {}, "b": {"train": {"order": "target"}}}, model={})
    learner = make(asked, tmp_path)
    start = learner.state_dict()
    for batch in learner.batches(0):
        learner.train_step(batch)
    before = learner.state_dict()
    found = learner.shuffled_gradients(start, 0, 3)
    assert same(learner.state_dict(), before)
    assert found.shape == (3, 4, learner.engine.values.shape[1])
    assert same(found, learner.shuffled_gradients(start, 0, 3))
    assert not same(found, learner.shuffled_gradients(start, 1, 3))
    # Both variants of a seed see the same shuffles of the same data from the same weights.
    assert torch.equal(found[:, 0], found[:, 2])
    assert not torch.equal(found[0], found[1])


def test_gradients_are_those_of_the_loss_whatever_the_optimiser_is_given(tmp_path: Path) -> None:
    shaped = {"train": {"max_grad_norm": 1e-3, "grokfast_lambda": 5.0}}
    learner = make(comparison(variants={"plain": {}, "shaped": shaped}, model={}), tmp_path)
    for batch in learner.batches(0):
        values = learner.weights().values().clone().requires_grad_()
        (expected,) = torch.autograd.grad(learner.loss(values, batch).sum(), values)
        learner.train_step(batch)
        assert torch.allclose(learner.weights().gradients(), expected, rtol=1e-4, atol=1e-7)

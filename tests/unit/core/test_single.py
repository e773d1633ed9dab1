"""The base of ordinary PyTorch learners: the contract, and what it does with a step."""

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import ClassVar, Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.contract.contract import LearnerContract, same
from tests.contract.single import poison
from versus.core import sinks
from versus.core.errors import TrainingError
from versus.core.hooks.needs import Adaptive, Differentiable
from versus.core.module_state import initialised, load_tensors, tensors_of
from versus.core.runs import BaseComparison, RunConfig, RunKey
from versus.core.seed_models import mean_of_items, models
from versus.core.single import SingleLearner, minibatches
from versus.core.tables import mean
from versus.core.trainer import Trainer
from versus.core.weights import counts

COUNT = 40


class Tiny(SingleLearner):
    """Fits a sine with a network, by AdamW for the body and SGD for the head."""

    best_by = "val/loss"

    def __init__(
        self,
        key: RunKey,
        *,
        dropout: float = 0.2,
        max_grad_norm: float | None = 0.5,
        patience: int = 99,
        lr: float = 0.02,
    ) -> None:
        source = torch.Generator().manual_seed(key.seed)
        self.patience = patience
        self.inputs = 4 * torch.rand(COUNT, 1, generator=source) - 2
        self.body = initialised(
            lambda: nn.Sequential(
                nn.Linear(1, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(dropout)
            ),
            key.seed,
        )
        self.head = initialised(lambda: nn.Linear(16, 1), key.seed)
        adamw = torch.optim.AdamW(self.body.parameters(), lr=lr)
        sgd = torch.optim.SGD(self.head.parameters(), lr=lr, momentum=0.9)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(adamw, 20)
        super().__init__(
            RunConfig(key, BaseComparison(experiment="tiny")),
            {"body": self.body, "head": self.head},
            {"adamw": adamw, "sgd": sgd},
            epochs=3,
            schedulers=[cosine],
            max_grad_norm=max_grad_norm,
            steps_per_epoch=4,
        )

    def batches(self, epoch: int) -> Iterator[Tensor]:
        for rows in minibatches(COUNT, 10, self.run.key.seed, epoch):
            yield self.inputs[rows]

    def loss_of(self, batch: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.body(batch))
        return (outputs - batch.sin()).square().mean()

    def measure(self) -> Mapping[str, float]:
        return {"val/loss": float(self.loss_of(self.inputs))}

    def stop(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        return epoch - self.best_epoch >= self.patience


KEY = RunKey("tiny", 0)


class TestSingleLearner(LearnerContract):
    """Two modules, two optimisers, a schedule, dropout, statistics of batches, and clipping."""

    runs: ClassVar = [KEY]

    def make(self, runs: Sequence[RunKey], folder: Path) -> Tiny:
        return Tiny(runs[0])

    def overfit(self, folder: Path) -> float:
        learner = Tiny(KEY, dropout=0.0, max_grad_norm=None)
        batch = next(iter(learner.batches(0)))
        losses = [float(learner.train_step(batch)["train/step_loss"]) for _ in range(300)]
        return losses[-1] / losses[0]

    def test_divergence_is_masked_and_counted(self, tmp_path: Path) -> None:
        learner = Tiny(KEY)
        learner.evaluated(0, learner.evaluate())
        state = learner.state_dict()
        first, *_ = learner.batches(0)
        first[0, 0] = math.inf
        assert learner.train_step(first)["train/step_loss"] == math.inf
        assert learner.diverged.tolist() == [True]
        assert learner.active.tolist() == [False]
        assert same(learner.state_dict()["optimizers"], state["optimizers"])
        assert set(learner.evaluate().values()) == {math.inf}
        assert models(learner) == {}

    def test_training_fails_only_when_all_have_diverged(self, tmp_path: Path) -> None:
        learner = Tiny(KEY)
        poison(learner)
        with pytest.raises(TrainingError, match="diverged"):
            Trainer(learner, tmp_path).run()


def test_it_is_what_hooks_may_ask_for() -> None:
    assert isinstance(Tiny(KEY), Differentiable)
    assert isinstance(Tiny(KEY), Adaptive)


def test_the_loss_at_other_weights_is_the_loss_of_a_learner_that_has_them() -> None:
    learner, other = Tiny(KEY), Tiny(RunKey("tiny", 1))
    batch = next(iter(learner.batches(0)))
    before = learner.state_dict()
    elsewhere = learner.loss(other.weights().values(), batch)
    assert same(learner.state_dict(), before)
    assert learner.body.training
    load_tensors(learner.modules(), tensors_of(other.modules()))
    learner.body.eval()
    assert elsewhere.tolist() == [learner.loss_of(batch).item()]


def test_gradients_are_those_of_the_loss_whatever_clipping_leaves_of_them() -> None:
    plain, clipped = (Tiny(KEY, dropout=0.0, max_grad_norm=norm) for norm in (None, 1e-4))
    batch = next(iter(plain.batches(0)))
    before = clipped.head.weight.detach().clone()
    for learner in (plain, clipped):
        learner.train_step(batch)
    assert same(plain.weights().gradients(), clipped.weights().gradients())
    # SGD's first step is the gradient itself, as long as the clipped gradient is.
    norm = float(plain.weights().gradients().norm())
    expected = before - 0.02 * (1e-4 / norm) * plain.head.weight.grad  # type: ignore[operator]
    assert torch.allclose(clipped.head.weight, expected, rtol=1e-6, atol=0)


def test_double_derivatives_exist() -> None:
    learner = Tiny(KEY)
    values = learner.weights().values().requires_grad_()
    batch = next(iter(learner.batches(0)))
    (gradient,) = torch.autograd.grad(learner.loss(values, batch).sum(), values, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), values)
    assert second.shape == values.shape
    assert bool(second.isfinite().all())


def test_moments_are_those_of_adam_without_bias_and_zero_elsewhere() -> None:
    learner = Tiny(KEY, dropout=0.0, max_grad_norm=None)
    assert learner.moments() is None
    learner.train_step(next(iter(learner.batches(0))))
    moments, gradient = learner.moments(), learner.weights().gradients()
    assert moments is not None
    body = sum(p.numel() for p in learner.body.parameters())
    # After one step the corrected moments are the gradient and its square.
    assert torch.allclose(moments[0][:, :body], gradient[:, :body], rtol=1e-5)
    assert torch.allclose(moments[1][:, :body], gradient[:, :body].square(), rtol=1e-4)
    assert not moments[0][:, body:].any()


def test_the_best_weights_are_those_of_the_best_evaluation(tmp_path: Path) -> None:
    learner = Tiny(KEY, lr=0.5)
    Trainer(learner, tmp_path).run()
    series = sinks.series(tmp_path / "metrics.jsonl")
    losses = [value for _, _, key, _, value in series if key == "val/loss"]
    best = min(float(value) for value in losses if value is not None)
    assert learner.evaluate()["best/val_loss"] == best
    assert losses[learner.best_epoch] == best
    load_tensors(learner.modules(), learner.best_weights())
    assert learner.evaluate()["val/loss"] == best


@pytest.mark.parametrize("best_is", ["minimize", "maximize"])
def test_best_may_be_small_or_large(best_is: Literal["minimize", "maximize"]) -> None:
    class Given(Tiny):
        value = 0.0

        def measure(self) -> Mapping[str, float]:
            return {"val/loss": self.value}

    Given.best_is = best_is
    learner = Given(KEY)
    for epoch, learner.value in enumerate([math.nan, 3.0, 1.0, 2.0, 3.0]):
        learner.evaluated(epoch, learner.evaluate())
    assert learner.best_epoch == (2 if best_is == "minimize" else 1)


def test_a_learner_may_stop_itself(tmp_path: Path) -> None:
    class Late(Tiny):
        def measure(self) -> Mapping[str, float]:
            return {"val/loss": 1.0}

    learner = Late(KEY, patience=2)
    Trainer(learner, tmp_path).run()
    assert learner.epoch == 2
    assert learner.active.tolist() == [False]
    assert learner.diverged.tolist() == [False]


def test_weights_that_are_no_longer_finite_count_as_diverged() -> None:
    learner = Tiny(KEY)
    poison(learner)
    assert learner.evaluate()["val/loss"] == math.inf
    learner.evaluated(1, learner.evaluate())
    assert learner.diverged.tolist() == [True]


def test_tied_weights_are_kept_once() -> None:
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    assert set(tensors_of({"m": tied})) == {"m.0.weight", "m.0.bias", "m.1.bias"}


def test_initial_weights_depend_on_the_key_alone_and_disturb_no_one() -> None:
    state = torch.get_rng_state()
    a, b, c = (initialised(lambda: nn.Linear(2, 2), seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(a.weight, b.weight)
    assert not torch.equal(a.weight, c.weight)


def test_minibatches_hold_every_index_once() -> None:
    found = list(minibatches(10, 4, 0, 1))
    assert [len(rows) for rows in found] == [4, 4, 2]
    assert sorted(torch.cat(found).tolist()) == list(range(10))
    assert same(found, list(minibatches(10, 4, 0, 1)))
    assert not same(found, list(minibatches(10, 4, 0, 2)))


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50), st.randoms())
def test_means_of_items_depend_on_neither_order_nor_company(
    values: list[float], shuffler: Random
) -> None:
    exact = float(sum(map(Fraction, values)) / len(values))
    found = mean_of_items("test", {"loss": torch.tensor(values, dtype=torch.float64)})
    assert found["test/loss"] == pytest.approx(exact, rel=1e-15, abs=1e-300)
    shuffler.shuffle(values)
    assert mean([*values, math.nan]) == found["test/loss"]
    assert mean([*values, math.inf]) == math.inf
    assert math.isnan(mean([math.nan]))


def test_parameters_are_counted_by_module() -> None:
    learner = Tiny(RunKey("a", 0))
    expected = {"parameters": 81, "parameters/body": 64, "parameters/head": 17}
    assert counts(learner.weights(), learner.modules()) == expected
    assert counts(learner.weights(), ["body"]) == {"parameters": 81}
    assert counts(None, []) == {}

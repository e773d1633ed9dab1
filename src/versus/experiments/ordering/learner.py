"""Runs that differ in the order of their examples train as one program.

An epoch is one pass over the training pairs; a batch is the indices of one step for every run,
(S, B). Shapes: S runs, n training pairs, P parameters of one run.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from versus.core import seeding
from versus.core.experiment import ModelPart
from versus.core.learner import Metrics
from versus.core.runs import RunConfig
from versus.core.weights import StackedParameters, split
from versus.experiments.ordering.config import Comparison, TrainConfig
from versus.experiments.ordering.engine import Engine
from versus.experiments.ordering.examples import Examples
from versus.experiments.ordering.gradient import cross_entropy
from versus.experiments.ordering.grokking import Progress
from versus.experiments.ordering.measuring import Evaluation
from versus.experiments.ordering.model import Transformer
from versus.experiments.ordering.order_log import link
from versus.experiments.ordering.orders import make_order
from versus.experiments.ordering.stacking import stacks

__all__ = ["OrderingLearner", "build", "models", "stacks"]


class OrderingLearner:
    """Trains every run of a stack.

    Metrics of :meth:`evaluate`: loss, accuracy and error (1 - accuracy) on all training and test
    pairs, and what :class:`.grokking.Progress` makes of them. A time that has not come is left out
    while the run may still reach it, and infinite once its training is over. A diverged run has
    infinite losses and times, accuracy 0 and error 1; its best weights are those from before.

    Args:
        stack: runs that share all but ``PER_RUN``.
        data: folder of the data stage.
    """

    def __init__(self, stack: Sequence[RunConfig], data: Path) -> None:
        self.runs = [run.key for run in stack]
        self.settings: Comparison = stack[0].config
        self.train: TrainConfig = self.settings.train
        device = self.settings.use_torch()
        self.model = Transformer.of(self.settings.model, self.settings.data.p)
        seeds = [run.key.seed for run in stack]
        self._examples = Examples(data, seeds, device)
        self._evaluation = Evaluation(self.model, self._examples, self.train)
        self.steps_per_epoch: int = -(-self._examples.count // self.train.batch_size)
        each = [run.config.train for run in stack]
        pairs, labels = (part.cpu() for part in self._examples.part("train"))
        self.orders = [
            make_order(one, self.model.p, seed, pairs[row], labels[row])
            for row, (one, seed) in enumerate(zip(each, seeds, strict=True))
        ]
        dropout = self.settings.model.dropout
        self.engine = Engine(self.model, each, seeds, self.steps_per_epoch, dropout, device)
        self.progress = Progress.none(len(seeds))
        self.best = self.engine.values.clone()
        self._digests = [""] * len(seeds)
        self._kept: dict[str, Tensor] = {}
        self._seconds = [0.0] * len(seeds)
        self._steps = [0] * len(seeds)

    # --- what the trainer and hooks ask for ---

    @property
    def active(self) -> Tensor:
        """Runs that have neither diverged nor stopped."""
        return self.engine.alive

    @property
    def diverged(self) -> Tensor:
        """Runs whose loss was not finite."""
        return self.engine.diverged

    @property
    def total_epochs(self) -> int:
        """Epochs to train."""
        return self.train.epochs

    @property
    def total_steps(self) -> int:
        """Steps of all epochs; training may stop before."""
        return self.train.epochs * self.steps_per_epoch

    @property
    def evaluate_every(self) -> int:
        """Epochs between evaluations."""
        return self.train.eval_every

    def weights(self) -> StackedParameters:
        """All parameters; gradients are those of the loss, before filter and clipping."""
        return self.engine.weights

    def modules(self) -> Mapping[str, Module]:
        """The parameters of the stack."""
        return {"model": self.engine.weights}

    def optimizers(self) -> Mapping[str, torch.optim.Optimizer]:
        """None of torch's: see :meth:`moments` and :meth:`learning_rates`."""
        return {}

    def learning_rates(self) -> Tensor:
        """Rate of each run's next step, (S,)."""
        return torch.tensor(self.engine.rates, dtype=torch.float64)

    def moments(self) -> tuple[Tensor, Tensor] | None:
        """Bias-corrected moments, (S, P) each; None before the first step and without Adam."""
        return self.engine.moments()

    def model_parameters(self) -> dict[str, Tensor]:
        """Parameter name -> (S, *shape); views of the present weights."""
        return split(self.engine.values, self.model.shapes)

    @property
    def p(self) -> int:
        """Modulus."""
        return self.model.p

    @property
    def d(self) -> int:
        """Width of the residual stream."""
        return self.model.d

    @property
    def train_pairs(self) -> Tensor:
        """(S, n, 2); likewise ``train_labels`` (S, n), ``test_pairs`` and ``test_labels``."""
        return self._examples.part("train")[0]

    @property
    def train_labels(self) -> Tensor:
        """(S, n)."""
        return self._examples.part("train")[1]

    @property
    def test_pairs(self) -> Tensor:
        """(S, n_test, 2)."""
        return self._examples.part("test")[0]

    @property
    def test_labels(self) -> Tensor:
        """(S, n_test)."""
        return self._examples.part("test")[1]

    # --- training ---

    def batches(self, epoch: int) -> Iterator[Tensor]:
        """Indices into the training pairs, (S, B) each; the last may be shorter."""
        orders = torch.stack([order.order(epoch) for order in self.orders])
        yield from torch.split(self._examples.to(orders), self.train.batch_size, dim=1)

    def order_digests(self, epoch: int) -> list[str]:
        """SHA-256 of each run's order in an epoch."""
        return [order.digest(epoch) for order in self.orders]

    def train_step(self, batch: Tensor) -> Metrics:
        """One step of all live runs; their losses, before the step."""
        started = time.perf_counter()
        live = self.engine.live
        losses = self.engine.step(*self._examples.gather(batch, self.engine.some))
        if self.engine.count % self.steps_per_epoch == 0:
            self._chain_digests(live)
        if len(self.engine.live) < len(self.runs):
            everyone = losses.new_full((len(self.runs),), torch.nan)
            everyone[live] = losses
            losses = everyone.masked_fill(self.diverged.to(losses.device), torch.inf)
        self._charge(live, started, steps=1)
        return {"train/step_loss": losses}

    def _chain_digests(self, live: Sequence[int]) -> None:
        epoch = self.engine.count // self.steps_per_epoch - 1
        for row in live:
            self._digests[row] = link(self._digests[row], self.orders[row].digest(epoch))

    def _charge(self, live: Sequence[int], started: float, steps: int = 0) -> None:
        share = (time.perf_counter() - started) / max(1, len(live))
        for row in live:
            self._seconds[row] += share
            self._steps[row] += steps

    def loss(self, values: Tensor, batch: Tensor) -> Tensor:
        """Mean cross-entropy of each run, (S,), at ``values`` (S, P), without dropout."""
        pairs, labels = self._examples.gather(batch)
        logits = self.model.forward(split(values, self.model.shapes), pairs)
        return cross_entropy(logits, labels)

    def shuffled_gradients(self, state: Mapping[str, Any], epoch: int, count: int) -> Tensor:
        """Mean gradients (count, S, P) of an epoch trained from ``state`` in random orders.

        Orders are keyed by (seed, epoch, number); a run that has stopped has gradient 0.
        """
        engine = self.engine.repeated(state["engine"], count)
        orders = [
            torch.randperm(
                self._examples.count,
                generator=seeding.generator(run.seed, "shuffled", epoch, number),
            )
            for number in range(count)
            for run in self.runs
        ]
        total = torch.zeros_like(engine.gradients)
        shuffled = self._examples.to(torch.stack(orders))
        for batch in torch.split(shuffled, self.train.batch_size, dim=1):
            if not engine.live:
                break
            engine.step(*self._examples.gather(batch, engine.some))
            total += engine.gradients
        mean: Tensor = total / self.steps_per_epoch
        return mean.view(count, len(self.runs), -1)

    # --- evaluation ---

    def evaluate(self) -> Metrics:
        """Measure the live runs; of the others, what was measured when they stopped."""
        started = time.perf_counter()
        live = self.engine.live
        last = self.engine.count >= self.total_steps
        measured = self._evaluation.of(self.engine.values, live, whole=last) if live else {}
        metrics = {}
        for name in measured or self._kept:
            kept = self._kept.get(name, torch.full((len(self.runs),), torch.nan).double())
            metrics[name] = kept.clone()
            if live:
                metrics[name][live] = measured[name]
            worst = {"loss": torch.inf, "error": 1.0}.get(name.partition("/")[2], 0.0)
            metrics[name][self.diverged] = worst
        self._charge(live, started)
        progress = self.progress
        epoch, rest = divmod(self.engine.count, self.steps_per_epoch)
        if rest == 0:
            progress = progress.after(epoch, metrics, self.active, self.train)
        return {**metrics, **progress.metrics(self._over, self.steps_per_epoch)}

    @property
    def _over(self) -> Tensor:
        """Runs that have diverged; all, once the stack's training is over and known to be."""
        finished = self.progress.epoch >= self.total_epochs or not self.engine.live
        return self.diverged | finished

    def evaluated(self, epoch: int, metrics: Metrics) -> None:
        """Keep the best weights; stop the runs that have generalised, if they are to stop."""
        before = self.progress
        self.progress = before.after(epoch, metrics, self.active, self.train)
        if self.progress is before:
            return
        better = (self.progress.best_epoch == epoch).nonzero()[:, 0].tolist()
        self.best[better] = self.engine.values[better]
        names = [name for name in metrics if name.partition("/")[0] in ("train", "test")]
        self._kept = {name: torch.as_tensor(metrics[name]).clone() for name in names}
        if self.train.stop == "generalised":
            done = ~self.progress.generalised.isnan() & self.active
            self.engine.freeze(done.nonzero()[:, 0].tolist())

    def costs(self) -> Metrics:
        """Seconds of each run (its share of the stack's) and steps, since this process began."""
        return {"seconds": torch.tensor(self._seconds), "steps": torch.tensor(self._steps)}

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimiser, best weights, progress, and digests of all orders so far."""
        return {
            "engine": self.engine.state_dict(),
            "best": self.best.clone(),
            "progress": self.progress.state_dict(),
            "kept": dict(self._kept),
            "digests": list(self._digests),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.engine.load_state_dict(state["engine"])
        self.best.copy_(state["best"])
        self.progress = Progress(**state["progress"])
        self._kept = dict(state["kept"])
        self._digests = list(state["digests"])


def build(stack: Sequence[RunConfig], data: Path) -> OrderingLearner:
    """The learner of one stack."""
    return OrderingLearner(stack, data)


def models(learner: OrderingLearner) -> dict[str, ModelPart]:
    """One model per variant: its best weights of every seed in this stack, ``seed/parameter``."""
    about = {
        "experiment": "ordering",
        "model": learner.settings.model.model_dump(mode="json"),
        "p": learner.model.p,
        "op": learner.settings.data.op,
    }
    weights: dict[str, dict[str, Tensor]] = {}
    for row, run in enumerate(learner.runs):
        of_run = split(learner.best[row].cpu(), learner.model.shapes)
        named = {f"{run.seed}/{name}": value.clone() for name, value in of_run.items()}
        weights.setdefault(run.variant, {}).update(named)
    return {v: ModelPart("ordering-transformer", found, about) for v, found in weights.items()}

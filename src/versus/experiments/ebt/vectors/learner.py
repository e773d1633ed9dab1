"""Runs that share all but task and seed train as one program.

A step is one gradient step of every run; the trainer's epoch is a block of steps, after which
there is an evaluation. Shapes: S runs, B examples, P parameters of one run, d coordinates of the
answer.
"""

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from versus.core.examples import Examples
from versus.core.learner import Metrics
from versus.core.module_state import adam_moments
from versus.core.runs import RunConfig
from versus.core.weights import StackedParameters, split
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.vectors import measuring
from versus.experiments.ebt.vectors.best import Best
from versus.experiments.ebt.vectors.methods import method_of
from versus.experiments.ebt.vectors.sampling import Batch, Sampler

logger = logging.getLogger(__name__)
Parts = Mapping[str, Examples]


SUMMARIES = ("best/step", "train/passes", "model/parameters")
"""Metrics that hold of diverged runs as well."""


class VectorLearner:
    """Trains every run of a stack; keeps the weights with the lowest validation error.

    Metrics of :meth:`evaluate`: mean squared error on validation examples and on as many training
    examples, and after the last step everything that :func:`.measuring.final` says of the kept
    weights. A run that has diverged stays as it is, and its errors are infinite.

    Args:
        stack: runs that share all but task and seed.
        data: the examples of each run.

    Attributes:
        failures: row -> why it has diverged.
    """

    def __init__(self, stack: Sequence[RunConfig], data: Sequence[Parts]) -> None:
        self.runs = [run.key for run in stack]
        self.configs: list[Comparison] = [run.config for run in stack]
        self.settings = self.configs[0]
        self.recipe = self.settings.recipe
        device = self.settings.use_torch()
        self.data = [{n: Examples(*(t.to(device) for t in e)) for n, e in d.items()} for d in data]
        x, y = self._stacked("train")
        seeds, (count, d) = [run.seed for run in self.runs], y.shape[1:]
        self.method = method_of(self.settings, d, seeds, count)
        size = min(self.recipe.batch_size, count)
        how = self.settings.model.descent if self.settings.model.kind == "energy" else None
        self.sampler = Sampler(seeds, count, size, d, how)
        self._table = torch.cat([x, y], dim=-1).flatten(0, 1)
        self._starts = torch.arange(len(seeds), device=device)[:, None] * count
        self._whole = (x, y)
        self._weights = StackedParameters(self.method.shapes, len(seeds), device)
        self._weights.values().copy_(torch.stack([self.method.initial(seed) for seed in seeds]))
        fixed = [self.method.fixed(seed) for seed in seeds]
        self.fixed = {n: torch.stack([f[n] for f in fixed]).to(device) for n in fixed[0]}
        self.adam = torch.optim.Adam([self._weights.rows], lr=self.recipe.lr, fused=True)
        self.count = 0
        self._diverged = torch.zeros(len(seeds), dtype=torch.bool)
        self.best = Best.none(self._weights.values())
        self.failures: dict[int, str] = {}
        self._final: dict[str, Tensor] = {}
        self._seconds = 0.0
        self._steps = 0

    # --- what the trainer and hooks ask for ---

    @property
    def active(self) -> Tensor:
        """Runs that have not diverged."""
        return ~self._diverged

    @property
    def diverged(self) -> Tensor:
        """Runs whose loss was not finite."""
        return self._diverged

    @property
    def total_epochs(self) -> int:
        """Blocks of steps."""
        return -(-self.total_steps // self.settings.train.block)

    @property
    def total_steps(self) -> int:
        """Gradient steps."""
        return self.recipe.steps

    evaluate_every = 1

    def weights(self) -> StackedParameters:
        """All parameters; gradients are those of the loss."""
        return self._weights

    def modules(self) -> Mapping[str, Module]:
        """The parameters of the stack."""
        return {"model": self._weights}

    def optimizers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Adam over all rows."""
        return {"adam": self.adam}

    def moments(self) -> tuple[Tensor, Tensor] | None:
        """Bias-corrected moments, (S, P) each; None before the first step."""
        return adam_moments(self.adam).get(self._weights.rows)

    def loss(self, values: Tensor, batch: Batch) -> Tensor:
        """Training loss of each run, (S,), at ``values`` (S, P)."""
        x, y = self._gather(batch)
        return self.method.loss(split(values, self.method.shapes), x, y, batch)

    # --- training ---

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The steps of a block; the last block may be shorter."""
        first = epoch * self.settings.train.block
        count = min(self.settings.train.block, self.total_steps - first)
        device = self._table.device
        for batch in self.sampler.batches(epoch, first, count):
            yield batch.each(lambda part: part.to(device))

    def train_step(self, batch: Batch) -> Metrics:
        """One step of all runs; their losses, before the step."""
        started = time.perf_counter()
        x, y = self._gather(batch)
        losses = self.method.train(self._weights, x, y, batch)
        if not math.isfinite(losses[self.active].sum().item()):
            self._lose(losses, x, batch)
        if self.failures:
            self._weights.gradients()[self._diverged] = 0.0
        for group in self.adam.param_groups:
            group["lr"] = self._rate()
        self.adam.step()
        self.count += 1
        self._steps += 1
        self._seconds += time.perf_counter() - started
        return {"train/step_loss": losses.masked_fill(self._diverged.to(losses.device), torch.inf)}

    def _gather(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Inputs (S, B, 2d) and answers (S, B, d) of a batch."""
        rows = (batch.rows + self._starts).flatten()
        found = self._table.index_select(0, rows).view(*batch.rows.shape, -1)
        d = self.sampler.d
        return found[..., : 2 * d], found[..., 2 * d :]

    def _rate(self) -> float:
        """The learning rate of the next step."""
        if self.recipe.schedule == "constant":
            return self.recipe.lr
        return self.recipe.lr * 0.5 * (1 + math.cos(math.pi * self.count / self.total_steps))

    def _lose(self, losses: Tensor, x: Tensor, batch: Batch) -> None:
        """Freeze the runs whose loss is not finite, and say why."""
        lost = self.active & ~losses.isfinite().cpu()
        for row in lost.nonzero()[:, 0].tolist():
            here = slice(row, row + 1)
            own = split(self._weights.values()[here], self.method.shapes)
            why = self.method.failure(own, x[here], _only(batch, here))
            self.failures[row] = f"step {self.count}: {why}"
            name, seed = self.runs[row]
            logger.warning("%s, seed %d has diverged at %s", name, seed, self.failures[row])
        self._diverged |= lost
        for memory in self.adam.state[self._weights.rows].values():
            if memory.ndim:
                memory[self._diverged] = 0.0

    # --- evaluation ---

    @torch.no_grad()
    def evaluate(self) -> Metrics:
        """Measure the present weights; after the last step also the best ones, on test data."""
        started = time.perf_counter()
        found = self._validation()
        best = self._best(found)
        found |= {"best/val_mse": best.error, "best/step": best.step}
        found["train/passes"] = torch.full_like(best.step, self.count / self.sampler.per_pass)
        if self.count >= self.total_steps:
            found |= self._final or self._test(best.values)
        worst = {
            name: torch.where(self._diverged, torch.inf, value)
            for name, value in found.items()
            if name not in SUMMARIES
        }
        self._seconds += time.perf_counter() - started
        return found | worst

    def _validation(self) -> dict[str, Tensor]:
        """Errors of the present weights, and what the method watches, (S,) each."""
        p = self._parameters(self._weights.values())
        x, y = self._stacked("val")
        some = slice(0, x.shape[1])
        known, answers = self._whole
        sets = {"val/mse": (x, y), "train/mse": (known[:, some], answers[:, some])}
        if self.settings.train.log_test:
            sets["test/seen_mse"] = self._stacked(measuring.seen_name(self.settings))
        found = {f"val/{name}": value for name, value in self.method.watched(p, x).items()}
        for name, (inputs, labels) in sets.items():
            found[name] = (self.method.predict(p, inputs) - labels).square().mean((1, 2))
        return {name: value.double().cpu() for name, value in found.items()}

    def _stacked(self, part: str) -> tuple[Tensor, Tensor]:
        """Inputs (S, n, 2d) and labels (S, n, d) of a part."""
        inputs, labels = zip(*(examples[part] for examples in self.data), strict=True)
        return torch.stack(inputs), torch.stack(labels)

    def _best(self, measured: Metrics) -> Best:
        """The best evaluation, the present one included."""
        error = torch.as_tensor(measured["val/mse"])
        return self.best.after(error, self._weights.values(), self.count, self.active)

    def _test(self, best: Tensor) -> dict[str, Tensor]:
        rows = [
            measuring.final(self.method, self.one(row, best), self.data[row], self.settings)
            for row in range(len(self.runs))
        ]
        return {n: torch.tensor([r[n] for r in rows], dtype=torch.float64) for n in rows[0]}

    def one(self, row: int, values: Tensor) -> dict[str, Tensor]:
        """One run's model, name -> (1, *shape)."""
        here = slice(row, row + 1)
        fixed = {name: tensor[here] for name, tensor in self.fixed.items()}
        return {**split(values[here], self.method.shapes), **fixed}

    def _parameters(self, values: Tensor) -> dict[str, Tensor]:
        return {**split(values, self.method.shapes), **self.fixed}

    def evaluated(self, epoch: int, metrics: Metrics) -> None:
        """Keep the best weights, and what was measured of them on test data."""
        self.best = self._best(metrics)
        if self.count >= self.total_steps:
            prefixes = ("shift_", "inner_", "model/")
            tested = {n: torch.as_tensor(v) for n, v in metrics.items() if n.startswith(prefixes)}
            self._final = {name: value.clone() for name, value in tested.items()}

    def costs(self) -> Metrics:
        """Seconds of each run (its share of the stack's) and steps, since this process began."""
        return {"seconds": self._seconds / len(self.runs), "steps": float(self._steps)}

    # --- state ---

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimiser, best weights, and what the method remembers."""
        return {
            "values": self._weights.values().clone(),
            "gradients": self._weights.gradients().clone(),
            "adam": {n: t.clone() for n, t in self.adam.state[self._weights.rows].items()},
            "best": {name: tensor.clone() for name, tensor in self.best._asdict().items()},
            "diverged": self._diverged.clone(),
            "failures": {str(row): why for row, why in self.failures.items()},
            "final": dict(self._final),
            "method": self.method.state_dict(),
            "count": self.count,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._weights.values().copy_(state["values"])
        self._weights.gradients().copy_(state["gradients"])
        self.adam.state[self._weights.rows] = {n: t.clone() for n, t in state["adam"].items()}
        device = self._table.device
        kept = {name: tensor.clone() for name, tensor in state["best"].items()}
        self.best = Best(kept["error"], kept["values"].to(device), kept["step"])
        self._diverged = state["diverged"].clone()
        self.failures = {int(row): why for row, why in state["failures"].items()}
        self._final = dict(state["final"])
        self.method.load_state_dict(state["method"])
        self.count = state["count"]


def _only(batch: Batch, rows: slice) -> Batch:
    """What a batch has for some runs."""
    return batch.each(lambda part: part[rows])

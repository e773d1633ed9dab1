"""A small supervised learner: the trainer is proven on it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from versus.core import seeding
from versus.core.learner import Metrics
from versus.core.runs import RunKey
from versus.core.weights import StackedParameters

FEATURES, BATCH, BATCHES = 5, 16, 6


class LinearLearner:
    """Fits a noisy linear map by Adam; variants are step sizes, written into their name.

    A run named ``poisoned`` gets an infinite target at step 4 and diverges.
    """

    def __init__(self, runs: Sequence[RunKey], epochs: int = 3, dropout: float = 0.3) -> None:
        self.runs = list(runs)
        self.total_epochs, self.total_steps = epochs, epochs * BATCHES
        self.evaluate_every = 1
        self.dropout = dropout
        self.model = StackedParameters({"weight": (FEATURES,)}, len(runs))
        initial = [torch.randn(FEATURES, generator=seeding.generator(r.seed, "init")) for r in runs]
        self.model.rows.data.copy_(torch.stack(initial))
        self.rates = torch.tensor([_rate(run.variant) for run in runs])
        self.optimizer = torch.optim.Adam([self.model.rows], lr=1.0)
        self.active = torch.ones(len(runs), dtype=torch.bool)
        self.steps = 0

    @property
    def diverged(self) -> Tensor:
        return ~self.active

    def weights(self) -> StackedParameters:
        return self.model

    def modules(self) -> Mapping[str, nn.Module]:
        return {"model": self.model}

    def optimizers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"adam": self.optimizer}

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        for number in range(BATCHES):
            drawn = [self._draw(run, epoch, number) for run in self.runs]
            inputs, targets = (torch.stack(tensors) for tensors in zip(*drawn, strict=True))
            yield inputs, targets

    def _draw(self, run: RunKey, epoch: int, number: int) -> tuple[Tensor, Tensor]:
        source = seeding.generator(run.seed, "batch", epoch, number)
        inputs = torch.randn(BATCH, FEATURES, generator=source)
        targets = inputs @ torch.arange(1.0, FEATURES + 1)
        if run.variant == "poisoned" and (epoch, number) == (0, 4):
            targets = targets + torch.inf
        return inputs, targets

    def train_step(self, batch: tuple[Tensor, Tensor]) -> Metrics:
        inputs, targets = batch
        self.model.zero_gradients()
        if self.dropout:  # draws from the global generator, which a resume must restore
            inputs = nn.functional.dropout(inputs, self.dropout)
        rows = self.model.rows.data
        before = rows.clone()
        outputs = (inputs * self.model["weight"][:, None]).sum(-1)
        losses = ((outputs - targets) ** 2).mean(1)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        with torch.no_grad():
            self.active &= losses.detach().isfinite()
            scaled = before + self.rates[:, None] * (rows - before)
            rows.copy_(torch.where(self.active[:, None], scaled, before))
        self.steps += 1
        return {"train/loss": losses.detach().nan_to_num(torch.inf)}

    def evaluate(self) -> Metrics:
        error = (self.model.values() - torch.arange(1.0, FEATURES + 1)).norm(dim=1)
        return {"val/distance": error.masked_fill(~self.active, torch.inf)}

    def evaluated(self, epoch: int, metrics: Metrics) -> None:
        pass

    def costs(self) -> Metrics:
        return {"tokens": float(self.steps)}

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": self.model.values().clone(),
            "adam": self.optimizer.state_dict(),
            "active": self.active,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.model.rows.data.copy_(state["model"])
        self.optimizer.load_state_dict(state["adam"])
        self.active = state["active"]


def _rate(variant: str) -> float:
    return float(variant.partition("=")[2] or 0.1)

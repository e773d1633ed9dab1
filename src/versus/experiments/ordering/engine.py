"""One training step of a stack: gradient, filter, optimiser; runs that have stopped cost nothing.

Shapes: S runs, n of them live, B examples, P parameters of one run. A run that has diverged or
finished is frozen: its weights stay as they are to the bit, its gradient and moments are zero, and
steps are computed for the live rows alone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from versus.core import seeding
from versus.core.weights import StackedParameters, split
from versus.experiments.ordering.config import TrainConfig
from versus.experiments.ordering.filters import GradientFilter
from versus.experiments.ordering.gradient import gradient
from versus.experiments.ordering.model import Masks, Transformer
from versus.experiments.ordering.optimizers import Group, learning_rate, make_optimizer


class Engine:
    """Weights and optimiser of S runs.

    Args:
        model: sizes.
        settings: one per run; they share what an optimiser shares.
        seeds: one per run, for initial weights and dropout.
        steps_per_epoch: for the schedule.
        dropout: share that is set to zero.
        device: where it trains.

    Attributes:
        weights: values and raw gradients.
        alive: whether a run trains, one boolean per run, on the CPU.
        diverged: whether its loss was not finite.
        count: steps done.
    """

    def __init__(
        self,
        model: Transformer,
        settings: Sequence[TrainConfig],
        seeds: Sequence[int],
        steps_per_epoch: int,
        dropout: float,
        device: torch.device,
    ) -> None:
        self.model, self.settings, self.seeds = model, list(settings), list(seeds)
        self.steps_per_epoch, self.dropout, self.device = steps_per_epoch, dropout, device
        self.weights = StackedParameters(model.shapes, len(seeds), device, aligned=True)
        initial = {seed: model.initial(seed) for seed in set(seeds)}
        self.values = self.weights.values()
        self.values.copy_(torch.stack([initial[seed] for seed in seeds]))
        self.gradients = self.weights.gradients()
        self.filter = GradientFilter(settings, self.gradients)
        self.optimizer = make_optimizer(
            settings[0], self.values, self.filter.seen, self.weights.shapes
        )
        self.alive = torch.ones(len(seeds), dtype=torch.bool)
        self.diverged = torch.zeros(len(seeds), dtype=torch.bool)
        self.count = 0
        self._choose_live()

    def _choose_live(self) -> None:
        """Lay out what a step works on: the matrices themselves, or copies of the live rows."""
        shapes = self.weights.shapes
        self.live: list[int] = self.alive.nonzero()[:, 0].tolist()
        self.some: Tensor | None = None
        if len(self.live) < len(self.seeds):
            self.some = torch.tensor(self.live, dtype=torch.int64, device=self.device)
        whole = self.some is None
        self._values = self.values if whole else self.values[self.live]
        self._gradients = self.gradients if whole else self.gradients[self.live]
        self._parameters = split(self._values, shapes)
        self._out = split(self._gradients, shapes)
        self._moment: tuple[int, int] | None = None

    def step(self, pairs: Tensor, labels: Tensor) -> Tensor:
        """Train the live runs on pairs (n, B, 2) with labels (n, B); return their losses, (n,)."""
        if not self.live:
            self.count += 1
            return torch.empty(0, device=self.device)
        if self.some is not None:
            torch._foreach_copy_(list(self._values), [self.values[row] for row in self.live])
        masks = self._masks(pairs.shape[1]) if self.dropout else ()
        losses = gradient(self.model, self._parameters, pairs, labels, self._out, masks)
        if self.some is not None:
            torch._foreach_copy_([self.gradients[row] for row in self.live], list(self._gradients))
        if not math.isfinite(losses.sum().item()):
            finite = losses.isfinite().tolist()
            self.freeze([r for r, ok in zip(self.live, finite, strict=True) if not ok], lost=True)
        self._update()
        return losses

    @torch.no_grad()
    def _update(self) -> None:
        groups = self._groups()
        self.count += 1
        if groups:
            self.filter.apply(first=self.count == 1)
            self.optimizer.step(groups, self.count)

    def _groups(self) -> list[Group]:
        """The live rows by rate and decay; rates change per epoch, or per step while warming up."""
        warming = any(self.count < one.warmup_steps for one in self.settings)
        moment = (self.count if warming else -1, self.count // self.steps_per_epoch)
        if moment != self._moment:
            rows: dict[tuple[float, float], list[int]] = {}
            for row in self.live:
                key = (self.rates[row], self.settings[row].weight_decay)
                rows.setdefault(key, []).append(row)
            self._cached = [Group(members, *key) for key, members in rows.items()]
            self._moment = moment
        return self._cached

    @property
    def rates(self) -> list[float]:
        """The rate of each run's next step."""
        return [learning_rate(one, self.count, self.steps_per_epoch) for one in self.settings]

    def _masks(self, count: int) -> Masks:
        """Dropout of this step, keyed by (seed, step)."""
        layers, tokens = self.model.layers, 2 * count
        widths = [self.model.d, self.model.ffn] * layers
        drawn = []
        for row in self.live:
            source = seeding.generator(self.seeds[row], "dropout", self.count)
            drawn.append(torch.rand(tokens, sum(widths), generator=source))
        kept = (torch.stack(drawn).to(self.device) >= self.dropout) / (1 - self.dropout)
        parts = torch.split(kept, widths, dim=-1)
        return list(zip(parts[::2], parts[1::2], strict=True))

    def freeze(self, rows: Iterable[int], *, lost: bool = False) -> None:
        """Stop runs for good; ``lost``: because they have diverged."""
        stopped = list(rows)
        if not stopped:
            return
        self.alive[stopped] = False
        self.diverged[stopped] |= lost
        for matrix in self._memories().values():
            matrix[stopped] = 0.0
        self.gradients[stopped] = 0.0
        self._choose_live()

    def _memories(self) -> dict[str, Tensor]:
        average = self.filter.average
        return {**self.optimizer.buffers, **({} if average is None else {"average": average})}

    def moments(self) -> tuple[Tensor, Tensor] | None:
        """Bias-corrected moments of the gradient, (S, P) each, if the optimiser keeps them."""
        return self.optimizer.moments(self.count)

    def state_dict(self) -> dict[str, Any]:
        """Copies of everything that a step changes."""
        matrices = {"values": self.values, "gradients": self.gradients, **self._memories()}
        return {
            "matrices": {name: matrix.clone() for name, matrix in matrices.items()},
            "alive": self.alive.clone(),
            "diverged": self.diverged.clone(),
            "count": self.count,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        matrices = {"values": self.values, "gradients": self.gradients, **self._memories()}
        for name, matrix in matrices.items():
            matrix.copy_(state["matrices"][name])
        self.alive.copy_(state["alive"])
        self.diverged.copy_(state["diverged"])
        self.count = state["count"]
        self._choose_live()

    def repeated(self, state: Mapping[str, Any], times: int) -> "Engine":
        """An engine of S ``times`` runs, all of which start from ``state``; run after run."""
        engine = Engine(
            self.model,
            self.settings * times,
            self.seeds * times,
            self.steps_per_epoch,
            self.dropout,
            self.device,
        )
        matrices = state["matrices"]
        engine.load_state_dict(
            {
                "matrices": {name: m.repeat(times, 1) for name, m in matrices.items()},
                "alive": state["alive"].repeat(times),
                "diverged": state["diverged"].repeat(times),
                "count": state["count"],
            }
        )
        return engine

"""A learner for ordinary PyTorch training: one run, its modules and its optimisers.

A subclass makes modules and optimisers and says what is shown, minimised and measured::

    class Classifier(SingleLearner):
        best_by, best_is = "val/loss", "minimize"

        def __init__(self, run, data):
            settings, self.examples = run.config, read(data, run.key.seed)
            self.model = initialised(lambda: nn.Linear(2, 3), run.key.seed)
            adam = torch.optim.Adam(self.model.parameters(), lr=settings.train.lr)
            super().__init__(run, {"model": self.model}, {"adam": adam}, epochs=10)

        def batches(self, epoch): ...
        def loss_of(self, batch): ...
        def measure(self): ...

Dropout and its like draw from the global generator, which the trainer seeds and saves.
"""

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import Module
from torch.nn.utils import get_total_norm
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from versus.core import seeding
from versus.core.learner import Metrics
from versus.core.module_state import Moments, adam_moments, copied, load_tensors, tensors_of
from versus.core.runs import RunConfig
from versus.core.weights import ModuleWeights, split


class SingleLearner(ABC):
    """Trains one run; a stack of one for the trainer.

    Where ``best_by`` names a metric, the weights of the best evaluation are kept, and what was
    measured then is reported as ``best/<group>_<name>``. A run whose loss, gradient or weights are
    no longer finite has diverged: it stays as it is, and all that is measured of it is infinite.

    Args:
        run: name and settings of the run.
        modules: everything with weights, by name; no weight lies in two of them.
        optimizers: by name; all of them step once per training step.
        epochs: passes of :meth:`batches` to train.
        schedulers: each advances once per training step.
        evaluate_every: epochs between evaluations.
        max_grad_norm: longest gradient that the optimisers are given, over all weights; None = any.
        steps_per_epoch: for progress displays; None = unknown.

    Attributes:
        best_by: metric of :meth:`measure` that says which weights are best; empty = the last.
        best_is: whether small or large values of it are good.
        epoch: epochs trained at the last evaluation.
        best_epoch: epochs trained at the best evaluation, -1 before it.
    """

    best_by: ClassVar[str] = ""
    best_is: ClassVar[Literal["minimize", "maximize"]] = "minimize"

    def __init__(
        self,
        run: RunConfig,
        modules: Mapping[str, Module],
        optimizers: Mapping[str, Optimizer],
        *,
        epochs: int,
        schedulers: Sequence[LRScheduler] = (),
        evaluate_every: int = 1,
        max_grad_norm: float | None = None,
        steps_per_epoch: int | None = None,
    ) -> None:
        self.run = run
        self.runs = [run.key]
        self.total_epochs = epochs
        self.total_steps = steps_per_epoch and steps_per_epoch * epochs
        self.evaluate_every = evaluate_every
        self.max_grad_norm = max_grad_norm
        self.epoch = 0
        self.best_epoch = -1
        self._modules, self._optimizers = dict(modules), dict(optimizers)
        self._schedulers = list(schedulers)
        self._whole = _Whole(self._modules, self.loss_of)
        self._trained = [p for p in self._whole.parameters() if p.requires_grad]
        self._weights = ModuleWeights(self._modules)
        self._diverged = self._stopped = False
        self._best: dict[str, Any] = {"metrics": {}, "weights": {}}
        self._costs = {"seconds": 0.0, "steps": 0.0}

    # --- what a subclass gives ---

    @abstractmethod
    def batches(self, epoch: int) -> Iterable[Any]:
        """Batches of one epoch: a pure function of (config, seed, epoch)."""

    @abstractmethod
    def loss_of(self, batch: Any) -> Tensor:
        """The loss of a batch at the present weights, a scalar."""

    @abstractmethod
    def measure(self) -> Mapping[str, float]:
        """Metrics at the present weights; called without gradients and in evaluation mode."""

    def stop(self, epoch: int, metrics: Mapping[str, float]) -> bool:
        """Whether training ends after this evaluation; ``best_epoch`` is up to date."""
        return False

    # --- what the trainer and hooks ask for ---

    @property
    def active(self) -> Tensor:
        """False once the run has diverged or stopped."""
        return torch.tensor([not (self._diverged or self._stopped)])

    @property
    def diverged(self) -> Tensor:
        """Whether loss, gradient or weights were not finite."""
        return torch.tensor([self._diverged])

    def weights(self) -> ModuleWeights:
        """All weights that are trained; gradients are those of the loss, before clipping."""
        return self._weights

    def modules(self) -> Mapping[str, Module]:
        """Modules by name."""
        return self._modules

    def optimizers(self) -> Mapping[str, Optimizer]:
        """Optimisers by name."""
        return self._optimizers

    def moments(self) -> tuple[Tensor, Tensor] | None:
        """Bias-corrected moments of Adam and AdamW, (1, P) each; None where there are none."""
        found: dict[Tensor, Moments] = {}
        for optimizer in self._optimizers.values():
            if isinstance(optimizer, Adam):
                found |= adam_moments(optimizer)
        if not found:
            return None
        nothing = [(torch.zeros_like(p), torch.zeros_like(p)) for p in self._trained]
        both = [found.get(p, zero) for p, zero in zip(self._trained, nothing, strict=True)]
        first, second = (torch.cat([m[i].flatten() for m in both])[None] for i in (0, 1))
        return first, second

    def loss(self, values: Tensor, batch: Any) -> Tensor:
        """Loss at weights ``values`` (1, P), (1,), in evaluation mode and without side effects."""
        named = {n: rows[0] for n, rows in split(values, self._weights.shapes).items()}
        with self._evaluating():
            found: Tensor = functional_call(self._whole, named, (batch,))
        return found[None]

    # --- training ---

    def train_step(self, batch: Any) -> Metrics:
        """One step: its loss, and where that is not finite, the end of the run."""
        started = time.perf_counter()
        for optimizer in self._optimizers.values():
            optimizer.zero_grad()
        loss = self.loss_of(batch)
        if bool(loss.isfinite()):
            loss.backward()  # type: ignore[no-untyped-call]
            self._step()
        else:
            self._diverged = True
        self._charge(started, steps=1)
        return {"train/step_loss": math.inf if self._diverged else loss.detach()}

    def _step(self) -> None:
        gradients = [p.grad for p in self._trained if p.grad is not None]
        norm = float(get_total_norm(gradients))
        if not math.isfinite(norm):
            self._diverged = True
            return
        with self._clipped(norm):
            for optimizer in self._optimizers.values():
                optimizer.step()
        for scheduler in self._schedulers:
            scheduler.step()

    @contextmanager
    def _clipped(self, norm: float) -> Iterator[None]:
        """Shorter gradients for the optimisers; afterwards hooks see those of the loss again."""
        if self.max_grad_norm is None or norm <= self.max_grad_norm:
            yield
            return
        kept = [parameter.grad for parameter in self._trained]
        for parameter in self._trained:
            if parameter.grad is not None:
                parameter.grad = parameter.grad * (self.max_grad_norm / norm)
        yield
        for parameter, gradient in zip(self._trained, kept, strict=True):
            parameter.grad = gradient

    def _charge(self, started: float, steps: int = 0) -> None:
        self._costs["seconds"] += time.perf_counter() - started
        self._costs["steps"] += steps

    # --- evaluation ---

    def evaluate(self) -> Metrics:
        """What :meth:`measure` says, and what it said of the best weights so far."""
        started = time.perf_counter()
        with torch.no_grad(), self._evaluating():
            measured = {name: float(value) for name, value in self.measure().items()}
        best = measured if self._improves(measured) else self._best["metrics"]
        found = {**measured, **{f"best/{k.replace('/', '_')}": v for k, v in best.items()}}
        if self._diverged or not self._is_finite():
            found = dict.fromkeys(found, math.inf)
        self._charge(started)
        return found

    def _is_finite(self) -> bool:
        return all(bool(parameter.isfinite().all()) for parameter in self._trained)

    def _improves(self, measured: Mapping[str, float]) -> bool:
        value = measured.get(self.best_by, math.nan)
        known = self._best["metrics"].get(self.best_by, math.nan)
        better = value < known if self.best_is == "minimize" else value > known
        return math.isfinite(value) and (better or math.isnan(known))

    def evaluated(self, epoch: int, metrics: Metrics) -> None:
        """Keep the weights if they are the best so far; stop if :meth:`stop` says so."""
        self.epoch = epoch
        self._diverged |= not self._is_finite()
        if self._diverged:
            return
        measured = {k: float(v) for k, v in metrics.items() if not k.startswith("best/")}
        if self._improves(measured):
            self._best = {"metrics": measured, "weights": copied(tensors_of(self._modules))}
            self.best_epoch = epoch
        self._stopped = self.stop(epoch, measured)

    def best_weights(self) -> dict[str, Tensor]:
        """A copy of the best weights, or of the present ones, by ``module.parameter``."""
        return copied(self._best["weights"] or tensors_of(self._modules))

    @contextmanager
    def at_best(self) -> Iterator[None]:
        """The best weights, and the present ones again afterwards."""
        present = copied(tensors_of(self._modules))
        load_tensors(self._modules, self.best_weights())
        try:
            yield
        finally:
            load_tensors(self._modules, present)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        training = [module for module in self._whole.modules() if module.training]
        self._whole.eval()
        try:
            yield
        finally:
            for module in training:
                module.training = True

    def costs(self) -> Metrics:
        """Seconds of steps and evaluations, and steps, since this process began."""
        return dict(self._costs)

    # --- state ---

    def state_dict(self) -> dict[str, Any]:
        """Weights, optimisers, schedulers, best weights, and whether the run is over."""
        state = {
            "weights": tensors_of(self._modules),
            "optimizers": {name: o.state_dict() for name, o in self._optimizers.items()},
            "schedulers": [scheduler.state_dict() for scheduler in self._schedulers],
            "best": dict(self._best),
            "epochs": [self.epoch, self.best_epoch],
            "diverged": self._diverged,
            "stopped": self._stopped,
        }
        return copy.deepcopy(state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        load_tensors(self._modules, state["weights"])
        for name, optimizer in self._optimizers.items():
            optimizer.load_state_dict(copy.deepcopy(state["optimizers"][name]))
        for scheduler, known in zip(self._schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(copy.deepcopy(known))
        self._best = copy.deepcopy(state["best"])
        self.epoch, self.best_epoch = state["epochs"]
        self._diverged, self._stopped = state["diverged"], state["stopped"]


class _Whole(Module):
    """All modules of a learner as one, so that its loss can be taken at other weights."""

    def __init__(self, modules: Mapping[str, Module], loss_of: Callable[[Any], Tensor]) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.forward = loss_of


def minibatches(
    count: int, size: int, *key: int | str, device: torch.device | str = "cpu"
) -> Iterator[Tensor]:
    """Indices 0 to count - 1 in an order that depends on ``key``, ``size`` at a time."""
    order = torch.randperm(count, generator=seeding.generator("order", *key))
    yield from torch.split(order.to(device), size)

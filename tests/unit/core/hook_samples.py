"""A stack of small classifiers that serves every need a generic hook can have."""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from versus.core import seeding
from versus.core.hooks import catalogue
from versus.core.hooks.base import Hook
from versus.core.learner import Metrics
from versus.core.runs import RunKey
from versus.core.trainer import Rhythm, Trainer
from versus.core.weights import StackedParameters, split

TOKENS, WIDTH, HIDDEN, EXAMPLES, BATCH = 7, 3, 4, 40, 8
BATCHES = EXAMPLES // BATCH
SHAPES = {
    "embedding.weight": (TOKENS, WIDTH),
    "up.weight": (WIDTH, HIDDEN),
    "up.bias": (HIDDEN,),
    "down.weight": (HIDDEN, TOKENS),
}
RUNS = [RunKey("a", 0), RunKey("a", 1), RunKey("a", 2)]
RATE = 0.02
torch.set_num_threads(1)  # these tensors are too small to share


class TinyLearner:
    """Learns token -> (3 token + 1) mod 7 from noisy labels, by Adam or plain descent.

    Args:
        runs: members; a run named ``poisoned`` diverges at step 3, one named ``brief`` stops
            after the first epoch.
        epochs: to train.
        plain: gradient descent without moments.
    """

    def __init__(self, runs: Sequence[RunKey] = RUNS, epochs: int = 4, plain: bool = False) -> None:
        self.runs = list(runs)
        self.total_epochs, self.total_steps, self.evaluate_every = epochs, epochs * BATCHES, 1
        self.model = StackedParameters(SHAPES, len(runs))
        rows = [
            torch.randn(self.model.rows.shape[1], generator=seeding.generator(r.seed, "init"))
            for r in runs
        ]
        self.model.rows.data.copy_(0.5 * torch.stack(rows))
        kind = torch.optim.SGD if plain else torch.optim.Adam
        self.optimizer: torch.optim.Optimizer = kind([self.model.rows], lr=RATE)
        self.active = torch.ones(len(runs), dtype=torch.bool)
        self.diverged = torch.zeros(len(runs), dtype=torch.bool)
        data = [self._data(run.seed) for run in runs]
        self.tokens, self.labels = (torch.stack(part) for part in zip(*data, strict=True))
        self.steps = 0

    def _data(self, seed: int) -> tuple[Tensor, Tensor]:
        source = seeding.generator(seed, "data")
        tokens = torch.randint(TOKENS, (EXAMPLES,), generator=source)
        noise = torch.randint(TOKENS, (EXAMPLES,), generator=source)
        noisy = torch.rand(EXAMPLES, generator=source) < 0.2
        return tokens, torch.where(noisy, noise, (3 * tokens + 1) % TOKENS)

    def weights(self) -> StackedParameters:
        return self.model

    def modules(self) -> Mapping[str, nn.Module]:
        return {"model": self.model}

    def optimizers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"adam": self.optimizer}

    def batches(self, epoch: int) -> Iterator[Tensor]:
        yield from self._order(epoch, "order").split(BATCH, dim=1)  # type: ignore[no-untyped-call]

    def _order(self, epoch: int, *names: int | str) -> Tensor:
        orders = [
            torch.randperm(EXAMPLES, generator=seeding.generator(run.seed, *names, epoch))
            for run in self.runs
        ]
        return torch.stack(orders)

    def loss(self, values: Tensor, batch: Tensor) -> Tensor:
        p = split(values, SHAPES)
        tokens, labels = self.tokens.gather(1, batch), self.labels.gather(1, batch)
        rows = p["embedding.weight"].gather(1, tokens[..., None].expand(-1, -1, WIDTH))
        hidden = torch.tanh(rows @ p["up.weight"] + p["up.bias"][:, None])
        logits = hidden @ p["down.weight"]
        each = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
        return each.view(labels.shape).mean(1)

    def train_step(self, batch: Tensor) -> Metrics:
        values = self.model.values().clone().requires_grad_()
        losses = self.loss(values, batch)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        assert values.grad is not None
        poison = torch.tensor([r.variant == "poisoned" and self.steps == 2 for r in self.runs])
        losses = torch.where(poison, torch.inf, losses.detach())
        gradients = torch.where(poison[:, None], torch.nan, values.grad)
        self.model.gradients().copy_(torch.where(self.active[:, None], gradients, 0))
        before = self.model.values().clone()
        self.optimizer.step()
        ok = self.active & ~poison
        self.model.rows.data.copy_(torch.where(ok[:, None], self.model.values(), before))
        self.diverged = self.diverged | poison
        self.active = ok
        self.steps += 1
        return {"train/step_loss": losses, "train/other": losses}

    def evaluate(self) -> Metrics:
        everything = torch.arange(EXAMPLES).expand(len(self.runs), -1)
        with torch.no_grad():
            losses = self.loss(self.model.values(), everything)
        return {
            "train/loss": losses,
            "train/accuracy": 1 / (1 + losses),
            "test/accuracy": losses / 9,
        }

    def evaluated(self, epoch: int, metrics: Metrics) -> None:
        if epoch:
            self.active = self.active & torch.tensor([r.variant != "brief" for r in self.runs])

    def costs(self) -> Metrics:
        return {}

    def moments(self) -> tuple[Tensor, Tensor] | None:
        state = self.optimizer.state.get(self.model.rows)
        if not state:
            return None
        steps = float(state["step"])
        return (
            state["exp_avg"] / (1 - 0.9**steps),
            state["exp_avg_sq"] / (1 - 0.999**steps),
        )

    def shuffled_gradients(self, state: Mapping[str, Any], epoch: int, count: int) -> Tensor:
        means = []
        for number in range(count):
            twin = TinyLearner(self.runs, self.total_epochs)
            twin.load_state_dict(state)
            total = torch.zeros_like(twin.model.values())
            for batch in self._order(epoch, "shuffle", number).split(BATCH, dim=1):  # type: ignore[no-untyped-call]
                twin.train_step(batch)
                total += twin.model.gradients()
            means.append(total / BATCHES)
        return torch.stack(means)

    def state_dict(self) -> dict[str, Any]:
        return {
            "rows": self.model.values().clone(),
            "adam": self.optimizer.state_dict(),
            "active": self.active,
            "diverged": self.diverged,
            "steps": self.steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.model.rows.data.copy_(state["rows"])
        self.optimizer.load_state_dict(copy.deepcopy(state["adam"]))  # it would share the tensors
        self.active, self.diverged = state["active"], state["diverged"]
        self.steps = state["steps"]


def reference(runs: Sequence[RunKey] = RUNS) -> Tensor:
    """Some weights that stand for a solution, (S, P)."""
    width = StackedParameters(SHAPES, 1).rows.shape[1]
    return torch.stack([torch.randn(width, generator=seeding.generator(r.seed)) for r in runs])


class Tape(Hook):
    """Notes copies of everything, and what the hooks before it have logged."""

    uses = frozenset({"update", "epoch_gradient", "epoch_start"})

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Tensor] = []
        self.before: list[Tensor] = []
        self.after: list[Tensor] = []
        self.gradients: list[Tensor] = []
        self.losses: list[Tensor] = []
        self.evaluations: list[dict[str, Any]] = []
        self.moments: list[tuple[Tensor, Tensor] | None] = []
        self.states: list[dict[str, Any]] = []
        self.steps: list[dict[str, Any]] = []
        self.epochs: list[dict[str, Any]] = []
        self.snapshots: list[dict[str, Any]] = []

    def on_epoch_start(self, context: Any) -> None:
        self.states.append(copy.deepcopy(context.learner.state_dict()))

    def on_step_start(self, context: Any) -> None:
        self.batches.append(context.batch)
        self.before.append(context.values.clone())

    def on_step_end(self, context: Any) -> None:
        self.after.append(context.values.clone())
        self.gradients.append(context.gradients.clone())
        self.losses.append(context.metrics["train/step_loss"].clone())
        self.moments.append(context.learner.moments())
        self.steps.append(dict(context.recorded))

    def on_epoch_end(self, context: Any) -> None:
        self.evaluations.append(dict(context.metrics))
        self.epochs.append(dict(context.recorded))

    def on_snapshot(self, context: Any) -> None:
        self.snapshots.append(dict(context.recorded))


def taped(
    folder: Path,
    *hooks: Hook,
    learner: TinyLearner | None = None,
    snapshots: int = 1,
    solution: bool = True,
) -> Tape:
    """Train with the hooks; return what there was to see."""
    tape = Tape()
    learner = learner or TinyLearner()
    Trainer(
        learner,
        folder,
        hooks=[*hooks, tape],
        rhythm=Rhythm(0, snapshot_epochs=snapshots),
        reference=reference(learner.runs) if solution else None,
    ).run()
    return tape


def always(hook: type[Hook], **settings: Any) -> Hook:
    """The hook, due in every step or epoch, small enough for these runs."""
    small: dict[str, dict[str, Any]] = {
        "batch_dynamics": {"lags": (1, 2, 5), "spans": (2, 5)},
        "variance": {"window": 3},
        "path_length": {"stride": 1},
        "training_diagnostics": {"gradient_every": 1, "update_every": 10},
        "consecutive": {"burst": 2},
    }
    values = {"every": 1, "burst": 1, "warmup": 0, **small.get(hook.name, {}), **settings}
    return hook(hook.Settings(**values))


def generic_hooks() -> list[type[Hook]]:
    """Every hook of the library."""
    return [hook for module in catalogue.library_modules() for hook in catalogue.hooks_of(module)]


def check(found: Any, expected: Any, tolerance: float = 1e-4) -> None:
    """Equal up to rounding, NaN where NaN is expected."""
    np.testing.assert_allclose(
        np.asarray(found, dtype=float), np.asarray(expected, dtype=float), tolerance, 1e-6
    )


def undeclared(names: Iterable[str], hooks: Iterable[type[Hook]]) -> list[str]:
    """Names of metrics that no hook declares."""
    patterns = [pattern for hook in hooks for pattern in declared(hook)]
    return [name for name in names if not any(re.fullmatch(p, name) for p in patterns)]


def declared(hook: type[Hook]) -> list[str]:
    """One regular expression per metric that the hook declares."""
    return [
        re.sub(r"\\\{.*?\\\}", ".+", re.escape(f"{hook.name}/{metric}")) for metric in hook.metrics
    ]

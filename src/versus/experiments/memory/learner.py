"""All variants of a comparison learn the streams together, as one program.

An epoch is the pass over all streams; a batch is a chunk of one stream, for all seeds at once.
Runs whose settings cannot differ in effect (Delta with different windows) are computed once, a
shorter stream or a smaller memory is read off a longer or larger one, and keys are shared.
"""

import itertools
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer

from versus.core.experiment import ModelPart
from versus.core.learner import Metrics
from versus.core.runs import RunConfig, RunKey
from versus.experiments.memory import steps
from versus.experiments.memory.config import Comparison, Task
from versus.experiments.memory.passes import StreamPass
from versus.experiments.memory.rules import find_rule

logger = logging.getLogger(__name__)


class Chunk(NamedTuple):
    """Tokens ``start`` to ``stop`` of one stream in one key dimension."""

    stream: str
    dim: int
    start: int
    stop: int


class MemoryLearner:
    """Learns every stream with every variant and seed of a stack.

    Args:
        stack: runs, variants first, every variant with the same seeds.
        data: folder of the data stage.
        only: compute this variant and no others. The numbers are those of the whole stack to the
            bit, because groups are formed from the whole stack.
        scores_only: neither hold the final memories, of which models are made, nor watch the step
            sizes.
    """

    total_epochs = 1
    evaluate_every = 1

    def __init__(
        self,
        stack: Sequence[RunConfig],
        data: Path,
        only: str | None = None,
        scores_only: bool = False,
    ) -> None:
        self.data = data
        self.only, self.scores_only = only, scores_only
        self.configs: dict[str, Comparison] = {run.key.variant: run.config for run in stack}
        self.seeds = list(dict.fromkeys(run.key.seed for run in stack))
        self.variants = [only] if only else list(self.configs)
        self.runs = [RunKey(v, s) for v in self.variants for s in self.seeds]
        self.settings: Comparison = stack[0].config
        self.device = self.settings.use_torch()
        self.tasks: dict[tuple[str, int], list[Task]] = {}
        for task in self.settings.data.tasks():
            self.tasks.setdefault((task.stream, task.dim), []).append(task)
        self.final: dict[str, Tensor] = {}
        self.memories: dict[str, dict[str, Tensor]] = {}
        self.lost = torch.zeros(len(self.runs), dtype=torch.int64)
        self.total_steps = sum(1 for _ in self.batches(0))
        self._costs: dict[str, Tensor] = {}
        self._pass: StreamPass | None = None

    @property
    def active(self) -> Tensor:
        """A run is lost when it has diverged on every stream."""
        return self.lost < len(self.tasks)

    @property
    def diverged(self) -> Tensor:
        """The runs that are not active."""
        return ~self.active

    def weights(self) -> None:
        """None: nothing is trained by gradient."""

    def modules(self) -> Mapping[str, Module]:
        """None: a memory is a state, not a module."""
        return {}

    def optimizers(self) -> Mapping[str, Optimizer]:
        """None: the rules are the optimisers."""
        return {}

    def batches(self, epoch: int) -> Iterator[Chunk]:
        """Chunks of all streams; cuts fall on every task's half and end."""
        for (stream, dim), tasks in self.tasks.items():
            length = max(task.steps for task in tasks)
            cuts = {*range(0, length, self.settings.train.chunk), length}
            cuts |= {cut for task in tasks for cut in (task.steps // 2, task.steps)}
            for start, stop in itertools.pairwise(sorted(cuts)):
                yield Chunk(stream, dim, start, stop)

    def train_step(self, batch: Chunk) -> Metrics:
        """Write one chunk into all memories."""
        if batch.start == 0:
            self._pass = self._begin(batch.stream, batch.dim)
        current = self._current()
        tasks = self.tasks[batch.stream, batch.dim]
        for task in tasks:
            if task.steps // 2 == batch.start:
                current.mark_half(task.steps)
        nmse, seconds = current.write(batch.start, batch.stop)
        self._charge(batch, tasks, seconds)
        for task in tasks:
            if task.steps == batch.stop:
                measured = current.measure(task)
                self.final |= {f"{task.name}/{name}": value for name, value in measured.items()}
        if batch.stop == max(task.steps for task in tasks):
            self._end(current)
        return {f"train/nmse_{batch.stream}": nmse}

    def evaluate(self) -> Metrics:
        """Metrics of every task that has ended."""
        return dict(self.final)

    def evaluated(self, epoch: int, metrics: Metrics) -> None:
        """There is one evaluation, at the end."""

    def costs(self) -> Metrics:
        """Seconds and tokens of every run since this process began, in all and per task."""
        return dict(self._costs)

    def state_dict(self) -> dict[str, Any]:
        """The open stream's groups and what the finished ones gave."""
        return {
            "pass": self._pass.state_dict() if self._pass else None,
            "final": dict(self.final),
            "memories": dict(self.memories),
            "lost": self.lost,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self._pass = None
        if state["pass"]:
            self._pass = self._begin(state["pass"]["stream"], state["pass"]["dim"])
            self._pass.load_state_dict(state["pass"])
        self.final = dict(state["final"])
        self.memories = dict(state["memories"])
        self.lost = state["lost"]

    def models(self) -> dict[str, ModelPart]:
        """One model per variant: its rule on every stream, and the final memories."""
        return {variant: self._model(variant) for variant in self.variants}

    def _model(self, variant: str) -> ModelPart:
        config = self.configs[variant]
        weights = {
            f"{name}/{seed}": memories[variant][position].clone()
            for name, memories in self.memories.items()
            for position, seed in enumerate(self.seeds)
        }
        about = {
            "experiment": "memory",
            "rule": config.model.model_dump(),
            "tuned": config.tuned.get(variant, {}),
        }
        return ModelPart(model_name(config.model.updater), weights, about)

    def _begin(self, stream: str, dim: int) -> StreamPass:
        watch = not self.scores_only
        return StreamPass(
            self.configs, self.variants, self.seeds, self.data, stream, dim, self.device, watch
        )

    def _current(self) -> StreamPass:
        if self._pass is None:
            raise RuntimeError("a stream must begin with its first chunk")
        return self._pass

    def _end(self, current: StreamPass) -> None:
        self.lost = self.lost + current.diverged()
        if not self.scores_only:
            self.memories[f"{current.stream}/{current.dim}"] = current.memories()
        warning = steps.warning(current.steps, current.rules)
        if warning and self.only is None:  # one variant alone is learnt again
            logger.warning("stream %s: %s", current.stream, warning)
        self._pass = None

    def _charge(self, batch: Chunk, tasks: Sequence[Task], seconds: Tensor) -> None:
        amounts = {"seconds": seconds, "tokens": torch.full_like(seconds, batch.stop - batch.start)}
        amounts |= {f"{t.name}/seconds": seconds for t in tasks if batch.stop <= t.steps}
        for name, amount in amounts.items():
            self._costs[name] = self._costs.get(name, 0.0) + amount


def model_name(updater: str) -> str:
    """Name in the registry: ``memory-omega-ridge`` for OmegaRidge."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", find_rule(updater).name)
    return f"memory-{words.lower()}"


def stacks(runs: Sequence[RunConfig]) -> list[list[RunConfig]]:
    """All runs of a comparison train together."""
    return [list(runs)]


def build(stack: Sequence[RunConfig], data: Path) -> MemoryLearner:
    """The learner of one stack."""
    return MemoryLearner(stack, data)


def models(learner: MemoryLearner) -> dict[str, ModelPart]:
    """One model per variant."""
    return learner.models()

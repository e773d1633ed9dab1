"""The learner of a stack: one that takes gradient steps, or one that solves."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from versus.core.learner import Metrics
from versus.core.runs import RunConfig
from versus.experiments.ebt.data.stages import read_task
from versus.experiments.ebt.vectors.learner import Parts, VectorLearner
from versus.experiments.ebt.vectors.methods import ClosedForm


class ClosedFormLearner(VectorLearner):
    """Least squares: one step, on all training examples."""

    method: ClosedForm
    total_epochs = total_steps = 1

    def batches(self, epoch: int) -> Iterator[None]:  # type: ignore[override]
        """One batch: everything."""
        yield None

    def train_step(self, batch: Any) -> Metrics:
        """Solve; the error that is left on the training examples."""
        started = time.perf_counter()
        x, y = self._whole
        self.method.solve(self._weights, x, y)
        self.count = self._steps = 1
        squares = (self.method.predict(self._parameters(self._weights.values()), x) - y).square()
        self._seconds += time.perf_counter() - started
        return {"train/step_loss": squares.mean((1, 2))}


def build(stack: Sequence[RunConfig], folder: Path) -> VectorLearner:
    """The learner of one stack, with the data that the data stage wrote."""
    data = [read_task(folder, run.config.task, run.key.seed) for run in stack]
    return learner_of(stack, data)


def learner_of(stack: Sequence[RunConfig], data: Sequence[Parts]) -> VectorLearner:
    """The learner of one stack on these examples."""
    closed = stack[0].config.model.kind in ("least_squares", "quadratic")
    return (ClosedFormLearner if closed else VectorLearner)(stack, data)

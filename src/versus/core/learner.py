"""What a training step *is*: the contract between experiments and the trainer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer

from versus.core.runs import RunKey
from versus.core.weights import Weights

Metrics = Mapping[str, Tensor | float]
"""Metric name (``group/name``) -> a scalar, or one entry per run of the stack. Detached.

Infinity says that the run has diverged; NaN that it has no such metric, which is then left out.
"""


class Learner(Protocol):
    """One stack of runs that train together.

    The learner owns the whole step, backward and optimisers included; the trainer owns counting,
    hooks, evaluation, checkpoints and stopping. Gradients are zeroed at the *start* of a step, so
    that hooks see them at its end. Every trained tensor lives in a module or in ``state_dict``; a
    constructor draws nothing from a global generator.
    """

    @property
    def runs(self) -> Sequence[RunKey]:
        """Identity of each slice, in the order of every metric vector."""

    @property
    def active(self) -> Tensor:
        """One boolean per run; a diverged or finished run is masked, the others go on."""

    @property
    def diverged(self) -> Tensor:
        """One boolean per run: its loss or weights are no longer finite, or far off."""

    @property
    def total_epochs(self) -> int:
        """Epochs to train; an epoch is one pass of ``batches``."""

    @property
    def total_steps(self) -> int | None:
        """Steps of the whole training for progress displays, ``None`` if unknown."""

    @property
    def evaluate_every(self) -> int:
        """Epochs between evaluations; there is one at each snapshot and at the end as well."""

    def weights(self) -> Weights | None:
        """What training changes, for hooks; ``None`` where nothing is trained by gradient."""

    def modules(self) -> Mapping[str, Module]:
        """Modules by name, for hooks."""

    def optimizers(self) -> Mapping[str, Optimizer]:
        """Optimisers by name, for hooks."""

    def batches(self, epoch: int) -> Iterable[Any]:
        """Batches of one epoch: a pure function of (config, seed, epoch)."""

    def train_step(self, batch: Any) -> Metrics:
        """Do one step."""

    def evaluate(self) -> Metrics:
        """Measure the present state; changes nothing."""

    def evaluated(self, epoch: int, metrics: Metrics) -> None:
        """Take note of an evaluation after ``epoch`` epochs: best weights, runs that may stop."""

    def costs(self) -> Metrics:
        """What the runs cost so far (``seconds``, ``tokens_per_s``, ...); not reproducible."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that training changes: tensors, JSON values, nested."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""

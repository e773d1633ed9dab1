"""What a hook may ask of a learner beyond its weights."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Differentiable(Protocol):
    """Its training loss can be computed for any weights."""

    def loss(self, values: Tensor, batch: Any) -> Tensor:
        """Loss of each run, (S,), on a batch at weights ``values`` (S, P).

        Differentiable any number of times, and without effect on the learner.
        """


@runtime_checkable
class Adaptive(Protocol):
    """Its optimiser keeps moments of the gradient (Adam and its kin)."""

    def moments(self) -> tuple[Tensor, Tensor] | None:
        """Bias-corrected first and second moment, (S, P) each; None before the first step."""


@runtime_checkable
class Replaying(Protocol):
    """It can train an epoch again from an earlier state, on data in another order."""

    def state_dict(self) -> dict[str, Any]:
        """The state to start from."""

    def shuffled_gradients(self, state: Mapping[str, Any], epoch: int, count: int) -> Tensor:
        """Mean gradients of ``count`` epochs trained from ``state``, (count, S, P).

        Each has its own random order, a pure function of (seed, epoch, number), and runs as a
        further slice of one stacked program. The learner itself is not changed.
        """

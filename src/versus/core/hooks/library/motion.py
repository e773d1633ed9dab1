"""How far and how straight the weights move."""

from typing import ClassVar

from torch import Tensor

from versus.core.hooks.base import Context
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import norm, ratio
from versus.core.learner import Metrics


class ParameterDelta(KeepingHook):
    """Change of the weights over an epoch."""

    name = "parameter_delta"
    unit = "epoch"
    uses = frozenset({"epoch_start"})
    points = ("POST_EPOCH",)
    cost = "one copy of the weights per epoch (about 0.1 % of a step)"
    metrics: ClassVar = {
        "absolute_delta": "norm of the change over the epoch",
        "relative_delta": "absolute_delta / norm of the weights before the epoch",
        "param_norm": "norm of the weights after the epoch",
    }

    def compute(self, context: Context) -> Metrics:
        """Norms of what the epoch changed."""
        change = norm(context.values - context.epoch_start)
        return {
            "absolute_delta": change,
            "relative_delta": ratio(change, norm(context.epoch_start)),
            "param_norm": norm(context.values),
        }


class PathLength(KeepingHook):
    """Length of the path that the weights have taken, against the straight line.

    Measured from where the hook began to look. Where its schedule leaves epochs out, it begins anew
    with each stretch of consecutive epochs.
    """

    name = "path_length"
    unit = "epoch"
    uses = frozenset({"update"})
    cost = "a copy, a difference and a norm of the weights per step (about 2.5 % of a step)"
    metrics: ClassVar = {
        "path_length": "sum of the lengths of all steps",
        "net_displacement": "distance from where the path began",
        "path_efficiency": "net_displacement / path_length: 1 = straight",
    }
    kept = ("_origin", "_length", "_epoch")

    _origin: Tensor | None = None
    _length: Tensor | None = None
    _epoch = -2

    def on_epoch_start(self, context: Context) -> None:
        """Begin a path, or go on with it."""
        if self._origin is None or context.epoch != self._epoch + 1:
            self._origin, self._length = context.values.clone(), None
        self._epoch = context.epoch

    def on_step_end(self, context: Context) -> None:
        """Add the length of the step."""
        length = norm(context.update)
        self._length = length if self._length is None else self._length + length

    def on_epoch_end(self, context: Context) -> None:
        """Compare with the straight line."""
        if self._origin is None or self._length is None:
            return
        displacement = norm(context.values - self._origin)
        context.log(
            {
                "path_length": self._length,
                "net_displacement": displacement,
                "path_efficiency": ratio(displacement, self._length),
            }
        )

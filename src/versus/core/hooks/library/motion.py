"""How far and how straight the weights move."""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import norm, ratio
from versus.core.learner import Metrics


class ParameterDeltaSettings(HookSettings):
    """When parameter_delta looks."""

    every: int = 5
    """Distance in epochs from one burst to the next."""


class ParameterDelta(KeepingHook):
    """Change of the weights over an epoch."""

    name = "parameter_delta"
    unit = "epoch"
    uses = frozenset({"epoch_start"})
    points = ("POST_EPOCH",)
    cost = "one copy of the weights per due epoch (0.1 % of a step)"
    metrics: ClassVar = {
        "absolute_delta": "norm of the change over the epoch",
        "relative_delta": "absolute_delta / norm of the weights before the epoch",
        "param_norm": "norm of the weights after the epoch",
    }
    Settings = ParameterDeltaSettings

    def compute(self, context: Context) -> Metrics:
        """Norms of what the epoch changed."""
        change = norm(context.values - context.epoch_start)
        return {
            "absolute_delta": change,
            "relative_delta": ratio(change, norm(context.epoch_start)),
            "param_norm": norm(context.values),
        }


class PathLengthSettings(HookSettings):
    """When path_length looks."""

    stride: int = Field(40, ge=1)
    """Every how many steps one is measured, for all of them; 1 measures every step."""


class PathLength(KeepingHook):
    """Length of the path that the weights have taken, against the straight line.

    Measured from where the hook began to look. Where its schedule leaves epochs out, it begins anew
    with each stretch of consecutive epochs.
    """

    name = "path_length"
    unit = "epoch"
    uses = frozenset({"gradients"})
    cost = (
        "a copy, a difference and a norm of the weights per measured step (1.4 % of a step; 10 % "
        "with stride 1)"
    )
    metrics: ClassVar = {
        "path_length": "number of steps times the mean length of the measured ones",
        "net_displacement": "distance from where the path began",
        "path_efficiency": "net_displacement / path_length: 1 = straight",
    }
    Settings = PathLengthSettings
    kept = ("_origin", "_length", "_measured", "_steps", "_epoch")

    _origin: Tensor | None = None
    _length: Tensor | None = None
    _measured = 0
    _steps = 0
    _epoch = -2

    def on_epoch_start(self, context: Context) -> None:
        """Begin a path, or go on with it."""
        if self._origin is None or context.epoch != self._epoch + 1:
            self._origin, self._length = context.values.clone(), None
            self._measured = self._steps = 0
        self._epoch = context.epoch

    def on_step_start(self, context: Context) -> None:
        """Keep the weights before a step that is measured."""
        if context.step % self.settings.stride == 0:
            context.keep_before()

    def on_step_end(self, context: Context) -> None:
        """Add the length of the step."""
        self._steps += 1
        if (context.step - 1) % self.settings.stride == 0:
            length = norm(context.update)
            self._length = length if self._length is None else self._length + length
            self._measured += 1

    def on_epoch_end(self, context: Context) -> None:
        """Compare with the straight line."""
        if self._origin is None or self._length is None:
            return
        displacement = norm(context.values - self._origin)
        length = self._length * (self._steps / self._measured)
        context.log(
            {
                "path_length": length,
                "net_displacement": displacement,
                "path_efficiency": ratio(displacement, length),
            }
        )

"""The mean gradient of each epoch, and how it varies from epoch to epoch."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook, WindowHook
from versus.core.hooks.measures import DEGREES, columns, cosine, norm, ratio
from versus.core.learner import Metrics


class GradientSettings(HookSettings):
    """When hooks of the epoch's gradient look: in the same epochs, which then share its sum."""

    every: int = 5
    """Distance in epochs from one burst to the next."""


class Norms(KeepingHook):
    """Size of the mean gradient of an epoch, in all and per parameter."""

    name = "norms"
    unit = "epoch"
    uses = frozenset({"epoch_gradient"})
    points = ("POST_EPOCH",)
    cost = "an addition per step of due epochs, which other hooks share (1 % of a step), and norms"
    metrics: ClassVar = {
        "total_norm": "norm of the mean gradient of the epoch's steps",
        "max_component": "its largest absolute component",
        "mean_component": "mean absolute component",
        "norm_{parameter}": "norm of one parameter's part",
    }
    Settings = GradientSettings

    def compute(self, context: Context) -> Metrics:
        """Norms of the epoch's gradient."""
        gradient = context.epoch_gradient
        parts = columns(gradient, context.shapes)
        sizes = gradient.abs()
        return {
            "total_norm": norm(gradient),
            "max_component": sizes.amax(-1),
            "mean_component": sizes.mean(-1),
            **{f"norm_{name}": norm(part) for name, part in parts.items()},
        }


class ConsecutiveSettings(HookSettings):
    """When consecutive looks: at pairs of epochs."""

    every: int = 10
    """Distance in epochs from one burst to the next."""
    burst: int = Field(2, ge=2)
    """How many in a row."""


class Consecutive(KeepingHook):
    """Angle between the mean gradients of two epochs in a row."""

    name = "consecutive"
    unit = "epoch"
    uses = frozenset({"epoch_gradient"})
    points = ("POST_EPOCH",)
    cost = "as norms, and a copy of the gradient per due epoch (0.2 % of a step)"
    metrics: ClassVar = {
        "cos_sim": "cosine between the mean gradients of this epoch and of the one before",
        "angle_degrees": "the angle itself",
    }
    Settings = ConsecutiveSettings
    kept = ("_previous", "_epoch")

    _previous: Tensor | None = None
    _epoch = -1

    def compute(self, context: Context) -> Metrics:
        """Cosine and angle, where the epoch before was looked at too."""
        gradient, previous = context.epoch_gradient, self._previous
        follows, self._epoch = context.epoch == self._epoch + 1, context.epoch
        goes_on = self.settings.due(context.epoch + 1)
        self._previous = gradient.clone() if goes_on else None
        if previous is None or not follows:
            return {}
        similarity = cosine(gradient, previous)
        return {"cos_sim": similarity, "angle_degrees": similarity.acos() * DEGREES}


class VarianceSettings(GradientSettings):
    """When variance looks."""

    window: int = Field(10, ge=2)
    """How many measured epochs are compared."""


class Variance(WindowHook):
    """Spread of the mean gradients of the last epochs.

    All of it follows from the inner products of the gradients, of which one row is new per epoch.
    """

    name = "variance"
    unit = "epoch"
    uses = frozenset({"epoch_gradient"})
    points = ("POST_EPOCH",)
    cost = (
        "as norms, and one inner product per epoch of the window (0.5 % of a step); keeps "
        "their gradients"
    )
    metrics: ClassVar = {
        "gradient_variance": "sum over components of their variance over the window (n - 1)",
        "mean_pairwise_cos": "mean cosine over all pairs of the window",
        "signal_to_noise": "norm(mean gradient) / sqrt(gradient_variance)",
        "window_mean_norm": "norm of the mean gradient of the window",
    }
    Settings = VarianceSettings

    def compute(self, context: Context) -> Metrics:
        """Statistics of the window, from two epochs on."""
        gram = self.window.push(context.epoch_gradient)
        return _window_metrics(gram) if gram.shape[-1] > 1 else {}


def _window_metrics(gram: Tensor) -> Metrics:
    """From inner products (S, n, n)."""
    n = gram.shape[-1]
    squares = gram.diagonal(dim1=-2, dim2=-1)
    mean_square = gram.sum((-2, -1)).clamp(min=0) / n**2
    variance = (squares.sum(-1) - n * mean_square).clamp(min=0) / (n - 1)
    lengths = squares.sqrt()
    cosines = ratio(gram, lengths[..., :, None] * lengths[..., None, :])
    upper = torch.triu_indices(n, n, 1, device=gram.device)
    return {
        "gradient_variance": variance,
        "mean_pairwise_cos": cosines[..., upper[0], upper[1]].mean(-1),
        "signal_to_noise": ratio(mean_square.sqrt(), variance.sqrt()),
        "window_mean_norm": mean_square.sqrt(),
    }

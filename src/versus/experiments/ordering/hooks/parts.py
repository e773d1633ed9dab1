"""What the hooks of modular arithmetic read from its learner."""

import math
from collections.abc import Callable, Mapping
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from versus.core.hooks.base import Context
from versus.core.hooks.measures import share
from versus.core.learner import Metrics
from versus.experiments.ordering.config import Comparison
from versus.experiments.ordering.model import Transformer


@runtime_checkable
class ModularLearner(Protocol):
    """It learns a table of pairs modulo p by a transformer."""

    @property
    def model(self) -> Transformer:
        """Sizes, and the forward pass."""

    @property
    def settings(self) -> Comparison:
        """What all runs of the stack share."""

    @property
    def train_pairs(self) -> Tensor:
        """Pairs (a, b), (S, n, 2); likewise labels (S, n) and the test's."""

    @property
    def train_labels(self) -> Tensor:
        """Answers, (S, n)."""

    @property
    def test_pairs(self) -> Tensor:
        """As ``train_pairs``."""

    @property
    def test_labels(self) -> Tensor:
        """As ``train_labels``."""

    def model_parameters(self) -> Mapping[str, Tensor]:
        """Parameter name -> present values, (S, *shape)."""


def modular(context: Context) -> ModularLearner:
    """The learner, seen as one of modular arithmetic."""
    return cast(ModularLearner, context.learner)


def parameters(context: Context) -> dict[str, Tensor]:
    """Present parameters without gradient, (S, *shape) each."""
    return {name: value.detach() for name, value in modular(context).model_parameters().items()}


def strides(context: Context) -> list[int]:
    """The stride of each run's order, floor(sqrt(p)) where it has none of its own."""
    usual = math.isqrt(modular(context).model.p)
    engine = getattr(context.learner, "engine", None)
    own = [getattr(settings, "stride", None) for settings in getattr(engine, "settings", ())]
    return [one or usual for one in own] or [usual] * len(context.learner.runs)


def by_stride(context: Context, measure: Callable[[int], Mapping[str, Tensor]]) -> Metrics:
    """What ``measure(stride)`` says of all runs, taken for each run at its own stride."""
    widths = strides(context)
    measured = {width: measure(width) for width in dict.fromkeys(widths)}
    return {
        name: torch.stack([measured[width][name][run] for run, width in enumerate(widths)])
        for name in next(iter(measured.values()))
    }


def frequency_shares(rows: Tensor) -> Tensor:
    """Share of each frequency 1 .. p // 2 in the power of signals along the tokens.

    Args:
        rows: (..., p, n): n signals over p tokens, whose powers are summed.

    Returns:
        (..., p // 2), summing to one; the constant is left out.
    """
    return share(powers(rows).sum(-1))


def powers(rows: Tensor) -> Tensor:
    """Power at the frequencies 1 .. p // 2 of each signal, (..., p, n) -> (..., p // 2, n)."""
    p = rows.shape[-2]
    spectrum: Tensor = torch.fft.rfft(rows, dim=-2).abs()[..., 1:, :] ** 2
    if p % 2 == 0:  # every other frequency stands for itself and its negative
        spectrum[..., -1, :] /= 2
    return spectrum

"""What the reference loops share: reading and writing token by token."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from versus.experiments.memory.rules import RuleSettings

Update = Callable[[int, Tensor, Tensor], Tensor]


class Trace(NamedTuple):
    """What a run leaves behind.

    Attributes:
        predictions: ``M_{t-1} k_t`` for every t, or ``M_t k_t`` where read is after, (T, rows).
        memory: ``M_T``, (rows, dim).
        clipped: Number of updates whose norm was limited.
    """

    predictions: Tensor
    memory: Tensor
    clipped: int


def replay(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None, update: Update
) -> Trace:
    """Read and write token by token; ``update(t, M_{t-1}, M_{t-1} k_t)`` gives M_t unclipped."""
    if memory is None:
        memory = keys.new_zeros(values.shape[1], keys.shape[1])
    predictions, clipped = torch.empty_like(values), 0
    for t in range(len(keys)):
        predictions[t] = prediction = memory @ keys[t]
        proposal = update(t, memory, prediction)
        if settings.clip > 0:
            change = proposal - memory
            norm = torch.linalg.vector_norm(change, dtype=torch.float64)
            if norm > settings.clip:
                proposal = memory + change * (settings.clip / norm)
                clipped += 1
        memory = proposal
        if settings.read == "after":
            predictions[t] = memory @ keys[t]
    return Trace(predictions, memory, clipped)


def window_of(settings: RuleSettings, t: int) -> slice:
    """The tokens of the window that ends at t."""
    return slice(max(0, t + 1 - settings.window), t + 1)


def recency(gamma: float, pairs: Tensor) -> Tensor:
    """Weights gamma^(n-1), ..., gamma, 1 of n pairs, oldest first, (n, 1)."""
    ages = torch.arange(len(pairs) - 1, -1, -1, dtype=pairs.dtype)
    return (gamma**ages)[:, None]

"""Reference form of every rule: one run on one stream, a loop which reads like its equation.

All functions take ``keys`` (T, dim) and ``values`` (T, rows) of one floating dtype and an initial
memory (rows, dim), zeros if not given. They are the baseline of the speed benchmarks: vectorised
over the window, one token at a time.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from versus.experiments.memory.rules import RuleSettings

RANK_TOLERANCE = 1e-7
"""Singular values of a window's keys below this share of the largest count as zero (float32)."""

Update = Callable[[int, Tensor, Tensor], Tensor]


class Trace(NamedTuple):
    """What a run leaves behind.

    Attributes:
        predictions: ``M_{t-1} k_t`` for every t, (T, rows).
        memory: ``M_T``, (rows, dim).
        clipped: Number of updates whose norm was limited.
    """

    predictions: Tensor
    memory: Tensor
    clipped: int


def run(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """Write a stream with the rule that ``settings.updater`` names."""
    rule = {"Delta": delta, "Omega": omega, "OmegaRidge": omega_ridge, "RLS": rls}
    return rule[settings.updater](settings, keys, values, memory)


def delta(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """M_t = (1 - lr reg) M_{t-1} - lr (M_{t-1} k_t - v_t) k_t^T."""
    decay = 1 - settings.lr * settings.reg

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        error = prediction - values[t]
        return decay * memory - settings.lr * torch.outer(error, keys[t])

    return _replay(settings, keys, values, memory, update)


def omega(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """M <- M - lr sum_i gamma^(t-i) (M k_i - v_i) k_i^T, ``inner_steps`` times per token.

    The first of the steps decays M by 1 - lr reg.
    """
    decay = 1 - settings.lr * settings.reg

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        window = slice(max(0, t + 1 - settings.window), t + 1)
        k, v = keys[window], values[window]
        weighted = k if settings.gamma == 1 else _recency(settings.gamma, k) * k
        for step in range(settings.inner_steps):
            gradient = (memory @ k.T - v.T) @ weighted
            memory = (decay if step == 0 else 1) * memory - settings.lr * gradient
        return memory

    return _replay(settings, keys, values, memory, update)


def omega_ridge(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """M_t = B (G + reg I)^-1 with G = sum_i k_i k_i^T and B = sum_i v_i k_i^T over the window.

    With reg = 0 it is the minimum-norm solution. Solved in float64.
    """
    k64, v64 = keys.double(), values.double()
    ridge = settings.reg * torch.eye(keys.shape[1], dtype=torch.float64)

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        window = slice(max(0, t + 1 - settings.window), t + 1)
        k, v = k64[window], v64[window]
        if settings.reg == 0:
            weights: Tensor = torch.linalg.pinv(k, rtol=RANK_TOLERANCE).T
        else:
            weights = k @ torch.linalg.inv(k.T @ k + ridge)
        return (v.T @ weights).to(memory.dtype)

    return _replay(settings, keys, values, memory, update)


def rls(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """The optimum of :func:`omega_ridge`, reg > 0, by recursion on it and on P = (G + reg I)^-1.

    Each token is added and the one that leaves the window is removed, in float64.
    """
    k64, v64 = keys.double(), values.double()
    inverse = torch.eye(keys.shape[1], dtype=torch.float64) / settings.reg
    optimum = torch.zeros(values.shape[1], keys.shape[1], dtype=torch.float64)

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        nonlocal inverse, optimum
        optimum, inverse = _sherman_morrison(optimum, inverse, k64[t], v64[t], 1)
        old = t - settings.window
        if old >= 0:
            optimum, inverse = _sherman_morrison(optimum, inverse, k64[old], v64[old], -1)
        return optimum.to(memory.dtype)

    return _replay(settings, keys, values, memory, update)


def _replay(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None, update: Update
) -> Trace:
    """Read and write token by token; ``update(t, M_{t-1}, prediction)`` gives M_t unclipped."""
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
    return Trace(predictions, memory, clipped)


def _recency(gamma: float, pairs: Tensor) -> Tensor:
    """Weights gamma^(n-1), ..., gamma, 1 of n pairs, oldest first, (n, 1)."""
    ages = torch.arange(len(pairs) - 1, -1, -1, dtype=pairs.dtype)
    return (gamma**ages)[:, None]


def _sherman_morrison(
    optimum: Tensor, inverse: Tensor, key: Tensor, value: Tensor, sign: int
) -> tuple[Tensor, Tensor]:
    """Add (sign 1) or remove (sign -1) one pair."""
    direction = inverse @ key
    gain = sign * direction / (1 + sign * (key @ direction))
    error = optimum @ key - value
    return optimum - torch.outer(error, gain), inverse - torch.outer(gain, direction)

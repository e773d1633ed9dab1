"""Reference form of the rules that solve a system at each token; see :mod:`.naive`."""

import torch
from torch import Tensor

from versus.experiments.memory.replay import Trace, recency, replay, window_of
from versus.experiments.memory.rules import RuleSettings

RANK_TOLERANCE = 1e-7
"""Singular values of a window's keys below this share of the largest count as zero (float32)."""

RIDGE_FLOOR = 1e-12
"""Smallest ridge of an implicit step, as a share of the trace: no larger step is resolved."""


def prox_omega(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """M_t = argmin |M - M_{t-1}|^2 + lr sum_i gamma^(t-i) |M k_i - v_i|^2 + lr reg |M|^2.

    With the window's keys K and values V as rows, each times the root of its weight,
    a = 1 / (1 + lr reg) and r = 1 / (lr a): M_t = a M_{t-1} + (V - a K M_{t-1}^T)^T P with
    P = (K K^T + r I)^-1 K = K (K^T K + r I)^-1, the smaller system solved in float64.
    """
    k64, v64 = keys.double(), values.double()
    decay = 1 / (1 + settings.lr * settings.reg)

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        window = window_of(settings, t)
        root = recency(settings.gamma**0.5, k64[window])
        k, v = root * k64[window], root * v64[window]
        system = k @ k.T if len(k) <= k.shape[1] else k.T @ k
        ridge = (RIDGE_FLOOR * system.trace()).clamp(min=1 / settings.lr + settings.reg)
        system = system + ridge * torch.eye(len(system), dtype=torch.float64)
        if len(k) <= k.shape[1]:
            weights: Tensor = torch.linalg.solve(system, k)
        else:
            weights = torch.linalg.solve(system, k.T).T
        kept = decay * memory.double()
        return (kept + (v - k @ kept.T).T @ weights).to(memory.dtype)

    return replay(settings, keys, values, memory, update)


def omega_ridge(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """M_t = B (G + reg I)^-1 with G = sum_i k_i k_i^T and B = sum_i v_i k_i^T over the window.

    With reg = 0 it is the minimum-norm solution. Solved in float64.
    """
    k64, v64 = keys.double(), values.double()
    ridge = settings.reg * torch.eye(keys.shape[1], dtype=torch.float64)

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        window = window_of(settings, t)
        k, v = k64[window], v64[window]
        if settings.reg == 0:
            weights: Tensor = torch.linalg.pinv(k, rtol=RANK_TOLERANCE).T
        else:
            weights = k @ torch.linalg.inv(k.T @ k + ridge)
        return (v.T @ weights).to(memory.dtype)

    return replay(settings, keys, values, memory, update)


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

    return replay(settings, keys, values, memory, update)


def mesa(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """M_t = B_t (G_t + reg I)^-1, G_t = gamma G_{t-1} + k_t k_t^T, B_t = gamma B_{t-1} + v_t k_t^T.

    Solved in float64.
    """
    k64, v64 = keys.double(), values.double()
    ridge = settings.reg * torch.eye(keys.shape[1], dtype=torch.float64)
    gram, cross = torch.zeros_like(ridge), k64.new_zeros(values.shape[1], keys.shape[1])

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        nonlocal gram, cross
        gram = settings.gamma * gram + torch.outer(k64[t], k64[t])
        cross = settings.gamma * cross + torch.outer(v64[t], k64[t])
        optimum: Tensor = torch.linalg.solve(gram + ridge, cross.T).T
        return optimum.to(memory.dtype)

    return replay(settings, keys, values, memory, update)


def _sherman_morrison(
    optimum: Tensor, inverse: Tensor, key: Tensor, value: Tensor, sign: int
) -> tuple[Tensor, Tensor]:
    """Add (sign 1) or remove (sign -1) one pair."""
    direction = inverse @ key
    gain = sign * direction / (1 + sign * (key @ direction))
    error = optimum @ key - value
    return optimum - torch.outer(error, gain), inverse - torch.outer(gain, direction)

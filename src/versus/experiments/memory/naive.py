"""Reference form of every rule: one run on one stream, a loop which reads like its equation.

All functions take ``keys`` (T, dim) and ``values`` (T, rows) of one floating dtype and an initial
memory (rows, dim), zeros if not given. They are the baseline of the speed benchmarks: vectorised
over the window, one token at a time. :func:`run` and :func:`read` map keys and queries to features
first; dim is the dimension of these. All of it is differentiable.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from versus.experiments.memory.features import expand
from versus.experiments.memory.naive_optimum import mesa, omega_ridge, prox_omega, rls
from versus.experiments.memory.replay import Trace, recency, replay, window_of
from versus.experiments.memory.rules import RuleSettings

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of Muon's iteration X <- a X + b X X^T X + c (X X^T)^2 X (K. Jordan, 2024)."""


def run(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """Write a stream with the rule that ``settings.updater`` names."""
    keys = expand(settings.features, keys)
    return _RULES[settings.updater](settings, keys, values, memory)


def read(settings: RuleSettings, memory: Tensor, queries: Tensor) -> Tensor:
    """What a memory (rows, dim) answers to queries (m, key dimension): (m, rows)."""
    return expand(settings.features, queries) @ memory.mT


def delta(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """M_t = (1 - lr reg) M_{t-1} - lr (M_{t-1} k_t - v_t) k_t^T."""
    decay = 1 - settings.lr * settings.reg

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        error = prediction - values[t]
        return decay * memory - _step_size(settings, keys[t : t + 1]) * torch.outer(error, keys[t])

    return replay(settings, keys, values, memory, update)


def gated_delta(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """M_t = a M_{t-1} - lr (a M_{t-1} k_t - v_t) k_t^T with a = 1 - lr reg."""
    decay = 1 - settings.lr * settings.reg

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        error = decay * prediction - values[t]
        return decay * memory - _step_size(settings, keys[t : t + 1]) * torch.outer(error, keys[t])

    return replay(settings, keys, values, memory, update)


def nlms(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """M_t = M_{t-1} - lr / (reg + |k_t|^2) (M_{t-1} k_t - v_t) k_t^T."""

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        step = settings.lr * inverse(keys[t] @ keys[t], settings.reg)
        return memory - step * torch.outer(prediction - values[t], keys[t])

    return replay(settings, keys, values, memory, update)


def longhorn(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """M_t = argmin_M |M - M_{t-1}|^2 + lr |M k_t - v_t|^2 + lr reg |M|^2.

    That is M_t = a M_{t-1} - b / (1 + b |k_t|^2) (a M_{t-1} k_t - v_t) k_t^T with
    a = 1 / (1 + lr reg) and b = lr a.
    """
    decay = 1 / (1 + settings.lr * settings.reg)

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        step = inverse(keys[t] @ keys[t], 1 / settings.lr + settings.reg)
        return decay * memory - step * torch.outer(decay * prediction - values[t], keys[t])

    return replay(settings, keys, values, memory, update)


def titans(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """S_t = momentum S_{t-1} - lr (M_{t-1} k_t - v_t) k_t^T, M_t = (1 - lr reg) M_{t-1} + S_t."""
    decay = 1 - settings.lr * settings.reg
    surprise = keys.new_zeros(values.shape[1], keys.shape[1])

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        nonlocal surprise
        step = _step_size(settings, keys[t : t + 1])
        surprise = settings.momentum * surprise - step * torch.outer(
            prediction - values[t], keys[t]
        )
        return decay * memory + surprise

    return replay(settings, keys, values, memory, update)


def omega(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """M <- M - lr sum_i gamma^(t-i) (M k_i - v_i) k_i^T, ``inner_steps`` times per token.

    The first of the steps decays M by 1 - lr reg.
    """
    decay = 1 - settings.lr * settings.reg

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        window = window_of(settings, t)
        k, v = keys[window], values[window]
        weighted = k if settings.gamma == 1 else recency(settings.gamma, k) * k
        step_size = _step_size(settings, k)
        for step in range(settings.inner_steps):
            gradient = (memory @ k.T - v.T) @ weighted
            memory = (decay if step == 0 else 1) * memory - step_size * gradient
        return memory

    return replay(settings, keys, values, memory, update)


def atlas(
    settings: RuleSettings, keys: Tensor, values: Tensor, memory: Tensor | None = None
) -> Trace:
    """S_t = momentum S_{t-1} + sum_i gamma^(t-i) (M_{t-1} k_i - v_i) k_i^T over the window.

    M_t = (1 - lr reg) M_{t-1} - lr NS(S_t), see :func:`newton_schulz`. In float64, because the
    iterations enlarge rounding errors about 500 times.
    """
    k64, v64 = keys.double(), values.double()
    decay = 1 - settings.lr * settings.reg
    surprise = k64.new_zeros(values.shape[1], keys.shape[1])

    def update(t: int, memory: Tensor, prediction: Tensor) -> Tensor:
        nonlocal surprise
        window, m = window_of(settings, t), memory.double()
        k, v = k64[window], v64[window]
        gradient = (m @ k.T - v.T) @ (recency(settings.gamma, k) * k)
        surprise = settings.momentum * surprise + gradient
        return (decay * m - settings.lr * newton_schulz(surprise)).to(memory.dtype)

    return replay(settings, keys, values, memory, update)


_RULES: dict[str, Callable[[RuleSettings, Tensor, Tensor, Tensor | None], Trace]] = {
    "Delta": delta,
    "GatedDelta": gated_delta,
    "NLMS": nlms,
    "Longhorn": longhorn,
    "Titans": titans,
    "Omega": omega,
    "Atlas": atlas,
    "ProxOmega": prox_omega,
    "OmegaRidge": omega_ridge,
    "RLS": rls,
    "Mesa": mesa,
}


def newton_schulz(matrix: Tensor) -> Tensor:
    """Bring all singular values of matrices (..., rows, columns) near 1 in five iterations."""
    if matrix.shape[-2] > matrix.shape[-1]:
        return newton_schulz(matrix.mT).mT
    norm = torch.linalg.vector_norm(matrix, dim=(-2, -1), keepdim=True)
    x: Tensor = matrix / norm.clamp(min=torch.finfo(matrix.dtype).tiny)
    a, b, c = NEWTON_SCHULZ
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def inverse(square: Tensor, ridge: Tensor | float = 0.0) -> Tensor:
    """1 / (square + ridge), but 0 where the squared length is: a key of zeros makes no step."""
    nothing = square < torch.finfo(square.dtype).tiny
    return (square + ridge).masked_fill(nothing, torch.inf).reciprocal()


def _step_size(settings: RuleSettings, pairs: Tensor) -> Tensor | float:
    """The rate lr, normalised by the keys (n, dim) of the window."""
    if settings.step_norm == "none":
        return settings.lr
    weights = recency(settings.gamma, pairs)
    if settings.step_norm == "mean":
        return settings.lr / weights.sum()
    return settings.lr * inverse((weights * pairs.square()).sum())

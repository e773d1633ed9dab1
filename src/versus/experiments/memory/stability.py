"""Whether a step is small enough: its size times the largest eigenvalue of the loss.

On a fixed window with weighted Gram matrix G, a rule of gradient steps multiplies the error along
each eigenvector of G by a factor of x = step size times eigenvalue, and blows up iff the factor
exceeds 1 in modulus. Shapes: S streams, T tokens.
"""

import math

import torch
from torch import Tensor

from versus.experiments.memory.features import expand
from versus.experiments.memory.naive import inverse
from versus.experiments.memory.rules import RuleSettings, canonical

SAMPLES = 8
"""Windows that are looked at besides the last one."""


def limit(settings: RuleSettings) -> float:
    """The x above which the rule is unstable; infinity if no step size makes it blow up.

    Factor of the error per eigenvector, with decay a = 1 - lr reg and momentum m: Delta a - x,
    GatedDelta a (1 - x), NLMS 1 - x, Omega (a - x) (1 - x)^(inner_steps - 1), Titans the matrix
    ((a - x, m), (-x, m)), whose eigenvalues leave the unit circle at -1. If a < -1, memories blow
    up without any key, and the limit is 0 or less.
    """
    decay = 1 - settings.lr * settings.reg
    match settings.updater:
        case "Delta":
            return 1 + decay
        case "GatedDelta":
            return (1 + 1 / abs(decay) if decay else math.inf) if decay >= -1 else 0.0
        case "NLMS":
            return 2.0
        case "Titans":
            return (1 + decay) * (1 + settings.momentum)
        case "Omega":
            return _omega_limit(decay, settings.inner_steps)
    return math.inf


def _omega_limit(decay: float, inner_steps: int) -> float:
    """Where (x - a) (x - 1)^(n-1) = 1: it rises from x = 1 on and reaches 1 until x = 2."""
    if inner_steps == 1 or decay < -1:
        return 1 + decay
    low, high = 1.0, 2.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        stable = (middle - decay) * (middle - 1) ** (inner_steps - 1) < 1
        low, high = (middle, high) if stable else (low, middle)
    return low


def step_times_eigenvalue(settings: RuleSettings, keys: Tensor) -> Tensor:
    """The largest x of the windows that :func:`largest_eigenvalue` looks at, (S,) float64.

    0 for rules whose limit is infinite. Give the pairs that the first windows reach back to at the
    front of ``keys`` (S, T, dim).
    """
    one = canonical(settings)
    if limit(one) == math.inf:
        return torch.zeros(len(keys), dtype=torch.float64, device=keys.device)
    windows, weights = _windows(one, keys)
    eigenvalues = _largest_eigenvalue(windows)
    if one.updater == "NLMS":
        x = one.lr * eigenvalues * inverse(eigenvalues, one.reg)
    elif one.step_norm == "trace":
        x = one.lr * eigenvalues * inverse(windows.square().sum((2, 3)))
    elif one.step_norm == "mean":
        x = one.lr * eigenvalues / weights
    else:
        x = one.lr * eigenvalues
    return x.nan_to_num(nan=torch.inf, posinf=torch.inf).amax(1)


def largest_eigenvalue(settings: RuleSettings, keys: Tensor) -> Tensor:
    """Largest eigenvalue of sum_i gamma^(t-i) k_i k_i^T over windows, (S, samples) float64.

    The windows end at the last and at up to eight more tokens, evenly spaced; of windows of one
    pair, whose eigenvalue is |k|^2, all are taken. Infinite where keys are not finite.

    Args:
        settings: Give window, gamma and features.
        keys: (S, T, dim); windows do not reach back beyond them.
    """
    return _largest_eigenvalue(_windows(canonical(settings), keys)[0])


def _windows(settings: RuleSettings, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Keys of each window times the roots of their weights, and the sum of the weights.

    Returns:
        (S, samples, c, feature dim) float64, empty slots zero, and (samples,).
    """
    features = expand(settings.features, keys.double())
    tokens = features.shape[1]
    width = min(settings.window, tokens)
    count = tokens if width == 1 else min(tokens, SAMPLES + 1)
    ends = torch.arange(1, count + 1) * tokens // count - 1
    ages = torch.arange(width - 1, -1, -1, dtype=torch.float64, device=keys.device)
    weights = settings.gamma**ages
    padded = torch.nn.functional.pad(features, (0, 0, width - 1, 0))
    windows = padded[:, ends[:, None] + torch.arange(width)] * weights.sqrt()[:, None]
    present = (torch.arange(width) + ends[:, None] >= width - 1).to(weights)
    return windows, present @ weights


def _largest_eigenvalue(windows: Tensor) -> Tensor:
    """Of the smaller of the two Gram matrices of windows (S, samples, c, dim)."""
    pairs, dim = windows.shape[2:]
    gram = windows @ windows.mT if pairs <= dim else windows.mT @ windows
    if gram.shape[-1] == 1:
        return gram[..., 0, 0].nan_to_num(nan=torch.inf, posinf=torch.inf)
    finite = gram.flatten(2).isfinite().all(2)
    largest: Tensor = torch.linalg.eigvalsh(gram.nan_to_num(0, 0, 0))[..., -1]
    return largest.masked_fill(~finite, torch.inf)

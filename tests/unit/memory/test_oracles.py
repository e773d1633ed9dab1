"""The closed forms against simulation through the fast rules.

Each comparison allows four standard errors over independent streams (their maps, keys and noise
differ) and, where a formula is approximate for the keys used, its stated error.
"""

import functools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from versus.experiments.memory import fast, oracles
from versus.experiments.memory.data import scenarios
from versus.experiments.memory.rules import RuleSettings

DIM, ROWS = 32, 8


@functools.cache
def streams(
    count: int, steps: int, kind: str = "linear", dim: int = DIM, **parameters: Any
) -> tuple[Tensor, Tensor]:
    drawn = [
        scenarios.generate(kind, steps=steps, dim=dim, rows=ROWS, seed=seed, **parameters)
        for seed in range(count)
    ]
    keys, values = np.stack([s.keys for s in drawn]), np.stack([s.values for s in drawn])
    return torch.from_numpy(keys), torch.from_numpy(values)


def squared_errors(
    group: list[RuleSettings], keys: Tensor, values: Tensor
) -> tuple[Tensor, fast.FastRule]:
    """Prequential squared errors, mean over rows, (S, R, T), and the rule."""
    rule = fast.make(group, len(keys), values.shape[2], keys.shape[2])
    return (rule.write(keys, values) - values[:, None]).square().mean(3).double(), rule


def assert_mean(samples: Tensor, expected: float, relative: float = 0.0) -> None:
    """The mean of independent samples is the expected one within four standard errors."""
    error = float(samples.std() / math.sqrt(len(samples)))
    assert float(samples.mean()) == pytest.approx(expected, abs=4 * error + relative * expected)


def test_delta_reaches_its_steady_state() -> None:
    keys, values = streams(24, 1500, noise=0.1)
    steps = (0.1, 0.3, 0.5, 1.0, 1.5)
    squares, _ = squared_errors([RuleSettings("Delta", lr=mu) for mu in steps], keys, values)
    for run, mu in enumerate(steps):
        # After 1000 steps the transient is below 1e-2 ** 2 for the slowest of them, mu = 0.1.
        start = oracles.delta_error(mu, 0.1, DIM, 1000) / oracles.delta_steady_state(mu, 0.1) - 1
        assert_mean(squares[:, run, 1000:].mean(1), oracles.delta_steady_state(mu, 0.1), start)


def test_normalised_steps_reach_the_steady_state_of_their_step() -> None:
    keys, values = streams(24, 1500, noise=0.1)
    # Of unit keys the normaliser is 1 + reg, and the implicit step lr / (1 + lr).
    group = [RuleSettings("NLMS", lr=0.6, reg=0.5), RuleSettings("NLMS", lr=1.5)]
    nlms, _ = squared_errors(group, keys, values)
    longhorn, _ = squared_errors([RuleSettings("Longhorn", lr=lr) for lr in (1, 9)], keys, values)
    for squares, steps in ((nlms, (0.4, 1.5)), (longhorn, (0.5, 0.9))):
        for run, mu in enumerate(steps):
            assert_mean(squares[:, run, 1000:].mean(1), oracles.delta_steady_state(mu, 0.1))


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_delta_transient_is_exact(noise: float) -> None:
    keys, values = streams(300, 61, noise=noise)
    squares, _ = squared_errors([RuleSettings("Delta", lr=0.6)], keys, values)
    for written in (0, 1, 5, 20, 60):
        expected = oracles.delta_error(0.6, noise, DIM, written)
        assert_mean(squares[:, 0, written], expected)


def test_delta_is_unstable_outside_its_range() -> None:
    assert oracles.delta_steady_state(2.0, 0.1) == math.inf
    assert oracles.delta_transient_factor(2.0, DIM) == 1
    assert oracles.delta_transient_factor(2.1, DIM) > 1


@pytest.mark.parametrize("keys_kind", ["unit", "gaussian"])
@pytest.mark.parametrize("window", [8, 16, 24, 40, 64, 128])
def test_window_least_squares(keys_kind: str, window: int) -> None:
    # Gaussian keys of variance 1/d are those of the exact formula.
    scale = 1 if keys_kind == "unit" else DIM**0.5
    keys, values = streams(60, 300, keys=keys_kind, noise=0.1 * scale)
    group = [RuleSettings("OmegaRidge", window)]
    squares, _ = squared_errors(group, keys / scale, values / scale)
    approximation = 0.05 if keys_kind == "unit" else 0.0
    expected = oracles.least_squares(window, DIM, 0.1)
    assert_mean(squares[:, 0, window:].mean(1), expected, approximation)


def test_the_pole_of_least_squares_and_what_a_ridge_does_there() -> None:
    keys, values = streams(50, 200, noise=0.1)
    group = [RuleSettings("OmegaRidge", DIM, reg=reg) for reg in (0.0, 0.01)]
    squares, _ = squared_errors(group, keys, values)
    plain, ridge = squares[:, :, DIM:].mean((0, 2))
    assert oracles.least_squares(DIM, DIM, 0.1) == math.inf
    assert plain > 10
    assert ridge < 0.2


def test_the_seeds_csv() -> None:
    # Its Omega with dim 10, window 5 has errors of 4.69 to 5.19: Gaussian keys, signal 10.
    keys, values = streams(60, 200, dim=10, keys="gaussian", noise=0.1)
    squares, _ = squared_errors([RuleSettings("OmegaRidge", 5)], keys, values)
    expected = 10 * oracles.least_squares(5, 10, 0.1 / math.sqrt(10))
    assert expected == pytest.approx(5, rel=0.01)
    assert_mean(squares[:, 0, 5:].mean(1), expected)


def test_recursive_least_squares_over_time() -> None:
    scale = DIM**0.5
    keys, values = streams(100, 300, keys="gaussian", noise=0.1 * scale)
    # The ridge is far below the noise, so its bias does not show.
    group = [RuleSettings("RLS", 10**6, reg=1e-6)]
    squares, _ = squared_errors(group, keys / scale, values / scale)
    for written in (0, 8, 16, 24, 40, 64, 150, 299):
        expected = oracles.recursive_least_squares(written, DIM, 0.1)
        assert_mean(squares[:, 0, written], expected)


@pytest.mark.parametrize("ratio", [0.25, 0.5, 1, 2, 4])
@pytest.mark.parametrize("power", [0.0, 1.0])
def test_one_pass_recall(ratio: float, power: float) -> None:
    pairs = int(ratio * DIM)
    keys, values = streams(60, pairs, "unrelated", noise=0.0, power=power)
    _, rule = squared_errors([RuleSettings("OmegaRidge", pairs)], keys, values)
    reads = keys @ rule.state["memory"][:, 0].mT
    errors = (reads - values).square().mean((1, 2)) / values.square().mean((1, 2))
    expected = oracles.one_pass_recall(pairs, DIM)
    if expected == 0:
        # What is left is the rounding of a float32 memory, worst where n = d is ill-conditioned.
        assert errors.max() < 1e-4
    else:
        assert_mean(errors.double(), expected)


def test_errors_are_normalised_by_the_variance_of_the_values() -> None:
    assert oracles.normalised(0.5, 1.0) == 0.25

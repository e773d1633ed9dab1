"""The fast rules equal the reference loops."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.unit.memory.rule_checks import (
    F32,
    F64,
    assert_equals_naive,
    deviation,
    white,
    write,
)
from versus.experiments.memory.naive_optimum import RANK_TOLERANCE
from versus.experiments.memory.rules import RuleSettings
from versus.experiments.memory.stability import limit

SIZES = {
    "window": st.integers(1, 40),
    "steps": st.integers(1, 130),
    "dim": st.integers(1, 20),
    "rows": st.integers(1, 4),
    "streams": st.integers(1, 2),
    "seed": st.integers(0, 1000),
    "chunks": st.lists(st.integers(1, 50), max_size=4),
    "dtype": st.sampled_from([F32, F64]),
}


OPTIONS = {
    "gamma": st.sampled_from([1.0, 0.9, 0.3]),
    "clip": st.sampled_from([0.0, 0.0, 0.3]),
    "features": st.sampled_from(["linear", "linear", "poly2"]),
    "read": st.sampled_from(["before", "before", "after"]),
}


def key_dim(dim: int, one: RuleSettings) -> int:
    """A dimension whose features are still few."""
    return dim if one.features == "linear" else min(dim, 6)


def stable_step(one: RuleSettings, speed: float, decay: float, steps: int) -> RuleSettings:
    """The same rule with this share of the largest stable step, for keys of length 1.

    An unstable rule amplifies the rounding errors of the loop itself without bound.
    """
    one = replace(one, lr=1.0, reg=1 - decay)
    largest = min(one.window, steps) if one.updater == "Omega" and one.step_norm == "none" else 1.0
    # The block form of Titans cancels terms of size lr / (1 - momentum).
    share = 1 - one.momentum if one.updater == "Titans" else 1
    lr = speed * 0.95 * share * min(max(limit(one), 0.1), 2.0) / largest
    return replace(one, lr=lr, reg=(1 - decay) / lr)


@settings(max_examples=150, deadline=None)
@given(
    updater=st.sampled_from(["Delta", "GatedDelta", "NLMS", "Titans", "Omega"]),
    speed=st.floats(0.01, 1.0),
    decay=st.sampled_from([1.0, 0.99, 0.5, 0.0]),
    inner=st.integers(1, 3),
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    step_norm=st.sampled_from(["none", "mean", "trace"]),
    **OPTIONS,
    **SIZES,
)
def test_gradient_rules_equal_the_loop(
    updater: str,
    speed: float,
    decay: float,
    inner: int,
    window: int,
    steps: int,
    dim: int,
    rows: int,
    streams: int,
    seed: int,
    chunks: list[int],
    dtype: torch.dtype,
    **options: Any,
) -> None:
    one = RuleSettings(updater, window, 1.0, inner_steps=inner, **options)
    one = stable_step(one, speed, decay, steps)
    keys, values = white(streams, steps, key_dim(dim, one), rows, seed, dtype)
    group = [one, replace(one, lr=one.lr / 3), replace(one, reg=0.0, lr=one.lr / 2)]
    assert_equals_naive(group, keys, values, chunks, 1e-5 if dtype == F32 else 1e-12)


@settings(max_examples=80, deadline=None)
@given(
    updater=st.sampled_from(["Longhorn", "ProxOmega"]),
    lr=st.sampled_from([0.01, 1.0, 100.0]),
    reg=st.sampled_from([0.0, 0.001, 3.0]),
    **OPTIONS,
    **SIZES,
)
def test_implicit_rules_equal_the_loop(
    updater: str,
    lr: float,
    reg: float,
    window: int,
    steps: int,
    dim: int,
    rows: int,
    streams: int,
    seed: int,
    chunks: list[int],
    dtype: torch.dtype,
    **options: Any,
) -> None:
    one = RuleSettings(updater, window, lr, reg, **options)
    keys, values = white(streams, steps, key_dim(dim, one), rows, seed, dtype)
    group = [one, replace(one, lr=lr / 3), replace(one, reg=0.1)]
    # The condition of the systems is at most 1 + lr lambda_max(G).
    exact = 1e-14 * (1 + lr * min(window, steps))
    assert_equals_naive(group, keys, values, chunks, exact + (1e-5 if dtype == F32 else 1e-12))


@settings(max_examples=40, deadline=None)
@given(
    lr=st.sampled_from([0.003, 0.01]),
    reg=st.sampled_from([0.0, 1.0]),
    momentum=st.sampled_from([0.0, 0.9]),
    **OPTIONS,
    **SIZES,
)
def test_atlas_equals_the_loop(
    lr: float,
    reg: float,
    momentum: float,
    window: int,
    steps: int,
    dim: int,
    rows: int,
    streams: int,
    seed: int,
    chunks: list[int],
    dtype: torch.dtype,
    **options: Any,
) -> None:
    one = RuleSettings("Atlas", window, lr, reg, momentum=momentum, **options)
    steps = min(steps, 60)
    keys, values = white(streams, steps, min(dim, 8), rows, seed, dtype)
    group = [one, replace(one, lr=lr / 3), replace(one, momentum=0.5)]
    # Small steps only: a step keeps its length however small the gradient is, so that near the
    # optimum rounding errors turn it, and the rule is chaotic.
    assert_equals_naive(group, keys, values, chunks, 1e-5 if dtype == F32 else 1e-10)


@settings(max_examples=60, deadline=None)
@given(
    updater=st.sampled_from(["OmegaRidge", "RLS", "Mesa"]),
    reg=st.sampled_from([1e-3, 0.1, 3.0]),
    **OPTIONS,
    **SIZES,
)
def test_optimum_equals_the_loop(
    updater: str,
    reg: float,
    window: int,
    steps: int,
    dim: int,
    rows: int,
    streams: int,
    seed: int,
    chunks: list[int],
    dtype: torch.dtype,
    **options: Any,
) -> None:
    one = RuleSettings(updater, window, reg=reg, **options)
    keys, values = white(streams, steps, key_dim(dim, one), rows, seed, dtype)
    group = [one, replace(one, reg=2 * reg)]
    # Both sides solve in float64 with an error of about eps times the condition of G + reg I, at
    # most 1 + c / reg. Removing a pair from the loop's inverse multiplies what error there is by
    # up to 1 + 1 / reg.
    condition = 1 + (steps if updater == "Mesa" else min(window, steps)) / reg
    removals = (1 + 1 / reg) * steps if updater == "RLS" else 1
    exact = 1e-14 * condition * removals
    assert_equals_naive(group, keys, values, chunks, exact + (1e-5 if dtype == F32 else 1e-12))


@settings(max_examples=40, deadline=None)
@given(**SIZES)
def test_minimum_norm_solution_equals_the_loop(
    window: int,
    steps: int,
    dim: int,
    rows: int,
    streams: int,
    seed: int,
    chunks: list[int],
    dtype: torch.dtype,
) -> None:
    keys, values = white(streams, steps, dim, rows, seed, dtype)
    group = [RuleSettings("OmegaRidge", window)]
    # Near c = d the condition of the normal equations is the squared one of the keys; below
    # PIVOT_TOLERANCE the singular values take over. In one dimension all keys are +-1.
    condition = max(
        _condition(k[max(0, t - window) : t]) for k in keys for t in range(1, steps + 1)
    )
    tolerance = 1e-13 * condition**2 + (1e-5 if dtype == F32 else 1e-12)
    assert_equals_naive(group, keys, values, chunks, tolerance)


def _condition(keys: Tensor) -> float:
    scale = torch.linalg.svdvals(keys.double())
    scale = scale[scale > RANK_TOLERANCE * scale[0]]
    return float(scale[0] / scale[-1])


@pytest.mark.parametrize("window", [6, 8, 12])
def test_minimum_norm_solution_of_repeated_keys(window: int) -> None:
    keys, values = white(1, 30, 8, 3)
    keys[:, 5:9] = keys[:, 4:5]
    keys[:, 20:] = keys[:, 10:20]
    keys[:, 15] = 0
    assert_equals_naive([RuleSettings("OmegaRidge", window)], keys, values, [11], 1e-10)


@pytest.mark.parametrize("reg", [1e-12, 1e-9])
def test_tiny_ridge_of_repeated_keys_is_close_to_the_minimum_norm(reg: float) -> None:
    keys, values = white(1, 30, 8, 3)
    keys[:, 1::2] = keys[:, ::2]
    group = [RuleSettings("OmegaRidge", 6, reg=r) for r in (0.0, reg)]
    _, predictions = write(group, keys, values)
    assert deviation(predictions[:, 1], predictions[:, 0]) < 1e-6

"""Streams: nested, comparable over kinds, with the moments that their parameters promise."""

from typing import Any

import numpy as np
import pytest

from versus.core.errors import ConfigError
from versus.experiments.memory.scenarios import KINDS, Scenario, draw, generate, preset

SIZES: dict[str, Any] = {"steps": 300, "dim": 16, "rows": 4, "seed": 7}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("power", [0.0, 1.0])
def test_shorter_and_smaller_streams_are_exact_prefixes(kind: str, power: float) -> None:
    whole = generate(kind, power=power, **SIZES)
    part = generate(kind, power=power, **{**SIZES, "steps": 123, "rows": 3})
    for large, small in zip(whole, part, strict=True):
        assert large.dtype == small.dtype == np.float32
        np.testing.assert_array_equal(large[:123, : small.shape[1]][:, :3], small[:, :3])


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_is_one_stream(kind: str) -> None:
    first, again = generate(kind, **SIZES), generate(kind, **SIZES)
    other = generate(kind, **{**SIZES, "seed": 8})
    for name in ("keys", "values", "signal"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        assert np.all(getattr(first, name)[0] != getattr(other, name)[0])


def test_kinds_of_a_seed_share_their_draws() -> None:
    linear = generate("linear", **SIZES)
    switch = generate("switch", **SIZES)
    drift = generate("drift", **SIZES)
    np.testing.assert_array_equal(linear.keys, drift.keys)
    np.testing.assert_array_equal(linear.values[:100], switch.values[:100])
    assert np.all(linear.signal[100:] != switch.signal[100:])
    np.testing.assert_array_equal(linear.values[0], drift.values[0])
    noise = linear.values - linear.signal
    np.testing.assert_allclose(drift.values - drift.signal, noise, atol=1e-6)


def test_linear_values_are_one_map_of_the_keys() -> None:
    stream = generate("linear", noise=0.0, **SIZES)
    _, residual, rank, _ = np.linalg.lstsq(stream.keys, stream.values, rcond=None)
    assert rank == SIZES["dim"]
    assert np.all(residual < 1e-8)


@pytest.mark.parametrize("kind", ["linear", "ar", "spectrum", "drift", "switch", "unrelated"])
def test_unit_keys_have_length_and_signal_variance_one(kind: str) -> None:
    streams = [generate(kind, **{**SIZES, "seed": seed}) for seed in range(60)]
    lengths = np.linalg.norm([s.keys for s in streams], axis=2)
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)
    # 240 independent maps per step; the variance of one map's signal power is about 2.
    power = np.mean([np.mean(s.signal**2, axis=0) for s in streams])
    assert power == pytest.approx(1, abs=4 * np.sqrt(2 / 240))


def test_gaussian_keys_have_mean_squared_length_dim() -> None:
    for power in (0.0, 1.0):
        keys = generate("linear", keys="gaussian", power=power, **{**SIZES, "steps": 20_000}).keys
        assert np.mean(np.sum(keys**2, axis=1)) == pytest.approx(16, rel=0.03)


def test_the_spectrum_falls_as_its_power_says() -> None:
    keys = generate("spectrum", keys="gaussian", power=2.0, **{**SIZES, "steps": 20_000}).keys
    variances = np.var(keys, axis=0)
    np.testing.assert_allclose(variances / variances[0], np.arange(1.0, 17) ** -2, rtol=0.06)


def test_correlated_keys_have_their_correlation() -> None:
    keys = generate("ar", keys="gaussian", correlation=0.9, **{**SIZES, "steps": 20_000}).keys
    lag = np.mean(keys[1:] * keys[:-1]) / np.mean(keys**2)
    # Standard error of a lag-one correlation: sqrt((1 - 0.81) / (20_000 * 16)) = 8e-4.
    assert lag == pytest.approx(0.9, abs=0.005)


def test_drift_forgets_the_map_at_its_rate() -> None:
    # E a_t a_0 = (1 - rho^2)^(t/2), seen through keys of one dimension, all +-1.
    streams = [
        draw(Scenario(drift=0.3, noise=0), steps=11, dim=1, rows=50, seed=s) for s in range(80)
    ]
    maps = np.array([s.signal * s.keys for s in streams])
    products = (maps[:, 10] * maps[:, 0]).ravel()
    error = products.std() / np.sqrt(products.size)
    assert products.mean() == pytest.approx((1 - 0.09) ** 5, abs=4 * error)


def test_noise_has_its_standard_deviation() -> None:
    stream = generate("linear", noise=0.5, **{**SIZES, "steps": 20_000})
    assert np.std(stream.values - stream.signal) == pytest.approx(0.5, rel=0.02)


def test_unrelated_values_do_not_depend_on_the_keys() -> None:
    stream = generate("unrelated", noise=0.0, **{**SIZES, "steps": 20_000})
    covariance = stream.keys.T @ stream.values / 20_000
    assert np.abs(covariance).max() < 5 / np.sqrt(20_000 * 16)


def test_all_mistakes_are_listed_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        Scenario(noise=-1, keys="round", correlation=1.0, power=-1, drift=2, period=-5)
    for key in ("noise", "keys", "correlation", "power", "drift", "period", "exclude each other"):
        assert key in str(error.value)
    with pytest.raises(ConfigError, match="unknown kind 'mix'; use one of linear"):
        preset("mix")
    with pytest.raises(ConfigError, match=r"unknown \['window'\]"):
        preset("linear", window=5)
    with pytest.raises(ConfigError, match=r"steps must be an integer >= 1, got 0; seed must be"):
        generate("linear", **{**SIZES, "steps": 0, "seed": -1})

"""Streams: nested, comparable over kinds, with the moments that their parameters promise."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from versus.core.errors import ConfigError
from versus.experiments.memory.config import DataConfig, StreamConfig
from versus.experiments.memory.data.scenarios import KINDS, Mapped, generate, preset

SIZES: dict[str, Any] = {"steps": 300, "dim": 16, "rows": 4, "seed": 7}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("power", [0.0, 1.0])
def test_shorter_and_smaller_streams_are_exact_prefixes(kind: str, power: float) -> None:
    shape: dict[str, Any] = {} if kind == "patterns" else {"power": power}
    rows = SIZES["rows"] if "mqar" in kind else 3  # their values have length 1 in every width
    whole = generate(kind, **shape, **SIZES)
    part = generate(kind, **shape, **{**SIZES, "steps": 170, "rows": rows})
    for large, small in zip(whole[:3], part[:3], strict=True):
        assert large.dtype == small.dtype == np.float32
        assert large.flags.c_contiguous  # files of tensors are written as they lie in memory
        np.testing.assert_array_equal(large[:170, : small.shape[1]][:, :3], small[:, :3])
    assert whole.marks.keys() == part.marks.keys()
    for name in whole.marks.keys() - {"codebook"}:
        np.testing.assert_array_equal(whole.marks[name][:170], part.marks[name])


@pytest.mark.parametrize("kind", ["mqar", "forgetting-mqar"])
def test_a_narrower_codebook_has_the_first_rows_of_a_wider_one(kind: str) -> None:
    wide, narrow = (generate(kind, **{**SIZES, "rows": rows}) for rows in (4, 2))
    assert np.linalg.norm(wide.marks["codebook"], axis=1) == pytest.approx(1)
    cut = wide.marks["codebook"][:, :2]
    lengths = np.linalg.norm(cut, axis=1, keepdims=True)
    np.testing.assert_allclose(cut / lengths, narrow.marks["codebook"], rtol=1e-5)


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


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "mqar" not in kind])
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
    streams = [Mapped(drift=0.3, noise=0).draw(steps=11, dim=1, rows=50, seed=s) for s in range(80)]
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
        Mapped(noise=-1, keys="round", correlation=1.0, power=-1, drift=2, period=-5)
    for key in ("noise", "keys", "correlation", "power", "drift", "period"):
        assert key in str(error.value)
    with pytest.raises(ConfigError, match="unknown kind 'mixed'; use one of linear"):
        preset("mixed")
    with pytest.raises(ConfigError, match=r"steps must be an integer >= 1, got 0; seed must be"):
        generate("linear", **{**SIZES, "steps": 0, "seed": -1})


@pytest.mark.parametrize(
    ("kind", "parameters", "complaint"),
    [
        ("linear", {"window": 5}, "linear does not use window = 5; remove it, linear takes noise,"),
        ("drift", {"pool": 4, "noise": 0.1}, "drift does not use pool = 4; remove it"),
        ("mqar", {"share": 0.5}, "mqar does not use share = 0.5; remove it"),
        ("overwrite", {"drift": 0.5}, "overwrite does not use drift = 0.5; remove it"),
        ("unrelated", {"drift": 0.5}, "drift and unrelated exclude each other, got 0.5, True"),
        ("patterns", {"power": 1.0}, "power and patterns exclude each other|patterns and power"),
        ("mix", {"spread": 1.5}, r"spread must be in \[0, 1\], got 1.5"),
        ("overwrite", {"share": 0.01}, "share must be a share of the pool of 16 .* got 0.01"),
        ("overwrite", {"share": 1.0}, "at least one key and not all, got 1.0"),
        ("mqar", {"vocabulary": 1}, "vocabulary must be an integer >= 2, got 1"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(
    kind: str, parameters: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        preset(kind, **parameters)


@pytest.mark.parametrize(
    ("kind", "parameters", "complaint"),
    [
        ("patterns", {"patterns": 17}, "patterns must be at most dim = 16 .* got 17"),
        ("overwrite", {"pool": 50}, r"steps must be at least 2 \* pool \* passes = 400.* got 300"),
        ("mqar", {"rows": 1}, "mem_size must be at least 2 .* got 1"),
    ],
)
def test_streams_that_do_not_fit_their_shape_are_refused(
    kind: str, parameters: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        generate(kind, **{**SIZES, **parameters})
    own = {name: value for name, value in parameters.items() if name != "rows"}
    shape = {"dim": 16, "steps": 300, "mem_size": parameters.get("rows", 4)}
    with pytest.raises(ValueError, match=f"streams.it: {complaint}"):
        DataConfig(streams={"it": StreamConfig(kind=kind, **own)}, **shape)


@given(st.floats(0, 0.99), st.integers(2, 12), st.integers(0, 2**20))
def test_a_pattern_persists_as_often_as_it_should(
    persistence: float, patterns: int, seed: int
) -> None:
    scenario = Mapped(patterns=patterns, persistence=persistence, noise=0)
    stream = scenario.draw(steps=4000, dim=12, rows=1, seed=seed)
    stays = np.mean(np.all(stream.keys[1:] == stream.keys[:-1], axis=1))
    assert stays == pytest.approx(persistence, abs=5 * np.sqrt(0.25 / 3999))


def test_patterns_are_orthonormal_and_equally_frequent() -> None:
    stream = generate("patterns", patterns=5, persistence=0.5, **{**SIZES, "steps": 20_000})
    patterns, counts = np.unique(stream.keys, axis=0, return_counts=True)
    np.testing.assert_allclose(patterns @ patterns.T, np.eye(5), atol=1e-6)
    assert counts == pytest.approx(4000, rel=0.1)
    few = generate("patterns", patterns=3, persistence=0.5, **{**SIZES, "steps": 20_000})
    for pattern in np.unique(few.keys, axis=0):  # fewer patterns are the first of more
        assert np.isclose(np.abs(patterns @ pattern).max(), 1, atol=1e-6)


def test_clusters_take_turns_and_share_one_map() -> None:
    shape = {**SIZES, "steps": 3000}
    stream = generate("mix", clusters=4, spread=0.1, persistence=0.95, noise=0.0, **shape)
    # Within a cluster keys are alike (1 - spread^2), in different ones they are unrelated.
    alike = np.sum(stream.keys[1:] * stream.keys[:-1], axis=1) > 0.9
    assert np.mean(alike) == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / 2999))
    _, residual, rank, _ = np.linalg.lstsq(stream.keys, stream.values, rcond=None)
    assert rank == 16
    assert np.all(residual < 1e-6)

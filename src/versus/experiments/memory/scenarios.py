"""Synthetic streams: a process that draws keys, a map that turns them into values.

``v_t = A_t k_t + noise * eps_t``, everything standard Gaussian. Six named kinds are presets of the
parameters in :class:`Scenario`, which combine freely. Parameters of a stream are never those of an
update rule.

Each draw has a generator of its own, keyed by (seed, what is drawn, row) and read in time order.
Hence a shorter stream or one with fewer rows is an exact prefix, and different kinds of one seed
share their draws.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from versus.core.errors import ConfigError

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]

# The order is part of the generators' keys: append, never insert.
_DRAWS = ("keys", "map", "drift", "noise", "values")


class Stream(NamedTuple):
    """One stream of pairs.

    Attributes:
        keys: (steps, dim).
        values: (steps, rows).
        signal: Values without noise, (steps, rows).
    """

    keys: Array32
    values: Array32
    signal: Array32


@dataclass(frozen=True)
class Scenario:
    """Parameters of a stream's distribution; checked on construction.

    Attributes:
        noise: Standard deviation of the noise in each value, >= 0. The signal's variance per row is
            1 with unit keys and ``dim`` with Gaussian keys.
        keys: ``unit`` (length 1) or ``gaussian`` (mean squared length ``dim``).
        correlation: Correlation of successive keys (first-order autoregression), in [0, 1).
        power: The keys' covariance has eigenvalues ``i**-power`` (before a scaling), >= 0.
        drift: Each step ``A <- sqrt(1 - drift^2) A + drift W`` with W fresh, in [0, 1].
        period: Steps between switches to a new map, 0 for never. Excludes drift.
        unrelated: Values are Gaussian and independent of the keys. Excludes drift and period.

    Raises:
        ConfigError: Values are out of range; all of them are listed.
    """

    noise: float = 0.1
    keys: str = "unit"
    correlation: float = 0.0
    power: float = 0.0
    drift: float = 0.0
    period: int = 0
    unrelated: bool = False

    def __post_init__(self) -> None:
        mistakes = _mistakes(self)
        if mistakes:
            raise ConfigError("scenario: " + "; ".join(mistakes))


KINDS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "linear": {},
        "ar": {"correlation": 0.95},
        "spectrum": {"power": 1.0},
        "drift": {"drift": 0.05},
        "switch": {"period": 100},
        "unrelated": {"unrelated": True},
    }
)
"""The parameters of :class:`Scenario` in which each named kind differs from its defaults."""


def preset(kind: str, **parameters: float | str) -> Scenario:
    """The named kind with some parameters set, e.g. ``preset("drift", power=1)``."""
    if kind not in KINDS:
        raise ConfigError(f"scenario: unknown kind {kind!r}; use one of {', '.join(KINDS)}")
    known = Scenario.__dataclass_fields__
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ConfigError(f"scenario: unknown {unknown}; use some of {', '.join(known)}")
    return Scenario(**{**KINDS[kind], **parameters})  # type: ignore[arg-type]


def generate(
    kind: str,
    *,
    steps: int,
    dim: int,
    rows: int,
    seed: int,
    noise: float = 0.1,
    keys: str = "unit",
    **parameters: float,
) -> Stream:
    """Draw a stream of a named kind; see :class:`Scenario` for the parameters."""
    scenario = preset(kind, noise=noise, keys=keys, **parameters)
    return draw(scenario, steps=steps, dim=dim, rows=rows, seed=seed)


def draw(scenario: Scenario, *, steps: int, dim: int, rows: int, seed: int) -> Stream:
    """Draw a stream.

    Args:
        scenario: Its distribution.
        steps: Length, >= 1.
        dim: Dimension of keys, >= 1.
        rows: Dimension of values, >= 1.
        seed: >= 0.
    """
    least = {"steps": (steps, 1), "dim": (dim, 1), "rows": (rows, 1), "seed": (seed, 0)}
    mistakes = [
        f"{name} must be an integer >= {low}, got {value!r}"
        for name, (value, low) in least.items()
        if not _is_integer(value, low)
    ]
    if mistakes:
        raise ConfigError("stream: " + "; ".join(mistakes))
    keys = _keys(scenario, _generator(seed, "keys"), steps, dim)
    signal = np.empty((steps, rows))
    values = np.empty((steps, rows))
    for row in range(rows):
        signal[:, row] = _signal(scenario, keys, seed, row)
        noise = _generator(seed, "noise", row).standard_normal((steps,))
        values[:, row] = signal[:, row] + scenario.noise * noise
    return Stream(keys.astype(np.float32), values.astype(np.float32), signal.astype(np.float32))


def _mistakes(scenario: Scenario) -> list[str]:
    checks = {
        "noise": (0 <= scenario.noise < np.inf, "finite and >= 0"),
        "keys": (scenario.keys in ("unit", "gaussian"), "'unit' or 'gaussian'"),
        "correlation": (0 <= scenario.correlation < 1, "in [0, 1)"),
        "power": (0 <= scenario.power < np.inf, "finite and >= 0"),
        "drift": (0 <= scenario.drift <= 1, "in [0, 1]"),
        "period": (_is_integer(scenario.period, 0), "an integer >= 0 (0 is never)"),
    }
    mistakes = [
        f"{key} must be {expected}, got {getattr(scenario, key)!r}"
        for key, (holds, expected) in checks.items()
        if not holds
    ]
    chosen = [key for key in ("drift", "period", "unrelated") if getattr(scenario, key)]
    if len(chosen) > 1:
        mistakes.append(f"{' and '.join(chosen)} exclude each other; set all but one of them to 0")
    return mistakes


def _is_integer(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _generator(seed: int, name: str, row: int = 0) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence((seed, _DRAWS.index(name), row)))


def _keys(scenario: Scenario, generator: np.random.Generator, steps: int, dim: int) -> Array64:
    """Keys (steps, dim)."""
    keys = _autoregression(generator.standard_normal((steps, dim)), scenario.correlation)
    spread = np.arange(1, dim + 1) ** (-scenario.power / 2)
    keys *= spread / np.sqrt(np.mean(spread**2))
    if scenario.keys == "unit":
        keys /= np.sqrt(np.sum(keys**2, axis=1, keepdims=True))
    return keys


def _autoregression(shocks: Array64, persistence: float) -> Array64:
    """x_t = persistence x_{t-1} + sqrt(1 - persistence^2) shock_t from x_0 = shock_0, in place."""
    if persistence == 0:
        return shocks
    shocks[1:] *= np.sqrt(1 - persistence**2)
    for t in range(1, len(shocks)):
        shocks[t] += persistence * shocks[t - 1]
    return shocks


def _signal(scenario: Scenario, keys: Array64, seed: int, row: int) -> Array64:
    """One row of A_t k_t for all t, (steps,)."""
    steps, dim = keys.shape
    if scenario.unrelated:
        return _generator(seed, "values", row).standard_normal((steps,))
    period = scenario.period or steps
    maps = _generator(seed, "map", row).standard_normal((-(-steps // period), dim))
    if scenario.drift:
        shocks = _generator(seed, "drift", row).standard_normal((steps, dim))
        shocks[0] = maps[0]
        weights = _autoregression(shocks, float(np.sqrt(1 - scenario.drift**2)))
    else:
        weights = maps[np.arange(steps) // period]
    # A product summed over the last axis, not a matmul: its rounding may depend on the shape.
    signal: Array64 = np.sum(keys * weights, axis=1)
    return signal

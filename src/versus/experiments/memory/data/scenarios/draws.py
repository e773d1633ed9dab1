"""What all streams share: generators keyed by what is drawn, the shape of keys, noise.

Each draw has a generator of its own, keyed by (seed, what is drawn, row) and read in time order.
Hence a shorter stream or one with fewer rows is an exact prefix, and different kinds of one seed
share their draws.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from versus.core.errors import ConfigError

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]
Integers = NDArray[np.int64]

# The order is part of the generators' keys: append, never insert.
_DRAWS = (
    "keys",
    "map",
    "drift",
    "noise",
    "values",
    "regimes",
    "centres",
    "patterns",
    "visits",
    "changes",
    "codebook",
    "writes",
)
_SMALL: Mapping[str, Any] = {"f": np.float32, "i": np.int64}


class Stream(NamedTuple):
    """One stream of pairs.

    Attributes:
        keys: (steps, dim).
        values: (steps, rows).
        signal: Values without noise, (steps, rows).
        marks: What else is known of the tokens; the kinds that give any describe them.
    """

    keys: Array32
    values: Array32
    signal: Array32
    marks: Mapping[str, Integers | Array32]


def generator(seed: int, name: str, row: int = 0) -> np.random.Generator:
    """The generator of one draw."""
    return np.random.default_rng(np.random.SeedSequence((seed, _DRAWS.index(name), row)))


def normals(seed: int, name: str, rows: int, shape: tuple[int, ...]) -> Array64:
    """Standard normal numbers with a generator per row: (rows, ...) for ``shape`` (...)."""
    return np.stack([generator(seed, name, row).standard_normal(shape) for row in range(rows)])


def shaped(keys: Array64, power: float, kind: str) -> Array64:
    """Standard normal keys (n, dim) given their spectrum and their length, in place."""
    dim = keys.shape[1]
    spread = np.arange(1, dim + 1) ** (-power / 2)
    keys *= spread / np.sqrt(np.mean(spread**2))
    if kind == "unit":
        keys /= np.sqrt(np.sum(keys**2, axis=1, keepdims=True))
    return keys


def stream(
    keys: Array64,
    signal: Array64,
    noise: float,
    seed: int,
    **marks: Integers | Array64,
) -> Stream:
    """The stream of keys (steps, dim) and signal (steps, rows), with noise on the values."""
    values = signal + noise * normals(seed, "noise", signal.shape[1], (len(signal),)).T
    # Contiguous, as files of tensors need them.
    small = {n: np.ascontiguousarray(mark, _SMALL[mark.dtype.kind]) for n, mark in marks.items()}
    k, v, s = (np.ascontiguousarray(array, np.float32) for array in (keys, values, signal))
    return Stream(k, v, s, small)


def is_integer(value: object, least: int) -> bool:
    """Whether ``value`` is a whole number of at least ``least``."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def refuse(what: str, scenario: object, checks: Mapping[str, tuple[bool, str]]) -> None:
    """Raise one error that lists every attribute whose check fails.

    Raises:
        ConfigError: some check fails.
    """
    mistakes = [
        f"{key} must be {expected}, got {getattr(scenario, key)!r}"
        for key, (holds, expected) in checks.items()
        if not holds
    ]
    if mistakes:
        raise ConfigError(f"{what}: " + "; ".join(mistakes))

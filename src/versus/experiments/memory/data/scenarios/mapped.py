"""Streams with a map: a process that draws keys, and a map that turns them into values.

``v_t = A_t k_t + noise * eps_t``, everything standard Gaussian.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from versus.core.errors import ConfigError
from versus.experiments.memory.data.scenarios.draws import (
    Array64,
    Integers,
    Stream,
    generator,
    is_integer,
    normals,
    refuse,
    shaped,
    stream,
)


@dataclass(frozen=True)
class Mapped:
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
        clusters: Number of Gaussian clusters that the keys come from, 0 for none. One is active at
            a time: ``k_t = sqrt(1 - spread^2) centre + spread * shock_t``.
        spread: Standard deviation of a key's entries around its cluster's centre, in [0, 1].
        patterns: Number of random orthonormal keys, of which one is present at a time; 0 for none.
            Excludes correlation, power and clusters.
        persistence: Probability, in [0, 1], that the active cluster or the present pattern stays
            for the next token; otherwise one of the others takes its place.

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
    clusters: int = 0
    spread: float = 1.0
    patterns: int = 0
    persistence: float = 0.0

    def __post_init__(self) -> None:
        refuse("scenario", self, self._checks())
        for names in (
            ("drift", "period", "unrelated"),
            *(("patterns", other) for other in ("correlation", "power", "clusters")),
        ):
            chosen = [name for name in names if getattr(self, name)]
            if len(chosen) > 1:
                raise ConfigError(
                    f"scenario: {' and '.join(chosen)} exclude each other, got "
                    f"{', '.join(repr(getattr(self, name)) for name in chosen)}; set all but one "
                    "of them to 0"
                )

    def _checks(self) -> Mapping[str, tuple[bool, str]]:
        return {
            "noise": (0 <= self.noise < np.inf, "finite and >= 0"),
            "keys": (self.keys in ("unit", "gaussian"), "'unit' or 'gaussian'"),
            "correlation": (0 <= self.correlation < 1, "in [0, 1)"),
            "power": (0 <= self.power < np.inf, "finite and >= 0"),
            "drift": (0 <= self.drift <= 1, "in [0, 1]"),
            "period": (is_integer(self.period, 0), "an integer >= 0 (0 is never)"),
            "clusters": (is_integer(self.clusters, 0), "an integer >= 0 (0 is none)"),
            "spread": (0 <= self.spread <= 1, "in [0, 1]"),
            "patterns": (is_integer(self.patterns, 0), "an integer >= 0 (0 is none)"),
            "persistence": (0 <= self.persistence <= 1, "in [0, 1]"),
        }

    def misfits(self, steps: int, dim: int, rows: int) -> list[str]:
        """Why a stream of this shape cannot be drawn."""
        if self.patterns <= dim:
            return []
        return [f"patterns must be at most dim = {dim} to be orthonormal, got {self.patterns}"]

    def draw(self, steps: int, dim: int, rows: int, seed: int) -> Stream:
        """Draw a stream of this shape."""
        keys = self._keys(steps, dim, seed)
        return stream(keys, self._signal(keys, rows, seed), self.noise, seed)

    def _keys(self, steps: int, dim: int, seed: int) -> Array64:
        """Keys (steps, dim)."""
        if self.patterns:
            present = self._regimes(self.patterns, steps, seed)
            shocks = generator(seed, "patterns").standard_normal((self.patterns, dim))
            return orthonormal(shocks)[present] * (np.sqrt(dim) if self.keys == "gaussian" else 1)
        shocks = generator(seed, "keys").standard_normal((steps, dim))
        keys = _autoregression(shocks, self.correlation)
        if self.clusters:
            active = self._regimes(self.clusters, steps, seed)
            centres = generator(seed, "centres").standard_normal((self.clusters, dim))
            keys = self.spread * keys + np.sqrt(1 - self.spread**2) * centres[active]
        return shaped(keys, self.power, self.keys)

    def _regimes(self, number: int, steps: int, seed: int) -> Integers:
        """Which of ``number`` regimes is in force, (steps,): a chain that leaves for the others."""
        leave, where = generator(seed, "regimes").random((steps, 2)).T
        moves = (leave >= self.persistence) * (1 + where * (number - 1)).astype(np.int64)
        moves[0] = int(where[0] * number)
        regimes: Integers = np.cumsum(moves) % number
        return regimes

    def _signal(self, keys: Array64, rows: int, seed: int) -> Array64:
        """A_t k_t for all t, (steps, rows)."""
        steps, dim = keys.shape
        if self.unrelated:
            return normals(seed, "values", rows, (steps,)).T
        period = self.period or steps
        maps = normals(seed, "map", rows, (-(-steps // period), dim)).swapaxes(0, 1)
        if self.drift:
            shocks = np.ascontiguousarray(normals(seed, "drift", rows, (steps, dim)).swapaxes(0, 1))
            shocks[0] = maps[0]
            weights = _autoregression(shocks, float(np.sqrt(1 - self.drift**2)))
        else:
            weights = maps[np.arange(steps) // period]
        # A product summed over the last axis, not a matmul: its rounding may depend on the shape.
        signal: Array64 = np.sum(keys[:, None] * weights, axis=2)
        return signal


def orthonormal(vectors: Array64) -> Array64:
    """Gram-Schmidt: rows (n, dim) made orthonormal, the first ones whatever follows them."""
    columns, triangle = np.linalg.qr(vectors.T)
    rows: Array64 = columns.T * np.sign(np.diag(triangle))[:, None]
    return rows


def _autoregression(shocks: Array64, persistence: float) -> Array64:
    """x_t = persistence x_{t-1} + sqrt(1 - persistence^2) shock_t from x_0 = shock_0, in place."""
    if persistence == 0:
        return shocks
    shocks[1:] *= np.sqrt(1 - persistence**2)
    for t in range(1, len(shocks)):
        shocks[t] += persistence * shocks[t - 1]
    return shocks

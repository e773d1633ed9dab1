"""Streams without a map: pairs that can only be stored, and values that are overwritten."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

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
class _Stored:
    """What the keys and values of all these streams have; see :class:`.mapped.Mapped`."""

    noise: float = 0.0
    keys: str = "unit"
    power: float = 0.0

    def __post_init__(self) -> None:
        refuse("scenario", self, self._checks())

    def _checks(self) -> Mapping[str, tuple[bool, str]]:
        return {
            "noise": (0 <= self.noise < np.inf, "finite and >= 0"),
            "keys": (self.keys in ("unit", "gaussian"), "'unit' or 'gaussian'"),
            "power": (0 <= self.power < np.inf, "finite and >= 0"),
        }

    def _codebook(self, number: int, dim: int, seed: int) -> Array64:
        """Distinct keys (number, dim)."""
        keys = generator(seed, "keys").standard_normal((number, dim))
        return shaped(keys, self.power, self.keys)


@dataclass(frozen=True)
class Overwrite(_Stored):
    """A pool of keys visited again and again, some of which get new values now and then.

    A pass visits every key once, in an order of its own. An epoch is ``passes`` passes; with each
    epoch but the first, other values take the place of those of some keys. Values are Gaussian.
    The mark ``visits`` (steps,) says of each token for which time its key is visited in the epoch:
    r = 1 .. ``passes`` if its value has changed with the epoch, -r if it was kept, and 0 in the
    first epoch.

    Attributes:
        pool: Number of keys, >= 2.
        passes: Passes per epoch, >= 1.
        share: Share of the keys that change with an epoch: at least one, and not all.
    """

    pool: int = 16
    passes: int = 4
    share: float = 0.25

    def _checks(self) -> Mapping[str, tuple[bool, str]]:
        return {
            **super()._checks(),
            "pool": (is_integer(self.pool, 2), "an integer >= 2"),
            "passes": (is_integer(self.passes, 1), "an integer >= 1"),
            "share": (
                0 < round(self.share * self.pool) < self.pool,
                f"a share of the pool of {self.pool} that is at least one key and not all",
            ),
        }

    def misfits(self, steps: int, dim: int, rows: int) -> list[str]:
        """Why a stream of this shape cannot be drawn."""
        least = 2 * self.pool * self.passes
        if steps >= least:
            return []
        return [
            f"steps must be at least 2 * pool * passes = {least}, or no value would be overwritten "
            f"for a whole epoch, got {steps}"
        ]

    def draw(self, steps: int, dim: int, rows: int, seed: int) -> Stream:
        """Draw a stream of this shape."""
        number = -(-steps // self.pool)
        orders = np.argsort(generator(seed, "visits").random((number, self.pool)), axis=1)
        epoch, place = np.divmod(np.arange(steps) // self.pool, self.passes)
        key = orders.ravel()[:steps]
        changed = self._changed(epoch[-1] + 1, seed)
        # The epoch whose value a key has: the last in which it changed.
        version = np.maximum.accumulate(changed * np.arange(len(changed))[:, None])
        values = normals(seed, "values", rows, changed.shape)
        visits = np.where(changed[epoch, key], place + 1, -place - 1) * (epoch > 0)
        return stream(
            self._codebook(self.pool, dim, seed)[key],
            values[:, version[epoch, key], key].T,
            self.noise,
            seed,
            key_ids=key,
            visits=visits,
        )

    def _changed(self, epochs: int, seed: int) -> Integers:
        """Which keys get new values with which epoch, (epochs, pool) of 0 and 1."""
        ranks = np.argsort(generator(seed, "changes").random((epochs, self.pool)), axis=1)
        changed = np.zeros((epochs, self.pool), np.int64)
        np.put_along_axis(changed, ranks[:, : round(self.share * self.pool)], 1, axis=1)
        return changed


@dataclass(frozen=True)
class Associations(_Stored):
    """Multi-query associative recall: each new key gets a value out of a vocabulary.

    Keys are never repeated, but for those that are written again with another value. Marks:
    ``key_ids`` and ``value_ids`` (steps,), and the ``codebook`` (vocabulary, rows) of unit values.
    A codebook of fewer rows has the first rows of a wider one, scaled to length 1.

    Attributes:
        vocabulary: Number of values, >= 2.
        share: Share of the keys, in [0, 1], that are written once more later with another value.
    """

    vocabulary: int = 64
    share: float = 0.0

    def _checks(self) -> Mapping[str, tuple[bool, str]]:
        return {
            **super()._checks(),
            "vocabulary": (is_integer(self.vocabulary, 2), "an integer >= 2"),
            "share": (0 <= self.share <= 1, "in [0, 1]"),
        }

    def misfits(self, steps: int, dim: int, rows: int) -> list[str]:
        """Why a stream of this shape cannot be drawn."""
        if rows > 1:
            return []
        return [f"mem_size must be at least 2 to tell values apart by direction, got {rows}"]

    def draw(self, steps: int, dim: int, rows: int, seed: int) -> Stream:
        """Draw a stream of this shape."""
        key, value = self._writes(generator(seed, "writes").random((steps, 3)))
        codebook = normals(seed, "codebook", rows, (self.vocabulary,)).T
        codebook = codebook / np.sqrt(np.sum(codebook**2, axis=1, keepdims=True))
        return stream(
            self._codebook(steps, dim, seed)[key],
            codebook[value],
            self.noise,
            seed,
            key_ids=key,
            value_ids=value,
            codebook=codebook,
        )

    def _writes(self, uniform: Array64) -> tuple[Integers, Integers]:
        """Which key gets which value, both (steps,), from numbers (steps, 3) in [0, 1)."""
        keys: list[int] = []
        values: list[int] = []
        once: dict[int, int] = {}  # keys written once so far, and their values
        count = 0
        for choice, again, which in uniform:
            if once and again < self.share / (1 + self.share):
                key = list(once)[int(which * len(once))]
                value = (once.pop(key) + 1 + int(choice * (self.vocabulary - 1))) % self.vocabulary
            else:
                key, value, count = count, int(choice * self.vocabulary), count + 1
                once[key] = value
            keys.append(key)
            values.append(value)
        return np.array(keys), np.array(values)

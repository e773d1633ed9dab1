"""Orders in which the training examples are shown: pure functions of (seed, epoch).

Each order is a torch sampler over the training set, so ``DataLoader(data, sampler=order)`` works.
Nothing is remembered from epoch to epoch: any epoch can be asked for, again and in any sequence.
Ties are broken by (a, b), so an order does not depend on how the pairs are stored.
"""

import hashlib
import json
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Sampler

from versus.core import seeding
from versus.core.errors import ConfigError
from versus.core.paths import project_root, shown
from versus.experiments.ordering.config import TrainConfig
from versus.experiments.ordering.resonance import resonant


class Order(Sampler[int]):
    """An order of n examples for every epoch.

    Args:
        size: n.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.epoch = 0

    @abstractmethod
    def order(self, epoch: int) -> Tensor:
        """Indices of all examples, (n,), in the order of an epoch."""

    def digest(self, epoch: int) -> str:
        """SHA-256 of :meth:`order` as little-endian 32-bit integers, hexadecimal."""
        return _sha256(self.order(epoch))

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that iteration goes through."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(self.order(self.epoch).tolist())

    def __len__(self) -> int:
        return self.size


class FixedOrder(Order):
    """The same order in every epoch."""

    def __init__(self, indices: Tensor) -> None:
        super().__init__(len(indices))
        self._indices = indices
        self._digest = _sha256(indices)

    def order(self, epoch: int) -> Tensor:
        """The one order there is."""
        return self._indices

    def digest(self, epoch: int) -> str:
        """Digest of the one order there is."""
        return self._digest


class RandomOrder(Order):
    """A fresh permutation per epoch, keyed by (seed, epoch)."""

    def __init__(self, size: int, seed: int) -> None:
        super().__init__(size)
        self._seed = seed

    def order(self, epoch: int) -> Tensor:
        """The epoch's permutation."""
        return torch.randperm(
            self.size, generator=seeding.generator(self._seed, "order", "random", epoch)
        )


class AlternatingOrder(Order):
    """Two orders in turns: the first in even epochs, the second in odd ones."""

    def __init__(self, even: Order, odd: Order) -> None:
        super().__init__(len(even))
        self._turns = (even, odd)

    def order(self, epoch: int) -> Tensor:
        """The order whose turn it is."""
        return self._turns[epoch % 2].order(epoch)

    def digest(self, epoch: int) -> str:
        """Digest of the order whose turn it is."""
        return self._turns[epoch % 2].digest(epoch)


def make_order(settings: TrainConfig, p: int, seed: int, pairs: Tensor, labels: Tensor) -> Order:
    """The order that a run asks for.

    Args:
        settings: ``order`` and what belongs to it.
        p: modulus.
        seed: of the run.
        pairs: training pairs, (n, 2).
        labels: their labels, (n,).

    Raises:
        ConfigError: if ``train.indices`` names no permutation.
    """
    stride = settings.stride or math.isqrt(p)
    make: dict[str, Callable[[], Order]] = {
        "stride": lambda: by_stride(pairs, p, stride),
        "target": lambda: by_target(pairs, labels, p),
        "random": lambda: RandomOrder(len(pairs), seed),
        "fixed-random": lambda: fixed_random(len(pairs), seed),
        "alternating": lambda: AlternatingOrder(
            by_stride(pairs, p, stride), by_target(pairs, labels, p)
        ),
        "resonant": lambda: FixedOrder(
            resonant(
                pairs,
                p,
                stride,
                seed,
                n_harmonics=settings.n_harmonics,
                n_cycles=settings.n_cycles,
                overlap_frac=settings.overlap_frac,
            )
        ),
        "file": lambda: from_file(settings, len(pairs)),
    }
    return make[settings.order]()


def by_stride(pairs: Tensor, p: int, stride: int) -> FixedOrder:
    """Sorted by (a modulo stride, a, b)."""
    a, b = pairs.unbind(1)
    return FixedOrder((((a % stride) * p + a) * p + b).argsort())


def by_target(pairs: Tensor, labels: Tensor, p: int) -> FixedOrder:
    """Sorted by (label, a, b)."""
    a, b = pairs.unbind(1)
    return FixedOrder(((labels * p + a) * p + b).argsort())


def fixed_random(size: int, seed: int) -> FixedOrder:
    """One permutation for all epochs."""
    return FixedOrder(torch.randperm(size, generator=seeding.generator(seed, "order", "fixed")))


def from_file(settings: TrainConfig, size: int) -> FixedOrder:
    """The permutation of ``train.indices``.

    Raises:
        ConfigError: if it is none, or no longer the file that the settings were made with.
    """
    path = project_root() / settings.indices
    indices = read_indices(path, size)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != settings.indices_sha256:
        raise ConfigError(
            f"train.indices: {shown(path)} has changed: SHA-256 {found[:12]}..., where "
            f"{settings.indices_sha256[:12]}... is asked for; put the file back, or leave "
            "train.indices_sha256 out"
        )
    return FixedOrder(indices)


def read_indices(path: Path, size: int) -> Tensor:
    """A permutation of 0 .. size - 1 from a file: one index per line, or one JSON list.

    Raises:
        ConfigError: naming the line that is no index, missing or there twice.
    """
    remedy = f"list every index from 0 to {size - 1} once"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"train.indices: {shown(path)} is not readable ({error}); {remedy}"
        ) from error
    seen: dict[int, int] = {}
    for number, entry in _entries(text, path, remedy):
        where = f"train.indices: {shown(path)}, {number}"
        if not isinstance(entry, int) or isinstance(entry, bool) or not 0 <= entry < size:
            raise ConfigError(
                f"{where}: no index of the {size} pairs, received {entry!r}; {remedy}"
            )
        if entry in seen:
            raise ConfigError(f"{where}: received {entry} a second time; {remedy}")
        seen[entry] = len(seen)
    if len(seen) != size:
        raise ConfigError(
            f"train.indices: {shown(path)}: received {len(seen)} indices for {size} pairs; {remedy}"
        )
    return torch.tensor(list(seen))


def _entries(text: str, path: Path, remedy: str) -> Iterator[tuple[str, object]]:
    if text.lstrip().startswith("["):
        try:
            entries = json.loads(text)
        except ValueError as error:
            raise ConfigError(
                f"train.indices: {shown(path)} is no JSON list ({error}); {remedy}"
            ) from error
        yield from ((f"entry {number}", entry) for number, entry in enumerate(entries, start=1))
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            word = line.strip()
            yield f"line {number}", int(word) if word.isdecimal() else word


def _sha256(indices: Tensor) -> str:
    return hashlib.sha256(indices.cpu().numpy().astype("<i4").tobytes()).hexdigest()

"""Which examples a step sees, and what it draws besides: functions of (seed, epoch) alone.

Shapes: S runs, B examples, d coordinates of the answer.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from versus.core import seeding
from versus.experiments.ebt.config import DescentConfig
from versus.experiments.ebt.vectors.descent import draw_start


class Batch(NamedTuple):
    """One step of every run.

    Attributes:
        number: steps before this one.
        rows: indices of training examples, (S, B).
        start: where descents start, (S, B, d); empty where nothing descends.
        replayed: which of them start where the example's last descent ended, (S, B).
        factor: what the step size is multiplied by, (S,).
        extra: further steps of the descent.
    """

    number: int
    rows: Tensor
    start: Tensor
    replayed: Tensor
    factor: Tensor
    extra: int

    def each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """The batch with every tensor changed: moved elsewhere, or cut to some runs."""
        return self._replace(
            rows=change(self.rows),
            start=change(self.start),
            replayed=change(self.replayed),
            factor=change(self.factor),
        )


class _Block(NamedTuple):
    """Draws of one seed for a block of n steps: (n, B), (n, B, d), (n, B), (n,)."""

    rows: Tensor
    start: Tensor
    replayed: Tensor
    factor: Tensor


class Sampler:
    """Batches without replacement; a pass leaves out what does not fill a batch.

    Args:
        seeds: one per run.
        examples: training examples of a run.
        size: B.
        d: coordinates of the answer.
        descent: what descents draw; None where nothing descends.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        examples: int,
        size: int,
        d: int,
        descent: DescentConfig | None,
    ) -> None:
        self.seeds, self.examples, self.size, self.d = list(seeds), examples, size, d
        self.descent = descent
        self.per_pass = examples // size
        self._orders: dict[tuple[int, int], Tensor] = {}  # the pass that each seed is in

    def batches(self, epoch: int, first: int, count: int) -> Iterator[Batch]:
        """The steps ``first`` to ``first + count`` - 1, which make up ``epoch``."""
        drawn = {seed: self._block(seed, epoch, first, count) for seed in set(self.seeds)}
        rows, start, replayed, factor = (
            torch.stack(parts, dim=1) for parts in zip(*(drawn[s] for s in self.seeds), strict=True)
        )
        extra = self._extra(epoch, count)
        for i in range(count):
            yield Batch(first + i, rows[i], start[i], replayed[i], factor[i], extra[i])

    def _block(self, seed: int, epoch: int, first: int, count: int) -> _Block:
        rows = torch.stack([self._rows(seed, number) for number in range(first, first + count)])
        how, size = self.descent, (count, self.size)
        if how is None:
            return _Block(rows, torch.empty(count, 0), torch.empty(count, 0), torch.ones(count))
        source = seeding.generator(seed, "start", epoch)
        start = draw_start(how.start, (*size, self.d), source)
        replayed = torch.rand(size, generator=source) < how.replay
        power = torch.rand(count, generator=source) * 2 - 1
        return _Block(rows, start, replayed, how.jitter**power)

    def _rows(self, seed: int, number: int) -> Tensor:
        turn, place = divmod(number, self.per_pass)
        return self._order(seed, turn)[place * self.size : (place + 1) * self.size]

    def _order(self, seed: int, turn: int) -> Tensor:
        if (seed, turn) not in self._orders:
            self._orders = {k: v for k, v in self._orders.items() if k[0] != seed}
            source = seeding.generator(seed, "order", turn)
            self._orders[seed, turn] = torch.randperm(self.examples, generator=source)
        return self._orders[seed, turn]

    def _extra(self, epoch: int, count: int) -> list[int]:
        """The same for all runs, so that they descend together."""
        most = self.descent.extra_steps if self.descent else 0
        source = seeding.generator("extra steps", epoch)
        drawn: list[int] = torch.randint(most + 1, (count,), generator=source).tolist()
        return drawn

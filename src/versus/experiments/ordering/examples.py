"""The examples of a stack, resident on its device; runs of one seed share them.

Shapes: S runs, n of them chosen, N pairs of a part, B indices of a step.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from versus.experiments.ordering.data import Split, read_splits


class Examples:
    """Training and test pairs of every run.

    Args:
        folder: of the data stage.
        seeds: one per run.
        device: where they lie.

    Attributes:
        count: training pairs of a run.
    """

    def __init__(self, folder: Path, seeds: Sequence[int], device: torch.device) -> None:
        distinct = list(dict.fromkeys(seeds))
        self._split = Split(*(part.to(device) for part in read_splits(folder, distinct)))
        self._places = torch.tensor([distinct.index(seed) for seed in seeds], device=device)
        pairs, labels = self._split.train_pairs, self._split.train_labels
        self.count = labels.shape[1]
        self._table = torch.cat([pairs, labels[:, :, None]], dim=2).flatten(0, 1)
        self._starts = (self._places * self.count)[:, None]

    def gather(self, batch: Tensor, some: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Training pairs (n, B, 2) and labels (n, B) of indices (S, B), for some runs or all.

        ``batch`` may have a multiple of S rows: all runs, again and again.
        """
        times = len(batch) // len(self._starts)
        rows = batch + (self._starts if times == 1 else self._starts.repeat(times, 1))
        if some is not None:
            rows = rows.index_select(0, some)
        found = self._table.index_select(0, rows.flatten()).view(*rows.shape, 3)
        return found[..., :2], found[..., 2]

    def part(
        self,
        name: Literal["train", "test"],
        rows: Sequence[int] | slice = slice(None),
        first: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Pairs (n, N, 2) and labels (n, N) of some runs, or only their first pairs."""
        whole = self._split[:2] if name == "train" else self._split[2:]
        places = self._places[rows]
        return whole[0][:, :first][places], whole[1][:, :first][places]

    def to(self, batch: Tensor) -> Tensor:
        """``batch`` on the device of the examples."""
        return batch.to(self._table.device)

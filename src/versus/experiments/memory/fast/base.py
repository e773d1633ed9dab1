"""What all fast rules share: their state, the window's buffer.

Shapes: S streams, R runs, T tokens of one call, C tokens of one block, N pairs in reach
(buffered ones and the block), c window.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from versus.experiments.memory.rules import RuleSettings


class Group(NamedTuple):
    """What a fast rule is built for: R runs, S streams, sizes of the memory, where it lives."""

    settings: Sequence[RuleSettings]
    streams: int
    rows: int
    dim: int
    dtype: torch.dtype
    device: torch.device


class FastRule(ABC):
    """Several runs of one rule on several streams, written chunk by chunk.

    Built by :func:`.fast.make`. With respect to keys, values and the memory that a call starts
    from, predictions and the memory that it leaves are differentiable.

    Attributes:
        state: Everything that the next call depends on, tensors only: ``memory``
            (S, R, rows, dim), ``clipped`` (S, R) int64, and the rule's own. Calls replace entries
            and never change a tensor in place, so a copy of the dict is a snapshot; assigning it
            restores. dim is that of the features.
    """

    state: dict[str, Tensor]

    def __init__(self, group: Group) -> None:
        self.runs, self.window = len(group.settings), group.settings[0].window
        self.streams, self.rows, self.dim = group.streams, group.rows, group.dim
        self.dtype, self.device = group.dtype, group.device

    @abstractmethod
    def write(self, keys: Tensor, values: Tensor) -> Tensor:
        """Read and write T >= 1 tokens.

        Args:
            keys: (S, T, dim), shared by all runs of a stream.
            values: (S, T, rows).

        Returns:
            Predictions, (S, R, T, rows): ``M_{t-1} k_t``, what the memory at rest reads, or
            ``M_t k_t`` if the settings say to read after the write.
        """

    def reset(self) -> None:
        """Begin anew with a memory of zeros."""
        self.state = self.initial_state()

    def initial_state(self) -> dict[str, Tensor]:
        """The state before the first token; rules add what else they keep."""
        clipped = torch.zeros(self.streams, self.runs, dtype=torch.int64, device=self.device)
        memory = self.zeros(self.streams, self.runs, self.rows, self.dim)
        return {"memory": memory, "clipped": clipped}

    def read(self, queries: Tensor) -> Tensor:
        """What the present memory answers to queries (S, m, dim): (S, R, m, rows)."""
        return queries[:, None] @ self.state["memory"].mT

    def zeros(self, *shape: int) -> Tensor:
        """Zeros of the rule's dtype on its device."""
        return torch.zeros(shape, dtype=self.dtype, device=self.device)

    def per_run(self, numbers: Sequence[float]) -> Tensor:
        """A vector (R,) of the rule's dtype on its device."""
        return torch.tensor(numbers, dtype=self.dtype, device=self.device)


class WindowRule(FastRule):
    """A rule which looks back at buffered pairs.

    State: ``keys`` (S, n, dim) and ``values`` (S, n, rows), the n <= ``reach`` newest pairs.
    """

    reach: int

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self.reach = self.window - 1
        self.gamma = group.settings[0].gamma

    def initial_state(self) -> dict[str, Tensor]:
        """No pairs are buffered."""
        keys = self.zeros(self.streams, 0, self.dim)
        values = self.zeros(self.streams, 0, self.rows)
        return {**super().initial_state(), "keys": keys, "values": values}

    def write(self, keys: Tensor, values: Tensor) -> Tensor:
        """Cut the tokens into blocks and write one after the other."""
        predictions, done = [], 0
        while done < keys.shape[1]:
            size = self.block_size(self.state["keys"].shape[1], keys.shape[1] - done)
            block = slice(done, done + size)
            k = torch.cat((self.state["keys"], keys[:, block]), 1)
            v = torch.cat((self.state["values"], values[:, block]), 1)
            predictions.append(self.write_block(k, v, k.shape[1] - size))
            start = max(0, k.shape[1] - self.reach)
            # Copies, since a view would keep the whole chunk alive.
            self.state["keys"], self.state["values"] = k[:, start:].clone(), v[:, start:].clone()
            done += size
        return torch.cat(predictions, 2)

    def recency(self, pairs: int, dtype: torch.dtype | None = None) -> Tensor | None:
        """Weights gamma^(n-1), ..., gamma, 1, oldest pair first, (n, 1); None if all are 1."""
        if self.gamma == 1:
            return None
        ages = torch.arange(pairs - 1, -1, -1, dtype=torch.float64, device=self.device)
        return (self.gamma**ages)[:, None].to(dtype or self.dtype)

    @abstractmethod
    def block_size(self, buffered: int, tokens: int) -> int:
        """Number of tokens, 1 to ``tokens``, to write next when so many pairs are buffered."""

    @abstractmethod
    def write_block(self, keys: Tensor, values: Tensor, buffered: int) -> Tensor:
        """Write the tokens that follow the buffered pairs and set ``state["memory"]``.

        Args:
            keys: (S, N, dim), the buffered pairs first.
            values: (S, N, rows).
            buffered: How many of the N pairs are buffered ones.

        Returns:
            Predictions (S, R, N - buffered, rows).
        """

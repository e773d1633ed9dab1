"""What all fast rules share: their state, the window's buffer and clipping.

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

    Attributes:
        state: Everything that the next call depends on, tensors only: ``memory``
            (S, R, rows, dim), ``clipped`` (S, R) int64, and the rule's own. Calls replace entries
            and never change a tensor in place, so a copy of the dict is a snapshot.
    """

    state: dict[str, Tensor]

    def __init__(self, group: Group) -> None:
        self.runs, self.window = len(group.settings), group.settings[0].window
        self.streams, self.rows, self.dim = group.streams, group.rows, group.dim
        self.dtype, self.device = group.dtype, group.device
        clipped = torch.zeros(self.streams, self.runs, dtype=torch.int64, device=self.device)
        memory = self.zeros(self.streams, self.runs, self.rows, self.dim)
        self.state = {"memory": memory, "clipped": clipped}

    @abstractmethod
    def write(self, keys: Tensor, values: Tensor) -> Tensor:
        """Read and write T >= 1 tokens.

        Args:
            keys: (S, T, dim), shared by all runs of a stream.
            values: (S, T, rows).

        Returns:
            Predictions ``M_{t-1} k_t``, (S, R, T, rows).
        """

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
        self.state["keys"] = self.zeros(self.streams, 0, self.dim)
        self.state["values"] = self.zeros(self.streams, 0, self.rows)

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


class Clipped(FastRule):
    """Any rule with limited updates: the rule proposes M_t one token at a time.

    The proposals of all rules depend on the past through ``memory`` and the pairs alone, so that
    the limited memory can be put in the place of the proposed one.
    """

    def __init__(self, rule: FastRule, limits: Sequence[float]) -> None:
        self.rule = rule
        self.limits = torch.tensor(limits, dtype=torch.float64, device=rule.device)

    @property
    def state(self) -> dict[str, Tensor]:
        """The state of the rule underneath."""
        return self.rule.state

    @state.setter
    def state(self, state: dict[str, Tensor]) -> None:
        self.rule.state = state

    def write(self, keys: Tensor, values: Tensor) -> Tensor:
        """Write token by token and limit each update."""
        tokens = zip(torch.split(keys, 1, 1), torch.split(values, 1, 1), strict=True)
        return torch.cat([self._write_token(k, v) for k, v in tokens], 2)

    def _write_token(self, key: Tensor, value: Tensor) -> Tensor:
        before = self.state["memory"]
        prediction = self.rule.write(key, value)
        change = self.state["memory"] - before
        # In float32 the squares of a large but finite change would overflow.
        norm = torch.linalg.vector_norm(change, dim=(2, 3), dtype=torch.float64)
        too_long = norm > self.limits
        limited = before + change * (self.limits / norm).to(change.dtype)[..., None, None]
        memory = torch.where(too_long[..., None, None], limited, self.state["memory"])
        self.state["memory"] = memory
        self.state["clipped"] = self.state["clipped"] + too_long
        return prediction

"""Mesa: the ridge optimum of all pairs with forgetting, from the moments (arXiv 2506.05233)."""

import torch
from torch import Tensor

from versus.experiments.memory.fast.base import Group, WindowRule
from versus.experiments.memory.fast.optimum import BLOCK_BYTES, MAX_BLOCK_BYTES, cholesky, solve


class Mesa(WindowRule):
    """All tokens of a block at once: every G_t is factorised, no M_t is needed but the last.

    G_t + reg I has no recursive inverse, because its ridge is not forgotten. State: ``gram`` G
    (S, dim, dim) and ``cross`` B (S, rows, dim), float64; no pair is buffered.
    """

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        self.reach = 0
        ridge = torch.tensor([s.reg for s in group.settings], dtype=torch.float64)
        identity = torch.eye(self.dim, dtype=torch.float64, device=self.device)
        self._ridge = ridge.to(self.device)[:, None, None, None] * identity

    def initial_state(self) -> dict[str, Tensor]:
        """No pairs so far."""
        cross = self.zeros(self.streams, self.rows, self.dim).double()
        gram = self.zeros(self.streams, self.dim, self.dim).double()
        return {**super().initial_state(), "gram": gram, "cross": cross}

    def block_size(self, buffered: int, tokens: int) -> int:
        """As many tokens as fit the cache, but not so few that the last solution dominates."""
        size = 8 * self.streams * self.runs * self.dim**2
        return min(tokens, max(1, BLOCK_BYTES // size, min(16, MAX_BLOCK_BYTES // size)))

    def write_block(self, keys: Tensor, values: Tensor, buffered: int) -> Tensor:
        """Read the first token from the memory, the others from the pairs before them."""
        first = keys[:, None, :1] @ self.state["memory"].mT
        gram, cross = self.state["gram"], self.state["cross"]
        keys, values = keys.double(), values.double()
        age = torch.arange(keys.shape[1], dtype=torch.float64, device=self.device)
        powers = (self.gamma ** (age[:, None] - age).clamp(min=0)).tril()
        fading = self.gamma ** (age[:, None] + 1)
        changes = (keys[..., None] * keys[:, :, None]).flatten(2)
        grams = (powers @ changes + fading * gram.flatten(1)[:, None]).view(
            *changes.shape[:2], *gram.shape[1:]
        )
        factors, _ = cholesky(grams[:, None] + self._ridge)
        directions = solve(factors[:, :, :-1], keys[:, None, 1:, :, None]).squeeze(4)
        weights = powers[:-1] * (directions @ keys[:, None].mT)
        reads = weights @ values[:, None] + fading[:-1] * (directions @ cross[:, None].mT)
        cross = fading[-1] * cross + (powers[-1, :, None] * values).mT @ keys
        self.state["gram"], self.state["cross"] = grams[:, -1].clone(), cross
        self.state["memory"] = solve(factors[:, :, -1], cross[:, None].mT).mT.to(self.dtype)
        return torch.cat((first, reads.to(self.dtype)), 2)

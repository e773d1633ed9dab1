"""ProxOmega: the implicit step on Omega's objective, all windows of a block factorised at once."""

import torch
from torch import Tensor

from versus.experiments.memory.fast.base import Group, WindowRule
from versus.experiments.memory.fast.optimum import BLOCK_BYTES, MAX_BLOCK_BYTES, cholesky
from versus.experiments.memory.naive_optimum import RIDGE_FLOOR


class ProxOmega(WindowRule):
    """Systems depend on keys alone; with them, the recurrence is one solution per token.

    With a window's keys K and values V as rows, each times the root of its weight,
    a = 1 / (1 + lr reg) and r = 1 / (lr a) = 1/lr + reg, the step solves the smaller of
    a M_{t-1} + (V - a K M_{t-1}^T)^T (K K^T + r I)^-1 K = (a r M_{t-1} + V^T K) (K^T K + r I)^-1.
    Inside in float64.
    """

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        runs = [(1 / (1 + s.lr * s.reg), 1 / s.lr + s.reg) for s in group.settings]
        decay, ridge = torch.tensor(runs, dtype=torch.float64, device=self.device).T
        self._decay, self._ridge = decay[:, None, None], ridge[:, None]

    def block_size(self, buffered: int, tokens: int) -> int:
        """As many tokens as fit the cache; a block ends where windows outgrow ``dim`` pairs."""
        size = 8 * self.streams * self.runs * min(self.window, self.dim, buffered + 64) ** 2
        fits = min(tokens, max(1, BLOCK_BYTES // size, min(16, MAX_BLOCK_BYTES // size)))
        return min(fits, self.dim - buffered) if self.window > self.dim > buffered else fits

    def write_block(self, keys: Tensor, values: Tensor, buffered: int) -> Tensor:
        """Factorise, then follow the recurrence."""
        width = min(self.window, keys.shape[1])
        k, v = self._windows(keys, width, buffered), self._windows(values, width, buffered)
        by_pairs = width <= self.dim
        factors, ridge = self._factorise(k @ k.mT if by_pairs else k.mT @ k)
        cross = None if by_pairs else v.mT @ k
        memory, predictions = self.state["memory"].double(), []
        for t in range(k.shape[1]):
            factor, key = factors[:, :, t], k[:, t]
            predictions.append(key[:, None, -1:] @ memory.mT)
            kept = self._decay * memory
            if cross is None:
                # The rows of all runs of a stream are one factor, since they share the keys.
                reads = (key @ kept.flatten(1, 2).mT).unflatten(2, kept.shape[1:3])
                error = (v[:, t, :, None] - reads).transpose(1, 2)
                step = torch.cholesky_solve(error, factor).mT.flatten(1, 2)
                memory = torch.baddbmm(kept.flatten(1, 2), step, key).view_as(kept)
            else:
                target = ridge[:, :, t, None, None] * kept + cross[:, None, t]
                memory = torch.cholesky_solve(target.mT, factor).mT
        self.state["memory"] = memory.to(self.dtype)
        return torch.cat(predictions, 2).to(self.dtype)

    def _windows(self, pairs: Tensor, width: int, buffered: int) -> Tensor:
        """The window of every token, empty slots zero, times the roots: (S, C, width, ...)."""
        padded = torch.nn.functional.pad(pairs.double(), (0, 0, width - 1 - buffered, 0))
        weights = self.recency(width, torch.float64)
        windows = padded.unfold(1, width, 1).mT
        return windows if weights is None else weights.sqrt() * windows

    def _factorise(self, gram: Tensor) -> tuple[Tensor, Tensor]:
        """Cholesky factors (S, R, C, n, n) of gram + ridge I, and the ridges (S, R, C)."""
        floor = RIDGE_FLOOR * gram.diagonal(dim1=-2, dim2=-1).sum(-1)[:, None]
        ridge = self._ridge.maximum(floor)
        diagonal = torch.diag_embed(ridge[..., None].expand(*ridge.shape, gram.shape[-1]))
        return cholesky(gram[:, None] + diagonal)[0], ridge

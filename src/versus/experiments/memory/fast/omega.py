"""The Omega rule for a stack of runs: two exact forms, chosen by the size of the window.

The rows of all runs of a stream form one matrix of Q = R * rows columns, because the window's keys
are shared: one product per token serves them all.
"""

import torch
from torch import Tensor

from versus.experiments.memory.fast.base import Group, WindowRule
from versus.experiments.memory.naive import inverse

PAIR_BLOCK = 32
GRAM_BLOCK = 64
# Per token and row the pair form costs about 2 c (c + PAIR_BLOCK / 2) operations and the Gram form
# 2 dim^2, with more passes over its larger arrays.
PAIR_FORM_UP_TO = 0.8


class Omega(WindowRule):
    """Gradient steps on the whole window at the current memory."""

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        settings = group.settings
        self.inner_steps, self.step_norm = settings[0].inner_steps, settings[0].step_norm
        decay = [1 - s.lr * s.reg for s in settings]
        self._decays = any(a != 1 for a in decay)
        self._decay = self.per_run(decay).repeat_interleave(self.rows)
        self._lr = self.per_run([s.lr for s in settings]).repeat_interleave(self.rows)

    def block_size(self, buffered: int, tokens: int) -> int:
        """Short blocks in the pair form, whose work per token grows with the block."""
        return min(tokens, PAIR_BLOCK if self._prefers_pairs(buffered + 1) else GRAM_BLOCK)

    def write_block(self, keys: Tensor, values: Tensor, buffered: int) -> Tensor:
        """Write a block in the cheaper form."""
        if self._prefers_pairs(buffered + 1):
            reads = self._write_pairs(keys, values, buffered)
        else:
            reads = self._write_gram(keys, values, buffered)
        return reads.view(*reads.shape[:2], self.runs, self.rows).transpose(1, 2)

    def _prefers_pairs(self, pairs: int) -> bool:
        return pairs <= PAIR_FORM_UP_TO * self.dim

    def _write_pairs(self, keys: Tensor, values: Tensor, buffered: int) -> Tensor:
        """Follow what the memory reads at each key in reach instead of the memory itself.

        A step on the window w adds H_{jw} U to the read at key j, where H is the Gram matrix of
        the keys and U = lr (V_w - reads_w). The sum of the U gives the memory after the block.

        Returns:
            Predictions (S, C, Q).
        """
        memory = self.state["memory"].flatten(1, 2)
        pairs = keys.shape[1]
        gram = keys @ keys.mT
        reads = keys @ memory.mT
        targets = self._lr * values.repeat(1, 1, self.runs)
        applied = torch.zeros_like(reads)
        shares = self._shares(keys, buffered)
        predictions = reads.new_empty(self.streams, pairs - buffered, reads.shape[2])
        for now in range(buffered, pairs):
            predictions[:, now - buffered] = reads[:, now]
            window = slice(max(0, now + 1 - self.window), now + 1)
            weights = self._weights(now + 1 - window.start, shares, now - buffered)
            step = self._pair_steps(
                gram[:, window, window], reads[:, window], targets[:, window], weights
            )
            ahead = slice(max(0, now + 2 - self.window), pairs)
            if self._decays:
                reads[:, ahead].mul_(self._decay)
                applied.mul_(self._decay)
            applied[:, window].add_(step)
            if now + 1 < pairs:
                reads[:, ahead].baddbmm_(gram[:, ahead, window], step)
        kept = memory * (self._decay ** (pairs - buffered))[:, None] if self._decays else memory
        self.state["memory"] = (kept + applied.mT @ keys).view_as(self.state["memory"])
        return predictions

    def _shares(self, keys: Tensor, buffered: int) -> Tensor | None:
        """What ``step_norm`` multiplies lr by at each token of the block, (S, C)."""
        if self.step_norm == "none":
            return None
        squares = keys.square().sum(2)
        terms = torch.ones_like(squares) if self.step_norm == "mean" else squares
        width = min(self.window, keys.shape[1])
        windows = torch.nn.functional.pad(terms, (width - 1 - buffered, 0)).unfold(1, width, 1)
        weights = self.recency(width)
        return inverse(windows.sum(2) if weights is None else (windows @ weights).squeeze(2))

    def _weights(self, pairs: int, shares: Tensor | None, token: int) -> Tensor | None:
        """Weights of a window's pairs times the share of its step, (n, 1) or (S, n or 1, 1)."""
        weights = self.recency(pairs)
        if shares is None:
            return weights
        share = shares[:, token, None, None]
        return share if weights is None else share * weights

    def _pair_steps(
        self, gram: Tensor, reads: Tensor, targets: Tensor, weights: Tensor | None
    ) -> Tensor:
        """Sum of the inner steps' coefficients U on the window, (S, c, Q)."""
        total = step = self._weigh(torch.addcmul(targets, reads, self._lr, value=-1), weights)
        if self.inner_steps > 1:
            reads = reads * self._decay
        for _ in range(self.inner_steps - 1):
            reads = torch.baddbmm(reads, gram, step)
            step = self._weigh(torch.addcmul(targets, reads, self._lr, value=-1), weights)
            total = total + step
        return total

    def _write_gram(self, keys: Tensor, values: Tensor, buffered: int) -> Tensor:
        """Keep the window's moments G and B: the gradient is M G - B whatever its length.

        Returns:
            Predictions (S, C, Q).
        """
        memory, predictions = self.state["memory"].flatten(1, 2), []
        moments, left, right = self._moments(keys, values, buffered)
        decay, lr = self._decay[:, None], self._lr[:, None]
        shares = self._shares(keys, buffered)
        for t in range(keys.shape[1] - buffered):
            predictions.append(torch.bmm(memory, keys[:, buffered + t, :, None]).mT)
            moments = torch.baddbmm(moments, left[:, t], right[:, t], beta=self.gamma)
            gram, cross = moments[:, : self.dim], moments[:, None, self.dim :]
            rate = lr if shares is None else lr * shares[:, t, None, None]
            for inner in range(self.inner_steps):
                gradient = memory @ gram
                gradient.view_as(self.state["memory"]).sub_(cross)
                if self._decays and inner == 0:
                    memory = memory * decay
                memory = torch.addcmul(memory, gradient, rate, value=-1)
        self.state["memory"] = memory.view_as(self.state["memory"])
        return torch.cat(predictions, 1)

    def _moments(
        self, keys: Tensor, values: Tensor, buffered: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Stacked G and B of the buffered pairs and the factors of their rank-two changes.

        Computed anew for each block, so that rounding errors do not pile up.

        Returns:
            [G; B] (S, dim + rows, dim), left (S, C, dim + rows, 2), right (S, C, 2, dim).
        """
        pairs = torch.cat((keys, values), 2)
        weights = self.recency(buffered)
        past = keys[:, :buffered]
        moments = pairs[:, :buffered].mT @ (past if weights is None else weights * past)
        empty = max(0, min(self.window, keys.shape[1]) - buffered)
        leaving = torch.nn.functional.pad(pairs, (0, 0, empty, 0))[:, : keys.shape[1] - buffered]
        left = torch.stack((pairs[:, buffered:], -(self.gamma**self.window) * leaving), 3)
        right = torch.stack((keys[:, buffered:], leaving[..., : self.dim]), 2)
        return moments, left, right

    @staticmethod
    def _weigh(step: Tensor, weights: Tensor | None) -> Tensor:
        return step if weights is None else step.mul_(weights)

"""The Delta rule, a block of tokens at a time (WY form, Yang et al. 2024, arXiv 2406.06484)."""

import torch
from torch import Tensor

from versus.experiments.memory.fast.base import FastRule, Group

MAX_BLOCK = 100


class Delta(FastRule):
    """All innovations of a block from one triangular system.

    With a = 1 - lr reg, unrolling the rule gives the innovations f_t = v_t - M_{t-1} k_t of a
    block: f_t + lr sum_{j<t} a^(t-1-j) (k_j . k_t) f_j = v_t - a^(t-1) M_0 k_t.
    Powers of a are non-negative, so nothing overflows that does not overflow in the rule.
    """

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        settings = group.settings
        decay = torch.tensor([[1 - s.lr * s.reg] for s in settings], dtype=torch.float64)
        powers = (decay ** torch.arange(MAX_BLOCK + 1)).to(self.device, self.dtype)
        step_sizes = self.per_run([s.lr for s in settings])[:, None] * powers
        self._powers = powers[..., None, None]
        self._step_sizes = step_sizes.flip(1)[..., None]
        past = torch.nn.functional.pad(step_sizes, (MAX_BLOCK, -2))
        self._coupling = past.unfold(1, MAX_BLOCK, 1).flip(2)

    def write(self, keys: Tensor, values: Tensor) -> Tensor:
        """Write blocks of equal size but the last."""
        blocks = -(-keys.shape[1] // MAX_BLOCK)
        size = -(-keys.shape[1] // blocks)
        parts = zip(torch.split(keys, size, 1), torch.split(values, size, 1), strict=True)
        return torch.cat([self._write_block(k, v) for k, v in parts], 2)

    def _write_block(self, keys: Tensor, values: Tensor) -> Tensor:
        size, memory = keys.shape[1], self.state["memory"]
        keys, values = keys[:, None], values[:, None]
        system = self._coupling[:, :size, :size] * (keys @ keys.mT)
        undisturbed = self._powers[:, :size, 0] * (keys @ memory.mT)
        innovations: Tensor = torch.linalg.solve_triangular(
            system, values - undisturbed, upper=False, unitriangular=True
        )
        steps = self._step_sizes[:, -size:] * innovations
        self.state["memory"] = self._powers[:, size] * memory + steps.mT @ keys
        return values - innovations

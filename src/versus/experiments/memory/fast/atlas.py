"""Atlas: Newton-Schulz steps along the momentum of Omega's gradients, one token after the other."""

import torch
from torch import Tensor

from versus.experiments.memory.fast.base import Group, WindowRule
from versus.experiments.memory.naive import newton_schulz

BLOCK = 64


class Atlas(WindowRule):
    """All runs and streams at once; the iterations of a token need the memory before it.

    State: ``surprise`` S (S, R, rows, dim), float64. Inside in float64, the memory rounded at every
    token as in the loop: the iterations enlarge rounding errors about 500 times.
    """

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        runs = [(1 - s.lr * s.reg, s.lr, s.momentum) for s in group.settings]
        columns = torch.tensor(runs, dtype=torch.float64, device=self.device).T
        self._decay, self._lr, self._momentum = columns[..., None, None]

    def initial_state(self) -> dict[str, Tensor]:
        """No momentum."""
        state = super().initial_state()
        return {**state, "surprise": torch.zeros_like(state["memory"]).double()}

    def block_size(self, buffered: int, tokens: int) -> int:
        """Any: blocks bound the copies of the buffer alone."""
        return min(tokens, BLOCK)

    def write_block(self, keys: Tensor, values: Tensor, buffered: int) -> Tensor:
        """Write token by token."""
        memory, surprise = self.state["memory"], self.state["surprise"]
        predictions, keys, values = [], keys[:, None], values[:, None]
        for now in range(buffered, keys.shape[2]):
            predictions.append(keys[:, :, now, None] @ memory.mT)
            window = slice(max(0, now + 1 - self.window), now + 1)
            k, m = keys[:, :, window].double(), memory.double()
            error = k @ m.mT - values[:, :, window]
            weights = self.recency(k.shape[2], torch.float64)
            gradient = error.mT @ (k if weights is None else weights * k)
            surprise = self._momentum * surprise + gradient
            memory = (self._decay * m - self._lr * newton_schulz(surprise)).to(self.dtype)
        self.state["memory"], self.state["surprise"] = memory, surprise
        return torch.cat(predictions, 2)

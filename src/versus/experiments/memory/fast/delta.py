"""Rules of one pair, a block of tokens at a time (WY form, Yang et al. 2024, arXiv 2406.06484).

All are M_t = a M_{t-1} + S_t with S_t = m S_{t-1} + b_t f_t k_t^T and the innovation
f_t = v_t - M_{t-1} k_t, or v_t - a M_{t-1} k_t where the error is taken after the decay. Unrolled,

    M_t = a^t M_0 + m w(t-1) S_0 + sum_{j <= t} w(t-j) b_j f_j k_j^T,  w(n) = sum_i a^(n-i) m^i,

and since the step sizes b_j depend on keys alone, the innovations of a block solve one triangular
system. Powers are non-negative, so nothing overflows that does not overflow in the rule.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from versus.experiments.memory.fast.base import FastRule, Group
from versus.experiments.memory.naive import inverse
from versus.experiments.memory.rules import RuleSettings

MAX_BLOCK = 100


class Coefficients(NamedTuple):
    """How one run steps: decay a, step size b_t = rate / (ridge + |k_t|^2), or rate alone."""

    decay: float
    rate: float
    ridge: float | None


class Delta(FastRule):
    """All innovations of a block from one triangular system."""

    error_after_decay = False

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        runs = [self.coefficients(s) for s in group.settings]
        decay = torch.tensor([[c.decay] for c in runs], dtype=torch.float64)
        powers = decay ** torch.arange(MAX_BLOCK + 1)
        rates = self.per_run([c.rate for c in runs])[:, None]
        step_sizes = rates * self._own(self.response(powers, group.settings))
        self._powers = self._own(powers)[..., None, None]
        self._step_sizes = step_sizes.flip(1)[..., None]
        past = torch.nn.functional.pad(step_sizes, (MAX_BLOCK, -2))
        self._coupling = past.unfold(1, MAX_BLOCK, 1).flip(2)
        self._gate = self._own(decay)[..., None] if self.error_after_decay else None
        ridges = [c.ridge for c in runs if c.ridge is not None]
        self._ridges = self.per_run(ridges)[:, None] if ridges else None

    @staticmethod
    def coefficients(one: RuleSettings) -> Coefficients:
        """What distinguishes the rules of this family."""
        return Coefficients(1 - one.lr * one.reg, one.lr, 0.0 if one.step_norm == "trace" else None)

    def response(self, powers: Tensor, settings: Sequence[RuleSettings]) -> Tensor:
        """w(n), (R, MAX_BLOCK + 1), from the powers a^n."""
        return powers

    def write(self, keys: Tensor, values: Tensor) -> Tensor:
        """Write blocks of equal size but the last."""
        blocks = -(-keys.shape[1] // MAX_BLOCK)
        size = -(-keys.shape[1] // blocks)
        parts = zip(torch.split(keys, size, 1), torch.split(values, size, 1), strict=True)
        return torch.cat([self._write_block(k[:, None], v[:, None]) for k, v in parts], 2)

    def _write_block(self, keys: Tensor, values: Tensor) -> Tensor:
        """Solve for the innovations of a block, keys (S, 1, C, dim) and values (S, 1, C, rows)."""
        size, gram = keys.shape[2], keys @ keys.mT
        normaliser = None
        if self._ridges is not None:
            normaliser = inverse(keys.square().sum(3), self._ridges)
            gram = gram * normaliser[:, :, None]
        system = self._coupling[:, :size, :size] * gram
        undisturbed = self._undisturbed(keys)
        if self._gate is None:
            innovations = _solve(system, values - undisturbed)
            reads = values - innovations
        else:
            innovations = _solve(self._gate * system, values - self._gate * undisturbed)
            reads = undisturbed + system @ innovations
        self._store(
            keys, innovations if normaliser is None else normaliser[..., None] * innovations
        )
        return reads

    def _undisturbed(self, keys: Tensor) -> Tensor:
        """Reads (S, R, C, rows) of the memory as it would be had the block written nothing."""
        return self._powers[:, : keys.shape[2], 0] * (keys @ self.state["memory"].mT)

    def _store(self, keys: Tensor, steps: Tensor) -> None:
        """Write the block's steps (S, R, C, rows), not yet times the rate."""
        size = keys.shape[2]
        change = (self._step_sizes[:, -size:] * steps).mT @ keys
        self.state["memory"] = self._powers[:, size] * self.state["memory"] + change

    def _own(self, numbers: Tensor) -> Tensor:
        return numbers.to(self.device, self.dtype)


class GatedDelta(Delta):
    """Delta whose error is taken after the decay."""

    error_after_decay = True


class NLMS(Delta):
    """Delta with a step size normalised by the key."""

    @staticmethod
    def coefficients(one: RuleSettings) -> Coefficients:
        """No decay; reg is the ridge."""
        return Coefficients(1, one.lr, one.reg)


class Longhorn(GatedDelta):
    """The implicit step: with b = lr a, b / (1 + b |k|^2) is 1 / (1/lr + reg + |k|^2)."""

    @staticmethod
    def coefficients(one: RuleSettings) -> Coefficients:
        """No number is large that is not large in the rule."""
        return Coefficients(1 / (1 + one.lr * one.reg), 1, 1 / one.lr + one.reg)


class Titans(Delta):
    """Delta with momentum; state: ``surprise`` S (S, R, rows, dim).

    Rounding errors are relative to lr / (1 - momentum) times the values.
    """

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        rates = self.per_run([s.lr for s in group.settings])[:, None, None]
        powers = self._own(self._momentum ** torch.arange(MAX_BLOCK + 1))[..., None]
        self._momentum_powers, self._momentum_steps = powers[..., None], rates * powers.flip(1)

    def response(self, powers: Tensor, settings: Sequence[RuleSettings]) -> Tensor:
        """sum_i a^(n-i) m^i; S_0 adds m w(t-1) times itself to M_t."""
        self._momentum = torch.tensor([[s.momentum] for s in settings], dtype=torch.float64)
        n = torch.arange(powers.shape[1])
        terms = powers[:, (n[:, None] - n).clamp(min=0)] * self._momentum[..., None] ** n
        response = terms.tril().sum(2)
        carried = torch.nn.functional.pad(self._momentum * response, (1, -1))
        self._carried = self._own(carried)[..., None, None]
        return response

    def initial_state(self) -> dict[str, Tensor]:
        """No momentum."""
        state = super().initial_state()
        return {**state, "surprise": torch.zeros_like(state["memory"])}

    def _undisturbed(self, keys: Tensor) -> Tensor:
        carried = self._carried[:, : keys.shape[2], 0]
        return super()._undisturbed(keys) + carried * (keys @ self.state["surprise"].mT)

    def _store(self, keys: Tensor, steps: Tensor) -> None:
        super()._store(keys, steps)
        size, surprise = keys.shape[2], self.state["surprise"]
        self.state["memory"] = self.state["memory"] + self._carried[:, size] * surprise
        change = (self._momentum_steps[:, -size:] * steps).mT @ keys
        self.state["surprise"] = self._momentum_powers[:, size] * surprise + change


def _solve(system: Tensor, right: Tensor) -> Tensor:
    """Solve (I + the strictly lower part of the system) x = right."""
    solution: Tensor = torch.linalg.solve_triangular(system, right, upper=False, unitriangular=True)
    return solution

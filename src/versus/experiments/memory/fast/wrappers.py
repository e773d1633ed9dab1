"""Rules around rules: features of the keys, limited updates, reads after the write."""

from collections.abc import Sequence

import torch
from torch import Tensor

from versus.experiments.memory.fast.base import FastRule
from versus.experiments.memory.features import Features, expand
from versus.experiments.memory.rules import RuleSettings


class Wrapper(FastRule):
    """A rule that works through another one, whose state is its own."""

    def __init__(self, rule: FastRule) -> None:
        self.rule = rule

    @property
    def state(self) -> dict[str, Tensor]:
        """The state of the rule underneath."""
        return self.rule.state

    @state.setter
    def state(self, state: dict[str, Tensor]) -> None:
        self.rule.state = state

    def initial_state(self) -> dict[str, Tensor]:
        """That of the rule underneath."""
        return self.rule.initial_state()


class Mapped(Wrapper):
    """Any rule on features of the keys: its memory has their dimension."""

    def __init__(self, rule: FastRule, features: Features) -> None:
        super().__init__(rule)
        self.features = features

    def write(self, keys: Tensor, values: Tensor) -> Tensor:
        """Write the features of the keys."""
        return self.rule.write(expand(self.features, keys), values)

    def read(self, queries: Tensor) -> Tensor:
        """Read with the features of the queries."""
        return self.rule.read(expand(self.features, queries))


class TokenByToken(Wrapper):
    """Any rule with limited updates or reads after the write: one token at a time.

    The proposals of all rules depend on the past through ``memory`` and what the keys and values
    alone determine (pairs, moments, momentum as it was proposed), so that the limited memory can
    be put in the place of the proposed one.
    """

    def __init__(self, rule: FastRule, settings: Sequence[RuleSettings]) -> None:
        super().__init__(rule)
        self.after = settings[0].read == "after"
        self.clips = settings[0].clip > 0
        limits = [s.clip for s in settings]
        self.limits = torch.tensor(limits, dtype=torch.float64, device=rule.device)

    def write(self, keys: Tensor, values: Tensor) -> Tensor:
        """Write token by token."""
        tokens = zip(torch.split(keys, 1, 1), torch.split(values, 1, 1), strict=True)
        return torch.cat([self._write_token(k, v) for k, v in tokens], 2)

    def _write_token(self, key: Tensor, value: Tensor) -> Tensor:
        before = self.state["memory"]
        prediction = self.rule.write(key, value)
        if self.clips:
            self._limit(before)
        return self.read(key) if self.after else prediction

    def _limit(self, before: Tensor) -> None:
        proposal = self.state["memory"]
        change = proposal - before
        # In float32 the squares of a large but finite change would overflow.
        norm = torch.linalg.vector_norm(change, dim=(2, 3), dtype=torch.float64)
        too_long = norm > self.limits
        # The maximum keeps the branch that is not taken finite, and so its gradient.
        share = (self.limits / norm.maximum(self.limits)).to(change.dtype)
        limited = before + change * share[..., None, None]
        self.state["memory"] = torch.where(too_long[..., None, None], limited, proposal)
        self.state["clipped"] = self.state["clipped"] + too_long

"""Fast form of the rules: streaming, chunked, many runs and streams at once.

A *group* is several runs whose :func:`group_key` agrees: they share the keys of each stream and
differ in step size and regularisation. Predictions and memories equal those of :mod:`..naive` for
any chunking of the stream, to rounding. Runs and streams never influence each other, not even when
one overflows; with ``clip`` the rows of a run do.
"""

from collections.abc import Hashable, Sequence

import torch

from versus.experiments.memory.fast.base import Clipped, FastRule, Group
from versus.experiments.memory.fast.delta import Delta
from versus.experiments.memory.fast.omega import Omega
from versus.experiments.memory.fast.optimum import RLS, OmegaRidge
from versus.experiments.memory.rules import RuleSettings, canonical

__all__ = ["FastRule", "group_key", "make"]

_RULES: dict[str, type[FastRule]] = {
    "Delta": Delta,
    "Omega": Omega,
    "OmegaRidge": OmegaRidge,
    "RLS": RLS,
}


def group_key(settings: RuleSettings) -> Hashable:
    """Runs with equal keys can share a group."""
    rule = canonical(settings)
    return rule.updater, rule.window, rule.gamma, rule.inner_steps, rule.clip > 0


def make(
    settings: Sequence[RuleSettings],
    streams: int,
    rows: int,
    dim: int,
    dtype: torch.dtype = torch.float32,
    *,
    device: torch.device | str = "cpu",
) -> FastRule:
    """Build the fast rule of one group, with zero memories.

    Args:
        settings: The R runs, all of one :func:`group_key`.
        streams: Number of streams S that every run is written with.
        rows: Rows of the memory, the dimension of values.
        dim: Dimension of keys.
        dtype: Floating type of keys, values, memory and predictions.
        device: Where the state lives; keys and values must lie there too.
    """
    if len({group_key(s) for s in settings}) != 1:
        raise ValueError(f"expected runs of one group, got {list(settings)}")
    kind = _RULES[settings[0].updater]
    rule = kind(Group(settings, streams, rows, dim, dtype, torch.device(device)))
    if settings[0].clip > 0:
        return Clipped(rule, [s.clip for s in settings])
    return rule

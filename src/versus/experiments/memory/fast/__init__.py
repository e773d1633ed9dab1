"""Fast form of the rules: streaming, chunked, many runs and streams at once.

A *group* is several runs whose :func:`group_key` agrees: they share the keys of each stream and
differ in step size, regularisation and momentum. Predictions and memories equal those of
:mod:`..naive` for any chunking of the stream, to rounding. Runs and streams never influence each
other, not even when one overflows; the rows of a run do with ``clip`` and where ``rows_interact``.
"""

from collections.abc import Hashable, Sequence

import torch

from versus.experiments.memory.fast.atlas import Atlas
from versus.experiments.memory.fast.base import FastRule, Group
from versus.experiments.memory.fast.delta import NLMS, Delta, GatedDelta, Longhorn, Titans
from versus.experiments.memory.fast.mesa import Mesa
from versus.experiments.memory.fast.omega import Omega
from versus.experiments.memory.fast.optimum import RLS, OmegaRidge
from versus.experiments.memory.fast.prox import ProxOmega
from versus.experiments.memory.fast.wrappers import Mapped, TokenByToken
from versus.experiments.memory.features import dimension
from versus.experiments.memory.rules import RuleSettings, canonical

__all__ = ["FastRule", "group_key", "make"]

_RULES: dict[str, type[FastRule]] = {
    "Delta": Delta,
    "GatedDelta": GatedDelta,
    "NLMS": NLMS,
    "Longhorn": Longhorn,
    "Titans": Titans,
    "Omega": Omega,
    "Atlas": Atlas,
    "ProxOmega": ProxOmega,
    "OmegaRidge": OmegaRidge,
    "RLS": RLS,
    "Mesa": Mesa,
}


def group_key(settings: RuleSettings) -> Hashable:
    """Runs with equal keys can share a group."""
    one = canonical(settings)
    shared = (one.features, one.read, one.step_norm, one.clip > 0)
    return one.updater, one.window, one.gamma, one.inner_steps, *shared


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
    settings = [canonical(s) for s in settings]
    one = settings[0]
    features = dimension(one.features, dim)
    group = Group(settings, streams, rows, features, dtype, torch.device(device))
    rule = _RULES[one.updater](group)
    if one.clip > 0 or one.read == "after":
        rule = TokenByToken(rule, settings)
    if one.features != "linear":
        rule = Mapped(rule, one.features)
    rule.reset()
    return rule

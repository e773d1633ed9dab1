"""Hooks for modular arithmetic, and the groups that can be asked for."""

from collections.abc import Mapping, Sequence

from versus.core.hooks.base import Hook
from versus.core.hooks.library.groups import GENERIC_GROUPS
from versus.experiments.ordering.hooks.attention import Attention
from versus.experiments.ordering.hooks.fourier import Fourier
from versus.experiments.ordering.hooks.progress import Progress
from versus.experiments.ordering.hooks.token_gradient import TokenGradient

HOOKS: Sequence[type[Hook]] = (Attention, Fourier, TokenGradient, Progress)
HOOK_GROUPS: Mapping[str, Sequence[str]] = {
    **GENERIC_GROUPS,
    **{
        group: (*GENERIC_GROUPS[group], *(hook.name for hook in HOOKS))
        for group in ("observers", "full")
    },
}

"""Synthetic streams of pairs, each a pure function of its parameters and a seed.

Named kinds are presets of three families: streams with a map (:mod:`.mapped`), pools of keys whose
values are overwritten, and associations out of a vocabulary (:mod:`.stored`). Parameters of a
stream are never those of an update rule.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from versus.core.errors import ConfigError
from versus.experiments.memory.data.scenarios.draws import Stream, is_integer
from versus.experiments.memory.data.scenarios.mapped import Mapped
from versus.experiments.memory.data.scenarios.stored import Associations, Overwrite

__all__ = ["KINDS", "Mapped", "Scenario", "Stream", "generate", "misfits", "preset"]

Scenario = Mapped | Overwrite | Associations


class Kind(NamedTuple):
    """A named kind: its family, and its own parameters with their presets."""

    family: type[Scenario]
    own: Mapping[str, Any]

    @property
    def uses(self) -> tuple[str, ...]:
        """Names of the parameters that it takes."""
        shared = ["noise", "keys", "power"]
        shared += ["correlation", "drift", "period"] if self.family is Mapped else []
        return tuple(dict.fromkeys((*shared, *self.own)))


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "linear": Kind(Mapped, {}),
        "ar": Kind(Mapped, {"correlation": 0.95}),
        "spectrum": Kind(Mapped, {"power": 1.0}),
        "drift": Kind(Mapped, {"drift": 0.05}),
        "switch": Kind(Mapped, {"period": 100}),
        "mix": Kind(Mapped, {"clusters": 8, "spread": 0.5, "persistence": 0.98}),
        "patterns": Kind(Mapped, {"patterns": 8, "persistence": 0.9}),
        "unrelated": Kind(Mapped, {"unrelated": True}),
        "overwrite": Kind(Overwrite, {"pool": 16, "passes": 4, "share": 0.25}),
        "mqar": Kind(Associations, {"vocabulary": 64}),
        "forgetting-mqar": Kind(Associations, {"vocabulary": 64, "share": 0.5}),
    }
)


def preset(kind: str, **parameters: Any) -> Scenario:
    """The named kind with some parameters set, e.g. ``preset("drift", power=1)``.

    Raises:
        ConfigError: The kind is unknown, does not use a parameter, or a value is out of range.
    """
    if kind not in KINDS:
        raise ConfigError(f"scenario: unknown kind {kind!r}; use one of {', '.join(KINDS)}")
    uses = KINDS[kind].uses
    unused = [f"{key} = {value!r}" for key, value in parameters.items() if key not in uses]
    if unused:
        raise ConfigError(
            f"scenario: {kind} does not use {', '.join(unused)}; remove it, {kind} takes "
            f"{', '.join(uses)}"
        )
    return KINDS[kind].family(**{**KINDS[kind].own, **parameters})


def misfits(scenario: Scenario, *, steps: int, dim: int, rows: int, seed: int = 0) -> list[str]:
    """Why a stream of this shape cannot be drawn; nothing if it can."""
    least = {"steps": (steps, 1), "dim": (dim, 1), "rows": (rows, 1), "seed": (seed, 0)}
    mistakes = [
        f"{name} must be an integer >= {low}, got {value!r}"
        for name, (value, low) in least.items()
        if not is_integer(value, low)
    ]
    return mistakes or scenario.misfits(steps, dim, rows)


def generate(kind: str, *, steps: int, dim: int, rows: int, seed: int, **parameters: Any) -> Stream:
    """Draw a stream of a named kind.

    Args:
        kind: One of :data:`KINDS`.
        steps: Length, >= 1.
        dim: Dimension of keys, >= 1.
        rows: Dimension of values, >= 1.
        seed: >= 0.
        parameters: Of the kind's family.

    Raises:
        ConfigError: See :func:`preset`; or there is no such stream of this shape.
    """
    scenario = preset(kind, **parameters)
    mistakes = misfits(scenario, steps=steps, dim=dim, rows=rows, seed=seed)
    if mistakes:
        raise ConfigError("stream: " + "; ".join(mistakes))
    return scenario.draw(steps, dim, rows, seed)

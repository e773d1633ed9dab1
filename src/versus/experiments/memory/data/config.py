"""Which streams a comparison learns, in which shapes."""

import itertools
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from versus.core.config import Section
from versus.core.errors import ConfigError
from versus.experiments.memory.data import scenarios

SILENT = ("overwrite", "mqar", "forgetting-mqar")


class StreamConfig(Section):
    """One kind of stream of (key, value) pairs. Nothing here is shared with the updater.

    A parameter that is empty has the kind's own value; one that the kind does not use is refused.
    """

    kind: Literal[
        "linear",
        "ar",
        "spectrum",
        "drift",
        "switch",
        "mix",
        "patterns",
        "unrelated",
        "overwrite",
        "mqar",
        "forgetting-mqar",
    ]
    """linear: v = A k + noise; ar: correlated keys; spectrum: ill-conditioned keys; drift: A walks;
    switch: a new A every period; mix: keys from clusters that take turns; patterns: orthonormal
    keys that persist; unrelated: values independent of keys (one-pass recall); overwrite: a pool of
    keys some of which get new values; mqar: keys with values out of a vocabulary; forgetting-mqar:
    some of them written again."""
    noise: float = Field(0.1, ge=0)
    """Standard deviation of the noise on every value; a map's entries have deviation 1. By default
    there is none where values are overwritten or out of a vocabulary."""
    keys: Literal["unit", "gaussian"] = "unit"
    """Keys of length 1, or standard normal entries as in the seed document."""
    correlation: float | None = Field(None, ge=0, lt=1)
    """Correlation of successive keys (ar)."""
    power: float | None = Field(None, ge=0)
    """Keys' variance along direction i falls as i^-power (spectrum)."""
    drift: float | None = Field(None, ge=0, le=1)
    """rho of the walking map A <- sqrt(1 - rho^2) A + rho W (drift)."""
    period: int | None = Field(None, ge=1)
    """Steps between new maps (switch)."""
    clusters: int | None = Field(None, ge=1)
    """Number of Gaussian clusters of keys, one active at a time (mix)."""
    spread: float | None = Field(None, ge=0, le=1)
    """Deviation of keys around their cluster's centre, which has the rest of the variance (mix)."""
    patterns: int | None = Field(None, ge=1)
    """Number of orthonormal keys, at most dim (patterns)."""
    persistence: float | None = Field(None, ge=0, le=1)
    """Probability that the cluster or pattern stays for the next token (mix, patterns)."""
    pool: int | None = Field(None, ge=2)
    """Number of keys, each visited once per pass (overwrite)."""
    passes: int | None = Field(None, ge=1)
    """Passes after which some keys get new values (overwrite)."""
    share: float | None = Field(None, ge=0, le=1)
    """Share of the keys that get new values each time (overwrite), or that are written again once
    (forgetting-mqar)."""
    vocabulary: int | None = Field(None, ge=2)
    """Number of different values (mqar, forgetting-mqar)."""
    steps: int | None = Field(None, ge=4)
    """Length of this stream in tokens; empty = data.steps."""

    @model_validator(mode="before")
    @classmethod
    def _own_noise(cls, values: Any) -> Any:
        silent = isinstance(values, Mapping) and values.get("kind") in SILENT
        return {"noise": 0.0, **values} if silent else values

    @model_validator(mode="after")
    def _acceptable(self) -> Self:
        try:
            self.scenario()
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    def scenario(self) -> scenarios.Scenario:
        """The distribution that the parameters give."""
        return scenarios.preset(self.kind, **self.parameters())

    def parameters(self) -> dict[str, Any]:
        """What is set of the parameters of the kind."""
        return self.model_dump(exclude={"kind", "steps"}, exclude_none=True)

    @property
    def has_map(self) -> bool:
        """Whether values depend on keys, so that pairs tell something of other pairs."""
        return self.kind not in ("unrelated", *SILENT)

    @property
    def is_stored_once(self) -> bool:
        """Whether pairs are there to be recalled, so that their age matters."""
        return not self.has_map and self.kind != "overwrite"

    @property
    def score(self) -> str:
        """The metric that this stream is about.

        Of overwritten values it is the error where the value has been shown since it changed: at
        the first visit after a change nobody can know it, and a rule which forgets everything
        would pay less there than one which remembers.
        """
        scores = {"unrelated": "recall", "overwrite": "nmse_known"}
        return "nmse" if self.has_map else scores.get(self.kind, "top1_error")


class Task(Section):
    """One stream in one shape; its name is the group of its metrics."""

    name: str
    stream: str
    dim: int
    mem_size: int
    steps: int


def _distinct(values: Any) -> Any:
    listed = list(values) if isinstance(values, list | tuple) else [values]
    if not listed or len(set(map(repr, listed))) != len(listed):
        raise ValueError(f"needs at least one value and no value twice, received {values!r}")
    return listed


class Surface(Section):
    """A stream per cell of noise x drift x power: kind drift, all else as it is by default."""

    noise: tuple[float, ...]
    """Standard deviations of the noise."""
    drift: tuple[float, ...]
    """Rates at which the map walks."""
    power: tuple[float, ...] = (0.0,)
    """Powers of the keys' spectrum."""

    @field_validator("noise", "drift", "power", mode="before")
    @classmethod
    def _lists(cls, values: Any) -> Any:
        return _distinct(values)

    def cells(self) -> dict[tuple[float, float, float], str]:
        """(noise, drift, power) -> name of its stream."""
        return {
            (noise, drift, power): f"noise{noise:.12g}-drift{drift:.12g}-power{power:.12g}"
            for power, drift, noise in itertools.product(self.power, self.drift, self.noise)
        }


class DataConfig(Section):
    """The streams that every variant learns, in every shape of dim x mem_size x steps."""

    streams: dict[str, StreamConfig] = Field(default_factory=dict)
    """Name -> stream."""
    surface: Surface | None = None
    """Further streams: one per cell of noise x drift x power, for a phase diagram."""
    dim: tuple[int, ...] = (64,)
    """Key dimension d."""
    mem_size: tuple[int, ...] = (64,)
    """Value dimension: rows of the memory (the seed document's name). Rows never interact."""
    steps: tuple[int, ...] = (200,)
    """Stream length n in tokens."""

    @field_validator("dim", "mem_size", "steps", mode="before")
    @classmethod
    def _lists(cls, values: Any) -> Any:
        return _distinct(values)

    @field_validator("dim", "mem_size", "steps")
    @classmethod
    def _positive(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if min(values) < 1:
            raise ValueError(f"every value must be at least 1, received {list(values)}")
        return values

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if not self.all_streams:
            raise ValueError("streams: needs at least one stream or a surface, received none")
        twice = self.streams.keys() & (self.surface.cells().values() if self.surface else ())
        if twice:
            raise ValueError(f"streams: cells of the surface have these names, received {twice}")
        for task in self.tasks():
            shape = {"steps": task.steps, "dim": task.dim, "rows": task.mem_size}
            found = scenarios.misfits(self.all_streams[task.stream].scenario(), **shape)
            if found:
                raise ValueError(f"streams.{task.stream}: {'; '.join(found)}")
        return self

    @cached_property
    def all_streams(self) -> Mapping[str, StreamConfig]:
        """The named streams and those of the surface."""
        cells = self.surface.cells() if self.surface else {}
        return self.streams | {
            name: StreamConfig(kind="drift", noise=noise, drift=drift, power=power)
            for (noise, drift, power), name in cells.items()
        }

    def tasks(self) -> list[Task]:
        """Every stream in every shape; a shape enters the name only where there are several."""
        return [
            Task(name=name, stream=stream, dim=dim, mem_size=rows, steps=steps)
            for stream, settings in self.all_streams.items()
            for dim, rows, steps in itertools.product(
                self.dim, self.mem_size, (settings.steps,) if settings.steps else self.steps
            )
            for name in [self._task_name(stream, dim, rows, steps)]
        ]

    def _task_name(self, stream: str, dim: int, rows: int, steps: int) -> str:
        several = len(self.steps) > 1 and self.all_streams[stream].steps is None
        parts = [
            f"d{dim}" if len(self.dim) > 1 else "",
            f"m{rows}" if len(self.mem_size) > 1 else "",
            f"n{steps}" if several else "",
        ]
        return "-".join([stream, *filter(None, parts)])

    def length(self, stream: str) -> int:
        """Tokens to generate for a stream: shorter tasks read a prefix."""
        return self.all_streams[stream].steps or max(self.steps)

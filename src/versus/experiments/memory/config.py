"""What a memory comparison can be asked for."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from versus.core.config import Section
from versus.core.errors import ConfigError
from versus.core.runs import BaseComparison
from versus.experiments.memory.rules import RuleSettings, canonical

# The seed document's flags. Shapes of the data and axes of the grid both take lists.
ALIASES: Mapping[str, str] = {
    "mem_size": "data.mem_size",
    "mem_sizes": "data.mem_size",
    "dim": "data.dim",
    "dims": "data.dim",
    "steps": "data.steps",
    "steps_list": "data.steps",
    "updater": "grid.model.updater",
    "updaters": "grid.model.updater",
    "window": "grid.model.window",
    "windows": "grid.model.window",
    "lr": "grid.model.lr",
    "lrs": "grid.model.lr",
    "reg": "grid.model.reg",
    "regs": "grid.model.reg",
    "seed": "seeds",
}


class StreamConfig(Section):
    """One kind of stream of (key, value) pairs. Nothing here is shared with the updater."""

    kind: Literal["linear", "ar", "spectrum", "drift", "switch", "unrelated"]
    """linear: v = A k + noise; ar: correlated keys; spectrum: ill-conditioned keys; drift: A walks;
    switch: a new A every period; unrelated: values independent of keys (one-pass recall)."""
    noise: float = Field(0.1, ge=0)
    """Standard deviation of the noise on every value; the map's entries have deviation 1."""
    keys: Literal["unit", "gaussian"] = "unit"
    """Keys of length 1, or standard normal entries as in the seed document."""
    correlation: float | None = Field(None, ge=0, lt=1)
    """Correlation of successive keys (ar); empty = the kind's own."""
    power: float | None = Field(None, ge=0)
    """Keys' variance along direction i falls as i^-power (spectrum); empty = the kind's own."""
    drift: float | None = Field(None, ge=0, le=1)
    """rho of the walking map A <- sqrt(1 - rho^2) A + rho W (drift); empty = the kind's own."""
    period: int | None = Field(None, ge=1)
    """Steps between new maps (switch); empty = the kind's own."""
    steps: int | None = Field(None, ge=4)
    """Length of this stream in tokens; empty = data.steps."""

    @property
    def score(self) -> str:
        """The metric that this stream is about."""
        return "recall" if self.kind == "unrelated" else "nmse"


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


class DataConfig(Section):
    """The streams that every variant learns, in every shape of dim x mem_size x steps."""

    streams: dict[str, StreamConfig] = Field(min_length=1)
    """Name -> stream."""
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

    def tasks(self) -> list[Task]:
        """Every stream in every shape; a shape enters the name only where there are several."""
        return [
            Task(name=name, stream=stream, dim=dim, mem_size=rows, steps=steps)
            for stream, settings in self.streams.items()
            for dim, rows, steps in itertools.product(
                self.dim, self.mem_size, (settings.steps,) if settings.steps else self.steps
            )
            for name in [self._task_name(stream, dim, rows, steps)]
        ]

    def _task_name(self, stream: str, dim: int, rows: int, steps: int) -> str:
        several = len(self.steps) > 1 and self.streams[stream].steps is None
        parts = [
            f"d{dim}" if len(self.dim) > 1 else "",
            f"m{rows}" if len(self.mem_size) > 1 else "",
            f"n{steps}" if several else "",
        ]
        return "-".join([stream, *filter(None, parts)])

    def length(self, stream: str) -> int:
        """Tokens to generate for a stream: shorter tasks read a prefix."""
        return self.streams[stream].steps or max(self.steps)


class ModelConfig(Section):
    """One update rule; `reg` is decay in Delta and Omega, ridge in OmegaRidge and RLS."""

    updater: str = "Delta"
    """Delta (one gradient step on the newest pair), Omega (gradient steps on a window, ATLAS),
    OmegaRidge (the seed document's own Omega: ridge regression on the window), RLS (the same
    optimum, recursively)."""
    window: int = Field(20, ge=1)
    """Pairs that the rule looks back at, the newest included; Delta has no window."""
    lr: float = Field(0.01, ge=0)
    """Step size of Delta and Omega; a stable one falls as 1/window in Omega."""
    reg: float = Field(0.001, ge=0)
    """Decay in Delta and Omega (memory is scaled by 1 - lr*reg); ridge in OmegaRidge and RLS."""
    gamma: float = Field(1.0, gt=0, le=1)
    """Omega: weight gamma^age of a pair in the window."""
    inner_steps: int = Field(1, ge=1)
    """Omega: gradient steps per token."""
    clip: float = Field(0.0, ge=0)
    """Largest Frobenius norm of one update; 0 = off. Clipped updates are counted."""

    @model_validator(mode="after")
    def _acceptable(self) -> Self:
        try:
            self.rule()
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    def rule(self) -> RuleSettings:
        """The settings as the engines take them; what the rule ignores is neutral."""
        return canonical(RuleSettings(**self.model_dump()))


class TrainConfig(Section):
    """How the streams are run."""

    chunk: int = Field(256, ge=1)
    """Tokens written per training step; changes no result beyond rounding."""
    dtype: Literal["float32", "float64"] = "float32"
    """Precision of the memories; the exact rules solve in float64 either way."""
    regret: bool = False
    """Also run the two optima (all pairs seen, and the rule's own window) and report the excess
    NMSE over them."""


class TuneConfig(Section):
    """Hyperparameters chosen per variant and stream on the tuning seeds."""

    grids: dict[str, tuple[dict[str, Any], ...]] = Field(default_factory=dict)
    """Variant -> blocks of model keys with one or several values; a block means their product.
    Every variant gets the same number of candidates."""

    @model_validator(mode="after")
    def _equal_budgets(self) -> Self:
        sizes = {name: len(self.candidates(name)) for name in self.grids}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"every variant needs the same number of candidates, received {sizes}")
        return self

    def candidates(self, variant: str) -> list[dict[str, Any]]:
        """Every combination that the variant may choose from."""
        return [choice for block in self.grids[variant] for choice in _product(block)]


def _product(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    values = [v if isinstance(v, list | tuple) else [v] for v in block.values()]
    for combination in itertools.product(*values):
        yield dict(zip(block, combination, strict=True))


class Comparison(BaseComparison):
    """A comparison of memory-update rules."""

    UNHASHED: ClassVar[frozenset[str]] = BaseComparison.UNHASHED | {"out_csv"}

    data: DataConfig
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    tune: TuneConfig = TuneConfig()
    tuned: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    """Variant -> stream -> model keys: what tuning chose, or what you set yourself."""
    out_csv: str = ""
    """Also write the runs to this file, with the columns of the seed document first."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.tune.grids and not self.tuning_seed_list:
            raise ValueError("tuning_seeds: needed to tune, received none; give a count")
        for variant, streams in self.tuned.items():
            unknown = set(streams) - set(self.data.streams)
            if unknown:
                raise ValueError(f"tuned.{variant}: no such stream, received {sorted(unknown)}")
        return self

    def rule_on(self, variant: str, stream: str) -> RuleSettings:
        """The rule of a variant on a stream, tuned where tuning chose something."""
        chosen = self.tuned.get(variant, {}).get(stream, {})
        return ModelConfig(**{**self.model.model_dump(), **chosen}).rule()

"""What a memory comparison can be asked for."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from versus.core.config import Section
from versus.core.errors import ConfigError
from versus.core.runs import BaseComparison
from versus.experiments.memory.data.config import DataConfig, StreamConfig, Task
from versus.experiments.memory.features import Features
from versus.experiments.memory.rules import Read, RuleSettings, StepNorm, canonical

__all__ = [
    "ALIASES",
    "Comparison",
    "DataConfig",
    "ModelConfig",
    "StreamConfig",
    "Task",
    "TrainConfig",
    "TuneConfig",
]

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


class ModelConfig(Section):
    """One update rule and its hyperparameters; what the rule does not use is ignored."""

    updater: str = "Delta"
    """One gradient step on the newest pair: Delta, GatedDelta (error taken after the decay), NLMS
    (step divided by |key|^2 + reg), Titans (with momentum), Longhorn (implicit step, stable for
    every lr). On a window of pairs: Omega (gradient steps, ATLAS), Atlas (momentum and
    Newton-Schulz, Muon), ProxOmega (implicit step), OmegaRidge (the seed document's own Omega:
    ridge regression on the window), RLS (the same optimum, recursively). On all pairs: Mesa (ridge
    regression with forgetting)."""
    window: int = Field(20, ge=1)
    """Pairs that the rule looks back at, the newest included; used by Omega, Atlas, ProxOmega,
    OmegaRidge and RLS."""
    lr: float = Field(0.01, ge=0)
    """Step size; not used by OmegaRidge, RLS and Mesa. A stable one falls as 1/window in Omega
    (unless step_norm), is below 2 in NLMS and any in Longhorn, Atlas and ProxOmega."""
    reg: float = Field(0.001, ge=0)
    """Ridge in OmegaRidge, RLS and Mesa, and added to |key|^2 in NLMS; else decay: memory is scaled
    by 1 - lr*reg, in Longhorn and ProxOmega by 1 / (1 + lr*reg)."""
    gamma: float = Field(1.0, gt=0, le=1)
    """Weight gamma^age of a pair; used by Omega, Atlas, ProxOmega and Mesa."""
    inner_steps: int = Field(1, ge=1)
    """Omega: gradient steps per token."""
    clip: float = Field(0.0, ge=0)
    """Largest Frobenius norm of one update; 0 = off. Clipped updates are counted."""
    momentum: float = Field(0.0, ge=0, lt=1)
    """Titans, Atlas: share of the last step that the next one keeps."""
    features: Features = "linear"
    """linear: keys as they are; poly2: also all products of two entries, d (d + 3) / 2 features,
    so that the memory holds that many pairs (at that cost)."""
    read: Read = "before"
    """before: predict with the memory before the pair is written; after: once it is (an error of 0
    then says that the pair was stored, not that it was foreseen)."""
    step_norm: StepNorm = "none"
    """Delta, GatedDelta, Titans, Omega: lr is divided by the summed weights of the window (mean) or
    by its weighted sum of |key|^2 (trace: without decay, lr < 2 is stable for any keys)."""

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
            unknown = set(streams) - set(self.data.all_streams)
            if unknown:
                raise ValueError(f"tuned.{variant}: no such stream, received {sorted(unknown)}")
        return self

    def rule_on(self, variant: str, stream: str) -> RuleSettings:
        """The rule of a variant on a stream, tuned where tuning chose something."""
        chosen = self.tuned.get(variant, {}).get(stream, {})
        return ModelConfig(**{**self.model.model_dump(), **chosen}).rule()

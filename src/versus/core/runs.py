"""A comparison and the runs it expands into: variants times seeds."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self, cast

from pydantic import AfterValidator, Field, field_validator, model_validator

from versus.core import config as configs
from versus.core.config import Section
from versus.core.errors import ConfigError
from versus.core.launching.config import Launcher
from versus.core.paths import staying
from versus.core.search.space import Search

if TYPE_CHECKING:
    import torch


class RunKey(NamedTuple):
    """Identity of a run within its comparison."""

    variant: str
    seed: int


@dataclass(frozen=True)
class RunConfig:
    """One variant with one seed; ``config`` is the comparison with the variant's values set."""

    key: RunKey
    config: Any


@dataclass(frozen=True)
class Variant:
    """One arm: its name, the axis values that made it, and the values it changes."""

    name: str
    choices: tuple[tuple[str, Any], ...]
    overrides: Mapping[str, Any]


def _as_seeds(value: int | tuple[int, ...]) -> tuple[int, ...]:
    seeds = tuple(range(value)) if isinstance(value, int) else value
    if not seeds or min(seeds) < 0 or len(set(seeds)) != len(seeds):
        raise ValueError(f"needs a positive count or distinct seeds >= 0, received {value!r}")
    return seeds


Seeds = Annotated[int | tuple[int, ...], AfterValidator(_as_seeds)]
TUNING_OFFSET = 1_000_000
UNRELATED = {"search", "launcher"}
"""Sections that are no property of results: how a search would go, and where was trained."""


class Compare(Section):
    """How the verdict is reached."""

    baseline: str = ""
    """Name of the variant, or value of the grid, that the others are compared with."""
    metrics: tuple[str, ...] = ()
    """Primary metrics (Holm's correction runs over all of them); empty = the experiment's own."""
    direction: Literal["minimize", "maximize"] = "minimize"
    """Whether smaller or larger values are better."""
    minimum_seeds: int = Field(8, ge=1)
    """Below this number of paired seeds the verdict carries a warning."""


class Checkpoint(Section):
    """When the training state is saved."""

    every: int = Field(50, ge=0)
    """Steps between checkpoints; the newest two are kept. 0 = none for the steps' sake."""
    epochs: int = Field(0, ge=0)
    """Epochs between checkpoints; 0 = none for the epochs' sake. There is always one at the end.
    Without a value: 50."""

    @field_validator("epochs", mode="before")
    @classmethod
    def _counted(cls, value: Any) -> Any:
        return {True: 50, False: 0}[value] if isinstance(value, bool) else value


class Log(Section):
    """What is recorded while training."""

    every: int = Field(1, ge=0)
    """Steps between records of the training metrics; 0 = evaluations only."""
    sinks: tuple[Literal["console", "csv", "mlflow"], ...] = ("console", "mlflow")
    """Where records go besides the JSON lines that are always written."""
    hook_csv: bool = False
    """One CSV file per run with what the hooks measured."""
    hook_jsonl: bool = False
    """One JSON Lines file per run with what the hooks measured."""
    wandb: str = ""
    """Project of Weights & Biases that the series are sent to as well (extra ``wandb``)."""
    tensorboard: str = ""
    """Folder for TensorBoard's event files (extra ``tensorboard``); one that is not absolute lies
    among the results. Without a value: ``tensorboard``."""

    @field_validator("tensorboard", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {True: "tensorboard", False: ""}[value] if isinstance(value, bool) else value

    @field_validator("tensorboard")
    @classmethod
    def _inside(cls, value: str) -> str:
        return staying(value)


class HookChoice(Section):
    """Which hooks look at the training, and how."""

    group: str = "none"
    """A group that the experiment declares: none, minimal, observers, interventions, full."""
    names: tuple[str, ...] = ()
    """Further hooks by name; a path to a Python file adds the hooks that it defines."""
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Hook -> setting -> value."""
    snapshot_every: int = Field(10, ge=1)
    """Epochs between snapshots, at which the slower hooks look."""
    reference: str = ""
    """Weights of a solution (model folder or safetensors file), for hooks that need one."""
    trajectory: bool = False
    """Keep the weights after every epoch."""

    @field_validator("names")
    @classmethod
    def _inside(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(staying, names))

    @field_validator("reference")
    @classmethod
    def _weights_inside(cls, name: str) -> str:
        return staying(name)


class BaseComparison(Section):
    """Sections that every comparison has; an experiment adds ``data``, ``model``, ``train``."""

    # Sections that change neither a weight nor a metric, so that a finished run stays valid.
    UNHASHED: ClassVar[frozenset[str]] = frozenset(
        {"compare", "checkpoint", "log", "children", "search", "launcher"}
    )

    experiment: str
    """Name of the experiment (a folder under ``versus/experiments``)."""
    seeds: Seeds = 20
    """Test seeds: a count, or a list. Every variant runs on every seed."""
    tuning_seeds: Seeds | None = None
    """Seeds that hyperparameters are chosen on (a count or a list), disjoint from ``seeds``."""
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """``auto`` (CUDA if present), ``cpu`` or ``cuda[:N]``."""
    threads: int = Field(1, ge=1)
    """CPU threads of torch. Results are equal to the bit for equal counts."""
    children: Literal["auto", "run", "variant"] = "auto"
    """MLflow child runs: one per run, one per variant, or ``auto`` (per variant for cheap runs)."""
    variants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Arms of the comparison: name -> values that differ, as nested keys."""
    grid: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    """Arms generated as a product: dotted key -> values."""
    compare: Compare = Compare()
    checkpoint: Checkpoint = Checkpoint()
    log: Log = Log()
    hooks: HookChoice = HookChoice()
    tune: Section = Section()
    """What is settled on the tuning seeds before training; empty where an experiment has none."""
    search: Search = Search()
    launcher: Launcher = Launcher()

    @field_validator("tuning_seeds", mode="before")
    @classmethod
    def _apart(cls, value: Any) -> Any:
        """A count of tuning seeds starts where no count of test seeds will reach."""
        counted = isinstance(value, int) and value > 0
        return list(range(TUNING_OFFSET, TUNING_OFFSET + value)) if counted else value

    @model_validator(mode="after")
    def _disjoint_seeds(self) -> Self:
        shared = set(self.seed_list) & set(self.tuning_seed_list)
        if shared:
            raise ValueError(
                f"tuning_seeds: must be disjoint from seeds, received {sorted(shared)} in both"
            )
        return self

    @field_validator("grid", mode="before")
    @classmethod
    def _grid_values(cls, grid: Any) -> Any:
        if not isinstance(grid, Mapping):
            return grid
        listed = {k: v if isinstance(v, list | tuple) else [v] for k, v in grid.items()}
        empty = [key for key, values in listed.items() if not values]
        if empty:
            raise ValueError(f"the grid is empty at {', '.join(empty)}; give at least one value")
        return listed

    @model_validator(mode="after")
    def _same_data(self) -> Self:
        axes = [key for key in self.grid if key.startswith("data.")]
        axes += [f"variants.{name}.data" for name, tree in self.variants.items() if "data" in tree]
        if axes:
            raise ValueError(
                f"{axes[0]}: all variants of a comparison share their data; set data.* instead and "
                "compare in a comparison of its own"
            )
        return self

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The test seeds, in order."""
        return cast(tuple[int, ...], self.seeds)

    @property
    def tuning_seed_list(self) -> tuple[int, ...]:
        """The tuning seeds, in order."""
        return cast(tuple[int, ...], self.tuning_seeds or ())

    def use_torch(self) -> "torch.device":
        """Set torch's number of threads and return the device.

        Raises:
            ConfigError: if there is no such device.
        """
        import torch

        torch.set_num_threads(self.threads)
        count = torch.cuda.device_count()
        if self.device == "auto":
            return torch.device("cuda" if count else "cpu")
        device = torch.device(self.device)
        if device.type == "cuda" and (device.index or 0) >= count:
            raise ConfigError(
                f"device: no such CUDA device here ({count} present), received {self.device!r}; "
                "use auto or cpu"
            )
        return device

    def foreign_code(self) -> tuple[str, ...]:
        """Commits of code of others that these settings run; an experiment that can adds them."""
        return ()

    def digest(self) -> str:
        """Identity of the training that this comparison asks for."""
        return configs.digest(self.model_dump(mode="json", exclude=set(self.UNHASHED)))

    @property
    def axes(self) -> Mapping[str, tuple[Any, ...]]:
        """What the named variants are multiplied with: the grid, unless an experiment adds axes."""
        return self.grid

    def arms(self) -> list[Variant]:
        """All variants: the named ones times the axes."""
        named = list(self.variants.items()) or [("", {})]
        axes = self.axes
        return [
            _variant(name, overrides, dict(zip(axes, values, strict=True)), axes)
            for name, overrides in named
            for values in itertools.product(*axes.values())
        ]

    def with_overrides(self, variant: Variant) -> Self:
        """This comparison with the variant's values set, validated again."""
        tree = self.model_dump(mode="json", exclude={"variants", "grid"})
        source = f"variant {variant.name}"
        return configs.load(type(self), [("", tree), (source, variant.overrides)])

    def expand(self, seeds: Sequence[int] | None = None) -> list[RunConfig]:
        """One :class:`RunConfig` per variant and seed, variants first.

        Raises:
            ConfigError: if a variant's values are not acceptable or two variants share a name.
        """
        runs = []
        for variant in self.arms():
            settings = self.with_overrides(variant)
            runs += [
                RunConfig(RunKey(variant.name, seed), settings) for seed in seeds or self.seed_list
            ]
        if len({run.key for run in runs}) != len(runs):
            raise ConfigError("grid: holds a value twice; list every value once")
        return runs

    def baselines(self) -> dict[str, str]:
        """Variant -> the variant that differs from it only by being the baseline.

        Where no baseline is named, every variant is its own, and nothing is compared.

        Raises:
            ConfigError: if ``compare.baseline`` names neither a variant nor a grid value.
        """
        arms = self.arms()
        wanted = self.compare.baseline
        axis = next((k for arm in arms for k, v in arm.choices if str(v) == wanted), None)
        if not wanted or (axis is None and len(arms) == 1):
            return {arm.name: arm.name for arm in arms}
        if axis is None:
            there = dict.fromkeys(str(value) for arm in arms for _, value in arm.choices)
            raise ConfigError(
                f"compare.baseline: no variant or grid value is {wanted!r}; there are "
                f"{', '.join(there)}"
            )
        by_labels = {_labels(arm): arm.name for arm in arms}
        return {arm.name: by_labels[_labels(arm, axis, wanted)] for arm in arms}


def _labels(arm: Variant, axis: str = "", label: str = "") -> tuple[str, ...]:
    """The arm's choices as ``compare.baseline`` writes them, with that of ``axis`` replaced."""
    return tuple(label if key == axis else str(value) for key, value in arm.choices)


def _variant(
    name: str, overrides: Mapping[str, Any], cell: Mapping[str, Any], grid: Mapping[str, Any]
) -> Variant:
    parts = [name] if name else []
    parts += [value for value in cell.values() if isinstance(value, str)]
    parts += [
        f"{key.rpartition('.')[2]}={value}"
        for key, value in cell.items()
        if not isinstance(value, str) and len(grid[key]) > 1
    ]
    tree = dict(overrides)
    for key, value in cell.items():
        tree = configs.merge(tree, configs.nested(key, value))
    choices = (("variants", name), *cell.items()) if name else tuple(cell.items())
    whole = ",".join(parts) or "default"
    if Path(whole).is_absolute() or ".." in Path(whole).parts:
        raise ConfigError(f"variants: a name becomes a folder and leads nowhere else; {whole!r}")
    return Variant(whole, choices, tree)

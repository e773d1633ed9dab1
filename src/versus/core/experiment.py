"""What an experiment is: its comparison, the runs it expands into, and how to find it."""

import ast
import importlib
import itertools
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Protocol,
    Self,
    cast,
)

from pydantic import AfterValidator, Field, field_validator

import versus.experiments
from versus.core import config as configs
from versus.core.config import Section
from versus.core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch

    from versus.core.display import Display
    from versus.core.learner import Learner
    from versus.core.stages import Places


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

    every: int = Field(50, ge=1)
    """Steps between checkpoints; the newest two are kept."""


class Log(Section):
    """What is recorded while training."""

    every: int = Field(1, ge=1)
    """Steps between records of the training metrics."""
    sinks: tuple[Literal["console", "csv", "mlflow"], ...] = ("console", "mlflow")
    """Where records go besides the JSON lines that are always written."""


class BaseComparison(Section):
    """Sections that every comparison has; an experiment adds ``data``, ``model``, ``train``."""

    # Sections that change neither a weight nor a metric, so that a finished run stays valid.
    UNHASHED: ClassVar[frozenset[str]] = frozenset({"compare", "checkpoint", "log", "children"})

    experiment: str
    """Name of the experiment (a folder under ``versus/experiments``)."""
    seeds: Seeds = 20
    """Test seeds: a count, or a list. Every variant runs on every seed."""
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

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The test seeds, in order."""
        return cast(tuple[int, ...], self.seeds)

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

    def digest(self) -> str:
        """Identity of the training that this comparison asks for."""
        return configs.digest(self.model_dump(mode="json", exclude=set(self.UNHASHED)))

    def arms(self) -> list[Variant]:
        """All variants: the named ones times the grid."""
        named = list(self.variants.items()) or [("", {})]
        keys = list(self.grid)
        return [
            _variant(name, overrides, dict(zip(keys, values, strict=True)), self.grid)
            for name, overrides in named
            for values in itertools.product(*self.grid.values())
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
            names = ", ".join(arm.name for arm in arms[:12])
            raise ConfigError(
                f"compare.baseline: no variant or grid value is {wanted!r}; there are {names}"
            )
        by_choices = {arm.choices: arm.name for arm in arms}
        return {arm.name: by_choices[_replaced(arm.choices, axis, wanted)] for arm in arms}


def _replaced(
    choices: tuple[tuple[str, Any], ...], axis: str, label: str
) -> tuple[tuple[str, Any], ...]:
    return tuple((key, label if key == axis else value) for key, value in choices)


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
    return Variant(",".join(parts) or "default", choices, tree)


@dataclass(frozen=True)
class Stage:
    """A step that prepares data: a pure function of some sections of the params.

    Attributes:
        sections: the params sections it may read; DVC watches exactly these.
        run: ``run(comparison, folder)`` writes its files into the empty ``folder``.
    """

    sections: tuple[str, ...]
    run: Callable[[Any, Path], None]


@dataclass(frozen=True)
class ModelPart:
    """A registrable model: safetensors weights and a JSON config that rebuild it anywhere."""

    name: str
    weights: Mapping[str, "torch.Tensor"]
    config: Mapping[str, Any]


class Suite(Section):
    """What is measured on registered models (``evaluation/<experiment>.yaml``)."""

    experiment: str
    """Name of the experiment."""
    models: tuple[str, ...] = ()
    """Model URIs that ``versus evaluate`` measures when none is named."""
    metrics: tuple[str, ...] = ()
    """Metrics reported per model: the mean over items."""
    thresholds: dict[str, float] = Field(default_factory=dict)
    """Metric -> largest acceptable mean; exceeding it fails the evaluation."""


Predictor = Callable[[Mapping[str, "np.ndarray[Any, Any]"]], dict[str, "np.ndarray[Any, Any]"]]


class Experiment(Protocol):
    """The module ``versus.experiments.<name>``."""

    Comparison: type[Any]
    ALIASES: Mapping[str, str]
    """Flag names of the seed documents -> dotted keys."""

    def stages(self) -> Mapping[str, Stage]:
        """The data stages, in order."""

    def tune(self, comparison: Any, data: Path, work: Path, display: "Display") -> Any:
        """The comparison with hyperparameters settled on the tuning seeds."""

    def stacks(self, runs: Sequence[RunConfig]) -> list[list[RunConfig]]:
        """Which runs train together."""

    def build(self, stack: Sequence[RunConfig], data: Path) -> "Learner":
        """The learner of one stack."""

    def primary_metrics(self, comparison: Any) -> tuple[str, ...]:
        """Metrics that the verdict is about when ``compare.metrics`` is empty."""

    def models(self, learner: Any) -> Mapping[str, ModelPart]:
        """Variant -> model, of a trained learner."""

    def evaluate(self, part: ModelPart, data: Path) -> "pd.DataFrame":
        """One row per item: seed, item_id, cluster_id, metrics."""

    def predictor(self, part: ModelPart) -> Predictor:
        """Arrays in, arrays out: what the registered model answers."""

    def notes(self, comparison: Any) -> list[str]:
        """What the user should know before the training starts."""

    def outputs(
        self, comparison: Any, metrics: "pd.DataFrame", cost: "pd.DataFrame", places: "Places"
    ) -> None:
        """Write files of the experiment's own into the results folder."""

    def example(self, part: ModelPart) -> "dict[str, np.ndarray[Any, Any]]":
        """Inputs that the predictor accepts, from which the model's signature is made."""

    def describe_run(self, results: Path) -> str:
        """What to print when the comparison is one single run."""

    def plots(self, comparison: Any, results: Path) -> list[Path]:
        """Draw the pictures of a finished comparison."""

    def plots_of_csv(self, path: Path, out: Path) -> list[Path]:
        """Draw pictures from a table that came from elsewhere."""


def available() -> list[str]:
    """Names of all experiments, found by listing the folder; none is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(versus.experiments.__path__))


def about(name: str) -> str:
    """First line of an experiment's docstring, read without importing it."""
    path = Path(versus.experiments.__path__[0]) / name / "__init__.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def find(name: str) -> Experiment:
    """Import one experiment by name.

    Raises:
        ConfigError: if there is no such experiment.
    """
    if name not in available():
        raise ConfigError(
            f"experiment: there is no {name!r}; choose one of {', '.join(available())}"
        )
    return cast(Experiment, importlib.import_module(f"versus.experiments.{name}"))

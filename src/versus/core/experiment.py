"""What an experiment is, and how to find it."""

import ast
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from pydantic import Field

import versus.experiments
from versus.core import defaults
from versus.core.config import Section
from versus.core.errors import ConfigError
from versus.core.runs import RunConfig, RunKey

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import torch

    from versus.core.arguments import Option
    from versus.core.display import Display
    from versus.core.distributed import Team
    from versus.core.exhibits import Exhibits
    from versus.core.learner import Learner
    from versus.core.sinks import Record
    from versus.core.stages import Places


@dataclass(frozen=True)
class Stage:
    """A step that prepares data: a pure function of some sections of the params.

    Attributes:
        sections: the params sections it may read, such as ``data`` or ``data.source``; DVC watches
            exactly these.
        run: ``run(comparison, folder)`` writes its files into the empty ``folder``. What it
            returns stands in the manifest.
        apart: whether it is made from the data of the other stages: ``run(comparison, folder,
            data)`` is given them, and its files have a folder of their own, ``<data>-<stage>``.
    """

    sections: tuple[str, ...]
    run: Callable[..., Mapping[str, Any] | None]
    apart: bool = False


@dataclass(frozen=True)
class ModelPart:
    """A registrable model: safetensors weights and a JSON config that rebuild it anywhere."""

    name: str
    weights: Mapping[str, "torch.Tensor"]
    config: Mapping[str, Any]


class Promotion(Section):
    """What decides whether a challenger becomes champion."""

    metric: str = "score"
    """Column of the items; ``score`` is the metric that the item is about."""
    direction: Literal["minimize", "maximize"]
    """Whether smaller or larger values are better."""


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
    promotion: Promotion | None = None
    """What `versus promote` decides by; empty = this suite promotes nothing."""
    overrides: dict[str, Any] = Field(default_factory=dict)
    """Dotted key -> value that the models' own comparison is given, such as other test data; what
    is measured then is not held against what training recorded."""


Predictor = Callable[[Mapping[str, "np.ndarray[Any, Any]"]], dict[str, "np.ndarray[Any, Any]"]]


class Experiment(Protocol):
    """The module ``versus.experiments.<name>``.

    What :mod:`versus.core.defaults` defines, a module may leave out.
    """

    Comparison: type[Any]
    ALIASES: Mapping[str, str]
    """Flag names of the seed documents -> dotted keys."""
    HOOKS: Sequence[type[Any]]
    """Hooks (:class:`versus.core.hooks.base.Hook`) that only this experiment can use."""
    HOOK_GROUPS: Mapping[str, Sequence[str]]
    """Group -> names of hooks, for ``--with-hooks``."""
    LIVE_METRICS: Sequence[str]
    """Metrics that the live display and the console show, the most telling first."""
    CONSOLE_SECONDS: float
    """Least time between two prints of a training's metrics; 0 = every record is told."""
    PLOT_OPTIONS: Sequence["Option"]
    """Further options of ``versus plots``, for :meth:`closeups`."""
    REQUIREMENTS: Sequence[str]
    """Packages that its registered models need beyond those of all models."""

    def stages(self) -> Mapping[str, Stage]:
        """The data stages, in order."""

    def tune(self, comparison: Any, data: Path, work: Path, display: "Display") -> Any:
        """The comparison with hyperparameters settled on the tuning seeds."""

    def stacks(self, runs: Sequence[RunConfig]) -> list[list[RunConfig]]:
        """Which runs train together."""

    def build(self, stack: Sequence[RunConfig], data: Path) -> "Learner":
        """The learner of one stack."""

    def follow(self, comparison: Any, data: Path, team: "Team") -> None:
        """Do parts of another process's training, as it orders, until it is done."""

    def primary_metrics(self, comparison: Any) -> tuple[str, ...]:
        """Metrics that the verdict is about when ``compare.metrics`` is empty."""

    def selection_metrics(self, comparison: Any) -> tuple[str, ...]:
        """What the best of several models of one name is best by; none = the primary metrics."""

    def censored_at(self, comparison: Any) -> Mapping[str, float]:
        """Metric that is a time until an event -> time at which the budget ends."""

    def models(self, learner: Any) -> Mapping[str, ModelPart]:
        """Variant -> model, of a trained learner.

        Where a variant has several, each has a name of its own, and its config the ``variant``.
        """

    def items(self, learner: Any) -> "pd.DataFrame":
        """What the final evaluation found of every test item: variant, seed, item_id, metrics."""

    def evaluate(self, part: ModelPart, data: Path) -> "pd.DataFrame":
        """One row per item: seed, group, item_id, cluster_id, metrics, score; texts, if any."""

    def report(self, part: ModelPart, items: "pd.DataFrame") -> Mapping[str, Any]:
        """File name -> content as JSON, of what :meth:`evaluate` found."""

    def predictor(self, part: ModelPart) -> Predictor:
        """Arrays in, arrays out: what the registered model answers."""

    def predict_files(
        self, part: ModelPart, inputs: Sequence[Path], out: Path, display: "Display"
    ) -> None:
        """Write what the model finds in files and folders of the user's own.

        What one file lacks does not stop the others; an error at the end tells of it.
        """

    def import_model(self, file: Path, settings: Mapping[str, Any]) -> ModelPart:
        """A checkpoint of the seed document; ``settings`` are dotted keys of the comparison."""

    def exhibits(self, learner: Any) -> "Mapping[RunKey, Exhibits]":
        """Histograms and pictures of trained runs."""

    def notes(self, comparison: Any, data: Path) -> list[str]:
        """What the user should know before the training starts."""

    def tags(self, comparison: Any) -> Mapping[str, str]:
        """What every run is tagged with, such as versions of what its metrics depend on."""

    def heading(self, stack: Sequence[RunConfig], number: int, count: int) -> str:
        """What to print before stack ``number`` of ``count`` trains; empty = nothing."""

    def progress_line(
        self, stack: Sequence[RunConfig], variant: str, records: Sequence["Record"]
    ) -> str:
        """What to print of a variant's newest records, one per run; empty = nothing."""

    def ending(self, stack: Sequence[RunConfig], metrics: "pd.DataFrame") -> str:
        """What to print once a stack is trained, from its final metrics; empty = nothing."""

    def epilogue(self, comparison: Any, results: Path) -> list[str]:
        """Lines that follow the summary of the verdict."""

    def outputs(
        self, comparison: Any, metrics: "pd.DataFrame", cost: "pd.DataFrame", places: "Places"
    ) -> None:
        """Write files of the experiment's own into the results folder."""

    def example(self, part: ModelPart) -> "dict[str, np.ndarray[Any, Any]]":
        """Inputs that the predictor accepts, from which the model's signature is made."""

    def describe_run(self, results: Path) -> str:
        """What to print when the comparison is one single run."""

    def findings(
        self, comparison: Any, metrics: "pd.DataFrame", items: "pd.DataFrame"
    ) -> list[str]:
        """What the verdict says in words beyond the pairs of variant and baseline."""

    def plots(self, comparison: Any, results: Path) -> list[Path]:
        """Draw the pictures of a finished comparison."""

    def closeups(self, comparison: Any, places: "Places", asked: Mapping[str, Any]) -> list[Path]:
        """Show single runs of a finished comparison; ``asked`` are values of PLOT_OPTIONS."""

    def plots_of_csv(self, path: Path, out: Path) -> list[Path]:
        """Draw pictures from a table that came from elsewhere."""


def resolve(name: str) -> str:
    """The experiment that ``name`` means: itself, or the one that lists it in ALSO_KNOWN_AS."""
    also = {other: known for known in available() for other in _also_known_as(known)}
    return also.get(name, name)


def _also_known_as(name: str) -> list[str]:
    return list(_constant(name, "ALSO_KNOWN_AS") or [])


def _constant(name: str, constant: str) -> Any:
    """What an experiment's module assigns, read without importing it; None = nothing."""
    for node in _source(name).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == constant:
            return ast.literal_eval(node.value)
    return None


def available() -> list[str]:
    """Names of all experiments, found by listing the folder; none is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(versus.experiments.__path__))


def about(name: str) -> str:
    """First line of an experiment's docstring, read without importing it."""
    return (ast.get_docstring(_source(name)) or "").partition("\n")[0]


def question(name: str) -> str:
    """What an experiment asks (``QUESTION``), read without importing it; else what it is about."""
    return _constant(name, "QUESTION") or about(name)


def _source(name: str) -> ast.Module:
    path = Path(versus.experiments.__path__[0]) / name / "__init__.py"
    return ast.parse(path.read_text(encoding="utf-8"))


def find(name: str) -> Experiment:
    """Import one experiment by name.

    Raises:
        ConfigError: if there is no such experiment.
    """
    if name not in available():
        raise ConfigError(
            f"experiment: there is no {name!r}; choose one of {', '.join(available())}"
        )
    module = importlib.import_module(f"versus.experiments.{name}")
    return cast(Experiment, _WithDefaults(module))


class _WithDefaults:
    """An experiment's module, with the defaults for what it leaves out."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self.__doc__ = module.__doc__

    def __getattr__(self, name: str) -> Any:
        here = self._module if hasattr(self._module, name) else defaults
        return getattr(here, name)

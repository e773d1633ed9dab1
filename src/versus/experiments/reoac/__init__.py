"""Policies that choose operators of a masked-diffusion language model on GSM8K and MATH."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from versus.core.experiment import Stage
from versus.core.runs import RunConfig
from versus.experiments.reoac.config import ALIASES, Comparison
from versus.experiments.reoac.console import LIVE_METRICS, notes, progress_line
from versus.experiments.reoac.data import stages as data_stages
from versus.experiments.reoac.evaluate import evaluate, example, models, predictor, report
from versus.experiments.reoac.findings import findings
from versus.experiments.reoac.outputs import (
    epilogue,
    items,
    outputs,
    primary_metrics,
    selection_metrics,
    tags,
)
from versus.experiments.reoac.pictures.closeups import PLOT_OPTIONS, closeups
from versus.experiments.reoac.pictures.comparison import plots, plots_of_csv
from versus.experiments.reoac.pretraining import stage as pretraining

if TYPE_CHECKING:
    from versus.core.distributed import Team

QUESTION = "Does a learned policy write answers with fewer passes?"
__all__ = [
    "ALIASES",
    "LIVE_METRICS",
    "PLOT_OPTIONS",
    "QUESTION",
    "Comparison",
    "build",
    "closeups",
    "epilogue",
    "evaluate",
    "example",
    "findings",
    "follow",
    "items",
    "models",
    "notes",
    "outputs",
    "plots",
    "plots_of_csv",
    "predictor",
    "primary_metrics",
    "progress_line",
    "report",
    "selection_metrics",
    "stages",
    "tags",
]


def stages() -> Mapping[str, Stage]:
    """The data sets, and the embedded backbone."""
    return {**data_stages.stages(), **pretraining.stages()}


def follow(comparison: Comparison, data: Path, team: "Team") -> None:
    """Play and go backward for another process."""
    from versus.experiments.reoac.learning import team as working

    working.follow(comparison, data, team)


def build(stack: Sequence[RunConfig], data: Path) -> Any:
    """The learner of one run."""
    from versus.experiments.reoac.learning.learner import PolicyLearner

    (run,) = stack
    return PolicyLearner(run, data)

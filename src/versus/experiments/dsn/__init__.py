"""Scorers of video frames that learn to choose key frames of animation by REINFORCE."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from versus.core.experiment import Stage
from versus.core.runs import RunConfig
from versus.experiments.dsn.config import ALIASES, Comparison
from versus.experiments.dsn.console import LIVE_METRICS, notes, progress_line
from versus.experiments.dsn.data import stages as data_stages
from versus.experiments.dsn.evaluate import (
    evaluate,
    example,
    exhibits,
    import_model,
    models,
    predict_files,
    predictor,
)
from versus.experiments.dsn.findings import findings
from versus.experiments.dsn.outputs import (
    epilogue,
    items,
    outputs,
    primary_metrics,
    selection_metrics,
)
from versus.experiments.dsn.pictures.comparison import plots, plots_of_csv

QUESTION = "Which scorer finds the key poses of an animation, and does it beat rules?"
__all__ = [
    "ALIASES",
    "LIVE_METRICS",
    "QUESTION",
    "REQUIREMENTS",
    "Comparison",
    "build",
    "epilogue",
    "evaluate",
    "example",
    "exhibits",
    "findings",
    "import_model",
    "items",
    "models",
    "notes",
    "outputs",
    "plots",
    "plots_of_csv",
    "predict_files",
    "predictor",
    "primary_metrics",
    "progress_line",
    "selection_metrics",
    "stages",
]

REQUIREMENTS = ("av", "opencv-python-headless", "scenedetect-headless", "transformers")
"""Of models that read videos."""


def stages() -> Mapping[str, Stage]:
    """Videos, scenes, features and splits."""
    return data_stages.stages()


def build(stack: Sequence[RunConfig], data: Path) -> Any:
    """The learner of one run."""
    from versus.experiments.dsn.learning.learner import ScorerLearner

    (run,) = stack
    return ScorerLearner(run, data)


def __getattr__(name: str) -> Any:
    """``DSNAdvanced`` and ``DSNConfig``, the seed's names, imported when they are asked for."""
    if name not in ("DSNAdvanced", "DSNConfig"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from versus.experiments.dsn.models import seed_names

    return getattr(seed_names, name)

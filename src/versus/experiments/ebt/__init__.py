"""Prediction by descending a learned energy against one pass, in and out of distribution.

A variant is a kind of model or a way to train it; every variant is trained for every task of
``data.tasks``: sums, products and differences of vectors, or ListOps expressions. The Python
interface of the seed document (``run_main`` and its parts) is importable from here.
"""

from typing import Any

from versus.experiments.ebt.config import ALIASES, Comparison
from versus.experiments.ebt.console import (
    CONSOLE_SECONDS,
    LIVE_METRICS,
    ending,
    epilogue,
    heading,
    progress_line,
)
from versus.experiments.ebt.data.stages import stages
from versus.experiments.ebt.dispatch import build, evaluate, example, models, predictor
from versus.experiments.ebt.outputs import (
    findings,
    notes,
    outputs,
    plots,
    primary_metrics,
    selection_metrics,
)
from versus.experiments.ebt.stacking import stacks

API = (
    "create_synthetic_data",
    "run_main",
    "test_energy_model",
    "train_energy_model",
    "train_feedforward",
)


def __getattr__(name: str) -> Any:
    """The seed document's functions, imported when they are asked for."""
    if name not in API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from versus.experiments.ebt import api

    return getattr(api, name)


QUESTION = "Is it better to descend a learned energy than to answer in one pass?"
__all__ = [
    "ALIASES",
    "CONSOLE_SECONDS",
    "LIVE_METRICS",
    "QUESTION",
    "Comparison",
    "build",
    "ending",
    "epilogue",
    "evaluate",
    "example",
    "findings",
    "heading",
    "models",
    "notes",
    "outputs",
    "plots",
    "predictor",
    "primary_metrics",
    "progress_line",
    "selection_metrics",
    "stacks",
    "stages",
]

"""Rules that update a memory (Delta, Omega, RLS and eight more) on streams of key-value pairs.

`reg` is decay in Delta and Omega (the memory is scaled by 1 - lr*reg per token) and ridge in
OmegaRidge, RLS and Mesa. Omega is ATLAS's rule: gradient steps on a window. OmegaRidge is what the
seed document calls Omega: ridge regression solved anew on the window.
"""

from versus.experiments.memory.config import ALIASES, Comparison
from versus.experiments.memory.data.stages import stages
from versus.experiments.memory.evaluate import evaluate, example, predictor
from versus.experiments.memory.learner import build, models, stacks
from versus.experiments.memory.outputs import (
    findings,
    notes,
    outputs,
    plots,
    plots_of_csv,
    primary_metrics,
)
from versus.experiments.memory.results import describe_run
from versus.experiments.memory.tuning import tune

QUESTION = "Which rule of updating a memory predicts best, on which streams, at what cost?"
__all__ = [
    "ALIASES",
    "QUESTION",
    "Comparison",
    "build",
    "describe_run",
    "evaluate",
    "example",
    "findings",
    "models",
    "notes",
    "outputs",
    "plots",
    "plots_of_csv",
    "predictor",
    "primary_metrics",
    "stacks",
    "stages",
    "tune",
]

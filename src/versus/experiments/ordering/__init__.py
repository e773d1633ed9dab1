"""Orders in which the same examples of modular arithmetic are shown, and when grokking comes.

A variant is an order (stride, target, random and so on), or any other setting of the training. All
variants of a seed start from the same weights and learn the same pairs.
"""

from versus.experiments.ordering.config import ALIASES, Comparison
from versus.experiments.ordering.data import stages
from versus.experiments.ordering.evaluate import evaluate, example, predictor
from versus.experiments.ordering.hooks import HOOK_GROUPS, HOOKS
from versus.experiments.ordering.learner import build, models
from versus.experiments.ordering.outputs import (
    LIVE_METRICS,
    censored_at,
    findings,
    notes,
    outputs,
    plots,
    plots_of_csv,
    primary_metrics,
)
from versus.experiments.ordering.probe import activations
from versus.experiments.ordering.stacking import stacks

QUESTION = "Does it matter in which order the same examples are shown?"
ALSO_KNOWN_AS = ("mod_arithmetic",)

__all__ = [
    "ALIASES",
    "ALSO_KNOWN_AS",
    "HOOKS",
    "HOOK_GROUPS",
    "LIVE_METRICS",
    "QUESTION",
    "Comparison",
    "activations",
    "build",
    "censored_at",
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
]

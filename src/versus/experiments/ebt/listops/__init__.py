"""Models of ListOps expressions, and what the experiment does with them."""

from versus.experiments.ebt.listops.evaluate import evaluate, example, predictor
from versus.experiments.ebt.listops.learner import ListOpsLearner, build, models
from versus.experiments.ebt.listops.pictures import plots

primary_metrics = ("test_iid/error", "test_longer/error", "test_deeper/error", "test_wider/error")
"""What a verdict on ListOps is about."""

__all__ = [
    "ListOpsLearner",
    "build",
    "evaluate",
    "example",
    "models",
    "plots",
    "predictor",
    "primary_metrics",
]

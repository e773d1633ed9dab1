"""What hooks read from a learner and from the metrics of a step or an evaluation."""

from collections.abc import Sequence

import torch
from torch import Tensor

from versus.core.learner import Learner, Metrics

TRAINING_ACCURACY = ("train/accuracy",)
VALIDATION_ACCURACY = ("test/accuracy", "val/accuracy", "validation/accuracy")


def step_loss(metrics: Metrics) -> str:
    """Name of the step's loss: ``train/step_loss``, else the first of ``train`` that is a loss."""
    if "train/step_loss" in metrics:
        return "train/step_loss"
    return next((name for name in metrics if name.startswith("train/") and "loss" in name), "")


def percent(metrics: Metrics, names: Sequence[str]) -> Tensor | None:
    """The first of these accuracies that is there, a fraction, as percent."""
    found = next((metrics[name] for name in names if name in metrics), None)
    return None if found is None else 100 * torch.as_tensor(found).detach().float()


def learning_rate(learner: Learner) -> Tensor | None:
    """Step size of the next step: scalar, or one per run.

    The learner's ``learning_rates()`` if it has them, else what its first optimiser says.
    """
    own = getattr(learner, "learning_rates", None)
    if own is not None:
        return torch.as_tensor(own()).detach().float()
    groups = (group for o in learner.optimizers().values() for group in o.param_groups)
    group = next(groups, None)
    return None if group is None else torch.as_tensor(group["lr"]).detach().float()

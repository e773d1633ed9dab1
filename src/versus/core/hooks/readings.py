"""What hooks read from a learner and from the metrics of a step or an evaluation."""

from collections.abc import Sequence

import torch
from torch import Tensor

from versus.core.learner import Learner, Metrics

TRAINING_ACCURACY = ("train/accuracy",)
VALIDATION_ACCURACY = ("test/accuracy", "val/accuracy", "validation/accuracy")


def step_loss(metrics: Metrics) -> Tensor | None:
    """Loss of the step: ``train/step_loss``, else the first metric of ``train`` that is a loss."""
    names = (name for name in metrics if name.startswith("train/") and "loss" in name)
    name = "train/step_loss" if "train/step_loss" in metrics else next(names, None)
    return None if name is None else torch.as_tensor(metrics[name]).detach().float()


def first_of(metrics: Metrics, names: Sequence[str]) -> Tensor | None:
    """The first of these metrics that is there."""
    found = next((metrics[name] for name in names if name in metrics), None)
    return None if found is None else torch.as_tensor(found).detach().float()


def learning_rate(learner: Learner) -> Tensor | None:
    """The learner's ``learning_rate``, scalar or one per run, else its first optimiser's."""
    own = getattr(learner, "learning_rate", None)
    if own is not None:
        return torch.as_tensor(own() if callable(own) else own).detach().float()
    groups = (group for o in learner.optimizers().values() for group in o.param_groups)
    group = next(groups, None)
    return None if group is None else torch.as_tensor(group["lr"]).detach().float()

"""Structure of each parameter."""

from typing import ClassVar

import torch
from torch import Tensor

from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import columns, cosine, effective_rank, norm, singular_values
from versus.core.learner import Metrics
from versus.core.weights import split


class WeightTrackingSettings(HookSettings):
    """When weight_tracking looks."""

    every: int = 20
    """Distance in epochs from one burst to the next."""


class WeightTracking(KeepingHook):
    """Norm, largest singular value, rank and alignment with the gradient of each parameter.

    Singular values exist for matrices only; vectors have norm and alignment.
    """

    name = "weight_tracking"
    unit = "epoch"
    uses = frozenset({"epoch_gradient"})
    points = ("POST_EPOCH",)
    cost = "singular values of every matrix in due epochs (1 % of a step)"
    metrics: ClassVar = {
        "weight_norm/{parameter}": "norm of the parameter",
        "top_sv/{parameter}": "largest singular value",
        "effective_rank/{parameter}": "(sum s)^2 / sum s^2 of the singular values",
        "grad_weight_align/{parameter}": "cosine of parameter and mean gradient of the epoch",
        "total_weight_norm": "sum of weight_norm over the parameters",
        "mean_weight_norm": "mean of weight_norm",
        "mean_top_sv": "mean of top_sv over the matrices",
        "max_top_sv": "largest top_sv",
        "mean_effective_rank": "mean of effective_rank over the matrices",
        "mean_grad_weight_align": "mean of grad_weight_align",
    }
    Settings = WeightTrackingSettings

    def compute(self, context: Context) -> Metrics:
        """Measures per parameter, and their means."""
        weights = columns(context.values, context.shapes)
        gradients = columns(context.epoch_gradient, context.shapes)
        norms = {name: norm(weight) for name, weight in weights.items()}
        align = {name: cosine(gradients[name], weight) for name, weight in weights.items()}
        total = torch.stack(list(norms.values())).sum(0)
        return {
            **_named("weight_norm", norms),
            **_named("grad_weight_align", align),
            "total_weight_norm": total,
            "mean_weight_norm": total / len(norms),
            "mean_grad_weight_align": torch.stack(list(align.values())).nanmean(0),
            **_spectra(split(context.values, context.shapes)),
        }


def _named(metric: str, values: Metrics) -> Metrics:
    return {f"{metric}/{name}": value for name, value in values.items()}


def _spectra(weights: dict[str, Tensor]) -> Metrics:
    matrices = {name: w for name, w in weights.items() if w.dim() == 3 and min(w.shape[1:]) > 1}
    if not matrices:
        return {}
    values = {name: singular_values(matrix) for name, matrix in matrices.items()}
    largest = {name: s[..., 0] for name, s in values.items()}
    ranks = {name: effective_rank(s) for name, s in values.items()}
    tops = torch.stack(list(largest.values()))
    return {
        **_named("top_sv", largest),
        **_named("effective_rank", ranks),
        "mean_top_sv": tops.mean(0),
        "max_top_sv": tops.amax(0),
        "mean_effective_rank": torch.stack(list(ranks.values())).mean(0),
    }

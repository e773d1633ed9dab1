"""Gradients and movement against the direction of a known solution."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook, WindowHook
from versus.core.hooks.measures import (
    columns,
    cosine,
    dot,
    effective_rank,
    needed_for,
    norm,
    participation_ratio,
    ratio,
    share,
    spectrum,
)
from versus.core.learner import Metrics

LEADING = (1, 5, 10)


class ProjectionSettings(HookSettings):
    """When gradient_projection looks."""

    every: int = 10
    """Distance in epochs from one burst to the next."""


class GradientProjection(KeepingHook):
    """Whether the descent direction, and the way so far, point to the solution.

    Runs without a distance to go (the reference itself) have no such metric.
    """

    name = "gradient_projection"
    unit = "epoch"
    uses = frozenset({"epoch_gradient", "reference"})
    cost = "two cosines per parameter in due epochs (0.5 % of a step); keeps the first weights"
    metrics: ClassVar = {
        "grad_cossim_to_solution/{parameter}": "cosine of minus the parameter's mean gradient of "
        "the epoch and (reference - weights)",
        "disp_cossim_to_solution/{parameter}": "cosine of the parameter's way so far and "
        "(reference - first weights)",
        "overall_grad_cossim_to_solution": "grad_cossim_to_solution of all weights as one vector",
        "overall_disp_cossim_to_solution": "disp_cossim_to_solution of all weights as one vector",
        "mean_layer_grad_cossim_to_solution": "mean of grad_cossim_to_solution over parameters",
        "mean_layer_disp_cossim_to_solution": "mean of disp_cossim_to_solution over parameters",
        "displacement_norm": "distance of the weights from the first ones",
        "distance_to_reference": "distance of the weights from the reference",
    }
    Settings = ProjectionSettings
    kept = ("_first",)

    _first: Tensor | None = None

    def on_epoch_start(self, context: Context) -> None:
        """Keep the weights with which the hook begins."""
        if self._first is None:
            self._first = context.values.clone()

    def on_epoch_end(self, context: Context) -> None:
        """Compare gradient and way with the direction of the solution."""
        if self._first is None:
            return
        way, ahead = context.values - self._first, context.reference - context.values
        pairs = {
            "grad": (-context.epoch_gradient, ahead),
            "disp": (way, context.reference - self._first),
        }
        for kind, (vector, direction) in pairs.items():
            context.log(_cosines(kind, vector, direction, context))
        context.log({"displacement_norm": norm(way), "distance_to_reference": norm(ahead)})


def _cosines(kind: str, vectors: Tensor, directions: Tensor, context: Context) -> Metrics:
    parts = columns(vectors, context.shapes)
    wanted = columns(directions, context.shapes)
    each = {name: cosine(part, wanted[name]) for name, part in parts.items()}
    return {
        **{f"{kind}_cossim_to_solution/{name}": value for name, value in each.items()},
        f"overall_{kind}_cossim_to_solution": cosine(vectors, directions),
        f"mean_layer_{kind}_cossim_to_solution": torch.stack(list(each.values())).nanmean(0),
    }


class SubspaceSettings(HookSettings):
    """When subspace_gradient_info looks."""

    every: int = 10
    """Distance in epochs from one burst to the next."""
    window: int = Field(50, ge=2)
    """How many epoch gradients span the subspace."""
    components: int = Field(20, ge=1)
    """Leading directions that count."""


class SubspaceGradientInfo(WindowHook):
    """Dimension of what the last epoch gradients span, and its part towards the solution.

    With s_k the singular values of the gradients of the window (not centred), largest first, only
    the leading ``components`` of them are looked at.
    """

    name = "subspace_gradient_info"
    unit = "epoch"
    uses = frozenset({"epoch_gradient", "reference"})
    points = ("POST_EPOCH",)
    cost = "two inner products per gradient of the window (0.5 to 1 % of a step); keeps them all"
    metrics: ClassVar = {
        "dims_for_90pct": "directions that hold 90 % of the leading sum of s^2",
        "participation_ratio": "(sum s^2)^2 / sum s^4",
        "effective_rank": "(sum s)^2 / sum s^2",
        "top_sv_ratio": "s_1 / sum s",
        "svd_total_variance": "sum of s^2",
        "top{k}_explained": "share of the k leading directions in the sum of s^2",
        "grad_energy_fraction_toward_solution": "share of the gradients' energy along "
        "(reference - weights)",
        "top{k}_energy_fraction_toward_solution": "the same of the k leading directions",
    }
    Settings = SubspaceSettings

    def compute(self, context: Context) -> Metrics:
        """Spectrum of the window and its energy towards the solution, from two epochs on."""
        gram = self.window.push(context.epoch_gradient)
        if gram.shape[-1] < 2:
            return {}
        ahead = context.reference - context.values
        variances, vectors = spectrum(gram)
        along = torch.stack([dot(row, ahead) for row in self.window.rows], -1)
        along = ratio(along, norm(ahead)[:, None])
        total = ratio((along**2).sum(-1), gram.diagonal(dim1=-2, dim2=-1).sum(-1))
        projected = (along[:, None] @ vectors)[:, 0] ** 2
        leading = self.settings.components
        return {
            **_spectrum_metrics(variances[:, :leading]),
            "grad_energy_fraction_toward_solution": total,
            **{
                f"top{k}_energy_fraction_toward_solution": ratio(
                    projected[:, :k].sum(-1), variances[:, :k].sum(-1)
                )
                for k in LEADING
                if k <= min(leading, variances.shape[-1])
            },
        }


def _spectrum_metrics(variances: Tensor) -> Metrics:
    singular = variances.sqrt()
    explained = share(variances).cumsum(-1).clamp(max=1)
    return {
        "dims_for_90pct": needed_for(variances, 0.9),
        "participation_ratio": participation_ratio(variances),
        "effective_rank": effective_rank(singular),
        "top_sv_ratio": share(singular)[..., 0],
        "svd_total_variance": variances.sum(-1),
        **{f"top{k}_explained": explained[..., k - 1] for k in LEADING if k <= len(explained[0])},
    }

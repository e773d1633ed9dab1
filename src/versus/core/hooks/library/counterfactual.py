"""What the order of the data adds: the same epoch, trained again in other orders."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from pydantic import Field
from torch import Tensor

from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import cosine, dot, norm, ratio
from versus.core.hooks.needs import Replaying
from versus.core.learner import Metrics


class ReplaySettings(HookSettings):
    """When epochs are trained again: each of the early ones, then some."""

    every: int = 10
    """Distance in epochs from one burst to the next, after the early ones."""
    warmup: int = 9
    """First epoch that is due, if it is not an early one: that of the first snapshot."""
    early: int = Field(50, ge=0)
    """All epochs before this one are due."""
    k: int = Field(3, ge=1)
    """Shuffled epochs that the real one is compared with."""

    def due(self, index: int) -> bool:
        """Whether epoch ``index`` is an early one, or due by the rest of the schedule."""
        inside = not self.windows or any(start <= index < stop for start, stop in self.windows)
        return (index < self.early and inside) or super().due(index)


class CounterfactualSettings(ReplaySettings):
    """When counterfactual looks."""

    window: int = Field(20, ge=1)
    """Measured epochs over which ordering_fraction is averaged."""


class _ReplayHook(KeepingHook):
    """Keeps the state from before the epoch; trains it again in other orders afterwards."""

    kept: ClassVar[tuple[str, ...]] = ("_start",)

    _start: Any = None

    def on_epoch_start(self, context: Context) -> None:
        """Keep the state of the learner."""
        self._start = _cloned(cast(Replaying, context.learner).state_dict())

    def shuffled(self, context: Context, count: int) -> Tensor:
        """Mean gradients of ``count`` shuffled epochs, (count, S, P)."""
        start, self._start = self._start, None
        learner = cast(Replaying, context.learner)
        return learner.shuffled_gradients(start, context.epoch, count).detach()


class Counterfactual(_ReplayHook):
    """Splits the epoch's gradient into what the data say in any order, and what their order adds.

    ``k`` epochs are trained again from the state before the epoch on shuffled data, as further
    slices of one stacked program. With g the mean gradient of the real epoch and c the mean of the
    shuffled epochs' gradients, the content is the projection of g on c, the ordering part the rest.
    """

    name = "counterfactual"
    unit = "epoch"
    uses = frozenset({"epoch_gradient"})
    needs = (Replaying,)
    cost = "k epochs of training in each due epoch (350 % of a step with k = 3)"
    metrics: ClassVar = {
        "counterfactual_mean_norm": "norm(c)",
        "content_component_norm": "norm of the content",
        "ordering_component_norm": "norm of the ordering part",
        "ordering_fraction": "norm(ordering part)^2 / norm(g)^2",
        "ordering_fraction_mean": "mean of ordering_fraction over the last measured epochs",
        "ordering_alignment": "cosine of g and c",
        "{part}_grad_cossim_to_solution": "cosine of minus the part (content, ordering; cf: c) and "
        "(reference - weights), with a reference",
        "{part}_energy_fraction_toward_solution": "square of that cosine",
    }
    Settings = CounterfactualSettings
    kept = ("_start", "_fractions")

    def __init__(self, settings: HookSettings | None = None) -> None:
        super().__init__(settings)
        self._fractions: list[Tensor] = []

    def on_epoch_end(self, context: Context) -> None:
        """Split the gradient and describe the parts."""
        gradient = context.epoch_gradient
        centre = self.shuffled(context, self.settings.k).mean(0)
        content = ratio(dot(gradient, centre), dot(centre, centre))[:, None] * centre
        ordering = gradient - content
        fraction = ratio(norm(ordering) ** 2, norm(gradient) ** 2)
        self._fractions = [*self._fractions, fraction][-self.settings.window :]
        context.log(
            {
                "counterfactual_mean_norm": norm(centre),
                "content_component_norm": norm(content),
                "ordering_component_norm": norm(ordering),
                "ordering_fraction": fraction,
                "ordering_fraction_mean": torch.stack(self._fractions).nanmean(0),
                "ordering_alignment": cosine(gradient, centre),
            }
        )
        if context.has_reference:
            parts = {"content": content, "ordering": ordering, "cf": centre}
            context.log(_to_solution(parts, context))


def _to_solution(parts: Mapping[str, Tensor], context: Context) -> Metrics:
    ahead = context.reference - context.values
    metrics: dict[str, Tensor] = {}
    for name, part in parts.items():
        towards = cosine(-part, ahead)
        metrics[f"{name}_grad_cossim_to_solution"] = towards
        metrics[f"{name}_energy_fraction_toward_solution"] = towards**2
    return metrics


class CounterfactualValidator(_ReplayHook):
    """Whether ``k`` shuffles are enough for counterfactual: what one more would change.

    ``k + 1`` epochs are shuffled; "subset" means the mean gradient of ``k`` of them, of which there
    are ``k + 1``. For checking the method; no group contains it.
    """

    name = "counterfactual_validator"
    unit = "epoch"
    needs = (Replaying,)
    cost = "k + 1 epochs of training in each due epoch (460 % of a step with k = 3)"
    metrics: ClassVar = {
        "kp1_content_norm": "norm of the mean gradient of all k + 1 shuffled epochs",
        "k_content_norm_max": "largest norm of a subset",
        "k_content_norm_min": "smallest norm of a subset",
        "k_content_norm_mean": "mean norm of the subsets",
        "kp1_norm_strictly_lower": "1 if kp1_content_norm is below every subset's, else 0",
        "norm_convergence_gap": "(k_content_norm_mean - kp1_content_norm) / kp1_content_norm",
        "k_to_kp1_cossim_mean": "mean cosine of a subset and the mean of all",
        "k_to_kp1_cossim_min": "smallest such cosine",
        "kp1_cossim_to_solution": "cosine of minus the mean of all and (reference - weights), with "
        "a reference",
        "k_cossim_to_solution_mean": "mean of that cosine over the subsets",
        "k_cossim_to_solution_std": "its standard deviation over the subsets",
        "k_cossim_to_solution_spread": "largest minus smallest",
    }
    Settings = ReplaySettings

    def on_epoch_end(self, context: Context) -> None:
        """Compare the means of k with the mean of k + 1."""
        shuffled = self.shuffled(context, self.settings.k + 1)
        whole = shuffled.mean(0)
        subsets = (shuffled.sum(0) - shuffled) / self.settings.k
        context.log(_sufficiency(whole, subsets))
        if context.has_reference:
            ahead = context.reference - context.values
            towards = cosine(-subsets, ahead)
            context.log(
                {
                    "kp1_cossim_to_solution": cosine(-whole, ahead),
                    "k_cossim_to_solution_mean": towards.mean(0),
                    "k_cossim_to_solution_std": towards.std(0, correction=0),
                    "k_cossim_to_solution_spread": towards.amax(0) - towards.amin(0),
                }
            )


def _sufficiency(whole: Tensor, subsets: Tensor) -> Metrics:
    lengths, length = norm(subsets), norm(whole)
    similar = cosine(subsets, whole)
    return {
        "kp1_content_norm": length,
        "k_content_norm_max": lengths.amax(0),
        "k_content_norm_min": lengths.amin(0),
        "k_content_norm_mean": lengths.mean(0),
        "kp1_norm_strictly_lower": (length < lengths.amin(0)).to(length.dtype),
        "norm_convergence_gap": ratio(lengths.mean(0) - length, length),
        "k_to_kp1_cossim_mean": similar.mean(0),
        "k_to_kp1_cossim_min": similar.amin(0),
    }


def _cloned(state: Any) -> Any:
    """A copy of a learner's state that further training leaves alone."""
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, Mapping):
        return {key: _cloned(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_cloned(value) for value in state)
    return state

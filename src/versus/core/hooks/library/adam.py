"""What Adam makes of the gradient."""

from typing import ClassVar, cast

import torch
from pydantic import Field
from torch import Tensor

from versus.core import seeding
from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import cosine, norm, ratio
from versus.core.hooks.needs import Adaptive
from versus.core.learner import Metrics


class AdamDynamicsSettings(HookSettings):
    """When adam_dynamics looks."""

    every: int = 500
    """Steps from one burst to the next."""
    burst: int = 10
    """Steps in a row."""
    epsilon: float = Field(1e-8, gt=0)
    """Added to the root of the second moment, as the optimiser does."""


class AdamDynamics(KeepingHook):
    """Momentum, update and gradient against each other, the solution and a probe direction.

    The probe is one fixed random direction, the same for all runs: the cosine that chance gives.
    """

    name = "adam_dynamics"
    uses = frozenset({"update"})
    needs = (Adaptive,)
    points = ("POST_STEP",)
    cost = "about a dozen norms of all weights per measured step (0.5 % of a step on average)"
    metrics: ClassVar = {
        "momentum_grad_cossim": "cosine of first moment and gradient",
        "amplification_ratio": "norm(update) / norm(gradient)",
        "update_deflection": "1 - cosine of the update and minus the gradient",
        "effective_lr_cv": "standard deviation / mean over parameters of "
        "1 / (sqrt(second moment) + epsilon)",
        "momentum_{target}_cossim": "cosine of minus the first moment and the target: probe, or "
        "solution (reference - weights before the step)",
        "update_{target}_cossim": "cosine of the update and the target",
        "grad_{target}_cossim": "cosine of minus the gradient and the target",
        "optimizer_{target}_amplification": "update_{target}_cossim - grad_{target}_cossim",
    }
    Settings = AdamDynamicsSettings

    _probe: Tensor | None = None

    def compute(self, context: Context) -> Metrics:
        """All cosines; nothing before the optimiser has moments."""
        moments = cast(Adaptive, context.learner).moments()
        if moments is None:
            return {}
        first, second = moments
        gradients, update = context.gradients, context.update
        rates = 1 / (second.clamp(min=0).sqrt() + self.settings.epsilon)
        metrics = {
            "momentum_grad_cossim": cosine(first, gradients),
            "amplification_ratio": ratio(norm(update), norm(gradients)),
            "update_deflection": 1 - cosine(update, -gradients),
            "effective_lr_cv": ratio(rates.std(-1, correction=0), rates.mean(-1)),
        }
        vectors = {"momentum": -first, "update": update, "grad": -gradients}
        targets = {"probe": self._direction(gradients).expand_as(gradients)}
        if context.has_reference:
            targets["solution"] = context.reference - (context.values - update)
        for target, direction in targets.items():
            metrics |= _alignment(vectors, target, direction)
        return metrics

    def _direction(self, like: Tensor) -> Tensor:
        """The probe, (P,): a pure function of the number of parameters."""
        if self._probe is None or self._probe.shape[0] != like.shape[-1]:
            source = seeding.generator("adam_dynamics", "probe")
            self._probe = torch.randn(like.shape[-1], generator=source).to(like)
        return self._probe


def _alignment(vectors: dict[str, Tensor], target: str, direction: Tensor) -> dict[str, Tensor]:
    aligned = {
        f"{name}_{target}_cossim": cosine(vector, direction) for name, vector in vectors.items()
    }
    gained = aligned[f"update_{target}_cossim"] - aligned[f"grad_{target}_cossim"]
    return {**aligned, f"optimizer_{target}_amplification": gained}

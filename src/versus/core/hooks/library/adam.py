"""What Adam makes of the gradient."""

from collections.abc import Mapping
from typing import ClassVar, cast

import torch
from pydantic import Field
from torch import Tensor

from versus.core import seeding
from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import norm, ratio
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
    cost = "products of five vectors of all weights per measured step (2 % of a step)"
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
        vectors = {
            "momentum": -first,
            "update": update,
            "grad": -gradients,
            "probe": self._direction(gradients).expand_as(gradients),
        }
        if context.has_reference:
            vectors["solution"] = context.reference - (context.values - update)
        lengths, cosines = _relations(vectors)
        rates = 1 / (second.clamp(min=0).sqrt() + self.settings.epsilon)
        return {
            "momentum_grad_cossim": cosines["momentum", "grad"],
            "amplification_ratio": ratio(lengths["update"], lengths["grad"]),
            "update_deflection": 1 - cosines["update", "grad"],
            "effective_lr_cv": _variation(rates),
            **_alignment("probe", cosines),
            **(_alignment("solution", cosines) if context.has_reference else {}),
        }

    def _direction(self, like: Tensor) -> Tensor:
        """The probe, (P,): a pure function of the number of parameters."""
        if self._probe is None or self._probe.shape[0] != like.shape[-1]:
            source = seeding.generator("adam_dynamics", "probe")
            self._probe = torch.randn(like.shape[-1], generator=source).to(like)
        return self._probe


def _variation(rates: Tensor) -> Tensor:
    """Standard deviation / mean of each row; torch's own std takes ten times as long."""
    mean = rates.mean(-1, keepdim=True)
    return ratio(norm(rates - mean) / rates.shape[-1] ** 0.5, mean[:, 0])


def _relations(
    vectors: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], dict[tuple[str, str], Tensor]]:
    """Lengths, and cosines of all pairs, from one matrix of inner products."""
    stacked = torch.stack(list(vectors.values()), dim=1)
    gram = stacked @ stacked.mT
    lengths = gram.diagonal(dim1=-2, dim2=-1).sqrt()
    cosines = ratio(gram, lengths[:, :, None] * lengths[:, None, :]).clamp(-1, 1)
    names = list(vectors)
    pairs = {(a, b): cosines[:, i, j] for i, a in enumerate(names) for j, b in enumerate(names)}
    return {name: lengths[:, i] for i, name in enumerate(names)}, pairs


def _alignment(target: str, cosines: Mapping[tuple[str, str], Tensor]) -> dict[str, Tensor]:
    gained = cosines["update", target] - cosines["grad", target]
    each = {f"{n}_{target}_cossim": cosines[n, target] for n in ("momentum", "update", "grad")}
    return {**each, f"optimizer_{target}_amplification": gained}

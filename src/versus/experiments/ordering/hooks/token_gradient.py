"""How the gradient of the embedding is spread over the tokens."""

from typing import ClassVar

import torch
from torch import Tensor

from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import gini, needed_for, norm, ratio
from versus.core.learner import Metrics
from versus.core.weights import split
from versus.experiments.ordering.hooks.parts import ModularLearner, by_stride


class TokenGradientSettings(HookSettings):
    """When token_gradient looks."""

    every: int = 5
    """Distance in epochs from one burst to the next."""


class TokenGradient(KeepingHook):
    """Which tokens the epoch's gradient of the embedding is about.

    n_t is the norm of token t's row of the mean gradient of the epoch. A stride group holds the
    tokens that are equal modulo the stride, floor(sqrt(p)) unless the order has another.
    """

    name = "token_gradient"
    unit = "epoch"
    uses = frozenset({"epoch_gradient"})
    needs = (ModularLearner,)
    points = ("POST_EPOCH",)
    cost = "as norms, and a sort of p numbers in due epochs (0.1 % of a step)"
    metrics: ClassVar = {
        "gradient_sparsity": "fraction of tokens with n_t below a tenth of the mean",
        "gradient_gini": "Gini coefficient of n_t",
        "stride_group_variance": "variance over stride groups of their mean n_t",
        "stride_group_max_ratio": "largest mean n_t of a stride group / mean of these means",
        "tokens_for_50pct": "tokens that hold half of sum n_t^2",
        "tokens_for_90pct": "tokens that hold 90 % of sum n_t^2",
        "concentration_ratio": "tokens_for_50pct / p",
    }
    Settings = TokenGradientSettings

    def compute(self, context: Context) -> Metrics:
        """Distribution over tokens and stride groups."""
        gradient = split(context.epoch_gradient, context.shapes)["embedding.weight"]
        lengths = norm(gradient)
        return {
            **concentration(lengths),
            **by_stride(context, lambda width: groups(lengths, width)),
        }


def concentration(lengths: Tensor) -> dict[str, Tensor]:
    """How unequal the row norms (S, p) are."""
    half = needed_for(lengths**2, 0.5)
    return {
        "gradient_sparsity": (lengths < 0.1 * lengths.mean(1, keepdim=True)).float().mean(1),
        "gradient_gini": gini(lengths),
        "tokens_for_50pct": half,
        "tokens_for_90pct": needed_for(lengths**2, 0.9),
        "concentration_ratio": half / lengths.shape[1],
    }


def groups(lengths: Tensor, width: int) -> dict[str, Tensor]:
    """How the row norms (S, p) differ between tokens modulo ``width``."""
    means = torch.stack([lengths[:, start::width].mean(1) for start in range(width)], dim=1)
    return {
        "stride_group_variance": means.var(1, correction=0),
        "stride_group_max_ratio": ratio(means.amax(1), means.mean(1)),
    }

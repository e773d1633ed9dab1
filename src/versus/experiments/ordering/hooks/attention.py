"""Structure of the attention weights and patterns."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import effective_rank, entropy, share, singular_values
from versus.core.learner import Metrics
from versus.experiments.ordering.hooks.parts import ModularLearner, modular, parameters


class AttentionSettings(HookSettings):
    """When attention looks."""

    every: int = 20
    """Distance in epochs from one burst to the next."""
    sample: int = Field(128, ge=1)
    """Pairs, evenly spaced over the test data, whose attention patterns are measured."""


class Attention(KeepingHook):
    """Spectra of query, key and value matrices, and how sharply attention looks at test pairs."""

    name = "attention"
    unit = "epoch"
    needs = (ModularLearner,)
    points = ("POST_EPOCH",)
    cost = "singular values of three matrices per layer and a forward pass (0.6 % of a step)"
    metrics: ClassVar = {
        "sv_concentration": "s_1 / sum s of the singular values of the query, key and value "
        "matrices, mean over the three and the layers",
        "effective_rank": "(sum s)^2 / sum s^2, the same mean",
        "top5_explained_var": "share of the five largest in sum s^2, the same mean",
        "attn_entropy": "entropy in nats of the attention of a position, mean over pairs, "
        "positions, heads and layers; at most log 2",
        "attn_entropy/{layer}": "the same of one layer",
        "attn_variance": "variance of the attention of a position over what it looks at, same mean",
        "attn_variance/{layer}": "the same of one layer",
    }
    Settings = AttentionSettings

    def compute(self, context: Context) -> Metrics:
        """Spectra and patterns."""
        weights = parameters(context)
        learner = modular(context)
        pairs = learner.test_pairs if learner.test_pairs.shape[1] else learner.train_pairs
        pairs = pairs[:, :: max(pairs.shape[1] // self.settings.sample, 1)]
        with torch.no_grad():
            patterns = learner.model.attention_weights(weights, pairs)
        return {**spectra(weights), **sharpness(patterns)}


def spectra(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Means over the query, key and value matrices of all layers."""
    joint = [value for name, value in weights.items() if name.endswith(".qkv.weight")]
    matrices = torch.stack([part for value in joint for part in value.chunk(3, dim=-1)], dim=1)
    values = singular_values(matrices)
    return {
        "sv_concentration": share(values)[..., 0].mean(1),
        "effective_rank": effective_rank(values).mean(1),
        "top5_explained_var": share(values**2)[..., :5].sum(-1).mean(1),
    }


def sharpness(patterns: list[Tensor]) -> dict[str, Tensor]:
    """Entropy and variance of attention (S, pairs, heads, 2, 2) per layer and overall."""
    entropies = [entropy(pattern).flatten(1).mean(1) for pattern in patterns]
    variances = [pattern.var(-1, correction=0).flatten(1).mean(1) for pattern in patterns]
    return {
        "attn_entropy": torch.stack(entropies).mean(0),
        **{f"attn_entropy/{layer}": value for layer, value in enumerate(entropies)},
        "attn_variance": torch.stack(variances).mean(0),
        **{f"attn_variance/{layer}": value for layer, value in enumerate(variances)},
    }

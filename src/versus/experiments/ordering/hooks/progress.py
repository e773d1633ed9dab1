"""Progress measures: the circuit grows before the accuracy shows it."""

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import gini, norm
from versus.core.learner import Metrics
from versus.experiments.ordering.hooks.parts import (
    ModularLearner,
    frequency_shares,
    modular,
    parameters,
)
from versus.experiments.ordering.model import Transformer

SIGNS = {"add": 1, "sub": -1}
"""Operations that depend on a + b or a - b alone."""


class ProgressSettings(HookSettings):
    """When progress looks."""

    every: int = 100
    """Distance in epochs from one burst to the next."""
    key_frequencies: int = Field(5, ge=1)
    """How many frequencies, those of most power in the embedding, make up the circuit."""
    chunk: int = Field(128, ge=1)
    """Pairs in one forward pass."""
    largest_p: int = Field(127, ge=2)
    """Above this, p^2 answers of p logits each are too many, and the losses are left out."""


class Progress(KeepingHook):
    """Restricted loss, excluded loss and Gini of Fourier components (Nanda et al. 2023).

    The logits of all p^2 pairs (a, b) are projected on the waves cos(w_k t) and sin(w_k t) with
    t = a + b (a - b for ``sub``), w_k = 2 pi k / p, at the key frequencies k, those of most power
    in the embedding. Other operations are no function of such a t, and have only the Gini measures.
    """

    name = "progress"
    unit = "epoch"
    needs = (ModularLearner,)
    points = ("POST_EPOCH",)
    cost = "a forward pass over all p^2 pairs in due epochs (2.5 % of a step)"
    metrics: ClassVar = {
        "restricted_loss": "test loss of the constant and the key waves of the logits alone",
        "excluded_loss": "training loss of the logits without the key waves",
        "gini_embedding": "Gini coefficient of the norms of the embedding's Fourier components "
        "along the tokens: constant, cosine and sine of each frequency",
        "gini_unembedding": "the same of the output layer along the answers",
        "key_power": "share of the key frequencies in the power of the embedding",
    }
    Settings = ProgressSettings

    def compute(self, context: Context) -> Metrics:
        """Losses where they are defined, and Gini coefficients."""
        learner, weights = modular(context), parameters(context)
        shares = frequency_shares(weights["embedding.weight"])
        top = shares.topk(min(self.settings.key_frequencies, shares.shape[1]), dim=1)
        metrics = {
            "gini_embedding": gini(component_norms(weights["embedding.weight"])),
            "gini_unembedding": gini(component_norms(weights["unembedding.weight"].mT)),
            "key_power": top.values.sum(1),
        }
        sign = SIGNS.get(learner.settings.data.op)
        if sign is not None and learner.model.p <= self.settings.largest_p:
            with torch.no_grad():
                logits = all_logits(learner.model, weights, self.settings.chunk)
            metrics |= losses(logits, top.indices + 1, sign, learner)
        return metrics


def component_norms(rows: Tensor) -> Tensor:
    """Norms of the p orthonormal Fourier components of (..., p, n) along the tokens, (..., p)."""
    p = rows.shape[-2]
    spectrum = torch.fft.rfft(rows, dim=-2, norm="ortho")
    cosines, sines = norm(spectrum.real), norm(spectrum.imag[..., 1 : (p + 1) // 2, :])
    scale = torch.full((cosines.shape[-1],), math.sqrt(2), device=rows.device)
    scale[0] = 1
    if p % 2 == 0:
        scale[-1] = 1
    return torch.cat([cosines * scale, sines * math.sqrt(2)], dim=-1)


def all_logits(model: Transformer, weights: dict[str, Tensor], chunk: int) -> Tensor:
    """Logits of all pairs, (S, p * p, p); pair (a, b) is number a p + b."""
    embedding = weights["embedding.weight"]
    tokens = torch.arange(model.p, device=embedding.device)
    pairs = torch.cartesian_prod(tokens, tokens).expand(embedding.shape[0], -1, -1)
    parts = [model.forward(weights, part) for part in torch.split(pairs, chunk, dim=1)]
    return torch.cat(parts, dim=1)


def losses(logits: Tensor, keys: Tensor, sign: int, learner: ModularLearner) -> dict[str, Tensor]:
    """Restricted and excluded loss.

    Args:
        logits: of all pairs, (S, p * p, p).
        keys: key frequencies of each run, (S, K), from 1.
        sign: t = a + sign * b.
        learner: whose training and test pairs the losses are about.
    """
    p = learner.model.p
    constant, waves = key_waves(logits, keys, sign, p)
    test = _times(learner.test_pairs, sign, p)
    restricted = constant[:, None] + _rows(waves, test)
    train = learner.train_pairs
    at = _rows(logits, train[..., 0] * p + train[..., 1])
    excluded = at - _rows(waves, _times(train, sign, p))
    return {
        "restricted_loss": _cross_entropy(restricted, learner.test_labels),
        "excluded_loss": _cross_entropy(excluded, learner.train_labels),
    }


def key_waves(logits: Tensor, keys: Tensor, sign: int, p: int) -> tuple[Tensor, Tensor]:
    """The constant part of the logits (S, p), and their key waves as a table (S, t, p).

    Both are orthogonal projections: the entries (0, 0), (k, sign k) and (-k, -sign k) of the
    discrete Fourier transform over a and b.
    """
    tokens = torch.arange(p, device=logits.device)
    t = (tokens[:, None] + sign * tokens).remainder(p).flatten()
    sums = torch.zeros_like(logits[:, :p]).index_add_(1, t, logits)
    angles = 2 * math.pi / p * (keys[..., None] * tokens).remainder(p)
    share_of = torch.where(2 * keys == p, 1.0, 2.0)[..., None] / p**2
    waves = torch.zeros_like(sums)
    for wave in (angles.cos(), angles.sin()):
        waves += wave.mT @ (share_of * (wave @ sums))
    return sums.sum(1) / p**2, waves


def _times(pairs: Tensor, sign: int, p: int) -> Tensor:
    return (pairs[..., 0] + sign * pairs[..., 1]).remainder(p)


def _rows(table: Tensor, index: Tensor) -> Tensor:
    """``table[s, index[s, i]]`` for (S, n, m) and (S, i), giving (S, i, m)."""
    return table.gather(1, index[..., None].expand(-1, -1, table.shape[-1]))


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy per run of (S, n, p) against (S, n)."""
    each = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return each.view(labels.shape).mean(1)

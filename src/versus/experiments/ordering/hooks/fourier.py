"""Fourier structure of the weights: how periodic they are in the token."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import entropy, share
from versus.core.learner import Metrics
from versus.experiments.ordering.hooks.parts import (
    ModularLearner,
    by_stride,
    frequency_shares,
    parameters,
    powers,
)


class FourierSettings(HookSettings):
    """When fourier looks."""

    every: int = 10
    """Distance in epochs from one burst to the next."""
    significance_multiplier: float = Field(10.0, gt=0)
    """A frequency is significant if its share of the power is above this / p."""


class Fourier(KeepingHook):
    """Spectrum of embedding, output layer and neurons along the tokens (Nanda et al. 2023).

    P_k is the share of frequency k = 1 .. p // 2 in the power of the embedding along the tokens,
    summed over its dimensions, without the constant. A frequency that was significant once is
    tracked from then on. The harmonics of the stride s are the multiples of round(p / s).
    """

    name = "fourier"
    unit = "epoch"
    needs = (ModularLearner,)
    points = ("POST_EPOCH",)
    cost = "Fourier transforms of three matrices in due epochs (0.4 % of a step)"
    metrics: ClassVar = {
        "low_freq_power": "sum of P_k over the lowest tenth of the frequencies",
        "spectral_entropy": "entropy of P in nats",
        "peak_frequency": "k with the largest P_k",
        "peak_power": "the largest P_k",
        "n_significant_freqs": "number of P_k above significance_multiplier / p",
        "stride_harmonic_power": "sum of P_k over the harmonics of the stride",
        "freq_power_{k}": "P_k of a tracked frequency",
        "n_tracked_freqs": "number of frequencies that were significant once",
        "newly_acquired_freqs": "how many of them are new",
        "decoder_spectral_entropy": "spectral_entropy of the output layer along the answers",
        "decoder_peak_frequency": "its peak_frequency",
        "decoder_n_significant_freqs": "its n_significant_freqs",
        "neuron_fourier_top1": "median over the first layer's neurons of the largest P_k of "
        "embedding times their weights",
        "neuron_fourier_entropy": "median of the entropy of these P",
    }
    Settings = FourierSettings
    kept = ("_tracked",)

    _tracked: Tensor | None = None

    def compute(self, context: Context) -> Metrics:
        """All spectra."""
        weights = parameters(context)
        embedding, decoder = weights["embedding.weight"], weights["unembedding.weight"]
        shares = frequency_shares(embedding)
        threshold = self.settings.significance_multiplier / embedding.shape[-2]
        answers = peaks(frequency_shares(decoder.mT), threshold)
        return {
            **peaks(shares, threshold),
            "low_freq_power": shares[:, : max(shares.shape[1] // 10, 1)].sum(1),
            "peak_power": shares.amax(1),
            **by_stride(context, lambda width: harmonic_power(shares, embedding.shape[-2], width)),
            **self._acquired(shares, shares > threshold),
            **{f"decoder_{name}": value for name, value in answers.items()},
            **neurons(embedding @ weights["layers.0.up.weight"]),
        }

    def _acquired(self, shares: Tensor, significant: Tensor) -> dict[str, Tensor]:
        before = torch.zeros_like(significant) if self._tracked is None else self._tracked
        self._tracked = before | significant
        values = torch.where(self._tracked, shares, torch.nan)
        some = self._tracked.any(0).nonzero()[:, 0].tolist()
        return {
            "n_tracked_freqs": self._tracked.sum(1).float(),
            "newly_acquired_freqs": (self._tracked & ~before).sum(1).float(),
            **{f"freq_power_{k + 1}": values[:, k] for k in some},
        }


def peaks(shares: Tensor, threshold: float) -> dict[str, Tensor]:
    """Entropy, peak and number of significant frequencies of shares (S, p // 2)."""
    return {
        "spectral_entropy": entropy(shares),
        "peak_frequency": shares.argmax(1).float() + 1,
        "n_significant_freqs": (shares > threshold).sum(1).float(),
    }


def harmonic_power(shares: Tensor, p: int, width: int) -> dict[str, Tensor]:
    """Share of the multiples of round(p / width) up to p // 2, (S,)."""
    base = max(round(p / width), 1)
    return {"stride_harmonic_power": shares[:, base - 1 :: base].sum(1)}


def neurons(signals: Tensor) -> dict[str, Tensor]:
    """Medians over neurons of (S, p, neurons): how much of each is one frequency."""
    shares = share(powers(signals).mT)
    return {
        "neuron_fourier_top1": shares.amax(-1).median(-1).values,
        "neuron_fourier_entropy": entropy(shares).median(-1).values,
    }

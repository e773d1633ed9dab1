"""Hooks of modular arithmetic against NumPy's transforms and plain loops."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from versus.core.hooks.measures import gini
from versus.experiments.ordering.hooks import attention, fourier, parts, progress, token_gradient

RUNS, P = 2, 11


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def check(found: Any, expected: Any, tolerance: float = 2e-4) -> None:
    np.testing.assert_allclose(
        np.asarray(found, dtype=float), np.asarray(expected, dtype=float), tolerance, 1e-6
    )


def shares_of(rows: Any) -> Any:
    """Share of each frequency by a plain sum over tokens, not by a fast transform."""
    p = rows.shape[0]
    power = []
    for k in range(1, p // 2 + 1):
        wave = np.exp(-2j * np.pi * k * np.arange(p) / p)
        twice = 1 if 2 * k == p else 2
        power.append(twice * (abs(wave @ rows) ** 2).sum())
    return np.array(power) / sum(power)


@pytest.mark.parametrize("p", [11, 12])
def test_frequency_shares(p: int) -> None:
    rows = drawn(RUNS, p, 5)
    for run in range(RUNS):
        check(parts.frequency_shares(rows)[run], shares_of(rows[run].double().numpy()))


def test_a_pure_wave_is_one_frequency() -> None:
    wave = torch.cos(2 * math.pi * 3 * torch.arange(P) / P)
    shares = parts.frequency_shares((wave + 7)[None, :, None])[0]
    check(shares, np.eye(P // 2)[2], 1e-3)
    norms = progress.component_norms(wave[None, :, None])[0]
    check((norms > 1e-4).sum(), 1)
    check(norms.max(), math.sqrt(P / 2))


def test_fourier_peaks_harmonics_and_neurons() -> None:
    rows = drawn(RUNS, P, 5)
    shares = parts.frequency_shares(rows)
    found = fourier.peaks(shares, 3 / P)
    neurons = fourier.neurons(rows)
    for run in range(RUNS):
        plain = shares_of(rows[run].double().numpy())
        check(found["spectral_entropy"][run], -sum(plain * np.log(plain)))
        check(found["peak_frequency"][run], 1 + np.argmax(plain))
        check(found["n_significant_freqs"][run], (plain > 3 / P).sum())
        harmonics = [k for k in range(1, P // 2 + 1) if k % round(P / 3) == 0]
        power = fourier.harmonic_power(shares, P, 3)["stride_harmonic_power"][run]
        check(power, sum(plain[k - 1] for k in harmonics))
        each = [shares_of(rows[run, :, [n]].double().numpy()) for n in range(5)]
        check(neurons["neuron_fourier_top1"][run], np.median([max(one) for one in each]))
        entropies = [-sum(one * np.log(one)) for one in each]
        check(neurons["neuron_fourier_entropy"][run], np.median(entropies))


def test_stride_of_a_prime_gives_harmonics_of_its_dual() -> None:
    """With p = 9973 and stride 99 the fundamental is 101 (LeDoux 2026)."""
    shares = torch.zeros(1, 9973 // 2)
    shares[0, [100, 201, 302]] = 0.25
    shares[0, 5] = 0.25
    check(fourier.harmonic_power(shares, 9973, 99)["stride_harmonic_power"], [0.75])


def test_frequencies_are_tracked_once_they_were_significant() -> None:
    hook = fourier.Fourier()
    first = hook._acquired(torch.tensor([[0.7, 0.3]]), torch.tensor([[True, False]]))
    check(first["n_tracked_freqs"], [1])
    check(first["newly_acquired_freqs"], [1])
    assert set(first) == {"n_tracked_freqs", "newly_acquired_freqs", "freq_power_1"}
    second = hook._acquired(torch.tensor([[0.2, 0.8]]), torch.tensor([[False, True]]))
    check(second["n_tracked_freqs"], [2])
    check(second["newly_acquired_freqs"], [1])
    check(second["freq_power_1"], [0.2])


def test_a_frequency_of_one_run_is_none_of_the_other() -> None:
    hook = fourier.Fourier()
    significant = torch.tensor([[True, False], [False, False]])
    found = hook._acquired(torch.tensor([[0.7, 0.3], [0.5, 0.5]]), significant)
    check(found["freq_power_1"], [0.7, np.nan])


def gini_by_pairs(amounts: Any) -> float:
    n = len(amounts)
    return float(sum(abs(a - b) for a in amounts for b in amounts) / (2 * n * sum(amounts)))


def test_token_gradient_distribution() -> None:
    rows = drawn(RUNS, P, 4)
    rows[0, 2:7] *= 0.01
    lengths = rows.norm(dim=-1)
    found = {**token_gradient.concentration(lengths), **token_gradient.groups(lengths, 3)}
    for run in range(RUNS):
        norms = np.linalg.norm(rows[run].double().numpy(), axis=1)
        groups = [np.mean([norms[t] for t in range(P) if t % 3 == g]) for g in range(3)]
        energy = sorted(norms**2, reverse=True)
        needed = {
            percent: next(
                n for n in range(1, P + 1) if sum(energy[:n]) >= percent / 100 * sum(energy)
            )
            for percent in (50, 90)
        }
        expected = {
            "gradient_sparsity": np.mean(norms < 0.1 * norms.mean()),
            "gradient_gini": gini_by_pairs(norms),
            "stride_group_variance": np.var(groups),
            "stride_group_max_ratio": max(groups) / np.mean(groups),
            "tokens_for_50pct": needed[50],
            "tokens_for_90pct": needed[90],
            "concentration_ratio": needed[50] / P,
        }
        assert found.keys() == expected.keys()
        for metric, number in expected.items():
            check(found[metric][run], number)
    check(found["gradient_sparsity"][0], 5 / P)


def test_attention_spectra_and_sharpness() -> None:
    weights = {"layers.0.qkv.weight": drawn(RUNS, 8, 24), "layers.1.qkv.weight": drawn(RUNS, 8, 24)}
    found = attention.spectra(weights)
    patterns = [torch.softmax(3 * drawn(RUNS, 6, 2, 2, 2) + layer, -1) for layer in range(2)]
    sharp = attention.sharpness(patterns)
    for run in range(RUNS):
        concentration, ranks, top = [], [], []
        for weight in weights.values():
            for start in (0, 8, 16):
                block = weight[run, :, start : start + 8].double().numpy()
                s = np.linalg.svd(block, compute_uv=False)
                concentration.append(s[0] / s.sum())
                ranks.append(s.sum() ** 2 / (s**2).sum())
                top.append((s[:5] ** 2).sum() / (s**2).sum())
        check(found["sv_concentration"][run], np.mean(concentration))
        check(found["effective_rank"][run], np.mean(ranks))
        check(found["top5_explained_var"][run], np.mean(top))
        rows = [pattern[run].reshape(-1, 2).double().numpy() for pattern in patterns]
        entropies = [np.mean([-sum(row * np.log(row)) for row in one]) for one in rows]
        variances = [np.mean([np.var(row) for row in one]) for one in rows]
        for layer in range(2):
            check(sharp[f"attn_entropy/{layer}"][run], entropies[layer])
            check(sharp[f"attn_variance/{layer}"][run], variances[layer])
        check(sharp["attn_entropy"][run], np.mean(entropies))
        check(sharp["attn_variance"][run], np.mean(variances))


@pytest.mark.parametrize("p", [11, 8])
@pytest.mark.parametrize("sign", [1, -1])
def test_key_waves_are_entries_of_the_transform_over_both_tokens(p: int, sign: int) -> None:
    logits = drawn(RUNS, p * p, p)
    keys = torch.tensor([[2, 3], [1, p // 2]])
    constant, waves = progress.key_waves(logits, keys, sign, p)
    for run in range(RUNS):
        table = logits[run].double().numpy().reshape(p, p, p)
        spectrum = np.fft.fft2(table, axes=(0, 1))
        kept = np.zeros_like(spectrum)
        for k in keys[run].tolist():
            for entry in ((k % p, sign * k % p), (-k % p, -sign * k % p)):
                kept[entry] = spectrum[entry]
        expected = np.fft.ifft2(kept, axes=(0, 1)).real
        t = (np.arange(p)[:, None] + sign * np.arange(p)) % p
        np.testing.assert_allclose(waves[run].numpy()[t], expected, atol=1e-5)
        np.testing.assert_allclose(constant[run], table.mean(axis=(0, 1)), atol=1e-5)


def softmax_loss(logits: Any, labels: Any) -> float:
    each = [
        np.log(np.exp(row).sum()) - row[label] for row, label in zip(logits, labels, strict=True)
    ]
    return float(np.mean(each))


def test_restricted_and_excluded_loss() -> None:
    logits, keys = drawn(RUNS, P * P, P), torch.tensor([[2, 3], [1, 5]])
    pairs = torch.stack([torch.cartesian_prod(torch.arange(P), torch.arange(P))] * RUNS)
    labels = (pairs[..., 0] + pairs[..., 1]) % P
    learner: Any = SimpleNamespace(
        model=SimpleNamespace(p=P),
        train_pairs=pairs[:, ::2],
        train_labels=labels[:, ::2],
        test_pairs=pairs[:, 1::2],
        test_labels=labels[:, 1::2],
    )
    found = progress.losses(logits, keys, 1, learner)
    for run in range(RUNS):
        table = logits[run].double().numpy().reshape(P, P, P)
        spectrum = np.fft.fft2(table, axes=(0, 1))
        mask = np.zeros((P, P, 1))
        for k in keys[run].tolist():
            mask[k, k] = mask[-k, -k] = 1
        circuit = np.fft.ifft2(spectrum * mask, axes=(0, 1)).real
        restricted = (circuit + table.mean(axis=(0, 1))).reshape(P * P, P)
        without = (table - circuit).reshape(P * P, P)
        answers = labels[run].numpy()
        check(found["restricted_loss"][run], softmax_loss(restricted[1::2], answers[1::2]))
        check(found["excluded_loss"][run], softmax_loss(without[::2], answers[::2]))


def test_a_perfect_circuit_is_all_that_there_is() -> None:
    """Logits cos(w_k (a + b - c)): restricted loss is the loss, excluded loss is chance."""
    tokens = torch.arange(P)
    pairs = torch.cartesian_prod(tokens, tokens)
    t = pairs.sum(1)[:, None] - tokens
    logits = sum(torch.cos(2 * math.pi * k / P * t) for k in (2, 3)) * 20
    labels = (pairs.sum(1) % P)[None]
    learner: Any = SimpleNamespace(
        model=SimpleNamespace(p=P),
        train_pairs=pairs[None],
        train_labels=labels,
        test_pairs=pairs[None],
        test_labels=labels,
    )
    found = progress.losses(torch.as_tensor(logits)[None], torch.tensor([[2, 3]]), 1, learner)
    assert float(found["restricted_loss"]) < 1e-3
    check(found["excluded_loss"], [math.log(P)], 1e-4)


@pytest.mark.parametrize("p", [11, 8])
def test_gini_of_fourier_components(p: int) -> None:
    rows = drawn(RUNS, p, 5)
    norms = progress.component_norms(rows)
    basis = [np.ones(p) / np.sqrt(p)]
    for k in range(1, p // 2 + 1):
        for wave in (np.cos, np.sin):
            vector = wave(2 * np.pi * k * np.arange(p) / p)
            if np.linalg.norm(vector) > 1e-6:
                basis.append(vector / np.linalg.norm(vector))
    assert norms.shape == (RUNS, p)
    assert len(basis) == p
    for run in range(RUNS):
        plain = np.linalg.norm(np.array(basis) @ rows[run].double().numpy(), axis=1)
        check(norms[run].sort().values, sorted(plain))
        check(gini(norms)[run], gini_by_pairs(plain))

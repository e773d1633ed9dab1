"""One sequence, one selection, one formula at a time: what batched code is held against."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from scipy import linalg, stats
from torch import Tensor
from torch.nn import LSTM
from torch.nn import functional as f

from versus.experiments.dsn.models import DSNConfig

Array = npt.NDArray[np.float64]


# --- the seed's advanced network, from its weights, in evaluation mode ----------------------------


def seed_advanced(
    weights: Mapping[str, Tensor], config: DSNConfig, x: Tensor, motion: Tensor | None = None
) -> Tensor:
    """Logits [T] of features [T, D]; the length is a multiple of every window."""
    net = Seed(weights, config)
    h = net.encoded(x)
    if motion is not None:
        crossed = config.motion_fusion_type == "cross_attention"
        h = net.crossed(motion, h) if crossed else net.joined(motion, h)
    h = net.scaled(h + weights["policy.pos_encoder.pe"][0, : len(h)])
    for layer in range(config.num_attn_layers):
        h = net.attended(f"policy.attn_layers.{layer}", h)
    if config.use_lstm:
        h = net.remembered(h)
    return net.linear("policy.head", h)[:, 0]


class Seed:
    """Pieces of the seed's advanced network."""

    def __init__(self, weights: Mapping[str, Tensor], config: DSNConfig) -> None:
        self.weights, self.config = weights, config

    def linear(self, name: str, value: Tensor) -> Tensor:
        return f.linear(value, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def normed(self, name: str, value: Tensor) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return f.layer_norm(value, value.shape[-1:], weight, bias)

    def attention(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        size = query.shape[1] // self.config.num_attn_heads
        heads = []
        for h in range(self.config.num_attn_heads):
            q, k, v = (part[:, h * size : (h + 1) * size] for part in (query, key, value))
            heads.append((q @ k.T / math.sqrt(size)).softmax(-1) @ v)
        return torch.cat(heads, 1)

    def encoded(self, x: Tensor) -> Tensor:
        h = x
        for place in (0, 4):
            norm = f"encoder.mlp.{place + 1}"
            parts = ("running_mean", "running_var", "weight", "bias")
            mean, spread, weight, bias = (self.weights[f"{norm}.{part}"] for part in parts)
            h = self.linear(f"encoder.mlp.{place}", h)
            h = f.batch_norm(h, mean, spread, weight, bias).relu()
        past = "encoder.residual_proj"
        return h + self.linear(past, x) if f"{past}.weight" in self.weights else h

    def crossed(self, motion: Tensor, h: Tensor) -> Tensor:
        p = "policy.motion_fusion"
        found = self.attention(
            self.linear(f"{p}.query_proj", motion),
            self.linear(f"{p}.key_proj", h),
            self.linear(f"{p}.value_proj", h),
        )
        straight = self.linear(f"{p}.motion_residual_proj", motion)
        fused = self.normed(f"{p}.layer_norm1", straight + self.linear(f"{p}.out_proj", found))
        gate = self.linear(f"{p}.gate.0", torch.cat([motion, h], 1)).sigmoid()
        fused = gate * fused + (1 - gate) * straight
        inner = self.linear(f"{p}.ffn.3", f.gelu(self.linear(f"{p}.ffn.0", fused)))
        return self.normed(f"{p}.layer_norm2", fused + inner)

    def joined(self, motion: Tensor, h: Tensor) -> Tensor:
        p = "policy.motion_fusion.fusion"
        h = self.linear(f"{p}.0", torch.cat([motion, h], 1))
        return self.normed(f"{p}.5", self.linear(f"{p}.4", f.gelu(self.normed(f"{p}.1", h))))

    def scaled(self, h: Tensor) -> Tensor:
        levels = []
        for level in range(self.config.num_scales):
            y = h.T[None]
            if level:
                y = (f.max_pool1d(y, 2**level) + f.avg_pool1d(y, 2**level)) / 2
            name = f"policy.multi_scale.scale_convs.{level}"
            weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
            y = f.conv1d(y, weight, bias, padding=1).relu()
            levels.append(f.interpolate(y, size=len(h), mode="linear", align_corners=False)[0].T)
        if self.config.scale_fusion == "concat":
            fused = self.linear("policy.multi_scale.fusion_layer", torch.cat(levels, 1))
        elif self.config.scale_fusion == "sum":
            fused = torch.stack(levels).sum(0)
        else:
            shares = self.linear("policy.multi_scale.scale_attention", h).softmax(-1)
            fused = (torch.stack(levels, -1) * shares[:, None]).sum(-1)
        return self.normed("policy.multi_scale.layer_norm", fused)

    def attended(self, p: str, h: Tensor) -> Tensor:
        parts = (self.linear(f"{p}.self_attn.{part}_linear", h) for part in "qkv")
        found = self.linear(f"{p}.self_attn.out_linear", self.attention(*parts))
        h = self.normed(f"{p}.self_attn.layer_norm", h + found)
        inner = self.linear(f"{p}.ffn.linear2", self.linear(f"{p}.ffn.linear1", h).relu())
        return self.normed(f"{p}.ffn.layer_norm", h + inner)

    def remembered(self, h: Tensor) -> Tensor:
        lstm = LSTM(h.shape[1], self.config.lstm_hidden, batch_first=True, bidirectional=True)
        name = "policy.lstm."
        lstm.load_state_dict(
            {k.removeprefix(name): v for k, v in self.weights.items() if k.startswith(name)}
        )
        found: Tensor = lstm(h[None])[0][0]
        return found


def sines(entries: int, hidden: int) -> Tensor:
    table = torch.zeros(1, entries, hidden)
    for place in range(entries):
        for i in range(hidden):
            angle = place / 10_000 ** (i // 2 * 2 / hidden)
            table[0, place, i] = math.cos(angle) if i % 2 else math.sin(angle)
    return table


# --- rewards: features [T, D] of norm 1, selected rows --------------------------------------------


def diversity(features: Array, picked: list[int], near: int | None = None) -> float:
    if len(picked) < 2:
        return 0.0
    total = 0.0
    for i in picked:
        for j in picked:
            if i != j:
                far = near is not None and abs(i - j) > near
                total += 1.0 if far else 1 - float(features[i] @ features[j])
    return total / (len(picked) * (len(picked) - 1))


def nearest(features: Array, picked: list[int]) -> list[float]:
    return [min(1 - float(row @ features[s]) for s in picked) for row in features]


def representativeness(features: Array, picked: list[int]) -> float:
    return -float(np.mean(nearest(features, picked))) if picked else 0.0


def representativeness_exp(features: Array, picked: list[int]) -> float:
    if not picked:
        return 0.0
    least = [min(float(((row - features[s]) ** 2).sum()) for s in picked) for row in features]
    return math.exp(-float(np.mean(least)))


def coverage(features: Array, picked: list[int], within: float) -> float:
    if not picked:
        return 0.0
    return float(np.mean([d <= within for d in nearest(features, picked)]))


def frechet(features: Array, picked: list[int], *, by_scipy: bool = False) -> float:
    """By scipy's root of the product where that is regular, or by a symmetric one.

    The trace of (S R)^(1/2) is that of (S^(1/2) R S^(1/2))^(1/2).
    """
    if len(picked) < 2 or len(features) < 2:
        return 0.0
    some = features[picked]
    first, second = np.cov(features, rowvar=False), np.cov(some, rowvar=False)
    gap = ((features.mean(0) - some.mean(0)) ** 2).sum()
    if by_scipy:
        trace = np.trace(linalg.sqrtm(first @ second)).real
    else:
        values, vectors = np.linalg.eigh(first)
        half = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
        trace = np.sqrt(np.maximum(np.linalg.eigvalsh(half @ second @ half), 0)).sum()
    return -float(gap + np.trace(first) + np.trace(second) - 2 * trace)


def color_swd(cdfs: Array, picked: list[int], values: Array) -> float:
    """Mean over levels and directions of scipy's distance between mixtures of histograms.

    Args:
        cdfs: [T, levels, directions, bins].
        picked: selected rows.
        values: where the bins of a direction lie, [directions, bins].
    """
    if not picked:
        return 0.0
    weights = np.diff(cdfs, axis=-1, prepend=0.0)
    every, some = weights.mean(0), weights[picked].mean(0)
    found = [
        stats.wasserstein_distance(values[k], values[k], every[level, k], some[level, k])
        for level in range(cdfs.shape[1])
        for k in range(cdfs.shape[2])
    ]
    return -float(np.mean(found))


def stillness(change: Array, picked: list[int]) -> float:
    if not picked:
        return 0.0
    places = stats.rankdata(change) - 1
    still = 1 - places / max(len(change) - 1, 1)
    return float(np.mean(still[picked]))


def budget(frames: int, picked: list[int], ratio: float, least: int, most: int) -> float:
    wanted = min(max(math.ceil(ratio * frames), least), most, frames)
    over = len(picked) - wanted
    return -float(max(0, over) + 0.5 * max(0, -over))

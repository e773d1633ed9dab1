"""The transformer for two tokens (a, b), for S runs at once, as pure functions of its parameters.

Pre-norm blocks as in PyTorch's ``TransformerEncoderLayer(norm_first=True)`` (R. Xiong et al., "On
Layer Normalization in the Transformer Architecture", 2020), ReLU, mean over the two positions,
linear to p logits. With two tokens a softmax over scores is a sigmoid of their difference, so
attention is elementwise; and because the mean over positions commutes with a linear map, the last
feed-forward network is averaged before its second matrix.

Shapes: S runs, B pairs, T = 2 B tokens (all a, then all b), width d, n neurons, h heads. Every
parameter has a leading run axis; matrices are input x output.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from versus.core import seeding
from versus.core.weights import Shape
from versus.experiments.ordering.config import ModelConfig

Parameters = Mapping[str, Tensor]
Masks = Sequence[tuple[Tensor, Tensor]]
"""Dropout: per layer factors of attention output (S, T, d) and neurons (S, T, n)."""
EPSILON = 1e-5


class Normed(NamedTuple):
    """A layer norm: without mean and scale (S, T, d), mean and rstd (S, T, 1), result (S, T, d)."""

    values: Tensor
    mean: Tensor
    rstd: Tensor
    result: Tensor


class Layer(NamedTuple):
    """What a block computed, for looking at it and for the gradient.

    Attributes:
        inputs: (S, T, d).
        norm1: what attention gets.
        qkv: queries, keys and values, (S, 2, B, 3, h, d / h).
        apart: keys and values of a minus those of b, (S, 1, B, 2, h, d / h).
        weights: attention that each position pays to a, (S, 2, B, h, 1); the rest goes to b.
        attended: (S, T, d).
        middle: inputs plus attention, (S, T, d).
        norm2: what the feed-forward network gets.
        neurons: after ReLU and dropout, (S, 2, B, n).
        pooled: sum of the neurons over positions, (S, B, n), in the last block; else None.
        outputs: (S, T, d); in the last block the mean over positions, (S, B, d).
    """

    inputs: Tensor
    norm1: Normed
    qkv: Tensor
    apart: Tensor
    weights: Tensor
    attended: Tensor
    middle: Tensor
    norm2: Normed
    neurons: Tensor
    pooled: Tensor | None
    outputs: Tensor


class Trace(NamedTuple):
    """One forward pass: blocks and logits (S, B, p)."""

    layers: list[Layer]
    logits: Tensor


@dataclass(frozen=True)
class Transformer:
    """Sizes of a model, and its functions.

    Attributes:
        p: tokens and classes.
        d: width of the residual stream.
        heads: attention heads; divide d.
        layers: blocks.
        ffn: neurons of each feed-forward network.
    """

    p: int
    d: int
    heads: int
    layers: int
    ffn: int

    @classmethod
    def of(cls, settings: ModelConfig, p: int) -> "Transformer":
        """The model that a comparison asks for."""
        d = settings.embed_dim
        return cls(p, d, settings.heads, settings.layers, settings.ffn or 4 * d)

    @property
    def shapes(self) -> dict[str, Shape]:
        """Parameter name -> its shape in one run."""
        d, n = self.d, self.ffn
        block: dict[str, Shape] = {
            "norm1.weight": (d,),
            "norm1.bias": (d,),
            "qkv.weight": (d, 3 * d),
            "qkv.bias": (3 * d,),
            "out.weight": (d, d),
            "out.bias": (d,),
            "norm2.weight": (d,),
            "norm2.bias": (d,),
            "up.weight": (d, n),
            "up.bias": (n,),
            "down.weight": (n, d),
            "down.bias": (d,),
        }
        blocks = {f"layers.{i}.{name}": s for i in range(self.layers) for name, s in block.items()}
        ends: dict[str, Shape] = {"unembedding.weight": (d, self.p), "unembedding.bias": (self.p,)}
        return {"embedding.weight": (self.p, d), "position.weight": (2, d)} | blocks | ends

    @property
    def flops(self) -> int:
        """Floating-point operations of a forward pass, matrices only, per pair."""
        d, n = self.d, self.ffn
        return 2 * (self.layers * 2 * (4 * d * d + 2 * d * n) - d * n + d * self.p)

    def initial(self, seed: int) -> Tensor:
        """Initial parameters of one run, (P,), keyed by (seed, name).

        Embedding and position N(0, 1 / d), from which small networks generalise far sooner than
        from PyTorch's N(0, 1). The rest is PyTorch's own: query-key-value Xavier uniform with bias
        0, attention output with bias 0, everything else uniform within 1 / sqrt(fan-in).
        """
        rows = [self._initial(name, seed).flatten() for name in self.shapes]
        return torch.cat(rows)

    def _initial(self, name: str, seed: int) -> Tensor:
        shape = self.shapes[name]
        source = seeding.generator(seed, "init", name)
        part, _, kind = name.rpartition(".")
        part = part.rpartition(".")[2]
        if part in ("embedding", "position"):
            return torch.randn(shape, generator=source) / math.sqrt(self.d)
        if part.startswith("norm"):
            return torch.full(shape, float(kind == "weight"))
        if part in ("qkv", "out") and kind == "bias":
            return torch.zeros(shape)
        fan_in = self.ffn if part == "down" else self.d
        bound = math.sqrt(6 / (4 * self.d)) if part == "qkv" else 1 / math.sqrt(fan_in)
        return (2 * torch.rand(shape, generator=source) - 1) * bound

    def forward(self, parameters: Parameters, pairs: Tensor) -> Tensor:
        """Logits (S, B, p) of pairs (S, B, 2)."""
        return self.trace(parameters, pairs).logits

    def trace(self, parameters: Parameters, pairs: Tensor, masks: Masks = ()) -> Trace:
        """A forward pass with everything that it computes on the way."""
        inputs = self.embed(parameters, pairs)
        return self.trace_from(parameters, inputs, *self.project(parameters, 0, inputs), masks)

    def trace_from(
        self,
        parameters: Parameters,
        inputs: Tensor,
        norm: Normed,
        qkv: Tensor,
        masks: Masks = (),
    ) -> Trace:
        """The same from the first block's inputs, their norm, queries, keys and values."""
        layers: list[Layer] = []
        for index in range(self.layers):
            if index:
                inputs = layers[-1].outputs
                norm, qkv = self.project(parameters, index, inputs)
            mask = masks[index] if masks else None
            layers.append(self._block(parameters, index, inputs, norm, qkv, mask))
        return Trace(layers, _linear(parameters, "unembedding", layers[-1].outputs))

    def embed(self, parameters: Parameters, pairs: Tensor) -> Tensor:
        """Token plus position, (S, T, d)."""
        table = parameters["embedding.weight"]
        runs, count, _ = pairs.shape
        tokens = table.reshape(-1, self.d).index_select(0, token_rows(pairs, self.p))
        placed = tokens.view(runs, 2, count, self.d) + parameters["position.weight"][:, :, None]
        return placed.view(runs, 2 * count, self.d)

    def project(self, parameters: Parameters, index: int, inputs: Tensor) -> tuple[Normed, Tensor]:
        """A block's first norm, and the queries, keys and values (S, T, 3 d) made of it."""
        norm = _norm(parameters, f"layers.{index}.norm1", inputs)
        return norm, _linear(parameters, f"layers.{index}.qkv", norm.result)

    def _block(
        self,
        parameters: Parameters,
        index: int,
        inputs: Tensor,
        norm: Normed,
        qkv: Tensor,
        mask: tuple[Tensor, Tensor] | None,
    ) -> Layer:
        name = f"layers.{index}"
        runs, tokens, d = inputs.shape
        qkv = qkv.view(runs, 2, tokens // 2, 3, self.heads, d // self.heads)
        apart, weights, attended = attend(qkv)
        attended = attended.view(inputs.shape)
        added = _linear(parameters, f"{name}.out", attended)
        middle = (added if mask is None else added * mask[0]) + inputs
        norm2 = _norm(parameters, f"{name}.norm2", middle)
        neurons = _linear(parameters, f"{name}.up", norm2.result).relu_()
        if mask is not None:
            neurons = neurons * mask[1]
        pooled, outputs = self._feed(parameters, index, middle, neurons)
        neurons = neurons.view(runs, 2, -1, self.ffn)
        return Layer(
            inputs, norm, qkv, apart, weights, attended, middle, norm2, neurons, pooled, outputs
        )

    def _feed(
        self, parameters: Parameters, index: int, middle: Tensor, neurons: Tensor
    ) -> tuple[Tensor | None, Tensor]:
        name = f"layers.{index}.down"
        if index < self.layers - 1:
            return None, _linear(parameters, name, neurons) + middle
        pooled = _over_positions(neurons)
        fed = _linear(parameters, name, pooled, scale=0.5)
        return pooled, torch.add(fed, _over_positions(middle), alpha=0.5)

    def attention_weights(self, parameters: Parameters, pairs: Tensor) -> list[Tensor]:
        """Per layer (S, B, h, 2, 2): from the position in axis 3 to that in axis 4."""
        return [
            torch.cat([to_a, 1 - to_a], dim=-1).permute(0, 2, 3, 1, 4)
            for to_a in (layer.weights for layer in self.trace(parameters, pairs).layers)
        ]

    def hidden(self, parameters: Parameters, pairs: Tensor) -> dict[str, Tensor]:
        """Activations by name, each (S, B, 2, width), in order; last ``logits`` (S, B, p).

        ``embedding`` (token plus position), per layer ``layers.l.attention`` (heads before the
        output matrix), ``layers.l.middle`` (residual stream after attention), ``layers.l.neurons``
        (after ReLU), and ``layers.l.output`` of all layers but the last, whose output is the mean
        over positions, ``pooled`` (S, B, d).
        """
        trace = self.trace(parameters, pairs)
        found = {"embedding": _by_pair(trace.layers[0].inputs)}
        for index, layer in enumerate(trace.layers):
            name = f"layers.{index}"
            found[f"{name}.attention"] = _by_pair(layer.attended)
            found[f"{name}.middle"] = _by_pair(layer.middle)
            found[f"{name}.neurons"] = layer.neurons.transpose(1, 2)
            if layer.pooled is None:
                found[f"{name}.output"] = _by_pair(layer.outputs)
        return found | {"pooled": trace.layers[-1].outputs, "logits": trace.logits}


def token_rows(pairs: Tensor, p: int) -> Tensor:
    """Rows of the stacked embeddings (S p, d) that pairs (S, B, 2) take: run, position, pair."""
    offsets = torch.arange(0, len(pairs) * p, p, device=pairs.device)
    return (pairs.transpose(1, 2) + offsets[:, None, None]).reshape(-1)


def attend(qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Keys and values apart, weights on a, attended values: see :class:`Layer`.

    softmax(q k_a, q k_b) v = v_b + sigmoid(q (k_a - k_b)) (v_a - v_b).
    """
    apart = qkv[:, :1, :, 1:] - qkv[:, 1:, :, 1:]
    keys, values = apart.unbind(3)
    score = (qkv.select(3, 0) * keys).sum(-1, keepdim=True)
    weights = torch.sigmoid(score * (1 / math.sqrt(qkv.shape[-1])))
    return apart, weights, torch.addcmul(qkv[:, 1:, :, 2], weights, values)


def _over_positions(tokens: Tensor) -> Tensor:
    """Sum over the two positions, (S, T, k) -> (S, B, k)."""
    half = tokens.shape[1] // 2
    return tokens[:, :half] + tokens[:, half:]


def _linear(parameters: Parameters, name: str, inputs: Tensor, scale: float = 1.0) -> Tensor:
    weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
    return torch.baddbmm(bias[:, None], inputs, weight, alpha=scale)


def _norm(parameters: Parameters, name: str, inputs: Tensor) -> Normed:
    width = inputs.shape[-1:]
    values, mean, rstd = torch.native_layer_norm(inputs, width, None, None, EPSILON)
    weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
    return Normed(values, mean, rstd, torch.addcmul(bias[:, None], values, weight[:, None]))


def _by_pair(tokens: Tensor) -> Tensor:
    """(S, T, k) -> (S, B, 2, k)."""
    return torch.unflatten(tokens, 1, (2, -1)).transpose(1, 2)

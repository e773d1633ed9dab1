"""The encoder of expressions, and what answers from what it has read.

Shapes: B expressions of T tokens, N descents of each, width d, 10 classes.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from versus.core import seeding
from versus.experiments.ebt.config import DescentConfig, EncoderConfig, ModelConfig
from versus.experiments.ebt.data.listops.tokens import PAD, VOCABULARY
from versus.experiments.ebt.listops.descent import Descended, descend, train_descent
from versus.experiments.ebt.presets import Recipe
from versus.experiments.ebt.vectors.descent import draw_start

CLASSES = 10
ACTIVATIONS = {"silu": nn.SiLU, "relu": nn.ReLU}
EXPANSION = 4
"""Width of a hidden layer over that of the residual stream."""
COUNTED = 8.0
"""Counts of tokens are divided by it, so that they are about 1."""


class Block(nn.Module):
    """Self-attention and a feed-forward network, each after a norm and around a shortcut."""

    def __init__(self, encoder: EncoderConfig, activation: str) -> None:
        super().__init__()
        width = encoder.width
        self.heads = encoder.heads
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2)])
        self.projections = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.network = nn.Sequential(
            nn.Linear(width, EXPANSION * width),
            ACTIVATIONS[activation](),
            nn.Linear(EXPANSION * width, width),
        )

    def forward(self, stream: Tensor, mask: Tensor) -> Tensor:
        """Stream (B, T, d) and mask (B, 1, 1, T), true at tokens, to stream."""
        parts = self.projections(self.norms[0](stream)).chunk(3, -1)
        query, key, value = (_by_head(part, self.heads) for part in parts)
        read = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        stream = stream + self.output(read.transpose(1, 2).flatten(2))
        result: Tensor = stream + self.network(self.norms[1](stream))
        return result


def _by_head(tensor: Tensor, heads: int) -> Tensor:
    """(B, T, d) to (B, heads, T, d / heads)."""
    return tensor.view(*tensor.shape[:2], heads, -1).transpose(1, 2)


class Encoder(nn.Module):
    """A pre-norm transformer with a summary token before the expression."""

    def __init__(self, encoder: EncoderConfig, activation: str) -> None:
        super().__init__()
        self.tokens = nn.Embedding(len(VOCABULARY), encoder.width, padding_idx=PAD)
        self.summary = nn.Parameter(torch.randn(encoder.width))
        self.blocks = nn.ModuleList([Block(encoder, activation) for _ in range(encoder.blocks)])
        self.norm = nn.LayerNorm(encoder.width)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, T) to a context (B, 1 + T, d) and its mask (B, 1, 1, 1 + T).

        The first row is the summary; the mask is false at padding.
        """
        stream = self.tokens(inputs) + positions(inputs.shape[1], self.summary)
        stream = torch.cat([self.summary.expand(len(inputs), 1, -1), stream], 1)
        mask = nn.functional.pad(inputs != PAD, (1, 0), value=True)[:, None, None]
        for block in self.blocks:
            stream = block(stream, mask)
        return self.norm(stream), mask


def positions(length: int, like: Tensor) -> Tensor:
    """Sines and cosines of each position, (length, d), of any length."""
    width = like.shape[-1]
    half = torch.arange((width + 1) // 2, device=like.device, dtype=like.dtype)
    angles = torch.arange(length, device=like.device, dtype=like.dtype)[:, None]
    angles = angles * torch.exp(-math.log(10_000) * 2 * half / width)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width]


class Context(NamedTuple):
    """What an energy needs of an expression: keys and values (B, heads, T, d / heads), mask."""

    keys: Tensor
    values: Tensor
    mask: Tensor

    def constant(self) -> "Context":
        """The same numbers without gradient."""
        return Context(self.keys.detach(), self.values.detach(), self.mask)


class EnergyHead(nn.Module):
    """The energy of an answer: its probabilities as a query that reads the context.

    Attention is written out, because the fused one has no second derivative.
    """

    def __init__(self, encoder: EncoderConfig, activation: str) -> None:
        super().__init__()
        width = encoder.width
        self.heads = encoder.heads
        self.answer = nn.Linear(CLASSES, width)
        self.query = nn.Linear(width, width)
        self.context = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)
        self.network = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, EXPANSION * width),
            ACTIVATIONS[activation](),
            nn.Linear(EXPANSION * width, 1),
        )

    def read(self, stream: Tensor, mask: Tensor) -> Context:
        """Keys and values of a context (B, T, d), which no step on the answer changes."""
        keys, values = (_by_head(part, self.heads) for part in self.context(stream).chunk(2, -1))
        return Context(keys, values, mask)

    def forward(self, answers: Tensor, context: Context) -> Tensor:
        """Energies (B, N) of answers (B, N, 10)."""
        stream = self.answer(answers.softmax(-1))
        query = _by_head(self.query(stream), self.heads)
        scores = query @ context.keys.transpose(-1, -2) / math.sqrt(query.shape[-1])
        weights = scores.masked_fill(~context.mask, -math.inf).softmax(-1)
        read = (weights @ context.values).transpose(1, 2).flatten(2)
        energies: Tensor = self.network(stream + self.output(read))
        return energies.squeeze(-1)


class EnergyModel(nn.Module):
    """Reads an expression once and descends a learned energy to its answer.

    Args:
        model: sizes and the descent.
        activation: of the hidden layers.
        seed: of the starts of prediction, which are stored with the weights.
    """

    start: Tensor

    def __init__(self, model: ModelConfig, activation: str, seed: int) -> None:
        super().__init__()
        self.descent: DescentConfig = model.descent
        self.encoder = Encoder(model.encoder, activation)
        self.head = EnergyHead(model.encoder, activation)
        size = torch.tensor(model.descent.step_size).log()
        self.log_step_size = nn.Parameter(size) if model.descent.learned else None
        source = seeding.generator(seed, "prediction", "start")
        shape = (model.descent.samples, CLASSES)
        self.register_buffer("start", draw_start(model.descent.start, shape, source))

    @property
    def step_size(self) -> Tensor:
        """Of a step on the answer, a scalar."""
        learned = self.log_step_size
        return torch.tensor(self.descent.step_size) if learned is None else learned.exp()

    def read(self, inputs: Tensor) -> Context:
        """What energies of tokens (B, T) need."""
        return self.head.read(*self.encoder(inputs))

    def training_logits(self, inputs: Tensor, source: torch.Generator) -> Tensor:
        """Logits (B, 10) of tokens (B, T), from starts that ``source`` gives."""
        context = self.read(inputs)
        constant = context.constant()
        start = draw_start(self.descent.start, (len(inputs), 1, CLASSES), source)
        found = train_descent(
            self.descent,
            lambda answers: self.head(answers, context),
            lambda answers: self.head(answers, constant),
            start.to(context.keys),
            self.step_size,
            source,
        )
        return found[:, 0]

    def descents(self, inputs: Tensor) -> Descended:
        """All descents of tokens (B, T).

        Raises:
            DataError: if an answer is not finite.
        """
        with torch.no_grad():
            context = self.read(inputs)
        start = self.start.expand(len(inputs), -1, -1)
        size = float(self.step_size.detach())
        return descend(self.descent, lambda a: self.head(a, context), start, size)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (B, 10) of tokens (B, T): of several descents, where the energy is lowest."""
        return lowest(self.descents(inputs))


def lowest(found: Descended) -> Tensor:
    """Of N descents each, the answer (B, 10) with the lowest energy."""
    best = found.energies.argmin(1)
    return found.answers[torch.arange(len(best), device=best.device), best]


class Classifier(nn.Module):
    """The same encoder with a linear head on its summary."""

    def __init__(self, encoder: EncoderConfig, activation: str) -> None:
        super().__init__()
        self.encoder = Encoder(encoder, activation)
        self.head = nn.Linear(encoder.width, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (B, 10) of tokens (B, T)."""
        context, _ = self.encoder(inputs)
        logits: Tensor = self.head(context[:, 0])
        return logits


class Bag(nn.Module):
    """An MLP on how often each token occurs."""

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(len(VOCABULARY) - 1, width),
            ACTIVATIONS[activation](),
            nn.Linear(width, width),
            ACTIVATIONS[activation](),
            nn.Linear(width, width),
            ACTIVATIONS[activation](),
            nn.Linear(width, CLASSES),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (B, 10) of tokens (B, T)."""
        kinds = torch.arange(1, len(VOCABULARY), device=inputs.device)
        counts = (inputs[:, :, None] == kinds).sum(1) / COUNTED
        logits: Tensor = self.network(counts)
        return logits


def make_model(model: ModelConfig, recipe: Recipe, seed: int) -> nn.Module:
    """The module that a configuration describes; its weights come from torch's global generator."""
    if model.kind == "bag":
        return Bag(model.latent_dim, recipe.activation)
    if model.kind == "ffn":
        return Classifier(model.encoder, recipe.activation)
    return EnergyModel(model, recipe.activation, seed)

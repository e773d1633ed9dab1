"""A training step of MLP energies through the last step of the descent, without autograd.

The seed document's first-order approximation: y_{n-1} is a constant, y_n = y_{n-1} - alpha g with
g = dE/dy at y_{n-1}, and the loss is |y_n - t|^2 / d. With r = dL/dg the gradient of the weights is
that of r . g, the directional derivative of E along r: a forward pass with tangents and one
backward pass over both. The cotangents of the tangents are those that g was computed with, and
serve again.

Shapes: S models, B examples, d coordinates, rows R (B, or B d with an energy per coordinate).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from versus.experiments.ebt.vectors.energies import MLPEnergy
from versus.experiments.ebt.vectors.mlp import Parameters


class Stepped(NamedTuple):
    """What a step found.

    Attributes:
        losses: (S,).
        answers: y_n, (S, B, d).
        gradients: by parameter name, (S, *shape).
        by_size: derivative by the step size, (S,).
    """

    losses: Tensor
    answers: Tensor
    gradients: dict[str, Tensor]
    by_size: Tensor


class Layer(NamedTuple):
    """A hidden layer: outputs, and first and second derivative of silu, (S, R, H) each."""

    outputs: Tensor
    slope: Tensor
    bend: Tensor

    @classmethod
    def at(cls, before: Tensor) -> "Layer":
        """The layer with these values before its activation."""
        gate = torch.sigmoid(before)
        outputs, closed = before * gate, 1 - gate
        bend = gate * closed * (2 + before * (closed - gate))
        return cls(outputs, gate + outputs * closed, bend)


@torch.no_grad()
def step(
    energy: MLPEnergy,
    p: Parameters,
    x: Tensor,
    target: Tensor,
    start: Tensor,
    sizes: Tensor,
    steps: int,
    noise: Sequence[Tensor] = (),
) -> Stepped:
    """Descend and differentiate.

    Args:
        energy: what is descended.
        p: weights, name -> (S, *shape).
        x: inputs, (S, B, 2d).
        target: answers, (S, B, d).
        start: where the descent starts, (S, B, d).
        sizes: step size of each model, (S,).
        steps: n.
        noise: added after each step but the last, (S, B, d) each; empty = none.
    """
    context, alpha, y = energy.context(p, x), sizes[:, None, None], start
    for k in range(steps - 1):
        y = torch.addcmul(y, energy.slope(p, context, y), alpha, value=-1)
        y = y + noise[k] if noise else y
    return _last(energy, p, energy.rows_of_x(x), context, target, y, alpha)


class Pass(NamedTuple):
    """The energy's slope as :func:`.mlp.pull_back` computes it, with everything kept.

    Attributes:
        layers: the hidden layers.
        by_outputs: derivative of the energy by the network's outputs, (S, R, m).
        backs: derivatives by the outputs of the hidden layers, (S, R, H) each.
        slope: dE/dy, (S, R, j).
    """

    layers: Sequence[Layer]
    by_outputs: Tensor
    backs: Sequence[Tensor]
    slope: Tensor


def _pass(energy: MLPEnergy, p: Parameters, context: Tensor, y: Tensor) -> Pass:
    one = Layer.at(torch.baddbmm(context, y, p["w1y"]))
    two = Layer.at(torch.baddbmm(p["b2"][:, None], one.outputs, p["w2"]))
    three = Layer.at(torch.baddbmm(p["b3"][:, None], two.outputs, p["w3"]))
    outputs = torch.baddbmm(p["b4"][:, None], three.outputs, p["w4"])
    by_outputs, direct = energy.head.by_outputs(outputs, y), energy.head.by_y(outputs, y)
    back3 = torch.bmm(by_outputs, p["w4"].mT)
    back2 = torch.bmm(back3 * three.slope, p["w3"].mT)
    back1 = torch.bmm(back2 * two.slope, p["w2"].mT)
    slope = torch.bmm(back1 * one.slope, p["w1y"].mT)
    slope = slope if direct is None else slope + direct
    return Pass((one, two, three), by_outputs, (back1, back2, back3), slope)


def _last(
    energy: MLPEnergy,
    p: Parameters,
    x: Tensor,
    context: Tensor,
    target: Tensor,
    start: Tensor,
    alpha: Tensor,
) -> Stepped:
    y = energy.rows_of_y(start)
    seen = _pass(energy, p, context, y)
    slope = seen.slope.view_as(start)
    answers = torch.addcmul(start, slope, alpha, value=-1)
    error = answers - target
    by_answers = error * (2 / error[0].numel())
    along = energy.rows_of_y(by_answers * -alpha)
    return Stepped(
        losses=error.square().mean((1, 2)),
        answers=answers,
        gradients=_gradients(energy, p, seen, x, y, along),
        by_size=-(by_answers * slope).sum((1, 2)),
    )


def _gradients(
    energy: MLPEnergy, p: Parameters, seen: Pass, x: Tensor, y: Tensor, along: Tensor
) -> dict[str, Tensor]:
    """Gradients of the directional derivative of the energy ``along`` a direction of y."""
    one, two, three = seen.layers
    back1, back2, back3 = seen.backs
    # Tangents: before and after each activation.
    t1 = torch.bmm(along, p["w1y"])
    h1 = one.slope * t1
    t2 = torch.bmm(h1, p["w2"])
    h2 = two.slope * t2
    t3 = torch.bmm(h2, p["w3"])
    h3 = three.slope * t3
    # Derivatives by what enters each activation.
    c3 = back3 * t3 * three.bend
    top = energy.head.curved(torch.bmm(h3, p["w4"]), along)
    if top is not None:
        c3 = torch.addcmul(c3, torch.bmm(top, p["w4"].mT), three.slope)
    c2 = torch.addcmul(back2 * t2 * two.bend, torch.bmm(c3, p["w3"].mT), two.slope)
    c1 = torch.addcmul(back1 * t1 * one.bend, torch.bmm(c2, p["w2"].mT), one.slope)
    d1, d2, d3 = back1 * one.slope, back2 * two.slope, back3 * three.slope
    found = {
        "w1x": torch.bmm(x.mT, c1),
        "w1y": torch.baddbmm(torch.bmm(y.mT, c1), along.mT, d1),
        "b1": c1.sum(1),
        "w2": torch.baddbmm(torch.bmm(one.outputs.mT, c2), h1.mT, d2),
        "b2": c2.sum(1),
        "w3": torch.baddbmm(torch.bmm(two.outputs.mT, c3), h2.mT, d3),
        "b3": c3.sum(1),
        "w4": torch.bmm(h3.mT, seen.by_outputs),
    }
    if top is not None:
        found["w4"] = torch.baddbmm(found["w4"], three.outputs.mT, top)
        found["b4"] = top.sum(1)
    return found

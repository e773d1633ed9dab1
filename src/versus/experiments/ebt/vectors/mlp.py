"""A multilayer perceptron with three hidden layers, for S models at once.

Its first matrix is split into the part that sees x and the part that sees y, because x stands still
while y descends. Derivatives are written out, as ordinary operations of torch: a gradient through a
descent then needs one backward pass and no second derivative of autograd.

Shapes: S models, N rows, i inputs, j coordinates of y, H hidden units, m outputs. Every parameter
has a leading model axis; matrices are input x output.
"""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import relu, silu

from versus.core import seeding
from versus.core.weights import Shape, split

Parameters = Mapping[str, Tensor]
Activation = Literal["silu", "relu"]
ACTIVATIONS = {"silu": silu, "relu": relu}


class Hidden(NamedTuple):
    """What the hidden layers computed before their activations, (S, N, H) each."""

    first: Tensor
    second: Tensor
    third: Tensor


def shapes(x_size: int, y_size: int, width: int, outputs: int) -> dict[str, Shape]:
    """Parameters of one model; without ``y_size`` there is no ``w1y``."""
    first = {"w1x": (x_size, width), **({"w1y": (y_size, width)} if y_size else {})}
    rest = {"w2": (width, width), "b2": (width,), "w3": (width, width), "b3": (width,)}
    return {**first, "b1": (width,), **rest, "w4": (width, outputs), "b4": (outputs,)}


def draw_linear(shapes: Mapping[str, Shape], fans: Mapping[str, int], *key: int | str) -> Tensor:
    """Initial weights of one model, (P,), as ``nn.Linear`` draws them.

    Args:
        shapes: parameter name -> shape.
        fans: name -> number of inputs of its layer.
        key: what the draws depend on.
    """
    row = torch.zeros(1, sum(map(math.prod, shapes.values())))
    source = seeding.generator("weights", *key)
    for name, part in split(row, shapes).items():
        bound = 1 / math.sqrt(fans[name])
        part.uniform_(-bound, bound, generator=source)
    return row[0]


def fans(shapes: Mapping[str, Shape]) -> dict[str, int]:
    """Number of inputs of every layer of :func:`shapes`."""
    inputs = shapes["w1x"][0] + shapes.get("w1y", (0,))[0]
    width = shapes["b1"][0]
    return {name: inputs if name in ("w1x", "w1y", "b1") else width for name in shapes}


def of_x(p: Parameters, x: Tensor) -> Tensor:
    """What x (S, N, i) adds to the first layer, with its bias, (S, N, H)."""
    return torch.baddbmm(p["b1"][:, None], x, p["w1x"])


def forward(p: Parameters, first: Tensor, activation: Activation = "silu") -> Hidden:
    """The hidden layers, from what enters the first activation (S, N, H)."""
    act = ACTIVATIONS[activation]
    second = torch.baddbmm(p["b2"][:, None], act(first), p["w2"])
    third = torch.baddbmm(p["b3"][:, None], act(second), p["w3"])
    return Hidden(first, second, third)


def outputs(p: Parameters, hidden: Hidden, activation: Activation = "silu") -> Tensor:
    """The last layer, (S, N, m)."""
    return torch.baddbmm(p["b4"][:, None], ACTIVATIONS[activation](hidden.third), p["w4"])


def pull_back(p: Parameters, hidden: Hidden, cotangent: Tensor | None) -> Tensor:
    """Gradient with respect to y, (S, N, j), of ``sum(cotangent * outputs)``; silu only.

    Without a cotangent it is that of the sum of the only output.
    """
    at_third = through_silu(by_third(p, hidden.third, cotangent), hidden.third)
    at_second = through_silu(torch.bmm(at_third, p["w3"].mT), hidden.second)
    at_first = through_silu(torch.bmm(at_second, p["w2"].mT), hidden.first)
    return torch.bmm(at_first, p["w1y"].mT)


def by_third(p: Parameters, third: Tensor, cotangent: Tensor | None) -> Tensor:
    """Derivative by the outputs of the third layer, (S, N, H)."""
    w4 = p["w4"].mT
    return w4.expand_as(third) if cotangent is None else torch.bmm(cotangent, w4)


def through_silu(gradient: Tensor, at: Tensor) -> Tensor:
    """``gradient`` times silu'(at); differentiable where autograd records."""
    if not torch.is_grad_enabled():
        fused: Tensor = torch.ops.aten.silu_backward(gradient, at)
        return fused
    sigmoid = torch.sigmoid(at)
    return gradient * sigmoid * (1 + at * (1 - sigmoid))

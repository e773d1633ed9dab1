"""Networks that answer in one pass, for S models at once.

Shapes: S models, N rows, d coordinates of the answer; x (S, N, 2d).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from versus.core.weights import Shape
from versus.experiments.ebt.vectors import mlp
from versus.experiments.ebt.vectors.mlp import Activation, Parameters

ROUNDING = 1e-12


class Network(ABC):
    """A function of x.

    Attributes:
        shapes: parameter name -> shape in one model.
    """

    shapes: Mapping[str, Shape]

    @abstractmethod
    def initial(self, seed: int) -> Tensor:
        """Initial weights of one model, (P,)."""

    @abstractmethod
    def forward(self, p: Parameters, x: Tensor) -> Tensor:
        """Answers, (S, N, d)."""


class FeedForward(Network):
    """Three hidden layers: the seed document's, and the fair one with silu."""

    def __init__(self, d: int, width: int, activation: Activation) -> None:
        self.activation: Activation = activation
        self.shapes = mlp.shapes(2 * d, 0, width, d)

    def initial(self, seed: int) -> Tensor:
        """As ``nn.Linear`` draws them."""
        return mlp.draw_linear(self.shapes, mlp.fans(self.shapes), seed)

    def forward(self, p: Parameters, x: Tensor) -> Tensor:
        """See :class:`Network`."""
        hidden = mlp.forward(p, mlp.of_x(p, x), self.activation)
        return mlp.outputs(p, hidden, self.activation)


class Bilinear(Network):
    """Bx + c + C(Px * Qx): linear in the inputs and in learned products of them.

    Args:
        d: coordinates of the answer.
        products: rows of P and of Q.
    """

    def __init__(self, d: int, products: int) -> None:
        x, k = 2 * d, products
        self.shapes = {"b": (x, d), "c0": (d,), "p": (x, k), "q": (x, k), "c": (k, d)}
        self._fans = {"b": x, "c0": x, "p": x, "q": x, "c": k}

    def initial(self, seed: int) -> Tensor:
        """As ``nn.Linear`` draws them."""
        return mlp.draw_linear(self.shapes, self._fans, seed)

    def forward(self, p: Parameters, x: Tensor) -> Tensor:
        """See :class:`Network`."""
        products = torch.bmm(x, p["p"]) * torch.bmm(x, p["q"])
        return torch.baddbmm(p["c0"][:, None], x, p["b"]) + torch.bmm(products, p["c"])


class LeastSquares(Network):
    """A linear function of 1 and x, or of 1, x and all products of two entries, in closed form.

    Args:
        d: coordinates of the answer.
        quadratic: with products.
    """

    def __init__(self, d: int, *, quadratic: bool) -> None:
        self.quadratic = quadratic
        features = math.comb(2 * d + 2, 2) if quadratic else 1 + 2 * d
        self.shapes = {"w": (features, d)}

    def initial(self, seed: int) -> Tensor:
        """Zero: there is nothing to start from."""
        return torch.zeros(math.prod(self.shapes["w"]))

    def features(self, x: Tensor) -> Tensor:
        """What the answer is linear in, (S, N, features)."""
        parts = [torch.ones_like(x[..., :1]), x]
        if self.quadratic:
            rows, columns = torch.triu_indices(x.shape[-1], x.shape[-1], device=x.device)
            parts.append(x[..., rows] * x[..., columns])
        return torch.cat(parts, dim=-1)

    def forward(self, p: Parameters, x: Tensor) -> Tensor:
        """See :class:`Network`; in double precision, so that its own error is what shows."""
        return torch.bmm(self.features(x.double()), p["w"].double()).to(x.dtype)

    def solve(self, x: Tensor, y: Tensor) -> Tensor:
        """The weights (S, features, d) of smallest squared error on x (S, N, 2d), y (S, N, d).

        Weights below the solver's own rounding, which differs from process to process, are 0.
        """
        found: Tensor = torch.linalg.lstsq(self.features(x.double()), y.double()).solution
        return found.where(found.abs() > ROUNDING, 0).to(x.dtype)

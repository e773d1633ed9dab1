"""Energies E(x, y) whose minimum over y is the answer, and their slopes dE/dy.

Shapes: S models at once, N rows, d coordinates of the answer; x (S, N, 2d), y (S, N, d).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from versus.core.weights import Shape
from versus.experiments.ebt.config import ModelConfig
from versus.experiments.ebt.vectors import mlp
from versus.experiments.ebt.vectors.mlp import Parameters


class Energy(ABC):
    """An energy. Values and slopes are differentiable in the parameters and in y.

    Attributes:
        shapes: parameter name -> shape in one model.
    """

    shapes: Mapping[str, Shape]

    @abstractmethod
    def initial(self, seed: int) -> Tensor:
        """Initial weights of one model, (P,)."""

    @abstractmethod
    def context(self, p: Parameters, x: Tensor) -> Tensor:
        """What of x is needed, computed once per descent."""

    @abstractmethod
    def value(self, p: Parameters, context: Tensor, y: Tensor) -> Tensor:
        """Energies, (S, N)."""

    @abstractmethod
    def slope(self, p: Parameters, context: Tensor, y: Tensor) -> Tensor:
        """dE/dy, (S, N, d)."""


def energy_of(model: ModelConfig, d: int) -> Energy:
    """The energy that the settings name, for answers of d coordinates."""
    if model.energy == "bilinear":
        return BilinearEnergy(d, model.products)
    if model.energy == "coordinate":
        return CoordinateEnergy(model.latent_dim)
    heads: dict[str, Head] = {"sum_of_squares": SumOfSquares(), "residual": Residual()}
    return MLPEnergy(d, model.latent_dim, heads.get(model.energy, Scalar()))


class Head:
    """What makes an energy of the outputs u of a network; here u itself.

    Derivatives are of ``e(u, y)``; ``curved`` is the second derivative applied to a direction.

    Attributes:
        is_output: the energy is the output itself, so that its slope needs no outputs.
    """

    is_output = True

    def outputs(self, d: int) -> int:
        """Outputs of the network for answers of d coordinates."""
        return 1

    def value(self, u: Tensor, y: Tensor) -> Tensor:
        """Energies, (S, N)."""
        return u[..., 0]

    def by_outputs(self, u: Tensor, y: Tensor) -> Tensor:
        """de/du, (S, N, m)."""
        return torch.ones_like(u)

    def by_y(self, u: Tensor, y: Tensor) -> Tensor | None:
        """de/dy with u fixed, (S, N, d); None = 0."""
        return None

    def curved(self, u: Tensor, y: Tensor) -> Tensor | None:
        """Directions of u and y, (S, N, m) and (S, N, d), to that of de/du; None = 0."""
        return None


Scalar = Head
"""The seed document's energy: one output (Du et al., "Learning Iterative Reasoning through Energy
Minimization", 2022, arXiv 2206.15448)."""


class SumOfSquares(Head):
    """Half the squared norm of d outputs (Du et al., 2024, arXiv 2406.11179)."""

    is_output = False

    def outputs(self, d: int) -> int:
        """One per coordinate."""
        return d

    def value(self, u: Tensor, y: Tensor) -> Tensor:
        """Half of |u|^2."""
        return 0.5 * u.square().sum(-1)

    def by_outputs(self, u: Tensor, y: Tensor) -> Tensor:
        """U."""
        return u

    def curved(self, u: Tensor, y: Tensor) -> Tensor:
        """The direction of u."""
        return u


class Residual(Head):
    """Half the squared distance of y from d outputs."""

    is_output = False

    def outputs(self, d: int) -> int:
        """One per coordinate."""
        return d

    def value(self, u: Tensor, y: Tensor) -> Tensor:
        """Half of |y - u|^2."""
        return 0.5 * (y - u).square().sum(-1)

    def by_outputs(self, u: Tensor, y: Tensor) -> Tensor:
        """U - y."""
        return u - y

    def by_y(self, u: Tensor, y: Tensor) -> Tensor:
        """Y - u."""
        return y - u

    def curved(self, u: Tensor, y: Tensor) -> Tensor:
        """The direction of u less that of y."""
        return u - y


class MLPEnergy(Energy):
    """An MLP of x and y, and a head.

    Args:
        d: coordinates of the answer.
        width: hidden units of a layer.
        head: what makes an energy of the outputs.
        inputs: entries of x.
    """

    def __init__(self, d: int, width: int, head: Head, inputs: int = 0) -> None:
        self.head = head
        self.shapes = mlp.shapes(inputs or 2 * d, d, width, head.outputs(d))

    def initial(self, seed: int) -> Tensor:
        """As ``nn.Linear`` draws them."""
        return mlp.draw_linear(self.shapes, mlp.fans(self.shapes), seed)

    def rows_of_x(self, x: Tensor) -> Tensor:
        """X as the network takes it."""
        return x

    def rows_of_y(self, y: Tensor) -> Tensor:
        """Y as the network takes it."""
        return y

    def context(self, p: Parameters, x: Tensor) -> Tensor:
        """The part of the first layer that x makes."""
        return mlp.of_x(p, self.rows_of_x(x))

    def value(self, p: Parameters, context: Tensor, y: Tensor) -> Tensor:
        """See :class:`Energy`."""
        rows = self.rows_of_y(y)
        hidden = mlp.forward(p, torch.baddbmm(context, rows, p["w1y"]))
        values = self.head.value(mlp.outputs(p, hidden), rows)
        return values.view(*y.shape[:2], -1).sum(-1)

    def slope(self, p: Parameters, context: Tensor, y: Tensor) -> Tensor:
        """See :class:`Energy`."""
        rows = self.rows_of_y(y)
        hidden = mlp.forward(p, torch.baddbmm(context, rows, p["w1y"]))
        if self.head.is_output:
            return mlp.pull_back(p, hidden, None).view_as(y)
        outputs = mlp.outputs(p, hidden)
        slope = mlp.pull_back(p, hidden, self.head.by_outputs(outputs, rows))
        direct = self.head.by_y(outputs, rows)
        return slope if direct is None else slope + direct


class CoordinateEnergy(MLPEnergy):
    """A sum over coordinates of one small network of (a_i, b_i, y_i)."""

    def __init__(self, width: int) -> None:
        super().__init__(1, width, Scalar(), inputs=2)

    def rows_of_x(self, x: Tensor) -> Tensor:
        """(S, N d, 2)."""
        a, b = x.chunk(2, dim=-1)
        return torch.stack([a, b], dim=-1).flatten(1, 2)

    def rows_of_y(self, y: Tensor) -> Tensor:
        """(S, N d, 1)."""
        return y.reshape(len(y), -1, 1)


class BilinearEnergy(Energy):
    """Half of |Ay + Bx + c + C(Px * Qx)|^2.

    Args:
        d: coordinates of the answer.
        products: rows of P and of Q.
    """

    def __init__(self, d: int, products: int) -> None:
        x, k = 2 * d, products
        self.shapes = {"a": (d, d), "b": (x, d), "c0": (d,), "p": (x, k), "q": (x, k), "c": (k, d)}
        self._fans = {"a": 3 * d, "b": 3 * d, "c0": 3 * d, "p": x, "q": x, "c": k}

    def initial(self, seed: int) -> Tensor:
        """As ``nn.Linear`` draws them."""
        return mlp.draw_linear(self.shapes, self._fans, seed)

    def context(self, p: Parameters, x: Tensor) -> Tensor:
        """Everything but Ay, (S, N, d)."""
        products = torch.bmm(x, p["p"]) * torch.bmm(x, p["q"])
        return torch.baddbmm(p["c0"][:, None], x, p["b"]) + torch.bmm(products, p["c"])

    def value(self, p: Parameters, context: Tensor, y: Tensor) -> Tensor:
        """See :class:`Energy`."""
        return 0.5 * torch.baddbmm(context, y, p["a"]).square().sum(-1)

    def slope(self, p: Parameters, context: Tensor, y: Tensor) -> Tensor:
        """See :class:`Energy`."""
        return torch.bmm(torch.baddbmm(context, y, p["a"]), p["a"].mT)

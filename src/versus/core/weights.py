"""What training changes, seen as one row of numbers per run.

Shapes: S runs of the stack, P parameters of one run.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import Module, Parameter

Shape = tuple[int, ...]
CACHE_LINE = 16
"""Numbers of 32 bits in it."""


class Weights(Protocol):
    """Values and gradients of all trained parameters, one row per run."""

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """Parameter name -> its shape in one run, in the order of the columns."""

    def values(self) -> Tensor:
        """Present values, (S, P); may be the storage itself, so copy what is to be kept."""

    def gradients(self) -> Tensor:
        """Gradients of the last step, (S, P), as the loss gave them; zero before the first step."""


def counts(weights: Weights | None, parts: Iterable[str]) -> dict[str, float]:
    """How many parameters one run trains: ``parameters``, and of several parts each.

    Args:
        weights: None = nothing is trained.
        parts: first components of parameter names, such as names of modules.
    """
    if weights is None:
        return {}
    sizes = {name: math.prod(shape) for name, shape in weights.shapes.items()}
    names = list(parts)
    own = {
        f"parameters/{part}": float(sum(n for k, n in sizes.items() if k.startswith(f"{part}.")))
        for part in names
    }
    return {"parameters": float(sum(sizes.values())), **(own if len(names) > 1 else {})}


def split(rows: Tensor, shapes: Mapping[str, Shape]) -> dict[str, Tensor]:
    """Views of ``rows`` (S, P), or (..., P), by parameter name, each (S, *shape)."""
    widths = [math.prod(shape) for shape in shapes.values()]
    pieces = torch.split(rows, widths, dim=-1)
    return {
        name: piece.view((*piece.shape[:-1], *shape))
        for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
    }


class StackedParameters(Module):
    """Parameters of S runs in one matrix (S, P), with a view per name.

    ``rows`` is what an optimiser gets: one tensor, and so one kernel per step. ``self[name]`` is a
    leaf that shares its memory, (S, *shape), for the forward pass; gradients of the leaves arrive
    in ``rows.grad``. A leaf's gradient is added to, so :meth:`zero_gradients` comes before each
    backward pass.

    Args:
        shapes: parameter name -> shape in one run.
        runs: S.
        device: where the matrix lies.
        aligned: each row starts on a cache line, which makes products of stacked leaves faster. For
            learners that write gradients themselves: autograd warns of leaves with gaps.
    """

    def __init__(
        self,
        shapes: Mapping[str, Shape],
        runs: int,
        device: torch.device | str = "cpu",
        *,
        aligned: bool = False,
    ) -> None:
        super().__init__()
        self.shapes = dict(shapes)
        width = sum(math.prod(shape) for shape in self.shapes.values())
        stride = -(-width // CACHE_LINE) * CACHE_LINE if aligned else width
        self.rows = Parameter(torch.zeros(runs, stride, device=device)[:, :width])
        self._gradient = torch.zeros(runs, stride, device=device)[:, :width]
        self.rows.grad = self._gradient
        self._leaves = {}
        gradients = split(self._gradient, self.shapes)
        for name, view in split(self.rows.detach(), self.shapes).items():
            leaf = Parameter(view)
            leaf.grad = gradients[name]
            self._leaves[name] = leaf

    def __getitem__(self, name: str) -> Parameter:
        return self._leaves[name]

    def zero_gradients(self) -> None:
        """Set all gradients to zero, in place."""
        self._gradient.zero_()

    def values(self) -> Tensor:
        """The matrix itself, (S, P), without gradient."""
        return self.rows.detach()

    def gradients(self) -> Tensor:
        """Gradients of the last backward pass, (S, P); the storage itself."""
        return self._gradient


class ModuleWeights:
    """The weights of ordinary modules, as one run."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self._parameters = {
            f"{part}.{name}": parameter
            for part, module in modules.items()
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        }
        self.shapes = {name: tuple(p.shape) for name, p in self._parameters.items()}

    def values(self) -> Tensor:
        """A copy of all values, (1, P)."""
        return torch.cat([p.detach().flatten() for p in self._parameters.values()])[None]

    def gradients(self) -> Tensor:
        """A copy of all gradients, (1, P); zero where there is none."""
        parts = [
            (torch.zeros_like(p) if p.grad is None else p.grad).flatten()
            for p in self._parameters.values()
        ]
        return torch.cat(parts)[None]

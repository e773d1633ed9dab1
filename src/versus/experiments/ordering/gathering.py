"""Weights of a stack whose gradient matrix is put together only when somebody looks."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from versus.core.weights import StackedParameters, split


class GatheredGradients(StackedParameters):
    """Parameters of S runs; gradients arrive parameter by parameter, for some of the runs.

    Most steps nobody looks at the matrix of all gradients, and copying them costs as much as a
    layer. ``rows.grad`` is up to date after :meth:`gradients`.
    """

    _parts: Mapping[str, Tensor] | None = None
    _runs: Sequence[int] = ()

    def bring(self, parts: Mapping[str, Tensor], runs: Sequence[int]) -> None:
        """Gradients of the last step: name -> (n, *shape), of n ``runs``."""
        self._parts, self._runs = parts, runs

    def gradients(self) -> Tensor:
        """Gradients of the last step, (S, P); the storage itself."""
        matrix = super().gradients()
        if self._parts is not None:
            for name, view in split(matrix, self.shapes).items():
                if len(self._runs) == len(matrix):
                    view.copy_(self._parts[name])
                else:
                    view[list(self._runs)] = self._parts[name]
            self._parts = None
        return matrix

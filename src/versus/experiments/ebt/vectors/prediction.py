"""A trained model of vectors, rebuilt from its registered part.

Shapes: N rows, d coordinates of the answer, K steps of a descent.
"""

import torch
from torch import Tensor

from versus.core.errors import DataError
from versus.core.experiment import ModelPart
from versus.core.seed_models import settings_of, weights_of
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.vectors import measuring
from versus.experiments.ebt.vectors.descent import check_finite
from versus.experiments.ebt.vectors.measuring import Trace
from versus.experiments.ebt.vectors.methods import EnergyMethod, Method, method_of
from versus.experiments.ebt.vectors.mlp import Parameters


class VectorModel:
    """One model.

    Args:
        settings: of its run.
        parameters: name -> (1, *shape), where its descents start included.

    Attributes:
        d: coordinates of an answer; inputs have twice as many.
    """

    def __init__(self, settings: Comparison, parameters: Parameters) -> None:
        self.settings, self.parameters = settings, parameters
        self.d = settings.data.vec_size
        self.method: Method = method_of(settings, self.d, [0], 1)

    def predict(self, x: Tensor) -> Tensor:
        """Answers (N, d) for x (N, 2d).

        Raises:
            DataError: if the descent of an energy leaves the finite numbers.
        """
        answers = self.method.predict(self.parameters, x[None])[0]
        finite = bool(answers.square().isfinite().all())  # so that errors can be measured
        if isinstance(self.method, EnergyMethod) and not finite:
            trace = self.trace(x, self.method.how.steps)
            check_finite(list(trace.answers[1:]), self.method.sizes(self.parameters))
        return answers

    @property
    def _descending(self) -> EnergyMethod:
        if not isinstance(self.method, EnergyMethod):
            raise DataError(f"model.kind: {self.settings.model.kind} has no energy to look at")
        return self.method

    @torch.no_grad()
    def energy(self, x: Tensor, y: Tensor) -> Tensor:
        """Energies (N,) of x (N, 2d) and y (N, d), for models that have one."""
        energy, p = self._descending.energy, self.parameters
        return energy.value(p, energy.context(p, x[None]), y[None])[0]

    def trace(self, x: Tensor, steps: int) -> Trace:
        """The descent on x (N, 2d): answers (K + 1, N, d) and energies (K + 1, N)."""
        return measuring.follow(self._descending, self.parameters, x, steps)


def model_of(part: ModelPart, seed: int) -> VectorModel:
    """The model with the weights of one seed."""
    parameters = {name: tensor[None] for name, tensor in weights_of(part, seed).items()}
    return VectorModel(settings_of(part, Comparison), parameters)

"""Trained models as modules of torch: what the Python interface gives back."""

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from versus.core import config as configs
from versus.core.errors import DataError, TrainingError
from versus.core.experiment import ModelPart
from versus.core.runs import RunConfig
from versus.core.seed_models import restore, weights_of
from versus.experiments.ebt.api.asking import ArgumentError
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.data.tasks import LISTOPS
from versus.experiments.ebt.listops.model import make_model
from versus.experiments.ebt.vectors.methods import START, EnergyMethod, OnePass
from versus.experiments.ebt.vectors.prediction import VectorModel

Pair = tuple[Tensor, Tensor]


class Trained(nn.Module):
    """A model of vectors of d numbers.

    Args:
        settings: of its run.
        tensors: name -> (1, *shape); where descents start is a buffer, the rest are parameters.

    Attributes:
        test_data: inputs (n, 2d) and answers (n, d) that it has not seen, if known.
    """

    test_data: Pair | None = None

    def __init__(self, settings: Comparison, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.settings, self._names = settings, sorted(tensors)
        for name in self._names:
            if name == START:
                self.register_buffer(name, tensors[name].clone())
            else:
                self.register_parameter(name, nn.Parameter(tensors[name].clone()))

    def vectors(self, **descent: Any) -> VectorModel:
        """The model with its present tensors, with other settings of the descent where given."""
        settings = self.settings
        if descent:
            changed = configs.nested("model.descent", descent)
            tree = configs.merge(settings.model_dump(mode="json"), changed)
            settings = configs.validate(Comparison, tree)
        return VectorModel(settings, {name: getattr(self, name) for name in self._names})

    def checked(self, name: str, rows: Tensor, width: int) -> Tensor:
        """The rows, (n, width).

        Raises:
            ArgumentError: if they have another shape.
        """
        if rows.ndim != 2 or rows.shape[1] != width:
            raise ArgumentError(
                f"{name}: expected a tensor of shape (n, {width}), received {tuple(rows.shape)}"
            )
        return rows


class Feedforward(Trained):
    """A network that answers in one pass."""

    def forward(self, x: Tensor) -> Tensor:
        """Answers (n, d) for x (n, 2d)."""
        model = self.vectors()
        network = cast(OnePass, model.method).network
        return network.forward(model.parameters, self.checked("x", x, 2 * model.d)[None])[0]


class EnergyFunction(Trained):
    """An energy, whose descent answers."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Energies (n, 1) of x (n, 2d) and y (n, d), known up to a constant."""
        model = self.vectors()
        energy, p = cast(EnergyMethod, model.method).energy, model.parameters
        context = energy.context(p, self.checked("x", x, 2 * model.d)[None])
        return energy.value(p, context, self.checked("y", y, model.d)[None])[0, :, None]

    def predict(
        self, x: Tensor, n_optimization_steps: int | None = None, step_size: float | None = None
    ) -> Tensor:
        """Answers (n, d) for x (n, 2d): the end of the descent from the model's own start.

        Args:
            x: inputs.
            n_optimization_steps: steps of the descent; None = as trained.
            step_size: of a step; None = as trained.

        Raises:
            ConfigError: if steps or size are not positive.
            TrainingError: if the descent diverges, with the inner step and the step size.
        """
        asked = {"steps": n_optimization_steps, "step_size": step_size}
        model = self.vectors(**{name: value for name, value in asked.items() if value is not None})
        rows = self.checked("x", x, 2 * model.d)
        try:
            return model.predict(rows)
        except DataError as diverged:
            raise TrainingError(str(diverged)) from diverged


def module_of(part: ModelPart, run: RunConfig) -> nn.Module:
    """The trained model of a run.

    Returns:
        An :class:`EnergyFunction` or a :class:`Feedforward`; of ListOps a module that maps tokens
        (n, T) to logits (n, 10).
    """
    settings: Comparison = run.config
    if settings.task == LISTOPS:
        module = make_model(settings.model, settings.recipe, run.key.seed)
        restore({"model": module}, part, run.key.seed)
        return module
    tensors = {name: tensor[None] for name, tensor in weights_of(part, run.key.seed).items()}
    kind = EnergyFunction if settings.model.kind == "energy" else Feedforward
    return kind(settings, tensors)

"""What a kind of model does in training and in prediction, for S models at once.

Shapes: S models, B examples of a step, N rows, d coordinates of the answer.
"""

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from versus.core import seeding
from versus.core.weights import Shape, StackedParameters, split
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.vectors import descent, quick
from versus.experiments.ebt.vectors.energies import MLPEnergy, energy_of
from versus.experiments.ebt.vectors.mlp import Parameters
from versus.experiments.ebt.vectors.networks import Bilinear, FeedForward, LeastSquares, Network
from versus.experiments.ebt.vectors.sampling import Batch

Step = Callable[..., quick.Stepped]
logger = logging.getLogger(__name__)
LOG_STEP, START = "log_step", "start"
"""Further parameters of an energy model: its step size if learnt, and where its descents start."""


class Method(ABC):
    """A kind of model.

    Attributes:
        shapes: trained parameters, name -> shape in one model.
    """

    shapes: Mapping[str, Shape]

    @abstractmethod
    def initial(self, seed: int) -> Tensor:
        """Initial weights of one model, (P,)."""

    def fixed(self, seed: int) -> dict[str, Tensor]:
        """What belongs to a model besides its weights, name -> tensor."""
        return {}

    @abstractmethod
    def loss(self, p: Parameters, x: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """Training loss of a batch, (S,), differentiable."""

    @abstractmethod
    def predict(self, p: Parameters, x: Tensor) -> Tensor:
        """Answers (S, N, d) for x (S, N, 2d); ``p`` has the fixed parts as well."""

    def train(self, p: StackedParameters, x: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """Write the gradients of a batch; return its losses, (S,)."""
        losses = self.loss(leaves(p), x, target, batch)
        write_gradients(p, losses)
        return losses.detach()

    def watched(self, p: Parameters, x: Tensor) -> dict[str, Tensor]:
        """What else to measure on validation inputs, name -> (S,)."""
        return {}

    def failure(self, p: Parameters, x: Tensor, batch: Batch) -> str:
        """Why the loss of one model on its batch is not finite."""
        return "the loss is not finite; choose a smaller train.lr"

    def state_dict(self) -> dict[str, Tensor]:
        """What training remembers besides weights."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Restore what :meth:`state_dict` returned."""


def leaves(p: StackedParameters) -> dict[str, Tensor]:
    """Parameter name -> leaf."""
    return {name: p[name] for name in p.shapes}


def write_gradients(p: StackedParameters, losses: Tensor) -> None:
    """The gradients of each model's loss, (S,), by autograd; zero where there is no influence."""
    names = list(p.shapes)
    found = torch.autograd.grad(losses.sum(), [p[name] for name in names], allow_unused=True)
    known = {n: g for n, g in zip(names, found, strict=True) if g is not None}
    set_gradients(p, known)


def set_gradients(p: StackedParameters, gradients: Parameters) -> None:
    """Write gradients by parameter name; the others stay as they are."""
    places = split(p.gradients(), p.shapes)
    for name, gradient in gradients.items():
        places[name].copy_(gradient)


def method_of(settings: Comparison, d: int, seeds: Sequence[int], examples: int) -> Method:
    """The method that a run's settings name.

    Args:
        settings: of the run.
        d: coordinates of the answer.
        seeds: of the models that train together.
        examples: training examples of each.
    """
    model = settings.model
    if model.kind == "energy":
        return EnergyMethod(settings, d, seeds, examples)
    if model.kind == "ffn":
        return OnePass(FeedForward(d, model.latent_dim, settings.recipe.activation))
    if model.kind == "bilinear_ffn":
        return OnePass(Bilinear(d, model.products))
    return ClosedForm(LeastSquares(d, quadratic=model.kind == "quadratic"))


class OnePass(Method):
    """A network that answers in one pass, trained on the squared error."""

    def __init__(self, network: Network) -> None:
        self.network, self.shapes = network, network.shapes

    def initial(self, seed: int) -> Tensor:
        """See :class:`Method`."""
        return self.network.initial(seed)

    def loss(self, p: Parameters, x: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """Mean squared error."""
        return (self.network.forward(p, x) - target).square().mean((1, 2))

    @torch.no_grad()
    def predict(self, p: Parameters, x: Tensor) -> Tensor:
        """One pass."""
        return self.network.forward(p, x)


class ClosedForm(OnePass):
    """Least squares on all training examples."""

    network: LeastSquares

    def solve(self, p: StackedParameters, x: Tensor, target: Tensor) -> None:
        """Set the weights from all training examples, (S, n, 2d) and (S, n, d)."""
        p[next(iter(self.shapes))].data.copy_(self.network.solve(x, target))


class EnergyMethod(Method):
    """Descends a learned energy.

    Args:
        settings: of the run.
        d: coordinates of the answer.
        seeds: one per model.
        examples: training examples of each.
    """

    def __init__(self, settings: Comparison, d: int, seeds: Sequence[int], examples: int) -> None:
        self.how, self.seeds, self.d = settings.model.descent, list(seeds), d
        self.energy = energy_of(settings.model, d)
        learned: dict[str, Shape] = {LOG_STEP: ()} if self.how.learned else {}
        self.shapes = {**self.energy.shapes, **learned}
        self._ends: Tensor | None = None
        if self.how.replay:
            self._ends = torch.full((len(seeds), examples, d), torch.nan)
        self._step: Step = quick.step
        if settings.train.compile:
            self._step = _Compiled(quick.step)

    def initial(self, seed: int) -> Tensor:
        """The energy's weights, and the logarithm of the step size if it is learnt."""
        own = self.energy.initial(seed)
        if not self.how.learned:
            return own
        return torch.cat([own, torch.tensor([math.log(self.how.step_size)])])

    def fixed(self, seed: int) -> dict[str, Tensor]:
        """Where its descents start, (samples, d)."""
        source = seeding.generator(seed, "start", "prediction")
        return {START: descent.draw_start(self.how.start, (self.how.samples, self.d), source)}

    def sizes(self, p: Parameters) -> Tensor:
        """Step size of each model, (S,)."""
        if LOG_STEP in p:
            return p[LOG_STEP].exp()
        some = p[next(iter(self.energy.shapes))]
        return torch.full((len(some),), self.how.step_size, device=some.device)

    def loss(self, p: Parameters, x: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """Mean squared error after the descent; replay starts where descents of now ended."""
        return self._descended(p, x, target, batch)[0]

    def _descended(
        self, p: Parameters, x: Tensor, target: Tensor, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        steps = self.how.steps + batch.extra
        return descent.loss(
            self.energy,
            p,
            x,
            target,
            self._start(batch),
            self.sizes(p) * batch.factor,
            steps,
            noise=self._noise(batch, steps),
            through_all=self.how.gradient == "all",
        )

    def train(self, p: StackedParameters, x: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """See :class:`Method`; gradients through the last step are written out by hand."""
        if not isinstance(self.energy, MLPEnergy) or self.how.gradient == "all":
            losses, answers = self._descended(leaves(p), x, target, batch)
            write_gradients(p, losses)
        else:
            losses, answers = self._train_quickly(p, x, target, batch)
        if self._ends is not None:
            self._ends.scatter_(1, batch.rows[..., None].expand_as(answers), answers.detach())
        return losses.detach()

    def _train_quickly(
        self, p: StackedParameters, x: Tensor, target: Tensor, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        values = {name: leaf.detach() for name, leaf in leaves(p).items()}
        sizes, steps = self.sizes(values) * batch.factor, self.how.steps + batch.extra
        start, noise = self._start(batch), self._noise(batch, steps)
        found = self._step(self.energy, values, x, target, start, sizes, steps, noise)
        by_size = {LOG_STEP: found.by_size * sizes} if self.how.learned else {}
        set_gradients(p, {**found.gradients, **by_size})
        return found.losses, found.answers

    def _start(self, batch: Batch) -> Tensor:
        if self._ends is None:
            return batch.start
        self._ends = self._ends.to(batch.start.device)
        ends = self._ends.gather(1, batch.rows[..., None].expand_as(batch.start))
        known = batch.replayed[..., None] & ends.isfinite()
        return torch.where(known, ends, batch.start)

    def _noise(self, batch: Batch, steps: int) -> list[Tensor]:
        if not self.how.noise:
            return []
        size = (steps - 1, *batch.start.shape[1:])
        drawn = [
            torch.randn(size, generator=seeding.generator(seed, "noise", batch.number))
            for seed in self.seeds
        ]
        return list((torch.stack(drawn, 1) * self.how.noise).to(batch.start.device))

    def predict(self, p: Parameters, x: Tensor) -> Tensor:
        """The end of the descent, from the model's own starts."""
        return descent.answer(self.energy, p, x, p[START], self.sizes(p), self.how)

    @torch.no_grad()
    def watched(self, p: Parameters, x: Tensor) -> dict[str, Tensor]:
        """Mean energy where the descent starts and where it ends."""
        context = self.energy.context(p, x)
        start = p[START][:, :1].expand(-1, x.shape[1], -1)
        levels = {"start": start, "end": self.predict(p, x)}
        return {
            f"energy_{name}": self.energy.value(p, context, y).mean(1) for name, y in levels.items()
        }

    def failure(self, p: Parameters, x: Tensor, batch: Batch) -> str:
        """See :class:`Method`: the first step of the descent that is not finite."""
        sizes, steps = self.sizes(p) * batch.factor, self.how.steps + batch.extra
        context = self.energy.context(p, x)
        answers = list(descent.path(self.energy, p, context, batch.start, sizes, steps))
        told = descent.first_infinite(answers, sizes)
        return told or super().failure(p, x, batch)

    def state_dict(self) -> dict[str, Tensor]:
        """Where the descents of replayed examples ended."""
        return {} if self._ends is None else {"ends": self._ends.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        if self._ends is not None:
            self._ends.copy_(state["ends"])


class _Compiled:
    """A step as one compiled program; as it is where there is no compiler."""

    def __init__(self, step: Step) -> None:
        self._plain = step
        self._chosen: Step = torch.compile(step, dynamic=False)

    def __call__(self, *args: Any) -> quick.Stepped:
        from torch._dynamo.exc import BackendCompilerFailed

        try:
            return self._chosen(*args)
        except BackendCompilerFailed as error:
            logger.warning("train.compile: no compiler works here (%s); not compiled", error)
            self._chosen = self._plain
            return self._chosen(*args)

"""What a hook is: when it is called, what it sees, what it declares.

A hook overrides the points that it needs, or names them in ``points`` and defines ``compute``::

    class WeightMean(Hook):
        name = "weight_mean"
        metrics = {"mean": "mean of all weights"}
        points = ("POST_EPOCH",)

        def compute(self, context):
            return {"mean": context.values.mean(dim=1)}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from versus.core.config import Section
from versus.core.learner import Learner, Metrics

if TYPE_CHECKING:
    from torch import Tensor

    from versus.core.hooks.quantities import Quantities
    from versus.core.weights import Shape

SEED_POINTS = {
    "PRE_EPOCH": "on_epoch_start",
    "POST_EPOCH": "on_epoch_end",
    "PRE_STEP": "on_step_start",
    "POST_STEP": "on_step_end",
    "SNAPSHOT": "on_snapshot",
}
"""Point names of the seed document -> ours."""


class HookSettings(Section):
    """When a hook is due; a hook's own settings are added to these.

    Counted in the hook's unit, steps or epochs: due are ``burst`` in a row, then again after
    ``every``, starting at ``warmup``, and only inside ``windows`` where there are any.
    """

    every: int = Field(1, ge=1)
    """Distance from one burst to the next; 1 = always."""
    burst: int = Field(1, ge=1)
    """How many in a row."""
    warmup: int = Field(0, ge=0)
    """First one that is due."""
    windows: tuple[tuple[int, int], ...] = ()
    """Only within these [start, stop); empty = no such limit."""

    def due(self, index: int) -> bool:
        """Whether step or epoch ``index`` (from 0) is due."""
        if index < self.warmup or (index - self.warmup) % self.every >= self.burst:
            return False
        return not self.windows or any(start <= index < stop for start, stop in self.windows)


@dataclass
class Context:
    """What a hook sees. Matrices have one row per run, (S, P); see :mod:`versus.core.weights`.

    Attributes:
        learner: the stack in training; observers must not change it.
        epoch: number of the current epoch, from 0.
        step: steps done since training began.
        metrics: of the step or evaluation just done; empty at other points.
        logged: what hooks recorded at this point, as ``name -> value``.
        recorded: what the hooks called before have recorded at this point, by full name.
        batch: the batch of the current step; None between steps.
    """

    learner: Learner
    epoch: int = 0
    step: int = 0
    metrics: Metrics = field(default_factory=dict)
    logged: dict[str, Any] = field(default_factory=dict)
    recorded: dict[str, Any] = field(default_factory=dict)
    batch: Any = None
    quantities: "Quantities | None" = None

    def log(self, metrics: Metrics) -> None:
        """Send metrics to the sinks, with those of the current step."""
        self.logged.update(metrics)

    @property
    def values(self) -> "Tensor":
        """Present weights; the storage itself where possible."""
        return self._known.values()

    @property
    def gradients(self) -> "Tensor":
        """Gradients of the last step."""
        return self._known.gradients()

    @property
    def update(self) -> "Tensor":
        """What the step has added to the weights; a hook that reads it declares ``update``."""
        return self._known.update()

    def keep_before(self) -> None:
        """Have ``update`` after this step: for hooks that read it in some steps only.

        Called at ``on_step_start``, instead of declaring ``update``.
        """
        self._known.keep_before()

    @property
    def epoch_gradient(self) -> "Tensor":
        """Mean gradient of the epoch's steps; a hook that reads it declares ``epoch_gradient``."""
        return self._known.epoch_gradient()

    @property
    def epoch_start(self) -> "Tensor":
        """Weights before the epoch; a hook that reads them declares ``epoch_start``."""
        return self._known.epoch_start()

    @property
    def reference(self) -> "Tensor":
        """Weights of the reference solution; a hook that reads them declares ``reference``."""
        return self._known.reference()

    @property
    def has_reference(self) -> bool:
        """Whether a solution was named, for hooks that use ``reference`` where there is one."""
        return self.quantities is not None and self.quantities.has_reference

    @property
    def has_weights(self) -> bool:
        """Whether the learner trains weights by gradient."""
        return self.quantities is not None

    @property
    def shapes(self) -> "Mapping[str, Shape]":
        """Parameter name -> its shape in one run, in the order of the columns."""
        return self._known.weights.shapes

    @property
    def _known(self) -> "Quantities":
        if self.quantities is None:
            raise RuntimeError("this learner trains no weights; the hook must declare its needs")
        return self.quantities


class Hook:
    """Base of all hooks.

    The global random state is restored after each call, so drawing numbers changes nothing. A
    hook that means to change training says ``intervenes = True``; that is recorded on the run.

    Attributes:
        name: group of its metrics, which are logged as ``name/metric``; empty = logs none.
        metrics: metric -> definition; braces stand for a part that varies (``norm_{parameter}``).
        unit: what the schedule counts. Where it is epochs, all points are called in due epochs.
        uses: matrices of the context that must be kept for it: ``update``, ``epoch_gradient``,
            ``epoch_start``, ``reference``; ``gradients`` says that it needs a learner with weights.
        needs: protocols that the learner must satisfy beyond having weights.
        cost: what a call costs, in words.
        points: points at which :meth:`compute` is called, by our names or the seed document's.
        intervenes: whether the hook changes the training.
        draws: whether it may draw random numbers; saving the random state costs some time.
    """

    name: ClassVar[str] = ""
    metrics: ClassVar[Mapping[str, str]] = {}
    unit: ClassVar[Literal["step", "epoch"]] = "step"
    uses: ClassVar[frozenset[str]] = frozenset()
    needs: ClassVar[tuple[type, ...]] = ()
    cost: ClassVar[str] = ""
    points: ClassVar[tuple[str, ...]] = ()
    intervenes: ClassVar[bool] = False
    draws: ClassVar[bool] = True
    Settings: ClassVar[type[HookSettings]] = HookSettings

    settings: Any = HookSettings()

    def __init__(self, settings: HookSettings | None = None) -> None:
        self.settings = settings or self.Settings()

    def compute(self, context: Context) -> Metrics:
        """Metrics at one of ``points``: name -> one entry per run, (S,), or a scalar."""
        raise NotImplementedError(f"{type(self).__name__} names points and needs compute()")

    def on_train_start(self, context: Context) -> None:
        """Before the first step, also after a resume."""

    def on_epoch_start(self, context: Context) -> None:
        """Before the first batch of an epoch."""

    def on_step_start(self, context: Context) -> None:
        """Before each step; gradients are those of the step before."""

    def on_step_end(self, context: Context) -> None:
        """After each step; gradients and optimiser state are intact, ``metrics`` is the step's."""

    def on_evaluate_end(self, context: Context) -> None:
        """After an evaluation; ``metrics`` is its result."""

    def on_epoch_end(self, context: Context) -> None:
        """After an epoch; ``metrics`` is the evaluation's where there was one."""

    def on_snapshot(self, context: Context) -> None:
        """After every ``hooks.snapshot_every``-th epoch; ``metrics`` is the evaluation's."""

    def on_train_end(self, context: Context) -> None:
        """After the last epoch."""

    def on_exception(self, context: Context) -> None:
        """When training stops by an error or an interruption."""

    def state_dict(self) -> dict[str, Any]:
        """State to keep across a resume: tensors and JSON values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""


POINTS = tuple(name for name in vars(Hook) if name.startswith("on_"))
STEP_POINTS = frozenset({"on_step_start", "on_step_end"})

"""Observers of training, called at documented points."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from versus.core import seeding
from versus.core.learner import Learner, Metrics


@dataclass
class Context:
    """What a hook sees.

    Attributes:
        learner: the stack in training; observers must not change it.
        epoch: number of the current epoch, from 0.
        step: steps done since training began.
        metrics: of the step or evaluation just done; empty at other points.
        logged: what hooks recorded at this point, as ``name -> value``.
    """

    learner: Learner
    epoch: int = 0
    step: int = 0
    metrics: Metrics = field(default_factory=dict)
    logged: dict[str, Any] = field(default_factory=dict)

    def log(self, metrics: Metrics) -> None:
        """Send metrics to the sinks, with those of the current step."""
        self.logged.update(metrics)


class Hook:
    """Base of all hooks: override the points you need.

    The global random state is restored after each call, so drawing numbers changes nothing. A
    hook that means to change training says ``intervenes = True``; that is recorded on the run.

    Attributes:
        every: steps between calls at ``on_step_start`` and ``on_step_end``.
        intervenes: whether the hook changes the training.
    """

    every: int = 1
    intervenes: bool = False

    def on_train_start(self, context: Context) -> None:
        """Before the first step, also after a resume."""

    def on_epoch_start(self, context: Context) -> None:
        """Before the first batch of an epoch."""

    def on_step_start(self, context: Context) -> None:
        """Before each step; gradients are those of the step before."""

    def on_step_end(self, context: Context) -> None:
        """After each step; gradients and optimiser state are intact, ``metrics`` is the step's."""

    def on_epoch_end(self, context: Context) -> None:
        """After the last batch of an epoch."""

    def on_evaluate_end(self, context: Context) -> None:
        """After an evaluation; ``metrics`` is its result."""

    def on_snapshot(self, context: Context) -> None:
        """Just before a checkpoint is written."""

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
_PER_STEP = frozenset({"on_step_start", "on_step_end"})


class HookSet:
    """Calls the hooks that are due; costs next to nothing when none is."""

    def __init__(self, hooks: Sequence[Hook]) -> None:
        self.hooks = list(hooks)
        self._at = {
            point: [
                hook for hook in hooks if getattr(type(hook), point) is not getattr(Hook, point)
            ]
            for point in POINTS
        }

    def fire(self, point: str, context: Context) -> None:
        """Call ``point`` of every hook that is due."""
        for hook in self._at[point]:
            if point in _PER_STEP and context.step % hook.every:
                continue
            if hook.intervenes:
                getattr(hook, point)(context)
            else:
                with seeding.preserved():
                    getattr(hook, point)(context)

    def state_dict(self) -> dict[str, Any]:
        """State of every hook by name."""
        return {name: hook.state_dict() for name, hook in self._named()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the hooks that were there; a hook that is new starts fresh."""
        for name, hook in self._named():
            if name in state:
                hook.load_state_dict(state[name])

    def _named(self) -> Iterator[tuple[str, Hook]]:
        seen: Counter[str] = Counter()
        for hook in self.hooks:
            name = type(hook).__name__
            yield f"{name}-{seen[name]}", hook
            seen[name] += 1

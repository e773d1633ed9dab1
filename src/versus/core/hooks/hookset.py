"""Calls the hooks that are due."""

import difflib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from versus.core import seeding
from versus.core.errors import ConfigError
from versus.core.hooks.base import POINTS, SEED_POINTS, STEP_POINTS, Context, Hook
from versus.core.hooks.quantities import Quantities
from versus.core.learner import Learner


class Call(NamedTuple):
    """A hook and the function of it that a point calls."""

    hook: Hook
    function: Callable[[Context], None]


class HookSet:
    """The hooks of one training; costs next to nothing where none is due.

    Args:
        hooks: in the order in which they are called.
        learner: what trains.
        reference: weights of a solution, (S, P), for hooks that use it.
    """

    def __init__(
        self, hooks: Sequence[Hook], learner: Learner, reference: Tensor | None = None
    ) -> None:
        self.hooks = list(hooks)
        self.names = list(_names(hooks))
        self.seconds = {
            name: 0.0 for hook, name in zip(hooks, self.names, strict=True) if hook.name
        }
        self._seconds_of = dict(zip(map(id, hooks), self.names, strict=True))
        weights = learner.weights()
        self.quantities = None if weights is None else Quantities(weights, reference)
        self._at = {point: list(_calls(hooks, point)) for point in POINTS}
        self._epoch = -1
        self._due: dict[str, list[Call]] = {}
        self._uses: frozenset[str] = frozenset()
        self._active = learner.active.clone()

    def fire(self, point: str, context: Context) -> None:
        """Call ``point`` of every hook that is due."""
        if not self.hooks:
            return
        if context.epoch != self._epoch:
            self._enter(context.epoch)
        calls = self._due[point]
        if point in STEP_POINTS:
            index = context.step - (point == "on_step_end")
            calls = [c for c in calls if c.hook.unit == "epoch" or c.hook.settings.due(index)]
        if point == "on_step_start":
            self._active = context.learner.active.clone()
        context.quantities = self.quantities
        self._measure(point, context)
        if any(call.hook.draws and not call.hook.intervenes for call in calls):
            with seeding.preserved():
                self._call(calls, context)
        elif calls:
            self._call(calls, context)

    def _enter(self, epoch: int) -> None:
        """Find out what is due in an epoch; steps are looked at one by one."""
        self._epoch = epoch
        self._due = {
            point: [
                call for call in calls if call.hook.unit == "step" or call.hook.settings.due(epoch)
            ]
            for point, calls in self._at.items()
        }
        due = {id(call.hook): call.hook for calls in self._due.values() for call in calls}
        self._uses = frozenset().union(*(hook.uses for hook in due.values()))

    def _measure(self, point: str, context: Context) -> None:
        if self.quantities is None:
            return
        if point == "on_epoch_start":
            self.quantities.begin_epoch(self._uses)
        elif point == "on_step_start":
            self.quantities.begin_step(self._step_uses(context.step))
        elif point == "on_step_end":
            self.quantities.end_step(self._uses)

    def _step_uses(self, step: int) -> frozenset[str]:
        hooks = (call.hook for point in STEP_POINTS for call in self._due[point])
        due = (hook for hook in hooks if hook.unit == "epoch" or hook.settings.due(step))
        return frozenset().union(*(hook.uses for hook in due))

    def _call(self, calls: Sequence[Call], context: Context) -> None:
        for call in calls:
            started = time.perf_counter()
            outer, context.logged = context.logged, {}
            context.recorded = outer
            call.function(context)
            prefix = f"{call.hook.name}/" if call.hook.name else ""
            outer.update({prefix + k: self._masked(v) for k, v in context.logged.items()})
            context.logged = outer
            name = self._seconds_of[id(call.hook)]
            if name in self.seconds:
                self.seconds[name] += time.perf_counter() - started

    def _masked(self, value: Any) -> Any:
        """NaN for the runs that had stopped before the last step."""
        if isinstance(value, Tensor) and value.shape == self._active.shape:
            return torch.where(self._active.to(value.device), value.detach(), torch.nan)
        return value

    def state_dict(self) -> dict[str, Any]:
        """State of every hook by name, and of what they share."""
        states = {n: hook.state_dict() for n, hook in zip(self.names, self.hooks, strict=True)}
        shared = None if self.quantities is None else self.quantities.state_dict()
        return {"hooks": states, "shared": shared, "active": self._active}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the hooks that were there; a hook that is new starts fresh."""
        device = self._active.device if self.quantities is None else self.quantities.device
        for name, hook in zip(self.names, self.hooks, strict=True):
            if name in state["hooks"]:
                hook.load_state_dict(_moved(state["hooks"][name], device))
        self._active = state["active"].to(self._active.device)
        if self.quantities is not None and state["shared"] is not None:
            self.quantities.load_state_dict(state["shared"])


def _moved(state: Any, device: torch.device) -> Any:
    """The state with all of its tensors on the device."""
    if isinstance(state, Tensor):
        return state.to(device)
    if isinstance(state, Mapping):
        return {key: _moved(value, device) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_moved(value, device) for value in state)
    return state


def _names(hooks: Sequence[Hook]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for hook in hooks:
        name = hook.name or type(hook).__name__
        yield f"{name}-{seen[name]}" if seen[name] else name
        seen[name] += 1


def _calls(hooks: Sequence[Hook], point: str) -> Iterator[Call]:
    for hook in hooks:
        if getattr(type(hook), point) is not getattr(Hook, point):
            yield Call(hook, getattr(hook, point))
        if point in map(_point, hook.points):
            yield Call(hook, _computing(hook))


def _computing(hook: Hook) -> Callable[[Context], None]:
    def call(context: Context) -> None:
        context.log(hook.compute(context))

    return call


def _point(name: str) -> str:
    point = SEED_POINTS.get(name, name)
    if point not in POINTS:
        near = difflib.get_close_matches(name, [*SEED_POINTS, *POINTS], n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose of {', '.join(POINTS)}"
        raise ConfigError(f"hook point {name!r}: there is no such point; {hint}")
    return point

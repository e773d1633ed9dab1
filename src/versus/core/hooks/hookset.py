"""Calls the hooks that are due."""

import difflib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from versus.core import seeding
from versus.core.errors import ConfigError
from versus.core.hooks.base import POINTS, SEED_POINTS, STEP_POINTS, Context, Hook
from versus.core.hooks.quantities import Quantities
from versus.core.learner import Learner


class Call(NamedTuple):
    """A hook and the function of it that a point calls.

    Attributes:
        hook: whose function it is.
        function: takes the context.
        name: under which its time is counted; empty = not counted.
    """

    hook: Hook
    function: Callable[[Context], None]
    name: str


class Plan(NamedTuple):
    """What one point does while the same hooks are due."""

    calls: Sequence[Call] = ()
    draws: bool = False
    uses: frozenset[str] = frozenset()


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
        weights = learner.weights()
        self.quantities = None if weights is None else Quantities(weights, reference)
        self._at = {point: list(_calls(hooks, self.names, point)) for point in POINTS}
        self._epoch = -1
        self._plans: dict[str, Plan] = {}
        self._at_steps: dict[str, list[Call]] = {}
        self._counted: list[Hook] = []
        self._step_due: list[int] | None = None
        self._waiting: frozenset[int] = frozenset()
        self._active = learner.active.clone()

    def fire(self, point: str, context: Context) -> None:
        """Call ``point`` of every hook that is due.

        This runs twice per step, when the caches are full of weights: the less it touches, the
        better.
        """
        if not self.hooks:
            return
        if context.epoch != self._epoch:
            self._enter(context)
        if point == "on_step_start":
            if self._counted:
                self._plan_step(context.step)
        elif point == "on_epoch_start":
            self._active = context.learner.active.clone()
            if self._waiting:
                self._waiting = frozenset()
                self._enter(context)
        plan = self._plans[point]
        if self.quantities is not None and (plan.uses or point == "on_step_end"):
            self._measure(point, plan.uses)
        if not plan.calls:
            return
        context.quantities = self.quantities
        if plan.draws:
            with seeding.preserved():
                self._call(plan.calls, context)
        else:
            self._call(plan.calls, context)

    def _enter(self, context: Context) -> None:
        """Find out what is due in an epoch; hooks that count steps are asked at each step."""
        self._epoch = context.epoch
        due = {
            point: [call for call in calls if self._is_due(call.hook, context.epoch)]
            for point, calls in self._at.items()
        }
        uses = _uses(call for calls in due.values() for call in calls)
        at_end = uses & {"epoch_gradient"}
        kept = {"on_epoch_start": uses & {"epoch_start"}, "on_step_end": at_end}
        self._plans = {p: _plan(calls, kept.get(p, frozenset())) for p, calls in due.items()}
        self._at_steps = {point: due[point] for point in STEP_POINTS}
        of_steps = [call for calls in self._at_steps.values() for call in calls]
        self._counted = list({id(c.hook): c.hook for c in of_steps if _counts_steps(c)}.values())
        self._step_due = None
        self._plan_step(context.step)

    def _is_due(self, hook: Hook, epoch: int) -> bool:
        if id(hook) in self._waiting:
            return False
        return hook.unit == "step" or hook.settings.due(epoch)

    def _plan_step(self, step: int) -> None:
        """Find out what is due in a step."""
        due = [id(hook) for hook in self._counted if hook.settings.due(step)]
        if due == self._step_due:
            return
        self._step_due = due
        for point, calls in self._at_steps.items():
            chosen = [c for c in calls if not _counts_steps(c) or id(c.hook) in due]
            self._plans[point] = _plan(chosen, self._plans[point].uses)
        both = _uses(call for point in STEP_POINTS for call in self._plans[point].calls)
        start = self._plans["on_step_start"]
        self._plans["on_step_start"] = start._replace(uses=both & {"update"})

    def _measure(self, point: str, uses: frozenset[str]) -> None:
        quantities = self.quantities
        if quantities is None:
            return
        if point == "on_step_end":
            quantities.end_step(uses)
        elif point == "on_step_start":
            quantities.keep_before()
        elif point == "on_epoch_start":
            quantities.begin_epoch(uses)

    def _call(self, calls: Sequence[Call], context: Context) -> None:
        outer = context.recorded = context.logged
        for call in calls:
            started = time.perf_counter()
            context.logged = {}
            call.function(context)
            if context.logged:
                outer.update(self._named(call.hook, context))
            if call.name:
                self.seconds[call.name] += time.perf_counter() - started
        context.logged = outer

    def _named(self, hook: Hook, context: Context) -> dict[str, Any]:
        """What a hook has logged, by full name, and only for runs that are in training."""
        prefix = f"{hook.name}/" if hook.name else ""
        live = self._active & ~context.learner.diverged
        return {prefix + key: _masked(value, live) for key, value in context.logged.items()}

    def state_dict(self) -> dict[str, Any]:
        """State of every hook by name, and of what they share."""
        states = {n: hook.state_dict() for n, hook in zip(self.names, self.hooks, strict=True)}
        shared = None if self.quantities is None else self.quantities.state_dict()
        return {"hooks": states, "shared": shared, "active": self._active}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the hooks that were there; a hook that is new begins with the next epoch."""
        device = self._active.device if self.quantities is None else self.quantities.device
        for name, hook in zip(self.names, self.hooks, strict=True):
            if name in state["hooks"]:
                hook.load_state_dict(_moved(state["hooks"][name], device))
        there = zip(self.names, self.hooks, strict=True)
        self._waiting = frozenset(id(hook) for name, hook in there if name not in state["hooks"])
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


def _plan(calls: Sequence[Call], uses: frozenset[str]) -> Plan:
    draws = any(call.hook.draws and not call.hook.intervenes for call in calls)
    return Plan(calls, draws, uses)


def _uses(calls: Iterable[Call]) -> frozenset[str]:
    return frozenset().union(*(call.hook.uses for call in calls))


def _counts_steps(call: Call) -> bool:
    return call.hook.unit == "step"


def _masked(value: Any, live: Tensor) -> Any:
    """NaN for the runs that had stopped before the epoch, or have diverged."""
    if isinstance(value, Tensor) and value.shape == live.shape:
        return torch.where(live.to(value.device), value.detach(), torch.nan)
    return value


def _names(hooks: Sequence[Hook]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for hook in hooks:
        name = hook.name or type(hook).__name__
        yield f"{name}-{seen[name]}" if seen[name] else name
        seen[name] += 1


def _calls(hooks: Sequence[Hook], names: Sequence[str], point: str) -> Iterator[Call]:
    for hook, name in zip(hooks, names, strict=True):
        counted = name if hook.name else ""
        if getattr(type(hook), point) is not getattr(Hook, point):
            yield Call(hook, getattr(hook, point), counted)
        if point in map(_point, hook.points):
            yield Call(hook, _computing(hook), counted)


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

"""Hooks in words, for ``--hooks-list`` and ``--hooks-describe``, and the identity of their code."""

import hashlib
import inspect
from collections.abc import Sequence
from pathlib import Path

import versus
from versus.core import config as configs
from versus.core.experiment import Experiment
from versus.core.hooks.base import POINTS, SEED_POINTS, Hook
from versus.core.hooks.catalogue import catalogue, check_known, selection
from versus.core.runs import HookChoice


def overview(experiment: Experiment) -> str:
    """Every hook in a line, and the groups."""
    there = catalogue(experiment)
    width = max(map(len, there), default=0)
    lines = ["hooks (--hooks NAME ...; versus train X --hooks-describe NAME):"]
    for name, hook in there.items():
        first = inspect.cleandoc(hook.__doc__ or "").partition("\n")[0]
        lines.append(f"  {name.ljust(width)}  {first} At {', '.join(points_of(hook))}.")
    lines += ["", "groups (--with-hooks GROUP):"]
    for group, names in experiment.HOOK_GROUPS.items():
        lines.append(f"  {group.ljust(width)}  {' '.join(names) or 'no hooks'}")
    return "\n".join(lines)


def described(experiment: Experiment, names: Sequence[str]) -> list[str]:
    """A page per hook.

    Raises:
        ConfigError: for an unknown hook, naming the nearest.
    """
    there = catalogue(experiment)
    for name in names:
        check_known("--hooks-describe", name, there)
    return [describe(there[name]) for name in names or there]


def describe(hook: type[Hook]) -> str:
    """A page of text about one hook: what it measures, when, with which settings, at which cost."""
    lines = [f"{hook.name}: {inspect.cleandoc(hook.__doc__ or '')}", ""]
    lines += [f"called at: {', '.join(points_of(hook))}", f"scheduled by: {hook.unit}"]
    lines += [f"cost: {hook.cost}"] if hook.cost else []
    lines += ["changes the training" if hook.intervenes else "observes only", "", "metrics:"]
    lines += [f"  {hook.name}/{metric}: {text}" for metric, text in hook.metrics.items()]
    lines += ["", f"settings (--hook-config {hook.name}.<setting>=<value>):"]
    for key, _, default, about in configs.describe(hook.Settings):
        lines.append(f"  {key} (default {default!r}): {' '.join(about.split())}")
    return "\n".join(lines)


def points_of(hook: type[Hook]) -> Sequence[str]:
    """The points at which a hook is called, as ``on_epoch_end (POST_EPOCH)``."""
    named = {SEED_POINTS.get(point, point) for point in hook.points}
    theirs = {ours: seed for seed, ours in SEED_POINTS.items()}
    return [
        f"{point} ({theirs[point]})" if point in theirs else point
        for point in POINTS
        if point in named or getattr(hook, point) is not getattr(Hook, point)
    ]


def digest(experiment: Experiment, choice: HookChoice) -> str:
    """Identity of the chosen hooks' code that is not Versus's own; empty where there is none."""
    there, names = selection(experiment, choice)
    package = Path(versus.__file__).parent
    files = {Path(inspect.getfile(there[name])).resolve() for name in names}
    foreign = sorted(path for path in files if not path.is_relative_to(package))
    parts = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in foreign}
    return configs.digest(parts) if parts else ""

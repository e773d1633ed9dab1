"""The page ``docs/hooks.md``, written from the hooks themselves."""

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from versus.core import config as configs
from versus.core.experiment import Experiment, available, find
from versus.core.hooks.about import points_of
from versus.core.hooks.base import Hook
from versus.core.hooks.catalogue import hooks_of, library_modules
from versus.core.hooks.library.groups import GENERIC_GROUPS

HEAD = """# Hooks

<!-- Written by python -m versus.core.hooks.page > docs/hooks.md, and compared by a test. -->

A hook looks at the training at documented points and logs metrics as `hook/metric`, one value per
run. All hooks below only observe: a training with them ends in the same weights, bit for bit, as
one without. `hessian`, `counterfactual` and `adam_dynamics`, which the group `interventions` holds,
compute with passes of their own, and change nothing either. A run that has stopped has no further
metrics, and what is undefined (the angle of a zero vector, a lag longer than the window) is left
out.

```
versus train <experiment> --with-hooks observers
versus train <experiment> --hooks norms fourier --hook-config variance.window=20
versus train <experiment> --hooks-list
```

Each hook has a schedule, counted in its unit: `burst` in a row, again after `every`, from `warmup`
on, within `windows`. Costs are shares of a training step of 8 stacked runs with 62,000 parameters
each, at the default schedule. A hook that compares with a solution needs `hooks.reference`; where a
group holds a hook whose needs are not met, it is left out with a note, while a hook asked for by
name is an error. Each `hooks/*.py` of the project, and each file named with `--hooks`, adds hooks.
"""


def hooks_page(experiments: Mapping[str, Experiment]) -> str:
    """The whole page.

    Args:
        experiments: name -> experiment; those with hooks or groups of their own are listed.
    """
    parts = [HEAD, *_groups(experiments), "\n## Hooks of all experiments\n"]
    parts += [_hook(hook) for module in library_modules() for hook in hooks_of(module)]
    for name, experiment in experiments.items():
        if experiment.HOOKS:
            parts += [f"\n## Hooks of {name}\n", *map(_hook, experiment.HOOKS)]
    return "\n".join(parts).rstrip() + "\n"


def _groups(experiments: Mapping[str, Experiment]) -> Iterator[str]:
    yield "\n## Groups\n"
    yield "| experiment | group | hooks |"
    yield "|---|---|---|"
    yield from (_group("any", *group) for group in GENERIC_GROUPS.items())
    for name, experiment in experiments.items():
        for group, hooks in experiment.HOOK_GROUPS.items():
            if hooks != GENERIC_GROUPS.get(group):
                yield _group(name, group, hooks)


def _group(experiment: str, group: str, hooks: Sequence[str]) -> str:
    return f"| {experiment} | `{group}` | {', '.join(hooks) or 'none'} |"


def _hook(hook: type[Hook]) -> str:
    needs = [_need(need) for need in hook.needs]
    needs += ["a reference"] if "reference" in hook.uses else []
    lines = [
        f"### {hook.name}\n",
        inspect.cleandoc(hook.__doc__ or ""),
        "",
        f"- called at: {', '.join(f'`{point}`' for point in points_of(hook))}",
        f"- schedule: {_schedule(hook)}",
        f"- needs: {', '.join(needs) or 'nothing beyond weights'}",
        f"- cost: {hook.cost}",
        *(["- changes the training"] if hook.intervenes else []),
        "",
        *_table(("metric", "definition"), hook.metrics.items()),
        *_settings(hook),
        "",
    ]
    return "\n".join(lines)


def _need(need: type) -> str:
    text = inspect.cleandoc(need.__doc__ or "").partition(".")[0]
    return f"a learner with `{need.__name__}` ({text[:1].lower()}{text[1:]})"


def _schedule(hook: type[Hook]) -> str:
    settings = hook.Settings()
    burst = f"{settings.burst} in a row every {settings.every} {hook.unit}s"
    often = burst if settings.burst > 1 else f"every {settings.every} {hook.unit}s"
    often = f"every {hook.unit}" if settings.every == 1 else often
    return often + (f", from number {settings.warmup} on" if settings.warmup else "")


def _settings(hook: type[Hook]) -> list[str]:
    shared = {"every", "burst", "warmup", "windows"}
    rows = [
        (key, f"{' '.join(about.split())} Default: `{_plain(default)}`.")
        for key, _, default, about in configs.describe(hook.Settings)
        if key not in shared
    ]
    return ["", *_table(("setting", "meaning"), rows)] if rows else []


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _table(head: Sequence[str], rows: Iterable[tuple[str, str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|---|---|"]
    return lines + [f"| `{key}` | {_cell(text)} |" for key, text in rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(hooks_page({name: find(name) for name in available()}))

"""Which hooks there are, and those that a comparison asks for."""

import difflib
import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from versus.core import config as configs
from versus.core.errors import ConfigError
from versus.core.experiment import Experiment
from versus.core.hooks import library
from versus.core.hooks.base import Hook
from versus.core.learner import Learner
from versus.core.paths import project_root, shown
from versus.core.runs import HookChoice

Catalogue = dict[str, type[Hook]]


def catalogue(experiment: Experiment, files: Iterable[Path] = ()) -> Catalogue:
    """Name -> hook: the library's, the experiment's, those of ``hooks/*.py``, those of ``files``.

    Raises:
        ConfigError: if a file cannot be imported, or two hooks share a name.
    """
    own = sorted((project_root() / "hooks").glob("*.py"))
    paths = dict.fromkeys(path.resolve() for path in (*own, *files))
    modules = [*library_modules(), *map(_imported, paths)]
    found: Catalogue = {}
    for hook in (*(h for m in modules for h in hooks_of(m)), *experiment.HOOKS):
        if found.setdefault(hook.name, hook) is not hook:
            raise ConfigError(
                f"hook {hook.name}: defined in {inspect.getfile(found[hook.name])} and in "
                f"{inspect.getfile(hook)}; rename one"
            )
    return found


def library_modules() -> Iterator[ModuleType]:
    """The modules of the library."""
    for module in pkgutil.iter_modules(library.__path__):
        yield importlib.import_module(f"{library.__name__}.{module.name}")


def hooks_of(module: ModuleType) -> list[type[Hook]]:
    """The named hooks that a module defines, in the order of their definition."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Hook)
        and value.name
        and value.__module__ == module.__name__
    ]


def _imported(path: Path) -> ModuleType:
    name = f"versus_user_hooks_{path.stem}_{configs.digest(str(path))}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError(f"hooks: no Python file {shown(path)}; name a hook or a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where Python looks for the file of a class
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's code does wrong
        raise ConfigError(f"{shown(path)}: cannot be imported: {error!r}; mend the file") from error
    return module


def choose(experiment: Experiment, choice: HookChoice, learner: Learner) -> list[Hook]:
    """The hooks that a comparison asks for, with their settings.

    Members of a group whose needs this learner, or a missing reference, cannot meet are left out:
    see :func:`notes`.

    Raises:
        ConfigError: for an unknown group, hook or setting, naming the nearest, and for a hook that
            is named but has such needs.
    """
    there, wanted = selection(experiment, choice)
    named = set(_named(experiment, choice))
    hooks = []
    for name in wanted:
        obstacle = _obstacle(there[name], choice, learner)
        if obstacle and name in named:
            raise ConfigError(f"hook {name}: {obstacle}")
        if not obstacle:
            settings = configs.load(
                there[name].Settings, [(f"hooks.settings.{name}", choice.settings.get(name, {}))]
            )
            hooks.append(there[name](settings))
    return hooks


def notes(experiment: Experiment, choice: HookChoice, learner: Learner) -> list[str]:
    """Which members of a chosen group are left out: a sentence for each reason."""
    there, wanted = selection(experiment, choice)
    named = set(_named(experiment, choice))
    left_out: dict[str, list[str]] = {}
    for name in wanted:
        if name not in named and (obstacle := _obstacle(there[name], choice, learner)):
            left_out.setdefault(obstacle, []).append(name)
    return [f"left out: {', '.join(names)}: {text}" for text, names in left_out.items()]


def selection(experiment: Experiment, choice: HookChoice) -> tuple[Catalogue, list[str]]:
    """All hooks there are, and the names of those asked for, each once, in the catalogue's order.

    ``training_metrics`` comes with any other hook.

    Raises:
        ConfigError: for an unknown group, hook, or hook with settings.
    """
    files = [Path(name).absolute() for name in choice.names if name.endswith(".py")]
    there = catalogue(experiment, files)
    groups = experiment.HOOK_GROUPS
    check_known("hooks.group", choice.group, groups)
    wanted = {*groups[choice.group]}.union(*(groups.get(name, ()) for name in choice.names))
    for name in _named(experiment, choice):
        check_known("hooks.names", name, there)
        wanted.add(name)
    if wanted:
        wanted.add("training_metrics")
    for name in choice.settings:
        check_known("hooks.settings", name, there)
    return there, [name for name in there if name in wanted]


def _named(experiment: Experiment, choice: HookChoice) -> Iterator[str]:
    """The hooks that are asked for one by one, by name or by file."""
    for name in choice.names:
        if name.endswith(".py"):
            yield from (hook.name for hook in hooks_of(_imported(Path(name).absolute())))
        elif name not in experiment.HOOK_GROUPS:
            yield name


def check_known(key: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that is not there.

    Raises:
        ConfigError: naming the key, the name and the nearest that are there.
    """
    if name not in known:
        raise ConfigError(f"{key}: there is no {name!r}; {nearest(name, known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint: the names that are most like ``name``, or all of them."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names)}"


def _obstacle(hook: type[Hook], choice: HookChoice, learner: Learner) -> str:
    """Why the hook cannot be used here; empty where it can."""
    if hook.uses and learner.weights() is None:
        return "this experiment trains no weights by gradient"
    if "reference" in hook.uses and not choice.reference:
        return (
            "compares with a solution; name its weights with hooks.reference (a folder under "
            "results/.../models, or a safetensors file)"
        )
    for need in hook.needs:
        if not isinstance(learner, need):
            return (
                f"needs a learner that offers {need.__name__} "
                f"({(need.__doc__ or '').partition('.')[0]}); this experiment's does not"
            )
    return ""

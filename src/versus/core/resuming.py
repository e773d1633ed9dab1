"""Continuing a training: whether there is one, in which environment, and whether it is exact."""

import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from versus.core import checkpoint, environment, pipeline, sinks
from versus.core import config as configs
from versus.core.display import Display
from versus.core.errors import ConfigError, VerificationError
from versus.core.experiment import Experiment
from versus.core.paths import read_json, shown
from versus.core.runs import BaseComparison
from versus.core.stacks import trainer_of
from versus.core.stages import Places, locked

logger = logging.getLogger(__name__)
NOT_COMPARED = ("costs",)
"""Parts of a checkpoint that no second training reproduces."""


def check(comparison: BaseComparison, places: Places) -> None:
    """Make sure that there is a training to resume.

    Raises:
        ConfigError: if there is none; names what differs from the newest one of the experiment.
    """
    if (places.work / "status.json").is_file():
        return
    others = sorted(places.work.parent.glob("*/status.json"), key=lambda path: path.stat().st_mtime)
    if not others:
        raise ConfigError(
            f"--resume: {comparison.experiment} has no training in {shown(places.work.parent)}; "
            "leave --resume out to begin"
        )
    newest = others[-1].parent
    raise ConfigError(
        f"--resume: nothing was trained with these settings; the newest training "
        f"({shown(newest)}) differs in {'; '.join(_differences(newest, comparison))}; give its "
        "settings to continue it, or leave --resume out to begin"
    )


def _differences(work: Path, comparison: BaseComparison) -> list[str]:
    described = read_json(work / "comparison.json")
    here: dict[str, Any] = {**pipeline.flat(comparison), "seeds": list(comparison.seed_list)}
    there: dict[str, Any] = {**described["params"], "seeds": described["seeds"]}
    here["variants"] = sorted(arm.name for arm in comparison.arms())
    there["variants"] = sorted(described["variants"])
    keys = [k for k in sorted(here | there) if here.get(k) != there.get(k)]
    changed = [f"{k} ({there.get(k)} there, {here.get(k)} asked for)" for k in keys]
    return changed or ["the values of its variants"]


def environment_changes(config: Path | None) -> list[str]:
    """What has changed since the run whose ``experiment_config.json`` is used again."""
    before = configs.read_yaml(config).get("environment") if config is not None else None
    return environment.changes(before) if isinstance(before, Mapping) else []


def validate(
    experiment: Experiment, comparison: BaseComparison, places: Places, display: Display
) -> None:
    """Train every stack a second time, and compare checkpoints and series with the first.

    Raises:
        VerificationError: naming the components that differ, and where first.
    """
    scratch = places.work / "validation"
    with locked(places.work):
        for number, stack in enumerate(experiment.stacks(comparison.expand())):
            folder = f"{number:04d}"
            shutil.rmtree(scratch, ignore_errors=True)
            learner = experiment.build(stack, places.data)
            label = f"second training, stack {number + 1}"
            with display.progress(label, learner.total_steps) as bar:
                trainer_of(experiment, stack, learner, scratch / folder, [bar]).run()
            found = list(differences(places.work / "stacks" / folder, scratch / folder))
            if found:
                raise VerificationError(
                    f"{shown(places.work / 'stacks' / folder)}: a second training differs: "
                    f"{'; '.join(found[:5])}; training is not reproducible here"
                )
            display.line(f"stack {number + 1}: checkpoints and metrics equal to the bit")
        shutil.rmtree(scratch, ignore_errors=True)


def differences(first: Path, second: Path) -> Iterator[str]:
    """Where two trainings of one stack differ: metrics by step, then state by component."""
    for a, b in zip(
        sinks.series(first / "metrics.jsonl"), sinks.series(second / "metrics.jsonl"), strict=False
    ):
        if a != b:
            variant, seed, key, step, value = a
            yield f"{key} of {variant} seed {seed} at step {step}: {value!r}, then {b[-1]!r}"
            break
    for path in sorted((first / "checkpoints").glob("*.safetensors")):
        other = second / "checkpoints" / path.name
        if other.is_file():
            before, after = (_comparable(checkpoint.load(p)) for p in (path, other))
            yield from _unequal(before, after, path.stem)


def _comparable(state: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if key not in NOT_COMPARED}


def _unequal(a: Any, b: Any, path: str) -> Iterator[str]:
    """Paths of the leaves at which two nested states differ."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        if not torch.equal(a.nan_to_num(), b.nan_to_num()):
            yield path
    elif isinstance(a, Mapping) and isinstance(b, Mapping) and a.keys() == b.keys():
        for key in a:
            yield from _unequal(a[key], b[key], f"{path}/{key}")
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from _unequal(x, y, f"{path}/{index}")
    elif a != b:
        yield path

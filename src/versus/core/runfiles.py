"""Files of single runs: ``<runs>/<variant>/seed-<n>/``, as the OrderedLearning framework has them.

::

    experiment_config.json     the run's settings and environment; `versus train --config` takes it
    summary.json               times, counts, first and last evaluation
    <variant>_final.safetensors   the weights after the last step
    <variant>.csv, .jsonl      the run's series with what the hooks measured, if asked for
    traj.safetensors           the weights after every epoch, if asked for

An experiment may write files of its own beside them.

All but times and environment follow from the series and weights, so writing them again is
harmless.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors.torch import save_file

from versus.core.environment import environment
from versus.core.hooks.trajectory import Trajectory
from versus.core.paths import replacing, write_json
from versus.core.runs import BaseComparison, RunConfig, RunKey
from versus.core.sinks import Record, read
from versus.core.stages import Places
from versus.core.trainer import Position, Trainer
from versus.core.weights import split

EVALUATED = {"train": "train", "test": "val", "val": "val"}
"""Group of a metric -> its prefix in ``summary.json``."""


def folder_of(places: Places, run: RunKey) -> Path:
    """Where the files of one run lie."""
    return places.runs / run.variant / f"seed-{run.seed}"


def write(
    trainer: Trainer,
    stack: Sequence[RunConfig],
    metrics: pd.DataFrame,
    cost: pd.DataFrame,
    places: Places,
) -> None:
    """Write the files of every run of a trained stack; nothing where no weights are trained."""
    weights = trainer.learner.weights()
    if weights is None:
        return
    records = list(read(trainer.folder / "metrics.jsonl"))
    costs = cost.set_index(["variant", "seed"])["seconds"]
    for index, (run, values) in enumerate(zip(stack, weights.values(), strict=True)):
        key, folder = run.key, folder_of(places, run.key)
        own = [r for r in records if (r["variant"], r["seed"]) == key]
        write_json(folder / "experiment_config.json", _config(run, places))
        seconds = float(costs[key])
        summary = _summary(run, own, seconds, values.numel(), trainer.position)
        write_json(folder / "summary.json", summary)
        tensors = {name: t.contiguous() for name, t in split(values, weights.shapes).items()}
        with replacing(folder / f"{key.variant}_final.safetensors") as path:
            save_file(tensors, path)
        _write_hook_files(run, own, folder)
        _write_trajectory(trainer, index, weights.shapes, folder)


def _config(run: RunConfig, places: Places) -> dict[str, Any]:
    """The run's own comparison: one variant, one seed."""
    settings: BaseComparison = run.config
    unlike = {"seeds", "variants", "grid", "tuning_seeds", "launcher"}
    tree = settings.model_dump(mode="json", exclude=unlike)
    own = {"seeds": [run.key.seed], "variants": {run.key.variant: {}}}
    about = {"strategy": run.key.variant, "profile": places.profile, "environment": environment()}
    return {**tree, **own, **about}


def _summary(
    run: RunConfig,
    records: Sequence[Record],
    seconds: float,
    parameters: int,
    position: Position,
) -> dict[str, Any]:
    first, last = _evaluations(records)
    # One epoch without a record of its steps leaves none.
    end = records[-1] if records else {"step": position.step, "epoch": position.epoch}
    steps, epochs = end["step"], end["epoch"]
    return {
        "experiment": run.config.experiment,
        "strategy": run.key.variant,
        "seed": run.key.seed,
        "wall_time_seconds": seconds,
        "steps_per_second": steps / seconds if seconds else None,
        "total_epochs": epochs,
        "total_gradient_steps": steps,
        "model_parameters": parameters,
        "initial_eval": first,
        "final_eval": last,
        "deltas": {
            name: last[name] - value
            for name, value in first.items()
            if value is not None and last.get(name) is not None
        },
    }


def _evaluations(records: Sequence[Record]) -> tuple[dict[str, Any], dict[str, Any]]:
    """First and last value of every metric of evaluations, under the seed document's names."""
    first: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for record in records:
        for metric, value in record["metrics"].items():
            group, _, name = metric.partition("/")
            if group in EVALUATED and not name.startswith("step_"):
                short = f"{EVALUATED[group]}_{name.replace('accuracy', 'acc')}"
                first.setdefault(short, value)
                last[short] = value
    return first, last


def _write_hook_files(run: RunConfig, records: Sequence[Record], folder: Path) -> None:
    log, variant = run.config.log, run.key.variant
    rows = [{"epoch": r["epoch"], "step": r["step"], **r["metrics"]} for r in records]
    if log.hook_jsonl:
        with replacing(folder / f"{variant}.jsonl") as path:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    if log.hook_csv:
        columns = dict.fromkeys(name for row in rows for name in row)
        with (
            replacing(folder / f"{variant}.csv") as path,
            path.open("w", newline="", encoding="utf-8") as file,
        ):
            table = csv.DictWriter(file, list(columns))
            table.writeheader()
            table.writerows(rows)


def _write_trajectory(
    trainer: Trainer, index: int, shapes: Mapping[str, tuple[int, ...]], folder: Path
) -> None:
    for hook in trainer.hooks.hooks:
        if isinstance(hook, Trajectory):
            rows = hook.read(len(trainer.learner.runs))[:, index]
            tensors = {name: t.contiguous() for name, t in split(rows, shapes).items()}
            with replacing(folder / "traj.safetensors") as path:
                save_file(tensors, path, metadata={"epochs": json.dumps(hook.epochs)})

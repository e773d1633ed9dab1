"""All stacks of a comparison trained one after the other, and what comes of them as tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from versus.core import exhibits, runfiles, stackfolder, weights
from versus.core.display import Display
from versus.core.errors import TrainingError
from versus.core.experiment import Experiment, ModelPart
from versus.core.hooks import catalogue
from versus.core.hooks.base import Hook
from versus.core.hooks.reference import load_reference
from versus.core.hooks.trajectory import Trajectory
from versus.core.learner import Learner, Metrics
from versus.core.runs import BaseComparison, RunConfig, RunKey
from versus.core.services import TensorBoardSink, WandbSink
from versus.core.sinks import CallbackSink, ConsoleSink, CsvSink, Sink, per_run
from versus.core.stages import Places
from versus.core.trainer import Rhythm, Trainer


@dataclass
class Tables:
    """Final metrics and costs, one row per (variant, seed); test items; models by name."""

    metrics: pd.DataFrame
    cost: pd.DataFrame
    items: pd.DataFrame
    models: dict[str, ModelPart]


def train_all(
    experiment: Experiment,
    comparison: BaseComparison,
    places: Places,
    display: Display,
    send: Callable[[], None] | None,
) -> Tables:
    """Train every stack of the comparison, or restore it, and write the files of its runs.

    Raises:
        TrainingError: if every run has diverged.
    """
    stacks = experiment.stacks(comparison.expand())
    parts, lost = [], []
    for number, stack in enumerate(stacks):
        folder = stackfolder.path_of(places, number)
        learner = experiment.build(stack, places.data)
        if number == 0:
            for note in catalogue.notes(experiment, comparison.hooks, learner):
                display.note(note)
        _say(display, experiment.heading(stack, number + 1, len(stacks)))
        label = f"training {number + 1} of {len(stacks)}"
        with display.training(label, learner, experiment.LIVE_METRICS) as watcher:
            sinks = _sinks(experiment, stack, folder, places, display, send)
            trainer = trainer_of(experiment, stack, learner, folder, [watcher], sinks)
            with stackfolder.held(folder, display.note):
                try:
                    finals = trainer.run()
                except TrainingError as all_diverged:
                    finals = learner.evaluate()
                    lost.append(all_diverged)
        tables = _tables(experiment, trainer, finals)
        runfiles.write(trainer, stack, tables.metrics, tables.cost, places)
        shown, steps = experiment.exhibits(learner), trainer.position.step
        exhibits.write(shown, places, comparison.log.tensorboard, steps)
        parts.append(tables)
        _say(display, experiment.ending(stack, tables.metrics))
    if len(lost) == len(stacks):
        raise lost[-1]
    for error in lost:
        display.warn(str(error))
    return Tables(
        pd.concat([part.metrics for part in parts], ignore_index=True),
        pd.concat([part.cost for part in parts], ignore_index=True),
        pd.concat([part.items for part in parts], ignore_index=True),
        _merged(part.models for part in parts),
    )


def _say(display: Display, text: str) -> None:
    if text:
        display.note(text)


def trainer_of(
    experiment: Experiment,
    stack: Sequence[RunConfig],
    learner: Learner,
    folder: Path,
    watchers: Sequence[Hook] = (),
    sinks: Sequence[Sink] = (),
) -> Trainer:
    """The trainer of one stack in ``folder``, with the hooks that its settings ask for."""
    settings: BaseComparison = stack[0].config
    hooks = catalogue.choose(experiment, settings.hooks, learner)
    if settings.hooks.trajectory:
        hooks.append(Trajectory(folder / "trajectory.bin"))
    return Trainer(
        learner,
        folder,
        hooks=[*hooks, *watchers],
        sinks=sinks,
        rhythm=Rhythm.of(settings),
        reference=load_reference(settings.hooks.reference, learner),
    )


def _sinks(
    experiment: Experiment,
    stack: Sequence[RunConfig],
    folder: Path,
    places: Places,
    display: Display,
    send: Callable[[], None] | None,
) -> list[Sink]:
    settings: BaseComparison = stack[0].config
    lines, log = folder / "metrics.jsonl", settings.log
    sinks: list[Sink] = []
    if "console" in log.sinks:
        tell = partial(experiment.progress_line, stack)
        metrics, seconds = experiment.LIVE_METRICS, experiment.CONSOLE_SECONDS
        sinks.append(ConsoleSink(lines, display, tell, metrics, seconds))
    if "csv" in log.sinks:
        sinks.append(CsvSink(lines))
    if "mlflow" in log.sinks and send is not None:
        sinks.append(CallbackSink(send))
    if log.wandb:
        group = f"{settings.experiment}-{places.work.name[:8]}"
        sinks.append(WandbSink(lines, log.wandb, group, places.work / "wandb"))
    if log.tensorboard:
        sinks.append(TensorBoardSink(lines, places.results / log.tensorboard))
    return sinks


def _tables(experiment: Experiment, trainer: Trainer, finals: Metrics) -> Tables:
    learner = trainer.learner
    sizes = weights.counts(learner.weights(), learner.modules())
    cost = _table(learner, {**trainer.costs(), **sizes})
    if "tokens" in cost:
        cost["tokens_per_s"] = cost["tokens"] / cost["seconds"].clip(lower=1e-9)
    items = experiment.items(learner)
    columns = list(RunKey._fields) if items.empty else list(items)
    models = dict(experiment.models(learner))
    return Tables(_table(learner, finals), cost, items.reindex(columns=columns), models)


def _table(learner: Learner, metrics: Mapping[str, Any]) -> pd.DataFrame:
    rows = per_run(metrics, learner.runs)
    return pd.DataFrame(
        [{**run._asdict(), **row} for run, row in zip(learner.runs, rows, strict=True)]
    )


def _merged(parts: Iterable[Mapping[str, ModelPart]]) -> dict[str, ModelPart]:
    """One model per variant, with the weights of its seeds from all stacks."""
    merged: dict[str, ModelPart] = {}
    for models in parts:
        for variant, part in models.items():
            known = merged.get(variant)
            weights = {**known.weights, **part.weights} if known else part.weights
            merged[variant] = ModelPart(part.name, weights, part.config)
    return merged

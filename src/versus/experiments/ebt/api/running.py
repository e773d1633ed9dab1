"""Trainings that are asked for from Python: like ``versus train``, on disk or in passing."""

import contextlib
import math
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import pandas as pd
from torch import nn
from torch.utils.data import Dataset

from versus.core import curves, pipeline, stacks, stages
from versus.core.display import Display
from versus.core.errors import TrainingError
from versus.core.examples import Examples
from versus.core.experiment import Experiment, find
from versus.core.learner import Learner
from versus.core.models import read_model
from versus.core.paths import read_json
from versus.core.runs import RunConfig
from versus.core.stages import Places
from versus.core.tables import read_table
from versus.experiments.ebt import console
from versus.experiments.ebt.api.asking import (
    ArgumentError,
    by_argument,
    comparison_of,
    examples_of,
    section,
    threads_kept,
)
from versus.experiments.ebt.api.trained import Trained, module_of
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.data.stages import read_task
from versus.experiments.ebt.data.tasks import LISTOPS
from versus.experiments.ebt.vectors.building import learner_of
from versus.experiments.ebt.vectors.measuring import seen_name

N = TypeVar("N", int, float)
ARGUMENTS = ("train_dataset", "val_dataset", "test_dataset")
RANGES = {"in_range": "inner_1", "out_of_range": "inner_2"}


class _Ours:
    """The experiment, with the learners that it builds at hand.

    Args:
        given: examples to train on instead of those of the data stage.
    """

    def __init__(self, given: Mapping[str, Examples] | None = None) -> None:
        self.learners: list[Learner] = []
        self._given, self._experiment = given, find("ebt")

    def build(self, stack: Sequence[RunConfig], data: Path) -> Learner:
        """The learner of one stack."""
        if self._given is None:
            learner = self._experiment.build(stack, data)
        else:
            learner = learner_of(stack, [self._given])
        self.learners.append(learner)
        return learner

    def heading(self, stack: Sequence[RunConfig], number: int, count: int) -> str:
        """As the command line; one model that trains alone has no number."""
        if self._given is None:
            return self._experiment.heading(stack, number, count)
        return console.method(stack)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._experiment, name)


@contextlib.contextmanager
def _training(ours: _Ours) -> Iterator[Experiment]:
    """The experiment, to train with; torch's threads are afterwards what they were.

    Raises:
        TrainingError: with the inner step and its size where a descent has diverged.
    """
    try:
        with threads_kept():
            yield cast(Experiment, ours)
    except TrainingError as error:
        told = [f for one in ours.learners for f in getattr(one, "failures", {}).values()]
        raise TrainingError(by_argument("; ".join(told) or str(error))) from error


def _passing(folder: str) -> Places:
    """Folders that do not stay."""
    base = Path(folder)
    return Places(base / "data", base / "work", base / "results", "python", base / "runs")


# --- one model on given examples ------------------------------------------------------------------


def train_on(
    name: str,
    settings: Mapping[str, Any],
    datasets: Sequence[Dataset[Any]],
    input_dim: int,
    output_dim: int,
) -> nn.Module:
    """Train one model on training, validation and test examples.

    Args:
        name: ebt or ffn.
        settings: by argument.
        datasets: inputs (n, input_dim) and answers (n, output_dim) of each.
        input_dim: numbers of an input, 2 output_dim.
        output_dim: numbers of an answer.

    Raises:
        ArgumentError: if an argument is wrong.
        TrainingError: if the training diverges.
    """
    if input_dim != 2 * output_dim or output_dim < 1:
        raise ArgumentError(
            f"input_dim: two vectors of output_dim = {output_dim!r} numbers make "
            f"{2 * output_dim!r}, received {input_dim!r}"
        )
    parts = [
        examples_of(argument, dataset, input_dim, output_dim)
        for argument, dataset in zip(ARGUMENTS, datasets, strict=True)
    ]
    sizes = [len(part.labels) for part in parts]
    data = section("add", output_dim, *sizes, shifts=(2,))
    comparison = comparison_of(data, {name: settings}, device=parts[0].inputs.device)
    ours = _Ours(dict(zip(("train", "val", seen_name(comparison)), parts, strict=True)))
    with tempfile.TemporaryDirectory() as folder, _training(ours) as experiment:
        tables = stacks.train_all(experiment, comparison, _passing(folder), Display(), None)
    (run,), (part,) = comparison.expand(), tables.models.values()
    return _placed(module_of(part, run), run.config, parts[2])


def _placed(module: nn.Module, settings: Comparison, test: Examples | None) -> nn.Module:
    """The module where it was trained, with its test data."""
    with threads_kept():
        device = settings.use_torch()
    if isinstance(module, Trained) and test is not None:
        module.test_data = test.inputs.to(device), test.labels.to(device)
    return module.to(device)


# --- a comparison ---------------------------------------------------------------------------------


def run(comparison: Comparison, track: bool, display: Display) -> dict[str, dict[str, Any]]:
    """Prepare data and train all models.

    Returns:
        Kind of model -> what :func:`.functions.run_main` says of it.

    Raises:
        VersusError: see the errors of data, config and training.
    """
    ours = _Ours()
    with contextlib.ExitStack() as closing:
        experiment = closing.enter_context(_training(ours))
        if track:
            places = stages.adhoc_places(experiment, comparison, "base")
        else:
            places = _passing(closing.enter_context(tempfile.TemporaryDirectory()))
        digest = stages.prepare(experiment, comparison, places.data)
        _train(experiment, comparison, places, display, track)
        for line in experiment.epilogue(comparison, places.results):
            display.line(line)
        return {
            run.config.model.kind: _found(run, places, digest, track) for run in comparison.expand()
        }


def _train(
    experiment: Experiment, comparison: Comparison, places: Places, display: Display, track: bool
) -> None:
    if not track:
        pipeline.train(experiment, comparison, places, display)
        return
    from versus.core import delivery  # it brings MLflow

    send = delivery.sender(experiment, comparison, places, display)
    pipeline.train(experiment, comparison, places, display, send)
    pipeline.compare(experiment, comparison, places)
    send()


def _found(run: RunConfig, places: Places, digest: str, track: bool) -> dict[str, Any]:
    """What the results say of one run."""
    metrics, cost = (_row(places.results / f"{name}.csv", run) for name in ("metrics", "cost"))
    measure, test, _ = console.measured(run.config, run.config.task)
    name = measure.lower()
    return {
        "model": _model(run, places),
        f"test_{name}": _error(metrics, test),
        f"val_{name}": _error(metrics, f"best/val_{name}"),
        "history": _history(run, places),
        "shift_curve": _curve(metrics, r"shift_([\d.]+)/mse", float),
        "step_curve": {
            where: curve
            for where, group in RANGES.items()
            if (curve := _curve(metrics, rf"{group}/mse_at_(\d+)", int))
        },
        "seconds": float(cost["seconds"]),
        "mlflow_run_id": _run_id(run, places) if track else None,
        "data_hash": digest,
    }


def _row(path: Path, run: RunConfig) -> "pd.Series[Any]":
    table = read_table(path)
    return table[table["variant"] == run.key.variant].iloc[0]


def _error(metrics: "pd.Series[Any]", name: str) -> float:
    """A metric; infinite where it lacks, because the run has diverged."""
    value = float(metrics.get(name, math.inf))
    return math.inf if math.isnan(value) else value


def _curve(metrics: "pd.Series[Any]", pattern: str, number: type[N]) -> dict[N, float]:
    """Number in the name of a metric -> its value."""
    matches = {str(name): re.fullmatch(pattern, str(name)) for name in metrics.index}
    return {
        number(match[1]): float(metrics[name])
        for name, match in matches.items()
        if match and not math.isnan(float(metrics[name]))
    }


def _model(run: RunConfig, places: Places) -> nn.Module | None:
    """The trained module; None where none was kept, because it has diverged."""
    folder = places.results / "models" / run.key.variant
    if not folder.is_dir():
        return None
    settings, test = run.config, None
    if settings.task != LISTOPS:
        test = read_task(places.data, settings.task, run.key.seed)[seen_name(settings)]
    return _placed(module_of(read_model(folder), run), settings, test)


def _history(run: RunConfig, places: Places) -> list[dict[str, float]]:
    """The evaluations of a run: step, and what was measured."""
    table = curves.collect(places.work, lambda name: name in console.LIVE_METRICS)
    own = table[table["variant"] == run.key.variant].drop(columns=["variant", "seed", "epoch"])
    rows = [{str(n): float(v) for n, v in row.dropna().items()} for _, row in own.iterrows()]
    return [{**row, "step": int(row["step"])} for row in rows]


def _run_id(run: RunConfig, places: Places) -> str | None:
    """The MLflow run of a run's variant; None where MLflow could not be reached."""
    children = read_json(places.results / "run.json")["children"]
    names = (run.key.variant, f"{run.key.variant} seed {run.key.seed}")
    return next((children[name] for name in names if name in children), None)

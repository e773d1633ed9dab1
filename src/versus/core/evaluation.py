"""Trained models measured again: metrics must equal what training recorded, to the bit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from versus.core import config as configs
from versus.core import fetching, stages
from versus.core.display import Display
from versus.core.errors import DataError, TrackingError, VerificationError
from versus.core.experiment import Experiment, ModelPart, Suite
from versus.core.models import read_model
from versus.core.paths import project_root, read_json, shown, write_json
from versus.core.runs import BaseComparison
from versus.core.stages import Places, locked
from versus.core.tables import mean, write_table

NOT_RECORDED = ("item_id", "cluster_id", "seed", "group", "score")
"""Columns of the items that training records no metric of; ``score`` repeats one of the others."""


def read_suite(experiment: str, path: Path | None = None) -> Suite:
    """Read an evaluation suite, by default ``evaluation/<experiment>.yaml``.

    Raises:
        ConfigError: if it is missing or malformed.
    """
    path = path or project_root() / "evaluation" / f"{experiment}.yaml"
    return configs.load(Suite, [(shown(path), configs.read_yaml(path))])


def evaluate_results(experiment: Experiment, places: Places, display: Display) -> None:
    """Evaluate every model of a results folder; write ``evaluation.json`` and ``items/``."""
    suite = read_suite(read_json(places.results / "config.json")["experiment"])
    with locked(places.results):
        summaries = {}
        for folder in sorted((places.results / "models").iterdir()):
            items, summary = evaluate(experiment, read_model(folder), places.data, suite)
            summaries[folder.name] = summary
            write_table(items, places.results / "items" / f"{folder.name}.csv")
            display.note(f"{folder.name}: {summary['reproduced']} metrics reproduced exactly")
        write_json(places.results / "evaluation.json", {"models": summaries})


def evaluate_folder(experiment: Experiment, suite: Suite, path: Path, display: Display) -> None:
    """Evaluate a model folder, or all models of a results folder.

    Raises:
        DataError: if there is no model.
    """
    single = (path / "weights.safetensors").is_file()
    folders = [path] if single else sorted(path.glob("models/*"))
    if not folders:
        raise DataError(f"{shown(path)}: holds neither a model nor a folder models/")
    for folder in folders:
        _, summary = evaluate_anywhere(experiment, read_model(folder), suite)
        _show(summary, display)


def evaluate_registered(experiment: Experiment, suite: Suite, uri: str, display: Display) -> None:
    """Evaluate a registered model and log that as a run of its own."""
    fetched = fetching.fetch(uri, root=project_root())
    part = read_model(fetched.folder)
    _, summary = evaluate_anywhere(experiment, part, suite)
    _show(summary, display)
    try:
        run = fetching.log_evaluation(
            fetched,
            summary["metrics"],
            dataset=(part.config["experiment"], part.config["data_digest"]),
            root=project_root(),
        )
        display.note(f"  evaluation run {run}")
    except TrackingError as error:
        display.warn(f"the evaluation is not logged: {error}")


def evaluate_anywhere(
    experiment: Experiment, part: ModelPart, suite: Suite
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Evaluate a model on data made again from its own config.

    Returns:
        What :func:`evaluate` returns.

    Raises:
        ConfigError: if its config is not one that this version of the experiment understands.
        DataError: if the data that the model was trained on cannot be made again here.
        VerificationError: see :func:`evaluate`.
    """
    source = f"config.json of {part.name}"
    comparison: BaseComparison = configs.load(
        experiment.Comparison, [(source, part.config["comparison"])]
    )
    places = stages.adhoc_places(experiment, comparison, "evaluation")
    digest = stages.prepare(experiment, comparison, places.data)
    if digest != part.config["data_digest"]:
        raise DataError(
            f"{part.name}: was trained on data {part.config['data_digest']}, but its params give "
            f"{digest} here; the code that makes the data has changed since"
        )
    return evaluate(experiment, part, places.data, suite)


def _show(summary: Mapping[str, Any], display: Display) -> None:
    reproduced, items = summary["reproduced"], summary["items"]
    display.line(f"{summary['model']}: {reproduced} metrics reproduced exactly, {items} items")
    for name, value in summary["metrics"].items():
        display.line(f"  {name} {value:.6g}")


def evaluate(
    experiment: Experiment, part: ModelPart, data: Path, suite: Suite
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Measure one model on its data.

    Returns:
        The items, and a summary with the mean of every metric of the suite and the number of
        metrics that equal those of training to the bit.

    Raises:
        VerificationError: if a metric differs from the one that training recorded, or a mean
            exceeds its threshold.
    """
    items = experiment.evaluate(part, data)
    equal = _check_parity(part, items)
    means = {name: mean(items[name]) for name in suite.metrics if name in items}
    high = {m: v for m, v in means.items() if v > suite.thresholds.get(m, float("inf"))}
    if high:
        raise VerificationError(
            f"{part.name}: above the suite's thresholds: {high}; the model is not accepted"
        )
    return items, {"model": part.name, "items": len(items), "metrics": means, "reproduced": equal}


def _check_parity(part: ModelPart, items: pd.DataFrame) -> int:
    checked = 0
    names = [c for c in items if c not in NOT_RECORDED]
    for (seed, group), rows in items.groupby(["seed", "group"]):
        recorded = part.config["final_metrics"][str(seed)]
        for name in names:
            value, expected = mean(rows[name]), float(recorded.get(f"{group}/{name}", "nan"))
            if value != expected and not (value != value and expected != expected):
                raise VerificationError(
                    f"{part.name}: {group}/{name} of seed {seed} is {value!r}, but training "
                    f"recorded {expected!r}; the weights, the data or the code have changed since"
                )
            checked += 1
    return checked

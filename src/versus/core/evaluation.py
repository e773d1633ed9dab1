"""Trained models measured again: metrics must equal what training recorded, to the bit."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from versus.core import config as configs
from versus.core import fetching, stages, trust
from versus.core.display import Display
from versus.core.errors import ConfigError, DataError, TrackingError, VerificationError
from versus.core.experiment import Experiment, ModelPart, Suite
from versus.core.models import read_model
from versus.core.paths import project_root, read_json, shown, write_json
from versus.core.runs import UNRELATED, BaseComparison
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


def suite_file(experiment: str, name: str) -> Path | None:
    """The suite that a user means: a file, or NAME of ``evaluation/<experiment>-NAME.yaml``.

    Raises:
        ConfigError: if there is neither.
    """
    if not name or Path(name).suffix == ".yaml":
        return Path(name) if name else None
    folder = project_root() / "evaluation"
    path = folder / f"{experiment}-{name}.yaml"
    if not path.is_file():
        found = sorted(folder.glob(f"{experiment}-*.yaml"))
        known = ", ".join(p.stem.removeprefix(f"{experiment}-") for p in found)
        raise ConfigError(
            f"--suite: {experiment} has no suite {name!r}; give a file, or one of: "
            f"{known or 'none'}"
        )
    return path


def evaluate_results(experiment: Experiment, places: Places, display: Display) -> None:
    """Evaluate every model of a results folder; write ``evaluation.json`` and ``items/``."""
    suite = read_suite(read_json(places.results / "config.json")["experiment"])
    with locked(places.results):
        summaries = {}
        for folder in sorted((places.results / "models").iterdir()):
            part = read_model(folder)
            items, summary = evaluate(experiment, part, places.data, suite)
            summaries[folder.name] = summary
            write_table(items, places.results / "items" / f"{folder.name}.csv")
            _write_report(experiment, part, items, places.results / "items" / folder.name)
            display.note(f"{folder.name}: {summary['reproduced']} metrics reproduced exactly")
        write_json(places.results / "evaluation.json", {"models": summaries})


def evaluate_folder(
    experiment: Experiment, suite: Suite, path: Path, display: Display, reattach: bool = False
) -> None:
    """Evaluate a model folder, or all models of a results folder.

    Args:
        experiment: whose models they are.
        suite: what is measured.
        path: of the folder.
        display: shows the metrics.
        reattach: see :func:`evaluate_anywhere`.

    Raises:
        DataError: if there is no model.
    """
    single = (path / "weights.safetensors").is_file()
    folders = [path] if single else sorted(path.glob("models/*"))
    if not folders:
        raise DataError(f"{shown(path)}: holds neither a model nor a folder models/")
    for folder in folders:
        _, summary = evaluate_anywhere(experiment, read_model(folder), suite, reattach)
        _show(summary, display)


def evaluate_registered(
    experiment: Experiment, suite: Suite, uri: str, display: Display, reattach: bool = False
) -> None:
    """Evaluate a registered model and log that as a run of its own."""
    fetched = fetching.fetch(uri, root=project_root())
    part = read_model(fetched.folder)
    _, summary = evaluate_anywhere(experiment, part, suite, reattach)
    _show(summary, display)
    try:
        run = fetching.log_evaluation(
            fetched,
            summary["metrics"],
            dataset=(part.config["experiment"], summary["data_digest"]),
            root=project_root(),
            tags=summary["tags"],
            files=summary["files"],
        )
        display.note(f"  evaluation run {run}")
    except TrackingError as error:
        display.warn(f"the evaluation is not logged: {error}")


def evaluate_anywhere(
    experiment: Experiment, part: ModelPart, suite: Suite, reattach: bool = False
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Evaluate a model on data made again from its own config, with the suite's overrides.

    Args:
        experiment: whose model it is.
        part: the model.
        suite: what is measured.
        reattach: whether the model may be put on parts that it was not trained with, where the
            experiment has such.

    Returns:
        What :func:`evaluate` returns; the summary also tells ``files`` of the experiment's report,
        ``data_digest`` and ``tags``.

    Raises:
        ConfigError: if its config is not one that this version of the experiment understands, or
            an override does not reach the model.
        DataError: if the data that the model was trained on cannot be made again here.
        VerificationError: see :func:`evaluate`.
    """
    comparison = _asked(experiment, part, suite)
    places = stages.adhoc_places(experiment, comparison, "evaluation")
    digest = stages.prepare(experiment, comparison, places.data)
    if not suite.overrides and digest != part.config["data_digest"]:
        raise DataError(
            f"{part.name}: was trained on data {part.config['data_digest']}, but its params give "
            f"{digest} here; the code that makes the data has changed since"
        )
    settings = comparison.model_dump(mode="json", exclude=UNRELATED)
    asked = {**part.config, "comparison": settings, "reattach": reattach}
    part = replace(part, config=asked)
    items, summary = evaluate(experiment, part, places.data, suite)
    told = {"overrides": " ".join(f"{k}={v}" for k, v in suite.overrides.items())}
    tags = {**told, "reattach": "true" if reattach else "", **experiment.tags(comparison)}
    folder = places.results / str(part.config.get("variant", part.name))
    files = _write_report(experiment, part, items, folder)
    about = {"files": files, "data_digest": digest, "tags": {k: v for k, v in tags.items() if v}}
    return items, {**summary, **about}


def _asked(experiment: Experiment, part: ModelPart, suite: Suite) -> BaseComparison:
    """The model's own comparison with the suite's overrides, which must reach its variant."""
    layers = [(f"config.json of {part.name}", part.config["comparison"])]
    layers += [("override", configs.nested(key, v)) for key, v in suite.overrides.items()]
    comparison: BaseComparison = configs.load(experiment.Comparison, layers)
    trust.check_code(part.name, comparison)
    if not suite.overrides:
        return comparison
    (arm,) = [arm for arm in comparison.arms() if arm.name == part.config["variant"]]
    settings = comparison.with_overrides(arm).model_dump(mode="json")
    whole = comparison.model_dump(mode="json")
    for key in suite.overrides:
        own, general = (_value(tree, key) for tree in (settings, whole))
        if own != general:
            raise ConfigError(
                f"{key}: variant {arm.name} of {part.name} sets it itself, to {own!r}; leave that "
                f"override out, received {general!r}"
            )
    return comparison


def _value(tree: Any, key: str) -> Any:
    """What a tree holds at a dotted key; None where there is nothing."""
    for name in key.split("."):
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def _write_report(
    experiment: Experiment, part: ModelPart, items: pd.DataFrame, folder: Path
) -> list[Path]:
    """Write what the experiment tells of the items beyond their metrics."""
    found = experiment.report(part, items)
    for name, content in found.items():
        write_json(folder / name, content)
    return [folder / name for name in found]


def _show(summary: Mapping[str, Any], display: Display) -> None:
    reproduced, items = summary["reproduced"], summary["items"]
    told = f"{reproduced} metrics reproduced exactly"
    if reproduced is None:
        told = "measured with other settings than in training"
    display.line(f"{summary['model']}: {told}, {items} items")
    for name, value in summary["metrics"].items():
        display.line(f"  {name} {value:.6g}")
    for path in summary["files"]:
        display.line(f"  {shown(path)}")


def evaluate(
    experiment: Experiment, part: ModelPart, data: Path, suite: Suite
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Measure one model on its data.

    Returns:
        The items, and a summary with the mean of every metric of the suite and the number of
        metrics that equal those of training to the bit; None where overrides make it another
        measurement.

    Raises:
        VerificationError: if a metric differs from the one that training recorded, or a mean
            exceeds its threshold.
    """
    items = experiment.evaluate(part, data)
    equal = None if suite.overrides else _check_parity(part, items)
    means = {name: mean(items[name]) for name in suite.metrics if name in items}
    high = {m: v for m, v in means.items() if v > suite.thresholds.get(m, float("inf"))}
    if high:
        raise VerificationError(
            f"{part.name}: above the suite's thresholds: {high}; the model is not accepted"
        )
    return items, {"model": part.name, "items": len(items), "metrics": means, "reproduced": equal}


def _check_parity(part: ModelPart, items: pd.DataFrame) -> int:
    checked = 0
    numbers = items.select_dtypes(["number", "bool"])
    names = [c for c in numbers if c not in NOT_RECORDED]
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

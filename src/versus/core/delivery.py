"""What the command line does with a comparison: deliver it to MLflow, evaluate it, sum it up."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import versus
from versus.core import pipeline, registry, stages, tracking
from versus.core.display import Display
from versus.core.errors import ConfigError, DataError, TrackingError
from versus.core.experiment import BaseComparison, Experiment, ModelPart, Suite, find
from versus.core.paths import project_root, read_json, shown, write_json
from versus.core.stages import Places
from versus.core.verdict import glance


def sender(
    experiment: Experiment, comparison: BaseComparison, places: Places, display: Display
) -> Callable[[], None]:
    """A function that sends the comparison to MLflow and, when it is finished, its models.

    Where MLflow cannot be reached it warns, and sends no more: everything is on disk.
    """
    reachable = True

    def send() -> None:
        nonlocal reachable
        if not reachable:
            return
        try:
            adopt_restored(experiment, comparison, places)
            deliver(places.work)
        except TrackingError as error:
            display.warn(f"{error}\nthe results are on disk; `versus sync` sends them later")
            reachable = False

    return send


def adopt_restored(experiment: Experiment, comparison: BaseComparison, places: Places) -> None:
    """Tell MLflow of results that DVC restored from its cache, so that no training has told.

    Raises:
        TrackingError: if the store cannot be reached.
    """
    if (places.work / "status.json").is_file():
        return
    digest = read_json(places.results / "config.json")["data_digest"]
    described = pipeline.describe(experiment, comparison, places, digest)
    tracking.project_results(places.work, described, root=project_root())


def deliver(work: Path) -> None:
    """Send what MLflow does not have yet of one work folder, and register finished models.

    Raises:
        TrackingError: if the store cannot be reached.
    """
    state = read_json(work / "status.json")["state"]
    links = tracking.project(
        work,
        root=project_root(),
        parent_run=os.environ.get("MLFLOW_RUN_ID"),
        terminal=state != "running",
    )
    described = read_json(work / "comparison.json")
    results = (work / described["results"]).resolve()
    if state != "finished":
        return
    if described["register"]:
        _register(results, links, described)
    # For whoever reads the results folder: where its runs are. No path of this machine.
    write_json(results / "run.json", {"parent": links.parent, "children": dict(links.children)})


def _register(results: Path, links: tracking.Links, described: Mapping[str, Any]) -> None:
    experiment = find(described["experiment"])
    for folder in sorted((results / "models").iterdir()):
        part = pipeline.read_model(folder)
        tags = {
            "variant": str(part.config["variant"]),
            "config_digest": str(described["digest"]),
            "data_digest": str(part.config["data_digest"]),
            "versus_version": versus.__version__,
        }
        example = experiment.example(part)
        registry.register(
            part.name,
            folder,
            run_id=links.children.get(part.config["variant"], links.parent),
            root=project_root(),
            tags=tags,
            example=(example, experiment.predictor(part)(example)),
        )


def sync(display: Display) -> None:
    """Send every work folder that MLflow does not know in full.

    Raises:
        TrackingError: if the store cannot be reached.
    """
    root = project_root()
    folders = tracking.pending(root / "runs")
    for folder in folders:
        tracking.close_if_dead(folder)
        deliver(folder)
        display.line(f"sent {shown(folder)}")
    if not folders:
        display.line("nothing to send")


def links(places: Places) -> list[str]:
    """Where the comparison is found in the MLflow UI."""
    found = tracking.links(places.work)
    return found.lines() if found else []


def summary(experiment: Experiment, verdict: Mapping[str, Any], places: Places) -> str:
    """The verdict as a person reads it; the bare metrics where there is one run."""
    if len(verdict["variants"]) > 1 or len(verdict["seeds"]) > 1:
        better = "lower" if verdict["direction"] == "minimize" else "higher"
        about = f"{len(verdict['seeds'])} seeds; {better} is better; marked: significant after Holm"
        caveats = [f"note: {caveat}" for caveat in verdict["caveats"]]
        page = f"the whole verdict: {shown(places.results / 'verdict.md')}"
        return "\n".join([about, glance(verdict), *caveats, page])
    return experiment.describe_run(places.results)


# --- evaluation -----------------------------------------------------------------------------------


def evaluate_results(experiment: Experiment, places: Places, display: Display) -> None:
    """Evaluate every model of a results folder; write ``evaluation.json``."""
    suite = pipeline.read_suite(
        _suite_path(read_json(places.results / "config.json")["experiment"])
    )
    folders = sorted((places.results / "models").iterdir())
    summaries = {}
    for folder in folders:
        _, summaries[folder.name] = _evaluate(
            experiment, pipeline.read_model(folder), suite, places.data
        )
        display.note(
            f"{folder.name}: {summaries[folder.name]['reproduced']} metrics reproduced exactly"
        )
    write_json(places.results / "evaluation.json", {"models": summaries})


def evaluate_models(
    experiment: Experiment, suite: Suite, uri: str | None, path: Path | None, display: Display
) -> None:
    """Evaluate registered models (``uri``, else those of the suite) or a folder (``path``)."""
    if path is not None:
        single = (path / "weights.safetensors").is_file()
        folders = [path] if single else sorted(path.glob("models/*"))
        if not folders:
            raise DataError(f"{shown(path)}: holds neither a model nor a folder models/")
        for folder in folders:
            _evaluate_and_show(experiment, pipeline.read_model(folder), suite, display, None)
        return
    for one in [uri] if uri else suite.models:
        fetched = registry.fetch(one, root=project_root())
        _evaluate_and_show(experiment, pipeline.read_model(fetched.folder), suite, display, fetched)


def _evaluate_and_show(
    experiment: Experiment,
    part: ModelPart,
    suite: Suite,
    display: Display,
    fetched: registry.FetchedModel | None,
) -> None:
    comparison: BaseComparison = experiment.Comparison.model_validate(part.config["comparison"])
    places = stages.adhoc_places(experiment, comparison, "evaluation")
    digest = stages.prepare(experiment, comparison, places.data)
    if digest != part.config["data_digest"]:
        raise DataError(
            f"{part.name}: was trained on data {part.config['data_digest']}, but its params give "
            f"{digest} here; the code that makes the data has changed since"
        )
    _, result = _evaluate(experiment, part, suite, places.data)
    display.line(
        f"{part.name}: {result['reproduced']} metrics reproduced exactly, {result['items']} items"
    )
    for name, value in result["metrics"].items():
        display.line(f"  {name} {value:.6g}")
    if fetched is not None:
        try:
            run = registry.log_evaluation(
                fetched,
                result["metrics"],
                dataset=(comparison.experiment, digest),
                root=project_root(),
            )
            display.note(f"  evaluation run {run}")
        except TrackingError as error:
            display.warn(f"the evaluation is not logged: {error}")


def _evaluate(
    experiment: Experiment, part: ModelPart, suite: Suite, data: Path
) -> tuple[Any, dict[str, Any]]:
    return pipeline.evaluate(experiment, part, data, suite)


def _suite_path(experiment: str) -> Path:
    path = project_root() / "evaluation" / f"{experiment}.yaml"
    if not path.is_file():
        raise ConfigError(f"{shown(path)}: no such suite; name one with --suite")
    return path

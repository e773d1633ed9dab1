"""A comparison delivered to MLflow: sent, its models registered, synced later if need be."""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import versus
from versus.core import pipeline, registry, tracking
from versus.core.display import Display
from versus.core.errors import TrackingError
from versus.core.experiment import Experiment, ModelPart, find
from versus.core.models import read_model
from versus.core.paths import project_root, read_json, shown, write_json
from versus.core.runs import BaseComparison
from versus.core.stages import Places, locked


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
    models = _register(results, links, described) if described["register"] else {}
    # For whoever reads the results folder: where its runs are. No path of this machine.
    runs = {"parent": links.parent, "address": links.urls[0], "children": dict(links.children)}
    write_json(results / "run.json", {**runs, "models": models})


def _register(
    results: Path, links: tracking.Links, described: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Folder of each model -> its registered name and version."""
    found = {}
    experiment = find(described["experiment"])
    parts = {folder: read_model(folder) for folder in sorted((results / "models").iterdir())}
    for folder, part in sorted(parts.items(), key=lambda item: _merit(item[1], described)):
        tags = {
            "variant": str(part.config["variant"]),
            "config_digest": str(described["digest"]),
            "data_digest": str(part.config["data_digest"]),
            "versus_version": versus.__version__,
        }
        example = experiment.example(part)
        version = registry.register(
            part.name,
            folder,
            run_id=links.children.get(part.config["variant"], links.parent),
            root=project_root(),
            tags=tags,
            example=(example, experiment.predictor(part)(example)) if example else None,
            needs=experiment.REQUIREMENTS,
        )
        found[folder.name] = {"name": part.name, "version": version}
    return found


def _merit(part: ModelPart, described: Mapping[str, Any]) -> tuple[float, ...]:
    """Grows as the means of the metrics that select get better.

    Of several variants under one name the best is registered last, and so becomes the candidate.
    """
    sign = 1.0 if described.get("direction") == "maximize" else -1.0
    rows = part.config["final_metrics"].values()
    names = described.get("selection") or described["primary"]
    means = [fmean(float(row.get(m, "nan")) for row in rows) for m in names]
    return tuple(-math.inf if math.isnan(value) else sign * value for value in means)


def sync(display: Display) -> int:
    """Send every work folder that MLflow does not know in full; return how many there were.

    Raises:
        TrackingError: if the store cannot be reached.
    """
    root = project_root()
    folders = tracking.pending(root / "runs")
    for folder in folders:
        tracking.close_if_dead(folder)
        with locked(folder):
            deliver(folder)
        display.line(f"sent {shown(folder)}")
    return len(folders)


def links(places: Places) -> list[str]:
    """Where the comparison is found in the MLflow UI."""
    found = tracking.links(places.work)
    return found.lines() if found else []

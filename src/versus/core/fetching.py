"""Registered models brought back to this machine, and their evaluations logged."""

import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from versus.core.errors import RegistryError
from versus.core.registry import FILES, download, finite, log_use, opened, versions
from versus.core.tracking import Store
from versus.core.workfolder import Point

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

LOGGED = re.compile(r"models:/(?P<id>m-[0-9a-f]{32})")
"""Where a version registered by versus comes from; the id is the name of a folder here."""
URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")


@dataclass(frozen=True)
class FetchedModel:
    """A registered model on this machine.

    Attributes:
        folder: holds ``weights.safetensors`` and ``config.json``.
        name: registered name.
        version: its version.
        run_id: the run that trained it.
        model_id: MLflow's id of the logged model.
        tags: tags of the version.
    """

    folder: Path
    name: str
    version: str
    run_id: str
    model_id: str
    tags: Mapping[str, str]


def fetch(uri: str, root: Path) -> FetchedModel:
    """Bring a registered model to this machine, once.

    Args:
        uri: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
        root: see :func:`versus.core.tracking.project`.

    Raises:
        RegistryError: if there is no such model, alias or version, or it is not one of ours.
        TrackingError: if the store cannot be used.
    """
    match = URI.fullmatch(uri)
    if match is None:
        raise RegistryError(
            f"{uri!r}: not a model; write models:/NAME@ALIAS or models:/NAME/VERSION"
        )
    with opened(root) as store:
        version = _find_version(store.client, uri, match)
        model_id = _logged_model(uri, version)
        return FetchedModel(
            folder=_download(store, uri, model_id),
            name=str(version.name),
            version=str(version.version),
            run_id=str(version.run_id),
            model_id=model_id,
            tags=dict(version.tags),
        )


def _find_version(client: "MlflowClient", uri: str, match: "re.Match[str]") -> "ModelVersion":
    name, alias = match["name"], match["alias"]
    there = {str(version.version): version for version in registered_versions(client, name)}
    aliases = {k: str(v) for k, v in client.get_registered_model(name).aliases.items()}
    wanted = aliases.get(alias) if alias else match["version"]
    if wanted not in there:
        named = ", ".join(f"@{k} (version {v})" for k, v in sorted(aliases.items()))
        raise RegistryError(
            f"{uri}: {name} has the versions {', '.join(sorted(there, key=int))} and the "
            f"aliases {named or 'none'}; choose one of these"
        )
    return there[wanted]


def _logged_model(uri: str, version: "ModelVersion") -> str:
    match = LOGGED.fullmatch(str(version.source))
    if match is None:
        raise RegistryError(
            f"{uri}: comes from {version.source!r:.120}, which is no logged model; it was not "
            "registered by versus"
        )
    return match["id"]


def registered_versions(client: "MlflowClient", name: str) -> list["ModelVersion"]:
    """All versions of a registered model.

    Raises:
        RegistryError: if there are none.
    """
    found = versions(client, name)
    if not found:
        known = sorted(model.name for model in client.search_registered_models(max_results=50))
        raise RegistryError(
            f"models:/{name}: no model is registered as {name!r}; there are "
            f"{', '.join(known) or 'none'}; `versus train` registers models"
        )
    return found


def _download(store: Store, uri: str, model_id: str) -> Path:
    """The model's two files under ``.cache``; a logged model never changes, so once is enough."""
    folder = store.root / ".cache" / "models" / model_id
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        files = download(store, model_id, Path(temporary))
        if not all(path.is_file() for path in files):
            raise RegistryError(
                f"{uri}: holds no {' and '.join(FILES.values())}; it was not registered by versus"
            )
        complete = Path(temporary) / "complete"
        complete.mkdir()
        for path in files:
            shutil.move(path, complete / path.name)
        try:
            complete.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was first
                raise
    return folder


def log_evaluation(
    fetched: FetchedModel | None,
    metrics: Mapping[str, float],
    *,
    dataset: tuple[str, str],
    root: Path,
    tags: Mapping[str, str] | None = None,
    files: Sequence[Path] = (),
) -> str:
    """Log an evaluation as a run that names the model version, the data and the training run.

    Args:
        fetched: the model; ``None`` for one that comes from a folder.
        metrics: what was measured.
        dataset: name of the experiment, and digest of its data.
        root: see :func:`versus.core.tracking.project`.
        tags: more tags.
        files: kept with the run.

    Returns:
        The id of the evaluation run.

    Raises:
        TrackingError: if the store cannot be used.
    """
    experiment, digest = dataset
    own = {"kind": "evaluation", "data_digest": digest, **(tags or {})}
    if fetched is not None:
        own |= {"model": fetched.name, "version": fetched.version, "training_run": fetched.run_id}
    label = f"evaluate {fetched.name} {fetched.version}" if fetched else f"evaluate {experiment}"
    now = time.time_ns() // 1_000_000
    points = [Point(name, value, now, 0) for name, value in finite(metrics).items()]
    with opened(root) as store:
        number = store.experiment(experiment)
        store.end_abandoned(number, "evaluation")
        run = store.create_run(number, label, own).info.run_id
        data = {"name": experiment, "digest": digest}
        store.log_dataset(run, data, "evaluation")
        if fetched is not None:
            log_use(store, run, fetched.model_id)
        store.log_points(run, points)
        for path in files:
            store.log_artifact(run, path, None)
        store.set_status(run, "FINISHED")
    return str(run)

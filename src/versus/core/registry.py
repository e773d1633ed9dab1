"""Registered models: safetensors and JSON behind one pyfunc shim, never a pickle.

Client calls with explicit ids only, as in :mod:`versus.core.tracking`. A version is identified by
run, name and contents, so that registering again after a kill finds what is already there.
"""

import os
import re
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from versus.core.errors import DataError, RegistryError
from versus.core.paths import shown
from versus.core.tracked import metric_name
from versus.core.tracking import Store, reporting, tracking_uri
from versus.core.workfolder import Point, fingerprint

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

FILES = {"weights": "weights.safetensors", "config": "config.json"}
CANDIDATE = "candidate"
CONTENTS = "versus.contents"
# What a server needs to run the shim, besides versus-lab, which no index has: install it from the
# commit that the version's tags name.
NEEDED = (
    "filelock",
    "mlflow",
    "numpy",
    "pandas",
    "pydantic",
    "ruamel.yaml",
    "safetensors",
    "scipy",
    "torch",
    "tqdm",
)
URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")
Example = tuple[Mapping[str, Any], Mapping[str, Any]]


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


# --- registering ----------------------------------------------------------------------------------


def register(
    name: str,
    folder: Path,
    *,
    run_id: str,
    root: Path,
    tags: Mapping[str, str] | None = None,
    metrics: Mapping[str, float] | None = None,
    example: Example | None = None,
) -> str:
    """Register the model of a folder as a version of ``name`` with the alias ``candidate``.

    Args:
        name: registered name.
        folder: holds ``weights.safetensors`` and ``config.json``.
        run_id: the run that trained it.
        root: see :func:`versus.core.tracking.project`.
        tags: tags of the version.
        metrics: shown with the model.
        example: arrays in and out, from which the signature is made.

    Returns:
        The version; the one that is there if these contents were registered for this run before.

    Raises:
        DataError: if a file is missing.
        TrackingError: if the store cannot be used.
    """
    paths = {key: folder / file for key, file in FILES.items()}
    for path in paths.values():
        if not path.is_file():
            raise DataError(f"{shown(path)}: missing; train the comparison again")
    contents = fingerprint(paths.values())
    with _opened(root) as store:
        version = _known_version(store.client, name, run_id, contents)
        if version is None:
            model_id = _logged_model(store, name, run_id, contents, paths, metrics or {}, example)
            all_tags = {**(tags or {}), CONTENTS: contents}
            version = _make_version(store.client, name, run_id, model_id, all_tags)
        _nominate(store.client, name, version)
    return version


def _known_version(client: "MlflowClient", name: str, run_id: str, contents: str) -> str | None:
    for version in _versions(client, name):
        if version.run_id == run_id and version.tags.get(CONTENTS) == contents:
            return str(version.version)
    return None


def _logged_model(
    store: Store,
    name: str,
    run_id: str,
    contents: str,
    paths: Mapping[str, Path],
    metrics: Mapping[str, float],
    example: Example | None,
) -> str:
    """Id of the logged model with these contents; what a kill left half-made is removed."""
    experiment = store.client.get_run(run_id).info.experiment_id
    mine = f"source_run_id = '{run_id}' AND name = '{name}' AND tags.`{CONTENTS}` = '{contents}'"
    for model in store.client.search_logged_models([experiment], mine):
        if model.status == "READY":
            return str(model.model_id)
        store.client.delete_logged_model(model.model_id)
    model = store.client.create_logged_model(
        experiment, name, source_run_id=run_id, tags={CONTENTS: contents}, model_type="pyfunc"
    )
    _upload(store.client, model, run_id, paths, example)
    _log_metrics(store.client, run_id, model.model_id, metrics)
    store.client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def _upload(
    client: "MlflowClient",
    model: Any,
    run_id: str,
    paths: Mapping[str, Path],
    example: Example | None,
) -> None:
    with _without_advice():
        from mlflow import pyfunc
        from mlflow.entities import LoggedModelOutput
        from mlflow.models import Model, infer_signature

    description = Model(
        artifact_path=model.artifact_location,
        model_uuid=model.model_id,
        model_id=model.model_id,
        run_id=run_id,
    )
    with tempfile.TemporaryDirectory() as temporary, _without_advice():
        target = Path(temporary) / "model"
        pyfunc.save_model(
            target,
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={key: str(path) for key, path in paths.items()},
            mlflow_model=description,
            signature=infer_signature(*map(dict, example)) if example else None,
            pip_requirements=_requirements(),
        )
        client.log_model_artifacts(model.model_id, str(target))
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])


@contextmanager
def _without_advice() -> Iterator[None]:
    """MLflow warns that the shim has neither type hints of its kind nor a stored example."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _requirements() -> list[str]:
    """Pins of what is installed, without the ``+cpu`` that no index knows."""
    return [f"{name}=={metadata.version(name).partition('+')[0]}" for name in NEEDED]


def _log_metrics(
    client: "MlflowClient", run_id: str, model_id: str, metrics: Mapping[str, float]
) -> None:
    from mlflow.entities import Metric

    now = time.time_ns() // 1_000_000
    entries = [
        Metric(metric_name(f"model/{name}"), value, now, 0, model_id=model_id)
        for name, value in _finite(metrics).items()
    ]
    if entries:
        client.log_batch(run_id, metrics=entries)


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {k: v for k, v in metrics.items() if abs(v) < float("inf")}


def _make_version(
    client: "MlflowClient", name: str, run_id: str, model_id: str, tags: Mapping[str, str]
) -> str:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    made = client.create_model_version(
        name, f"models:/{model_id}", run_id, tags=dict(tags), model_id=model_id
    )
    return str(made.version)


def _nominate(client: "MlflowClient", name: str, version: str) -> None:
    """The newest version is the candidate; an older one that is registered again is not."""
    current = client.get_registered_model(name).aliases.get(CANDIDATE)
    if current is None or int(current) < int(version):
        client.set_registered_model_alias(name, CANDIDATE, version)


# --- fetching -------------------------------------------------------------------------------------


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
    with _opened(root) as store:
        version = _find_version(store.client, uri, match)
        model_id = str(version.source).removeprefix("models:/")
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
    versions = {str(version.version): version for version in _versions(client, name)}
    if not versions:
        known = sorted(model.name for model in client.search_registered_models(max_results=50))
        raise RegistryError(
            f"{uri}: no model is registered as {name!r}; there are {', '.join(known) or 'none'}; "
            "`versus train` registers models"
        )
    aliases = {k: str(v) for k, v in client.get_registered_model(name).aliases.items()}
    wanted = aliases.get(alias) if alias else match["version"]
    if wanted not in versions:
        named = ", ".join(f"@{k} (version {v})" for k, v in sorted(aliases.items()))
        raise RegistryError(
            f"{uri}: {name} has the versions {', '.join(sorted(versions, key=int))} and the "
            f"aliases {named or 'none'}; choose one of these"
        )
    return versions[wanted]


def _versions(client: "MlflowClient", name: str) -> list["ModelVersion"]:
    return list(client.search_model_versions(f"name = '{name}'"))


def _download(store: Store, uri: str, model_id: str) -> Path:
    """The model's two files under ``.cache``; a logged model never changes, so once is enough."""
    folder = store.root / ".cache" / "models" / model_id
    if folder.is_dir():
        return folder
    from mlflow.artifacts import download_artifacts

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        source = store.client.get_logged_model(model_id).artifact_location
        found = Path(download_artifacts(source, dst_path=temporary, tracking_uri=store.uri))
        files = [found / "artifacts" / file for file in FILES.values()]
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


# --- evaluations ----------------------------------------------------------------------------------


def log_evaluation(
    fetched: FetchedModel | None,
    metrics: Mapping[str, float],
    *,
    dataset: tuple[str, str],
    root: Path,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Log an evaluation as a run that names the model version, the data and the training run.

    Args:
        fetched: the model; ``None`` for one that comes from a folder.
        metrics: what was measured.
        dataset: name of the experiment, and digest of its data.
        root: see :func:`versus.core.tracking.project`.
        tags: more tags.

    Returns:
        The id of the evaluation run.

    Raises:
        TrackingError: if the store cannot be used.
    """
    from mlflow.entities import LoggedModelInput

    experiment, digest = dataset
    own = {"kind": "evaluation", "data_digest": digest, **(tags or {})}
    if fetched is not None:
        own |= {"model": fetched.name, "version": fetched.version, "training_run": fetched.run_id}
    label = f"evaluate {fetched.name} {fetched.version}" if fetched else f"evaluate {experiment}"
    now = time.time_ns() // 1_000_000
    points = [Point(name, value, now, 0) for name, value in _finite(metrics).items()]
    with _opened(root) as store:
        run = store.create_run(store.experiment(experiment), label, own).info.run_id
        data = {"name": experiment, "digest": digest}
        store.log_dataset(run, data, "evaluation")
        if fetched is not None:
            store.client.log_inputs(run, models=[LoggedModelInput(fetched.model_id)])
        store.log_points(run, points)
        store.set_status(run, "FINISHED")
    return str(run)


@contextmanager
def _opened(root: Path) -> Iterator[Store]:
    """The store of ``root``, also as MLflow's default: its registry looks models up there."""
    uri = tracking_uri(root)
    outer = {key: os.environ.get(key) for key in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
    os.environ["MLFLOW_TRACKING_URI"] = os.environ["MLFLOW_REGISTRY_URI"] = uri
    try:
        with reporting(uri):
            yield Store(uri, root)
    finally:
        for key, value in outer.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value

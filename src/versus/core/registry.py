"""Registering models: safetensors and JSON behind one pyfunc shim, never a pickle.

Client calls with explicit ids only, as in :mod:`versus.core.tracking`. A version is identified by
run, name and contents, so that registering again after a kill finds what is already there. Models
come back through :mod:`versus.core.fetching`, and :mod:`versus.core.champions` keeps their titles.
"""

import os
import platform
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import versus
from versus.core.errors import DataError
from versus.core.paths import shown
from versus.core.tracked import metric_name
from versus.core.tracking import Store, reporting, tracking_uri
from versus.core.workfolder import fingerprint

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

FILES = {"weights": "weights.safetensors", "config": "config.json"}
CANDIDATE, CHAMPION = "candidate", "champion"
CONTENTS = "versus.contents"
ENVIRONMENT = "environment"
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
Example = tuple[Mapping[str, Any], Mapping[str, Any]]
_one_at_a_time = threading.RLock()


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
    candidate: bool = True,
    needs: Sequence[str] = (),
) -> str:
    """Register the model of a folder as a version of ``name``.

    Args:
        name: registered name.
        folder: holds ``weights.safetensors`` and ``config.json``.
        run_id: the run that trained it.
        root: see :func:`versus.core.tracking.project`.
        tags: tags of the version.
        metrics: shown with the model.
        example: arrays in and out, from which the signature is made.
        candidate: whether the version gets the alias ``candidate``.
        needs: packages beyond :data:`NEEDED` that the model cannot do without.

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
    with opened(root) as store:
        all_tags = {**(tags or {}), CONTENTS: contents, ENVIRONMENT: environment()}
        version = _known_version(store.client, name, run_id, all_tags)
        if version is None:
            model_id = _logged_model(
                store, name, run_id, contents, paths, metrics or {}, example, needs
            )
            version = _make_version(store.client, name, run_id, model_id, all_tags)
        if candidate:
            _nominate(store.client, name, version)
    return version


def _known_version(
    client: "MlflowClient", name: str, run_id: str, tags: Mapping[str, str]
) -> str | None:
    """The version with these contents; tags that older code did not write are added."""
    for version in versions(client, name):
        if version.run_id == run_id and version.tags.get(CONTENTS) == tags[CONTENTS]:
            for key in tags.keys() - version.tags.keys():
                client.set_model_version_tag(name, version.version, key, tags[key])
            return str(version.version)
    return None


def environment() -> str:
    """What a model's numbers depend on besides its own files, such as ``python 3.11, ...``."""
    python = ".".join(platform.python_version_tuple()[:2])
    found = {"python": python, "torch": _version_of("torch"), "numpy": _version_of("numpy")}
    return ", ".join(f"{k} {v}" for k, v in {**found, "versus": versus.__version__}.items())


def _version_of(package: str) -> str:
    """The installed version, without the ``+cpu`` that no index knows."""
    return metadata.version(package).partition("+")[0]


def _logged_model(
    store: Store,
    name: str,
    run_id: str,
    contents: str,
    paths: Mapping[str, Path],
    metrics: Mapping[str, float],
    example: Example | None,
    needs: Sequence[str],
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
    _upload(store.client, model, run_id, paths, example, needs)
    _log_metrics(store.client, run_id, model.model_id, metrics)
    store.client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def _upload(
    client: "MlflowClient",
    model: Any,
    run_id: str,
    paths: Mapping[str, Path],
    example: Example | None,
    needs: Sequence[str],
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
            signature=infer_signature(*map(_as_seen, example)) if example else None,
            pip_requirements=_requirements(needs),
        )
        client.log_model_artifacts(model.model_id, str(target))
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])


def _as_seen(arrays: Mapping[str, Any]) -> Any:
    """Arrays by name; texts make them columns of a table, which is how MLflow takes texts."""
    import pandas as pd

    texts = any(array.dtype.kind == "U" for array in arrays.values())
    return pd.DataFrame(dict(arrays)) if texts else dict(arrays)


@contextmanager
def _without_advice() -> Iterator[None]:
    """MLflow warns that the shim has neither type hints of its kind nor a stored example."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _requirements(needs: Sequence[str]) -> list[str]:
    """Pins of what is installed."""
    return [f"{name}=={_version_of(name)}" for name in sorted({*NEEDED, *needs})]


def _log_metrics(
    client: "MlflowClient", run_id: str, model_id: str, metrics: Mapping[str, float]
) -> None:
    from mlflow.entities import Metric

    now = time.time_ns() // 1_000_000
    entries = [
        Metric(metric_name(f"model/{name}"), value, now, 0, model_id=model_id)
        for name, value in finite(metrics).items()
    ]
    if entries:
        client.log_batch(run_id, metrics=entries)


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics that MLflow can hold."""
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


# --- the store ------------------------------------------------------------------------------------


def versions(client: "MlflowClient", name: str) -> list["ModelVersion"]:
    """All versions of a registered model; none where there is no such model."""
    return list(client.search_model_versions(f"name = '{name}'"))


def download(store: Store, model_id: str, folder: Path) -> list[Path]:
    """Bring a logged model into ``folder``; return where its own files should now lie."""
    from mlflow.artifacts import download_artifacts

    source = store.client.get_logged_model(model_id).artifact_location
    found = Path(download_artifacts(source, dst_path=str(folder), tracking_uri=store.uri))
    return [found / "artifacts" / file for file in FILES.values()]


def log_use(store: Store, run_id: str, model_id: str) -> None:
    """Note that a run has used a logged model."""
    from mlflow.entities import LoggedModelInput

    store.client.log_inputs(run_id, models=[LoggedModelInput(model_id)])


@contextmanager
def opened(root: Path) -> Iterator[Store]:
    """The store of ``root``, also as MLflow's default: its registry looks models up there.

    Threads take turns, because the default is a variable of the whole process.
    """
    uri = tracking_uri(root)
    with _one_at_a_time, _as_default(uri), reporting(uri):
        yield Store(uri, root)


@contextmanager
def _as_default(uri: str) -> Iterator[None]:
    outer = {key: os.environ.get(key) for key in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
    os.environ["MLFLOW_TRACKING_URI"] = os.environ["MLFLOW_REGISTRY_URI"] = uri
    try:
        yield
    finally:
        for key, value in outer.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value

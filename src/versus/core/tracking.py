"""The MLflow store: where it is, how it is opened, and the calls that need MLflow's own types.

What is sent and when is told in :mod:`versus.core.projection`. Only ``MlflowClient`` with
explicit run ids is used, because ``mlflow run`` starts a run of its own before this code does.
MLflow is imported inside functions: it takes seconds.
"""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from versus.core.errors import DataError, TrackingError
from versus.core.paths import read_json, replacing, shown, sweep_beside, write_json
from versus.core.projection import Projection
from versus.core.tracked import PARENT, Links, State, links, metric_name, public
from versus.core.workfolder import Point, WorkFolder

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

__all__ = [
    "Links",
    "Store",
    "close_if_dead",
    "initialise",
    "links",
    "pending",
    "project",
    "project_results",
    "reporting",
    "tracking_uri",
]

NOTE = "mlflow.note.content"
"""Tag of an experiment or run that the UI shows as its description."""
PAUSES = (0.5, 1.0, 2.0)  # seconds before another try at a locked sqlite file
PATIENCE = 10.0  # seconds after which a locked file is given up
METRICS_AT_ONCE, OTHERS_AT_ONCE = 1000, 100  # limits of MLflow's log_batch
LONGEST_VALUE = 6000  # MLflow cuts longer params and tags and warns about it


def tracking_uri(root: Path) -> str:
    """``MLFLOW_TRACKING_URI`` where set, else the project's sqlite file."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root.resolve()}/mlflow.db"


def initialise(uri: str) -> None:
    """Create or migrate a sqlite store once: two processes doing so at once corrupt it.

    Raises:
        TrackingError: if the file cannot be written.
    """
    with reporting(uri):
        connect(uri)


def connect(uri: str) -> "MlflowClient":
    """A client of an initialised store. Call it within :func:`reporting`."""
    # A server that is gone must not hold up a training; users' own settings stay.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    from mlflow import MlflowClient

    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if not uri.startswith("sqlite:"):
        return MlflowClient(uri, registry_uri=uri)
    file = Path(uri.removeprefix("sqlite:///"))
    file.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise PermissionError(f"{file} is not writable")  # SQLAlchemy would try for two minutes
    with FileLock(file.with_name(f"{file.name}.lock"), timeout=60):
        if not file.exists():
            _create(file)
        client = MlflowClient(uri, registry_uri=uri)
        client.search_experiments(max_results=1)
    return client


def _create(file: Path) -> None:
    """Make a sqlite store, whole or not at all: MLflow cannot go on with half of its tables."""
    from mlflow import MlflowClient

    sweep_beside(file)
    try:
        with replacing(file) as temporary:
            MlflowClient(f"sqlite:///{temporary}").search_experiments(max_results=1)
    except DataError as error:
        raise TrackingError(str(error)) from error


@contextmanager
def reporting(uri: str) -> Iterator[None]:
    """Turn what the store or its server raises into a TrackingError."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:  # requests' errors are OSErrors
        reason = public(" ".join(str(error).split()))[:300]
        remedy = "start its server or correct the variable"
        if "error code 401" in reason:
            remedy = "correct MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        raise TrackingError(
            f"MLFLOW_TRACKING_URI {public(uri)}: the tracking store cannot be used ({reason}); "
            f"{remedy}"
        ) from error


class Store:
    """A tracking store that is open. Use it within :func:`reporting`."""

    def __init__(self, uri: str, root: Path) -> None:
        self.uri = uri
        self.root = root
        self.client = connect(uri)

    def experiment(self, name: str, note: str = "") -> str:
        """Id of the experiment ``name``, made where it is missing.

        Args:
            name: of the experiment.
            note: Markdown that a new one is described with.

        Raises:
            TrackingError: if the user has deleted it.
        """
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is None:
            local = self.uri.startswith("sqlite:")
            location = (self.root.resolve() / "mlruns" / name).as_uri() if local else None
            try:
                tags = {NOTE: note} if note else {}
                return self.client.create_experiment(name, location, tags)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                return self.experiment(name)
        if found.lifecycle_stage != "active":
            raise TrackingError(
                f"the MLflow experiment {name!r} was deleted; restore it with "
                f"`mlflow experiments restore -x {found.experiment_id}` or remove it with "
                "`mlflow gc`"
            )
        return str(found.experiment_id)

    def find_run(self, run_id: str) -> "Run | None":
        """The run, unless it was deleted or never was in this store."""
        from mlflow.exceptions import MlflowException

        try:
            run = self.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return run if run.info.lifecycle_stage == "active" else None

    def tagged_runs(self, experiment: str, tag: str, value: str) -> list["Run"]:
        """All runs of an experiment that carry a tag."""
        runs: list[Run] = []
        token: str | None = ""
        while token is not None:
            page = self.client.search_runs(
                [experiment], f"tags.`{tag}` = '{value}'", page_token=token or None
            )
            runs += page
            token = page.token or None
        return runs

    def finished(self, experiment: str, config_digest: str) -> list["Run"]:
        """Comparisons with these settings that are finished, the newest first."""
        wanted = (
            f"tags.kind = 'comparison' AND tags.config_digest = '{config_digest}' "
            "AND attributes.status = 'FINISHED'"
        )
        newest = ["attributes.start_time DESC"]
        return list(self.client.search_runs([experiment], wanted, order_by=newest))

    def end_abandoned(self, experiment: str, kind: str) -> None:
        """End the runs of a kind that killed processes left; one that lives ends its own anyway."""
        wanted = f"tags.kind = '{kind}' AND attributes.status = 'RUNNING'"
        for run in self.client.search_runs([experiment], wanted):
            self.set_status(run.info.run_id, "KILLED")

    def log_points(self, run_id: str, points: Sequence[Point]) -> None:
        """Send points; the ones that are already there are kept once."""
        from mlflow.entities import Metric

        metrics = [Metric(metric_name(p.name), p.value, p.time, p.step) for p in points]
        for start in range(0, len(metrics), METRICS_AT_ONCE):
            self.client.log_batch(run_id, metrics=metrics[start : start + METRICS_AT_ONCE])

    def log_few(self, run_id: str, params: Mapping[str, object], points: Sequence[Point]) -> None:
        """Send up to 100 params and 1000 points at once."""
        from mlflow.entities import Metric, Param

        metrics = [Metric(metric_name(p.name), p.value, p.time, p.step) for p in points]
        texts = [Param(k, str(v)[:LONGEST_VALUE]) for k, v in params.items()]
        self.client.log_batch(run_id, metrics, texts)

    def log_texts(
        self,
        run_id: str,
        *,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Send params and tags."""
        from mlflow.entities import Param, RunTag

        all_params = [Param(k, str(v)[:LONGEST_VALUE]) for k, v in (params or {}).items()]
        all_tags = [RunTag(k, v[:LONGEST_VALUE]) for k, v in (tags or {}).items()]
        for start in range(0, max(len(all_params), len(all_tags)), OTHERS_AT_ONCE):
            stop = start + OTHERS_AT_ONCE
            self.client.log_batch(run_id, params=all_params[start:stop], tags=all_tags[start:stop])

    def log_dataset(self, run_id: str, data: Mapping[str, str], context: str) -> None:
        """Name the data that a run used: ``name``, ``digest`` and ``source``."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"uri": data.get("source", "")})
        dataset = Dataset(data["name"], data["digest"], "local", source)
        tags = [InputTag("mlflow.data.context", context)]
        self.client.log_inputs(run_id, [DatasetInput(dataset, tags)])

    def create_run(
        self, experiment: str, name: str, tags: Mapping[str, str], started: int | None = None
    ) -> "Run":
        """Start a run, now or at ``started`` (ms)."""
        return self.client.create_run(experiment, started, dict(tags), run_name=name)

    def log_artifact(self, run_id: str, path: Path, folder: str | None) -> None:
        """Copy a file to the run's artifacts, or into a folder there."""
        self.client.log_artifact(run_id, str(path), folder)

    def set_status(self, run_id: str, status: str, ended: int | None = None) -> None:
        """Set the status; any but ``RUNNING`` ends the run, now or at ``ended`` (ms)."""
        if status == "RUNNING":
            self.client.update_run(run_id, status)
        else:
            self.client.set_terminated(run_id, status, ended)


# --- projecting -----------------------------------------------------------------------------------


def project(
    work: Path, *, root: Path, parent_run: str | None = None, terminal: bool = False
) -> Links:
    """Send everything of a work folder that MLflow does not have.

    Args:
        work: the work folder.
        root: the project; its ``mlflow.db`` and ``mlruns`` are used unless
            ``MLFLOW_TRACKING_URI`` names another store.
        parent_run: the run that ``mlflow run`` has started. It becomes the parent if it lies in
            the comparison's experiment, else the two are linked by tags.
        terminal: the work is over; set the status that ``status.json`` tells.

    Raises:
        TrackingError: if the store cannot be used. What was sent stays; the next call goes on.
        DataError: if a file of the folder is torn.
    """
    started = time.monotonic()
    for pause in PAUSES:
        try:
            return _project(work, root, parent_run, terminal)
        except TrackingError as error:
            # SQLite itself waits for another writer; some conflicts it reports at once.
            if "database is locked" not in str(error) or time.monotonic() > started + PATIENCE:
                raise
            time.sleep(pause)
    return _project(work, root, parent_run, terminal)


def _project(work: Path, root: Path, parent_run: str | None, terminal: bool) -> Links:
    uri = tracking_uri(root)
    folder = WorkFolder.open(work)
    try:
        with FileLock(work / "tracking.lock", timeout=60), reporting(uri):
            sweep_beside(work / "tracking.json")
            return Projection(folder, Store(uri, root)).send(parent_run, terminal)
    except Timeout as error:
        raise TrackingError(
            f"{shown(work)}: another process has been sending it for a minute; try again later"
        ) from error


def pending(runs_root: Path) -> list[Path]:
    """Work folders with something unsent, or whose process died; living ones send themselves."""
    folders = sorted(path.parent for path in runs_root.glob("**/comparison.json"))
    return [work for work in folders if (work / "status.json").is_file() and _unsent(work)]


def _unsent(work: Path) -> bool:
    try:
        with FileLock(work / "lock", timeout=0):
            state = State.load(work)
            if state is None or "RUNNING" in state.status.values():
                return True
            folder = WorkFolder.open(work)
            return state.seen != folder.snapshot() or not _is_delivered(folder, state)
    except Timeout:
        return False


def _is_delivered(folder: WorkFolder, state: State) -> bool:
    """Whether finished results name their run, which is the last thing that is done with them."""
    told = folder.results / "run.json"
    if folder.state != "finished" or not told.is_file():
        return True
    return bool(read_json(told)["parent"] == state.runs[PARENT])


def close_if_dead(work: Path) -> None:
    """Note that a work folder was interrupted if it says running but nobody works in it."""
    try:
        with FileLock(work / "lock", timeout=0):
            if read_json(work / "status.json")["state"] == "running":
                gone = {"state": "interrupted", "message": "its process is gone"}
                write_json(work / "status.json", gone)
    except Timeout:
        return


def project_results(
    work: Path, described: Mapping[str, Any], *, root: Path, parent_run: str | None = None
) -> Links:
    """Send results that DVC restored from its cache, so that no training has told of them.

    Args:
        work: the work folder that a training would have used. If one did, nothing is added to it.
        described: what ``comparison.json`` would say.
        root: see :func:`project`.
        parent_run: see :func:`project`.
    """
    if not (work / "status.json").is_file():
        restored = {**described, "tags": {**described["tags"], "source": "dvc-cache"}}
        write_json(work / "comparison.json", restored)
        write_json(work / "status.json", {"state": "finished", "message": "restored by DVC"})
    return project(work, root=root, parent_run=parent_run, terminal=True)

"""A team's server: MLflow and studies on PostgreSQL, workers that die, a database that restarts."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from tests.end_to_end.conftest import Run, environment
from tests.end_to_end.postgres import Server, free_port, installed, running
from versus.core.paths import read_json

PROGRAMS = installed()
pytestmark = pytest.mark.skipif(
    PROGRAMS is None, reason="no PostgreSQL: install it (Debian: apt-get install postgresql)"
)
SMALL = ["--data.dim", "8", "--data.steps", "100", "--seeds", "8", "--tuning_seeds", "3"]
TRIALS = 16


@pytest.fixture
def server() -> Iterator[Server]:
    assert PROGRAMS is not None
    with running(PROGRAMS) as found:
        for name in ("mlflow", "optuna"):
            found.create(name)
        yield found


@contextmanager
def mlflow_server(database: str, folder: Path) -> Iterator[str]:
    """Its address."""
    port = free_port()
    words = ["--backend-store-uri", database, "--artifacts-destination", str(folder)]
    command = [sys.executable, "-m", "mlflow", "server", *words, "--workers", "1"]
    address = f"http://127.0.0.1:{port}"
    with (folder.parent / "mlflow.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            until(lambda: answers(address), 120)
            yield address
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as found:
            return bool(found.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.2)


def rows(url: str, query: str) -> list[Any]:
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.connect() as connection:
            return list(connection.execute(sqlalchemy.text(query)))
    finally:
        engine.dispose()


def finished(root: Path) -> list[dict[str, Any]]:
    path = root / "runs" / "memory" / "studies" / "s" / "trials.json"
    found = read_json(path) if path.is_file() else []
    return [record for record in found if record["state"] in ("complete", "pruned")]


@pytest.mark.slow
def test_four_workers_lose_and_double_nothing(
    project: Path, versus: Run, server: Server, tmp_path: Path
) -> None:
    """One worker is killed, the database restarts under the others, and the command is repeated."""
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    study = ["search", "memory", *SMALL, "--study", "s", "--trials", str(TRIALS)]
    words = [*study, "--storage", server.url("optuna"), "--quiet"]
    with mlflow_server(server.url("mlflow"), artifacts) as address:
        at = environment(MLFLOW_TRACKING_URI=address)
        workers = [
            subprocess.Popen([sys.executable, "-m", "versus", *words], env=at, cwd=project)
            for _ in range(4)
        ]
        until(lambda: len(finished(project)) >= 3, 240)
        workers[0].kill()
        server.stop()
        server.start()
        for worker in workers:
            worker.wait(timeout=300)
        assert workers[0].returncode == -signal.SIGKILL
        again = versus(*words, MLFLOW_TRACKING_URI=address)
        assert again.returncode == 0, again.stderr
        sent = versus("sync", MLFLOW_TRACKING_URI=address)
        assert sent.returncode == 0, sent.stderr
        assert "nothing to send" in versus("sync", MLFLOW_TRACKING_URI=address).stdout
    states = Counter(dict(rows(server.url("optuna"), "select number, state from trials")).values())
    assert states["COMPLETE"] + states["PRUNED"] == TRIALS
    assert not states["RUNNING"] + states["WAITING"]
    runs = rows(server.url("mlflow"), "select name, status from runs")
    wanted = {f"trial {record['number']}" for record in finished(project)}
    kept = Counter(name for name, _ in runs)
    assert set(kept.values()) == {1}
    assert {"study s", *wanted} <= set(kept)
    assert len(wanted) == TRIALS
    assert {status for _, status in runs} <= {"FINISHED", "FAILED"}

"""A server that is not there, and Ctrl+C; kills are in the fault storm."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Run, environment

SMOKE = ["train", "memory", "--profile", "smoke", "--quiet"]


def tables(root: Path) -> dict[str, bytes]:
    """Everything reproducible that a comparison writes."""
    results = next((root / "runs" / "memory").glob("*/results"))
    rules = ("Delta", "Omega", "OmegaRidge", "RLS")
    models = [f"models/{rule}/weights.safetensors" for rule in rules]
    wanted = ["metrics.csv", "config.json", "tuning.csv", *models]
    return {name: (results / name).read_bytes() for name in wanted}


def children_of(root: Path) -> list[tuple[str, str]]:
    query = (
        "select runs.name, runs.status from runs join tags using (run_uuid) "
        "where tags.key = 'mlflow.parentRunId'"
    )
    with sqlite3.connect(root / "mlflow.db") as database:
        return database.execute(query).fetchall()


def test_a_server_that_is_not_there_costs_nothing_but_the_tracking(
    project: Path, versus: Run
) -> None:
    gone = versus(*SMOKE, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert gone.returncode == 0
    assert "versus sync" in gone.stderr
    assert tables(project)
    sent = versus("sync")
    assert sent.returncode == 0, sent.stderr
    assert len(children_of(project)) == 4
    assert "nothing to send" in versus("sync").stdout
    assert len(children_of(project)) == 4


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_leaves_no_running_run(project: Path, versus: Run) -> None:
    command = [sys.executable, "-m", "versus", "train", "memory", "--profile", "default"]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((project / "runs").rglob("tune/checkpoints/*")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate()
    assert process.returncode == 1
    assert "the same command continues" in message
    status = json.loads(next((project / "runs").rglob("status.json")).read_text())
    assert status["state"] == "interrupted"
    with sqlite3.connect(project / "mlflow.db") as database:
        assert not database.execute("select * from runs where status = 'RUNNING'").fetchall()

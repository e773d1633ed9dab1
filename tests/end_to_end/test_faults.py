"""Processes die, servers go away: nothing is lost, doubled or half-written."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.contract.contract import in_child
from tests.contract.faults import dying_calls
from tests.end_to_end.conftest import Run, environment
from versus import cli

SMOKE = ["train", "memory", "--profile", "smoke", "--quiet"]
QUICK = [*SMOKE, "--checkpoint.every", "2", "--no-tracking"]


def tables(root: Path) -> dict[str, bytes]:
    """Everything reproducible that a comparison writes."""
    results = next((root / "runs" / "memory").glob("*/results"))
    rules = ("Delta", "Omega", "OmegaRidge", "RLS")
    models = [f"models/{rule}/weights.safetensors" for rule in rules]
    wanted = ["metrics.csv", "config.json", "tuning.csv", *models]
    return {name: (results / name).read_bytes() for name in wanted}


def train_and_die(root: Path, moment: int) -> None:
    os.environ["VERSUS_ROOT"] = str(root)
    for name, call in dying_calls(moment).items():
        setattr(os, name, call)
    os._exit(cli.main(QUICK))


@pytest.mark.slow
def test_killed_at_many_moments_the_same_command_completes(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(QUICK) == 0
    expected = tables(project)
    killed, moment = 0, 1
    while True:
        root = tmp_path / str(moment)
        root.mkdir()
        for name in ("params", "evaluation"):
            (root / name).symlink_to(project / name)
        code = in_child(lambda root=root, moment=moment: train_and_die(root, moment))  # type: ignore[misc]
        if code == 0:
            break
        assert code == 137
        killed += 1
        monkeypatch.setenv("VERSUS_ROOT", str(root))
        assert cli.main(QUICK) == 0
        assert tables(root) == expected
        leftovers = [p for p in (root / "runs").rglob(".*") if p.suffix != ".lock"]
        assert len(leftovers) <= 2  # at most what the kill itself left
        moment += 9
    assert killed >= 20


def children_of(root: Path) -> list[tuple[str, str]]:
    query = (
        "select runs.name, runs.status from runs join tags using (run_uuid) "
        "where tags.key = 'mlflow.parentRunId'"
    )
    with sqlite3.connect(root / "mlflow.db") as database:
        return database.execute(query).fetchall()


def points(root: Path) -> Counter[tuple[object, ...]]:
    """(run name, key, step, value) of every metric point in MLflow; times are left out."""
    query = (
        "select runs.name, metrics.key, metrics.step, metrics.value from metrics "
        "join runs using (run_uuid)"
    )
    with sqlite3.connect(root / "mlflow.db") as database:
        rows = database.execute(query).fetchall()
    return Counter(row for row in rows if "second" not in row[1] and "token" not in row[1])


@pytest.mark.slow
def test_kill_9_of_real_processes_leaves_one_clean_record(
    project: Path, tmp_path: Path, versus: Run
) -> None:
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    for name in ("params", "evaluation"):
        (undisturbed / name).symlink_to(project / name)
    assert versus(*SMOKE, VERSUS_ROOT=str(undisturbed)).returncode == 0
    command = [sys.executable, "-m", "versus", *SMOKE]
    for seconds in (4.0, 7.0, 10.0):
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert versus(*SMOKE).returncode == 0
    assert tables(project) == tables(undisturbed)
    assert sorted(children_of(project)) == sorted(children_of(undisturbed))
    assert {status for _, status in children_of(project)} == {"FINISHED"}
    assert points(project) == points(undisturbed)


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

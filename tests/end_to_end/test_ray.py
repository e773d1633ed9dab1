"""Comparisons and studies on a Ray cluster of several nodes, one of which dies in the middle."""

import importlib.util
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.end_to_end.conftest import REPOSITORY, Run, environment

if importlib.util.find_spec("ray") is None:
    pytest.skip("no Ray: pip install 'versus-lab[ray]'", allow_module_level=True)

from tests.end_to_end.cluster import Machines, machines

# Four stacks of several seconds: two orders, two seeds, each a run alone.
TRAIN = [
    *("train", "ordering", "--profile", "smoke", "--train.stack", "1", "--seeds", "2"),
    *("--train.epochs", "300", "--train.stop", "never", "--checkpoint.epochs", "20"),
]
SEARCH = [
    *("search", "memory", "--data.dim", "8", "--data.steps", "100", "--seeds", "8"),
    *("--tuning_seeds", "3", "--study", "s", "--trials", "12"),
]


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Machines]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", str(REPOSITORY / "src"))
        patched.setenv("OMP_NUM_THREADS", "1")
        with machines() as found:
            yield found


@pytest.fixture
def cluster(project: Path, two_nodes: Machines) -> Machines:
    two_nodes.join(2 - len(two_nodes.nodes))
    return two_nodes


def on(cluster: Machines) -> list[str]:
    return ["--launcher.kind", "ray", "--launcher.address", cluster.address]


def start(*words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "versus", *words]
    return subprocess.Popen(
        command,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until(condition: Callable[[], Any], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def rows(root: Path, query: str) -> list[Any]:
    with sqlite3.connect(root / "mlflow.db") as database:
        return database.execute(query).fetchall()


def results(root: Path) -> dict[str, bytes]:
    """Everything reproducible that the comparison writes."""
    (folder,) = (root / "runs" / "ordering").glob("*/results")
    weights = sorted((folder / "models").rglob("*"))
    files = [folder / "metrics.csv", folder / "config.json", *(p for p in weights if p.is_file())]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def states(root: Path) -> dict[str, list[int]]:
    """Stack -> steps of its checkpoints."""
    found = {}
    for stack in sorted((root / "runs").rglob("stacks/0*")):
        names = (path.stem.removeprefix("step-") for path in stack.glob("checkpoints/step-*"))
        found[stack.name] = sorted(map(int, names))
    return found


@pytest.mark.slow
def test_a_node_that_dies_loses_and_doubles_nothing(
    project: Path, versus: Run, cluster: Machines, tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    for name in ("params", "evaluation"):
        shutil.copytree(project / name, alone / name)
    launched = start(*TRAIN, *on(cluster))
    until(lambda: len([steps for steps in states(project).values() if steps]) >= 2)
    before = states(project)
    cluster.kill_a_busy_node()
    said, _ = launched.communicate(timeout=240)
    assert launched.returncode == 0, said
    assert "4 of 4 stacks trained" in said
    assert versus(*TRAIN, "--no-tracking", VERSUS_ROOT=str(alone)).returncode == 0
    assert results(project) == results(alone)
    logs = {path.stem: path.read_text() for path in (project / "runs").rglob("logs/*.log")}
    went_on = {name: log for name, log in logs.items() if "continues at step" in log}
    assert len(went_on) == 1, logs
    ((name, log),) = went_on.items()
    assert int(log.partition("continues at step ")[2].split()[0]) >= before[name][-1] > 0
    runs = rows(project, "select name, status from runs where lifecycle_stage = 'active'")
    assert Counter(runs).most_common(1)[0][1] == 1
    assert len(runs) == 1 + 4
    assert {status for _, status in runs} == {"FINISHED"}
    points = rows(project, "select name, key, step from metrics join runs using (run_uuid)")
    assert len(points) == len(set(points))
    assert versus(*TRAIN, *on(cluster)).returncode == 0  # finished: no task is needed
    assert results(project) == results(alone)


@pytest.mark.slow
def test_a_killed_process_goes_on_and_ctrl_c_saves(project: Path, cluster: Machines) -> None:
    launched = start(*TRAIN, *on(cluster))
    until(lambda: len([steps for steps in states(project).values() if steps]) >= 2)
    cluster.training()[0].kill()
    logs = project / "runs" / "ordering" / "jobs"
    until(lambda: any("continues at step" in log.read_text() for log in logs.rglob("*.log")))
    before = states(project)
    launched.send_signal(signal.SIGINT)
    said, _ = launched.communicate(timeout=90)
    assert launched.returncode == 1
    assert "the same command continues" in said
    assert "Traceback" not in said
    assert cluster.training() == []
    assert all(steps[-1] >= before[name][-1] for name, steps in states(project).items() if steps)
    status = json.loads(next((project / "runs").rglob("status.json")).read_text())
    assert status["state"] == "interrupted"
    assert rows(project, "select name from runs where status = 'RUNNING'") == []


@pytest.mark.slow
def test_what_a_killed_command_had_launched_ends_with_it(project: Path, cluster: Machines) -> None:
    with start(*TRAIN, "--no-tracking", *on(cluster)) as launched:
        until(lambda: len([steps for steps in states(project).values() if steps]) >= 2)
        left = cluster.training()
        assert left
        launched.kill()
    _, alive = psutil.wait_procs(left, timeout=60)
    assert alive == []


@pytest.mark.slow
def test_a_mistake_is_reported_with_its_message_and_not_tried_again(
    project: Path, versus: Run, cluster: Machines
) -> None:
    small = [*TRAIN, "--train.epochs", "20", "--no-tracking"]
    assert versus(*small).returncode == 0
    first, second, *_ = sorted((project / "runs").rglob("stacks/0*"))
    shutil.rmtree(second)
    shutil.copytree(first / "checkpoints", second / "checkpoints")
    failed = versus(*small, *on(cluster))
    assert failed.returncode == 1
    assert "stack 1 (stride seed 0): " in failed.stderr
    assert "remove the folder to train anew" in failed.stderr
    (log,) = (project / "runs").rglob("logs/0001.log")
    assert log.read_text().count("remove the folder") == 1
    shutil.rmtree(second)
    assert versus(*small, *on(cluster)).returncode == 0


@pytest.mark.slow
def test_a_study_has_its_workers_on_the_cluster(
    project: Path, versus: Run, cluster: Machines
) -> None:
    found = versus(*SEARCH, "--workers", "2", *on(cluster))
    assert found.returncode == 0, found.stderr
    trials = json.loads(next((project / "runs").rglob("trials.json")).read_text())
    ended = [trial["number"] for trial in trials if trial["state"] in ("complete", "pruned")]
    assert 12 <= len(ended) == len(set(ended)) == len(trials) <= 13
    with sqlite3.connect(project / "optuna.db") as database:
        query = "select distinct value_json from trial_user_attributes where key = 'worker'"
        assert len(database.execute(query).fetchall()) == 2
    runs = rows(project, "select name, status from runs")
    assert sorted(runs) == sorted(
        (name, "FINISHED") for name in ("study s", *(f"trial {number}" for number in ended))
    )
    assert versus(*SEARCH, "--workers", "2", *on(cluster)).stdout == found.stdout

"""Comparisons and studies as job arrays; sbatch and srun are stand-ins on PATH."""

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Run, environment
from tests.end_to_end.slurm import stand_ins

TRAIN = [
    *("train", "ordering", "--profile", "smoke", "--train.stack", "1", "--seeds", "1"),
    *("--train.epochs", "200", "--train.stop", "never", "--checkpoint.epochs", "10"),
]
SLURM = ["--launcher.kind", "slurm", "--launcher.retries", "1"]


def metrics(root: Path) -> bytes:
    (table,) = (root / "runs").rglob("results/metrics.csv")
    return table.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("kills", [1, 2], ids=["goes on", "is collected"])
def test_an_array_with_a_killed_element_is_a_local_run(
    project: Path, versus: Run, tmp_path: Path, kills: int
) -> None:
    """Killed once, the element goes on itself; more often than its retries, the last job does."""
    programs = stand_ins(tmp_path / "programs", project, kills)
    path = f"{programs}{os.pathsep}{environment()['PATH']}"
    submitted = versus(*TRAIN, *SLURM, PATH=path)
    assert submitted.returncode == 0, submitted.stderr
    assert "submitted: prepare 100;cluster, train 101;cluster (2 stacks)" in submitted.stdout
    assert len((programs / "killed").read_text().splitlines()) == kills
    (job,) = (project / "runs" / "ordering" / "jobs").iterdir()
    said = (job / "logs" / "train-101_1.log").read_text()
    assert said.count("goes on from the checkpoint") == 1
    assert ("continues at step" in said) == (kills == 1)
    assert (programs / "job-101").read_text() == ("0" if kills == 1 else "137")
    assert (programs / "job-102").read_text() == "0"
    with sqlite3.connect(project / "mlflow.db") as database:
        runs = database.execute("select name, status from runs").fetchall()
    assert len(runs) == len(set(runs)) == 3
    assert {status for _, status in runs} == {"FINISHED"}
    alone = tmp_path / "alone"
    for name in ("params", "evaluation"):
        shutil.copytree(project / name, alone / name)
    assert versus(*TRAIN, "--no-tracking", VERSUS_ROOT=str(alone)).returncode == 0
    assert metrics(project) == metrics(alone)


@pytest.mark.slow
def test_workers_of_a_study_are_an_array(project: Path, versus: Run, tmp_path: Path) -> None:
    programs = stand_ins(tmp_path / "programs", project, 0)
    words = ["search", "memory", "--data.dim", "8", "--data.steps", "100", "--tuning_seeds", "3"]
    study = [*words, "--study", "s", "--trials", "4", "--workers", "2"]
    path = f"{programs}{os.pathsep}{environment()['PATH']}"
    submitted = versus(*study, "--launcher.kind", "slurm", PATH=path)
    assert submitted.stdout == "submitted: search 100;cluster (2 workers)\n", submitted.stderr
    assert (programs / "job-100").read_text() == "0"
    trials = json.loads((project / "runs/memory/studies/s/trials.json").read_text())
    assert len(trials) == 4


def test_without_sbatch_the_command_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from versus import cli

    monkeypatch.setenv("PATH", "/nowhere")
    assert cli.main([*TRAIN, *SLURM]) == 0
    (script,) = (project / "runs").rglob("submit.sh")
    told = f"there is no sbatch here; where there is one: bash {script.relative_to(project)}"
    assert told in capsys.readouterr().out
    assert {path.name for path in script.parent.glob("*.sh")} == {
        *("prepare.sh", "train.sh", "collect.sh", "submit.sh"),
    }

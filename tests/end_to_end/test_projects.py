"""`mlflow run` and `dvc repro` in a checkout of their own."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.end_to_end.conftest import REPOSITORY, environment
from versus.core.config import read_yaml

REPRO = ("repro", "compare@memory", "evaluate@memory")
"""One experiment; the report and other experiments are built by one test."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone of this repository as it stands, building the smoke profile."""
    root = tmp_path / "checkout"
    names = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(names, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, root / name)
    (root / "dvc.lock").unlink(missing_ok=True)
    pipeline = root / "params" / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("profile: default", "profile: smoke"))
    _with_little_pretraining(root / "params" / "smoke" / "reoac.yaml")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    for words in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "start"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    return root


def _with_little_pretraining(path: Path) -> None:
    """What DVC does with a backbone does not depend on how much it knows."""
    little = {
        "pretraining": "{steps: 20, block: 20, problems: 200, probe: 10, held_out: 20}",
        "backbone": "{embedded: {width: 16, layers: 1, heads: 2, inner: 16}}",
    }
    text = path.read_text()
    for section, value in little.items():
        text, found = re.subn(rf"^{section}: .*$", f"{section}: {value}", text, flags=re.MULTILINE)
        assert found == 1
    path.write_text(text)


def run(words: Sequence[str], root: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """A command in the checkout, with the checkout's own code."""
    clean = {k: v for k, v in environment(**changes).items() if not k.startswith("MLFLOW_T")}
    clean |= {"PYTHONPATH": str(root / "src"), "VERSUS_ROOT": str(root)}
    return subprocess.run(
        list(words), cwd=root, env=clean, capture_output=True, text=True, check=False
    )


def dvc(root: Path, *words: str) -> str:
    done = run([sys.executable, "-m", "dvc", *words], root)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ran(output: str) -> set[str]:
    """Stages that were run, of DVC's output."""
    lines = [line for line in output.splitlines() if line.startswith("Running stage")]
    return {line.split("'")[1].partition("@")[0] for line in lines}


def runs(root: Path) -> list[tuple[str, str, str]]:
    """(experiment, run name, status) of every MLflow run."""
    query = (
        "select experiments.name, runs.name, runs.status from runs "
        "join experiments using (experiment_id)"
    )
    with sqlite3.connect(root / "mlflow.db") as database:
        return database.execute(query).fetchall()


def mlflow(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlflow", "run", ".", "--env-manager", "local", *words]
    return run(command, root)


def test_mlflow_run_of_the_memory_experiment(checkout: Path) -> None:
    done = mlflow(
        checkout, "-e", "memory", "--experiment-name", "memory",
        "-P", "mem_sizes=8 16", "-P", "seeds=2", "-P", "steps=40",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "linear-m8/nmse" in done.stdout
    assert "linear-m16/nmse" in done.stdout
    tracked = runs(checkout)
    assert {status for *_, status in tracked} == {"FINISHED"}
    assert len(tracked) == 5  # the run that `mlflow run` made is the parent of four variants

    wrong = mlflow(checkout, "-e", "memory", "--experiment-name", "memory", "-P", "windoow=3")
    assert wrong.returncode != 0
    assert "windoow (command line): unknown key; did you mean" in wrong.stderr
    assert sorted(status for *_, status in runs(checkout)) == ["FAILED", *["FINISHED"] * 5]


@pytest.mark.slow
def test_mlflow_run_promotes_and_refuses(checkout: Path) -> None:
    for lr, code in (("0.02", 0), ("0.005", 1)):
        train = ["train", "memory", "--updaters", "Delta", "--lr", lr, "--seeds", "12"]
        assert run([sys.executable, "-m", "versus", *train], checkout).returncode == 0
        done = mlflow(
            checkout, "-e", "promote", "-P", "experiment=memory", "-P", "model=memory-delta"
        )
        assert done.returncode == code, done.stderr
        assert ("first champion" if code == 0 else "refused: ") in done.stdout
    with sqlite3.connect(checkout / "mlflow.db") as database:
        aliases = database.execute("select alias, version from registered_model_aliases").fetchall()
    assert sorted(aliases) == [("candidate", 2), ("champion", 1)]


def test_dvc_repro_builds_an_experiment_once(checkout: Path) -> None:
    assert ran(dvc(checkout, *REPRO)) == {"data", "train", "compare", "evaluate"}
    results = checkout / "results" / "smoke" / "memory"
    verdict = json.loads((results / "verdict.json").read_text())
    assert verdict["comparisons"]
    assert not ran(dvc(checkout, *REPRO))


@pytest.mark.slow
def test_dvc_repro_builds_everything_once(checkout: Path) -> None:
    everything = {"data", "pretrain", "train", "compare", "evaluate", "report"}
    assert ran(dvc(checkout, "repro")) == everything
    names = read_yaml(checkout / "params" / "pipeline.yaml")["experiments"]
    assert len(names) >= 4
    for name in names:
        assert (checkout / "results" / "smoke" / name / "verdict.json").is_file()
    page = (checkout / "results" / "report-smoke.html").read_text(encoding="utf-8")
    assert all(f'<h2 id="{name}">' in page for name in names)
    assert not ran(dvc(checkout, "repro"))


@pytest.mark.slow
def test_dvc_repro_reruns_what_a_change_touches(checkout: Path) -> None:
    dvc(checkout, *REPRO)
    metrics = checkout / "results" / "smoke" / "memory" / "metrics.csv"
    params = checkout / "params" / "memory.yaml"
    text, first = params.read_text(), metrics.read_bytes()
    params.write_text(text.replace("compare:\n", "compare:\n  minimum_seeds: 5\n"))
    assert ran(dvc(checkout, *REPRO)) == {"compare"}
    params.write_text(text.replace("  lr: 0.01", "  lr: 0.011"))
    assert ran(dvc(checkout, *REPRO)) == {"train", "compare", "evaluate"}
    # Back to the first values: the cache gives the results, no training.
    params.write_text(text)
    assert "train" not in ran(dvc(checkout, *REPRO))
    assert metrics.read_bytes() == first


@pytest.mark.slow
def test_push_clone_pull(checkout: Path, tmp_path: Path) -> None:
    dvc(checkout, *REPRO)
    dvc(checkout, "remote", "add", "-d", "store", str(tmp_path / "store"))
    dvc(checkout, "push")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    for words in (["add", "-A"], [*identity, "commit", "-qm", "results"]):
        subprocess.run(["git", *words], cwd=checkout, check=True)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(clone)], check=True)
    run([sys.executable, "-m", "dvc", "pull", "--allow-missing"], clone)
    for name in ("metrics.csv", "verdict.md", "models/Omega/weights.safetensors"):
        path = Path("results") / "smoke" / "memory" / name
        assert (clone / path).read_bytes() == (checkout / path).read_bytes()
    words = ["versus", "stage", "memory", "compare", "--profile", "smoke"]
    assert run([sys.executable, "-m", *words], clone).returncode == 0
    with sqlite3.connect(clone / "mlflow.db") as database:
        tags = database.execute("select value from tags where key = 'source'").fetchall()
    assert tags == [("dvc-cache",)] * 5
    assert len(runs(clone)) == 5

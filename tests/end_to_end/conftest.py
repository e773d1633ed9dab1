"""A project of its own for every test, and real processes in it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


def commands_of(page: str) -> list[list[str]]:
    """The words after ``versus`` of every line in the console blocks of ``docs/PAGE``."""
    text = (REPOSITORY / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert {line[0] for line in lines} == {"versus"}
    return [line[1:] for line in lines]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with our params; the CLI works in it, in this process and in others."""
    root = tmp_path / "project"
    for name in ("params", "evaluation"):
        shutil.copytree(REPOSITORY / name, root / name)
    monkeypatch.setenv("VERSUS_ROOT", str(root))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    monkeypatch.chdir(tmp_path)
    return root


def environment(**changes: str) -> dict[str, str]:
    """This process's environment, with our code first and one thread each."""
    paths = {"PYTHONPATH": str(REPOSITORY / "src"), "OMP_NUM_THREADS": "1"}
    bin_first = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **paths, "PATH": bin_first, **changes}


@pytest.fixture
def versus(project: Path) -> Run:
    """Run the command line as a process: ``versus("train", "memory", ...)``."""

    def run(*words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "versus", *words],
            env=environment(**changes),
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )

    return run

"""``examples/``: every params file trains, and the notebook is executed anew."""

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from tests.end_to_end.conftest import REPOSITORY
from tests.end_to_end.notebooks import execute
from versus import cli
from versus.core.config import read_yaml
from versus.experiments.dsn.data.video import write

EXAMPLES = REPOSITORY / "examples"
CONFIGS = sorted(EXAMPLES.glob("*.yaml"))
NOTEBOOK = EXAMPLES / "from_training_to_figure.ipynb"
MOMENT = {
    "memory_windows": "--seeds 2 --data.steps 20",
    "ordering_stride": "--seeds 2 --train.epochs 2",
    "dsn_own_videos": "--seeds 1 --train.epochs 1 --model.hidden 8 --model.lstm_hidden 4 "
    "--model.heads 2",
}
"""What makes an example a matter of seconds."""


@pytest.fixture
def with_examples(project: Path) -> Path:
    shutil.copytree(EXAMPLES, project / "examples")
    for name in "abc":
        stills = np.random.default_rng(ord(name)).integers(0, 255, (2, 36, 64, 3))
        write(project / "videos" / f"{name}.mp4", stills.repeat(20, 0).astype(np.uint8), 24)
    return project


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.stem))
def test_an_example_trains_by_the_command_that_stands_in_it(
    with_examples: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(with_examples)
    found = re.search(r"versus (train .*)", path.read_text())
    assert found
    words = [*shlex.split(found[1]), *shlex.split(MOMENT[path.stem])]
    assert cli.main([*words, "--no-tracking", "--quiet", "--out", "out"]) == 0
    assert len(list(Path("out", "models").iterdir())) >= 1
    assert (with_examples / "out" / "verdict.json").is_file()
    assert read_yaml(path)["experiment"] == words[1]


def test_every_example_is_listed() -> None:
    assert {path.stem for path in CONFIGS} == MOMENT.keys()


def pictures(notebook: Any) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [found for out in outputs if (found := out.get("data", {}).get("image/png"))]


def texts(notebook: Any) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "\n".join(str(out.get("text", out.get("data", ""))) for out in outputs)


def test_the_notebook_is_committed_executed_and_knows_no_machine() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert len(pictures(notebook)) == 2
    assert "noisy/nmse" in texts(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert NOTEBOOK.stat().st_size < 100_000
    told = NOTEBOOK.read_text()
    for place in ("/home/", "/tmp/", "/root", "/work", "/Users/", os.sep + "site-packages"):
        assert place not in told


@pytest.mark.slow
def test_the_notebook_runs_and_says_what_it_said(with_examples: Path) -> None:
    notebook = execute(NOTEBOOK, with_examples)
    assert len(pictures(notebook)) == 2
    assert "Omega,window=4 " in texts(notebook)
    assert "largest error of three reads: 0.0" in texts(notebook)
    assert "Traceback" not in texts(notebook)
    tables = [re.findall(r"^\|.*", texts(n), re.M) for n in (notebook, nbformat.read(NOTEBOOK, 4))]
    assert tables[0] == tables[1] != []

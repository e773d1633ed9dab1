"""A project whose tiny backbone is trained once for all tests that learn policies on it."""

from pathlib import Path

import pytest


@pytest.fixture
def own_project(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work folders of this process's tests alone."""
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path_factory.getbasetemp() / "reoac-faults"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where data of learners are prepared."""
    return tmp_path_factory.mktemp("reoac") / "data"

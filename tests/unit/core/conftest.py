"""A project with an MLflow store of its own, and none of the user's settings."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from versus.core import tracking


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated sqlite file, made once: the migrations take seconds."""
    root = tmp_path_factory.mktemp("store")
    tracking.initialise(tracking.tracking_uri(root))
    return root / "mlflow.db"


@pytest.fixture
def root(tmp_path: Path, empty_store: Path) -> Path:
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    return tmp_path


@pytest.fixture
def optuna_warnings_tolerated() -> Iterator[None]:
    """What pytest would report: connections close when collected, ``ask`` has no heartbeat."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        warnings.filterwarnings("ignore", "Heartbeat of storage")
        yield

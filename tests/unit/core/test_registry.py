"""Registering, fetching and loading models, on sqlite and with a toy experiment."""

import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient, pyfunc
from mlflow.exceptions import MlflowException
from safetensors.torch import save_file

from tests.contract.server import Server
from versus.core import experiment as experiments
from versus.core import fetching, registry, tracking
from versus.core.errors import DataError, RegistryError, TrackingError
from versus.core.experiment import ModelPart
from versus.core.paths import write_json

Arrays = Mapping[str, np.ndarray[Any, Any]]


@pytest.fixture
def store(root: Path) -> tracking.Store:
    return tracking.Store(tracking.tracking_uri(root), root)


@pytest.fixture
def run_id(store: tracking.Store) -> str:
    return str(store.create_run(store.experiment("toy"), "train", {}).info.run_id)


def make_model(folder: Path, slope: float = 2.0) -> Path:
    folder.mkdir(exist_ok=True)
    save_file({"slope": torch.tensor(slope)}, folder / "weights.safetensors")
    write_json(folder / "config.json", {"name": "toy-line", "experiment": "toy", "offset": 1.0})
    return folder


def line(part: ModelPart) -> Callable[[Arrays], dict[str, np.ndarray[Any, Any]]]:
    slope, offset = part.weights["slope"].item(), part.config["offset"]
    return lambda arrays: {"y": slope * arrays["x"] + offset}


@pytest.fixture
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = types.SimpleNamespace(predictor=line)
    monkeypatch.setattr(experiments, "find", lambda name: {"toy": toy}[name])


EXAMPLE = ({"x": np.array([[1.0], [2.0]])}, {"y": np.array([[3.0], [5.0]])})


@pytest.mark.usefixtures("_toy")
def test_a_registered_model_answers_after_loading(
    root: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_model(root / "model")
    registry.register("toy-line", folder, run_id=run_id, root=root, example=EXAMPLE)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.tracking_uri(root))
    model = pyfunc.load_model("models:/toy-line@candidate")
    answer = model.predict({"x": np.array([[1.0], [4.0], [0.5]])})
    assert answer["y"].tolist() == [[3.0], [9.0], [2.0]]
    with pytest.raises(MlflowException, match="shape"):
        model.predict({"x": np.zeros((2, 3))})


@pytest.mark.usefixtures("_toy")
def test_an_empty_input_is_refused(
    root: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.register("toy-line", make_model(root / "model"), run_id=run_id, root=root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.tracking_uri(root))
    model = pyfunc.load_model("models:/toy-line/1")
    for empty in ({}, {"x": np.zeros((0, 1))}, pd.DataFrame({"x": []})):
        with pytest.raises(DataError, match="is empty; give every array"):
            model.predict(empty)


def test_registering_again_finds_the_version(
    root: Path, store: tracking.Store, run_id: str
) -> None:
    folder = make_model(root / "model")

    def register() -> str:
        return registry.register("toy-line", folder, run_id=run_id, root=root, tags={"a": "b"})

    assert [register(), register()] == ["1", "1"]
    make_model(root / "model", slope=3.0)
    assert register() == "2"
    make_model(root / "model")
    assert register() == "1"
    assert candidate(store) == "2"
    assert store.client.get_model_version("toy-line", "1").tags["a"] == "b"
    assert len(logged_models(store)) == 2


def candidate(store: tracking.Store) -> str:
    return str(store.client.get_registered_model("toy-line").aliases["candidate"])


def logged_models(store: tracking.Store) -> list[Any]:
    return list(store.client.search_logged_models([store.experiment("toy")]))


class Killed(BaseException):
    """Stands for a kill: nothing in the code catches it."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "call",
    [
        "create_logged_model",
        "log_model_artifacts",
        "log_outputs",
        "finalize_logged_model",
        "create_registered_model",
        "create_model_version",
        "set_registered_model_alias",
    ],
)
def test_a_kill_while_registering_leaves_one_version(
    root: Path,
    store: tracking.Store,
    run_id: str,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    after: bool,
) -> None:
    folder = make_model(root / "model")
    original = getattr(MlflowClient, call)

    def killed(*args: Any, **kwargs: Any) -> None:
        if after:
            original(*args, **kwargs)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, call, killed)
        with pytest.raises(Killed):
            registry.register("toy-line", folder, run_id=run_id, root=root)
    assert registry.register("toy-line", folder, run_id=run_id, root=root) == "1"
    assert [model.status for model in logged_models(store)] == ["READY"]
    assert candidate(store) == "1"
    assert len(store.client.search_model_versions("name = 'toy-line'")) == 1


def test_fetching_brings_the_files_once(root: Path, run_id: str) -> None:
    folder = make_model(root / "model")
    version = registry.register("toy-line", folder, run_id=run_id, root=root, metrics={"mse": 0.5})
    fetched = fetching.fetch("models:/toy-line@candidate", root)
    assert (fetched.name, fetched.version, fetched.run_id) == ("toy-line", version, run_id)
    for name in ("weights.safetensors", "config.json"):
        assert (fetched.folder / name).read_bytes() == (folder / name).read_bytes()
    assert fetching.fetch("models:/toy-line/1", root) == fetched
    assert [p.name for p in fetched.folder.parent.iterdir()] == [fetched.folder.name]


def test_metrics_are_shown_with_the_model(root: Path, store: tracking.Store, run_id: str) -> None:
    metrics = {"mse": 0.5, "worst": float("inf")}
    folder = make_model(root / "model")
    registry.register("toy-line", folder, run_id=run_id, root=root, metrics=metrics)
    (model,) = logged_models(store)
    assert {m.key: m.value for m in model.metrics} == {"model/mse": 0.5}


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("toy-line", "models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("models:/other@candidate", "no model is registered as 'other'; there are toy-line;"),
        ("models:/toy-line@champion", r"versions 1 and the aliases @candidate \(version 1\)"),
        ("models:/toy-line/7", "versions 1 and"),
    ],
)
def test_what_does_not_exist_is_answered_with_what_does(
    root: Path, run_id: str, uri: str, message: str
) -> None:
    registry.register("toy-line", make_model(root / "model"), run_id=run_id, root=root)
    with pytest.raises(RegistryError, match=message):
        fetching.fetch(uri, root)


def test_a_missing_file_is_named(root: Path, run_id: str) -> None:
    with pytest.raises(DataError, match=r"weights\.safetensors: missing"):
        registry.register("toy-line", root / "nothing", run_id=run_id, root=root)


def test_an_unknown_run_is_a_tracking_error(root: Path) -> None:
    with pytest.raises(TrackingError, match="not found"):
        registry.register("toy-line", make_model(root / "model"), run_id="f" * 32, root=root)


def test_an_evaluation_names_model_data_and_training_run(
    root: Path, store: tracking.Store, run_id: str
) -> None:
    registry.register("toy-line", make_model(root / "model"), run_id=run_id, root=root)
    fetched = fetching.fetch("models:/toy-line/1", root)
    found = fetching.log_evaluation(
        fetched, {"mse": 0.5, "worst": float("inf")}, dataset=("toy", "d" * 32), root=root
    )
    run = store.client.get_run(found)
    assert run.inputs is not None
    assert [used.model_id for used in run.inputs.model_inputs] == [fetched.model_id]
    assert [used.dataset.digest for used in run.inputs.dataset_inputs] == ["d" * 32]
    assert run.data.metrics == {"mse": 0.5}
    assert run.data.tags["training_run"] == run_id
    assert run.data.tags["kind"] == "evaluation"
    assert run.info.status == "FINISHED"
    assert fetching.log_evaluation(None, {}, dataset=("toy", "d" * 32), root=root) != found


def test_the_environment_is_left_as_it_was(root: Path, run_id: str) -> None:
    before = {k: v for k, v in os.environ.items() if k.endswith("_URI")}
    registry.register("toy-line", make_model(root / "model"), run_id=run_id, root=root)
    assert {k: v for k, v in os.environ.items() if k.endswith("_URI")} == before


@pytest.fixture
def server(tmp_path: Path, empty_store: Path) -> Iterator[str]:
    """A real tracking server that proxies artifacts."""
    served = Server(tmp_path / "server")
    served.folder.mkdir()
    served.database.write_bytes(empty_store.read_bytes())
    with served.running():
        yield served.uri


@pytest.mark.slow
def test_a_server_registers_and_serves_models(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    store = tracking.Store(server, tmp_path)
    run_id = str(store.create_run(store.experiment("toy"), "train", {}).info.run_id)
    folder = make_model(tmp_path / "model")
    for _ in range(2):
        assert registry.register("toy-line", folder, run_id=run_id, root=tmp_path) == "1"
    fetched = fetching.fetch("models:/toy-line@candidate", tmp_path)
    assert (fetched.folder / "config.json").read_bytes() == (folder / "config.json").read_bytes()
    dataset = ("toy", "d" * 32)
    assert fetching.log_evaluation(fetched, {"mse": 0.5}, dataset=dataset, root=tmp_path)
    assert store.find_run("f" * 32) is None


ELSEWHERE = """
import types
import numpy as np
from versus.core import experiment
from mlflow import pyfunc
line = lambda part: lambda a: {"y": part.weights["slope"].item() * a["x"]}
experiment.find = lambda name: types.SimpleNamespace(predictor=line)
answer = pyfunc.load_model("models:/toy-line@candidate").predict({"x": np.ones((2, 1))})
assert answer["y"].tolist() == [[2.0], [2.0]], answer
"""


def installed() -> bool:
    return any(d.name == "versus-lab" for d in metadata.distributions())


@pytest.mark.skipif(not installed(), reason="versus-lab is not installed; make setup does that")
def test_a_model_loads_outside_the_project(
    root: Path, run_id: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    registry.register("toy-line", make_model(root / "model"), run_id=run_id, root=root)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["MLFLOW_TRACKING_URI"] = tracking.tracking_uri(root)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    command = [sys.executable, "-c", ELSEWHERE]
    done = subprocess.run(
        command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

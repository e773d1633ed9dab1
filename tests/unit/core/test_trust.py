"""What somebody else wrote is read, never run, and names no place but its own.

``docs/security.md`` points here.
"""

import os
import pickle  # noqa: TID251 - to make what must not be loaded
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mlflow import pyfunc
from mlflow.exceptions import MlflowException

from tests.unit.core.test_registry import make_model
from versus import cli
from versus.core import checkpoint, fetching, registry, tracking, trust
from versus.core import config as configs
from versus.core.errors import CheckpointError, ConfigError, DataError, RegistryError, TrackingError
from versus.core.experiment import find
from versus.core.models import read_model
from versus.core.paths import read_json, write_json
from versus.core.runs import HookChoice, Log
from versus.core.tracked import public
from versus.experiments.dsn.data.config import Videos
from versus.experiments.ordering.config import TrainConfig
from versus.experiments.reoac.data.config import Source

COMMIT = "0123456789abcdef" * 2 + "01234567"
REMOTE = {
    "source": "remote",
    "model_name_or_path": "somebody/model",
    "revision": COMMIT,
    "allow_remote_code": True,
}


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Where hostile code would leave its mark."""
    return tmp_path / "was-run"


@pytest.fixture
def run_id(root: Path) -> str:
    store = tracking.Store(tracking.tracking_uri(root), root)
    return str(store.create_run(store.experiment("toy"), "train", {}).info.run_id)


def test_the_hostile_pickle_works(mark: Path) -> None:
    pickle.loads(pickle.dumps(Malicious(mark)))
    assert mark.is_dir()


# --- models and checkpoints -----------------------------------------------------------------------


def test_a_pickle_in_place_of_weights_is_not_run(tmp_path: Path, mark: Path) -> None:
    folder = make_model(tmp_path / "model")
    (folder / "weights.safetensors").write_bytes(pickle.dumps(Malicious(mark)))
    with pytest.raises(DataError, match=r"weights\.safetensors is not readable"):
        read_model(folder)
    assert not mark.exists()


def test_a_pickle_in_place_of_a_checkpoint_is_not_run(tmp_path: Path, mark: Path) -> None:
    path = tmp_path / "step-0000000001.safetensors"
    path.write_bytes(pickle.dumps(Malicious(mark)))
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        checkpoint.load(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "../../up"),
        ("name", "/etc/x"),
        ("name", ".hidden"),
        ("name", ["x"]),
        ("name", ""),
        ("variant", "../up"),
        ("variant", "/etc/x"),
        ("variant", 3),
    ],
)
def test_a_model_cannot_name_another_place(tmp_path: Path, key: str, value: object) -> None:
    folder = make_model(tmp_path / "model")
    write_json(folder / "config.json", {**read_json(folder / "config.json"), key: value})
    with pytest.raises(DataError, match=f"{key} names no file of its own, received"):
        read_model(folder)


def test_a_description_that_is_no_object_is_refused(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model")
    write_json(folder / "config.json", ["toy-line"])
    with pytest.raises(DataError, match="expected an object, received list"):
        read_model(folder)


@pytest.mark.parametrize(
    "source", ["models:/../../elsewhere", "models:/m-1", "file:///tmp", "runs:/1/model"]
)
def test_a_version_that_comes_from_elsewhere_is_refused(
    root: Path, run_id: str, source: str
) -> None:
    make_model(root / "elsewhere")
    registry.register("toy-line", make_model(root / "model"), run_id=run_id, root=root)
    store = tracking.Store(tracking.tracking_uri(root), root)
    (version,) = registry.versions(store.client, "toy-line")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(version), "source", source)
        patch.setattr(fetching, "_find_version", lambda *_: version)
        with pytest.raises(RegistryError, match="which is no logged model"):
            fetching.fetch("models:/toy-line/1", root)


def test_a_model_of_somebody_else_is_refused_and_not_run(
    root: Path, run_id: str, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pickled model in the registry: fetching finds none of our files, MLflow refuses it."""
    registry.register("toy-line", make_model(root / "model"), run_id=run_id, root=root)
    (python_model,) = root.glob("mlruns/**/pyfunc_model.py")
    model = python_model.parent
    (model / "python_model.pkl").write_bytes(pickle.dumps(Malicious(mark)))
    described = (model / "MLmodel").read_text()
    lines = [line for line in described.splitlines() if "model_code_path" not in line]
    at = lines.index(next(line for line in lines if "loader_module" in line))
    lines.insert(at, "    python_model: python_model.pkl\n    cloudpickle_version: '3'")
    (model / "MLmodel").write_text("\n".join(lines) + "\n")
    (model / "artifacts" / "weights.safetensors").unlink()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.tracking_uri(root))
    with pytest.raises(MlflowException, match="MLFLOW_ALLOW_PICKLE_DESERIALIZATION"):
        pyfunc.load_model("models:/toy-line/1")
    with pytest.raises(RegistryError, match="it was not registered by versus"):
        fetching.fetch("models:/toy-line/1", root)
    assert not mark.exists()


def test_code_in_a_registered_model_runs_only_where_mlflow_loads_it(
    root: Path, run_id: str, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.register("toy-line", make_model(root / "model"), run_id=run_id, root=root)
    (code,) = root.glob("mlruns/**/pyfunc_model.py")
    code.write_text(f"import os\nos.mkdir({str(mark)!r})\n" + code.read_text())
    fetched = fetching.fetch("models:/toy-line/1", root)
    assert read_model(fetched.folder).name == "toy-line"
    assert not mark.exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.tracking_uri(root))
    with pytest.raises(ConfigError, match="there is no 'toy'"):
        pyfunc.load_model("models:/toy-line/1")
    assert mark.exists()


# --- params ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "key"),
    [(Log, "tensorboard"), (HookChoice, "reference"), (TrainConfig, "indices")],
)
def test_paths_of_params_stay_in_the_project_unless_absolute(section: Any, key: str) -> None:
    with pytest.raises(ConfigError, match=r"leaves the project; give an absolute path.*\.\./up"):
        configs.validate(section, {key: "../up"})
    for allowed in ("below", "/elsewhere"):
        assert getattr(configs.validate(section, {key: allowed}), key) == allowed


def test_paths_of_hooks_and_data_stay_in_the_project() -> None:
    for section, tree in (
        (HookChoice, {"names": ["norms", "../hook.py"]}),
        (Videos, {"folder": "../videos"}),
        (Source, {"train": "../rows.jsonl"}),
    ):
        with pytest.raises(ConfigError, match="leaves the project; give an absolute path"):
            configs.validate(section, tree)


@pytest.mark.parametrize("name", ["../up", "/up", "a/../../up"])
def test_a_variant_names_no_other_folder(name: str) -> None:
    comparison = find("reoac").Comparison(experiment="reoac", variants={name: {}})
    with pytest.raises(ConfigError, match="becomes a folder and leads nowhere else"):
        comparison.expand()


# --- code of others -------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["whole", "variant"])
def test_a_model_cannot_ask_for_code_that_the_user_has_not_read(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree: dict[str, Any] = {"experiment": "reoac", "seeds": 1}
    tree |= {"backbone": REMOTE} if where == "whole" else {"variants": {"a": {"backbone": REMOTE}}}
    comparison = find("reoac").Comparison.model_validate(tree)
    for trusted in ("", "f" * 40):
        monkeypatch.setenv(trust.TRUSTED, trusted)
        with pytest.raises(ConfigError, match=f"commit {COMMIT}; read that code, then set VERSUS_"):
            trust.check_code("reoac-actor", comparison)
    monkeypatch.setenv(trust.TRUSTED, f"{'f' * 40} {COMMIT}")
    trust.check_code("reoac-actor", comparison)


SMALL = ["--data.dim", "4", "--data.steps", "20", "--data.mem_size", "4", "--seeds", "2"]


@pytest.fixture
def trained(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model."""
    project = Path(__file__).resolve().parents[3]
    for name in ("params", "evaluation"):
        (root / name).symlink_to(project / name)
    monkeypatch.setenv("VERSUS_ROOT", str(root))
    words = ["train", "memory", *SMALL, "--model.updater", "Delta", "--grid.model.updater", "Delta"]
    assert cli.main([*words, "--no-tracking", "--quiet", "--out", str(root / "out")]) == 0
    (model,) = (root / "out" / "models").iterdir()
    return model


def test_hooks_that_a_model_names_are_not_run_when_it_is_evaluated(
    trained: Path, mark: Path
) -> None:
    hook = mark.with_name("hook.py")
    hook.write_text(f"import os\nos.mkdir({str(mark)!r})\n")
    config = read_json(trained / "config.json")
    config["comparison"]["hooks"]["names"] = [str(hook)]
    write_json(trained / "config.json", config)
    assert cli.main(["evaluate", "memory", "--path", str(trained), "--quiet"]) == 0
    assert not mark.exists()


def test_evaluating_asks_about_code_of_others(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    comparison = find("memory").Comparison
    monkeypatch.setattr(comparison, "foreign_code", lambda self: (COMMIT,))
    assert cli.main(["evaluate", "memory", "--path", str(trained)]) == 2
    assert COMMIT in capsys.readouterr().err
    monkeypatch.setenv(trust.TRUSTED, COMMIT)
    assert cli.main(["evaluate", "memory", "--path", str(trained)]) == 0


# --- passwords and addresses ----------------------------------------------------------------------


def test_passwords_in_addresses_are_not_told(tmp_path: Path) -> None:
    address = "http://ann:s3cret@127.0.0.1:9"
    with pytest.raises(TrackingError) as caught, tracking.reporting(address):
        raise OSError(f"no answer from {address}/api")
    assert "s3cret" not in str(caught.value)
    assert "http://127.0.0.1:9" in str(caught.value)
    assert public("postgresql+psycopg://ann:s3cret@db/x") == "postgresql+psycopg://db/x"
    assert public("http://host:5000/a@b") == "http://host:5000/a@b"


def test_the_user_interface_is_for_this_machine(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERSUS_ROOT", str(root))
    started: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda words, **_: started.append(words))
    assert cli.main(["ui"]) == 0
    (words,) = started
    assert words[words.index("--host") + 1] == "127.0.0.1"

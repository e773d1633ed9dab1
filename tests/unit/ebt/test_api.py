"""The seed document's functions: its snippets as they stand, results, and what is refused."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from versus.experiments import ebt
from versus.experiments.ebt.data.tasks import OPERATIONS, vector_task

SNIPPETS = (Path(__file__).parent / "golden" / "seed_snippets.txt").read_text(encoding="utf-8")
SMALLER = {
    r"from run_main import": "from versus.experiments.ebt import",
    r"from (data|model)\.\w+ import": "from versus.experiments.ebt import",
    r"'num_epochs': \d+": "'num_epochs': 12",
    r"size_train=10000": "size_train=130",
    r"size_(val|test)=\d+": r"size_\1=16",
    r"device='cuda'": "device='cpu'",
    r"output_dim=output_dim(,?)": r"output_dim=output_dim, num_epochs=12\1",
}
"""The imports and the sizes: all that is changed in a snippet."""
SIZES: dict[str, Any] = {"vec_size": 2, "size_train": 80, "size_val": 16, "size_test": 16}
EBT = {"num_epochs": 12, "batch_size": 16, "latent_dim": 8}
FFN = {"num_epochs": 8, "batch_size": 16, "latent_dim": 8}


def run(**changes: Any) -> dict[str, Any]:
    asked = {"ebt_config": EBT, "ffn_config": FFN, "verbose": False, **SIZES, **changes}
    found: dict[str, Any] = ebt.run_main(**asked)
    return found


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing may be left here, nor in the project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def sets() -> tuple[TensorDataset, TensorDataset, TensorDataset]:
    train, val, test, *_ = ebt.create_synthetic_data(task="multiply", **SIZES)
    return train, val, test


def alike(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


# --- the seed document's snippets -----------------------------------------------------------------


@pytest.mark.parametrize("number", range(5))
def test_a_snippet_of_the_seed_document_runs(number: int) -> None:
    snippet = SNIPPETS.split("-----\n")[number]
    if "import" not in snippet:
        snippet = "from versus.experiments.ebt import create_synthetic_data\n" + snippet
    for pattern, replacement in SMALLER.items():
        snippet = re.sub(pattern, replacement, snippet)
    names: dict[str, Any] = {}
    exec(compile(snippet, f"snippet {number}", "exec"), names)
    checks: list[Callable[[dict[str, Any]], None]] = [both, vectors, expressions, energy, one_pass]
    checks[number](names)


def both(names: dict[str, Any]) -> None:
    assert isinstance(names["ebt_model"], nn.Module)
    assert isinstance(names["ffn_model"], nn.Module)
    assert names["results"]["ebt"]["config"]["step_size"] == 1


def vectors(names: dict[str, Any]) -> None:
    assert names["x_train"].shape == (130, 20)
    assert names["x_val"].shape == names["x_test"].shape == (16, 20)
    for x, y, most in (("x_train", "y_train", 1), ("x_val", "y_val", 1), ("x_test", "y_test", 2)):
        a, b = names[x].chunk(2, dim=1)
        assert torch.equal(names[y], a + b)
        assert 0.9 * most < float(names[x].abs().max()) <= most
    assert (names["input_dim"], names["output_dim"]) == (20, 10)


def expressions(names: dict[str, Any]) -> None:
    for name in ("train_ds", "val_ds", "test_ds"):
        x, y = names[name].tensors
        assert (x.shape[1], x.dtype, y.ndim, y.dtype) == (500, torch.int64, 1, torch.int64)
        assert 0 <= int(y.min()) <= int(y.max()) <= 9
        assert int(x.max()) < 18
    assert (names["input_dim"], names["output_dim"]) == (500, 10)


def energy(names: dict[str, Any]) -> None:
    x, y = names["test_dataset"].tensors
    squares = (names["energy_fn"].predict(x) - y).square()
    assert names["test_mse"] == pytest.approx(float(squares.mean()))
    assert names["energy_fn"](x, y).shape == (16, 1)


def one_pass(names: dict[str, Any]) -> None:
    x, y = names["test_dataset"].tensors
    assert names["model"](x).shape == y.shape


# --- run_main -------------------------------------------------------------------------------------


def test_results_say_what_was_measured() -> None:
    found = run(task="multiply")
    assert list(found) == ["ebt", "ffn"]
    for name, own in found.items():
        assert set(own) == {
            "model", "test_mse", "val_mse", "config", "history", "shift_curve", "step_curve",
            "seconds", "mlflow_run_id", "data_hash",
        }  # fmt: skip
        assert own["shift_curve"][2.0] == own["test_mse"]
        assert list(own["shift_curve"]) == [1, 1.5, 2, 2.5, 3, 4]
        assert [entry["step"] for entry in own["history"]] == {
            "ebt": [0, 6, 12],
            "ffn": [0, 4, 8],
        }[name]
        assert own["val_mse"] == pytest.approx(min(entry["val/mse"] for entry in own["history"]))
        assert own["mlflow_run_id"] is None
        assert own["seconds"] > 0
    assert found["ebt"]["data_hash"] == found["ffn"]["data_hash"]
    assert found["ebt"]["step_curve"]["out_of_range"][10] == found["ebt"]["test_mse"]
    assert found["ffn"]["step_curve"] == {}
    assert found["ebt"]["config"] == {**EBT, "n_optimization_steps": 10, "step_size": 1, "lr": 1e-3}
    assert found["ffn"]["config"] == {**FFN, "lr": 1e-4}


def test_the_model_is_the_one_that_was_measured() -> None:
    found = run(task="multiply")
    _, val, test, *_ = ebt.create_synthetic_data(task="multiply", **SIZES)
    for name, answer in (("ebt", found["ebt"]["model"].predict), ("ffn", found["ffn"]["model"])):
        for part, measured in ((test, "test_mse"), (val, "val_mse")):
            x, y = part.tensors
            assert float((answer(x) - y).square().mean().detach()) == pytest.approx(
                found[name][measured]
            )
    steps = ebt.test_energy_model(found["ebt"]["model"], n_optimization_steps=3, step_size=1)
    assert steps == pytest.approx(found["ebt"]["step_curve"]["out_of_range"][3])


def test_equal_seeds_give_equal_models_and_the_threads_are_left_alone() -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        first, again, other = (run(seed=seed, model_type="ebt")["ebt"] for seed in (3, 3, 4))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert alike(first["model"], again["model"])
    assert not alike(first["model"], other["model"])
    same = ("test_mse", "val_mse", "history", "shift_curve", "step_curve", "data_hash")
    assert {key: first[key] for key in same} == {key: again[key] for key in same}
    assert first["data_hash"] != other["data_hash"]
    assert torch.equal(state, torch.get_rng_state())


def test_a_task_of_the_users_own_trains() -> None:
    @vector_task
    def larger(a: Tensor, b: Tensor) -> Tensor:
        return torch.maximum(a, b)

    try:
        found = run(task="larger", model_type="ffn")
        train, *_ = ebt.create_synthetic_data(task="larger", **SIZES)
    finally:
        del OPERATIONS["larger"]
    assert list(found) == ["ffn"]
    a, b = train.tensors[0].chunk(2, dim=1)
    assert torch.equal(train.tensors[1], torch.maximum(a, b))


def test_listops_has_errors_instead_of_squares() -> None:
    sizes = {"vec_size": 2, "size_train": 40, "size_val": 8, "size_test": 8}
    found = run(task="listops", **sizes)
    for own in found.values():
        assert 0 <= own["test_error"] <= 1
        assert 0 <= own["val_error"] <= 1
        assert "test_mse" not in own
        tokens = torch.zeros(3, 20, dtype=torch.int64) + 6
        assert own["model"](tokens).shape == (3, 10)


def test_the_text_is_that_of_the_seed_document(capsys: pytest.CaptureFixture[str]) -> None:
    run(task="add", verbose=True)
    captured = capsys.readouterr()
    told = re.sub(r"-?\d+\.\d+(e-\d+)?", "#", captured.err + captured.out).splitlines()
    banner, line = "=" * 80, "Epoch {:4d} | Train Loss: # | Val Loss: #"
    assert [text for text in told if text and set(text) != {"="}] == [
        "Running experiments on task: ADD",
        "Device: cpu",
        "[1/3] Generating synthetic datasets...",
        "✓ Dataset created: train=80, val=16, test=16",
        "✓ Input dim: 4, Output dim: 2",
        "[2/3] Training Energy-Based Transformer (EBT) Model",
        "Training Energy-Based Model (First-Order Approximation)",
        "Only tracking gradients through LAST optimization step",
        "Total optimization steps: 10",
        "Steps with θ-gradients: 1 (the last step only)",
        *(line.format(step) + " | Energy: # → #" for step in (0, 6, 12)),
        "✓ EBT Model Training Complete | Test MSE: #",
        "[3/3] Training Feedforward Network (FFN) Model",
        *(line.format(step) for step in (0, 4, 8)),
        "✓ FFN Model Training Complete | Test MSE: #",
        "EXPERIMENT SUMMARY",
        "Task: ADD",
        "Vector Size: 2",
        "Training Samples: 80",
        "Validation Samples: 16",
        "Test Samples: 16 (Out-of-Distribution)",
        "-" * 80,
        "EBT Model Test MSE: #",
        "FFN Model Test MSE: #",
        "-" * 80,
        *(text for text in told if text.startswith("Best Model: ")),
    ]
    assert captured.out.splitlines()[1:3] == [banner, "EXPERIMENT SUMMARY"]  # results on stdout


def test_nothing_is_imported_or_left_without_tracking(empty_folder: Path) -> None:
    code = (
        "import sys, versus.experiments.ebt as ebt; assert 'versus.experiments.ebt.api' not in "
        f"sys.modules; ebt.run_main(model_type='ffn', ffn_config={FFN}, verbose=False, "
        f"**{SIZES}); assert 'mlflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=empty_folder, check=False)
    assert done.returncode == 0
    assert list(empty_folder.iterdir()) == []


def test_with_tracking_the_runs_stay(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    first, again = (run(model_type="ffn", track=True)["ffn"] for _ in range(2))
    assert first["mlflow_run_id"] == again["mlflow_run_id"] is not None
    assert alike(first["model"], again["model"])
    (results,) = empty_folder.glob("runs/ebt/*/results")
    assert (results / "verdict.md").is_file()
    assert first["mlflow_run_id"] in (results / "run.json").read_text(encoding="utf-8")
    for path in list(empty_folder.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


# --- training on given data -----------------------------------------------------------------------


def test_a_model_trained_on_given_data_is_that_of_run_main(
    sets: tuple[TensorDataset, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    found = run(task="multiply")
    energy_fn = ebt.train_energy_model(*sets, input_dim=4, output_dim=2, **EBT)
    network = ebt.train_feedforward(*sets, input_dim=4, output_dim=2, **FFN)
    assert alike(energy_fn, found["ebt"]["model"])
    assert alike(network, found["ffn"]["model"])
    told = capsys.readouterr().err
    assert "Total optimization steps: 10" in told
    assert "Epoch   12 | Train Loss: " in told
    assert "[2/" not in told
    mse = ebt.test_energy_model(energy_fn, n_optimization_steps=10, step_size=1)
    assert mse == pytest.approx(found["ebt"]["test_mse"])
    on_val = ebt.test_energy_model(energy_fn, 10, 1, test_dataset=sets[1])
    assert on_val == pytest.approx(found["ebt"]["val_mse"])


def test_energies_and_answers_are_differentiable(sets: tuple[TensorDataset, ...]) -> None:
    energy_fn = ebt.train_energy_model(*sets, input_dim=4, output_dim=2, **EBT)
    network = ebt.train_feedforward(*sets, input_dim=4, output_dim=2, **FFN)
    x, y = sets[2].tensors
    answer = energy_fn.start[:, 0].expand_as(y).clone()
    for _ in range(10):
        at = answer.requires_grad_()
        (slope,) = torch.autograd.grad(energy_fn(x, at).sum(), at)
        answer = (at - slope).detach()
    assert torch.allclose(answer, energy_fn.predict(x), atol=1e-5)
    network(x).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())

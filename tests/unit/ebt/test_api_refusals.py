"""What the seed document's functions refuse, and what they say then."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from tests.unit.ebt.test_api import EBT, FFN, SIZES, run
from versus.core.errors import ConfigError, TrainingError
from versus.experiments import ebt
from versus.experiments.ebt.api.asking import ArgumentError


@pytest.fixture
def sets() -> tuple[TensorDataset, TensorDataset, TensorDataset]:
    train, val, test, *_ = ebt.create_synthetic_data(task="multiply", **SIZES)
    return train, val, test


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"task": "divide"},
            r"^task: choose of add, multiply, subtract, listops.*'divide'",
        ),
        ({"task": "mutliply"}, r"^task.*did you mean multiply"),
        ({"size_train": 0}, r"^size_train: .*received 0"),
        ({"size_val": -1}, r"^size_val: .*received -1"),
        ({"size_test": 2.5}, r"^size_test: .*received 2.5"),
        ({"vec_size": 0}, r"^vec_size: .*received 0"),
        ({"seed": -1}, r"^seed: .*received \(-1,\)"),
        ({"device": "tpu"}, r"^device: .*received 'tpu'"),
        (
            {"device": "cuda:99"},
            r"^device: no such CUDA device.*'cuda:99'; use auto or cpu",
        ),
        ({"task": "listops", "vec_size": 1}, r"listops.*vec_size = 1 allows at most 50 tokens"),
    ],
)
def test_data_that_cannot_be_made_are_refused(changes: dict[str, Any], told: str) -> None:
    for ask in (ebt.create_synthetic_data, run):
        with pytest.raises(ArgumentError, match=told) as caught:
            ask(**{**SIZES, **changes})
        assert isinstance(caught.value, ConfigError)
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": "gan"}, r"^model_type: choose of ebt, ffn and both; received 'gan'"),
        (
            {"ebt_config": {"epochs": 3}},
            r"^ebt_config: there is no 'epochs'; known are n_optimization_steps, step_size, "
            r"latent_dim, batch_size, num_epochs, lr; received 3",
        ),
        ({"ffn_config": {"step_size": 1}}, r"^ffn_config: there is no 'step_size'"),
        ({"ebt_config": {"n_optimization_steps": 0}}, r"^n_optimization_steps .*received 0"),
        ({"ebt_config": {"step_size": -1}}, r"^step_size .*received -1"),
        ({"ebt_config": {"num_epochs": "many"}}, r"^num_epochs .*received 'many'"),
        ({"ffn_config": {"lr": float("nan")}}, r"^lr .*received nan"),
        ({"ffn_config": {"latent_dim": 0}}, r"^latent_dim .*received 0"),
        ({"ffn_config": {"batch_size": 81}}, r"batch_size.*80 training examples.*81; take at most"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        run(**changes)


def spoilt(sets: tuple[TensorDataset, ...], which: int, x: Tensor, y: Tensor) -> list[Any]:
    changed: list[Any] = list(sets)
    changed[which] = TensorDataset(x, y)
    return changed


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda x, y: (x[:, :3], y), r"^val_dataset: inputs must have shape \(n, 4\).*\(16, 3\)"),
        (lambda x, y: (x, y[:, :1]), r"^val_dataset: answers must have shape.*\(16, 1\)"),
        (lambda x, y: (x[:0], y[:0]), r"^val_dataset: inputs.* n > 0, received \(0, 4\)"),
        (lambda x, y: (x, y[:, 0]), r"^val_dataset: answers must have shape.*\(16,\)"),
        (lambda x, y: (x.long(), y), r"^val_dataset: inputs must be vectors of float32.*int64"),
        (lambda x, y: (x, y / 0), r"^val_dataset: answers must be finite.*row 0"),
    ],
)
def test_examples_that_do_not_fit_are_refused(
    sets: tuple[TensorDataset, ...], spoil: Any, told: str
) -> None:
    given = spoilt(sets, 1, *spoil(*sets[1].tensors))
    for train in (ebt.train_energy_model, ebt.train_feedforward):
        with pytest.raises(ArgumentError, match=told):
            train(*given, input_dim=4, output_dim=2)


def test_dimensions_and_data_sets_that_do_not_fit_are_refused(
    sets: tuple[TensorDataset, ...],
) -> None:
    with pytest.raises(ArgumentError, match=r"^input_dim: two vectors of output_dim = 2 .*make 4"):
        ebt.train_energy_model(*sets, input_dim=5, output_dim=2)
    with pytest.raises(ArgumentError, match=r"^input_dim: .*output_dim = 0"):
        ebt.train_feedforward(*sets, input_dim=0, output_dim=0)
    with pytest.raises(ArgumentError, match=r"^test_dataset: expected a TensorDataset.*list"):
        ebt.train_energy_model(*sets[:2], [1, 2], input_dim=4, output_dim=2)
    with pytest.raises(ArgumentError, match=r"batch_size.*larger than the 80 training"):
        ebt.train_feedforward(*sets, input_dim=4, output_dim=2)  # 128 is the default


def test_a_training_that_diverges_names_the_inner_step_and_its_size(
    sets: tuple[TensorDataset, ...],
) -> None:
    told = r"inner step 1 of 10 with step size 1e\+30; choose a smaller step_size"
    steep = {**EBT, "step_size": 1e30}
    with pytest.raises(TrainingError, match=told):
        run(model_type="ebt", ebt_config=steep)
    with pytest.raises(TrainingError, match=told):
        ebt.train_energy_model(*sets, input_dim=4, output_dim=2, **steep)


def test_a_descent_that_diverges_names_the_step_and_its_size(
    sets: tuple[TensorDataset, ...],
) -> None:
    energy_fn = ebt.train_energy_model(*sets, input_dim=4, output_dim=2, **EBT)
    told = r"inner step 1 of 7 with step size 1e\+30; choose a smaller step_size"
    with pytest.raises(TrainingError, match=told):
        ebt.test_energy_model(energy_fn, n_optimization_steps=7, step_size=1e30)
    with pytest.raises(ArgumentError, match=r"^step_size: .*received 0"):
        ebt.test_energy_model(energy_fn, n_optimization_steps=10, step_size=0)


def test_one_model_that_diverges_leaves_the_other() -> None:
    found = run(ebt_config={**EBT, "step_size": 1e30})
    assert found["ebt"]["test_mse"] == float("inf")
    assert found["ffn"]["test_mse"] < 100


def test_inputs_of_another_width_are_refused(sets: tuple[TensorDataset, ...]) -> None:
    network = ebt.train_feedforward(*sets, input_dim=4, output_dim=2, **FFN)
    with pytest.raises(ValueError, match=r"x: expected a tensor of shape \(n, 4\).*\(7, 3\)"):
        network(torch.zeros(7, 3))

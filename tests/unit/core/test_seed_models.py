"""Examples and models of every seed, and learning curves of any experiment."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from versus.core import curves, defaults, seed_models
from versus.core.errors import ConfigError, DataError
from versus.core.examples import Examples, per_example, read_examples, seed_stage
from versus.core.experiment import ModelPart
from versus.core.seed_files import read_seed, write_seed


def part(**finals: float) -> ModelPart:
    """A model of two inputs and two classes whose seed s answers class s."""
    weights = {}
    for seed in (0, 1):
        weights[f"{seed}/model.weight"] = torch.zeros(2, 2)
        weights[f"{seed}/model.bias"] = torch.tensor([1.0 - seed, float(seed)])
    compare = {"metrics": ["test/error"], "direction": "minimize"}
    recorded = {seed[1:]: {"test/error": repr(value)} for seed, value in finals.items()}
    config = {"comparison": {"compare": compare}, "final_metrics": recorded, "experiment": "any"}
    return ModelPart("any-model", weights, config)


@pytest.mark.parametrize(("errors", "best"), [((0.5, 0.2), 1), ((0.2, 0.2), 0), ((0.1, 0.2), 0)])
def test_the_best_seed_answers(errors: tuple[float, float], best: int) -> None:
    model = part(s0=errors[0], s1=errors[1])
    assert seed_models.seeds_of(model) == [0, 1]
    predict = seed_models.classifier(model, nn.Linear(2, 2), np.float32)
    answer = predict({"inputs": np.zeros((3, 2))})
    assert answer["label"].tolist() == [best] * 3
    sure = float(torch.tensor([1.0, 0.0]).softmax(0)[0])
    assert answer["probability"].tolist() == pytest.approx([sure] * 3)


@pytest.mark.parametrize(("values", "best"), [((0.5, 0.2), 0), ((0.2, 0.2), 0), ((0.1, 0.2), 1)])
def test_the_best_seed_by_a_metric_that_is_to_be_large(
    values: tuple[float, float], best: int
) -> None:
    assert seed_models.best_seed(part(s0=values[0], s1=values[1]), "test/error") == best


@pytest.mark.parametrize(
    "inputs", [{}, {"inputs": np.zeros((3, 5))}, {"inputs": np.array(["a"])}, {"x": np.zeros(2)}]
)
def test_what_the_model_does_not_take_is_named(inputs: Mapping[str, Any]) -> None:
    predict = seed_models.classifier(part(s0=0.0, s1=1.0), nn.Linear(2, 2), np.float32)
    with pytest.raises(DataError, match="inputs: not what any-model takes"):
        predict(inputs)


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="do not fit"):
        seed_models.restore({"model": nn.Linear(3, 2)}, part(), 0)
    with pytest.raises(DataError, match="do not fit"):
        seed_models.restore({"other": nn.Linear(2, 2)}, part(), 0)


def test_an_experiment_without_predictions_says_so() -> None:
    assert defaults.example(part()) == {}
    with pytest.raises(DataError, match="any-model: answers nothing"):
        defaults.predictor(part())
    with pytest.raises(ConfigError, match=r"compare.metrics: name at least one"):
        defaults.primary_metrics(SimpleNamespace())


def test_examples_of_every_seed_come_back(tmp_path: Path) -> None:
    def draw(data: int, seed: int) -> dict[str, Examples]:
        numbers = torch.arange(data + seed)
        return {"train": Examples(numbers, 2 * numbers), "test": Examples(numbers, numbers)}

    comparison = SimpleNamespace(data=3, seed_list=(0, 1), tuning_seed_list=(7,))
    seed_stage(draw)["data"].run(comparison, tmp_path)
    for seed in (0, 1, 7):
        found = read_examples(tmp_path, seed, "cpu")
        assert set(found) == {"train", "test"}
        assert found["train"].labels.tolist() == [2 * n for n in range(3 + seed)]
    with pytest.raises(DataError, match="no readable data"):
        read_seed(tmp_path, 2)
    write_seed(tmp_path, 2, {"train/inputs": torch.zeros(1)})
    with pytest.raises(DataError, match="lacks 'train/labels'"):
        read_examples(tmp_path, 2, "cpu")


def test_a_part_of_a_seed_s_tensors_is_read_and_a_missing_one_named(tmp_path: Path) -> None:
    parts = {"near/b": torch.ones(2), "near/a": torch.zeros(2), "far/a": torch.ones(1)}
    write_seed(tmp_path, 0, parts)
    found = read_seed(tmp_path, 0, ("b",), prefix="near/")
    assert list(found) == ["b", "a"]
    assert found["b"].tolist() == [1, 1]
    with pytest.raises(DataError, match=r"seed-0000000.*far/b.*prepare the data again"):
        read_seed(tmp_path, 0, ("b",), prefix="far/")


def test_loss_and_accuracy_of_an_example_are_means_over_its_labels() -> None:
    logits, labels = torch.randn(4, 5, 3), torch.randint(3, (4, 5))
    found = per_example(logits, labels)
    chosen = logits.log_softmax(-1).gather(-1, labels[..., None])[..., 0]
    assert torch.allclose(found["loss"], -chosen.mean(1))
    assert torch.allclose(found["accuracy"], (logits.argmax(-1) == labels).double().mean(1))
    assert per_example(logits[:, 0], labels[:, 0])["loss"].shape == (4,)


def record(variant: str, seed: int, epoch: int, **metrics: float | None) -> str:
    named = {name.replace("_", "/", 1): value for name, value in metrics.items()}
    place = {"time": 0, "step": 10 * epoch, "epoch": epoch, "variant": variant, "seed": seed}
    return json.dumps({**place, "metrics": named}) + "\n"


def test_curves_are_the_evaluations_and_a_stopped_run_keeps_its_last_value(tmp_path: Path) -> None:
    folder = tmp_path / "stacks" / "0000"
    folder.mkdir(parents=True)
    lines = [record("a", 0, e, test_accuracy=e / 100, best_test=1.0) for e in range(100)]
    lines += [record("b", 0, e, test_accuracy=0.5, train_step=9.0) for e in range(3)]
    lines.append(record("b", 0, 3, train_step=9.0))
    (folder / "metrics.jsonl").write_text("".join(lines))
    table = curves.collect(tmp_path, {"test/accuracy", "best/test"}.__contains__)
    assert list(table) == ["variant", "seed", "epoch", "step", "test/accuracy", "best/test"]
    assert len(table) == 103
    drawn = curves._continued(table, "test/accuracy")
    assert drawn["epoch"].nunique() == curves.POINTS
    last = drawn[drawn["epoch"] == 99].set_index("variant")["test/accuracy"]
    assert last.to_dict() == {"a": 0.99, "b": 0.5}
    pictures = curves.draw(table, tmp_path / "plots")
    assert [path.name for path in pictures] == ["test-accuracy.png"]


def test_no_evaluations_give_an_empty_table_and_no_picture(tmp_path: Path) -> None:
    table = curves.collect(tmp_path, {"test/accuracy"}.__contains__)
    assert list(table) == ["variant", "seed", "epoch", "step"]
    assert curves.draw(table, tmp_path) == []
    assert isinstance(table, pd.DataFrame)

"""What a memory answers as a registered model, against formulas in plain NumPy."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from versus.core import stages
from versus.core.errors import DataError
from versus.core.experiment import ModelPart, find
from versus.experiments.memory.config import Comparison
from versus.experiments.memory.evaluate import example, predictor
from versus.experiments.memory.learner import MemoryLearner

Array = NDArray[np.floating[Any]]
VARIANTS: dict[str, Any] = {
    "delta": {"model": {"updater": "Delta", "lr": 0.3, "reg": 0.1}},
    "omega": {"model": {"updater": "Omega", "lr": 0.05, "window": 4, "reg": 0.1}},
    "ridge": {"model": {"updater": "OmegaRidge", "window": 7, "reg": 0.2}},
    "rls": {"model": {"updater": "RLS", "window": 7, "reg": 0.2}},
}
TUNED = {"delta": {"first": {"lr": 0.7}, "second": {"lr": 0.01}}}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelPart]:
    """One trained model per rule, 3 rows by 6 columns."""
    data = tmp_path_factory.mktemp("evaluate") / "data"
    streams = {"first": {"kind": "linear"}, "second": {"kind": "ar"}}
    asked = Comparison.model_validate(
        {
            "experiment": "memory",
            "seeds": 1,
            "data": {"streams": streams, "dim": 6, "mem_size": 3, "steps": 12},
            "variants": VARIANTS,
            "tuned": TUNED,
        }
    )
    stages.prepare(find("memory"), asked, data)
    learner = MemoryLearner(asked.expand(), data)
    for chunk in learner.batches(0):
        learner.train_step(chunk)
    return learner.models()


def inputs(seed: int = 0, pairs: int = 20) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    sizes = {"write_key": (pairs, 6), "write_value": (pairs, 3), "query": (4, 6)}
    return {name: rng.standard_normal(shape) / 2 for name, shape in sizes.items()}


def gradient_rule(keys: Array, values: Array, lr: float, reg: float, window: int) -> Array:
    memory = np.zeros((3, 6))
    for t in range(len(keys)):
        k, v = keys[max(0, t - window + 1) : t + 1], values[max(0, t - window + 1) : t + 1]
        memory = (1 - lr * reg) * memory - lr * (memory @ k.T - v.T) @ k
    return memory


def ridge_rule(keys: Array, values: Array) -> Array:
    k, v = keys[-7:], values[-7:]
    return np.linalg.solve(k.T @ k + 0.2 * np.eye(6), k.T @ v).T


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_a_model_answers_by_its_rule(parts: dict[str, ModelPart], variant: str) -> None:
    given = inputs()
    keys, values = given["write_key"], given["write_value"]
    expected = {
        "delta": gradient_rule(keys, values, 0.7, 0.1, 1),  # what was tuned for the first stream
        "omega": gradient_rule(keys, values, 0.05, 0.1, 4),
        "ridge": ridge_rule(keys, values),
        "rls": ridge_rule(keys, values),
    }[variant]
    answer = predictor(parts[variant])(given)
    assert answer["state"] == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert answer["read"] == pytest.approx(given["query"] @ expected.T, rel=1e-4, abs=1e-5)


def test_nothing_is_kept_between_calls(parts: dict[str, ModelPart]) -> None:
    predict = predictor(parts["omega"])
    first = predict(inputs(0))
    predict(inputs(1))
    again = predict(inputs(0))
    assert all(np.array_equal(first[name], again[name]) for name in ("read", "state"))


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_the_example_fits_the_model(parts: dict[str, ModelPart], variant: str) -> None:
    given = example(parts[variant])
    answer = predictor(parts[variant])(given)
    assert answer["state"].shape == next(iter(parts[variant].weights.values())).shape == (3, 6)
    assert answer["read"].shape == (len(given["query"]), 3)
    assert np.abs(answer["read"]).min() > 0  # the query is one of the keys


def test_a_model_with_features_takes_keys() -> None:
    rule = {"updater": "OmegaRidge", "window": 20, "reg": 0.0, "features": "poly2"}
    part = ModelPart("memory", {"first": torch.zeros(3, 27)}, {"rule": rule, "tuned": {}})
    given = example(part)
    assert given["write_key"].shape == (2, 6)
    given = inputs(pairs=20)
    answer = predictor(part)({**given, "query": given["write_key"]})
    assert answer["state"].shape == (3, 27)
    assert answer["read"] == pytest.approx(given["write_value"], abs=1e-3)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"query": None}, "query: missing; a memory takes write_key, write_value and query"),
        (
            {"write_key": np.zeros((0, 6))},
            r"write_key: .*at least one row, received shape \(0, 6\)",
        ),
        ({"query": np.zeros(6)}, r"query: expected a matrix .*received shape \(6,\)"),
        ({"write_value": np.zeros((2, 3))}, "write_key has 20 rows, write_value 2; give one value"),
        ({"query": np.zeros((1, 5))}, "write_key has 6 columns, query 5; both are keys"),
        ({"query": [["a", "b"]]}, "query: not a matrix of numbers"),
        ({"query": [[1.0], [1.0, 2.0]]}, "query: not a matrix of numbers"),
    ],
)
def test_unusable_inputs_are_named(
    parts: dict[str, ModelPart], change: dict[str, Any], complaint: str
) -> None:
    given = {k: v for k, v in {**inputs(), **change}.items() if v is not None}
    with pytest.raises(DataError, match=complaint):
        predictor(parts["delta"])(given)

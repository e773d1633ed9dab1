"""A trained memory measured again, and what it answers as a registered model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from versus.core.errors import DataError, VerificationError
from versus.core.experiment import ModelPart, Predictor
from versus.core.sinks import per_run
from versus.experiments.memory import naive
from versus.experiments.memory.config import Comparison, ModelConfig
from versus.experiments.memory.features import key_dimension
from versus.experiments.memory.learner import MemoryLearner
from versus.experiments.memory.rules import RuleSettings

Arrays = Mapping[str, NDArray[Any]]


def evaluate(part: ModelPart, data: Path) -> pd.DataFrame:
    """Let the model's rule learn its streams again; one row per (seed, task).

    Raises:
        VerificationError: if the memories it ends with are not those of the model.
    """
    comparison = Comparison.model_validate(part.config["comparison"])
    learner = MemoryLearner(comparison.expand(), data, only=part.config["variant"])
    for chunk in learner.batches(0):
        learner.train_step(chunk)
    _check_memories(part, learner)
    return _items(learner, comparison)


def _check_memories(part: ModelPart, learner: MemoryLearner) -> None:
    again = learner.models()[part.config["variant"]].weights
    for name, memory in part.weights.items():
        if not torch.equal(memory.nan_to_num(), again[name].nan_to_num()):
            raise VerificationError(
                f"{part.name}: the memory {name} learnt now differs from the registered one; the "
                "data, the code or the number of threads have changed since"
            )


def _items(learner: MemoryLearner, comparison: Comparison) -> pd.DataFrame:
    rows = []
    for run, metrics in zip(learner.runs, per_run(learner.evaluate(), learner.runs), strict=True):
        for task in comparison.data.tasks():
            prefix = f"{task.name}/"
            own = {k.removeprefix(prefix): v for k, v in metrics.items() if k.startswith(prefix)}
            item = f"{task.name}/{run.seed}"
            rows.append(
                {
                    "item_id": item,
                    "cluster_id": str(run.seed),
                    "seed": run.seed,
                    "group": task.name,
                    "score": own[comparison.data.all_streams[task.stream].score],
                    **own,
                }
            )
    return pd.DataFrame(rows)


def predictor(part: ModelPart) -> Predictor:
    """The rule as a function: write pairs into an empty memory, then read.

    Inputs ``write_key`` (n, dim), ``write_value`` (n, rows), ``query`` (m, dim); outputs ``read``
    (m, rows) and ``state`` (rows, dim, or the number of features). Nothing is kept between calls.
    A rule that was tuned per stream uses what was chosen for the first one.
    """
    rule = _rule(part)

    def predict(inputs: Arrays) -> dict[str, NDArray[Any]]:
        keys, values, queries = (_matrix(inputs, n) for n in ("write_key", "write_value", "query"))
        if len(keys) != len(values):
            raise DataError(
                f"write_key has {len(keys)} rows, write_value {len(values)}; give one value per key"
            )
        if keys.shape[1] != queries.shape[1]:
            raise DataError(
                f"write_key has {keys.shape[1]} columns, query {queries.shape[1]}; both are keys "
                "of one dimension"
            )
        memory = naive.run(rule, keys, values).memory
        return {"read": naive.read(rule, memory, queries).numpy(), "state": memory.numpy()}

    return predict


def example(part: ModelPart) -> dict[str, NDArray[Any]]:
    """Two pairs and a query of the model's sizes."""
    rows, features = next(iter(part.weights.values())).shape
    keys = np.eye(2, key_dimension(_rule(part).features, features), dtype=np.float32)
    return {"write_key": keys, "write_value": np.ones((2, rows), np.float32), "query": keys[:1]}


def _rule(part: ModelPart) -> RuleSettings:
    chosen: Mapping[str, Any] = next(iter(part.config["tuned"].values()), {})
    return ModelConfig.model_validate({**part.config["rule"], **chosen}).rule()


def _matrix(inputs: Arrays, name: str) -> torch.Tensor:
    if name not in inputs:
        raise DataError(f"{name}: missing; a memory takes write_key, write_value and query")
    try:
        array = np.asarray(inputs[name], dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: not a matrix of numbers ({error})") from error
    if array.ndim != 2 or array.shape[0] == 0:
        raise DataError(
            f"{name}: expected a matrix with at least one row, received shape {array.shape}"
        )
    return torch.from_numpy(array)

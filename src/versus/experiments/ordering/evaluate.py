"""A trained transformer measured again, and what it answers as a registered model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from versus.core.errors import DataError
from versus.core.experiment import ModelPart, Predictor
from versus.experiments.ordering.config import ModelConfig
from versus.experiments.ordering.data import read_splits
from versus.experiments.ordering.measuring import logits_in_chunks
from versus.experiments.ordering.model import Transformer

Arrays = Mapping[str, NDArray[Any]]


def evaluate(part: ModelPart, data: Path) -> pd.DataFrame:
    """Every test pair of every seed: one row per item, ``test_accuracy`` 1 where it is right.

    Pairs of one seed share a network, so they form one cluster.
    """
    tables = []
    for seed in seeds_of(part):
        split = read_splits(data, [seed])
        pairs, labels = split.test_pairs[0], split.test_labels[0]
        right = logits_of(part, seed, pairs).argmax(-1) == labels
        a, b = pairs.T.tolist()
        tables.append(
            pd.DataFrame(
                {
                    "item_id": [f"{seed}/{x},{y}" for x, y in zip(a, b, strict=True)],
                    "cluster_id": str(seed),
                    "seed": seed,
                    "group": "best",
                    "test_accuracy": right.double().numpy(),
                    "score": right.double().numpy(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def predictor(part: ModelPart) -> Predictor:
    """The network of the best seed: inputs ``a`` and ``b`` (n,), outputs ``c`` and ``probability``.

    ``c`` is the number that it takes for ``a op b mod p``, ``probability`` how sure it is.
    """
    seed, p = best_seed(part), int(part.config["p"])

    def predict(inputs: Arrays) -> dict[str, NDArray[Any]]:
        pairs = torch.stack([_numbers(inputs, name, p) for name in ("a", "b")], dim=-1)
        if len(pairs) == 0:
            raise DataError("a, b: expected at least one pair, received none")
        probabilities = logits_of(part, seed, pairs).softmax(-1)
        sure, numbers = probabilities.max(-1)
        return {"c": numbers.numpy(), "probability": sure.numpy()}

    return predict


def example(part: ModelPart) -> dict[str, NDArray[Any]]:
    """Two pairs."""
    return {"a": np.array([0, 1]), "b": np.array([1, 1])}


def seeds_of(part: ModelPart) -> list[int]:
    """Seeds whose weights the model holds."""
    return sorted({int(name.partition("/")[0]) for name in part.weights})


def best_seed(part: ModelPart) -> int:
    """The seed with the best test accuracy, the first of several."""
    recorded = part.config["final_metrics"]
    return max(seeds_of(part), key=lambda seed: float(recorded[str(seed)]["best/test_accuracy"]))


def parameters_of(part: ModelPart, seed: int) -> dict[str, Tensor]:
    """The weights of one seed, as a stack of one run."""
    prefix = f"{seed}/"
    return {
        name.removeprefix(prefix): tensor[None]
        for name, tensor in part.weights.items()
        if name.startswith(prefix)
    }


def transformer_of(part: ModelPart) -> Transformer:
    """The sizes of the model."""
    return Transformer.of(ModelConfig.model_validate(part.config["model"]), part.config["p"])


def logits_of(part: ModelPart, seed: int, pairs: Tensor) -> Tensor:
    """Logits (N, p) of pairs (N, 2), as training's evaluation computes them."""
    chunks = logits_in_chunks(transformer_of(part), parameters_of(part, seed), pairs[None])
    return torch.cat([chunk[0] for chunk in chunks])


def _numbers(inputs: Arrays, name: str, p: int) -> Tensor:
    if name not in inputs:
        raise DataError(f"{name}: missing; the model takes a and b")
    try:
        numbers = np.asarray(inputs[name]).astype(np.int64, casting="safe").reshape(-1)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: expected whole numbers ({error})") from error
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() < p):
        raise DataError(
            f"{name}: expected numbers from 0 to {p - 1}, received {numbers.min()} to "
            f"{numbers.max()}"
        )
    return torch.from_numpy(numbers)

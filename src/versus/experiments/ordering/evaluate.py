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
from versus.core.seed_models import best_seed, item_table, seeds_of, weights_of
from versus.experiments.ordering.config import ModelConfig
from versus.experiments.ordering.data import read_splits
from versus.experiments.ordering.measuring import logits_in_chunks
from versus.experiments.ordering.model import Transformer

Arrays = Mapping[str, NDArray[Any]]
SCORE = "test_accuracy"
BEST = f"best/{SCORE}"
"""What the best seed is best by."""


def evaluate(part: ModelPart, data: Path) -> pd.DataFrame:
    """Every test pair of every seed: one row per item, ``test_accuracy`` 1 where it is right.

    Pairs of one seed share a network, so they form one cluster.
    """
    tables = []
    for seed in seeds_of(part):
        split = read_splits(data, [seed])
        pairs, labels = split.test_pairs[0], split.test_labels[0]
        right = logits_of(part, seed, pairs).argmax(-1) == labels
        names = [f"{a},{b}" for a, b in pairs.tolist()]
        tables.append(item_table(seed, names, "best", {SCORE: right}, SCORE))
    return pd.concat(tables, ignore_index=True)


def predictor(part: ModelPart) -> Predictor:
    """The network of the best seed: inputs ``a`` and ``b`` (n,), outputs ``c`` and ``probability``.

    ``c`` is the number that it takes for ``a op b mod p``, ``probability`` how sure it is.
    """
    seed, p = best_seed(part, BEST), int(part.config["p"])

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


def parameters_of(part: ModelPart, seed: int) -> dict[str, Tensor]:
    """The weights of one seed, as a stack of one run."""
    return {name: tensor[None] for name, tensor in weights_of(part, seed).items()}


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

"""A trained model measured again, and what it answers as a registered model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from versus.core.errors import DataError
from versus.core.experiment import ModelPart, Predictor
from versus.core.seed_models import best_seed, item_table, restore, runs_of, settings_of
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.data.listops.config import TOKENS_PER_COORDINATE
from versus.experiments.ebt.data.listops.grammar import binary, parse
from versus.experiments.ebt.data.listops.splits import TESTS
from versus.experiments.ebt.data.listops.tokens import padded
from versus.experiments.ebt.listops.learner import build
from versus.experiments.ebt.listops.model import make_model

SCORE = "error"
BEST = "best/val_loss"
"""What the seed that answers has the lowest of."""


def evaluate(part: ModelPart, data: Path) -> pd.DataFrame:
    """Every test example of every seed: one row per item; a seed's share a network, so a cluster.

    Raises:
        DataError: if data or weights do not fit the model's config, or a descent leaves the finite
            numbers.
    """
    tables = []
    for run in runs_of(part, Comparison):
        learner = build([run], data)
        restore(learner.modules(), part, run.key.seed)
        for group in TESTS:
            with torch.no_grad():
                items = learner.items(group)
            names = [f"{group}/{number}" for number in range(len(items[SCORE]))]
            tables.append(item_table(run.key.seed, names, group, items, SCORE))
    return pd.concat(tables, ignore_index=True)


def predictor(part: ModelPart) -> Predictor:
    """The model with the weights of its best seed, as a function.

    ``expression`` (n,), text in the binary format, becomes its ``value`` (n,) and the
    ``probability`` (n,) that the model gives it. An expression that does not parse, or is longer
    than 50 * vec_size tokens, is a DataError.
    """
    settings: Comparison = settings_of(part, Comparison)
    seed = best_seed(part, lowest=BEST)
    model = make_model(settings.model, settings.recipe, seed)
    restore({"model": model}, part, seed)
    most = TOKENS_PER_COORDINATE * settings.data.vec_size

    def predict(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        rows = [_tokens(str(text), most) for text in _column(inputs, part.name)]
        tokens = padded(rows, max(map(len, rows))).long()
        with torch.no_grad():
            probability, value = model(tokens).softmax(-1).max(-1)
        return {"value": value.numpy(), "probability": probability.numpy()}

    return predict


def _column(inputs: Mapping[str, NDArray[Any]], name: str) -> list[Any]:
    texts: list[Any] = np.asarray(inputs.get("expression", ())).reshape(-1).tolist()
    if not texts:
        raise DataError(f"expression: {name} needs at least one, received {sorted(inputs)}")
    return texts


def _tokens(text: str, most: int) -> list[int]:
    tokens = binary(parse(text))
    if len(tokens) > most:
        raise DataError(
            f"expression: at most {most} tokens, received {len(tokens)}: {text[:60]} ..."
        )
    return tokens


def example(part: ModelPart) -> dict[str, NDArray[Any]]:
    """Two expressions."""
    texts = ["( ( ( [MAX 2 ) ( ( ( [MIN 9 ) 4 ) ] ) ) ] )", "( ( ( [SM 7 ) 6 ) ] )"]
    return {"expression": np.array(texts)}

"""Trained models of vectors measured again, and what they answer as registered models."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from versus.core.errors import DataError
from versus.core.experiment import ModelPart, Predictor
from versus.core.seed_models import best_seed, item_table, seeds_of
from versus.experiments.ebt.data.stages import read_task
from versus.experiments.ebt.vectors import measuring
from versus.experiments.ebt.vectors.learner import VectorLearner
from versus.experiments.ebt.vectors.prediction import model_of

Arrays = Mapping[str, NDArray[Any]]
NAMES = {"energy": "energy", "ffn": "ffn", "bilinear_ffn": "ffn", "bag": "bag"}
"""Kind of model -> the end of its name in the registry; closed forms are linear."""
BEST = "best/val_mse"


def models(learner: VectorLearner) -> dict[str, ModelPart]:
    """One model per variant: its best weights of every seed in this stack, ``seed/parameter``."""
    weights: dict[str, dict[str, Tensor]] = {}
    tasks: dict[str, str] = {}
    for row, (run, config) in enumerate(zip(learner.runs, learner.configs, strict=True)):
        own = learner.one(row, learner.best.values)
        named = {f"{run.seed}/{name}": tensor[0].cpu().clone() for name, tensor in own.items()}
        weights.setdefault(run.variant, {}).update(named)
        tasks[run.variant] = config.task
    kind = NAMES.get(learner.settings.model.kind, "linear")
    return {
        variant: ModelPart(
            f"ebt-{tasks[variant]}-{kind}", found, {"experiment": "ebt", "task": tasks[variant]}
        )
        for variant, found in weights.items()
    }


def evaluate(part: ModelPart, data: Path) -> pd.DataFrame:
    """Every row of every test set and seed; rows of one seed share a model, so a cluster."""
    return pd.concat(_tables(part, data), ignore_index=True)


def _tables(part: ModelPart, data: Path) -> Iterator[pd.DataFrame]:
    for seed in seeds_of(part):
        model = model_of(part, seed)
        settings = model.settings
        settings.use_torch()
        parts = read_task(data, part.config["task"], seed)
        for name in measuring.test_names(settings):
            found = measuring.errors(
                model.method, model.parameters, parts[name], settings.data.dist
            )
            names = [f"{name}/{row}" for row in range(len(parts[name].labels))]
            yield item_table(seed, names, name, found, measuring.SCORE)


def predictor(part: ModelPart) -> Predictor:
    """The model of the seed with the lowest validation error.

    Inputs ``a`` and ``b``, the two vectors (n, d); output ``y`` (n, d).
    """
    model = model_of(part, best_seed(part, lowest=BEST))

    def predict(inputs: Arrays) -> dict[str, NDArray[Any]]:
        a, b = (_vectors(inputs, name, model.d) for name in ("a", "b"))
        if len(a) != len(b):
            raise DataError(f"a has {len(a)} rows, b {len(b)}; give pairs of vectors")
        return {"y": model.predict(torch.cat([a, b], dim=1)).numpy()}

    return predict


def example(part: ModelPart) -> dict[str, NDArray[Any]]:
    """Two pairs of vectors."""
    d = part.config["comparison"]["data"]["vec_size"]
    return {"a": np.full((2, d), 0.5, np.float32), "b": np.full((2, d), -0.25, np.float32)}


def _vectors(inputs: Arrays, name: str, d: int) -> Tensor:
    if name not in inputs:
        raise DataError(f"{name}: missing; the model takes the vectors a and b")
    try:
        given = np.asarray(inputs[name], dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: not a matrix of numbers ({error})") from error
    if given.ndim != 2 or given.shape[1] != d or len(given) == 0:
        raise DataError(
            f"{name}: expected vectors of {d} numbers, shape (n, {d}), received {given.shape}"
        )
    if not np.isfinite(given).all():
        raise DataError(f"{name}: holds numbers that are not finite; leave out such rows")
    return torch.from_numpy(given)

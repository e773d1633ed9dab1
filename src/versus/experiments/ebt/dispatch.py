"""What the experiment does, handed to the half that the task belongs to: vectors or ListOps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from versus.core.experiment import ModelPart, Predictor
from versus.core.learner import Learner
from versus.core.runs import RunConfig
from versus.experiments.ebt import listops, vectors
from versus.experiments.ebt.data.tasks import LISTOPS


def build(stack: Sequence[RunConfig], data: Path) -> Learner:
    """The learner of one stack."""
    if stack[0].config.task == LISTOPS:
        return listops.build(stack, data)
    return vectors.build(stack, data)


def models(learner: Any) -> Mapping[str, ModelPart]:
    """One model per variant."""
    return (
        vectors.models(learner)
        if isinstance(learner, vectors.VectorLearner)
        else listops.models(learner)
    )


def evaluate(part: ModelPart, data: Path) -> pd.DataFrame:
    """One row per example of every test set and seed."""
    return listops.evaluate(part, data) if _reads(part) else vectors.evaluate(part, data)


def predictor(part: ModelPart) -> Predictor:
    """The registered model as a function of arrays."""
    return listops.predictor(part) if _reads(part) else vectors.predictor(part)


def example(part: ModelPart) -> dict[str, NDArray[Any]]:
    """Inputs that the predictor accepts."""
    return listops.example(part) if _reads(part) else vectors.example(part)


def _reads(part: ModelPart) -> bool:
    return bool(part.config["task"] == LISTOPS)

"""Learners of a few short clips."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from versus.core import config as configs
from versus.core import stages
from versus.core.experiment import find
from versus.experiments.dsn.config import Comparison
from versus.experiments.dsn.learning.learner import ScorerLearner

DATA: dict[str, Any] = {
    "generated": {
        **{"train": 4, "validation": 2, "test": 3, "test_style": 2},
        **{"width": 64, "height": 36, "difficulty": 0.0},
    },
    "features": {"colours": {"levels": 1, "directions": 2, "bins": 8}},
}
MODEL = {"kind": "advanced", "hidden": 8, "lstm_hidden": 4, "heads": 2, "layers": 1, "scales": 2}
TRAIN = {"epochs": 2, "videos": 2, "lr": 1e-2, "policy": {"kind": "gumbel_topk", "episodes": 3}}


def comparison(
    train: Mapping[str, Any] | None = None, model: Mapping[str, Any] | None = None, **more: Any
) -> Comparison:
    tree = {"experiment": "dsn", "seeds": [0], "device": "cpu", "data": DATA}
    settings = {"model": {**MODEL, **(model or {})}, "train": configs.merge(TRAIN, train or {})}
    return configs.load(Comparison, [("", {**tree, **settings, **more})])


def prepared(folder: Path) -> Path:
    """The data, made once where they are not there yet."""
    stages.prepare(find("dsn"), comparison(), folder)
    return folder


def learner(
    data: Path, train: Mapping[str, Any] | None = None, model: Mapping[str, Any] | None = None
) -> ScorerLearner:
    return ScorerLearner(comparison(train, model).expand()[0], data)

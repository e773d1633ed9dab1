"""Trained scorers as registered models: measured again, and what they answer.

A run gives ``dsn-scorer``, and with a critic ``dsn-critic``. Both hold the weights of both.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from numpy.typing import NDArray

from versus.core.display import Display
from versus.core.errors import DataError
from versus.core.experiment import ModelPart, Predictor
from versus.core.runs import RunConfig, RunKey
from versus.core.seed_models import restore, runs_of
from versus.experiments.dsn.config import Comparison
from versus.experiments.dsn.data import shards

if TYPE_CHECKING:
    from versus.core.exhibits import Exhibits
    from versus.experiments.dsn.learning.learner import ScorerLearner
    from versus.experiments.dsn.learning.measuring import Measured

NOT_IDENTITY = ("width",)
"""What the extractor's description tells beyond its identity."""


def models(learner: "ScorerLearner") -> dict[str, ModelPart]:
    """The best weights of a learnt scorer; none of a rule or a diverged run."""
    modules = learner.modules()
    if not modules or bool(learner.diverged):
        return {}
    key, name = learner.run.key, learner.run.config.experiment
    weights = {f"{key.seed}/{n}": t.cpu() for n, t in learner.best_weights().items()}
    features, motion = learner.parts.sizes
    config = {
        "experiment": name,
        "variant": key.variant,
        "extractor": learner.parts.extractor,
        "features": features,
        "motion": motion,
    }
    return {
        key.variant if part == "scorer" else f"{key.variant}-{part}": ModelPart(
            f"{name}-{part}", weights, {**config, "part": part}
        )
        for part in modules
    }


def evaluate(part: ModelPart, data: Path) -> pd.DataFrame:
    """Every test video with every seed's scorer; what is found of one video forms a cluster.

    Raises:
        DataError: if data or weights do not fit the model's config.
    """
    refuse_strangers(part, shards.about(data, "test")["extractor"])
    tables = [_of_run(run, part, data) for run in runs_of(part, Comparison)]
    return pd.concat(tables, ignore_index=True)


def refuse_strangers(part: ModelPart, extractor: dict[str, Any]) -> None:
    """Features must be those that the scorer has learnt to read.

    Raises:
        DataError: if another extractor, version or model of it has made them.
    """
    known = part.config["extractor"]
    ours, theirs = (
        {k: v for k, v in spec.items() if k not in NOT_IDENTITY} for spec in (known, extractor)
    )
    if ours != theirs:
        differing = sorted(k for k in {*ours, *theirs} if ours.get(k) != theirs.get(k))
        told = ", ".join(f"{k} {ours.get(k)!r}, here {theirs.get(k)!r}" for k in differing)
        raise DataError(
            f"{part.name}: reads features of another extractor ({told}); extract the features "
            "again with the settings data.features of the model's config"
        )


def _of_run(run: RunConfig, part: ModelPart, data: Path) -> pd.DataFrame:
    from versus.experiments.dsn.learning.learner import ScorerLearner

    learner = ScorerLearner(run, data)
    with torch.no_grad():
        restore(learner.modules(), part, run.key.seed)
        tables = [
            _table(run.key.seed, split, learner.measured(learner.gauge(split)))
            for split in learner.tests
        ]
    return pd.concat(tables, ignore_index=True)


def _table(seed: int, split: str, of: "Measured") -> pd.DataFrame:
    from versus.experiments.dsn.learning.measuring import COMPOSITE, F1

    columns = {name: values.numpy() for name, values in of.items.items()}
    named = {
        "seed": seed,
        "group": split,
        "item_id": [f"{seed}/{video}" for video in of.videos],
        "cluster_id": of.videos,
    }
    score = columns[F1] if F1 in columns else columns[COMPOSITE]
    return pd.DataFrame({**named, **columns, "score": score})


def predictor(part: ModelPart) -> Predictor:
    """Key frames of videos and feature files."""
    from versus.experiments.dsn.prediction import answers

    return answers.predictor(part)


def example(part: ModelPart) -> dict[str, NDArray[Any]]:
    """A feature file."""
    from versus.experiments.dsn.prediction import answers

    return answers.example(part)


def predict_files(part: ModelPart, inputs: Sequence[Path], out: Path, display: Display) -> None:
    """Key frames of the user's own videos."""
    from versus.experiments.dsn.prediction import files

    files.predict_files(part, inputs, out, display)


def import_model(file: Path, settings: Mapping[str, Any]) -> ModelPart:
    """A checkpoint of the seed document as a scorer."""
    from versus.experiments.dsn import conversion

    return conversion.part_of(file, settings)


def exhibits(learner: "ScorerLearner") -> "Mapping[RunKey, Exhibits]":
    """Histograms and pictures of a trained scorer."""
    from versus.experiments.dsn.learning import exhibits as shows

    return shows.exhibits(learner)

"""What the registered scorer answers: key frames of videos and feature files, as a table."""

import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from versus.core.errors import DataError
from versus.core.experiment import ModelPart, Predictor
from versus.experiments.dsn.data.cache import DiskCache
from versus.experiments.dsn.data.sequences import Sequence
from versus.experiments.dsn.evaluate import refuse_strangers
from versus.experiments.dsn.prediction import feature_files
from versus.experiments.dsn.prediction.finding import Finder, Found

EXAMPLE_ROWS = 8


def predictor(part: ModelPart) -> Predictor:
    """The scorer of the best seed as a function of files.

    ``input`` (n,), paths of videos or feature files (``.npz``, see :mod:`.feature_files`), becomes
    one row per key frame: its ``input``, ``frame`` of the file, ``time`` in seconds and ``score``.
    """
    finder = Finder(part)

    def predict(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        rows = [
            (given, *one)
            for given in _paths(inputs)
            for one in _found(finder, Path(given)).keyframes()
        ]
        names, frames, times, scores = zip(*rows, strict=True)
        return {
            "input": np.array(names),
            "frame": np.array(frames, np.int64),
            "time": np.array(times, np.float64),
            "score": np.array(scores, np.float64),
        }

    return predict


def example(part: ModelPart) -> dict[str, NDArray[Any]]:
    """The path of a feature file that is there until the process ends; none of a critic."""
    if part.config["part"] != "scorer":
        return {}
    path = Path(_folder().name) / f"example-{part.config['features']}{feature_files.ENDING}"
    feature_files.write(path, [_example_scene(part)], part.config["extractor"])
    return {"input": np.array([str(path)])}


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="versus-example-")


def _example_scene(part: ModelPart) -> Sequence:
    frames = np.arange(EXAMPLE_ROWS)
    return Sequence(
        video="example",
        scene=0,
        fps=24.0,
        span=(0, EXAMPLE_ROWS),
        picks=frames,
        times=frames / 24,
        features=torch.eye(EXAMPLE_ROWS, part.config["features"]),
        motion=torch.zeros(EXAMPLE_ROWS, part.config["motion"]),
        colours=torch.zeros(EXAMPLE_ROWS, 0, 0, 0),
        keys=None,
        holds=(),
    )


def _paths(inputs: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    given = np.asarray(inputs.get("input", ()))
    if given.ndim != 1 or not given.size:
        raise DataError(
            f"input: expected one column of paths, received {sorted(inputs)} of shape "
            f"{given.shape}; name videos or .npz feature files"
        )
    for path in given.tolist():
        if not isinstance(path, str):
            raise DataError(f"input: expected the path of a file, received {path!r:.80}")
        yield path


def _found(finder: Finder, path: Path) -> Found:
    if path.suffix.lower() != feature_files.ENDING:
        with tempfile.TemporaryDirectory() as folder:
            return finder.in_video(path, DiskCache(Path(folder)))[1]
    held = feature_files.read(path, motion=finder.reads_motion)
    refuse_strangers(finder.part, held.extractor)
    return finder.among(held.scenes, str(path))

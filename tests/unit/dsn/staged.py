"""The data stages on a few small clips, and folders in the layout of the seed document."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np

from versus.core.config import Section
from versus.core.experiment import Experiment
from versus.core.stages import prepare
from versus.experiments.dsn.data.config import DataConfig
from versus.experiments.dsn.data.stages import stages

SMALL = {"train": 3, "validation": 1, "test": 2, "test_style": 1, "width": 64, "height": 36}
EXPERIMENT = cast(Experiment, SimpleNamespace(stages=stages))


class Comparison(Section):
    """As much of a comparison as the stages look at."""

    experiment: str = "dsn"
    data: DataConfig = DataConfig()


def asked(**data: Any) -> Any:
    return Comparison.model_validate({"data": {"generated": SMALL, **data}})


def made(folder: Path, only: str = "", **data: Any) -> Path:
    prepare(EXPERIMENT, asked(**data), folder, only)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def scene(folder: Path, features: np.ndarray, *, first: int = 0, pictures: bool = True) -> Path:
    (folder / "frames").mkdir(parents=True)
    np.save(folder / "feats.npy", features)
    facts = {"sampled_start": first, "sampled_end": first + len(features) - 1, "fps_used": 12.0}
    (folder / "meta.json").write_text(json.dumps(facts))
    if pictures:
        for number in range(len(features)):
            picture = np.full((36, 64, 3), 5 * number, np.uint8)
            cv2.imwrite(str(folder / "frames" / f"{number:06d}.jpg"), picture)
    return folder


def unit_rows(count: int, width: int = 16) -> np.ndarray:
    rows = np.random.default_rng(count).normal(size=(count, width)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

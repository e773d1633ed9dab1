"""Key frames of videos and feature files, found by a registered scorer.

A video is cut into scenes, described and selected from as the clips that the model was trained on:
by the settings in the model's config.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from versus.core.errors import ConfigError, DataError
from versus.core.experiment import ModelPart
from versus.core.module_state import load_tensors, misfits
from versus.core.paths import shown
from versus.core.seed_models import best_seed, seeds_of, settings_of, weights_of
from versus.experiments.dsn.config import Comparison
from versus.experiments.dsn.data.assembly import sequences_of
from versus.experiments.dsn.data.cache import DiskCache
from versus.experiments.dsn.data.config import Features
from versus.experiments.dsn.data.extraction import Extraction
from versus.experiments.dsn.data.features.extractors import spec
from versus.experiments.dsn.data.features.motion import COLUMNS
from versus.experiments.dsn.data.scenes import scenes_of
from versus.experiments.dsn.data.sequences import FloatArray, IntArray, Sequence
from versus.experiments.dsn.data.video import Film, look
from versus.experiments.dsn.evaluate import refuse_strangers
from versus.experiments.dsn.models.scorers import Scorer, blank
from versus.experiments.dsn.prediction.keyframe import Keyframe
from versus.experiments.dsn.selection import select

SELECTED_BY = "best/val_score"
EXTRACTORS = ("classic", "clip", "dinov2")


class Found(NamedTuple):
    """What was found in one video.

    Attributes:
        scenes: in their order.
        scores: of the rows of each, ``[T]``.
        rows: of the key frames of each, increasing.
    """

    scenes: list[Sequence]
    scores: list[FloatArray]
    rows: list[IntArray]

    def keyframes(self) -> list[Keyframe]:
        """In the order of the video."""
        return [
            Keyframe(int(scene.picks[row]), float(scene.times[row]), float(scores[row]))
            for scene, scores, rows in zip(*self, strict=True)
            for row in rows
        ]


class Finder:
    """A scorer with the weights of its best seed, and the settings that go with it.

    Args:
        part: a model of this experiment.

    Raises:
        DataError: if the model is no scorer, or its weights do not fit its settings.
    """

    def __init__(self, part: ModelPart) -> None:
        if part.config["part"] != "scorer":
            raise DataError(f"{part.name}: scores no frames; take the model {_scorer_of(part)}")
        self.part = part
        self.settings: Comparison = settings_of(part, Comparison)
        self.scorer = _restored(part, self.settings)

    @property
    def reads_motion(self) -> bool:
        """Whether the scorer is told how frames move."""
        return self.settings.model.motion != "none"

    def in_video(self, path: Path, cache: DiskCache) -> tuple[Film, Found]:
        """Scenes, features, scores and key frames of a video file.

        Args:
            path: the file.
            cache: keeps its features.

        Raises:
            DataError: if the file cannot be read as a video, or the model's features cannot be
                made here.
        """
        film, config = look(path), self.check_videos()
        spans = scenes_of(film, self.settings.data.scenes)
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        extracted = Extraction(config, cache).extract(film, content)
        return film, self.among(
            sequences_of(path.name, extracted, film.times, film.fps, spans), shown(path)
        )

    def among(self, scenes: list[Sequence], where: str) -> Found:
        """Scores and key frames of the scenes of one video.

        Raises:
            DataError: if a score is not finite, or the features are not as wide as the model's.
        """
        wide = self.part.config["features"]
        if scenes[0].features.shape[1] != wide:
            raise DataError(
                f"{where}: has {scenes[0].features.shape[1]} numbers per frame, "
                f"{self.part.name} reads {wide}; extract its features with the model's extractor"
            )
        scores = [self._scores(scene) for scene in scenes]
        return Found(scenes, scores, select(scenes, scores, self.settings.model.selection))

    @torch.no_grad()
    def _scores(self, scene: Sequence) -> FloatArray:
        mask = torch.ones(1, len(scene.picks), dtype=torch.bool)
        logits = self.scorer(scene.features[None], scene.motion[None], mask)[0]
        return np.asarray(logits.double().sigmoid().numpy())

    def check_videos(self) -> Features:
        """How features of videos are made, as the model knows them.

        Raises:
            DataError: if they cannot be made here.
        """
        known = self.part.config["extractor"]
        if known["name"] not in EXTRACTORS:
            raise DataError(
                f"{self.part.name}: reads features of extractor {known['name']!r}, which nothing "
                "here can make of a video; give the registered model an .npz file of such "
                "features, or train a model with --data.source videos"
            )
        data = self.settings.data.features
        config = data.model_copy(update={"colours": data.colours.model_copy(update=_WITHOUT)})
        try:
            made = spec(config)
        except ConfigError as error:
            raise DataError(
                f"{self.part.name}: reads features of extractor {known['name']!r}, which is not "
                f"available ({error}); import or train the model with --data.features.model FOLDER"
            ) from error
        refuse_strangers(self.part, made)
        self._check_motion()
        return config

    def _check_motion(self) -> None:
        wide = self.part.config["motion"]
        if self.reads_motion and wide != len(COLUMNS):
            raise DataError(
                f"{self.part.name}: reads {wide} numbers of motion per frame, {len(COLUMNS)} are "
                "made of a video here; give the registered model an .npz file with its own motion"
            )


_WITHOUT = {"enabled": False}


def _restored(part: ModelPart, settings: Comparison) -> Scorer:
    scorer = blank(settings.model, part.config["features"], part.config["motion"])
    seeds = seeds_of(part)
    seed = seeds[0] if len(seeds) == 1 else best_seed(part, highest=SELECTED_BY)
    modules, weights = {"scorer": scorer}, weights_of(part, seed)
    if wrong := misfits(modules, weights):
        raise DataError(
            f"{part.name}: its weights do not fit its settings ({'; '.join(wrong[:3])}); take "
            "another copy of the model, or train again"
        )
    with torch.no_grad():
        load_tensors(modules, weights)
    return scorer.eval()


def _scorer_of(part: ModelPart) -> str:
    return f"{part.config['experiment']}-scorer"

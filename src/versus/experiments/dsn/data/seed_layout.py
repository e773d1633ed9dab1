"""A folder in the layout of the seed document: scenes with features that were made elsewhere.

``<video>/scenes.json``, and in each ``<video>/scene_XXXX/``: ``feats.npy``, ``meta.json`` and maybe
``frames/000000.jpg`` ... The layout numbers frames within the stream that was sampled
at ``fps_used`` and does not tell the original rate, so numbers and times here are those of that
stream.
"""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from versus.core.errors import DataError
from versus.core.paths import read_json, shown
from versus.experiments.dsn.data.animation.stage import Image
from versus.experiments.dsn.data.assembly import sequences_of
from versus.experiments.dsn.data.config import Colours, Features
from versus.experiments.dsn.data.extraction import Extracted
from versus.experiments.dsn.data.features import classic, colours, motion
from versus.experiments.dsn.data.sequences import Sequence

FPS = 20.0
"""Rate at which the seed's script samples unless told otherwise."""
MOST_FPS = 1e4
"""More is a mistake."""


def scenes_in(folder: Path) -> dict[str, list[Path]]:
    """Video -> folders of its scenes.

    Raises:
        DataError: if there are none.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*/*/feats.npy")):
        found.setdefault(path.parents[1].name, []).append(path.parent)
    if not found:
        raise DataError(
            f"data.videos.folder: {shown(folder)} holds no VIDEO/scene_XXXX/feats.npy; name a "
            "folder in that layout, or use --data.source videos"
        )
    return found


def content_of(scenes: list[Path]) -> str:
    """SHA-256 of the features and facts of a video's scenes."""
    digest = hashlib.sha256()
    for scene in scenes:
        for name in ("feats.npy", "meta.json"):
            digest.update((scene / name).read_bytes() if (scene / name).is_file() else b"")
    return digest.hexdigest()


def sequences(video: str, scenes: list[Path], config: Features) -> list[Sequence]:
    """The scenes of a video.

    Raises:
        DataError: if features are torn, not finite, or of different widths.
    """
    found = []
    for number, scene in enumerate(scenes):
        features = read_features(scene / "feats.npy")
        facts = _facts(scene)
        first, fps = facts.sampled_start, facts.fps_used or FPS
        picks = first + np.arange(len(features))
        pictures = _pictures(scene / "frames", len(features))
        extracted = Extracted(
            picks=picks,
            features=classic.unit(features),
            changes=_changes(pictures, features),
            colours=_colours(pictures, len(features), config.colours),
        )
        span = first, first + len(features)
        times = np.arange(span[1]) / fps
        (made,) = sequences_of(video, extracted, times, fps, [span])
        found.append(made._replace(scene=number))
    return found


def read_features(path: Path) -> npt.NDArray[np.float32]:
    """Features of a scene, ``[T, D]``.

    Raises:
        DataError: if they are torn, of another shape, or not finite.
    """
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{shown(path)}: not readable as an array ({error}); make it again"
        ) from error
    if found.ndim != 2 or not len(found) or found.dtype.kind != "f":
        raise DataError(
            f"{shown(path)}: expected numbers of shape [frames, features], received "
            f"{found.dtype} {list(found.shape)}; make it again"
        )
    if not np.isfinite(found).all():
        raise DataError(f"{shown(path)}: features hold NaN or infinity; make it again")
    return np.asarray(found, np.float32)


class Facts(BaseModel):
    """What is read of ``meta.json``, which may hold more."""

    model_config = ConfigDict(frozen=True, strict=True)

    sampled_start: int = Field(0, ge=0)
    """Number of the first row in the sampled stream."""
    fps_used: float | None = Field(None, ge=0, le=MOST_FPS)
    """Rate at which it was sampled; null or 0 = unknown."""


def _facts(scene: Path) -> Facts:
    path = scene / "meta.json"
    try:
        return Facts.model_validate(read_json(path) if path.is_file() else {})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(
            f"{shown(path)}: {key}: {first['msg'].lower()}; received {first['input']!r}; mend it, "
            f"or remove it ({FPS:g} frames a second from 0 are assumed then)"
        ) from error


def _pictures(folder: Path, count: int) -> Image | None:
    """The scene's pictures, if there is one for every row."""
    paths = sorted([*folder.glob("*.jpg"), *folder.glob("*.png")])
    if len(paths) != count:
        return None
    read = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in paths]
    pictures = [one for one in read if one is not None]
    if len({one.shape for one in pictures}) != 1 or len(pictures) < count:
        raise DataError(
            f"{shown(folder)}: pictures are unreadable or of different sizes; make them again"
        )
    return np.ascontiguousarray(np.stack(pictures)[..., ::-1], np.uint8)


def _changes(pictures: Image | None, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if pictures is not None:
        return motion.changes(motion.small_grey(pictures), None)
    rows = np.zeros((len(features), motion.CHANGES), np.float32)
    steps = np.linalg.norm(np.diff(classic.unit(features), axis=0), axis=1)
    rows[1:, motion.PLAIN] = rows[1:, motion.STEADY] = steps
    return rows


def _colours(pictures: Image | None, count: int, config: Colours) -> colours.Fractions:
    if pictures is None or not config.enabled:
        return np.zeros((count, 0, 0, 0), np.uint16)
    along = colours.directions(config.directions, config.seed)
    return colours.distributions(
        pictures,
        along,
        levels=config.levels,
        bins=config.bins,
        longest=config.longest_side,
    )

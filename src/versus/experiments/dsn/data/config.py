"""Where the clips come from, and what is made of them."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from versus.core.config import Section
from versus.core.paths import project_root

SPLITS = ("train", "validation", "test", "test_style")
"""The last one is drawn in another style; a user's own videos have none of it."""
ENDINGS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ts")
GLANCE = 1 << 16
"""Bytes at both ends of a file by which another one of its name and size is noticed."""


def videos_in(folder: Path) -> list[Path]:
    """Files that look like videos, also in folders within, in order of their names."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    return sorted(path for path in found if path.is_file())


def inputs_in(folder: Path) -> list[Path]:
    """What a folder of videos, or one in the layout of the seed document, is made of."""
    layout = ("*/scenes.json", "*/*/feats.npy", "*/*/meta.json")
    prepared = (path for pattern in layout for path in folder.glob(pattern))
    return sorted({*videos_in(folder), *prepared})


def fingerprint(folder: Path) -> str:
    """Identity of a folder's inputs by names, sizes and the ends of the files."""
    digest = hashlib.sha256()
    for path in inputs_in(folder):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder)}\0{size}\0".encode())
        with contextlib.suppress(OSError):  # what cannot be read is reported when it is looked at
            for part in _ends(path, size):
                digest.update(part)
    return digest.hexdigest()


def _ends(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield file.read(GLANCE)
        file.seek(max(0, size - GLANCE))
        yield file.read(GLANCE)


class Generated(Section):
    """Clips that are drawn here, with known key poses."""

    seed: int = Field(0, ge=0)
    """Decides every clip."""
    train: int = Field(48, ge=1)
    """Clips to learn from; a clip has about 170 frames."""
    validation: int = Field(16, ge=1)
    """Clips to choose by."""
    test: int = Field(24, ge=1)
    """Clips to measure on."""
    test_style: int = Field(16, ge=0)
    """Clips of another style (shapes, colours, timing, grain) to measure on; 0 = none."""
    width: int = Field(160, ge=32, le=1920, multiple_of=2)
    """Width of the clips in pixels; even."""
    height: int = Field(90, ge=32, le=1080, multiple_of=2)
    """Height of the clips in pixels; even."""
    fps: float = Field(24.0, gt=0, le=120)
    """Frame rate of the files."""
    difficulty: float = Field(0.5, ge=0, le=1)
    """0: a key pose is where nothing moves; 1: poses are held briefly or long, camera, tails and
    passers-by move through them, tweens pause, and light flashes and flickers."""


class Videos(Section):
    """Your own files, for the sources ``videos`` and ``seed_layout``."""

    folder: str = ""
    """Folder of video files, or of scenes in the layout of the seed document; one that is not
    absolute lies in the project."""
    fingerprint: str = ""
    """Identity of the folder's files; filled in where it is empty."""
    validation: float = Field(0.15, ge=0, le=0.5)
    """Share of the videos to choose by."""
    test: float = Field(0.15, ge=0, le=0.5)
    """Share of the videos to measure on."""
    seed: int = Field(0, ge=0)
    """Decides which videos these are; all scenes of a video are in one split."""

    @model_validator(mode="before")
    @classmethod
    def _identify(cls, tree: Any) -> Any:
        """Other files in the same folder are other data."""
        if not isinstance(tree, dict):
            return tree
        name = str(tree.get("folder") or "")
        if ".." in Path(name).parts:
            raise ValueError("folder: leaves the project; give an absolute path")
        folder = project_root() / name
        if name and folder.is_dir() and not tree.get("fingerprint"):
            return {**tree, "fingerprint": fingerprint(folder)}
        return tree


class Scenes(Section):
    """How a video is cut into scenes."""

    detector: Literal["content", "adaptive", "histogram", "kts", "none"] = "kts"
    """content, adaptive, histogram: PySceneDetect's; kts: kernel temporal segmentation of the
    weight-free features; none: a video is one scene."""
    threshold: float = Field(0.0, ge=0)
    """Of the detector; 0 = its default (content 27, adaptive 3, histogram 0.2; kts: weight of the
    penalty for further scenes, 4)."""
    min_scene_len: int = Field(12, ge=1)
    """Frames of the original file; shorter scenes join the one before."""
    longest_side: int = Field(160, ge=32)
    """Pixels on the longest side of the pictures that are looked at."""


class Colours(Section):
    """Distributions of colours, for the reward and metric ColorSWD."""

    enabled: bool = True
    """Whether they are made; they take levels x directions x bins x 2 bytes a frame."""
    levels: int = Field(3, ge=1, le=6)
    """Sizes of the picture, each half as large as the one before."""
    directions: int = Field(16, ge=1, le=256)
    """Directions in the space of colours on which pixels are projected."""
    bins: int = Field(32, ge=8, le=1024)
    """Bins of a distribution; the distance is exact to about 2 % at 32, 0.3 % at 128."""
    seed: int = Field(42, ge=0)
    """Decides the directions."""
    longest_side: int = Field(80, ge=8)
    """Pixels on the longest side of the largest picture."""


class Features(Section):
    """What is known of every frame."""

    extractor: Literal["classic", "clip", "dinov2"] = "classic"
    """classic: 611 numbers of colour, shape and layout, no weights; clip, dinov2: image embeddings
    of pretrained models, loaded by transformers."""
    model: str = ""
    """Folder or OWNER/NAME of the pretrained model; empty = the extractor's own choice."""
    revision: str = Field("", pattern=r"^([0-9a-f]{40})?$")
    """Commit of the model on the hub: 40 hexadecimal digits; needed unless it is a folder."""
    batch: int = Field(32, ge=1)
    """Frames that a pretrained model sees at once; does not change the features."""
    fps: float = Field(0.0, ge=0)
    """Frames a second that are kept; 0 = all. At an even rate it is every
    ``max(1, round(rate / fps))``-th."""
    longest_side: int = Field(160, ge=32)
    """Pixels on the longest side of the decoded pictures (pretrained models: at least 224)."""
    colours: Colours = Colours()


class DataConfig(Section):
    """Clips, scenes and features."""

    source: Literal["generated", "videos", "seed_layout"] = "generated"
    """generated: clips drawn here; videos: a folder of your own files; seed_layout: a folder with
    scenes.json, scene_XXXX/feats.npy and meta.json."""
    generated: Generated = Generated()
    videos: Videos = Videos()
    scenes: Scenes = Scenes()
    features: Features = Features()

"""The data stages: videos, their scenes, features of their frames, and sequences by split.

Every stage can be run alone: it makes what comes before it where that is missing. Features lie in
the cache ``runs/dsn/cache``, by content, so nothing is extracted twice; ``features.json`` tells
what they are made from.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from versus.core.errors import DataError
from versus.core.experiment import Stage
from versus.core.paths import read_json, shown, write_json
from versus.experiments.dsn.data import ingest as files
from versus.experiments.dsn.data import scenes as cuts
from versus.experiments.dsn.data import seed_layout, shards
from versus.experiments.dsn.data.assembly import sequences_of, split_of
from versus.experiments.dsn.data.cache import DiskCache
from versus.experiments.dsn.data.config import SPLITS, DataConfig, fingerprint
from versus.experiments.dsn.data.extraction import Extraction
from versus.experiments.dsn.data.sequences import Sequence

SCENES = "scenes.json"
FEATURES = "features.json"
SOURCES = ("data.source", "data.generated", "data.videos")


class Prepared(Protocol):
    """A comparison, of which the data stages read one section."""

    @property
    def data(self) -> DataConfig:
        """Where the clips come from, and what is made of them."""


def stages() -> Mapping[str, Stage]:
    """The stages in order; of the first two, one has nothing to do."""
    return {
        "generate": Stage(("data.source", "data.generated"), generate),
        "ingest": Stage(("data.source", "data.videos"), ingest),
        "scenes": Stage((*SOURCES, "data.scenes"), scenes),
        "features": Stage((*SOURCES, "data.features"), features),
        "split": Stage((*SOURCES, "data.scenes", "data.features"), split),
    }


def generate(comparison: Prepared, folder: Path) -> Mapping[str, Any] | None:
    """Draw the clips and write them as video files; tells how many, and their frames."""
    if comparison.data.source != "generated":
        return None
    files.generate(comparison.data.generated, folder)
    listed = files.listed_videos(folder)
    return {"videos": len(listed), "frames": sum(video["frames"] for video in listed)}


def ingest(comparison: Prepared, folder: Path) -> Mapping[str, Any] | None:
    """List the user's videos; tells how many, which were left out and why, and which are torn."""
    data = comparison.data
    if data.source == "generated":
        return None
    source = files.source_folder(data)
    if data.videos.fingerprint and fingerprint(source) != data.videos.fingerprint:
        raise DataError(
            f"data.videos.folder: the files in {shown(source)} have changed since this comparison "
            "was made; start it again"
        )
    if data.source == "seed_layout":
        names = list(seed_layout.scenes_in(source))
        files.check_splits(names, data)
        return {"videos": len(names)}
    skipped = files.ingest(data, folder)
    listed = files.listed_videos(folder)
    torn = {video["name"]: video["missing"] for video in listed if video["missing"]}
    return {"videos": len(listed), "skipped": skipped, "missing": torn}


def scenes(comparison: Prepared, folder: Path) -> Mapping[str, Any] | None:
    """Cut every video into scenes: ``scenes.json``, video -> spans of frames; tells how many."""
    if comparison.data.source == "seed_layout":
        return None
    _ensure_videos(comparison, folder)
    cache, config = DiskCache(), comparison.data.scenes
    found = {}
    for video in files.listed_videos(folder):
        key = {"scenes": config.model_dump(), "content": video["sha256"], "version": cuts.VERSION}

        def detected(video: Mapping[str, Any] = video) -> dict[str, Any]:
            return {"spans": np.array(cuts.scenes_of(files.open_listed(video, folder), config))}

        found[video["name"]] = cache.get(key, detected)["spans"].tolist()
    write_json(folder / SCENES, found)
    return {"scenes": sum(map(len, found.values()))}


def features(comparison: Prepared, folder: Path) -> Mapping[str, Any] | None:
    """Fill the cache with features of all frames; tells the extractor and the rows."""
    data = comparison.data
    if data.source == "seed_layout":
        return None
    _ensure_videos(comparison, folder)
    extraction = Extraction(data.features, DiskCache())
    rows, width = {}, 0
    for video in files.listed_videos(folder):
        film = files.open_listed(video, folder)
        extracted = extraction.extract(film, video["sha256"])
        rows[video["name"]], width = len(extracted.picks), extracted.features.shape[1]
    about = {"extractor": {**extraction.spec, "width": width}, "rows": rows}
    write_json(folder / FEATURES, about)
    return {"extractor": about["extractor"], "rows": sum(rows.values())}


def split(comparison: Prepared, folder: Path) -> Mapping[str, Any]:
    """Write the sequences of each split to ``sequences/``; tells how many there are."""
    data = comparison.data
    if data.source == "seed_layout":
        found, about = _from_layout(data), {"extractor": {"name": "seed_layout"}}
    else:
        found, about = _from_videos(comparison, folder)
    counts = {}
    for name in SPLITS:
        sequences = found.get(name, [])
        shards.write(folder, name, sequences, about)
        counts[name] = len(sequences)
    return {"sequences": counts}


def _from_videos(
    comparison: Prepared, folder: Path
) -> tuple[dict[str, list[Sequence]], dict[str, Any]]:
    for name, stage in ((SCENES, scenes), (FEATURES, features)):
        if not (folder / name).exists():
            stage(comparison, folder)
    data, spans = comparison.data, read_json(folder / SCENES)
    extraction = Extraction(data.features, DiskCache())
    listed = files.listed_videos(folder)
    splits = split_of([video["name"] for video in listed], data.videos)
    found: dict[str, list[Sequence]] = {}
    for video in listed:
        name, film = video["name"], files.open_listed(video, folder)
        extracted = extraction.extract(film, video["sha256"])
        own = [(start, end) for start, end in spans[name]]
        made = sequences_of(name, extracted, film.times, film.fps, own, video.get("truth"))
        found.setdefault(video.get("split", splits[name]), []).extend(made)
    return found, {"extractor": read_json(folder / FEATURES)["extractor"]}


def _from_layout(data: DataConfig) -> dict[str, list[Sequence]]:
    videos = seed_layout.scenes_in(files.source_folder(data))
    splits = split_of(list(videos), data.videos)
    found: dict[str, list[Sequence]] = {}
    widths: dict[int, str] = {}
    for name, folders in videos.items():
        made = seed_layout.sequences(name, folders, data.features)
        found.setdefault(splits[name], []).extend(made)
        widths |= {one.features.shape[1]: f"{name}, scene {one.scene}" for one in made}
    if any(not one.colours.numel() for made in found.values() for one in made):
        found = {split: [_without_colours(one) for one in made] for split, made in found.items()}
    if len(widths) > 1:
        told = "; ".join(f"{width} ({where})" for width, where in widths.items())
        raise DataError(
            f"data.videos.folder: features have different widths: {told}; extract all with one "
            "extractor"
        )
    return found


def _without_colours(one: Sequence) -> Sequence:
    """Where one scene has no pictures, no scene has colours."""
    return one._replace(colours=torch.zeros(len(one.picks), 0, 0, 0))


def _ensure_videos(comparison: Prepared, folder: Path) -> None:
    if not (folder / files.INDEX).exists():
        generate(comparison, folder)
        ingest(comparison, folder)

"""Where videos come from: drawn clips written as files, or a folder of the user's own.

``videos.json`` lists what was found: name, file, SHA-256, frames, rate, and, of drawn clips, split
and truth. Files that cannot be read are listed with the reason, and the rest is done.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from versus.core.errors import DataError
from versus.core.paths import project_root, read_json, shown, write_json
from versus.experiments.dsn.data.animation.clips import clip
from versus.experiments.dsn.data.assembly import split_of
from versus.experiments.dsn.data.config import SPLITS, DataConfig, Generated, videos_in
from versus.experiments.dsn.data.video import Film, look, write

INDEX = "videos.json"
Listed = Mapping[str, Any]


def generate(config: Generated, folder: Path) -> None:
    """Draw the clips of all splits and write them to ``videos/``, and ``videos.json``."""
    size = config.width, config.height
    listed = []
    for split in SPLITS:
        for number in range(getattr(config, split)):
            made = clip(config.seed, split, number, size=size, difficulty=config.difficulty)
            path = folder / "videos" / f"{made.name}.mp4"
            write(path, made.frames, config.fps)
            own = {"split": split, "truth": made.truth._asdict()}
            listed.append({**_entry(made.name, path, look(path), folder), **own})
    write_json(folder / INDEX, {"videos": listed, "skipped": []})


def ingest(config: DataConfig, folder: Path) -> dict[str, str]:
    """List the user's videos in ``videos.json``; the files stay where they are.

    Returns:
        File -> why it was left out.

    Raises:
        DataError: if there is no such folder, no video in it, none that can be read, or too few.
    """
    source = source_folder(config)
    paths = videos_in(source)
    if not paths:
        raise DataError(
            f"data.videos.folder: {shown(source)} holds no video (files that end in .mp4, .mov, "
            ".mkv, .webm, .avi and the like); put some there or name another folder"
        )
    listed: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    for path in paths:
        name = path.relative_to(source).with_suffix("").as_posix()
        try:
            listed.append(_entry(_distinct(name, path, listed), path, look(path), folder))
        except DataError as error:
            skipped[path.relative_to(source).as_posix()] = str(error)
    if not listed:
        raise DataError(
            f"data.videos.folder: none of the {len(paths)} files can be read; the first: "
            f"{next(iter(skipped.values()))}"
        )
    check_splits([video["name"] for video in listed], config, skipped)
    told = [{"file": file, "reason": reason} for file, reason in skipped.items()]
    write_json(folder / INDEX, {"videos": listed, "skipped": told})
    return skipped


def check_splits(names: Sequence[str], config: DataConfig, skipped: Collection[str] = ()) -> None:
    """There must be videos to learn from, to choose by and to measure on.

    Args:
        names: of the videos.
        config: how they are split.
        skipped: files that cannot be used.

    Raises:
        DataError: if a split would be empty.
    """
    own = config.videos
    empty = [split for split in SPLITS[:3] if split not in split_of(names, own).values()]
    if empty:
        unusable = f" (not usable: {', '.join(skipped)})" if skipped else ""
        raise DataError(
            f"data.videos.folder: {own.folder} has {len(names)} video(s){unusable}, which leaves "
            f"none for {' and '.join(empty)}; put at least 3 there, cutting long ones into files, "
            f"and let data.videos.validation ({own.validation:g}) and data.videos.test "
            f"({own.test:g}) be above 0"
        )


def source_folder(config: DataConfig) -> Path:
    """The folder that ``data.videos.folder`` names.

    Raises:
        DataError: if none is named, or there is none.
    """
    folder = project_root() / config.videos.folder
    if not config.videos.folder or not folder.is_dir():
        raise DataError(
            f"data.videos.folder: source {config.source} needs a folder, received "
            f"{config.videos.folder!r}; name one that exists"
        )
    return folder


def listed_videos(folder: Path) -> list[Listed]:
    """What ``videos.json`` lists."""
    found: list[Listed] = read_json(folder / INDEX)["videos"]
    return found


def open_listed(video: Listed, folder: Path) -> Film:
    """The file of a listed video.

    Raises:
        DataError: if it is gone or has changed since it was listed.
    """
    path = folder / video["file"]
    film = look(path)
    if len(film.times) != video["frames"]:
        raise DataError(
            f"{shown(path)}: has {len(film.times)} frames, {video['frames']} when it was listed; "
            "remove the data folder and prepare the data again"
        )
    return film


def _entry(name: str, path: Path, film: Film, folder: Path) -> dict[str, Any]:
    inside = path.is_relative_to(folder)
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "name": name,
        "file": path.relative_to(folder).as_posix() if inside else str(path.resolve()),
        "sha256": content,
        "frames": len(film.times),
        "fps": film.fps,
        "varies": film.varies,
        "width": film.width,
        "height": film.height,
        "missing": film.missing,
    }


def _distinct(name: str, path: Path, listed: list[dict[str, Any]]) -> str:
    """The name, with the file's ending where another file has the same one."""
    taken = {video["name"] for video in listed}
    return f"{name}{path.suffix}" if name in taken else name

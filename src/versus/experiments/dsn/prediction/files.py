"""Key frames of the user's own videos: ``versus predict dsn --video FILE_OR_FOLDER``."""

from collections.abc import Iterator
from collections.abc import Sequence as Several
from pathlib import Path
from typing import NamedTuple

import numpy as np

from versus.core.display import Display
from versus.core.errors import ConfigError, DataError
from versus.core.experiment import ModelPart
from versus.core.paths import shown
from versus.experiments.dsn.data.cache import DiskCache
from versus.experiments.dsn.data.config import ENDINGS, videos_in
from versus.experiments.dsn.data.video import Film, decode
from versus.experiments.dsn.pictures import courses
from versus.experiments.dsn.prediction import feature_files, writing
from versus.experiments.dsn.prediction.finding import Finder
from versus.experiments.dsn.prediction.keyframe import Keyframe
from versus.experiments.dsn.prediction.sheets import Picture


class Input(NamedTuple):
    """One video.

    Attributes:
        name: of its folder among the predictions.
        path: the file.
    """

    name: str
    path: Path


def predict_files(part: ModelPart, inputs: Several[Path], out: Path, display: Display) -> None:
    """Write key frames of every video; see :mod:`.writing`.

    A video that cannot be used is reported, and the rest is done.

    Raises:
        ConfigError: if two videos have the same name.
        DataError: if there is no video, or one of them cannot be used.
    """
    videos = listed(inputs)
    finder = Finder(part)
    finder.check_videos()
    failed = []
    for number, video in enumerate(videos, 1):
        place = f"[{number}/{len(videos)}] " if len(videos) > 1 else ""
        display.note(f"{place}{_told(video.path)} ...")
        try:
            display.line(place + _predict(finder, video, out, display))
        except DataError as error:
            if len(videos) == 1:
                raise
            display.warn(f"{place}{error}")
            failed.append(_told(video.path))
    if failed:
        raise DataError(
            f"{len(failed)} of {len(videos)} videos could not be used: {', '.join(failed)}; the "
            "reasons are above, and the others are done"
        )


def listed(inputs: Several[Path]) -> list[Input]:
    """The videos that files and folders mean, in their order, each once.

    Raises:
        ConfigError: if two have the same name.
        DataError: if there is no such file or folder, or no video in a folder.
    """
    first: dict[str, Path] = {}
    for name, path in (video for given in inputs for video in _inside(given)):
        if first.setdefault(name, path).resolve() != path.resolve():
            raise ConfigError(
                f"--video: {_told(first[name])} and {_told(path)} would both be written to "
                f"{name!r}; predict them apart, each with an --out of its own"
            )
    return [Input(name, path) for name, path in first.items()]


def _inside(path: Path) -> Iterator[Input]:
    if path.is_file():
        if path.suffix.lower() == feature_files.ENDING:
            raise DataError(
                f"--video: {_told(path)} holds features and no pictures; give the video itself, "
                "or load the registered model and give it this file"
            )
        yield Input(path.name, path)
        return
    if not path.is_dir():
        raise DataError(f"--video: {_told(path)}: no such file or folder; name one that exists")
    videos = videos_in(path)
    if not videos:
        count = sum(1 for _ in path.iterdir())
        raise DataError(
            f"--video: {_told(path)} holds no video ({count} other files and folders); videos end "
            f"in {', '.join(ENDINGS)}"
        )
    yield from (Input(video.relative_to(path).as_posix(), video) for video in videos)


def _predict(finder: Finder, video: Input, out: Path, display: Display) -> str:
    film, found = finder.in_video(video.path, DiskCache())
    keyframes = found.keyframes()
    if film.missing:
        display.warn(
            f"{_told(video.path)}: is cut short: {film.missing} frames of "
            f"{len(film.times) + film.missing} are missing"
        )
    course = courses.course(*found)._replace(video=video.name)
    folder = writing.write(out, video.name, _pictures(film, keyframes), keyframes, course)
    counts = (len(keyframes), "key frame"), (len(found.scenes), "scene"), (len(film.times), "frame")
    chosen, scenes, frames = (f"{count} {name}{'s' * (count != 1)}" for count, name in counts)
    return f"{_told(video.path)}: {chosen} of {scenes}, {frames}: {_told(folder)}"


def _pictures(film: Film, keyframes: Several[Keyframe]) -> Iterator[Picture]:
    """The key frames in the size of the file, decoded one after the other."""
    picks = np.array([one.frame for one in keyframes], np.int64)
    return (picture for _, picture in decode(film, picks))


def _told(path: Path) -> str:
    """A path as one line of text, which a file's name need not be."""
    return "".join(sign if sign.isprintable() else "?" for sign in shown(path))

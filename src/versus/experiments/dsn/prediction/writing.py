"""What a prediction leaves on disk: a folder per video, whole or not at all.

::

    OUT/<video>/keyframes.json      what was chosen: file, frame, time in seconds, score
                frame_000123.png    each key frame in its own size
                contact_sheet.png   all of them, small
                scores.png          the scores along the video
"""

import contextlib
import hashlib
import re
import shutil
import tempfile
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Several
from pathlib import Path

import numpy as np
from PIL import Image

from versus.core import drawing, paths
from versus.core.errors import DataError
from versus.experiments.dsn.pictures import courses
from versus.experiments.dsn.prediction.keyframe import Keyframe
from versus.experiments.dsn.prediction.sheets import Picture, contact_sheet, thumbnail

INDEX, SHEET, SCORES = "keyframes.json", "contact_sheet.png", "scores.png"
LONGEST = 80
"""Bytes of a folder's name that a video's name may give."""
RESERVED = {"con", "prn", "aux", "nul"} | {f"{p}{n}" for p in ("com", "lpt") for n in range(1, 10)}
"""Names that Windows keeps for devices, with any extension."""


def write(
    out: Path,
    video: str,
    pictures: Iterable[Picture],
    keyframes: Several[Keyframe],
    course: courses.Course,
) -> Path:
    """Write the key frames of one video; what an earlier call wrote of it is replaced.

    Args:
        out: folder of all videos.
        video: name of the video; any text.
        pictures: RGB of every key frame, ``[H, W, 3]`` uint8; taken one after the other, so that
            those of a long film need not be in memory together.
        keyframes: in the same order.
        course: scores along the video.

    Returns:
        The folder of the video, ``out / folder_name(video)``.

    Raises:
        DataError: if pictures and key frames do not fit each other, a number is not finite, the
            folder holds other files, or the disk refuses; nothing is changed then.
    """
    _check(video, keyframes)
    folder = out / folder_name(video)
    with _replacing_folder(folder) as partial:
        entries = [{"file": f"frame_{k.frame:06d}.png", **k._asdict()} for k in keyframes]
        small = list(_saved(video, pictures, keyframes, partial))
        captions = [f"frame {k.frame}  {k.time:.2f} s  {k.score:.3f}" for k in keyframes]
        if small:
            contact_sheet(small, captions).save(partial / SHEET)
        with warnings.catch_warnings():
            # Names of any script are drawn; a font without them shows boxes.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            drawing.save(courses.draw([course], "Scores and chosen frames"), partial / SCORES)
        paths.write_json(partial / INDEX, {"video": video, "keyframes": entries})
    return folder


def folder_name(video: str) -> str:
    """A name for a folder, whatever the name of the video.

    Letters and digits of any script, spaces and ``.``, ``-``, ``_`` stay; the rest becomes ``_``.
    A name that had to be changed, or would mean something to a file system, gets part of its
    SHA-256 at the end, so that two videos do not share a folder.
    """
    plain = unicodedata.normalize("NFC", video)
    kept = re.sub(r"[^\w .-]", "_", plain).lstrip(" .-").rstrip(" .")
    short = kept.encode("utf-8", "replace")[:LONGEST].decode("utf-8", "ignore")
    if short and short == video and short.split(".")[0].lower() not in RESERVED:
        return short
    digest = hashlib.sha256(video.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{short.replace('.', '_') or 'video'}-{digest}"


def _check(video: str, keyframes: Several[Keyframe]) -> None:
    for one in keyframes:
        if not np.isfinite([one.time, one.score]).all():
            raise DataError(f"{video}: frame {one.frame} has time {one.time}, score {one.score}")
    if len({one.frame for one in keyframes}) < len(keyframes):
        raise DataError(f"{video}: a frame is chosen twice")


def _saved(
    video: str, pictures: Iterable[Picture], keyframes: Several[Keyframe], folder: Path
) -> Iterator[Image.Image]:
    """Write every picture; yield it small."""
    count = 0
    for count, picture in enumerate(pictures, 1):
        if count > len(keyframes):
            break
        one = keyframes[count - 1]
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise DataError(
                f"{video}: frame {one.frame} is {picture.dtype} of shape {picture.shape}; "
                "give RGB as uint8, [H, W, 3]"
            )
        Image.fromarray(picture).save(folder / f"frame_{one.frame:06d}.png", compress_level=1)
        yield thumbnail(picture)
    if count != len(keyframes):
        raise DataError(f"{video}: {count} pictures of {len(keyframes)} key frames")


@contextlib.contextmanager
def _replacing_folder(folder: Path) -> Iterator[Path]:
    """A temporary sibling that takes the place of ``folder`` when the block succeeds."""
    partial: Path | None = None
    try:
        _refuse_foreign(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}{paths.PARTIAL}"))
        yield partial
        partial.chmod(0o755)
        if folder.exists():
            paths.discard(folder)
        partial.rename(folder)
        paths.flush_to_disk(folder.parent)
    except OSError as error:
        raise DataError(
            f"{paths.shown(folder)}: cannot be written: {error.strerror or error}; "
            "free disk space or choose a writable folder, then run the same command again"
        ) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def _refuse_foreign(folder: Path) -> None:
    """Never remove what somebody else wrote."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise DataError(f"{paths.shown(folder)}: is no folder; choose another --out")
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in (INDEX, SHEET, SCORES) and not re.fullmatch(
            r"frame_\d{6,}\.png", path.name
        ):
            raise DataError(
                f"{paths.shown(folder)}: holds {path.name}, which this command has not written; "
                "move it away or choose another --out"
            )

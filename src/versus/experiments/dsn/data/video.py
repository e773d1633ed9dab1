"""Video files: written, looked at, and decoded in order.

Frames are numbered in the order in which they are shown, from 0, and every number means a frame of
the original file. A file is decoded once, from its start; which frames are kept is decided before
from the times of all packets.
"""

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import Interpolation

from versus.core.errors import DataError
from versus.core.paths import replacing, shown
from versus.experiments.dsn.data.animation.stage import Image
from versus.experiments.dsn.data.sequences import FloatArray, IntArray

CLOCK = 90_000
"""Ticks of a second in files that are written with times."""
X264 = {"preset": "veryfast", "crf": "20", "mbtree": "0"}
"""Without macroblock trees: with them the same frames do not always give the same bytes. Other
kinds of processors may still give others."""
UNEVEN = 0.5
"""Deviation from the usual distance of frames, as a share of it, from which on a rate varies."""


class Film(NamedTuple):
    """What is known of a file before it is decoded.

    Attributes:
        path: the file.
        times: when each frame is shown, in seconds from the first one, ``[N]``.
        fps: mean frame rate.
        width: pixels, as shown.
        height: pixels, as shown.
        rotation: degrees anticlockwise by which frames are turned to be shown.
        missing: frames that the file promises and does not hold.
        stamps: presentation time stamps of the frames; empty where the file has none.
    """

    path: Path
    times: FloatArray
    fps: float
    width: int
    height: int
    rotation: int
    missing: int
    stamps: IntArray

    @property
    def varies(self) -> bool:
        """Whether the frames are at unequal distances."""
        gaps = np.diff(self.times)
        usual = float(np.median(gaps)) if len(gaps) else 0.0
        return bool((abs(gaps - usual) > UNEVEN * usual).any())


def look(path: Path) -> Film:
    """Read times and sizes of a file.

    Raises:
        DataError: if it cannot be read as a video, or holds no frame that can be decoded.
    """
    with _opened(path) as (container, stream):
        packets = [(p.pts, p.is_discard) for p in _packets(container, stream) if p.size]
        stamps, count = _stamps([stamp for stamp, discarded in packets if not discarded])
        missing = max(0, int(stream.frames) - len(packets))
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        unit = float(stream.time_base or 0)
    first = _first_frame(path)
    even = np.arange(count) / float(rate)
    times = (stamps - stamps[0]) * unit if len(stamps) else even
    fps = (len(times) - 1) / times[-1] if len(times) > 1 and times[-1] > 0 else float(rate)
    rotation = round(first.rotation / 90) * 90 % 360
    sides = (first.width, first.height)
    width, height = sides[::-1] if rotation % 180 else sides
    return Film(path, times, float(fps), width, height, rotation, missing, stamps)


def chosen(film: Film, wanted: float) -> IntArray:
    """The frames that are kept for ``wanted`` frames a second; 0 keeps all.

    At an even rate it is every ``max(1, round(fps / wanted))``-th frame; otherwise the frames that
    are on the screen at multiples of ``1 / wanted`` seconds.
    """
    count = len(film.times)
    if wanted <= 0:
        return np.arange(count)
    if not film.varies:
        return np.arange(0, count, max(1, round(film.fps / wanted)))
    moments = np.arange(0, film.times[-1] + 0.5 / wanted, 1 / wanted)
    shown_then = np.searchsorted(film.times, moments + 1e-6, side="right") - 1
    return np.unique(shown_then).astype(np.int64)


def fitted(film: Film, longest: int) -> tuple[int, int]:
    """Width and height with the file's proportions and this longest side; nothing is enlarged."""
    scale = min(1.0, longest / max(film.width, film.height)) if longest else 1.0
    return max(1, round(film.width * scale)), max(1, round(film.height * scale))


def decode(
    film: Film, picks: IntArray, size: tuple[int, int] | None = None
) -> Iterator[tuple[int, Image]]:
    """Frames of a file with their numbers, in order; damaged ones are left out.

    Args:
        film: the file.
        picks: numbers of the frames that are wanted, increasing.
        size: width and height, as shown; ``None`` = the file's.

    Yields:
        Number of the frame, and its picture ``[H, W, 3]``: red, green, blue, turned as shown.

    Raises:
        DataError: if none of them can be decoded.
    """
    width, height = size or (film.width, film.height)
    sides = (height, width) if film.rotation % 180 else (width, height)
    wanted, found = set(picks.tolist()), 0
    last = max(wanted, default=-1)
    for number, frame in _numbered(film):
        if number > last:
            break
        if number in wanted:
            found += 1
            yield number, np.rot90(_pixels(frame, sides), film.rotation // 90)
    if wanted and not found:
        raise DataError(
            f"{shown(film.path)}: none of its frames can be decoded; play it to see whether it is "
            "damaged, and replace it"
        )


def _numbered(film: Film) -> Iterator[tuple[int, Any]]:
    numbers = {int(stamp): number for number, stamp in enumerate(film.stamps)}
    with _opened(film.path) as (container, stream):
        for counted, frame in enumerate(_frames(container, stream)):
            yield (numbers.get(frame.pts, -1) if numbers else counted), frame


def _pixels(frame: Any, sides: tuple[int, int]) -> Image:
    width, height = sides
    small = frame.reformat(
        width=width, height=height, format="rgb24", interpolation=Interpolation.AREA, threads=1
    )
    return np.asarray(small.to_ndarray())


def _first_frame(path: Path) -> Any:
    with _opened(path) as (container, stream):
        for frame in _frames(container, stream):
            return frame
    raise DataError(
        f"{shown(path)}: holds no frame that can be decoded; it is empty or damaged: replace it"
    )


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """All frames that can be decoded; what is damaged is passed over."""
    for packet in _packets(container, stream):
        with contextlib.suppress(av.error.InvalidDataError):
            yield from packet.decode()


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Packets up to the end, or to where the file is torn; the last one is empty."""
    with contextlib.suppress(av.error.InvalidDataError, av.error.EOFError):
        yield from container.demux(stream)


def _stamps(found: Sequence[int | None]) -> tuple[IntArray, int]:
    """Time stamps in order of showing, none where the file has none; and how many frames."""
    if None in found or len(set(found)) < len(found):
        return np.zeros(0, np.int64), len(found)
    return np.sort(np.array(found, np.int64)), len(found)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"{shown(path)}: cannot be read as a video ({reason}); it is damaged, cut short, or "
            "no video: replace it or take it out of the folder"
        ) from error
    with container:
        if not container.streams.video:
            raise DataError(
                f"{shown(path)}: holds sound and no pictures; take it out of the folder"
            )
        stream = container.streams.video[0]
        stream.thread_type = "NONE"  # several threads lose whole frames before a torn one
        yield container, stream


def write(
    path: Path,
    frames: Image,
    fps: float,
    *,
    codec: str = "libx264",
    times: Sequence[float] | None = None,
    rotation: int = 0,
    pixels: str = "",
) -> None:
    """Write a video file; the same frames give the same bytes.

    Args:
        path: the file; its ending decides the container.
        frames: ``[T, H, W, 3]``, red, green, blue.
        fps: frame rate.
        codec: encoder of FFmpeg's.
        times: when each frame is shown, in seconds, where the rate varies.
        rotation: degrees anticlockwise by which a player is told to turn the frames.
        pixels: format of the pixels; empty = 8-bit 4:2:0, or 4:4:4 for odd sizes.

    Raises:
        DataError: if the file cannot be written.
    """
    even = frames.shape[1] % 2 == frames.shape[2] % 2 == 0
    rate = Fraction(fps).limit_denominator(1001)
    options = X264 if codec == "libx264" else {}
    bitexact = {"fflags": "+bitexact"}
    with replacing(path) as temporary, av.open(str(temporary), "w", options=bitexact) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels or ("yuv420p" if even else "yuv444p")
        stream.codec_context.thread_count = 1
        if times is not None:
            stream.codec_context.time_base = Fraction(1, CLOCK)
        if rotation:
            stream.set_display_rotation(rotation)
        for number, pixel in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixel, format="rgb24")
            frame.pts = number if times is None else round(times[number] * CLOCK)
            frame.time_base = 1 / rate if times is None else Fraction(1, CLOCK)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())

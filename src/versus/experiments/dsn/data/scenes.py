"""Cuts of a video, as frames of the original file."""

import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from versus.experiments.dsn.data.animation.stage import Image
from versus.experiments.dsn.data.config import Scenes
from versus.experiments.dsn.data.features.classic import classic
from versus.experiments.dsn.data.segmentation import segment
from versus.experiments.dsn.data.sequences import Span
from versus.experiments.dsn.data.video import Film, chosen, decode, fitted

if TYPE_CHECKING:
    from scenedetect.detector import SceneDetector

VERSION = 1
THRESHOLDS = {"content": 27.0, "adaptive": 3.0, "histogram": 0.2, "kts": 4.0}
KTS_ROWS = 1200
"""Rows that kernel segmentation looks at; of longer videos it sees every second frame, or third."""
BATCH = 64


def scenes_of(film: Film, config: Scenes) -> list[Span]:
    """Scenes of a video in order; together they are all of its frames.

    Raises:
        DataError: if the video cannot be decoded.
    """
    if config.detector == "none":
        return [(0, len(film.times))]
    find = _kernel_cuts if config.detector == "kts" else _detected_cuts
    return merged(find(film, config), len(film.times), config.min_scene_len)


def merged(cuts: Iterable[int], frames: int, shortest: int) -> list[Span]:
    """Scenes between cuts; one that is too short joins the one before, the first the next one."""
    bounds = sorted({0, *(cut for cut in cuts if 0 < cut < frames)})
    kept = [0]
    for start, end in itertools.pairwise([*bounds, frames]):
        if start and end - start >= shortest and start - kept[-1] >= shortest:
            kept.append(start)
    return list(itertools.pairwise([*kept, frames]))


def _kernel_cuts(film: Film, config: Scenes) -> list[int]:
    step = -(-len(film.times) // KTS_ROWS)
    picks = np.arange(0, len(film.times), step)
    numbers, rows = [], []
    for batch in _batches(decode(film, picks, fitted(film, config.longest_side))):
        numbers += [number for number, _ in batch]
        rows.append(classic(np.stack([image for _, image in batch])))
    shortest = max(1, config.min_scene_len // step)
    most = max(0, len(numbers) // shortest - 1)
    weight = config.threshold or THRESHOLDS["kts"]
    return [numbers[row] for row in segment(np.concatenate(rows), min(most, 200), shortest, weight)]


def _batches(frames: Iterator[tuple[int, Image]]) -> Iterator[list[tuple[int, Image]]]:
    while batch := list(itertools.islice(frames, BATCH)):
        yield batch


def _detected_cuts(film: Film, config: Scenes) -> list[int]:
    from scenedetect import FrameTimecode

    detector = _detector(config)
    rate = Fraction(film.fps).limit_denominator(1001)
    cuts, time = [], FrameTimecode(0, rate)
    for number, image in decode(film, chosen(film, 0), fitted(film, config.longest_side)):
        time = FrameTimecode(number, rate)
        cuts += detector.process_frame(time, np.ascontiguousarray(image[..., ::-1]))
    return [int(cut.frame_num) for cut in [*cuts, *detector.post_process(time)]]


def _detector(config: Scenes) -> "SceneDetector":
    from scenedetect import detectors

    limit: Any = config.threshold or THRESHOLDS[config.detector]
    shortest = config.min_scene_len
    if config.detector == "content":
        return detectors.ContentDetector(threshold=limit, min_scene_len=shortest)
    if config.detector == "adaptive":
        return detectors.AdaptiveDetector(adaptive_threshold=limit, min_scene_len=shortest)
    return detectors.HistogramDetector(threshold=limit, min_scene_len=shortest)

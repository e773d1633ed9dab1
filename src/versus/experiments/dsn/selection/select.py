"""Key frames of a video from the scores of its frames."""

from collections.abc import Sequence as Several

import numpy as np

from versus.experiments.dsn.data.sequences import FloatArray, IntArray, Sequence
from versus.experiments.dsn.selection import knapsack, peaks
from versus.experiments.dsn.selection.config import SelectionConfig


def select(
    scenes: Several[Sequence], scores: Several[FloatArray], config: SelectionConfig
) -> list[IntArray]:
    """Rows of the key frames of every scene of one video.

    Args:
        scenes: of one video, in their order.
        scores: of the rows of each scene, ``[T]``; probabilities for methods threshold and
            knapsack (a knapsack leaves out what is worth less than nothing).
        config: the method.

    Returns:
        Per scene its chosen rows, increasing; frames are ``scene.picks[rows]``.

    Raises:
        DataError: if a score is not finite, or there is not one per row.
    """
    if config.method == "knapsack":
        return _summary(scenes, scores, config)
    return [_of_scene(one, own, config) for one, own in zip(scenes, scores, strict=True)]


def _of_scene(scene: Sequence, scores: FloatArray, config: SelectionConfig) -> IntArray:
    gap = config.frames_apart(scene.fps)
    if config.method == "threshold":
        return peaks.above(scores, scene.picks, config.threshold, gap, config.most)
    return peaks.top(scores, scene.picks, config.budget(len(scores)), gap)


def _summary(
    scenes: Several[Sequence], scores: Several[FloatArray], config: SelectionConfig
) -> list[IntArray]:
    for scene, own in zip(scenes, scores, strict=True):
        peaks.check(own, scene.picks)
    first, last = scenes[0].span[0], scenes[-1].span[1]
    picks = np.concatenate([scene.picks for scene in scenes]) - first
    of_frames = knapsack.spread(np.concatenate(list(scores)), picks, last - first)
    segments = [
        (start - first, end - first)
        for scene in scenes
        for start, end in knapsack.pieces(scene.span, config.segment * scene.fps)
    ]
    chosen = np.zeros(last - first, dtype=bool)
    for number in knapsack.best_segments(of_frames, segments, config.share).tolist():
        chosen[slice(*segments[number])] = True
    return [np.flatnonzero(chosen[scene.picks - first]) for scene in scenes]

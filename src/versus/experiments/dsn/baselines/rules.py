"""Rules that need no training, beside which every learned scorer is reported.

A rule that *scores* gives a number per frame, and the selection that learned scorers have (budget,
suppression) makes key frames of them. A rule that *chooses* gives the key frames themselves and is
shown to metrics of scores as 1 for these and 0 for others.

==============  =======  ============================================================
random          scores   uniform numbers, by seed, video and scene
constant        scores   1: whatever the selection does with ties
holds           scores   minus the smoothed change of the picture: a hold detector
steady_holds    scores   the same of what changes beyond the camera's shift and the light
steady_turns    scores   how far the movement goes back, less the rank of that change: what
                         the rewards ``steady`` and ``turn`` ask for, frame by frame
motion_peaks    scores   the smoothed change of the picture (the seed's ``motion peaks``)
uniform         chooses  the middles of equally long parts of the scene
middle          chooses  the middle of the scene, and others evenly from end to end (the seed's)
kmeans          chooses  medoids of clusters of the features, drawn by seed, video and scene
==============  =======  ============================================================

Published methods are often no better than random or constant scores (Otani et al., CVPR 2019).
"""

from collections.abc import Callable, Mapping

import numpy as np

from versus.core import seeding
from versus.core.errors import ConfigError
from versus.experiments.dsn.baselines.kmeans import medoids
from versus.experiments.dsn.data.features.motion import COLUMNS
from versus.experiments.dsn.data.sequences import FloatArray, IntArray, Sequence
from versus.experiments.dsn.selection import SelectionConfig, select

Scores = Callable[[Sequence, int], FloatArray]
"""A scene and a seed -> scores ``[T]``."""
Choice = Callable[[Sequence, int, int], IntArray]
"""A scene, a count from 1 on and a seed -> rows, increasing; as many, or fewer."""


def random(scene: Sequence, seed: int) -> FloatArray:
    """Uniform numbers in [0, 1)."""
    key = seeding.derive("random", seed, scene.video, scene.scene)
    return np.random.default_rng(key).random(len(scene.picks))


def constant(scene: Sequence, seed: int) -> FloatArray:
    """1 for every frame."""
    return np.ones(len(scene.picks))


def motion_peaks(scene: Sequence, seed: int) -> FloatArray:
    """The smoothed change to the neighbours: column 0 of the motion."""
    return scene.motion[:, 0].double().numpy()


def holds(scene: Sequence, seed: int) -> FloatArray:
    """Minus :func:`motion_peaks`; with suppression its best frames are minima of the change."""
    return -motion_peaks(scene, seed)


def steady_holds(scene: Sequence, seed: int) -> FloatArray:
    """Minus the smoothed change beyond the camera's shift and the light."""
    return -scene.motion[:, COLUMNS.index("steady")].double().numpy()


def steady_turns(scene: Sequence, seed: int) -> FloatArray:
    """How far the way on goes back, near and far, less the rank of the steady change."""
    near, far, rank = (
        scene.motion[:, COLUMNS.index(name)].double().numpy()
        for name in ("turn_near", "turn_far", "steady_rank")
    )
    found: FloatArray = (near + far) / 2 - rank
    return found


def uniform(scene: Sequence, count: int, seed: int) -> IntArray:
    """The rows nearest to the middles of ``count`` equally long parts of the scene."""
    start, end = scene.span
    places = start + (np.arange(count) + 0.5) * (end - start) / count - 0.5
    return _nearest(scene.picks, places)


def middle(scene: Sequence, count: int, seed: int) -> IntArray:
    """Rows evenly from end to end; the one nearest to the middle of the scene is moved there."""
    start, end = scene.span
    places = np.linspace(start, end - 1, count)
    places[np.abs(places - (start + end) // 2).argmin()] = (start + end) // 2
    return _nearest(scene.picks, places)


def kmeans(scene: Sequence, count: int, seed: int) -> IntArray:
    """Medoids of ``count`` clusters of the features."""
    return medoids(scene.features, count, seed, scene.video, scene.scene)


def _nearest(picks: IntArray, places: FloatArray) -> IntArray:
    return np.unique(np.abs(picks[:, None] - places).argmin(0))


SCORES: Mapping[str, Scores] = {
    "random": random,
    "constant": constant,
    "holds": holds,
    "steady_holds": steady_holds,
    "steady_turns": steady_turns,
    "motion_peaks": motion_peaks,
}
CHOICES: Mapping[str, Choice] = {"uniform": uniform, "middle": middle, "kmeans": kmeans}
RULES = (*SCORES, *CHOICES)


def apply(
    rule: str, scenes: list[Sequence], config: SelectionConfig, seed: int = 0
) -> tuple[list[FloatArray], list[IntArray]]:
    """Scores and chosen rows of every scene of one video.

    Args:
        rule: one of :data:`RULES`.
        scenes: of one video, in their order.
        config: the selection; of a rule that chooses, its budget alone.
        seed: of rules that draw.

    Raises:
        ConfigError: if there is no such rule.
    """
    if rule in SCORES:
        scores = [SCORES[rule](scene, seed) for scene in scenes]
        return scores, select(scenes, scores, config)
    if rule not in CHOICES:
        raise ConfigError(f"baseline {rule!r} is unknown; choose one of {', '.join(RULES)}")
    choice = CHOICES[rule]
    rows = [choice(scene, config.budget(len(scene.picks)), seed) for scene in scenes]
    return [_marks(scene, own) for scene, own in zip(scenes, rows, strict=True)], rows


def _marks(scene: Sequence, rows: IntArray) -> FloatArray:
    marks = np.zeros(len(scene.picks))
    marks[rows] = 1.0
    return marks

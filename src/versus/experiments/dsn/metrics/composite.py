"""One number for a selection where no key pose is known: how far it is ahead of random ones.

Each term is held against random selections of as many frames of the same scenes. ``Phi(z)``, with z
the lead in standard deviations of these, is about the share of random selections that are worse:
no unit, 0.5 for chance, at most 1, so that no term drowns the others. The composite is the mean
over terms: like the rewards, it says what is asked of key frames and not whether they are right.
"""

import math
from collections.abc import Mapping
from collections.abc import Sequence as Several
from typing import NamedTuple

import numpy as np

from versus.core import seeding
from versus.experiments.dsn.data.sequences import IntArray, Sequence
from versus.experiments.dsn.metrics.measure import DIRECTIONS, likeness

TERMS = ("RecErr", "Diversity", "MS_SWD", "Stillness")
DRAWS = 64


class Chance(NamedTuple):
    """A term over random selections: its mean and standard deviation."""

    mean: float
    spread: float


def by_chance(
    scenes: Several[Sequence], counts: Several[int], draws: int = DRAWS
) -> dict[str, Chance]:
    """Terms of random selections of one video; a function of the video and the counts alone.

    Args:
        scenes: of the video, in their order.
        counts: key frames of each, one at least in all.
        draws: selections, two at least.
    """
    source = np.random.default_rng(seeding.derive("chance", scenes[0].video))
    found = [likeness(scenes, _drawn(source, scenes, counts)) for _ in range(draws)]
    values = {name: np.array([one[name] for one in found]) for name in TERMS if name in found[0]}
    return {name: Chance(float(v.mean()), float(v.std(ddof=1))) for name, v in values.items()}


def _drawn(
    source: np.random.Generator, scenes: Several[Sequence], counts: Several[int]
) -> list[IntArray]:
    return [
        np.sort(source.choice(len(scene.picks), count, replace=False))
        for scene, count in zip(scenes, counts, strict=True)
    ]


def composite(values: Mapping[str, float], chance: Mapping[str, Chance]) -> float:
    """Mean over terms of ``Phi(z)``, in [0, 1]; larger is better.

    Args:
        values: of :func:`.measure.measured`, for a selection of that video.
        chance: of :func:`by_chance`, for as many frames. A term that is the same for all random
            selections, or that the selection lacks, does not count; without any term it is 0.5.
    """
    known = [name for name, own in chance.items() if own.spread > 0 and name in values]
    leads = [_lead(values[name], chance[name], DIRECTIONS[name]) for name in known]
    return float(np.mean([_phi(lead) for lead in leads])) if leads else 0.5


def _lead(value: float, chance: Chance, direction: str) -> float:
    sign = 1 if direction == "maximize" else -1
    return sign * (value - chance.mean) / chance.spread


def _phi(z: float) -> float:
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))

"""Untrained scorers as models, and small videos."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from tests.unit.dsn.learners import comparison
from versus.core.experiment import ModelPart
from versus.core.runs import UNRELATED
from versus.experiments.dsn.data import video
from versus.experiments.dsn.data.features.classic import WIDTH
from versus.experiments.dsn.data.features.extractors import spec
from versus.experiments.dsn.data.features.motion import COLUMNS
from versus.experiments.dsn.models import make_scorer

PARTS = 3
"""Scenes of :func:`film`."""
COLOURS = np.array([(220, 40, 40), (40, 40, 220), (120, 0, 120)], np.uint8)


def part(
    model: Mapping[str, Any] | None = None,
    *,
    seeds: Mapping[int, float] | None = None,
    **config: Any,
) -> ModelPart:
    """A scorer as training would register it; ``seeds`` tells what validation said of each."""
    scores = seeds or {0: 1.0}
    settings = comparison(model=model, variants={"own": {}}, seeds=list(scores))
    weights: dict[str, Tensor] = {}
    for seed in scores:
        scorer = make_scorer(settings.model, WIDTH, len(COLUMNS), seed)
        weights |= {f"{seed}/scorer.{name}": t for name, t in scorer.state_dict().items()}
    own = {
        **{"name": "dsn-scorer", "experiment": "dsn", "variant": "own", "part": "scorer"},
        **{"features": WIDTH, "motion": len(COLUMNS), "data_digest": ""},
        "extractor": {**spec(settings.data.features), "width": WIDTH},
        "comparison": settings.model_dump(mode="json", exclude=UNRELATED),
        "final_metrics": {str(seed): {"best/val_score": repr(v)} for seed, v in scores.items()},
    }
    return ModelPart("dsn-scorer", weights, {**own, **config})


def frames(
    count: int = 120, height: int = 36, width: int = 64, seed: int = 0
) -> npt.NDArray[np.uint8]:
    """Three scenes of stripes with a bar that moves; the green of a frame is its number."""
    colours, across = np.roll(COLOURS, seed, axis=0), np.arange(width)
    made = np.zeros((count, height, width, 3), np.uint8)
    for number in range(count):
        scene = number * PARTS // count
        made[number] = colours[scene]
        made[number, :, across // 6 % (scene + 2) == 0] //= 4
        left = number * 3 % (width - 4)
        made[number, height // 2 :, left : left + 4] = 255
        made[number, : height // 5, :, 1] = 2 * number
    return made


def film(path: Path, count: int = 120, **options: Any) -> Path:
    """Write such a video."""
    sizes = {key: options.pop(key) for key in ("height", "width", "seed") if key in options}
    video.write(path, frames(count, **sizes), 24.0, **options)
    return path

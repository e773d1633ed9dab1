"""Small scenes with known content."""

import numpy as np
import torch

from versus.experiments.dsn.data.features.motion import COLUMNS
from versus.experiments.dsn.data.sequences import Sequence, Span


def scene(
    rows: int = 60,
    *,
    video: str = "clip",
    number: int = 0,
    start: int = 0,
    stride: int = 1,
    keys: tuple[int, ...] | None = None,
    holds: tuple[Span, ...] = (),
    seed: int = 0,
    width: int = 12,
    colours: bool = False,
) -> Sequence:
    """A scene of random features at 24 frames per second, every ``stride``-th frame a row."""
    source = np.random.default_rng([seed, number])
    features = torch.from_numpy(source.normal(size=(rows, width))).float()
    shares = torch.from_numpy(source.dirichlet(np.ones(8), size=(rows, 2, 4))).float()
    picks = start + stride * np.arange(rows)
    return Sequence(
        video=video,
        scene=number,
        fps=24.0,
        span=(start, start + rows * stride),
        picks=picks,
        times=picks / 24.0,
        features=torch.nn.functional.normalize(features, dim=1),
        motion=torch.from_numpy(source.random((rows, len(COLUMNS)))).float(),
        colours=shares.cumsum(-1) if colours else torch.empty(rows, 0, 0, 0),
        keys=None if keys is None else np.array(keys, dtype=np.int64),
        holds=holds,
    )

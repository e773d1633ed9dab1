"""Extractors by name, and what tells one from another."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from versus.core.errors import DataError
from versus.experiments.dsn.data.animation.stage import Image
from versus.experiments.dsn.data.config import Features
from versus.experiments.dsn.data.features import classic, pretrained

Extractor = Callable[[Image], npt.NDArray[np.float32]]
"""``[N, H, W, 3]`` uint8 -> ``[N, D]``, rows of norm 1."""
LEAST_SIDE = 224
"""Pixels that pretrained models want on the shortest side of a picture."""


def extractor(config: Features) -> Extractor:
    """The extractor that the settings name.

    Raises:
        ConfigError: if a pretrained model is not pinned.
        DataError: if it cannot be loaded.
    """
    return classic.classic if config.extractor == "classic" else pretrained.Pretrained(config)


def spec(config: Features) -> dict[str, Any]:
    """What makes features comparable: name, version, model and size of the pictures."""
    if config.extractor == "classic":
        own: dict[str, Any] = {"version": classic.VERSION, "model": ""}
    else:
        own = {"version": pretrained.VERSION, "model": pretrained.identity(config)}
    return {"name": config.extractor, **own, "longest_side": longest_side(config)}


def longest_side(config: Features) -> int:
    """Pixels on the longest side of the pictures that the extractor is given."""
    if config.extractor == "classic":
        return config.longest_side
    return max(config.longest_side, 2 * LEAST_SIDE)


def check_same(made: Mapping[str, Any], wanted: Mapping[str, Any], where: str) -> None:
    """Refuse features of another extractor.

    Raises:
        DataError: naming what differs.
    """
    keys = [key for key in ("name", "version", "model") if made.get(key) != wanted.get(key)]
    if keys:
        told = ", ".join(f"{key} {made.get(key)!r} instead of {wanted.get(key)!r}" for key in keys)
        raise DataError(
            f"{where}: its features were made by another extractor ({told}); extract them again"
        )

"""Everything that is known of a video's frames, in pieces that are kept as soon as they are made.

A piece is :data:`PIECE` frames. What an interrupted extraction has made lies in the cache, so the
next one decodes the file again and computes only what is missing.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from versus.core.errors import DataError
from versus.core.paths import shown
from versus.experiments.dsn.data.animation.stage import Image
from versus.experiments.dsn.data.cache import Arrays, DiskCache
from versus.experiments.dsn.data.config import Colours, Features
from versus.experiments.dsn.data.features import colours, motion
from versus.experiments.dsn.data.features.extractors import (
    Extractor,
    extractor,
    longest_side,
    spec,
)
from versus.experiments.dsn.data.sequences import IntArray
from versus.experiments.dsn.data.video import Film, chosen, decode, fitted

PIECE = 256


class Extracted(NamedTuple):
    """The frames of a video that are kept.

    Attributes:
        picks: their numbers in the file, ``[T]``.
        features: ``[T, D]``, rows of norm 1.
        changes: see :func:`versus.experiments.dsn.data.features.motion.changes`, ``[T, 4]``.
        colours: ``[T, levels, directions, bins]``, maybe without elements.
    """

    picks: IntArray
    features: npt.NDArray[np.float32]
    changes: npt.NDArray[np.float32]
    colours: colours.Fractions


class Extraction:
    """Extracts videos with the same settings."""

    def __init__(self, config: Features, cache: DiskCache) -> None:
        self.spec = spec(config)
        self.cache = cache
        self._config = config
        self._extractor: Extractor | None = None
        self._along = colours.directions(config.colours.directions, config.colours.seed)

    def extract(self, film: Film, content: str) -> Extracted:
        """What is known of a video.

        Args:
            film: the video.
            content: SHA-256 of its bytes.

        Raises:
            DataError: if no frame can be decoded, features are not finite, or the cache cannot be
                written.
        """
        picks = chosen(film, self._config.fps)
        pieces = [picks[start : start + PIECE] for start in range(0, len(picks), PIECE)]
        keys = [self._key(content, piece) for piece in pieces]
        found = [self.cache.find(key) for key in keys]
        self.cache.note(hits=sum(one is not None for one in found))
        missing = [number for number, one in enumerate(found) if one is None]
        for number, lead, frames in _gathered(film, picks, missing, self._size(film)):
            made = self._piece(lead, frames)
            _check_finite(made, film)
            found[number] = self.cache.get(keys[number], functools.partial(dict, made))
        return _joined([one for one in found if one is not None])

    def _size(self, film: Film) -> tuple[int, int]:
        return fitted(film, longest_side(self._config))

    def _key(self, content: str, picks: IntArray) -> dict[str, Any]:
        own = {
            "content": content,
            "extractor": self.spec,
            "motion": motion.VERSION,
            "colours": {"version": colours.VERSION, **self._config.colours.model_dump()},
        }
        return {**own, "picks": [int(picks[0]), int(picks[-1]), len(picks)]}

    def _piece(self, lead: int, frames: list[tuple[int, Image]]) -> Arrays:
        """Arrays of one piece; its first ``lead`` frames are only there to compare with."""
        images = np.stack([image for _, image in frames])
        numbers = np.array([number for number, _ in frames], np.int64)
        self._extractor = self._extractor or extractor(self._config)
        return {
            "picks": numbers[lead:],
            "features": self._extractor(images[lead:]),
            "changes": motion.changes(motion.small_grey(images), None)[lead:],
            "colours": _colours(images[lead:], self._along, self._config.colours),
        }


def _colours(images: Image, along: Any, config: Colours) -> colours.Fractions:
    if not config.enabled:
        return np.zeros((len(images), 0, 0, 0), np.uint16)
    return colours.distributions(
        images, along, levels=config.levels, bins=config.bins, longest=config.longest_side
    )


def _gathered(
    film: Film, picks: IntArray, pieces: list[int], size: tuple[int, int]
) -> Iterator[tuple[int, int, list[tuple[int, Image]]]]:
    """Number of each piece, whether the frame before it leads, and frames: one pass of the file."""
    spans = [(n * PIECE, min(len(picks), (n + 1) * PIECE)) for n in pieces]
    rows = [row for start, end in spans for row in range(max(0, start - 1), end)]
    source = decode(film, picks[sorted(set(rows))], size) if rows else iter(())
    ahead, kept = next(source, None), list[tuple[int, Image]]()
    for number, (start, end) in zip(pieces, spans, strict=True):
        before = int(picks[start - 1]) if start else -1
        kept = [pair for pair in kept[-1:] if pair[0] == before]
        while ahead is not None and ahead[0] <= picks[end - 1]:
            kept.append(ahead)
            ahead = next(source, None)
        lead = int(bool(kept) and kept[0][0] == before)
        if len(kept) > lead:
            yield number, lead, kept


def _joined(pieces: list[Arrays]) -> Extracted:
    return Extracted(*(np.concatenate([one[name] for one in pieces]) for name in Extracted._fields))


def _check_finite(made: Arrays, film: Film) -> None:
    if not all(np.isfinite(made[name]).all() for name in ("features", "changes")):
        raise DataError(
            f"{shown(film.path)}: its features hold NaN or infinity; use another extractor or "
            "another version of its weights (data.features)"
        )

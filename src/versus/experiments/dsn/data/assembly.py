"""Sequences of a video: its scenes with features, motion and what is known of key poses."""

from collections.abc import Mapping
from collections.abc import Sequence as Several
from typing import Any

import numpy as np
import torch

from versus.core.seeding import derive
from versus.experiments.dsn.data.config import Videos
from versus.experiments.dsn.data.extraction import Extracted
from versus.experiments.dsn.data.features.motion import motion, scale
from versus.experiments.dsn.data.sequences import FloatArray, Sequence, Span


def sequences_of(
    name: str,
    extracted: Extracted,
    times: FloatArray,
    fps: float,
    scenes: Several[Span],
    truth: Mapping[str, Any] | None = None,
) -> list[Sequence]:
    """The scenes of a video, without those of which no frame was kept.

    Args:
        name: of the video.
        extracted: its frames.
        times: seconds of all frames of the file, ``[N]``.
        fps: mean rate of the file.
        scenes: spans of frames.
        truth: ``keys`` and ``holds``, where they are known.
    """
    bounds = np.searchsorted(extracted.picks, [bound for scene in scenes for bound in scene])
    pairs = bounds.reshape(-1, 2).tolist()
    mean = scale(extracted.changes, extracted.features, [start for start, _ in pairs])
    found = []
    for number, (span, (start, end)) in enumerate(zip(scenes, pairs, strict=True)):
        if start == end:
            continue
        rows = slice(start, end)
        picks, features = extracted.picks[rows], extracted.features[rows]
        moved = motion(extracted.changes[rows], features, mean)
        keys, holds = _known(truth, span)
        found.append(
            Sequence(
                video=name,
                scene=number,
                fps=fps,
                span=span,
                picks=picks,
                times=times[picks],
                features=torch.from_numpy(features),
                motion=torch.from_numpy(moved),
                colours=torch.from_numpy(extracted.colours[rows]),
                keys=keys,
                holds=holds,
            )
        )
    return found


def _known(
    truth: Mapping[str, Any] | None, span: Span
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None, tuple[Span, ...]]:
    """Key poses within a scene, and their holds as far as they are within it."""
    if truth is None:
        return None, ()
    start, end = span
    inside = [
        (key, (max(first, start), min(last, end)))
        for key, (first, last) in zip(truth["keys"], truth["holds"], strict=True)
        if start <= key < end
    ]
    keys = np.array([key for key, _ in inside], np.int64)
    return keys, tuple(hold for _, hold in inside)


def split_of(names: Several[str], config: Videos) -> dict[str, str]:
    """Video -> split, in an order that the seed decides; at least one is to learn from."""
    order = sorted(names, key=lambda name: derive("dsn", "split", config.seed, name))
    shares = {"test": config.test, "validation": config.validation}
    splits, left = dict.fromkeys(names, "train"), len(order) - 1
    for split, share in shares.items():
        count = min(left, max(1, round(share * len(order))) if share else 0)
        splits |= dict.fromkeys(order[:count], split)
        order, left = order[count:], left - count
    return splits

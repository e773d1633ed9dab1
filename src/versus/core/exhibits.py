"""What trained runs show besides numbers: histograms and pictures, as files and in TensorBoard."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from versus.core import drawing
from versus.core.paths import replacing
from versus.core.runfiles import folder_of
from versus.core.runs import RunKey
from versus.core.services import TensorBoardSink
from versus.core.stages import Places

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARGIN = 4
"""Pixels around pictures that stand side by side."""


@dataclass(frozen=True)
class Exhibits:
    """What one run shows. Names are those of metrics: ``group/name``.

    Attributes:
        histograms: values, of any shape.
        pictures: ``[N, H, W, 3]`` uint8, red, green, blue.
    """

    histograms: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    pictures: Mapping[str, npt.NDArray[np.uint8]] = field(default_factory=dict)


def write(shown: Mapping[RunKey, Exhibits], places: Places, tensorboard: str, step: int) -> None:
    """Write ``histograms.png`` and ``<name>.png`` beside each run's files, and its event file.

    Args:
        shown: what each run shows.
        places: where files go.
        tensorboard: folder of event files among the results; empty = none are written.
        step: steps that training took.
    """
    for run, own in shown.items():
        folder = folder_of(places, run)
        if own.histograms:
            drawing.save(_histograms(own.histograms, run), folder / "histograms.png")
        for name, pictures in own.pictures.items():
            _save(in_a_row(pictures), folder / f"{name.partition('/')[2]}.png")
        if tensorboard:
            TensorBoardSink.add(places.results / tensorboard, run, own, step)


def in_a_row(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """``[N, H, W, 3]`` side by side on white, ``[H + 8, N (W + 4) + 4, 3]``."""
    count, height, width, _ = pictures.shape
    whole = np.full((height + 2 * MARGIN, count * (width + MARGIN) + MARGIN, 3), 255, np.uint8)
    for number, one in enumerate(pictures):
        left = MARGIN + number * (width + MARGIN)
        whole[MARGIN : MARGIN + height, left : left + width] = one
    return whole


def _save(picture: npt.NDArray[np.uint8], path: Path) -> None:
    from PIL import Image

    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary)


@drawing.style()
def _histograms(values: Mapping[str, npt.NDArray[Any]], run: RunKey) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.0 * len(values), 3.0), layout="constrained")
    figure.suptitle(f"{run.variant}, seed {run.seed}: at the best weights")
    panels = figure.subplots(1, len(values), squeeze=False).flat
    for ax, (name, own) in zip(panels, values.items(), strict=True):
        ax.hist(np.ravel(own), bins=30)
        ax.set_xlabel(name)
        ax.set_ylabel("count")
    return figure

"""Accuracy by length, depth and number of arguments, beside what the floors reach there."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from versus.core import drawing
from versus.core.drawing import Text
from versus.core.plots import lines_with_interval
from versus.experiments.ebt.data.listops.config import ListOpsConfig
from versus.experiments.ebt.listops.axes import AXES, BIN
from versus.experiments.ebt.pictures import mark

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS = {
    "length": f"tokens (bins of {BIN}, named by their last)",
    "depth": "operators nested in each other",
    "args": "arguments of the operator that has most",
}
FLOORS = {
    "floor_majority": "floor: most frequent answer",
    "floor_root": "floor: root operator",
    "floor_digits": "floor: root operator and its digits",
}


def plots(metrics: pd.DataFrame, out: Path, settings: ListOpsConfig | None = None) -> list[Path]:
    """A picture per axis, with the mean over seeds and a 95 % interval.

    Args:
        metrics: final metrics, one row per run; runs without those of ListOps are left out.
        out: folder of the PNG files.
        settings: of the expressions; with them, a line marks where the training range ends.

    Returns:
        The files written.
    """
    edges = _edges(settings) if settings else {}
    written = []
    for axis in AXES:
        table = _along(metrics, axis)
        if not table.empty:
            figure = _draw(table, axis)
            if axis in edges:
                mark(figure.axes[0], edges[axis], "training range ends")
            written.append(drawing.save(figure, out / f"listops-{axis}.png"))
    return written


def _edges(settings: ListOpsConfig) -> dict[str, float]:
    """Axis -> between the last place within the training range and the first beyond."""
    return {
        "length": -(-settings.lengths[1] // BIN) * BIN + BIN / 2,
        "depth": settings.depth + 0.5,
        "args": settings.args + 0.5,
    }


def _draw(table: pd.DataFrame, axis: str) -> "Figure":
    title = f"ListOps: accuracy by {axis}, mean over seeds and 95 % interval"
    figure = lines_with_interval(
        table,
        x="place",
        y="accuracy",
        series="series",
        text=Text(title, LABELS[axis], "accuracy"),
        linear=True,
    )
    figure.axes[0].set_ylim(0, 1.03)
    return figure


def _along(metrics: pd.DataFrame, axis: str) -> pd.DataFrame:
    """Columns ``series``, ``place``, ``accuracy``: a row per variant, or floor, seed and place."""
    tables = []
    for name in map(str, metrics):
        if match := re.fullmatch(rf"{axis}/(\w+)_(\d+)", name):
            known = metrics.dropna(subset=name)
            series = known["variant"]
            if match[1] in FLOORS:  # the same for all variants of a seed
                known = known[np.isfinite(known[name])].drop_duplicates("seed")
                series = pd.Series(FLOORS[match[1]], known.index)
            columns = {"series": series, "place": float(match[2]), "accuracy": known[name]}
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables) if tables else pd.DataFrame(columns=["series", "place", "accuracy"])

"""Where chosen frames lie: at key poses, elsewhere in holds, between holds."""

from typing import TYPE_CHECKING

import pandas as pd

from versus.core import drawing
from versus.experiments.dsn.metrics.phases import HOLD, KEY, TWEEN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EVERY = "all frames"
COLOURS = {KEY: "#0072B2", HOLD: "#56B4E9", TWEEN: "#E69F00"}
LABELS = {KEY: "at a key pose", HOLD: "elsewhere in a hold", TWEEN: "between holds"}
NARROW = 0.06
"""Shares below have no room for a number."""


@drawing.style()
def draw(table: pd.DataFrame) -> "Figure":
    """A bar per variant, divided by phase.

    Args:
        table: share of chosen frames by phase (:func:`.metrics.phases.shares`), indexed by
            variant; a row :data:`EVERY` says what choosing at random would give.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 1.3 + 0.42 * len(table)), layout="constrained")
    ax = figure.subplots()
    figure.suptitle("Phases of the animation that chosen frames are from")
    left = pd.Series(0.0, index=table.index)
    for name in (KEY, HOLD, TWEEN):
        bars = ax.barh(
            range(len(table)), table[name], left=left, color=COLOURS[name], label=LABELS[name]
        )
        for bar in bars:
            bar.set(edgecolor="white", linewidth=1.2)
        _numbers(ax, table[name], left)
        left += table[name]
    ax.set_yticks(range(len(table)), list(table.index))
    ax.set_ylim(len(table) - 0.45, -0.55)
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of frames")
    ax.grid(visible=False, axis="y")
    drawing.legend_below(figure)
    return figure


def _numbers(ax: "Axes", widths: "pd.Series[float]", left: "pd.Series[float]") -> None:
    for place, (width, start) in enumerate(zip(widths, left, strict=True)):
        if width >= NARROW:
            box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
            middle = start + width / 2
            ax.text(middle, place, f"{width:.0%}", ha="center", va="center", fontsize=8, bbox=box)

"""A metric per variant with its interval, learnt scorers and rules apart."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import pandas as pd

from versus.core import drawing
from versus.core.drawing import Text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEARNT, RULE = "learnt", "rule without learning"
COLOURS = {LEARNT: "#0072B2", RULE: "#7F7F7F"}


@drawing.style()
def draw(table: pd.DataFrame, text: Text, rules: Collection[str], reference: str = "") -> "Figure":
    """A row per variant, the best mean on top.

    Args:
        table: columns ``mean``, ``low`` and ``high`` (missing = no interval), indexed by variant.
        text: title and axis labels.
        rules: variants without learning.
        reference: a variant at whose mean a line is drawn; empty = none.
    """
    ordered = table.sort_values("mean", ascending=False, kind="stable")
    figure, (ax,) = drawing.panels(1, text, height=0.9 + 0.3 * len(ordered))
    figure.set_figwidth(8.0)
    for place, variant in enumerate(ordered.index):
        _row(ax, place, ordered.loc[variant], RULE if variant in rules else LEARNT)
    if reference in ordered.index:
        at = float(ordered["mean"][reference])
        ax.axvline(at, color="black", linewidth=0.9, zorder=1, label=f"mean of {reference}")
    ax.set_yticks(range(len(ordered)), list(ordered.index))
    ax.set_ylim(len(ordered) - 0.4, -0.6)
    drawing.legend_below(figure)
    return figure


def _row(ax: "Axes", place: int, row: "pd.Series[float]", kind: str) -> None:
    face = "white" if kind == RULE else COLOURS[kind]
    ax.plot([row["low"], row["high"]], [place, place], color=COLOURS[kind], linewidth=1.8)
    ax.plot(row["mean"], place, "o", color=COLOURS[kind], markerfacecolor=face, label=kind)

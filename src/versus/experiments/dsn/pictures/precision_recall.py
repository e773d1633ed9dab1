"""Precision against recall, over lines of equal F1."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from versus.core import drawing
from versus.core.drawing import Text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = (0.2, 0.4, 0.6, 0.8)
EQUAL = "equal F1"
TITLE = "Key poses found (recall) and chosen frames that are key poses (precision)"


@drawing.style()
def draw(table: pd.DataFrame, rules: Collection[str]) -> "Figure":
    """A point per variant: filled if it learns, open if it is a rule.

    Args:
        table: columns ``precision`` and ``recall``, indexed by variant.
        rules: variants without learning.
    """
    figure, (ax,) = drawing.panels(1, Text(TITLE, "recall", "precision"))
    figure.set_size_inches(6.4, 6.0)
    _equal_f1(ax)
    for rank, (variant, colour) in enumerate(drawing.colours(map(str, table.index)).items()):
        ax.plot(
            table["recall"][variant],
            table["precision"][variant],
            drawing.MARKERS[rank % len(drawing.MARKERS)],
            color=colour,
            markerfacecolor="white" if variant in rules else colour,
            markersize=7,
            label=variant,
        )
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    drawing.legend_below(figure)
    return figure


def _equal_f1(ax: "Axes") -> None:
    """Precision = f r / (2 r - f)."""
    for level in LEVELS:
        least = level / (2 - level)
        recall = level / 2 + np.geomspace(least - level / 2, 1 - level / 2, 100)
        ax.plot(recall, level * recall / (2 * recall - level), color="0.8", linewidth=1.0)
        ax.text(1.0, least, f"{level:g}", color="0.5", fontsize=8, va="bottom")
    ax.plot([], [], color="0.8", linewidth=1.0, label=EQUAL)

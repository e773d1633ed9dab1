"""Heatmaps of square tables with values in [-1, 1]: correlations, cosines."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from versus.core import drawing
from versus.core.analysis import heat
from versus.core.analysis.looks import Look
from versus.core.analysis.request import Request

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

READABLE = 10


def draw_matrix(
    request: Request, found: Mapping[str, pd.DataFrame], names: Sequence[str], note: str
) -> "Figure":
    """Heatmaps of values in [-1, 1], a panel per entry, shape (names, names) each."""
    look, count = request.look, len(names)
    labels = [name if len(name) < 36 else f"…{name[-34:]}" for name in names]
    room = 0.075 * max(map(len, labels))
    columns = heat.column_count(len(found))
    with look.applied():
        figure, axes = drawing.panels(len(found), drawing.Text(request.heading(note), "", ""))
        width, height = max(2.6, 0.48 * count), max(2.2, 0.4 * count)
        rows = -(-len(found) // columns)
        figure.set_size_inches(
            max(6.0, columns * width + room + 1), rows * (height + 0.3) + room + 0.8
        )
        for index, (ax, (variant, values)) in enumerate(zip(axes, found.items(), strict=True)):
            last = index + columns >= len(found)
            heat.name_cells(ax, labels if index % columns == 0 else None, labels if last else ())
            image = _heatmap(ax, values, look)
            ax.set_title(variant)
        heat.bar(figure, image, axes)
    return figure


def _heatmap(ax: "Axes", values: pd.DataFrame, look: Look) -> Any:
    cells = values.to_numpy()
    image = ax.imshow(cells, vmin=-1, vmax=1, cmap=look.signed_map(), aspect="auto")
    if len(cells) <= READABLE:
        for (row, column), value in np.ndenumerate(cells):
            text = "-" if np.isnan(value) else f"{value:.2f}"
            colour = _on(image, value, look.ink)
            ax.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    return image


def _on(image: Any, value: float, ink: str) -> str:
    """Black or white, whichever is read better on the colour of ``value``."""
    if np.isnan(value):
        return ink
    red, green, blue, _ = image.cmap(image.norm(value))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.45 else "white"

"""Panels with a row per variant and a dot per seed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from versus.core import drawing
from versus.core.analysis.heat import column_count
from versus.core.analysis.request import Request, limited

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = npt.NDArray[np.floating]


def panels(
    request: Request, titles: Sequence[str], variants: Sequence[str], heading: str, x: str
) -> "tuple[Figure, list[Axes]]":
    """Axes with the variants named on the left, the first on top. Use within the look."""
    from matplotlib.ticker import MaxNLocator

    limited(len(titles), "panels", "choose some with --metrics")
    text = drawing.Text(heading, x, "")
    figure, axes = drawing.panels(len(titles), text, height=1.2 + 0.3 * len(variants))
    columns = column_count(len(titles))
    for index, (ax, title) in enumerate(zip(axes, titles, strict=True)):
        ax.set_title(title)
        ax.set_ylim(len(variants) - 0.5, -0.5)
        named = list(variants) if index % columns == 0 else []
        ax.set_yticks(range(len(named)), named)
        ax.grid(visible=False, axis="y")
        ax.xaxis.set_major_locator(MaxNLocator(5))
    return figure, axes


def row(ax: "Axes", place: int, values: Values, colour: str, ink: str, middle: float) -> None:
    """A dot per seed at height ``place``, spread a little, over a bar at ``middle``."""
    finite = values[np.isfinite(values)]
    if np.isfinite(middle):
        ax.plot([middle, middle], [place - 0.34, place + 0.34], color=ink, linewidth=1.4, alpha=0.8)
    ax.plot(finite, spread(place, len(finite)), "o", color=colour, markersize=5.5)


def spread(place: float, count: int) -> Values:
    """Heights of ``count`` marks around ``place``, so that equal values stay visible."""
    return place + (np.linspace(-0.2, 0.2, count) if count > 1 else np.zeros(count))

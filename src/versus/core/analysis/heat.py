"""Panels of images with one colour scale."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Image = npt.NDArray[np.floating]
MOST_CELLS = 1500


def norm(images: Mapping[Any, Image] | Sequence[Image], *, log: bool, signed: bool) -> Any:
    """One scale for all images: logarithmic over positive values, or symmetric around zero."""
    from matplotlib.colors import LogNorm, Normalize

    arrays = images.values() if isinstance(images, Mapping) else images
    values = np.concatenate([image[np.isfinite(image)].ravel() for image in arrays])
    positive = values[values > 0]
    if log and len(positive):
        return LogNorm(positive.min(), positive.max())
    if signed and len(values):
        # One extreme weight would leave all others pale.
        reach = float(np.quantile(np.abs(values), 0.995)) or 1.0
        return Normalize(-reach, reach)
    return Normalize(values.min(), values.max()) if len(values) else Normalize()


def edges(centres: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Borders of cells around ascending ``centres``, shape (n,) -> (n + 1,)."""
    if len(centres) < 2:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    first, last = centres[0] - (middle[0] - centres[0]), centres[-1] + (centres[-1] - middle[-1])
    return np.concatenate([[first], middle, [last]])


def thinned(image: Image) -> Image:
    """The image with blocks of cells averaged where a side has more than can be printed."""
    for axis in (0, 1):
        step = -(-image.shape[axis] // MOST_CELLS)
        if step > 1:
            starts = np.arange(0, image.shape[axis], step)
            sizes = np.diff([*starts, image.shape[axis]])
            shape = (-1, 1) if axis == 0 else (1, -1)
            image = np.add.reduceat(image, starts, axis=axis) / sizes.reshape(shape)
    return image


def show(ax: "Axes", image: Image, scale: Any, colour_map: Any, *, step: int = 1) -> Any:
    """Draw an image of shape (rows, columns), its indices as axes; a row counts ``step``."""
    from matplotlib.ticker import MaxNLocator

    ax.grid(visible=False)
    rows, columns = image.shape
    for axis, count in ((ax.yaxis, rows), (ax.xaxis, columns)):
        axis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=min(count, 2)))
    return ax.imshow(
        thinned(image),
        norm=scale,
        cmap=colour_map,
        aspect="auto",
        interpolation="nearest",
        extent=(-0.5, columns - 0.5, step * (rows - 0.5), -0.5 * step),
    )


def name_cells(
    ax: "Axes", rows: Sequence[str] | None, columns: Sequence[str] | None = None
) -> None:
    """Names beside the cells; None where a panel beside or below has the same ones."""
    ax.grid(visible=False)
    ax.tick_params(length=0, labelsize=8)
    ax.set_yticks(range(len(rows or ())), rows or ())
    if columns is not None:
        ax.set_xticks(range(len(columns)), columns, rotation=90)


def bar(figure: "Figure", image: Any, axes: "Sequence[Axes]") -> None:
    """One colour bar at the right of all axes; what it measures stands in the heading."""
    from matplotlib.colors import LogNorm

    from versus.core import drawing

    drawn = figure.colorbar(image, ax=list(axes), shrink=0.85, aspect=30, pad=0.015)
    drawn.ax.tick_params(labelsize=8)
    if isinstance(image.norm, LogNorm):
        drawing.name_ticks(drawn.ax.yaxis, *image.get_clim())


def column_count(panels: int) -> int:
    """How :func:`versus.core.drawing.panels` arranges panels."""
    return 2 if panels == 4 else min(panels, 3)

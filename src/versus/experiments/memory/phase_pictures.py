"""The phase diagram: which variant is best over noise and drift."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from versus.core import drawing
from versus.core.drawing import Text
from versus.experiments.memory.phase import UNDECIDED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HATCH, EDGE = "////", "#aaaaaa"
TITLE = (
    "Lowest mean NMSE, and what it saves in percent of the second lowest\n"
    "(hatched: Wilcoxon over seeds, Holm over cells, does not tell the two apart)"
)


def plot(cells: pd.DataFrame, variants: Sequence[str], out: Path) -> list[Path]:
    """Draw a panel per power, a cell per noise and drift.

    Args:
        cells: of :func:`.phase.winners`; nothing is drawn if it is empty.
        variants: in the order that fixes their colours.
        out: folder of the PNG file.

    Returns:
        The file written.

    Raises:
        DataError: if the folder cannot be written.
    """
    if cells.empty:
        return []
    return [drawing.save(_figure(cells, variants), out / "phase.png")]


@drawing.style()
def _figure(cells: pd.DataFrame, variants: Sequence[str]) -> Any:
    from matplotlib.patches import Patch

    powers = sorted(cells["power"].unique())
    text = Text(TITLE, "drift of the map per token", "noise")
    figure, axes = drawing.panels(len(powers), text, height=4.2)
    figure.set_figwidth(max(7.0, 5.2 * len(powers)))
    palette = drawing.colours(variants)
    for ax, power in zip(axes, powers, strict=True):
        ax.set_title(f"power of the keys' spectrum: {power:g}")
        _panel(ax, cells[cells["power"] == power], palette)
    there = [name for name in variants if (cells["best"] == name).any()]
    handles = [Patch(facecolor=(palette[name], 0.85), label=name) for name in there]
    handles.append(Patch(facecolor="white", edgecolor=EDGE, hatch=HATCH, label=UNDECIDED))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _panel(ax: "Axes", cells: pd.DataFrame, palette: dict[str, str]) -> None:
    from matplotlib.patches import Rectangle

    drifts, noises = sorted(cells["drift"].unique()), sorted(cells["noise"].unique())
    for cell in cells.itertuples(index=False):
        x, y = drifts.index(cell.drift), noises.index(cell.noise)
        open_ = cell.winner == UNDECIDED
        ax.add_patch(
            Rectangle(
                (x - 0.5, y - 0.5), 1, 1, edgecolor=EDGE, hatch=HATCH if open_ else None,
                facecolor=(palette[str(cell.best)], 0.3 if open_ else 0.85), linewidth=0.5,
            )
        )  # fmt: skip
        ax.text(x, y, f"{100 * float(str(cell.margin)):.0f}", ha="center", va="center", fontsize=8)
    ax.set_xlim(-0.5, len(drifts) - 0.5)
    ax.set_ylim(-0.5, len(noises) - 0.5)
    ax.set_xticks(range(len(drifts)), [f"{value:g}" for value in drifts])
    ax.set_yticks(range(len(noises)), [f"{value:g}" for value in noises])
    ax.grid(visible=False)

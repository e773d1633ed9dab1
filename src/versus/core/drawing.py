"""What all figures share: one style, panels, legends, intervals and notes of diverged runs.

A figure is a ``matplotlib.figure.Figure``, bound to no window and no pyplot state; :func:`save`
writes it. A value that is not finite is a diverged run: it is counted in the panel and enters no
mean or interval.
"""

import contextlib
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from versus.core import paths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Okabe and Ito (2008) first, then Tol (2021): colour-blind safe. Black is kept for closed forms.
PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#7F7F7F",
    "#882255",
    "#999933",
    "#332288",
    "#A6761D",
)
MARKERS = "osD^vPX<>"
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
STYLE = {
    "font.size": 10.0,
    "axes.titlesize": 10.0,
    "axes.labelsize": 10.0,
    "legend.fontsize": 9.0,
    "figure.titlesize": 11.0,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.markersize": 4.5,
}
WIDE = 10.0
SHORT = 1000.0
NOTE_HEIGHT = 10
NARROW = 0.06
"""Shares below have no room for a number."""
CLOSED_FORM = "closed form"


@dataclass(frozen=True)
class Curve:
    """A closed form, drawn dashed in black: ``y`` over ``x``, both of shape (points,).

    ``label`` says which; the legend puts :data:`CLOSED_FORM` before it.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Text:
    """Title and axis labels of a figure."""

    title: str
    x: str
    y: str


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Matplotlib with the project's settings, and the caller's settings afterwards."""
    import matplotlib

    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        yield


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour per name, by the order given."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(dict.fromkeys(names))}


def save(figure: "Figure", path: Path) -> Path:
    """Write ``figure`` as PNG, whole or not at all; equal figures give equal bytes.

    Raises:
        DataError: if the folder cannot be written.
    """
    with style(), paths.replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130, metadata={"Software": None})
    return path


def panels(count: int, text: Text, *, height: float = 3.0) -> "tuple[Figure, list[Axes]]":
    """A figure of ``count`` axes in up to three columns, with a title above all of them."""
    from matplotlib.figure import Figure

    columns = 2 if count == 4 else min(count, 3)
    rows = math.ceil(count / columns)
    width = max(7.0, 4.0 * columns)
    figure = Figure(figsize=(width, height * rows + 0.6), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[count:]:
        unused.remove()
    figure.suptitle(text.title, wrap=True)
    for index, ax in enumerate(axes[:count]):
        ax.set_xlabel(text.x)
        if index % columns == 0:
            ax.set_ylabel(text.y)
    return figure, axes[:count]


def legend_below(figure: "Figure") -> None:
    """One legend of all labelled artists, under the panels, where it covers no data."""
    entries: dict[str, Any] = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if not entries:
        return
    labels = sorted(entries, key=lambda label: label.startswith(CLOSED_FORM))
    columns = _legend_columns(labels, 12 * figure.get_figwidth())
    figure.set_figheight(figure.get_figheight() + 0.2 * math.ceil(len(labels) / columns))
    handles = [entries[label] for label in labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def _legend_columns(labels: Sequence[str], characters: float) -> int:
    """Most columns, up to six, that fit into a line of ``characters``."""
    for columns in range(min(len(labels), 6), 1, -1):
        # As Matplotlib does: the first columns take what does not divide evenly.
        parts = np.array_split(np.array([len(label) for label in labels]), columns)
        widths = [int(part.max()) for part in parts]
        if sum(widths) + 6 * columns <= characters:
            return columns
    return 1


def summarise(table: pd.DataFrame, by: str, y: str) -> pd.DataFrame:
    """Mean and 95 % t-interval of the finite values of ``y`` for every value of ``by``.

    Returns:
        Columns ``mean``, ``low``, ``high`` (nan without values; the mean itself for one value),
        ``n`` and ``diverged``, indexed by ``by`` in ascending order.
    """
    from scipy import stats  # a third of a second that most analyses do without

    finite = table.assign(**{y: table[y].where(np.isfinite(table[y]))}).groupby(by)[y]
    n, mean = finite.count(), finite.mean()
    half = stats.t.ppf(0.975, n.clip(lower=2) - 1) * finite.std().fillna(0.0) / np.sqrt(n.clip(1))
    return pd.DataFrame(
        {
            "mean": mean,
            "low": mean - half,
            "high": mean + half,
            "n": n,
            "diverged": finite.size() - n,
        }
    )


def is_wide(values: Iterable[float]) -> bool:
    """Whether positive values span more than a linear axis can show."""
    finite = [v for v in values if math.isfinite(v)]
    return bool(finite) and min(finite) > 0 and max(finite) >= WIDE * min(finite)


def note_diverged(ax: "Axes", at: Hashable, count: int, colour: str, rank: int = 0) -> None:
    """Write ``count diverged`` at ``at`` on the horizontal axis, ``rank`` lines from the top."""
    ax.annotate(
        f"{count} diverged",
        (at, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, -NOTE_HEIGHT * rank),
        textcoords="offset points",
        color=colour,
        ha="center",
        va="top",
        fontsize=8,
    )


def finish(ax: "Axes", values: Iterable[float], *, linear: bool = False) -> None:
    """Choose the vertical scale for ``values`` and make room for the notes at the top."""
    logarithmic = not linear and is_wide(values)
    ax.set_yscale("log" if logarithmic else "linear")
    if ax.texts:
        _make_room(ax, logarithmic)
    if logarithmic:
        name_ticks(ax.yaxis, *ax.get_ylim())


def _make_room(ax: "Axes", logarithmic: bool) -> None:
    lines = 1 - min(note.get_position()[1] for note in ax.texts) / NOTE_HEIGHT
    share = 0.06 + 0.06 * lines
    low, high = ax.get_ylim()
    top = high * (high / low) ** share if logarithmic else high + (high - low) * share
    ax.set_ylim(low, top)


def name_ticks(axis: "Axis", low: float, high: float) -> None:
    """Plain numbers at 1, 2 and 5 on a logarithmic axis that is short enough for them."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    if high < SHORT * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())


def shares(table: pd.DataFrame, title: str, palette: Mapping[str, str]) -> "Figure":
    """A bar per row, divided into shares by column.

    Args:
        table: shares of 1.
        title: of the figure.
        palette: column -> colour.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 1.3 + 0.42 * len(table)), layout="constrained")
    ax = figure.subplots()
    figure.suptitle(title)
    left = pd.Series(0.0, index=table.index)
    for name in map(str, table.columns):
        bars = ax.barh(range(len(table)), table[name], left=left, color=palette[name], label=name)
        for bar in bars:
            bar.set(edgecolor="white", linewidth=1.2)
        _percentages(ax, table[name], left)
        left += table[name]
    ax.set_yticks(range(len(table)), list(table.index))
    ax.set_ylim(len(table) - 0.45, -0.55)
    ax.set_xlim(0, 1)
    ax.set_xlabel("share")
    ax.grid(visible=False, axis="y")
    legend_below(figure)
    return figure


def _percentages(ax: "Axes", widths: "pd.Series[float]", left: "pd.Series[float]") -> None:
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
    for place, (width, start) in enumerate(zip(widths, left, strict=True)):
        if width >= NARROW:
            middle = start + width / 2
            ax.text(middle, place, f"{width:.0%}", ha="center", va="center", fontsize=8, bbox=box)

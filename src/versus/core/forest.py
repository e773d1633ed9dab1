"""Charts with one row per condition: differences to the baseline, and levels.

Rows that do not fit one panel's meaning are spread over panels with a common axis, so that the
same condition stands at the same height everywhere.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from versus.core.drawing import (
    CLOSED_FORM,
    MARKERS,
    Text,
    colours,
    is_wide,
    legend_below,
    name_ticks,
    panels,
    style,
    summarise,
)
from versus.core.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Entry = Mapping[str, Any]
OUTCOMES = {"better": "#0072B2", "worse": "#D55E00", "undecided": "#7F7F7F"}
ROW_HEIGHT = 0.27
CHARACTER_WIDTH = 0.075
FAR = 100.0


@style()
def forest(
    comparisons: Sequence[Entry],
    *,
    text: Text,
    scale: Mapping[tuple[str, str], float] | None = None,
    seeds: int = 0,
) -> "Figure":
    """Differences with their intervals; the colour says which way a row is decided.

    Panels are variants and rows are metrics, or the other way round where variants are more.

    Args:
        comparisons: entries of ``verdict["comparisons"]``.
        text: title and axis labels.
        scale: (metric, baseline) -> what its differences are divided by.
        seeds: seeds of the comparison; a row with fewer finite pairs says so.

    Raises:
        DataError: if there is no comparison.
    """
    if not comparisons:
        raise DataError("plot: the verdict has no comparison; run two variants with two seeds")
    facet, label = _orientation(comparisons)
    names, rows = ([*dict.fromkeys(e[key] for e in comparisons)] for key in (facet, label))
    figure, axes = _row_panels(names, rows, text)
    scaled = [_scaled(entry, scale or {}) for entry in comparisons]
    for entry in scaled:
        ax = axes[names.index(entry[facet])]
        _forest_row(ax, entry, rows.index(entry[label]), seeds)
    _scale_differences(axes, [max(map(abs, e["span"])) for e in scaled if e["span"]])
    legend_below(figure)
    return figure


def _orientation(comparisons: Sequence[Entry]) -> tuple[str, str]:
    variants, metrics = ({e[key] for e in comparisons} for key in ("variant", "metric"))
    return ("variant", "metric") if len(variants) <= len(metrics) else ("metric", "variant")


def _row_panels(
    names: Sequence[str], rows: Sequence[str], text: Text
) -> "tuple[Figure, list[Axes]]":
    height = 0.5 + ROW_HEIGHT * max(len(rows), 2)
    figure, axes = panels(len(names), text, height=height)
    columns = max(ax.get_subplotspec().colspan.stop for ax in axes)  # type: ignore[union-attr]
    widest = max(map(len, rows)) * CHARACTER_WIDTH
    figure.set_figwidth(max(6.4, widest + (5.5 if columns == 1 else 3.0 * columns)))
    for ax, name in zip(axes, names, strict=True):
        ax.set_title(name)
        ax.sharex(axes[0])
        ax.sharey(axes[0])
        ax.locator_params(axis="x", nbins=5)
        ax.tick_params(labelleft=bool(ax.get_subplotspec().is_first_col()))  # type: ignore[union-attr]
    axes[0].set_yticks(range(len(rows)), list(rows))
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    return figure, axes


def _scaled(entry: Entry, scale: Mapping[tuple[str, str], float]) -> Entry:
    """The entry with ``middle`` and ``span``, in units of its baseline; empty where undefined."""
    if entry["difference"] is None:
        return {**entry, "middle": None, "span": []}
    unit = scale.get((entry["metric"], entry["baseline"]), 1.0)
    span = [bound / unit for bound in entry["ci"] or (entry["difference"],) * 2]
    return {**entry, "middle": entry["difference"] / unit, "span": span}


def _forest_row(ax: "Axes", entry: Entry, place: int, seeds: int) -> None:
    outcome = entry["outcome"] or "undecided"
    colour = OUTCOMES[outcome]
    if entry["middle"] is not None:
        face = "white" if outcome == "undecided" else colour
        ax.plot(entry["span"], [place, place], color=colour, linewidth=1.6)
        ax.plot(entry["middle"], place, "o", color=colour, markerfacecolor=face, label=outcome)
    lost = seeds - entry["pairs"] if seeds else 0
    if lost or entry["middle"] is None:
        note = f"{lost} of {seeds} pairs diverged" if lost else "diverged"
        _note(ax, place - 0.42, note, colour)


def _scale_differences(axes: "Sequence[Axes]", reaches: Sequence[float]) -> None:
    """One axis for all; a variant about to diverge must not squeeze the others into zero."""
    from matplotlib.ticker import FixedLocator, StrMethodFormatter

    for ax in axes:
        ax.axvline(0, color="black", linewidth=0.9, zorder=1)
    typical, far = float(np.median(reaches or [0.0])), max(reaches, default=0.0)
    if far <= FAR * typical or typical == 0:
        return
    threshold = 10.0 ** math.ceil(math.log10(typical))
    top = 10.0 ** math.floor(math.log10(far))
    for ax in axes:
        ax.set_xscale("symlog", linthresh=threshold, linscale=2)
        ax.xaxis.set_major_locator(FixedLocator([-top, -threshold, 0, threshold, top]))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _note(ax: "Axes", place: float, note: str, colour: str) -> None:
    ax.annotate(
        note,
        (0.99, place),
        xycoords=("axes fraction", "data"),
        color=colour,
        ha="right",
        va="center",
        fontsize=7,
    )


def baseline_means(metrics: pd.DataFrame, comparisons: Sequence[Entry]) -> dict[Any, float]:
    """(metric, baseline) -> mean of the baseline; nothing where one of them is not positive.

    It is the ``scale`` that makes differences of several metrics comparable.
    """
    means = {
        (e["metric"], e["baseline"]): summarise(metrics, "variant", e["metric"])["mean"][
            e["baseline"]
        ]
        for e in comparisons
    }
    return means if all(mean > 0 for mean in means.values()) else {}


@style()
def dots(
    table: pd.DataFrame,
    rows: Mapping[str, str],
    *,
    text: Text,
    series: str = "variant",
    levels: Mapping[str, float] | None = None,
    level_name: str = "",
    reference: float | None = None,
) -> "Figure":
    """Mean and 95 % t-interval of several columns, one row per column and one dot per series.

    Args:
        table: one row per run.
        rows: column -> name of its row.
        text: title and axis labels.
        series: column that sets the colour.
        levels: column -> closed form, drawn as a black bar across the row.
        level_name: which closed form that is.
        reference: value that a thin line marks.

    Raises:
        DataError: if there is nothing to draw.
    """
    if table.empty or not rows:
        raise DataError("plot: the table has no rows; run the experiment first")
    palette = colours(table[series].astype(str))
    figure, (ax,) = panels(1, text, height=0.6 + len(rows) * (0.16 + 0.07 * len(palette)))
    figure.set_figwidth(8.0)
    for place, column in enumerate(rows):
        _row_of_dots(ax, place, summarise(table, series, column), palette)
        if (levels or {}).get(column) is not None:
            level = [levels[column]] * 2  # type: ignore[index]
            ax.plot(
                level,
                [place - 0.4, place + 0.4],
                color="black",
                label=f"{CLOSED_FORM}: {level_name}",
            )
    if reference is not None:
        ax.axvline(reference, color="black", linewidth=0.9, zorder=1)
    _finish_dots(ax, table[list(rows)].to_numpy().ravel().tolist(), list(rows.values()))
    legend_below(figure)
    return figure


def _row_of_dots(ax: "Axes", place: int, points: pd.DataFrame, palette: Mapping[str, str]) -> None:
    for rank, (name, colour) in enumerate(palette.items()):
        mean, low, high, _, diverged = points.loc[[name]].to_numpy()[0].tolist()
        at = place + 0.75 * ((rank + 0.5) / len(palette) - 0.5)
        ax.errorbar(
            mean,
            at,
            xerr=[[mean - low], [high - mean]],
            fmt=MARKERS[rank % len(MARKERS)],
            color=colour,
            label=name,
        )
        if diverged:
            _note(ax, at, f"{int(diverged)} diverged", colour)


def _finish_dots(ax: "Axes", values: Sequence[float], names: Sequence[str]) -> None:
    finite = [v for v in values if math.isfinite(v)]
    if is_wide(finite):
        ax.set_xscale("log")
        ax.set_xlim(0.8 * min(finite), 1.25 * max(finite))
        name_ticks(ax.xaxis, min(finite), max(finite))
    ax.set_yticks(range(len(names)), list(names))
    for edge in np.arange(0.5, len(names) - 1):
        ax.axhline(edge, color="#dddddd", linewidth=0.6, zorder=0)
    ax.grid(visible=False, axis="y")
    ax.set_ylim(len(names) - 0.5, -0.5)

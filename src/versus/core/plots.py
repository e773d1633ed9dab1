"""Lines with intervals and paired boxes, for every experiment.

Tables are tidy: one row per run. Charts with a row per condition are in :mod:`versus.core.forest`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from versus.core.drawing import (
    CLOSED_FORM,
    DASHES,
    MARKERS,
    Curve,
    Text,
    colours,
    finish,
    is_wide,
    legend_below,
    note_diverged,
    panels,
    style,
    summarise,
)
from versus.core.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@style()
def lines_with_interval(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    series: str,
    text: Text,
    facet: str | None = None,
    dash: str | None = None,
    order: Sequence[str] = (),
    curves: Mapping[str, Sequence[Curve]] | None = None,
    linear: bool = False,
) -> "Figure":
    """Mean of ``y`` against ``x`` with a 95 % t-interval band, one line per series.

    Args:
        table: one row per run; rows of equal facet, series, dash and x are the seeds.
        x: numeric column of the horizontal axis.
        y: numeric column of the vertical axis.
        series: column that sets the colour.
        text: title and axis labels.
        facet: column that sets the panel; None draws one panel.
        dash: column that sets line style and marker within a series.
        order: series in the order that fixes their colours; default: as they appear.
        curves: closed forms per panel, by facet value (``""`` without facets).
        linear: keep the vertical axis linear however wide the values spread.

    Raises:
        DataError: if the table is empty.
    """
    groups = _facets(table, facet)
    figure, axes = panels(len(groups), text)
    palette = colours([*order, *table[series].astype(str)])
    styles = sorted(table[dash].unique()) if dash else [None]
    wide_y = not linear and is_wide(table[y])
    for ax, (name, rows) in zip(axes, groups.items(), strict=True):
        ax.set_title(name)
        for rank, (value, colour) in enumerate(palette.items()):
            for index, variety in enumerate(styles):
                chosen = rows[rows[series].astype(str) == value]
                chosen = chosen if dash is None else chosen[chosen[dash] == variety]
                label = value if dash is None else f"{value}, {dash} = {variety}"
                # Without dash, lines that coincide still show both colours.
                look = rank if dash is None else index
                _line(ax, summarise(chosen, x, y), colour, look, label, wide_y)
            _note_diverged(
                ax, summarise(rows[rows[series].astype(str) == value], x, y), colour, rank
            )
        for index, curve in enumerate((curves or {}).get(name, ())):
            _curve(ax, curve, index)
        _ticks(ax, table[x])
        finish(ax, table[y], linear=linear)
    legend_below(figure)
    return figure


def _facets(table: pd.DataFrame, facet: str | None) -> dict[str, pd.DataFrame]:
    if table.empty:
        raise DataError("plot: the table has no rows; run the experiment first")
    if facet is None:
        return {"": table}
    return {str(name): rows for name, rows in table.groupby(facet, sort=False)}


def _line(
    ax: "Axes", points: pd.DataFrame, colour: str, index: int, label: str, log_y: bool
) -> None:
    points = points.dropna(subset="mean")
    if points.empty:
        return
    # On a logarithmic axis a band that reaches zero would have no lower edge.
    low = np.maximum(points["low"], points["mean"] / 3) if log_y else points["low"]
    ax.fill_between(points.index, low, points["high"], color=colour, alpha=0.18, linewidth=0)
    ax.plot(
        points.index,
        points["mean"],
        color=colour,
        linestyle=DASHES[index % len(DASHES)],
        marker=MARKERS[index % len(MARKERS)],
        label=label,
    )


def _curve(ax: "Axes", curve: Curve, index: int) -> None:
    pattern = (0, (2 + 3 * index, 2))
    label = f"{CLOSED_FORM}: {curve.label}"
    ax.plot(curve.x, curve.y, color="black", linewidth=1.1, linestyle=pattern, label=label)


def _note_diverged(ax: "Axes", points: pd.DataFrame, colour: str, rank: int) -> None:
    """Count diverged runs above the place where their mean would stand."""
    for at, count in points.loc[points["diverged"] > 0, "diverged"].items():
        note_diverged(ax, at, int(count), colour, rank)


def _ticks(ax: "Axes", x: "pd.Series[float]") -> None:
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    ticks = sorted(x.dropna().unique())
    positive = [tick for tick in ticks if tick > 0]
    if is_wide(ticks):
        ax.set_xscale("log")
    elif is_wide(positive) and ticks[0] == 0:
        ax.set_xscale("symlog", linthresh=positive[0])
    if len(ticks) <= 6:
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_locator(NullLocator())


@style()
def paired_boxes(
    table: pd.DataFrame,
    *,
    y: str,
    series: str,
    pair: str,
    text: Text,
    facet: str | None = None,
    order: Sequence[str] = (),
    curves: Mapping[str, Sequence[Curve]] | None = None,
) -> "Figure":
    """A box per series, with a thin line between the values that share ``pair``.

    Args:
        table: one row per run.
        y: numeric column of the vertical axis.
        series: column of the boxes.
        pair: column that names what two series have in common (all other settings and the seed).
        text: title and axis labels.
        facet: column that sets the panel; None draws one panel.
        order: series in the order of boxes and colours; default: as they appear.
        curves: closed forms per panel; their first value is drawn as a level.

    Raises:
        DataError: if the table is empty.
    """
    groups = _facets(table, facet)
    figure, axes = panels(len(groups), text)
    present = set(table[series].astype(str))
    everyone = colours([*order, *table[series].astype(str)])
    palette = {name: colour for name, colour in everyone.items() if name in present}
    for ax, (name, rows) in zip(axes, groups.items(), strict=True):
        ax.set_title(name)
        _boxes(ax, rows, y, series, pair, palette)
        for index, curve in enumerate((curves or {}).get(name, ())):
            _curve(ax, Curve(curve.label, [0.5, len(palette) + 0.5], [curve.y[0]] * 2), index)
        finish(ax, rows[y])
    legend_below(figure)
    return figure


def _boxes(
    ax: "Axes", rows: pd.DataFrame, y: str, series: str, pair: str, palette: Mapping[str, str]
) -> None:
    wide = rows.assign(**{y: rows[y].where(np.isfinite(rows[y]))}).pivot_table(
        index=pair, columns=series, values=y, dropna=False
    )
    wide = wide.reindex(columns=list(palette))
    places = np.arange(1, len(palette) + 1)
    ax.plot(places, wide.T, color="0.4", linewidth=0.6, alpha=min(0.6, max(0.08, 8 / len(wide))))
    for rank, (place, (name, colour)) in enumerate(zip(places, palette.items(), strict=True)):
        box = ax.boxplot(
            [wide[name].dropna()],
            positions=[place],
            widths=0.5,
            patch_artist=True,
            medianprops={"color": "black"},
            flierprops={"marker": ".", "markersize": 3},
        )
        box["boxes"][0].set(facecolor=colour, alpha=0.55)
        diverged = int((~np.isfinite(rows.loc[rows[series].astype(str) == name, y])).sum())
        if diverged:
            note_diverged(ax, place, diverged, colour, rank % 2)
    ax.set_xticks(places, list(palette))
    ax.grid(visible=False, axis="x")

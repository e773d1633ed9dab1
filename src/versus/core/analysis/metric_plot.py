"""Metrics over training: a panel per metric with the variants overlaid, or a panel per variant."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from versus.core import drawing
from versus.core.analysis import shaping
from versus.core.analysis.request import METRICS, Request, limited, one_of
from versus.core.arguments import Option

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OPTIONS = (
    METRICS,
    Option("layout", "overlay (default) or grid", one_of("overlay", "grid"), default="overlay"),
    Option(
        "group-by",
        "panels of the grid: metric (default) or variant (also strategy)",
        one_of("metric", "variant", strategy="variant"),
        default="metric",
    ),
    Option("band", "around means: range of the seeds (default), ci (95 percent) or none",
           one_of("range", "ci", "none"), default="range"),
    Option("normalize", "scale every metric to its own 0 to 1", switch=True),
    Option("log-scale", "logarithmic vertical axis (also --log-y)", switch=True),
    Option("log-x", "logarithmic horizontal axis", switch=True),
    Option("share-y", "the same vertical axis in all panels", switch=True),
)  # fmt: skip


@dataclass(frozen=True)
class Pen:
    """Draws the lines of one variant or metric into one panel."""

    ax: "Axes"
    colour: str
    dash: Any

    def line(self, x: Any, y: Any, **looks: Any) -> None:
        """A line through arrays of shape (points,)."""
        self.ax.plot(x, y, **{"color": self.colour, "linestyle": self.dash, **looks})

    def band(self, points: pd.DataFrame) -> None:
        """The band of means over seeds."""
        edges = points["x"], points["low"], points["high"]
        self.ax.fill_between(*edges, color=self.colour, alpha=0.2, linewidth=0)


BANDS = {"range": "band: min to max", "ci": "band: 95 % interval of the mean", "none": ""}


def run(request: Request) -> None:
    """Print final, min and max, and draw the curves."""
    metrics = request.metrics()
    raw = request.table(metrics, smooth=False)
    request.print_table(shaping.summary(raw))
    figure = draw(request, metrics, raw)
    grid = request.options.layout == "grid"
    view = f"grid-by-{request.options.group_by}" if grid else "overlay"
    request.save(figure, view, metrics)


def normalised(table: pd.DataFrame) -> pd.DataFrame:
    """Every metric scaled by its smallest and largest finite value over all runs to 0 and 1."""
    finite = table["value"].where(np.isfinite(table["value"]))
    groups = finite.groupby(table["metric"])
    low, high = groups.transform("min"), groups.transform("max")
    return table.assign(value=(table["value"] - low) / (high - low).where(high > low, 1.0))


def draw(request: Request, metrics: Sequence[str], raw: pd.DataFrame) -> "Figure":
    """The picture of some metrics, from their unsmoothed series."""
    options, look = request.options, request.look
    raw = normalised(raw) if options.normalize else raw
    smooth = shaping.smoothed(raw, options.smooth)
    variants = request.variants(raw)
    split = options.layout == "grid" and options.group_by == "variant"
    panels, lines = (variants, list(metrics)) if split else (list(metrics), variants)
    limited(len(panels), "panels", "choose some with --metrics or --variants")
    known = lines if split else [*request.source.variants, *lines]
    colours, dashes = look.colours(known), look.dashes(known)
    diverged = {line: _diverged(raw, "metric" if split else "variant", line) for line in lines}
    axis = request.axis(raw)
    y = "scaled to 0 … 1" if options.normalize else ""
    with look.applied():
        text = drawing.Text(request.heading(*_notes(request, raw)), axis, y)
        figure, axes = drawing.panels(len(panels), text)
        for ax, panel in zip(axes, panels, strict=True):
            ax.set_title(panel)
            for line in lines:
                keys = (panel, line) if split else (line, panel)
                pen = Pen(ax, colours[line], dashes[line])
                _curve(request, _of(smooth, *keys), pen, line + diverged[line])
                if options.smooth:
                    _ghost(request, _of(raw, *keys), pen)
            _scales(ax, request)
        if options.share_y:
            _share(axes)
        drawing.legend_below(figure)
    return figure


def _of(table: pd.DataFrame, variant: str, metric: str) -> pd.DataFrame:
    return table[(table["variant"] == variant) & (table["metric"] == metric)]


def _notes(request: Request, raw: pd.DataFrame) -> list[str]:
    options, seeds = request.options, raw["seed"].nunique()
    means = f"mean of {seeds} seeds" if seeds > 1 and not request.each_seed else ""
    band = BANDS[options.band] if means else ""
    each = "a line per seed" if request.each_seed and seeds > 1 else ""
    faint = "" if request.each_seed else " (faint: unsmoothed)"
    smooth = f"moving average {options.smooth:g}{faint}" if options.smooth else ""
    return [means, band, each, smooth]


def _diverged(table: pd.DataFrame, column: str, line: str) -> str:
    """How many runs of a line diverged, in any of the panels; empty where none did."""
    rows = table[table[column] == line]
    runs = rows.groupby(["variant", "seed"])["value"].agg(lambda v: not np.isfinite(v).all())
    return f" ({int(runs.sum())} of {len(runs)} diverged)" if runs.any() else ""


def _curve(request: Request, rows: pd.DataFrame, pen: Pen, label: str) -> None:
    if request.each_seed:
        for index, (_, run) in enumerate(rows.groupby("seed")):
            values = run["value"].where(np.isfinite(run["value"]))
            pen.line(
                run["x"], values, linewidth=1.1, alpha=0.8, label=label if index == 0 else None
            )
        return
    means = shaping.over_seeds(rows, request.options.band)
    shared = means[means["complete"]]
    if request.options.band != "none" and (shared["n"] > 1).any():
        pen.band(shared)
    few = {"marker": "o"} if len(means) < 15 else {}
    pen.line(shared["x"], shared["mean"], label=label, **few)
    # From where the first seed has ended or diverged: dotted, joined to the last shared point.
    rest = means.iloc[max(len(shared) - 1, 0) :]
    if len(rest) > 1:
        pen.line(rest["x"], rest["mean"], linestyle=(0, (1, 1.5)))


def _ghost(request: Request, rows: pd.DataFrame, pen: Pen) -> None:
    """The unsmoothed mean behind a smoothed one."""
    if not request.each_seed:
        means = shaping.over_seeds(rows)
        pen.line(means["x"], means["mean"], linewidth=0.8, alpha=0.3)


def _scales(ax: "Axes", request: Request) -> None:
    from matplotlib.ticker import MaxNLocator

    if request.options.log_scale:
        ax.set_yscale("log", nonpositive="mask")
        drawing.name_ticks(ax.yaxis, *ax.get_ylim())
    if request.options.log_x:
        ax.set_xscale("log", nonpositive="mask")
        drawing.name_ticks(ax.xaxis, *ax.get_xlim())
    else:
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _share(axes: "Sequence[Axes]") -> None:
    low = min(ax.get_ylim()[0] for ax in axes)
    high = max(ax.get_ylim()[1] for ax in axes)
    for ax in axes:
        ax.set_ylim(low, high)

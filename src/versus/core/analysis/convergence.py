"""When a metric crosses a threshold and stays beyond it, per run and as median over seeds.

A run has converged at the first of ``--sustain`` records in a row that lie beyond the threshold
(or at the first of its remaining ones, where the run ends sooner: early stopping ends it there).
A run that never does is censored at its last record. The median counts it as later than all
others, so that it is a number only where more than half of the seeds have converged.
"""

import argparse
import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from versus.core import drawing
from versus.core.analysis import dots
from versus.core.analysis.metric_plot import normalised
from versus.core.analysis.request import METRICS, Request, number, one_of
from versus.core.arguments import Option, positive
from versus.core.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def real(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a number, received {text!r}")
    return value


OPTIONS = (
    METRICS,
    Option("threshold", "the value to be reached; required", real),
    Option("direction", "above (default) or below", one_of("above", "below"), default="above"),
    Option("sustain", "records in a row beyond the threshold (default: 3)", positive, default=3),
    Option("normalize", "scale every metric to its own 0 to 1 first", switch=True),
    Option("log-x", "logarithmic horizontal axis", switch=True),
)


def run(request: Request) -> None:
    """Print when every variant converges, and draw it."""
    options = request.options
    if options.threshold is None:
        raise ConfigError(
            "versus analyze convergence: --threshold is required, such as --threshold 0.995"
        )
    metrics = request.metrics()
    table = request.table(metrics)
    axis = request.axis(table)
    if options.normalize:
        table = normalised(table)
    found = crossings(table, options.threshold, options.direction, options.sustain)
    sign = "≥" if options.direction == "above" else "≤"
    request.display.line(f"{axis} from which the metric is {sign} {options.threshold:g}")
    request.print_table(medians(found), median=_median_text)
    request.save(
        draw(request, found, axis, sign), f"{options.direction}-{options.threshold:g}", metrics
    )


def crossings(table: pd.DataFrame, threshold: float, direction: str, sustain: int) -> pd.DataFrame:
    """When every run converges.

    Returns:
        Columns metric, variant, seed, at (``x`` of the crossing; inf if there is none) and last
        (``x`` of the last record).
    """
    rows = []
    for (variant, seed, metric), run in table.groupby(["variant", "seed", "metric"], sort=False):
        run = run.sort_values("x", kind="stable")
        value, x = run["value"].to_numpy(float), run["x"].to_numpy(float)
        beyond = value >= threshold if direction == "above" else value <= threshold
        # A diverged run is beyond no threshold.
        start = _first_stretch(beyond & np.isfinite(value), sustain)
        at = math.inf if start is None else x[start]
        rows.append({"metric": metric, "variant": variant, "seed": seed, "at": at, "last": x[-1]})
    return pd.DataFrame(rows)


def _first_stretch(
    beyond: "np.ndarray[tuple[int], np.dtype[np.bool_]]", sustain: int
) -> int | None:
    """Where the first stretch begins that is long enough or lasts until the end."""
    start: int | None = None
    for index, inside in enumerate(beyond):
        if not inside:
            start = None
            continue
        start = index if start is None else start
        if index - start + 1 >= sustain:
            return start
    return start


def medians(found: pd.DataFrame) -> pd.DataFrame:
    """Per metric and variant: median, earliest and latest crossing, converged and censored runs.

    Returns:
        Columns metric, variant, median (inf where half of the seeds or more are censored), first,
        latest (of the converged), converged, censored, longest (last record of the censored).
    """
    rows = []
    for (metric, variant), runs in found.groupby(["metric", "variant"], sort=False):
        reached = runs.loc[np.isfinite(runs["at"]), "at"]
        rows.append(
            {
                "metric": metric,
                "variant": variant,
                "median": _median(runs["at"].to_numpy(float)),
                "first": reached.min(),
                "latest": reached.max(),
                "converged": len(reached),
                "censored": len(runs) - len(reached),
                "longest": runs.loc[~np.isfinite(runs["at"]), "last"].max(),
            }
        )
    return pd.DataFrame(rows)


def _median(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    ordered = np.sort(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float((low + high) / 2)


def _median_text(value: float) -> str:
    return "not reached" if math.isinf(value) else number(value)


def draw(request: Request, found: pd.DataFrame, axis: str, sign: str) -> "Figure":
    """A dot per converged seed, a bar at the median, an open triangle per censored run."""
    look, options = request.look, request.options
    variants = request.variants(found)
    colours = request.colours(variants)
    metrics = list(dict.fromkeys(found["metric"]))
    notes = [
        f"first {axis} of {options.sustain} records {sign} {options.threshold:g}",
        "bar: median over seeds",
        "triangle: not reached until there" if np.isinf(found["at"]).any() else "",
    ]
    with look.applied():
        figure, axes = dots.panels(request, metrics, variants, request.heading(*notes), axis)
        for ax, metric in zip(axes, metrics, strict=True):
            for place, variant in enumerate(variants):
                runs = found[(found["metric"] == metric) & (found["variant"] == variant)]
                at = runs["at"].to_numpy(float)
                middle = _median(at) if len(at) else math.nan
                dots.row(ax, place, at, colours[variant], look.ink, middle)
                _censored(ax, place, runs, colours[variant])
            _axis(ax, found, log=bool(options.log_x))
    return figure


def _censored(ax: "Axes", place: int, runs: pd.DataFrame, colour: str) -> None:
    last = runs.loc[np.isinf(runs["at"]), "last"]
    if len(last):
        heights = dots.spread(place, len(last))
        ax.plot(last, heights, ">", markersize=6, markerfacecolor="none", markeredgecolor=colour)


def _axis(ax: "Axes", found: pd.DataFrame, *, log: bool) -> None:
    if log:
        ax.set_xscale("log")
        drawing.name_ticks(ax.xaxis, *ax.get_xlim())
    else:
        ax.set_xlim(0, 1.05 * found["last"].max())

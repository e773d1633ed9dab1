"""Variants compared by one number per run: table with paired differences, and a dot per seed."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from versus.core.analysis import dots, names, shaping, tables
from versus.core.analysis.request import METRICS, STAT, Request, number
from versus.core.arguments import Option

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OPTIONS = (
    METRICS,
    STAT,
    Option("baseline", "the variant to compare with (default: the comparison's own)"),
)


def run(request: Request) -> None:
    """Print final, min and max per variant and the paired differences, and draw them."""
    metrics = request.metrics(finals=True)
    table = request.table(metrics, smooth=False)
    stat, baseline = request.options.stat, _baseline(request, table)
    values = tables.per_seed(table, stat)
    request.print_table(comparison(table, values, baseline), ci=str)
    request.display.line(f"delta: {stat} minus that of {baseline}, by seed; ci: 95 % t-interval")
    request.save(draw(request, values), stat, metrics)


def _baseline(request: Request, table: pd.DataFrame) -> str:
    variants = request.variants(table)
    wanted = request.options.baseline
    if wanted is not None:
        return names.chosen("--baseline", [wanted], variants, "variant")[0]
    return request.source.baseline if request.source.baseline in variants else variants[0]


def comparison(table: pd.DataFrame, values: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The printed table: :func:`shaping.summary` with delta, ci and pairs."""
    summary = shaping.summary(table)
    gaps = tables.differences(values, baseline).reset_index()
    if gaps.empty:
        return summary
    joined = summary.merge(gaps, on=["metric", "variant"], how="left")
    pairs, low, high = joined.pop("pairs"), joined.pop("low"), joined.pop("high")
    joined["ci"] = [
        "-" if np.isnan(a) else f"[{number(a)}, {number(b)}]"
        for a, b in zip(low, high, strict=True)
    ]
    return joined.assign(pairs=pairs.fillna(0).astype(int))


def draw(request: Request, values: pd.DataFrame) -> "Figure":
    """A dot per seed and a bar at their mean, a panel per metric."""
    look = request.look
    variants = request.variants(values)
    colours = request.colours(variants)
    metrics = list(dict.fromkeys(values["metric"]))
    seeds = values["seed"].nunique()
    heading = request.heading(request.options.stat, f"a dot per seed ({seeds}), bar: mean")
    with look.applied():
        figure, axes = dots.panels(request, metrics, variants, heading, "")
        for ax, metric in zip(axes, metrics, strict=True):
            rows = values[values["metric"] == metric]
            for place, variant in enumerate(variants):
                own = rows.loc[rows["variant"] == variant, "value"].to_numpy(float)
                finite = own[np.isfinite(own)]
                middle = float(finite.mean()) if len(finite) else float("nan")
                dots.row(ax, place, own, colours[variant], look.ink, middle)
    return figure

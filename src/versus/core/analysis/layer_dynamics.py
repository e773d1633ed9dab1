"""A metric of every layer over training: a heatmap per variant, on one colour scale."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from versus.core import drawing
from versus.core.analysis import heat, shaping
from versus.core.analysis.names import natural
from versus.core.analysis.request import ONE_METRIC, Request, limited, one_of
from versus.core.arguments import Option, positive

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OPTIONS = (
    ONE_METRIC,
    Option("aggregate-layers", "one row per block: the mean of its parameters", switch=True),
    Option("log-norm", "logarithmic colours", switch=True),
    Option("sort", "name (default) or variance", one_of("name", "variance"), default="name"),
    Option("top", "only the N layers that vary most", positive),
)
PRINTED = 15


def run(request: Request) -> None:
    """Print which layers vary most, and draw the heatmaps."""
    options, parts = request.options, request.parts()
    table = request.table(list(parts.values()))
    variants = request.variants(table)
    layers = {variant: by_layer(table, variant, parts) for variant in variants}
    if options.aggregate_layers:
        layers = {variant: aggregated(rows) for variant, rows in layers.items()}
    spread = variances(layers)
    order = chosen(spread, options.sort, options.top)
    request.print_table(spread.loc[order].rename_axis("variance of").reset_index()[:PRINTED])
    figure = draw(request, {v: rows.reindex(columns=order) for v, rows in layers.items()}, table)
    request.save(figure, "blocks" if options.aggregate_layers else "layers", [options.metric])


def by_layer(table: pd.DataFrame, variant: str, parts: Mapping[str, str]) -> pd.DataFrame:
    """Mean over seeds of one variant: a row per ``x``, a column per layer."""
    means = shaping.wide_means(table, variant)
    return means.rename(columns={metric: part for part, metric in parts.items()})


def aggregated(layers: pd.DataFrame) -> pd.DataFrame:
    """The mean of the columns that belong to one block."""
    blocks = layers.T.groupby([block(name) for name in layers.columns], sort=False).mean()
    return blocks.T


def block(parameter: str) -> str:
    """The block of a parameter: ``layer 3`` for ``layers.3.ffn.weight``, else its first word."""
    match = re.search(r"(?:^|[._])(?:layers?|blocks?|h)[._](\d+)", parameter)
    return f"layer {match[1]}" if match else re.split(r"[.]", parameter)[0]


def variances(layers: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Variance over training: a row per layer, the most varying first, a column per variant."""
    table = pd.DataFrame({variant: rows.var() for variant, rows in layers.items()})
    return table.loc[table.max(axis=1).sort_values(ascending=False, kind="stable").index]


def chosen(spread: pd.DataFrame, sort: str, top: int | None) -> list[str]:
    """The layers to show, from the table of :func:`variances`."""
    kept = [str(name) for name in spread.index[:top]]
    return kept if sort == "variance" else sorted(kept, key=natural)


def draw(request: Request, layers: Mapping[str, pd.DataFrame], table: pd.DataFrame) -> "Figure":
    """The heatmaps; a layer without a value at some time is blank there."""
    look, options = request.look, request.options
    limited(len(layers), "variants", "choose some with --variants")
    images = {variant: rows.to_numpy(float).T for variant, rows in layers.items()}
    scale = heat.norm(images, log=bool(options.log_norm), signed=False)
    names: Sequence[str] = list(next(iter(layers.values())).columns)
    seeds = table["seed"].nunique()
    text = drawing.Text(
        request.heading(options.metric, f"mean of {seeds} seeds" if seeds > 1 else ""),
        request.axis(table), "",
    )  # fmt: skip
    with look.applied():
        height = float(np.clip(0.8 + 0.22 * len(names), 2.6, 9))
        figure, axes = drawing.panels(len(layers), text, height=height)
        columns = heat.column_count(len(layers))
        for index, (ax, (variant, rows)) in enumerate(zip(axes, layers.items(), strict=True)):
            borders = heat.edges(rows.index.to_numpy(float)), np.arange(len(names) + 1) - 0.5
            mesh = ax.pcolormesh(*borders, images[variant], norm=scale, cmap=look.ramp)
            ax.set_ylim(len(names) - 0.5, -0.5)
            heat.name_cells(ax, names if index % columns == 0 else None)
            ax.set_title(variant)
        heat.bar(figure, mesh, axes)
    return figure

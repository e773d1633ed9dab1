"""Correlations between metrics over the records of training: heatmaps, or scatter plots.

Metrics are joined where variant, seed and ``x`` are equal. Records of one run depend on each
other, so that no p-value is given.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from versus.core import drawing
from versus.core.analysis import names
from versus.core.analysis.matrices import draw_matrix
from versus.core.analysis.request import METRICS, Request, limited, one_of
from versus.core.arguments import Option, positive
from versus.core.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OPTIONS = (
    METRICS,
    Option("x", "scatter plots: the metric on the horizontal axis, with --y"),
    Option("y", "scatter plots: metrics on the vertical axis, a panel each", many=True),
    Option("stat", "pearson (default) or spearman", one_of("pearson", "spearman"),
           default="pearson"),
    Option("trend-line", "scatter plots: a least-squares line per variant", switch=True),
    Option("sample", "scatter plots: draw only N points per variant (they all count)", positive),
)  # fmt: skip
FEWEST = 3


def run(request: Request) -> None:
    """Print the correlations and draw them."""
    options = request.options
    if bool(options.x) != bool(options.y):
        raise ConfigError("--x and --y belong together: --x METRIC --y METRIC [METRIC ...]")
    if options.x:
        scatter(request)
    else:
        heatmaps(request)


def joined(table: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """One row per variant, seed and x, a column per metric; rows that lack one stay with nan."""
    finite = table.assign(value=table["value"].where(np.isfinite(table["value"])))
    at = finite.assign(x=finite["x"].fillna(-1.0))  # metrics of one point have no x
    wide = at.pivot_table(
        index=["variant", "seed", "x"], columns="metric", values="value", sort=False
    )
    return wide.reindex(columns=list(metrics)).reset_index()


def matrix(rows: pd.DataFrame, metrics: Sequence[str], stat: str) -> pd.DataFrame:
    """Correlation of every pair over its common rows, shape (metrics, metrics).

    Spearman's is Pearson's of the ranks among the common rows. nan under three common rows, or
    where a metric is constant.
    """
    pairs = {
        (a, b): correlation(rows[a], rows[b], stat) for i, a in enumerate(metrics)
        for b in metrics[: i + 1]
    }  # fmt: skip
    values = [[pairs.get((a, b), pairs.get((b, a))) for b in metrics] for a in metrics]
    return pd.DataFrame(values, index=list(metrics), columns=list(metrics), dtype=float)


def correlation(a: "pd.Series[float]", b: "pd.Series[float]", stat: str) -> float:
    """See :func:`matrix`."""
    there = a.notna() & b.notna()
    a, b = a[there], b[there]
    if len(a) < FEWEST or a.nunique() < 2 or b.nunique() < 2:
        return float("nan")
    if stat == "spearman":
        a, b = a.rank(), b.rank()
    return float(np.corrcoef(a, b)[0, 1])


def heatmaps(request: Request) -> None:
    """A heatmap per variant, and a table of all pairs."""
    metrics = request.metrics()
    if len(metrics) < 2:
        raise ConfigError(f"--metrics: correlation needs two or more, received {metrics}")
    table = request.table(metrics)
    rows, variants = joined(table, metrics), request.variants(table)
    limited(len(variants), "variants", "choose some with --variants")
    stat = request.options.stat
    found = {v: matrix(rows[rows["variant"] == v], metrics, stat) for v in variants}
    request.print_table(_pairs(found, metrics, rows))
    figure = draw_matrix(request, found, metrics, f"{stat.title()} correlation over all records")
    request.save(figure, f"heatmap-{stat}", metrics)


def _pairs(
    found: dict[str, pd.DataFrame], metrics: Sequence[str], rows: pd.DataFrame
) -> pd.DataFrame:
    table = []
    for index, a in enumerate(metrics):
        for b in metrics[index + 1 :]:
            values: dict[str, Any] = {v: matrix.loc[a, b] for v, matrix in found.items()}
            records = int((rows[a].notna() & rows[b].notna()).sum())
            table.append({"metric": a, "with": b, **values, "records": records})
    return pd.DataFrame(table)


def scatter(request: Request) -> None:
    """A panel per ``--y`` metric against ``--x``, a colour per variant."""
    options, look = request.options, request.look
    known = request.source.names
    x, *_ = names.resolve([options.x], known, request.display.note, "--x")
    ys = names.resolve(options.y, known, request.display.note, "--y")
    metrics = list(dict.fromkeys([x, *ys]))
    table = request.table(metrics)
    rows, variants = joined(table, metrics), request.variants(table)
    request.print_table(_against(rows, variants, x, ys, options.stat))
    colours = request.colours(variants)
    limited(len(ys), "panels", "choose fewer metrics with --y")
    with look.applied():
        drawn = f"{options.sample} records per variant drawn" if options.sample else ""
        text = drawing.Text(request.heading(drawn), x, "")
        figure, axes = drawing.panels(len(ys), text)
        for ax, y in zip(axes, ys, strict=True):
            ax.set_title(y)
            for variant in variants:
                both = rows[rows["variant"] == variant][[x, y]].dropna()
                _points(ax, both, colours[variant], variant, options)
        drawing.legend_below(figure)
    request.save(figure, f"scatter-{options.stat}", metrics)


def _against(
    rows: pd.DataFrame, variants: Sequence[str], x: str, ys: Sequence[str], stat: str
) -> pd.DataFrame:
    groups = {**{v: rows[rows["variant"] == v] for v in variants}, "all together": rows}
    return pd.DataFrame(
        {
            "metric": y,
            "with": x,
            "variant": name,
            stat: correlation(own[x], own[y], stat),
            "records": int((own[x].notna() & own[y].notna()).sum()),
        }
        for y in ys
        for name, own in groups.items()
    )


def _points(ax: "Axes", both: pd.DataFrame, colour: str, variant: str, options: Any) -> None:
    x, y = both.columns
    sample = options.sample or len(both)
    chosen = both.sample(sample, random_state=0) if sample < len(both) else both
    ax.plot(
        chosen[x], chosen[y], "o", color=colour, markersize=4, alpha=0.7, markeredgewidth=0,
        label=variant,
    )  # fmt: skip
    if options.trend_line and len(both) >= FEWEST and both[x].nunique() > 1:
        slope, intercept = np.polyfit(both[x], both[y], 1)
        ends = np.array([both[x].min(), both[x].max()])
        ax.plot(ends, slope * ends + intercept, color=colour, linewidth=1.4)

"""How the parts of a metric (frequencies, layers) share its total: stacked areas per variant."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from versus.core import drawing
from versus.core.analysis.names import natural
from versus.core.analysis.request import ONE_METRIC, Request, limited, one_of
from versus.core.arguments import Option, positive

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OPTIONS = (
    ONE_METRIC,
    Option("top-n", "the N parts of greatest final value; the rest as one (default: 8)", positive,
           default=8),
    Option("sort-by", "power (default: final value), index, or acquired (when it first appears)",
           one_of("power", "index", "acquired"), default="power"),
    Option("normalize", "shares of the total", switch=True),
    Option("share-y", "the same vertical axis in all panels", switch=True),
)  # fmt: skip
REST = "all others"
RECORD = ["variant", "seed", "x"]


def run(request: Request) -> None:
    """Print the strongest parts of every variant, and draw the areas."""
    options, parts = request.options, request.parts()
    table = request.table(list(parts.values()))
    group = {name.partition("/")[0] for name in parts.values()}
    beside = [n for n in request.source.names if n.partition("/")[0] in group]
    times = request.table(beside, smooth=False)[RECORD].drop_duplicates()
    shares = {v: mean_shares(table, times, v, parts) for v in request.variants(times)}
    limited(len(shares), "variants", "choose some with --variants")
    order = ordered(shares, options.sort_by, options.top_n)
    request.print_table(strongest(shares))
    figure = draw(request, shares, order, times, request.axis(table))
    normalised = "-normalized" if options.normalize else ""
    request.save(figure, f"by-{options.sort_by}{normalised}", [options.metric])


def mean_shares(
    table: pd.DataFrame, times: pd.DataFrame, variant: str, parts: Mapping[str, str]
) -> pd.DataFrame:
    """Mean over seeds of one variant: a row per ``x``, a column per part.

    A part that a run leaves out of a record, because it is too weak to be tracked, counts as 0: a
    mean over those runs alone that have it would make a total that no run has. A run that has ended
    keeps its last values; one that has diverged counts for none.

    Args:
        table: series of the parts.
        times: columns :data:`RECORD`: when anything beside them was recorded.
        variant: whose.
        parts: part -> metric.
    """
    rows = table[table["variant"] == variant]
    recorded = times[times["variant"] == variant].drop(columns="variant")
    wide = rows.pivot_table(index=["seed", "x"], columns="metric", values="value").reset_index()
    whole = recorded.merge(wide, on=["seed", "x"], how="left").fillna(0.0)
    kept = whole.pivot_table(index="x", columns="seed", sort=True).ffill()
    means = kept.where(np.isfinite(kept)).T.groupby(level=0).mean().T.fillna(0.0)
    return means.rename(columns={metric: part for part, metric in parts.items()})


def ordered(shares: Mapping[str, pd.DataFrame], by: str, count: int) -> list[str]:
    """The ``count`` parts of greatest final value over all variants, in the order asked for."""
    names = sorted({str(n) for rows in shares.values() for n in rows.columns}, key=natural)
    last = {n: max(_final(rows, n) for rows in shares.values()) for n in names}
    kept = sorted(names, key=lambda n: -last[n])[:count]
    if by == "index":
        return sorted(kept, key=natural)
    if by == "acquired":
        return sorted(kept, key=lambda n: min(acquired(rows, n) for rows in shares.values()))
    return kept


def _final(rows: pd.DataFrame, part: str) -> float:
    return float(rows[part].iloc[-1]) if part in rows and len(rows) else 0.0


def acquired(rows: pd.DataFrame, part: str) -> float:
    """``x`` of the first record in which a part is above zero; inf if there is none."""
    if part not in rows:
        return float("inf")
    there = rows.index[rows[part] > 0]
    return float(there[0]) if len(there) else float("inf")


def strongest(shares: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Per variant: parts above zero at the end, their total, and the strongest with its share."""
    rows = []
    for variant, parts in shares.items():
        last = parts.iloc[-1]
        total, top = float(last.sum()), str(last.idxmax())
        rows.append(
            {
                "variant": variant,
                "parts": int((last > 0).sum()),
                "total": total,
                "strongest": top if total > 0 else "-",
                "its share": float(last[top]) / total if total > 0 else float("nan"),
                "acquired at": acquired(parts, top) if total > 0 else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def draw(
    request: Request,
    shares: Mapping[str, pd.DataFrame],
    order: Sequence[str],
    times: pd.DataFrame,
    axis: str,
) -> "Figure":
    """The stacked areas, the first part at the bottom."""
    look, options = request.look, request.options
    seeds = times["seed"].nunique()
    y = "share of the total" if options.normalize else options.metric
    ends = times.groupby(["variant", "seed"])["x"].max().nunique() > 1
    notes = [f"mean of {seeds} seeds"] * (seeds > 1) + ["the last value of ended runs"] * ends
    heading = request.heading(options.metric, *notes)
    with look.applied():
        text = drawing.Text(heading, axis, y)
        figure, axes = drawing.panels(len(shares), text)
        for ax, (variant, rows) in zip(axes, shares.items(), strict=True):
            bands = stacked(rows, order, normalise=bool(options.normalize))
            bands = bands.rename(columns=lambda part: label(options.metric, str(part)))
            colours = [*area_colours(look.palette, len(order)), look.shade]
            ax.stackplot(rows.index, bands.T, labels=bands.columns, colors=colours, linewidth=0)
            ax.set_title(variant)
            ax.margins(x=0)
        tops = [1.0 if options.normalize else _top(rows) for rows in shares.values()]
        for ax, top in zip(axes, tops, strict=True):
            ax.set_ylim(0, max(tops) if options.share_y else top)
        drawing.legend_below(figure)
    return figure


def label(metric: str, part: str) -> str:
    """A part's name; a number says little without what it numbers."""
    return f"{metric.rpartition('/')[2].rstrip('*_s')} {part}" if part.isdigit() else part


def _top(rows: pd.DataFrame) -> float:
    """Upper end of an axis; 1 where every part stays at zero."""
    return 1.05 * float(rows.sum(axis=1).max()) or 1.0


def stacked(rows: pd.DataFrame, order: Sequence[str], *, normalise: bool) -> pd.DataFrame:
    """Columns of ``order`` and, where parts are left, of the rest; rows sum to 1 if normalised."""
    bands = rows.reindex(columns=list(order), fill_value=0.0)
    rest = rows.drop(columns=[name for name in order if name in rows])
    if rest.shape[1]:
        bands[REST] = rest.sum(axis=1)
    if normalise:
        total = bands.sum(axis=1)
        bands = bands.div(total.where(total > 0, 1.0), axis=0)
    return bands


def area_colours(palette: Sequence[str], count: int) -> list[str]:
    """The palette, or evenly spaced hues where it has too few colours."""
    if count <= len(palette):
        return list(palette[:count])
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps["turbo"](value)) for value in np.linspace(0.05, 0.95, count)]

"""How the parts of a metric (frequencies, layers) share its total: stacked areas per variant."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from versus.core import drawing
from versus.core.analysis.layer_dynamics import by_layer
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


def run(request: Request) -> None:
    """Print the strongest parts of every variant, and draw the areas."""
    options, parts = request.options, request.parts()
    table = request.table(list(parts.values()))
    shares = {v: by_layer(table, v, parts).fillna(0.0) for v in request.variants(table)}
    limited(len(shares), "variants", "choose some with --variants")
    order = ordered(shares, options.sort_by, options.top_n)
    request.print_table(strongest(shares))
    figure = draw(request, shares, order, table)
    normalised = "-normalized" if options.normalize else ""
    request.save(figure, f"by-{options.sort_by}{normalised}", [options.metric])


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
    table: pd.DataFrame,
) -> "Figure":
    """The stacked areas, the first part at the bottom."""
    look, options = request.look, request.options
    seeds = table["seed"].nunique()
    y = "share of the total" if options.normalize else options.metric
    heading = request.heading(options.metric, f"mean of {seeds} seeds" if seeds > 1 else "")
    with look.applied():
        text = drawing.Text(heading, request.axis(table), y)
        figure, axes = drawing.panels(len(shares), text)
        for ax, (variant, rows) in zip(axes, shares.items(), strict=True):
            bands = stacked(rows, order, normalise=bool(options.normalize))
            colours = [*area_colours(look.palette, len(order)), look.shade]
            ax.stackplot(rows.index, bands.T, labels=bands.columns, colors=colours, linewidth=0)
            ax.set_title(variant)
            ax.margins(x=0)
        tops = [1.0 if options.normalize else _top(rows) for rows in shares.values()]
        for ax, top in zip(axes, tops, strict=True):
            ax.set_ylim(0, max(tops) if options.share_y else top)
        drawing.legend_below(figure)
    return figure


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

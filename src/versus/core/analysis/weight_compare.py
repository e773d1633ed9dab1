"""Final weights of the variants side by side: norms, singular values, similarity."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from versus.core import drawing
from versus.core.analysis import heat, stored_weights
from versus.core.analysis.matrices import draw_matrix
from versus.core.analysis.request import Request, limited, one_of
from versus.core.analysis.stored_weights import Array, Models, as_matrix
from versus.core.arguments import Option, positive
from versus.core.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OPTIONS = (
    Option("analyses", "norms, svd, similarity (default: all three)",
           one_of("norms", "svd", "similarity"), many=True),
    Option("top-layers", "panels of the N layers whose norms differ most (default: 6)", positive,
           default=6),
    Option("svd-rank", "singular values drawn per layer (default: 50)", positive, default=50),
)  # fmt: skip
WHOLE = "all layers"
MOST_ROWS = 60


def run(request: Request) -> None:
    """Print a row per layer, and draw the analyses."""
    models = stored_weights.read(request)
    layers = stored_weights.shared_layers(models)
    if not layers:
        raise DataError("versus analyze weight_compare: the models have no layer in common")
    norms = norms_of(models, layers)
    top = most_different(norms, request.options.top_layers)
    wanted = request.options.analyses or ["norms", "svd", "similarity"]
    if "norms" in wanted:
        request.print_table(_wide(norms, "norm"))
        request.save(draw_norms(request, norms, most_different(norms, MOST_ROWS)), "norms")
    if "svd" in wanted:
        matrices = norms[norms["rows"] > 1]
        top_matrices = most_different(matrices, request.options.top_layers)
        ranks = {v: _effective_ranks(seeds, top_matrices) for v, seeds in models.items()}
        request.print_table(pd.DataFrame(ranks).rename_axis("effective rank").reset_index())
        request.save(draw_spectra(request, models, top_matrices), "svd")
    if "similarity" in wanted:
        alike = similarities(models, layers)
        request.print_table(_pairs(alike))
        shown = {layer: alike[layer] for layer in [WHOLE, *top[:-1]]}
        request.save(draw_similarity(request, shown), "similarity")


# --- norms


def norms_of(models: Models, layers: Sequence[str]) -> pd.DataFrame:
    """Frobenius norms: columns layer, variant, seed, norm, rows (1 for a vector)."""
    return pd.DataFrame(
        {
            "layer": layer,
            "variant": v,
            "seed": seed,
            "norm": float(np.linalg.norm(weights[layer])),
            "rows": len(as_matrix(weights[layer])),
        }
        for v, seeds in models.items()
        for seed, weights in seeds.items()
        for layer in layers
    )


def most_different(norms: pd.DataFrame, count: int) -> list[str]:
    """The layers whose mean norms differ most between variants, relative to their size.

    In the order of the table; with one variant the layers of largest norm.
    """
    means = norms.groupby(["layer", "variant"], sort=False)["norm"].mean().unstack()
    spread = (means.max(axis=1) - means.min(axis=1)) / means.mean(axis=1).replace(0.0, 1.0)
    if means.shape[1] == 1:
        spread = means.iloc[:, 0]
    kept = set(spread.sort_values(ascending=False, kind="stable").index[:count])
    return [layer for layer in dict.fromkeys(norms["layer"]) if layer in kept]


def _wide(norms: pd.DataFrame, name: str) -> pd.DataFrame:
    means = norms.pivot_table(index="layer", columns="variant", values="norm", sort=False)
    return means.rename_axis(name, axis=0).rename_axis(None, axis=1).reset_index()


def draw_norms(request: Request, norms: pd.DataFrame, layers: Sequence[str]) -> "Figure":
    """A row per layer: a dot per variant at the mean over seeds, a line from min to max."""
    look = request.look
    variants = list(dict.fromkeys(norms["variant"]))
    colours = request.colours(variants)
    with look.applied():
        notes = ("dot: mean over seeds", "line: min to max") if norms["seed"].nunique() > 1 else ()
        text = drawing.Text(request.heading(*notes), "Frobenius norm", "")
        height = 1.0 + len(layers) * max(0.3, 0.1 * len(variants))
        figure, (ax,) = drawing.panels(1, text, height=height)
        offsets = np.linspace(-0.3, 0.3, len(variants)) if len(variants) > 1 else [0.0]
        for offset, variant in zip(offsets, variants, strict=True):
            own = norms[norms["variant"] == variant].groupby("layer")["norm"]
            rows = own.agg(["mean", "min", "max"]).loc[list(layers)]
            places = np.arange(len(layers)) + offset
            ax.hlines(places, rows["min"], rows["max"], color=colours[variant], linewidth=1.2)
            ax.plot(rows["mean"], places, "o", color=colours[variant], label=variant)
        heat.name_cells(ax, layers)
        ax.grid(visible=True, axis="x")
        ax.set_ylim(len(layers) - 0.5, -0.5)
        if drawing.is_wide(norms["norm"]):
            ax.set_xscale("log")
            drawing.name_ticks(ax.xaxis, *ax.get_xlim())
        drawing.legend_below(figure)
    return figure


# --- singular values


def effective_rank(singular: Array) -> float:
    """``(sum s)^2 / sum s^2``: the number of equal singular values with the same spread."""
    energy = float((singular**2).sum())
    return float(singular.sum()) ** 2 / energy if energy > 0 else 0.0


def spectrum(weights: Array) -> Array:
    """Singular values, descending, shape (min(rows, columns),)."""
    return np.asarray(np.linalg.svd(as_matrix(weights), compute_uv=False))


def _effective_ranks(
    seeds: Mapping[int, Mapping[str, Array]], layers: Sequence[str]
) -> dict[str, float]:
    return {
        layer: float(np.mean([effective_rank(spectrum(w[layer])) for w in seeds.values()]))
        for layer in layers
    }


def draw_spectra(request: Request, models: Models, layers: Sequence[str]) -> "Figure":
    """A panel per layer: singular values by rank, the mean over seeds, a line per variant."""
    from matplotlib.ticker import MaxNLocator

    look, rank = request.look, request.options.svd_rank
    colours = request.colours(list(models))
    limited(len(layers), "layers", "choose fewer with --top-layers")
    with look.applied():
        text = drawing.Text(request.heading("mean over seeds"), "rank", "singular value")
        figure, axes = drawing.panels(len(layers), text)
        for ax, layer in zip(axes, layers, strict=True):
            for variant, seeds in models.items():
                values = np.mean([spectrum(w[layer]) for w in seeds.values()], axis=0)[:rank]
                ranks = np.arange(1, len(values) + 1)
                marker = "o" if len(values) < 30 else ""
                ax.plot(ranks, values, color=colours[variant], marker=marker, ms=3, label=variant)
            ax.set_yscale("log", nonpositive="mask")
            drawing.name_ticks(ax.yaxis, *ax.get_ylim())
            ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            ax.set_title(layer)
        drawing.legend_below(figure)
    return figure


# --- similarity


def similarities(models: Models, layers: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Cosine between the weights of two variants of one seed, the mean over common seeds.

    Returns:
        Layer (and :data:`WHOLE`, all of them as one vector) -> matrix (variants, variants); nan
        where two variants have no seed in common or their shapes differ.
    """
    found = {}
    for name in [WHOLE, *layers]:
        members = layers if name == WHOLE else [name]
        values = pd.DataFrame(1.0, index=list(models), columns=list(models))
        for a, b in itertools.combinations(models, 2):
            values.loc[a, b] = values.loc[b, a] = _mean_cosine(models[a], models[b], members)
        found[name] = values
    return found


def _mean_cosine(
    a: Mapping[int, Mapping[str, Array]],
    b: Mapping[int, Mapping[str, Array]],
    layers: Sequence[str],
) -> float:
    common = sorted(set(a) & set(b))
    cosines = [_cosine(_vector(a[seed], layers), _vector(b[seed], layers)) for seed in common]
    return float(np.mean(cosines)) if cosines else float("nan")


def _vector(weights: Mapping[str, Array], layers: Sequence[str]) -> Array:
    return np.concatenate([weights[layer].ravel() for layer in layers])


def _cosine(a: Array, b: Array) -> float:
    if a.shape != b.shape:
        return float("nan")
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length > 0 else float("nan")


def _pairs(alike: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    columns = {}
    for a, b in itertools.combinations(next(iter(alike.values())).columns, 2):
        columns[f"{a} ~ {b}"] = [values[b][a] for values in alike.values()]
    if not columns:
        return pd.DataFrame({"cosine": ["one variant: nothing to compare"]})
    return pd.DataFrame({"cosine": list(alike), **columns})


def draw_similarity(request: Request, alike: Mapping[str, pd.DataFrame]) -> "Figure":
    """A heatmap of variants against variants, for all layers as one and for some of them."""
    limited(len(alike), "layers", "choose fewer with --top-layers")
    variants = list(next(iter(alike.values())).columns)
    return draw_matrix(request, alike, variants, "cosine between weights of equal seeds")

"""Pictures of a study: each dimension against the score, all together, and which of them matter."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from versus.core.drawing import PALETTE, Text, finish, panels, style
from versus.core.search.space import Dimension

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Space = Mapping[str, Dimension]
NOT_IN_USE = -0.12
"""Height at which a parallel line passes an axis that its trial did not use."""


@style()
def slices(table: pd.DataFrame, space: Space, best: Mapping[str, Any]) -> "Figure":
    """Score against each dimension, a point per completed trial, the best one marked.

    Args:
        table: columns ``score``, ``state`` and the dimensions' values.
        space: the dimensions.
        best: record of the best trial.
    """
    complete = table[table["state"] == "complete"]
    names = [name for name in space if name in complete and complete[name].notna().any()]
    figure, axes = panels(len(names), Text("Score by dimension", "", "score on the tuning seeds"))
    for ax, name in zip(axes, names, strict=True):
        rows = complete[complete[name].notna()]
        places = _positions(rows[name], space[name])
        shades = ax.scatter(
            places, rows["score"], c=rows["number"], s=16, vmin=0, vmax=table["number"].max()
        )
        if name in best["values"]:
            chosen = _positions(pd.Series([best["values"][name]]), space[name])
            ax.plot(chosen, [best["score"]], "*", color=PALETTE[1], markersize=13)
        _name_axis(ax, name, space[name])
        finish(ax, complete["score"])
    for ax in axes[1:]:
        ax.sharey(axes[0])
    axes[0].autoscale(axis="y")
    figure.colorbar(shades, ax=axes, label="trial")
    return figure


@style()
def parallel(table: pd.DataFrame, space: Space, direction: str) -> "Figure":
    """One line per completed trial through all dimensions to its score; better ones are darker.

    A line runs below an axis whose dimension its trial did not use.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    complete = table[table["state"] == "complete"]
    names = [name for name in space if name in complete and complete[name].notna().any()]
    scaled = np.column_stack([_heights(complete[name], space[name]) for name in names])
    better = complete["score"].rank(ascending=direction == "minimize", pct=True).to_numpy()
    score = _unit(np.asarray(complete["score"], dtype=float), _is_wide(complete["score"]))
    lines = np.column_stack([scaled, score])
    figure = Figure(figsize=(max(7.0, 1.6 * len(names) + 2), 4.2), layout="constrained")
    ax = figure.subplots()
    for row in np.argsort(-better):
        colour = colormaps["viridis"](0.95 * better[row])
        ax.plot(lines[row], color=colour, linewidth=1.0, alpha=0.8)
    for position, name in enumerate(names):
        _name_parallel_axis(ax, position, complete[name].dropna(), space[name])
    _write_ends(ax, len(names), complete["score"].min(), complete["score"].max())
    ax.set_xticks(range(len(names) + 1), [*names, "score"])
    ax.set_yticks([])
    ax.set_xlim(-0.3, len(names) + 0.5)
    ax.grid(visible=True, axis="x", color="#888888")
    ax.set_title("Completed trials; the best are darkest; below an axis = not in use")
    return figure


@style()
def importance(importances: Mapping[str, float]) -> "Figure":
    """Bars of each dimension's share, largest first."""
    figure, (ax,) = panels(
        1, Text("Importance of each dimension (conditional PED-ANOVA)", "share", ""), height=2.2
    )
    if not importances:
        ax.text(0.5, 0.5, "too few completed trials", ha="center", va="center")
        return figure
    names = sorted(importances, key=importances.__getitem__)
    bars = ax.barh(names, [importances[name] for name in names], color=PALETTE[0])
    ax.bar_label(bars, fmt="%.2f", padding=3)
    ax.margins(x=0.12)
    return figure


def _positions(values: "pd.Series[Any]", dimension: Dimension) -> "np.ndarray[Any, Any]":
    """Where values lie on an axis: choices at 0, 1, ..."""
    if not dimension.choices:
        return np.asarray(values, dtype=float)
    places = {choice: float(place) for place, choice in enumerate(dimension.choices)}
    return np.array([places[value] for value in values])


def _heights(values: "pd.Series[Any]", dimension: Dimension) -> "np.ndarray[Any, Any]":
    """Values of a dimension in [0, 1]; those of trials without it below."""
    used = values.notna().to_numpy()
    heights = np.full(len(values), NOT_IN_USE)
    heights[used] = _unit(_positions(values[used], dimension), dimension.log)
    return heights


def _unit(values: "np.ndarray[Any, Any]", log: bool) -> "np.ndarray[Any, Any]":
    scale = np.log(values) if log else values
    spread = np.ptp(scale) or 1.0
    unit: np.ndarray[Any, Any] = (scale - scale.min()) / spread
    return unit


def _is_wide(values: "pd.Series[Any]") -> bool:
    return bool(values.min() > 0 and values.max() > 10 * values.min())


def _name_axis(ax: "Axes", name: str, dimension: Dimension) -> None:
    ax.set_xlabel(name)
    if dimension.choices:
        labels = [str(choice) for choice in dimension.choices]
        ax.set_xticks(range(len(labels)), labels)
        for text in ax.get_xticklabels() if len(labels) > 5 else []:
            text.set(rotation=35, ha="right")
        ax.margins(x=0.15)
    elif dimension.log:
        ax.set_xscale("log")


def _name_parallel_axis(
    ax: "Axes", position: int, values: "pd.Series[Any]", dimension: Dimension
) -> None:
    if dimension.choices:
        used = sorted(set(_positions(values, dimension)))
        for place in used:
            height = (place - used[0]) / ((used[-1] - used[0]) or 1.0)
            _write(ax, position, height, str(dimension.choices[int(place)]))
    else:
        _write_ends(ax, position, values.min(), values.max())


def _write_ends(ax: "Axes", position: int, low: float, high: float) -> None:
    _write(ax, position, 0.0, f"{low:.3g}")
    if high > low:
        _write(ax, position, 1.0, f"{high:.3g}")


def _write(ax: "Axes", position: int, height: float, text: str) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1}
    ax.text(position + 0.04, height, text, fontsize=8, va="center", bbox=box)

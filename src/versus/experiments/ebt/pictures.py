"""Error against shift and against test-time steps, and the energies that descents cross."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from versus.core import drawing, plots
from versus.core.drawing import Text
from versus.core.models import read_model
from versus.experiments.ebt.arms import Arm
from versus.experiments.ebt.data.draws import draw_inputs, label
from versus.experiments.ebt.data.tasks import LISTOPS
from versus.experiments.ebt.vectors.measuring import seen_name
from versus.experiments.ebt.vectors.prediction import VectorModel, model_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EXACT = 1e-9
"""Errors below are those of a closed form that is exact; they are drawn at the lower edge."""
RANGES = {"1": "in range", "2": "out of range"}
"""Shift of the examples that descents are watched on -> the name of the line."""
POINTS = 81
"""Points of a landscape along each axis."""
FARTHEST = 8.0
"""Distance from the truth up to which a landscape shows the descent."""


def draw(metrics: pd.DataFrame, results: Path, out: Path, arms: Sequence[Arm]) -> list[Path]:
    """All pictures of a comparison.

    Args:
        metrics: final metrics, one row per run.
        results: folder with the models.
        out: folder of the PNG files.
        arms: the variants.

    Returns:
        The files written.
    """
    written = []
    for task in dict.fromkeys(arm.task for arm in arms if arm.task != LISTOPS):
        own = [arm for arm in arms if arm.task == task]
        figures = {f"shift-{task}": by_shift(metrics, own), f"steps-{task}": by_steps(metrics, own)}
        written += [drawing.save(f, out / f"{n}.png") for n, f in figures.items() if f is not None]
        for arm in own:
            if (figure := landscape_of(metrics, arm, results)) is not None:
                name = arm.variant.replace(",", "-")
                written.append(drawing.save(figure, out / f"landscape-{name}.png"))
    return written


# --- error against shift and steps ----------------------------------------------------------------


def by_shift(metrics: pd.DataFrame, arms: Sequence[Arm]) -> "Figure | None":
    """Error against the range of the inputs, a line per variant; None without measurements."""
    table = _melted(metrics, arms, r"shift_([\d.]+)/mse", ("shift",))
    if table.empty:
        return None
    floored = table.assign(error=table["error"].clip(lower=EXACT))
    title = f"{arms[0].task}: error against range, mean over seeds and 95 % interval"
    text = Text(title, "range r: inputs are training inputs times r", "mean squared error")
    figure = plots.lines_with_interval(
        floored, x="shift", y="error", series="model", text=text, order=[a.label for a in arms]
    )
    figure.axes[0].set_yscale("log")
    mark(figure.axes[0], 1.0, "training range ends")
    if bool((table["error"] < EXACT).any()):
        _name_floor(figure.axes[0])
    return figure


def by_steps(metrics: pd.DataFrame, arms: Sequence[Arm]) -> "Figure | None":
    """Error against steps of the descent, in and out of range; None without energy models."""
    table = _melted(metrics, arms, r"inner_([12])/mse_at_(\d+)", ("range", "steps"))
    if table.empty:
        return None
    shown = set(table["model"])
    horizons = {arm.settings.model.descent.steps for arm in arms if arm.label in shown}
    table["inputs"] = table.pop("range").astype(int).astype(str).map(RANGES)
    title = f"{arms[0].task}: error against test-time steps, mean over seeds and 95 % interval"
    text = Text(title, "steps of the descent", "mean squared error")
    figure = plots.lines_with_interval(
        table,
        x="steps",
        y="error",
        series="model",
        text=text,
        dash="inputs",
        order=[arm.label for arm in arms],
    )
    figure.axes[0].set_yscale("log")
    for horizon in sorted(horizons):
        mark(figure.axes[0], horizon, "steps in training")
    drawing.name_ticks(figure.axes[0].xaxis, *figure.axes[0].get_xlim())
    return figure


def _name_floor(ax: "Axes") -> None:
    ax.set_ylim(bottom=EXACT / 3)
    ax.axhline(EXACT, color="0.35", linewidth=0.8, zorder=1)
    ax.annotate(
        f"$10^{{{math.log10(EXACT):.0f}}}$ or less",
        (1.0, EXACT),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        color="0.35",
        fontsize=8,
    )


def _melted(
    metrics: pd.DataFrame, arms: Iterable[Arm], pattern: str, columns: Sequence[str]
) -> pd.DataFrame:
    """Columns ``model``, ``seed``, ``error`` and the numbers in the names of metrics."""
    found = {name: match for name in metrics if (match := re.fullmatch(pattern, str(name)))}
    rows = []
    for arm in arms:
        own = metrics[metrics["variant"] == arm.variant]
        for name, match in found.items():
            at = dict(zip(columns, map(float, match.groups()), strict=True))
            about = {"model": arm.label, **at}
            rows += [{**about, "error": v} for v in own[name].dropna()]
    return pd.DataFrame(rows, columns=["model", *columns, "error"])


def mark(ax: "Axes", place: float, words: str) -> None:
    """A vertical line with its name above it."""
    ax.axvline(place, color="0.35", linewidth=1.0, linestyle=(0, (6, 3)), zorder=1)
    ax.annotate(
        words,
        (place, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-1, 2),
        textcoords="offset points",
        color="0.35",
        fontsize=8,
    )


# --- landscapes -----------------------------------------------------------------------------------


def landscape_of(metrics: pd.DataFrame, arm: Arm, results: Path) -> "Figure | None":
    """The landscape of a variant's first seed that has not diverged; None where there is none."""
    settings, name = arm.settings, seen_name(arm.settings)
    own = metrics[metrics["variant"] == arm.variant]
    folder = results / "models" / arm.variant
    if settings.model.kind != "energy" or settings.data.vec_size < 2 or not folder.is_dir():
        return None
    seeds = own.loc[np.isfinite(own[f"{name}/mse"]), "seed"]
    if seeds.empty:
        return None
    seed, shift = int(seeds.iloc[0]), float(name.removeprefix("shift_"))
    row = draw_inputs(settings.data, seed, "test", settings.data.size_test)[:1]
    title = f"{arm.variant}, seed {seed}: energy over two coordinates, the others at the truth"
    inputs = {"in range: a test row, r = 1": row, f"the same row times {shift:g}": row * shift}
    return landscape(model_of(read_model(folder), seed), arm, inputs, title)


@drawing.style()
def landscape(model: VectorModel, arm: Arm, inputs: Mapping[str, Tensor], title: str) -> "Figure":
    """Energies around the truth and the course of the descent, a panel per row of inputs.

    Args:
        model: a trained model.
        arm: its variant.
        inputs: title of a panel -> one row (1, 2d).
        title: of the figure.
    """
    pair = _largest(next(iter(inputs.values())))
    text = Text(title, f"coordinate {pair[0]} of the answer", f"coordinate {pair[1]}")
    figure, axes = drawing.panels(len(inputs), text, height=3.2)
    for ax, (name, x) in zip(axes, inputs.items(), strict=True):
        ax.set_title(name)
        truth = label(arm.task, x)
        ys, _ = model.trace(x, arm.settings.model.descent.steps)
        course = ys[:, 0, pair].cpu().numpy()
        course = course[np.isfinite(course).all(1)]
        at = truth[0, pair].numpy()
        low, side = _window(course, at)
        grid = [np.linspace(start, start + side, POINTS) for start in low]
        _energies(ax, grid, _around(model, x, truth, pair, grid))
        _course(ax, course, at, low, side)
    drawing.legend_below(figure)
    return figure


def _largest(x: Tensor) -> list[int]:
    """The two coordinates whose larger input is farthest out."""
    farthest = torch.stack(x[0].abs().chunk(2)).amax(0)
    return sorted(farthest.topk(2).indices.tolist())


def _window(course: "np.ndarray", truth: "np.ndarray") -> "tuple[np.ndarray, float]":
    """Lower corner and side of a square that holds truth and course, if that stays near."""
    near = np.abs(course - truth).max(1) <= FARTHEST
    points = np.vstack([course[near], truth])
    low, high = points.min(0), points.max(0)
    side = 1.3 * max(float((high - low).max()), 0.2)
    return (low + high - side) / 2, side


def _around(
    model: VectorModel, x: Tensor, truth: Tensor, pair: Sequence[int], grid: "Sequence[np.ndarray]"
) -> "np.ndarray":
    """Energies (POINTS, POINTS), the first coordinate along the second axis."""
    first, second = np.meshgrid(*grid)
    ys = truth.repeat(first.size, 1)
    ys[:, pair[0]] = torch.from_numpy(first.ravel()).to(ys)
    ys[:, pair[1]] = torch.from_numpy(second.ravel()).to(ys)
    energies = model.energy(x.expand(len(ys), -1), ys)
    return energies.cpu().numpy().reshape(first.shape)


def _energies(ax: "Axes", grid: "Sequence[np.ndarray]", energies: "np.ndarray") -> None:
    above = energies - energies.min()
    # Closer near the bottom, where the descent ends.
    levels = above.max() * np.linspace(0, 1, 15) ** 2
    filled = ax.contourf(*grid, above, levels=levels, cmap="cividis")
    ax.contour(*grid, above, levels=levels, colors="white", linewidths=0.3)
    bar = ax.figure.colorbar(filled, ax=ax, ticks=levels[::4], format="%.2g", shrink=0.8)
    bar.set_label("energy above its least value here")


def _course(
    ax: "Axes", course: "np.ndarray", truth: "np.ndarray", low: "np.ndarray", side: float
) -> None:
    ax.plot(*course.T, color="black", linewidth=2.6)
    ax.plot(*course.T, color="white", linewidth=1.2)
    ax.plot(*course.T, "o-k", linewidth=0.6, markersize=3, markerfacecolor="white", label="descent")
    ax.plot(*course[0], "s", color="#56B4E9", markeredgecolor="black", label="start")
    ax.plot(*truth, "*", color="#F0E442", markeredgecolor="black", markersize=12, label="truth")
    ax.plot(*course[-1], "o", color="#D55E00", markeredgecolor="black", label="answer")
    ax.set_xlim(low[0], low[0] + side)
    ax.set_ylim(low[1], low[1] + side)
    ax.set_aspect("equal")
    ax.grid(visible=False)

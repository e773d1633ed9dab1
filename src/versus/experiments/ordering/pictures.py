"""Learning curves, times to generalise, and the share of the gradient that is due to order."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from versus.core import drawing
from versus.core.drawing import DASHES, Text
from versus.core.paired import Values, survival_interval, survival_median

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEST, TRAIN, GENERALISED = "test/accuracy", "train/accuracy", "epochs/generalised"
ORDERING = "counterfactual/ordering_fraction"
MOST_BANDS = 5
"""Variants whose bands can still be told apart in one panel."""


def draw(metrics: pd.DataFrame, curves: pd.DataFrame, budget: int, out: Path) -> list[Path]:
    """All pictures of a comparison.

    Args:
        metrics: final metrics, one row per run.
        curves: every evaluation of every run: ``variant``, ``seed``, ``epoch`` and metrics.
        budget: epochs that a run had to generalise.
        out: folder of the PNG files.

    Returns:
        The files written.
    """
    written = draw_curves(curves, out)
    figures = {
        "generalised": _share_generalised(metrics, budget),
        "time_to_generalise": _times(metrics, budget),
    }
    return [*written, *(drawing.save(f, out / f"{name}.png") for name, f in figures.items())]


def draw_curves(curves: pd.DataFrame, out: Path) -> list[Path]:
    """Accuracy by epoch, and the ordering fraction where it was measured."""
    written = [drawing.save(_accuracy(curves), out / "accuracy.png")]
    if ORDERING in curves and curves[ORDERING].notna().any():
        written.append(drawing.save(_ordering(curves), out / "ordering_fraction.png"))
    return written


@drawing.style()
def _accuracy(curves: pd.DataFrame) -> "Figure":
    variants = list(dict.fromkeys(curves["variant"]))
    text = Text("Accuracy by epoch: median over seeds, band of all seeds", "epoch", "accuracy")
    figure, axes = drawing.panels(len(variants), text, height=2.4)
    for ax, variant in zip(axes, variants, strict=True):
        rows = curves[curves["variant"] == variant]
        ax.set_title(variant)
        for rank, (metric, label) in enumerate(((TRAIN, "training pairs"), (TEST, "test pairs"))):
            _band(ax, rows, metric, drawing.PALETTE[1 - rank], label, DASHES[1 - rank])
        ax.set_ylim(-0.03, 1.03)
        ax.set_xlim(0, max(1, curves["epoch"].max()))
    drawing.legend_below(figure)
    return figure


def _band(
    ax: "Axes",
    rows: pd.DataFrame,
    metric: str,
    colour: str,
    label: str,
    dash: object,
    shade: float = 0.18,
) -> None:
    """Median and range over seeds; a run that has stopped keeps its last value."""
    wide = rows.dropna(subset=metric).pivot_table(index="epoch", columns="seed", values=metric)
    wide = wide.ffill()
    low, high = wide.min(axis=1), wide.max(axis=1)
    ax.fill_between(wide.index, low, high, color=colour, alpha=shade, lw=0)
    ax.plot(wide.index, wide.median(axis=1), color=colour, linestyle=dash, label=label)


@drawing.style()
def _ordering(curves: pd.DataFrame) -> "Figure":
    text = Text(
        "Share of each epoch's gradient energy that shuffling removes", "epoch", "ordering fraction"
    )
    figure, (ax,) = drawing.panels(1, text)
    measured = curves.dropna(subset=ORDERING)
    colours = drawing.colours(measured["variant"])
    shade = 0.18 if len(colours) <= MOST_BANDS else 0.0
    for rank, (variant, colour) in enumerate(colours.items()):
        rows, dash = measured[measured["variant"] == variant], DASHES[rank % len(DASHES)]
        _band(ax, rows, ORDERING, colour, variant, dash, shade)
    ax.set_ylim(0, 1.02)
    ax.set_xlim(left=0)
    bands = ", band of all seeds" if shade else " over seeds"
    ax.set_title(f"median{bands}", fontsize="medium")
    drawing.legend_below(figure)
    return figure


@drawing.style()
def _share_generalised(metrics: pd.DataFrame, budget: int) -> "Figure":
    """One minus the Kaplan-Meier curve, which is a plain share where all are censored at once."""
    text = Text("Runs that have generalised", "epoch", "share of runs")
    figure, (ax,) = drawing.panels(1, text)
    for rank, (variant, colour) in enumerate(drawing.colours(metrics["variant"]).items()):
        times = np.sort(_known(metrics, variant))
        came = times[np.isfinite(times)]
        shares = np.arange(len(came) + 1) / len(times)
        ax.step(
            [0, *came, budget],
            [*shares, shares[-1]],
            where="post",
            color=colour,
            linestyle=DASHES[rank % len(DASHES)],
            label=variant,
        )
    ax.set_ylim(-0.03, 1.05)
    drawing.legend_below(figure)
    return figure


def _known(metrics: pd.DataFrame, variant: str) -> Values:
    times: Values = (
        metrics.loc[metrics["variant"] == variant, GENERALISED].fillna(np.inf).to_numpy(float)
    )
    return times


@drawing.style()
def _times(metrics: pd.DataFrame, budget: int) -> "Figure":
    from matplotlib.figure import Figure

    variants: Sequence[str] = list(dict.fromkeys(metrics["variant"]))
    figure = Figure(figsize=(7.5, 1.4 + 0.42 * len(variants)), layout="constrained")
    ax = figure.subplots()
    figure.suptitle("Epochs to generalise: runs, median and its 95 % interval")
    beyond = 1.08 * budget
    for place, (variant, colour) in enumerate(drawing.colours(variants).items()):
        times = _known(metrics, variant)
        _row(ax, place, times, colour, beyond)
    ax.axvline(budget, color="0.5", linewidth=0.8)
    ax.set_yticks(range(len(variants)), variants)
    ax.set_ylim(len(variants) - 0.5, -0.5)
    ax.set_xlim(0, 1.16 * budget)
    ax.set_xlabel("epoch (right of the line: not within the budget)")
    return figure


def _row(
    ax: "Axes",
    place: int,
    times: Values,
    colour: str,
    beyond: float,
) -> None:
    shown = np.where(np.isfinite(times), times, beyond)
    spread = np.linspace(-0.18, 0.18, len(times)) if len(times) > 1 else np.zeros(1)
    ax.plot(shown, place + spread, "o", color=colour, alpha=0.45, markersize=4)
    median = min(survival_median(times), beyond)
    ax.plot(median, place, "|", color=colour, markersize=20, markeredgewidth=2.5)
    if (interval := survival_interval(times, 0.95)) is not None:
        low, high = (min(bound, beyond) for bound in interval)
        ax.plot([low, high], [place, place], color=colour, linewidth=1.5)

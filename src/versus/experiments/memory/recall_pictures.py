"""Figures of stored pairs: recall by age, the course of overwriting, and what it trades off."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from versus.core import drawing, plots
from versus.core.drawing import Text
from versus.experiments.memory.reads import AGES
from versus.experiments.memory.study_pictures import OVER_SEEDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BY_AGE = {
    "recall_by_age": ("age", "NMSE of recall"),
    "top1_by_age": ("top1_age", "share of wrong answers"),
}


def plot(metrics: pd.DataFrame, tasks: Sequence[str], out: Path) -> list[Path]:
    """Draw what there is of recall by age, of overwriting, and of stability against plasticity.

    Args:
        metrics: one row per run: ``variant``, ``seed`` and columns ``<task>/<metric>``.
        tasks: those to look at, a panel each.
        out: folder of the PNG files.

    Returns:
        The files written.

    Raises:
        DataError: if the folder cannot be written.
    """
    figures = {}
    for name, (prefix, label) in BY_AGE.items():
        aged = [task for task in tasks if f"{task}/{prefix}{AGES}" in metrics]
        if aged:
            figures[name] = _by_age(metrics, aged, prefix, label)
    overwritten = [task for task in tasks if f"{task}/new2" in metrics]
    if overwritten:
        figures["overwrite"] = _overwriting(metrics, overwritten)
        figures["stability_plasticity"] = _trade_off(metrics, overwritten)
    return [drawing.save(figure, out / f"{name}.png") for name, figure in figures.items()]


def _long(metrics: pd.DataFrame, columns: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """A row per run and column, with what is said of the column."""
    parts = [
        metrics[["variant", column]].rename(columns={column: "error"}).assign(**about)
        for column, about in columns.items()
    ]
    # Missing is no pair of that age; what has diverged is infinite.
    return pd.concat(parts, ignore_index=True).dropna(subset="error")


def _by_age(metrics: pd.DataFrame, tasks: Sequence[str], prefix: str, label: str) -> Any:
    columns = {
        f"{task}/{prefix}{age}": {"task": task, "age": age}
        for task in tasks
        for age in range(1, AGES + 1)
    }
    return plots.lines_with_interval(
        _long(metrics, columns),
        x="age",
        y="error",
        series="variant",
        facet="task",
        linear=prefix != "age",
        text=Text(
            f"Recall by age of the pair, {OVER_SEEDS}",
            "age in eighths of the stream (1 = newest)",
            label,
        ),
    )


def _visits(metrics: pd.DataFrame, task: str) -> int:
    return max(visit for visit in range(1, len(metrics.columns)) if f"{task}/new{visit}" in metrics)


def _overwriting(metrics: pd.DataFrame, tasks: Sequence[str]) -> Any:
    columns = {
        f"{task}/{name}{visit}": {"panel": f"{task}: {values}", "visit": visit}
        for task in tasks
        for name, values in (("new", "changed values"), ("kept", "kept values"))
        for visit in range(1, _visits(metrics, task) + 1)
    }
    figure = plots.lines_with_interval(
        _long(metrics, columns),
        x="visit",
        y="error",
        series="variant",
        facet="panel",
        text=Text(
            f"Error after some values have changed, {OVER_SEEDS}",
            "visit of the key since the change",
            "NMSE before the write",
        ),
    )
    low, high = zip(*(ax.get_ylim() for ax in figure.axes), strict=True)
    for ax in figure.axes:
        ax.set_ylim(min(low), max(high))
    return figure


@drawing.style()
def _trade_off(metrics: pd.DataFrame, tasks: Sequence[str]) -> Any:
    text = Text(
        f"Stability against plasticity, {OVER_SEEDS}",
        "NMSE of changed values, shown once",
        "NMSE of kept values",
    )
    figure, axes = drawing.panels(len(tasks), text, height=4.0)
    for ax, task in zip(axes, tasks, strict=True):
        kept = [f"{task}/kept{visit}" for visit in range(1, _visits(metrics, task) + 1)]
        points = pd.DataFrame(
            {
                "variant": metrics["variant"],
                "x": metrics[f"{task}/new2"],
                "y": metrics[kept].mean(axis=1),
            }
        )
        ax.set_title(task)
        _crosses(ax, points)
    drawing.legend_below(figure)
    return figure


def _crosses(ax: "Axes", points: pd.DataFrame) -> None:
    x, y = (drawing.summarise(points, "variant", name) for name in ("x", "y"))
    for rank, (name, colour) in enumerate(drawing.colours(points["variant"]).items()):
        (at, x_error), (height, y_error) = (_interval(one, name) for one in (x, y))
        marker = drawing.MARKERS[rank % len(drawing.MARKERS)]
        ax.errorbar(at, height, y_error, x_error, fmt=marker, color=colour, label=name)
    for axis, values, scale in ((ax.xaxis, x, ax.set_xscale), (ax.yaxis, y, ax.set_yscale)):
        if drawing.is_wide(values["mean"]):
            scale("log")
            drawing.name_ticks(axis, *values["mean"].agg(["min", "max"]))


def _interval(points: pd.DataFrame, name: str) -> tuple[float, list[list[float]]]:
    """A mean, and how far its interval reaches below and above it."""
    mean, low, high, *_ = points.loc[[name]].to_numpy()[0].tolist()
    return mean, [[mean - low], [high - mean]]

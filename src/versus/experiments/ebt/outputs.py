"""What the verdict is about, and what it says in words."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from versus.core import curves
from versus.core.paired import mean_interval
from versus.core.stages import Places
from versus.core.tables import read_table
from versus.experiments.ebt import console, listops, pictures
from versus.experiments.ebt.arms import Arm, arms_of
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.data.draws import shift_name
from versus.experiments.ebt.data.tasks import LISTOPS
from versus.experiments.ebt.stacking import stacks
from versus.experiments.ebt.vectors.measuring import STEPS

LONGEST = max(STEPS)
LEARNING = ("train/mse", "val/mse", "train/error", "val/error")
"""What learning curves are drawn of."""


def primary_metrics(comparison: Comparison) -> tuple[str, ...]:
    """The error on every test set."""
    if LISTOPS in comparison.data.tasks:
        return listops.primary_metrics
    return tuple(f"{shift_name(shift)}/mse" for shift in comparison.data.shifts)


def selection_metrics(comparison: Comparison) -> tuple[str, ...]:
    """The validation error: test data select nothing."""
    return ("best/val_loss",) if LISTOPS in comparison.data.tasks else ("best/val_mse",)


def notes(comparison: Comparison) -> list[str]:
    """The seed document's opening."""
    parts = 1 + len(stacks(comparison.expand()))
    return console.opening(comparison, *console.device_of(comparison), parts)


def outputs(
    comparison: Comparison, metrics: pd.DataFrame, cost: pd.DataFrame, places: Places
) -> None:
    """Write ``runs.csv``: every evaluation of every run."""
    curves.write(places.work, places.results, _is_curve)


def _is_curve(metric: str) -> bool:
    return metric.startswith(("train/", "val/", "test/")) and metric != "train/step_loss"


def findings(comparison: Comparison, metrics: pd.DataFrame) -> list[str]:
    """Whether thinking longer than trained helps, per energy model."""
    return [told for arm in arms_of(comparison) for told in _thinking(arm, metrics)]


def _thinking(arm: Arm, metrics: pd.DataFrame) -> Iterator[str]:
    rows = metrics[metrics["variant"] == arm.variant]
    steps = arm.settings.model.descent.steps
    ratios = {
        where: ratio
        for where, group in {"in range": "inner_1", "out of range": "inner_2"}.items()
        if (ratio := _ratio(rows, f"{group}/mse_at_{LONGEST}", f"{group}/mse_at_{steps}"))
    }
    if not ratios or steps >= LONGEST:
        return
    told = ", ".join(
        f"times {mean:.3g} {where} (95 % interval {low:.3g} to {high:.3g})"
        for where, (mean, low, high) in ratios.items()
    )
    yield (
        f"{arm.variant}: {LONGEST} steps of descent instead of the {steps} trained with change "
        f"the error {told}: {_judged(ratios)}."
    )


def _ratio(rows: pd.DataFrame, over: str, under: str) -> tuple[float, float, float] | None:
    """Geometric mean over seeds of a ratio of metrics, and its interval."""
    if over not in rows or rows[over].isna().all():
        return None
    logs = np.log(rows[over].to_numpy(float) / rows[under].to_numpy(float))
    logs = logs[np.isfinite(logs)]
    interval = mean_interval(logs, over) if len(logs) > 1 else None
    if interval is None:
        return None
    low, high = np.exp(interval)
    return float(np.exp(logs.mean())), float(low), float(high)


def _judged(ratios: Mapping[str, tuple[float, float, float]]) -> str:
    helps = [where for where, (_, _, high) in ratios.items() if high < 1]
    harms = [where for where, (_, low, _) in ratios.items() if low > 1]
    if not helps:
        return "thinking longer does not help" + (f", and harms {harms[0]}" if harms else "")
    said = f"thinking longer helps {' and '.join(helps)}"
    return said + (f", and harms {harms[0]}" if harms else "")


def plots(comparison: Comparison, results: Path) -> list[Path]:
    """Draw the pictures of a finished comparison."""
    metrics, out = read_table(results / "metrics.csv"), results / "plots"
    if LISTOPS in comparison.data.tasks:
        drawn = listops.plots(metrics, out, comparison.data.listops)
    else:
        drawn = pictures.draw(metrics, results, out, arms_of(comparison))
    runs = read_table(results / curves.FILE)
    drawable = [name for name in runs if name in (*curves.INDEX, *LEARNING)]
    return [*drawn, *curves.draw(runs[drawable], out)]

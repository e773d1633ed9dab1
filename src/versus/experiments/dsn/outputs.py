"""What the verdict is about, and the tables that are written beside it."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from versus.core import curves
from versus.core.stages import Places
from versus.core.tables import read_table
from versus.core.verdict import aligned

if TYPE_CHECKING:
    from versus.experiments.dsn.config import Comparison

SHOWN = (
    *("test/F1", "test_style/F1", "test/precision", "test/recall"),
    *("test/RecErr", "test/Diversity", "test/MS_SWD", "test/Frechet"),
)


def primary_metrics(comparison: "Comparison") -> tuple[str, ...]:
    """F1 against true key poses; of videos where they are unknown, a number without labels."""
    known = comparison.data.source == "generated"
    return ("test/F1",) if known else ("test/composite",)


def selection_metrics(comparison: "Comparison") -> tuple[str, ...]:
    """Validation selects."""
    return ("best/val_score",)


def items(learner: Any) -> pd.DataFrame:
    """One row per test video."""
    found: pd.DataFrame = learner.items()
    return found


def outputs(
    comparison: "Comparison", metrics: pd.DataFrame, cost: pd.DataFrame, places: Places
) -> None:
    """Write ``runs.csv``: what every run recorded while it trained."""
    curves.write(places.work, places.results, _is_curve)


def epilogue(comparison: "Comparison", results: Path) -> list[str]:
    """How good key frames are in all respects: means of finite runs, by variant."""
    runs = read_table(results / "metrics.csv").replace(math.inf, math.nan)
    means = runs.groupby("variant").mean()
    names = [name for name in SHOWN if name in means]
    columns = [means[name].map("{:.3f}".format).to_dict() for name in names]
    rows = [[arm.name, *(column[arm.name] for column in columns)] for arm in comparison.arms()]
    return [aligned([["", *names], *rows])]


def _is_curve(metric: str) -> bool:
    return metric.startswith(("train/", "val/", "reward/", "cache/")) and "step_loss" not in metric

"""All pictures of a finished comparison, from its tables."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from versus.core import crossed, curves, drawing
from versus.core.drawing import Text
from versus.core.pipeline import ITEMS
from versus.core.tables import read_table
from versus.experiments.dsn.findings import kinds
from versus.experiments.dsn.pictures import levels, precision_recall, rewards

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from versus.experiments.dsn.config import Comparison

LEVELS = {
    "F1": "Key frames against true key poses",
    "composite": "Lead over random frames, without labels",
    "RecErr": "Distance of frames to the nearest key frame",
    "Diversity": "Distance between key frames",
}
COURSES = ("train/mean_reward", "val/F1_mean", "val/reward_mean", "train/entropy")


def plots(comparison: "Comparison", results: Path) -> list[Path]:
    """Draw the pictures of a finished comparison."""
    metrics, items = (_table(results / name) for name in ("metrics.csv", ITEMS))
    _, rules = kinds(comparison)
    figures = {
        f"level_{name}": _levels(items, name, title, set(rules))
        for name, title in LEVELS.items()
        if name in items
    }
    if "test/precision" in metrics:
        finite = metrics.replace(np.inf, np.nan).groupby("variant", sort=False).mean()
        table = finite[["test/precision", "test/recall"]].rename(columns=lambda n: n[5:]).dropna()
        figures["precision_recall"] = precision_recall.draw(table, set(rules))
    out = results / "plots"
    drawn = [drawing.save(figure, out / f"{name}.png") for name, figure in figures.items()]
    return [*drawn, *_of_curves(_table(results / curves.FILE), out)]


def plots_of_csv(path: Path, out: Path) -> list[Path]:
    """Learning curves of a table with the columns of ``runs.csv``."""
    return _of_curves(read_table(path), out)


def _of_curves(table: pd.DataFrame, out: Path) -> list[Path]:
    known = [name for name in COURSES if name in table]
    drawn = curves.draw(table[[*curves.INDEX, *known]], out) if known else []
    terms = [name for name in table if str(name).startswith("reward/")]
    if not terms or table.dropna(subset=terms, how="all")["epoch"].nunique() < 2:
        return drawn
    return [*drawn, drawing.save(rewards.draw(table), out / "rewards.png")]


def _levels(items: pd.DataFrame, name: str, title: str, rules: set[str]) -> "Figure":
    rows = {}
    for variant in dict.fromkeys(items["variant"]):
        sample = crossed.sample(items, f"test/{name}", variant)
        own = items.loc[items["variant"] == variant, name]
        low, high = (np.nan, np.nan) if sample is None else crossed.estimate(sample).interval()
        rows[variant] = {"mean": own.mean(), "low": low, "high": high}
    text = Text(f"{title}: mean and 95 % interval over seeds and videos", name, "")
    return levels.draw(pd.DataFrame.from_dict(rows, orient="index"), text, rules)


def _table(path: Path) -> pd.DataFrame:
    """A table that a comparison of rules alone has not."""
    found = pd.read_csv(path) if path.is_file() else pd.DataFrame()
    return found if len(found) else pd.DataFrame(columns=["variant", "seed", "epoch", "step"])

"""Learning curves of any experiment: ``runs.csv``, every evaluation of every run, and pictures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from versus.core import drawing, plots, sinks
from versus.core.drawing import Text
from versus.core.tables import write_table

FILE = "runs.csv"
INDEX = ("variant", "seed", "epoch", "step")
POINTS = 40
"""Most epochs that a curve is drawn through."""
SUMMARIES = ("best/", "epochs/")
"""Groups of metrics that tell of a whole run, so that their course says nothing."""


def write(work: Path, results: Path, wanted: Callable[[str], bool]) -> None:
    """Write :func:`collect`'s table as ``results/runs.csv``."""
    write_table(collect(work, wanted), results / FILE)


def collect(work: Path, wanted: Callable[[str], bool]) -> pd.DataFrame:
    """The evaluations that the stacks under ``work`` recorded, one row each.

    Args:
        work: work folder of a comparison.
        wanted: whether a metric is among what evaluations measure.
    """
    rows = [
        {name: record[name] for name in INDEX}
        | {name: value for name, value in record["metrics"].items() if wanted(name)}
        for path in sorted(work.glob("stacks/*/metrics.jsonl"))
        for record in sinks.read(path)
    ]
    known = [row for row in rows if len(row) > len(INDEX)]
    return pd.DataFrame(known, columns=None if known else list(INDEX))


def draw(curves: pd.DataFrame, out: Path) -> list[Path]:
    """A picture per metric: mean over seeds by epoch; a run that has stopped keeps its last value.

    Args:
        curves: a table like that of :func:`collect`.
        out: folder of the PNG files.
    """
    names = [n for n in curves if n not in INDEX and not str(n).startswith(SUMMARIES)]
    written = []
    for name in map(str, names):
        table = _continued(curves, name)
        if table["epoch"].nunique() > 1:
            text = Text(f"{name}: mean over seeds and 95 % interval", "epoch", name)
            figure = plots.lines_with_interval(
                table, x="epoch", y=name, series="variant", text=text
            )
            written.append(drawing.save(figure, out / f"{name.replace('/', '-')}.png"))
    return written


def _continued(curves: pd.DataFrame, name: str) -> pd.DataFrame:
    """Columns ``variant``, ``seed``, ``epoch`` and the metric, at the same epochs for all runs."""
    wide = curves.pivot_table(index="epoch", columns=["variant", "seed"], values=name, sort=False)
    wide = wide.sort_index().ffill()
    chosen = np.unique(np.linspace(0, len(wide) - 1, min(POINTS, len(wide))).round().astype(int))
    values = pd.Series(wide.iloc[chosen].stack(["variant", "seed"]), name=name)
    return values.dropna().reset_index()

"""What selections were worth while a policy learnt, term by term."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from versus.core import plots
from versus.core.drawing import Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 30
"""Most points of a line; more epochs are drawn as means of blocks."""
TITLE = "Terms of the reward: mean over seeds and 95 % interval"


def draw(runs: pd.DataFrame, prefix: str = "reward/") -> "Figure":
    """A panel per term, a line per variant.

    Args:
        runs: every epoch of every run: ``variant``, ``seed``, ``epoch`` and a column per term.
        prefix: what the names of these columns begin with.

    Raises:
        DataError: if no run has a term of two epochs.
    """
    names = [str(name) for name in runs if str(name).startswith(prefix)]
    blocks = _blocks(runs["epoch"])
    parts = [_of_term(runs, name, blocks).assign(term=name.removeprefix(prefix)) for name in names]
    table = pd.concat(parts, ignore_index=True) if parts and len(blocks) > 1 else pd.DataFrame()
    most = max((blocks.map(blocks.value_counts())), default=1)
    axis = f"epoch (a point: the mean of up to {most})" if most > 1 else "epoch"
    figure = plots.lines_with_interval(
        table,
        x="epoch",
        y="value",
        series="variant",
        facet="term",
        text=Text(TITLE, axis, ""),
        linear=True,
    )
    for ax in figure.axes:
        ax.set_xscale("linear")
        ax.margins(x=0.02)
        ax.autoscale(axis="x")
    return figure


def _blocks(epochs: "pd.Series[int]") -> "pd.Series[float]":
    """Epoch -> the middle of its block, as many blocks as a line can show."""
    known = np.unique(epochs)
    blocks = np.array_split(known, min(POINTS, len(known)))
    return pd.Series({epoch: float(block.mean()) for block in blocks for epoch in block})


def _of_term(runs: pd.DataFrame, name: str, blocks: "pd.Series[float]") -> pd.DataFrame:
    known = runs.loc[runs[name].notna(), ["variant", "seed", "epoch", name]]
    placed = known.assign(epoch=known["epoch"].map(blocks)).rename(columns={name: "value"})
    return placed.groupby(["variant", "seed", "epoch"], sort=False)["value"].mean().reset_index()

"""Which operators the policies used on the test problems."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from versus.core import drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PREFIX = "test/O_"
REST = "no operator (last pass)"
ORDER = ("O_NUM", "O_OP", "O_SCOPE", "O_BRANCH", "O_FAST")
"""Decides colours, so that an operator has the same one in every picture."""


def shares(metrics: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds of the share of steps by operator, a row per variant that uses any.

    Args:
        metrics: final metrics, one row per run.
    """
    columns = [str(name) for name in metrics if str(name).startswith(PREFIX)]
    finite = metrics[columns].replace([float("inf")], float("nan"))
    table = finite.groupby(metrics["variant"], sort=False).mean().dropna()
    table.columns = pd.Index([name.removeprefix("test/") for name in columns])
    table = table[table.sum(axis=1) > 0]
    rest = (1 - table.sum(axis=1)).clip(lower=0)
    return table if bool((rest < 1e-9).all()) else table.assign(**{REST: rest})


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour per operator, and grey for what is none."""
    found = drawing.colours([*ORDER, *(name for name in names if name != REST)])
    return {**found, REST: "#dddddd"}


@drawing.style()
def histogram(table: pd.DataFrame) -> "Figure":
    """A bar per variant, divided by operator.

    Args:
        table: as :func:`shares` gives it.
    """
    title = "Operators executed on test problems: share of steps, mean over seeds"
    return drawing.shares(table, title, colours(map(str, table.columns)))

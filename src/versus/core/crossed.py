"""Means over two crossed samples: every seed is measured on the same test items.

Neither seeds nor items alone are then independent pairs. A variant that learns nothing is the same
for every seed, and ten thousand seeds would not tell how it does on other items.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from versus.core.paired import Values, spread

GROUP = "test/"
"""What the name of a metric begins with if items were measured."""


class Estimate(NamedTuple):
    """A mean, its standard error, and the degrees of freedom of that error."""

    mean: float
    error: float
    freedom: float

    def interval(self, confidence: float = 0.95) -> list[float]:
        """Confidence interval by Student's t."""
        half = float(stats.t.ppf(0.5 + confidence / 2, self.freedom)) * self.error
        return [self.mean - half, self.mean + half]

    @property
    def p_value(self) -> float:
        """Two-sided p of the mean being 0."""
        if self.error == 0:
            return float(self.mean == 0)
        return 2 * float(stats.t.sf(abs(self.mean) / self.error, self.freedom))


def estimate(sample: Values) -> Estimate:
    """The mean of ``sample``, ``[seeds, items]``, over both.

    The squared error is the sum of what seeds, items and the rest contribute in a two-way layout
    with random rows and columns (Searle, Casella and McCulloch 1992, section 4.6); its degrees of
    freedom are Satterthwaite's (1946).

    Raises:
        ValueError: under two seeds or two items.
    """
    seeds, items = sample.shape
    if min(seeds, items) < 2:
        raise ValueError(f"needs two seeds and two items at least, received {sample.shape}")
    rows, columns, mean = sample.mean(1), sample.mean(0), float(sample.mean())
    residual = sample - rows[:, None] - columns + mean
    noise = float((residual**2).sum()) / ((seeds - 1) * (items - 1)) / (seeds * items)
    by_seed, by_item = spread(rows) ** 2 / seeds, spread(columns) ** 2 / items
    # A contribution that is smaller than its share of the noise counts as none.
    square = noise + max(by_seed - noise, 0) + max(by_item - noise, 0)
    parts = by_seed**2 / (seeds - 1) + by_item**2 / (items - 1)
    freedom = square**2 / parts if parts else min(seeds, items) - 1
    return Estimate(mean, math.sqrt(square), max(freedom, min(seeds, items) - 1))


def sample(items: pd.DataFrame, metric: str, variant: str, baseline: str = "") -> Values | None:
    """What was found of every seed and item, less the same of a baseline, ``[seeds, items]``.

    Args:
        items: a row per run and item: ``variant``, ``seed``, ``item_id`` and a column per metric,
            named without ``test/``.
        metric: for example ``test/accuracy``.
        variant: name of the variant.
        baseline: name of its baseline; empty = 0.

    Returns:
        None where that metric of items is unknown, not finite, or of too few of them.
    """
    name = metric.removeprefix(GROUP)
    if not metric.startswith(GROUP) or name not in items:
        return None
    table = _table(items, variant, name)
    if baseline:
        table = table - _table(items, baseline, name)
    found: Values = table.to_numpy(float)
    return found if min(found.shape) > 1 and np.isfinite(found).all() else None


def _table(items: pd.DataFrame, variant: str, name: str) -> pd.DataFrame:
    own = items[items["variant"] == variant]
    return own.pivot(index="seed", columns="item_id", values=name).sort_index()

"""Which variant is best in which cell of noise x drift x power, as a table and in words."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from versus.core.paired import holm, ranked, signed_rank_p
from versus.experiments.memory.config import DataConfig

ALPHA = 0.05
UNDECIDED = "no significant winner"
MOST_REGIONS = 4
# Each cell inside a region that does not belong to it outweighs so many that do.
EXCEPTION_COST = 2
Mask = NDArray[np.bool_]


def winners(data: DataConfig, metrics: pd.DataFrame) -> pd.DataFrame:
    """The best variant of every cell of the surface; empty if there is nothing to tell.

    The best is that of the lowest mean NMSE, which a variant that diverged on a seed does not have.
    It is a winner if Wilcoxon's signed-rank test, paired by seed and adjusted by Holm over the
    cells, tells it from the second best.

    Args:
        data: with a surface, in a single shape.
        metrics: one row per run: ``variant``, ``seed`` and columns ``<stream>/nmse``.

    Returns:
        One row per cell: ``noise``, ``drift``, ``power``, ``best``, ``margin`` (what the best saves
        of the error of the second, a share) and ``winner``, which is :data:`UNDECIDED` where the
        two do not differ significantly.
    """
    shapes = len(data.dim) * len(data.mem_size) * len(data.steps)
    if data.surface is None or shapes > 1 or metrics["variant"].nunique() < 2:
        return pd.DataFrame()
    rows, p_values = [], []
    for (noise, drift, power), stream in data.surface.cells().items():
        runs = metrics.pivot(index="seed", columns="variant", values=f"{stream}/nmse")
        means = runs.fillna(np.inf).mean().sort_values(kind="stable")
        best, second = means.index[:2]
        order = ranked(runs[best].to_numpy(), runs[second].to_numpy(), "minimize")
        p_values.append(signed_rank_p(order))
        margin = 1 - means[best] / means[second]
        rows.append((noise, drift, power, best, margin))
    table = pd.DataFrame(rows, columns=["noise", "drift", "power", "best", "margin"])
    significant = np.array(holm(p_values)) < ALPHA
    return table.assign(winner=table["best"].where(significant, UNDECIDED))


def findings(data: DataConfig, metrics: pd.DataFrame) -> list[str]:
    """Where which variant wins: a sentence per power and variant, and one for undecided cells."""
    table = winners(data, metrics)
    if table.empty:
        return []
    names = [*metrics["variant"].drop_duplicates(), UNDECIDED]
    return [
        f"power {power:g}: {_sentence(cells, name)}"
        for power, cells in table.groupby("power")
        for name in names
    ]


def _sentence(cells: pd.DataFrame, name: str) -> str:
    grid = cells.pivot(index="noise", columns="drift", values="winner")
    won: Mask = (grid == name).to_numpy()
    lead = name if name == UNDECIDED else f"{name} wins"
    if not won.any():
        return f"{lead} in no cell."
    axes = [Axis("noise", grid.index.to_list()), Axis("drift", sorted(set(cells["drift"])))]
    regions = cover(won)
    parts = [_region(region, won, axes) for region in regions[:MOST_REGIONS]]
    left = won & ~_inside(regions[:MOST_REGIONS], won)
    if left.any():
        parts.append(f"{left.sum()} more here and there")
    return f"{lead} in {won.sum()} of {won.size} cells: {'; '.join(parts)}."


class Axis(NamedTuple):
    """One axis of a diagram and the values on it, in ascending order."""

    name: str
    values: Sequence[float]

    def span(self, part: slice) -> str:
        """Some neighbouring values in words; empty for all of them."""
        low, high = self.values[part.start], self.values[part.stop - 1]
        if part.stop - part.start == len(self.values):
            return ""
        if low == high:
            return f"{self.name} {low:g}"
        if part.start == 0:
            return f"{self.name} up to {high:g}"
        if part.stop == len(self.values):
            return f"{self.name} from {low:g}"
        return f"{self.name} {low:g} to {high:g}"


Region = tuple[slice, slice]


def cover(won: Mask) -> list[Region]:
    """Rectangles that cover all cells of a mask, greedily, the most telling first.

    A rectangle may hold cells that are not in the mask, at a price, so that a region with a hole is
    told as one.
    """
    rest, regions = won.copy(), []
    while rest.any():
        best = max(_rectangles(won.shape), key=lambda region: _gain(region, won, rest))
        regions.append(best)
        rest[best] = False
    return regions


def _gain(region: Region, won: Mask, rest: Mask) -> tuple[int, int]:
    """What a rectangle newly covers, less what it covers wrongly; then what it covers at all."""
    wrong = int((~won[region]).sum())
    return int(rest[region].sum()) - EXCEPTION_COST * wrong, int(won[region].sum())


def _rectangles(shape: tuple[int, ...]) -> Iterator[Region]:
    spans = [
        [slice(i, j) for i, j in itertools.combinations(range(length + 1), 2)] for length in shape
    ]
    yield from itertools.product(*spans)


def _inside(regions: Sequence[Region], won: Mask) -> Mask:
    inside = np.zeros_like(won)
    for region in regions:
        inside[region] = True
    return inside


def _region(region: Region, won: Mask, axes: Sequence[Axis]) -> str:
    holes = cover(~won & _inside([region], won))
    where = _place(region, axes) or "everywhere"
    return ", except ".join(filter(None, (where, " and ".join(_place(h, axes) for h in holes))))


def _place(region: Sequence[slice], axes: Sequence[Axis]) -> str:
    spans = (axis.span(part) for axis, part in zip(axes, region, strict=True))
    return " with ".join(filter(None, spans))

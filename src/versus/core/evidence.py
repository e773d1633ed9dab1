"""What speaks for a challenger and what against it: pure statistics of two tables.

Challenger and champion are measured on the same items. Items of one cluster (a problem, a video, a
stream) are alike, so the interval comes from resampling whole clusters. Beside the items stands
the verdict of the two recipes, paired over the seeds that both were trained with.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from versus.core.errors import DataError
from versus.core.paired import Values, cluster_interval, differences_of, mean_interval
from versus.core.verdict import number

FEW_CLUSTERS = 20
"""With fewer, the interval covers less than it says: 92 % of the time where clusters are skewed."""


@dataclass(frozen=True)
class Paired:
    """Challenger minus champion.

    Attributes:
        direction: whether ``minimize`` or ``maximize`` is better.
        means: of the challenger and of the champion, over the pairs.
        difference: their difference.
        interval: 95 %; None where it cannot be computed.
        pairs: items or seeds on which both are finite.
        clusters: that the pairs belong to.
        lost: items or seeds on which only the challenger diverged.
        gained: those on which only the champion did.
    """

    direction: str
    means: tuple[float, float] | None
    difference: float | None
    interval: list[float] | None
    pairs: int
    clusters: int
    lost: int
    gained: int

    @property
    def favours(self) -> int:
        """1 if the interval lies on the challenger's side of zero, -1 on the champion's, else 0."""
        if self.interval is None:
            return 0
        sign = -1 if self.direction == "minimize" else 1
        return sign * (int(self.interval[0] > 0) - int(self.interval[1] < 0))

    def __str__(self) -> str:
        """The difference in words."""
        if self.means is None or self.difference is None:
            return "nothing on which both stayed finite"
        scale = max(map(abs, self.interval or self.means)) or max(map(abs, self.means))
        ours, theirs, difference = (number(v, scale) for v in (*self.means, self.difference))
        text = f"{ours} against {theirs}, difference {difference}"
        if self.interval is None:
            return f"{text} (no interval)"
        low, high = (number(bound, scale) for bound in self.interval)
        return f"{text} (95 % CI {low} to {high})"


def of_items(
    challenger: pd.DataFrame,
    champion: pd.DataFrame,
    metric: str,
    direction: str,
    names: Sequence[str],
) -> Paired:
    """Compare two models on the items that both were measured on.

    Args:
        challenger: one row per item: ``item_id``, ``cluster_id`` and ``metric``.
        champion: the same items.
        metric: what is compared.
        direction: ``minimize`` or ``maximize``.
        names: seed the bootstrap; their order does not matter.

    Raises:
        DataError: if the tables are not of the same items.
    """
    ours, theirs = _by_item(challenger, metric), _by_item(champion, metric)
    alone = ours.index.symmetric_difference(theirs.index)
    if len(alone):
        raise DataError(
            f"items: {len(alone)} were measured on one model only, such as "
            f"{', '.join(map(str, alone[:3]))}; compare models of the same data"
        )
    theirs = theirs.reindex(ours.index)
    if not ours["cluster_id"].equals(theirs["cluster_id"]):
        raise DataError("items: cluster_id differs between the models; compare them on equal data")
    clusters = ours["cluster_id"].to_numpy()
    return _paired(
        direction,
        ours[metric].to_numpy(dtype=float),
        theirs[metric].to_numpy(dtype=float),
        clusters,
        lambda sample, kept: cluster_interval(sample, kept, metric, *sorted(names)),
    )


def _by_item(items: pd.DataFrame, metric: str) -> pd.DataFrame:
    if metric not in items:
        there = ", ".join(map(str, items))
        raise DataError(f"promotion.metric: items have no column {metric!r}; they have {there}")
    doubled = items["item_id"][items["item_id"].duplicated()]
    if len(doubled):
        raise DataError(f"items: {doubled.iloc[0]} was measured twice; item_id must be unique")
    return items.set_index("item_id").sort_index().astype({"cluster_id": str})


def of_seeds(
    challenger: Mapping[str, Mapping[str, str]],
    champion: Mapping[str, Mapping[str, str]],
    metrics: Sequence[str],
    direction: str,
    names: Sequence[str],
) -> Paired | None:
    """Compare two recipes over seeds, by the mean of the metrics that their verdict is about.

    Args:
        challenger: seed -> metric -> what training recorded.
        champion: the same of the champion.
        metrics: names such as ``test/mse``.
        direction: ``minimize`` or ``maximize``.
        names: see :func:`of_items`.

    Returns:
        None if no seed and metric is recorded for both.
    """
    seeds = sorted(challenger.keys() & champion.keys())
    shared = [m for m in metrics if all(m in c[s] for c in (challenger, champion) for s in seeds)]
    if not seeds or not shared:
        return None
    ours, theirs = (
        np.array([np.mean([float(recipe[seed][m]) for m in shared]) for seed in seeds])
        for recipe in (challenger, champion)
    )
    return _paired(
        direction,
        ours,
        theirs,
        np.array(seeds),
        lambda sample, _: mean_interval(sample, *sorted(names)),
    )


def _paired(
    direction: str,
    ours: Values,
    theirs: Values,
    clusters: "np.ndarray[Any, Any]",
    interval: Callable[[Values, Any], list[float] | None],
) -> Paired:
    finite, other_finite = np.isfinite(ours), np.isfinite(theirs)
    both = finite & other_finite
    differences = differences_of(ours, theirs)
    return Paired(
        direction=direction,
        means=(float(ours[both].mean()), float(theirs[both].mean())) if both.any() else None,
        difference=float(differences.mean()) if both.any() else None,
        interval=interval(differences, clusters[both]) if both.any() else None,
        pairs=int(both.sum()),
        clusters=len(set(clusters[both])),
        lost=int((~finite & other_finite).sum()),
        gained=int((finite & ~other_finite).sum()),
    )


def objection(items: Paired, seeds: Paired | None) -> str:
    """Why the challenger does not become champion; empty if nothing speaks against it."""
    if items.lost:
        return f"the challenger diverged on {items.lost} items on which the champion did not"
    if items.interval is None:
        return f"an interval needs two clusters, and there are {items.clusters}"
    if items.interval == [0, 0]:
        return "no item differs"
    if items.favours <= 0:
        return "the champion is better" if items.favours else "the interval includes zero"
    if seeds is not None and seeds.lost:
        return f"its recipe diverged on {seeds.lost} seeds on which the champion's did not"
    if seeds is not None and seeds.favours < 0:
        return "the verdict over seeds contradicts: there the champion's recipe is better"
    return ""


def luck(attempts: int) -> str:
    """How probable it is that chance alone has let one of so many challengers win."""
    chance = 1 - 0.975**attempts
    return (
        f"attempt {attempts} on these items: even if no challenger were better, one would have won "
        f"by chance in 1 of {round(1 / chance)} such series"
    )

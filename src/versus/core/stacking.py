"""Runs sorted into stacks by what they share."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from versus.core.config import digest
from versus.core.runs import RunConfig


def chunks(
    runs: Sequence[RunConfig], shared: Callable[[Any], object], most: Callable[[Any], int]
) -> list[list[RunConfig]]:
    """Runs with equal shares, in stacks that hold whole seeds where they fit.

    Args:
        runs: of a comparison.
        shared: what the settings of two runs of one stack agree in, as JSON values.
        most: runs that fit into the stack of such settings.
    """
    groups: dict[str, list[RunConfig]] = {}
    for run in runs:
        groups.setdefault(digest(shared(run.config)), []).append(run)
    return [stack for group in groups.values() for stack in _cut(group, most(group[0].config))]


def _cut(group: Sequence[RunConfig], size: int) -> Iterator[list[RunConfig]]:
    """The variants of a seed side by side, ``size`` at a time."""
    seeds = list(dict.fromkeys(run.key.seed for run in group))
    ordered = sorted(group, key=lambda run: seeds.index(run.key.seed))
    variants = len(group) // len(seeds)
    size -= size % variants if variants <= size else 0
    return (ordered[start : start + size] for start in range(0, len(ordered), size))

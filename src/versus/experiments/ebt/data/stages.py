"""The data stage: one file per seed, every task's parts as ``task/part``."""

from collections.abc import Mapping
from pathlib import Path

import torch

from versus.core.examples import Examples, read_examples, seed_stage
from versus.core.experiment import Stage
from versus.experiments.ebt.data import draws
from versus.experiments.ebt.data.config import DataConfig
from versus.experiments.ebt.data.listops import draw as draw_listops
from versus.experiments.ebt.data.tasks import LISTOPS


def stages() -> Mapping[str, Stage]:
    """One stage writes the examples of every seed and task."""
    return seed_stage(draw)


def draw(data: DataConfig, seed: int) -> dict[str, Examples]:
    """The examples of all tasks."""
    return {
        f"{task}/{part}": examples
        for task in data.tasks
        for part, examples in draw_task(data, task, seed).items()
    }


def draw_task(data: DataConfig, task: str, seed: int) -> Mapping[str, Examples]:
    """Part -> its examples, of one task."""
    if task == LISTOPS:
        return draw_listops(data, seed)
    return draws.draw(data, task, seed)


def read_task(
    folder: Path, task: str, seed: int, device: torch.device | str = "cpu"
) -> dict[str, Examples]:
    """Read one task's parts.

    Raises:
        DataError: if the file is missing or torn.
    """
    return read_examples(folder, seed, device, prefix=f"{task}/")

"""Examples of the vector tasks, drawn from one generator per seed and split."""

from collections.abc import Mapping

import torch
from torch import Tensor

from versus.core import seeding
from versus.core.examples import Examples
from versus.experiments.ebt.data.config import DataConfig
from versus.experiments.ebt.data.tasks import OPERATIONS


def draw(data: DataConfig, task: str, seed: int) -> Mapping[str, Examples]:
    """``train``, ``val`` and a test set per shift: inputs (n, 2d), labels (n, d).

    Splits do not depend on each other's sizes, and inputs not on the task. Test sets are the same
    draws, stretched by r, so that error against shift is a curve of the same examples.
    """
    test = draw_inputs(data, seed, "test", data.size_test)
    inputs = {
        "train": draw_inputs(data, seed, "train", data.size_train),
        "val": draw_inputs(data, seed, "val", data.size_val),
        **{shift_name(r): test * r for r in data.shifts},
    }
    return {part: Examples(x, label(task, x)) for part, x in inputs.items()}


def draw_inputs(data: DataConfig, seed: int, split: str, count: int) -> Tensor:
    """Pairs of vectors (n, 2d) from the training distribution."""
    source = seeding.generator(seed, "inputs", split)
    size = (count, 2 * data.vec_size)
    if data.dist == "uniform":
        return torch.rand(size, generator=source) * 2 - 1
    return torch.randn(size, generator=source) * 2 - 1


def label(task: str, inputs: Tensor) -> Tensor:
    """What is to be known of inputs (..., 2d), (..., d)."""
    a, b = inputs.chunk(2, dim=-1)
    return OPERATIONS[task](a, b)


def shift_name(shift: float) -> str:
    """Name of a test set and of its metrics' group."""
    return f"shift_{shift:g}"

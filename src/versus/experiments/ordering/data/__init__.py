"""Pairs and labels of modular arithmetic: everything that the data stage reads."""

from versus.experiments.ordering.data.config import DataConfig
from versus.experiments.ordering.data.splits import (
    Split,
    draw,
    draw_pairs,
    label,
    read_splits,
    stages,
    write_splits,
)

__all__ = [
    "DataConfig",
    "Split",
    "draw",
    "draw_pairs",
    "label",
    "read_splits",
    "stages",
    "write_splits",
]

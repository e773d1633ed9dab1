"""Accuracy along an expression's length, depth and number of arguments, as metrics."""

from collections.abc import Mapping

import torch
from torch import Tensor

from versus.core.examples import Examples
from versus.core.seed_models import Items
from versus.experiments.ebt.data.listops.floors import RULES
from versus.experiments.ebt.data.listops.grammar import shape_of
from versus.experiments.ebt.data.listops.tokens import expressions_of, lengths_of

BIN = 10
"""Tokens that one bin of lengths holds."""
AXES = {"length": "test_longer", "depth": "test_deeper", "args": "test_wider"}
"""Axis -> the test part that goes beyond training along it; test_iid covers the range before."""
SERIES = ("accuracy", *(f"floor_{rule}" for rule in RULES))


def by_axis(parts: Mapping[str, Examples], items: Mapping[str, Items]) -> dict[str, float]:
    """``AXIS/SERIES_PLACE`` -> mean over the test examples there.

    A place is a depth, a number of arguments, or the most tokens of a bin of lengths.
    """
    found = {}
    for axis, beyond in AXES.items():
        some = ("test_iid", beyond)
        places = torch.cat([_places(axis, parts[part].inputs.cpu()) for part in some])
        for series in SERIES:
            values = torch.cat([items[part][series].double() for part in some])
            for place in sorted(set(places.tolist())):
                found[f"{axis}/{series}_{place}"] = float(values[places == place].mean())
    return found


def _places(axis: str, inputs: Tensor) -> Tensor:
    """Where the expressions (n, T) lie on an axis, (n,) int64."""
    if axis == "length":
        return -(-lengths_of(inputs) // BIN) * BIN
    shapes = [shape_of(expression) for expression in expressions_of(inputs)]
    return torch.tensor([getattr(shape, axis) for shape in shapes])

"""Labelled examples of every seed on disk, and what is usually measured on one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from versus.core.errors import DataError
from versus.core.experiment import Stage
from versus.core.paths import shown
from versus.core.seed_files import read_seed, write_seed


class Examples(NamedTuple):
    """Inputs (n, ...) and what is to be known of them (n, ...)."""

    inputs: Tensor
    labels: Tensor


Draw = Callable[[Any, int], Mapping[str, Examples]]


def seed_stage(draw: Draw) -> Mapping[str, Stage]:
    """The data stage that writes what ``draw(comparison.data, seed)`` gives for every seed.

    ``draw`` names the parts, such as ``train`` and ``test``; :func:`read_examples` gives them back.
    """

    def write(comparison: Any, folder: Path) -> None:
        for seed in (*comparison.seed_list, *comparison.tuning_seed_list):
            parts = draw(comparison.data, seed).items()
            tensors = {f"{part}/{n}": t for part, e in parts for n, t in e._asdict().items()}
            write_seed(folder, seed, tensors)

    return {"data": Stage(("data", "seeds", "tuning_seeds"), write)}


def read_examples(
    folder: Path, seed: int, device: torch.device | str, *, prefix: str = ""
) -> dict[str, Examples]:
    """Part -> its examples; of the parts whose names begin with ``prefix``, without it.

    Raises:
        DataError: if the file is missing or torn.
    """
    found = read_seed(folder, seed, prefix=prefix, device=device)
    try:
        parts = dict.fromkeys(name.partition("/")[0] for name in found)
        return {p: Examples(found[f"{p}/inputs"], found[f"{p}/labels"]) for p in parts}
    except KeyError as error:
        raise DataError(f"{shown(folder)}: lacks {error}; prepare the data again") from error


def per_example(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Cross-entropy and accuracy of every example, (n,) each.

    Args:
        logits: (n, ..., classes).
        labels: (n, ...); an example with several has the mean over them.
    """
    losses = cross_entropy(logits.movedim(-1, 1), labels, reduction="none")
    right = (logits.argmax(-1) == labels).double()
    found = {"loss": losses, "accuracy": right}
    return {name: values.reshape(len(labels), -1).mean(1) for name, values in found.items()}

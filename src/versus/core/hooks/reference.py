"""Weights of a solution that hooks compare with."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from versus.core.errors import DataError
from versus.core.learner import Learner
from versus.core.paths import shown


def load_reference(name: str, learner: Learner) -> Tensor | None:
    """Weights named by ``hooks.reference`` as rows (S, P); None where none is named.

    Args:
        name: a safetensors file, or a folder with ``weights.safetensors``. Tensors are called
            ``<seed>/<parameter>``, or ``<parameter>`` where all runs share one solution.
        learner: whose parameters and seeds are wanted.

    Raises:
        DataError: if the file cannot be read or lacks a parameter.
    """
    weights = learner.weights()
    if not name or weights is None:
        return None
    path = Path(name) / "weights.safetensors" if Path(name).is_dir() else Path(name)
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"hooks.reference: {shown(path)} is not readable as safetensors ({error}); name a "
            "model folder of a finished comparison"
        ) from error
    rows = [
        torch.cat(
            [_find(tensors, run.seed, key, shape, path) for key, shape in weights.shapes.items()]
        )
        for run in learner.runs
    ]
    return torch.stack(rows).to(weights.values())


def _find(
    tensors: Mapping[str, Tensor], seed: int, name: str, shape: tuple[int, ...], path: Path
) -> Tensor:
    tensor = tensors.get(f"{seed}/{name}", tensors.get(name))
    if tensor is None or tuple(tensor.shape) != tuple(shape):
        found = "nothing" if tensor is None else f"shape {tuple(tensor.shape)}"
        raise DataError(
            f"hooks.reference: {shown(path)} holds {found} for {name} of seed {seed}, where shape "
            f"{tuple(shape)} is needed; take a solution of the same model and seeds"
        )
    return tensor.flatten()

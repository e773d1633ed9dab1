"""What a trained network computes on the way for the inputs (a, b) of one b."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from versus.core.errors import ConfigError
from versus.core.experiment import ModelPart
from versus.core.seed_models import best_seed
from versus.experiments.ordering.evaluate import BEST, parameters_of, transformer_of


def activations(
    part: ModelPart, data: Path, b: int, position: str = "mean"
) -> dict[str, NDArray[Any]]:
    """Activations of the best seed's network for (a, b), a = 0 .. p - 1: (p, width) each.

    Args:
        part: the model.
        data: not needed: inputs are all a.
        b: second number of all inputs.
        position: token whose activations are taken, ``0`` (a) or ``1`` (b), or ``mean`` over both.

    Returns:
        Layers in the order of the computation, named as in :meth:`.model.Transformer.hidden`; last
        ``logits`` (p, p).

    Raises:
        ConfigError: if b is no residue.
    """
    model = transformer_of(part)
    if not 0 <= b < model.p:
        raise ConfigError(f"b: must be between 0 and {model.p - 1}, received {b}")
    pairs = torch.tensor([[[a, b] for a in range(model.p)]])
    with torch.no_grad():
        hidden = model.hidden(parameters_of(part, best_seed(part, BEST)), pairs)
    return {name: _at(tensor[0], position) for name, tensor in hidden.items()}


def _at(activation: torch.Tensor, position: str) -> NDArray[Any]:
    """(p, 2, width) at a position; what has no position stays."""
    if activation.ndim == 2:
        found = activation
    elif position == "mean":
        found = activation.mean(1)
    else:
        found = activation[:, int(position)]
    return np.asarray(found.numpy())

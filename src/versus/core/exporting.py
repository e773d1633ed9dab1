"""Weights of a model as a file for other programs."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from versus.core import fetching
from versus.core.errors import ConfigError
from versus.core.experiment import ModelPart
from versus.core.models import read_model
from versus.core.paths import project_root, replacing
from versus.core.seed_models import weights_of

FORMATS = ("pt", "safetensors")


def chosen(experiment: str, path: Path | None, uri: str | None) -> ModelPart:
    """The model of a folder or of the registry.

    Raises:
        ConfigError: if neither or both are named, or the model is another experiment's.
        DataError: if it cannot be read.
    """
    if (path is None) == (uri is None):
        raise ConfigError("versus export: name a model, with either --path or --model")
    folder = path if path is not None else fetching.fetch(str(uri), root=project_root()).folder
    part = read_model(folder)
    if part.config["experiment"] != experiment:
        raise ConfigError(
            f"{part.name}: is a model of {part.config['experiment']}, not of {experiment}"
        )
    return part


def export(part: ModelPart, file: Path, form: str, seed: int | None) -> None:
    """Write the weights, whole or not at all.

    Args:
        part: the model.
        file: where to.
        form: ``pt`` or ``safetensors``.
        seed: take only tensors called ``<seed>/...``, without that prefix.

    Raises:
        ConfigError: for another format, or a seed that the model does not hold.
    """
    if form not in FORMATS:
        raise ConfigError(f"--format: choose pt or safetensors, received {form!r}")
    weights = dict(part.weights) if seed is None else _of_seed(part, seed)
    with replacing(file) as temporary:
        if form == "pt":
            torch.save(weights, temporary)
        else:
            save_file(weights, temporary)


def _of_seed(part: ModelPart, seed: int) -> dict[str, Tensor]:
    found = weights_of(part, seed)
    if not found:
        there = sorted({name.partition("/")[0] for name in part.weights})
        raise ConfigError(f"--seed: {part.name} holds no weights of {seed}; there are {there}")
    return found

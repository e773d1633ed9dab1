"""Data as one safetensors file per seed."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from versus.core.errors import DataError
from versus.core.paths import replacing, shown


def write_seed(folder: Path, seed: int, tensors: Mapping[str, Tensor]) -> None:
    """Write what belongs to one seed."""
    # safetensors takes neither views nor tensors that share their memory.
    whole = {n: t.clone(memory_format=torch.contiguous_format) for n, t in tensors.items()}
    with replacing(_path(folder, seed)) as temporary:
        save_file(whole, temporary)


def read_seed(folder: Path, seed: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Read what :func:`write_seed` wrote.

    Raises:
        DataError: if the file is missing or torn.
    """
    path = _path(folder, seed)
    try:
        return load_file(path, device=str(device))
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"{shown(path)}: no readable data ({error}); prepare the data again"
        ) from error


def _path(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed:07d}.safetensors"

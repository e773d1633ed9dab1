"""Data as one safetensors file per seed."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from versus.core.errors import DataError
from versus.core.paths import replacing, shown


def write_seed(folder: Path, seed: int, tensors: Mapping[str, Tensor]) -> None:
    """Write what belongs to one seed."""
    # safetensors takes neither views nor tensors that share their memory.
    whole = {n: t.clone(memory_format=torch.contiguous_format) for n, t in tensors.items()}
    with replacing(_path(folder, seed)) as temporary:
        save_file(whole, temporary)


def read_seed(
    folder: Path,
    seed: int,
    needed: Iterable[str] = (),
    *,
    prefix: str = "",
    device: torch.device | str = "cpu",
) -> dict[str, Tensor]:
    """Read what :func:`write_seed` wrote; nothing but what is asked for is loaded.

    Args:
        folder: of the files.
        seed: whose file.
        needed: names that must be there, without the prefix; they come first.
        prefix: only tensors whose names begin so are read, and named without it.
        device: where the tensors go.

    Raises:
        DataError: if the file is missing or torn, or lacks a tensor.
    """
    path = _path(folder, seed)
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            there = [n for n in file.keys() if n.startswith(prefix)]  # noqa: SIM118
            names = dict.fromkeys((*(f"{prefix}{name}" for name in needed), *there))
            return {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"{shown(path)}: no readable data ({error}); prepare the data again"
        ) from error


def _path(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed:07d}.safetensors"

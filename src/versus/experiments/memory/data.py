"""The streams on disk: one safetensors file per seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor

from versus.core.errors import DataError
from versus.core.experiment import Stage
from versus.core.paths import replacing, shown
from versus.experiments.memory import scenarios
from versus.experiments.memory.config import Comparison, DataConfig


def stages() -> Mapping[str, Stage]:
    """One stage writes every stream of every seed."""
    return {"data": Stage(("data", "seeds", "tuning_seeds"), write_streams)}


def write_streams(comparison: Comparison, folder: Path) -> None:
    """Generate all streams; a file holds one seed's ``<stream>/<dim>/keys`` and ``.../values``."""
    for seed in (*comparison.seed_list, *comparison.tuning_seed_list):
        with replacing(_path(folder, seed)) as temporary:
            save_file(dict(_streams_of(comparison.data, seed)), temporary)


def _streams_of(data: DataConfig, seed: int) -> dict[str, np.ndarray[Any, Any]]:
    arrays = {}
    for name, settings in data.streams.items():
        for dim in data.dim:
            stream = scenarios.generate(
                settings.kind,
                steps=data.length(name),
                dim=dim,
                rows=max(data.mem_size),
                seed=seed,
                **settings.model_dump(exclude={"kind", "steps"}, exclude_none=True),
            )
            arrays[f"{name}/{dim}/keys"] = stream.keys
            arrays[f"{name}/{dim}/values"] = stream.values
    return arrays


def read_stream(
    folder: Path,
    stream: str,
    dim: int,
    seeds: Sequence[int],
    dtype: torch.dtype,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Keys (S, T, dim) and values (S, T, rows) of one stream for several seeds.

    Raises:
        DataError: if a file is missing, torn or lacks the stream.
    """
    pairs = [_read_pair(_path(folder, seed), f"{stream}/{dim}") for seed in seeds]
    keys, values = (torch.stack(tensors).to(device, dtype) for tensors in zip(*pairs, strict=True))
    return keys, values


def _read_pair(path: Path, name: str) -> tuple[Tensor, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor(f"{name}/keys"), file.get_tensor(f"{name}/values")
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"{shown(path)}: no readable stream {name} ({error}); prepare the data again"
        ) from error


def _path(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed:07d}.safetensors"

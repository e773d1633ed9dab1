"""The streams on disk: one safetensors file per seed."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from versus.core.experiment import Stage
from versus.core.seed_files import read_seed, write_seed
from versus.experiments.memory.config import Comparison, DataConfig


def stages() -> Mapping[str, Stage]:
    """One stage writes every stream of every seed."""
    return {"data": Stage(("data", "seeds", "tuning_seeds"), write_streams)}


def write_streams(comparison: Comparison, folder: Path) -> None:
    """Generate all streams.

    A file holds one seed's ``<stream>/<dim>/keys``, ``.../values`` and what marks the stream has.
    """
    for seed in (*comparison.seed_list, *comparison.tuning_seed_list):
        write_seed(folder, seed, dict(_streams_of(comparison.data, seed)))


def _streams_of(data: DataConfig, seed: int) -> Iterator[tuple[str, Tensor]]:
    rows = max(data.mem_size)
    for (name, settings), dim in itertools.product(data.all_streams.items(), data.dim):
        scenario, steps = settings.scenario(), data.length(name)
        stream = scenario.draw(steps, dim, rows, seed)
        yield f"{name}/{dim}/keys", torch.from_numpy(stream.keys)
        yield f"{name}/{dim}/values", torch.from_numpy(stream.values)
        for mark, array in stream.marks.items():
            yield f"{name}/{dim}/{mark}", torch.from_numpy(array)


class Pairs(NamedTuple):
    """One stream for S seeds.

    Attributes:
        keys: (S, T, dim).
        values: (S, T, rows).
        marks: what else is known (:mod:`.scenarios.stored`), S first.
    """

    keys: Tensor
    values: Tensor
    marks: Mapping[str, Tensor]

    def first(self, steps: int, rows: int) -> "Pairs":
        """The stream of so many tokens and rows."""
        marks = {
            name: mark[..., :rows] if name == "codebook" else mark[:, :steps]
            for name, mark in self.marks.items()
        }
        return Pairs(self.keys[:, :steps], self.values[:, :steps, :rows], marks)


def read_stream(
    folder: Path,
    stream: str,
    dim: int,
    seeds: Sequence[int],
    dtype: torch.dtype,
    device: torch.device,
) -> Pairs:
    """One stream for several seeds.

    Raises:
        DataError: if a file is missing, torn or lacks the stream.
    """
    prefix = f"{stream}/{dim}/"
    found = [read_seed(folder, seed, ("keys", "values"), prefix=prefix) for seed in seeds]
    tensors = {name: torch.stack([one[name] for one in found]).to(device) for name in found[0]}
    tensors = {n: t.to(dtype) if t.is_floating_point() else t for n, t in tensors.items()}
    return Pairs(tensors.pop("keys"), tensors.pop("values"), tensors)

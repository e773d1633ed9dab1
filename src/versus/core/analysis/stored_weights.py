"""Final weights of a comparison, read as numpy arrays: no torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from versus.core.analysis import names
from versus.core.analysis.names import natural
from versus.core.analysis.request import Request
from versus.core.errors import DataError
from versus.core.paths import shown

Array = npt.NDArray[np.floating]
Layers = dict[str, Array]
Models = dict[str, dict[int, Layers]]
"""Variant -> seed -> layer -> weights."""


def read(request: Request) -> Models:
    """Weights of the chosen variants and seeds, layers in natural order.

    A stored name is ``<seed>/<parameter>`` or ``<whatever>/<seed>``; a model without seeds in its
    names counts as seed 0.

    Raises:
        ConfigError: if a variant or seed is not there.
        DataError: if there are no models, or a file is torn.
    """
    folder = request.source.results / "models"
    there = sorted((p.parent.name for p in folder.glob("*/weights.safetensors")), key=natural)
    if not there:
        raise DataError(
            f"{shown(folder)}: holds no models; finish the training, or choose another comparison "
            "with --run"
        )
    known = request.source.variants
    there = [v for v in known if v in there] + [v for v in there if v not in known]
    variants = names.chosen("--variants", request.options.variants, there, "variant")
    models = {v: by_seed(_load(folder / v / "weights.safetensors")) for v in variants}
    return {v: _seeds(request, seeds) for v, seeds in models.items()}


def _load(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise DataError(f"{shown(path)}: not readable ({error}); train again") from error


def by_seed(tensors: dict[str, Any]) -> dict[int, Layers]:
    """Split stored names into seed and layer; numbers become double precision."""
    seeds: dict[int, Layers] = {}
    for name in sorted(tensors, key=natural):
        seed, layer = split(name)
        if np.issubdtype(tensors[name].dtype, np.floating):
            seeds.setdefault(seed, {})[layer] = np.asarray(tensors[name], dtype=np.float64)
    return seeds


def split(name: str) -> tuple[int, str]:
    """``(seed, layer)`` of a stored name."""
    head, _, rest = name.partition("/")
    if rest and head.isdigit():
        return int(head), rest
    before, _, last = name.rpartition("/")
    return (int(last), before) if before and last.isdigit() else (0, name)


def _seeds(request: Request, seeds: dict[int, Layers]) -> dict[int, Layers]:
    if not request.each_seed or request.options.seeds == ["all"]:
        return seeds
    there = [str(seed) for seed in sorted(seeds)]
    wanted = names.chosen("--seeds", request.options.seeds, there, "seed")
    return {int(seed): seeds[int(seed)] for seed in wanted}


def first_seed(seeds: dict[int, Layers]) -> tuple[int, Layers]:
    """The smallest seed and its layers."""
    seed = min(seeds)
    return seed, seeds[seed]


def as_matrix(weights: Array) -> Array:
    """Weights as a matrix: the first axis against all others; a vector is one row."""
    return weights.reshape(1, -1) if weights.ndim < 2 else weights.reshape(weights.shape[0], -1)


def shared_layers(models: Models) -> list[str]:
    """Layers that every model has, in natural order."""
    every: Sequence[Layers] = [layers for seeds in models.values() for layers in seeds.values()]
    common = set.intersection(*(set(layers) for layers in every)) if every else set()
    return sorted(common, key=natural)

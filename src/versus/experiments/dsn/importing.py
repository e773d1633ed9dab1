"""Checkpoints of the seed: read without running anything that is in them.

``torch.load(weights_only=True)`` may build one class beyond tensors and plain values: the settings
that an advanced checkpoint carries. What comes out is held against the network it describes, by
name, shape and type, before memory is asked for.
"""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251 - named only to be caught
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.serialization import safe_globals

from versus.core.config import validate
from versus.core.errors import ConfigError, DataError
from versus.core.paths import shown
from versus.experiments.dsn.models.config import ModelConfig
from versus.experiments.dsn.models.scorers import blank
from versus.experiments.dsn.models.seed_names import DSNConfig, model_config, our_names

PICKLED = "src.models.dsn_advanced.DSNConfig"
"""What the seed's checkpoints call their settings."""


class Sizes(NamedTuple):
    """What a scorer is built from.

    Attributes:
        model: kind and sizes.
        features: numbers per frame.
        motion: numbers of motion per frame; 0 = none.
    """

    model: ModelConfig
    features: int
    motion: int


class Imported(NamedTuple):
    """A checkpoint of the seed.

    Attributes:
        kind: baseline or advanced.
        sizes: for :func:`versus.experiments.dsn.models.make_scorer`.
        state_dict: weights under our names.
    """

    kind: str
    sizes: Sizes
    state_dict: dict[str, Tensor]


def load(path: Path) -> Imported:
    """Read a ``.pt`` file of the seed.

    Raises:
        DataError: if it is missing, torn, holds anything but the weights and settings of one of
            the seed's networks, or weights that are not finite.
    """
    try:
        found = _by_kind(_unpickled(path), path)
        _check(found)
    except (DataError, ConfigError) as error:
        raise DataError(f"{shown(path)}: {error}") from error
    return found


def _unpickled(path: Path) -> Mapping[str, Any]:
    try:
        with safe_globals([(DSNConfig, PICKLED)]):
            held = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError("no such file; name one that exists") from error
    except UnpicklingError as error:
        first = str(error).splitlines()[0]
        raise DataError(
            f"holds what is not a weight or a setting, and was not run ({first})"
        ) from (error)
    except Exception as error:  # whatever the reader stumbles over in a torn or hostile file
        raise DataError(
            f"not a checkpoint ({error!r:.200}); name a file that torch.save has written"
        ) from error
    if not isinstance(held, Mapping):
        raise DataError(f"expected a mapping, received {type(held).__name__}")
    return held


def _by_kind(held: Mapping[str, Any], path: Path) -> Imported:
    if set(held) == {"encoder", "policy"}:
        parts = {k: _tensors(part, k, path) for k, part in held.items()}
        flat = {f"{k}.{name}": tensor for k, part in parts.items() for name, tensor in part.items()}
        return _baseline(our_names(flat))
    if {"model", "config"} <= set(held) <= {"model", "config", "model_type"}:
        if held.get("model_type", "advanced") != "advanced":
            raise DataError(f"model_type: expected advanced, received {held['model_type']!r:.80}")
        return _advanced(_settings(held["config"]), _tensors(held["model"], "model", path))
    raise DataError(
        "expected encoder and policy, or model, config and model_type; "
        f"received {', '.join(sorted(map(repr, held)))[:200]}"
    )


def _tensors(part: object, name: str, path: Path) -> dict[str, Tensor]:
    """The tensors of a state dict, none larger than what the file can hold."""
    if not isinstance(part, Mapping):
        raise DataError(f"{name}: expected weights by name, received {type(part).__name__}")
    for key, value in part.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise DataError(f"{name}: {key!r:.80} is not a tensor but {type(value).__name__}")
    if sum(tensor.nbytes for tensor in part.values()) > path.stat().st_size:
        raise DataError(f"{name}: tensors claim to be larger than the file")
    return dict(part)


def _settings(given: object) -> DSNConfig:
    if not isinstance(given, DSNConfig):
        raise DataError(f"config: expected a DSNConfig, received {type(given).__name__}")
    known = {field.name: field.default for field in fields(DSNConfig)}
    for name, value in vars(given).items():
        if name not in known:
            raise DataError(f"config: {name[:80]!r} is not a setting of the seed")
        kinds = (int, float) if isinstance(known[name], float) else type(known[name])
        if not isinstance(value, kinds) or (isinstance(value, bool) and known[name] not in (0, 1)):
            raise DataError(f"config: {name} cannot be {value!r:.80}")
    return DSNConfig(**vars(given))


def _baseline(weights: dict[str, Tensor]) -> Imported:
    """A baseline checkpoint names no sizes: they are those of its weights."""
    hidden, features = _shape(weights, "encoder.weight", 2)
    _, twice = _shape(weights, "head.weight", 2)
    sizes = {"kind": "baseline", "hidden": hidden, "lstm_hidden": twice // 2}
    model = validate(ModelConfig, sizes)
    return Imported("baseline", Sizes(model, features, 0), weights)


def _shape(weights: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    tensor = weights.get(name)
    if tensor is None or tensor.dim() != dimensions:
        raise DataError(f"{name}: missing, or not of {dimensions} dimensions")
    return tuple(tensor.shape)


def _advanced(config: DSNConfig, weights: dict[str, Tensor]) -> Imported:
    model = model_config(config)
    ours = our_names(weights)
    if model.positions == "sinusoidal":
        ours.pop("positions.table", None)
    motion = config.motion_dim if config.use_motion else 0
    return Imported("advanced", Sizes(model, config.feat_dim, motion), ours)


def _check(found: Imported) -> None:
    """Names, shapes and types are those of the network, and all weights are finite."""
    try:
        with torch.device("meta"):
            expected = blank(*found.sizes).state_dict()
    except (RuntimeError, TypeError, OverflowError) as error:
        raise DataError(f"no network has these sizes: {error}") from error
    if missing := sorted(expected.keys() - found.state_dict.keys()):
        raise DataError(f"weights are missing: {', '.join(missing)[:200]}")
    if extra := sorted(found.state_dict.keys() - expected.keys()):
        raise DataError(f"weights of no use to this network: {', '.join(extra)[:200]}")
    for name, tensor in found.state_dict.items():
        shape, kind = tuple(expected[name].shape), expected[name].dtype
        if tuple(tensor.shape) != shape or tensor.dtype != kind:
            received = f"{tuple(tensor.shape)} of {tensor.dtype}"
            raise DataError(f"{name}: expected {shape} of {kind}, received {received}")
        if not bool(tensor.isfinite().all()):
            raise DataError(f"{name}: has values that are not finite")

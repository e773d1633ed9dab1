"""Models on disk: ``weights.safetensors`` and ``config.json``, nothing that runs when read."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from versus.core.errors import DataError
from versus.core.experiment import ModelPart
from versus.core.paths import is_file_name, read_json, replacing, shown, write_json


def write_model(part: ModelPart, folder: Path) -> None:
    """Write ``weights.safetensors`` and ``config.json``."""
    with replacing(folder / "weights.safetensors") as temporary:
        save_file(dict(part.weights), temporary)
    write_json(folder / "config.json", dict(part.config))


def read_model(folder: Path) -> ModelPart:
    """Read what :func:`write_model` wrote.

    Raises:
        DataError: if a file is missing, torn, or holds anything but tensors and a description.
    """
    described = _described(folder / "config.json")
    try:
        weights = load_file(folder / "weights.safetensors")
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"{shown(folder)}: weights.safetensors is not readable ({error}); take another "
            "copy, or train again"
        ) from error
    return ModelPart(described["name"], weights, described)


def _described(path: Path) -> dict[str, Any]:
    """The description of a model; its names become names of files, so none may lead elsewhere."""
    found = read_json(path)
    if not isinstance(found, dict):
        raise DataError(f"{shown(path)}: expected an object, received {type(found).__name__}")
    variant = found.get("variant", "default")
    if not is_file_name(found.get("name")):
        raise _misnamed(path, "name", found.get("name"))
    if not isinstance(variant, str) or Path(variant).is_absolute() or ".." in Path(variant).parts:
        raise _misnamed(path, "variant", variant)
    return found


def _misnamed(path: Path, key: str, value: object) -> DataError:
    return DataError(
        f"{shown(path)}: {key} names no file of its own, received {value!r:.80}; take a model that "
        "versus has written"
    )

"""Checkpoints: one safetensors file each, written whole or not at all, never a pickle.

Tensors are stored under their number and path; everything else travels as JSON in the file's
metadata. A torn or foreign file is skipped in favour of the one before it, which is why the newest
two are kept.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from versus.core.errors import CheckpointError, DataError
from versus.core.paths import replacing, shown

logger = logging.getLogger(__name__)
KEPT = 2


def save(folder: Path, step: int, state: Mapping[str, Any]) -> Path:
    """Write ``state`` as ``folder/step-XXXXXXXXXX.safetensors`` and drop all but the newest two.

    Args:
        folder: where this stack's checkpoints lie.
        step: global step, which orders the files.
        state: nested dicts, lists and tuples of tensors and JSON values.

    Raises:
        CheckpointError: if the disk refuses or a value is neither tensor nor JSON.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps(_strip(state, "", tensors))
    path = folder / f"step-{step:010d}.safetensors"
    try:
        with replacing(path) as temporary:
            save_file(tensors, temporary, metadata={"state": skeleton})
    except (DataError, SafetensorError) as error:
        raise CheckpointError(f"checkpoint not written: {error}") from error
    for old in _files(folder)[:-KEPT]:
        old.unlink()
    return path


def load_latest(folder: Path) -> dict[str, Any] | None:
    """The newest readable state, or ``None`` where there is none."""
    for path in reversed(_files(folder)):
        try:
            return load(path)
        except CheckpointError as error:
            logger.warning("%s; trying the checkpoint before it", error)
    return None


def newest_step(folder: Path) -> int:
    """The step of the newest checkpoint, readable or not; 0 where there is none."""
    files = _files(folder)
    return int(files[-1].stem.removeprefix("step-")) if files else 0


def load(path: Path) -> dict[str, Any]:
    """Read one checkpoint.

    Raises:
        CheckpointError: if the file is missing, torn or not ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            skeleton = json.loads((file.metadata() or {})["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
        restored: dict[str, Any] = _restore(skeleton, tensors)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{shown(path)}: not a readable checkpoint ({error})") from error
    return restored


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.safetensors"))


def _strip(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Replace tensors by references and what JSON lacks (tuples, integer keys) by marked forms."""
    if isinstance(value, Tensor):
        name = f"{len(tensors)}{path}"  # keys `1` and `"1"`, or `a/b`, may give equal paths
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"$tensor": name}
    if isinstance(value, tuple | list):
        items = [_strip(item, f"{path}/{i}", tensors) for i, item in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, Mapping):
        return {"$items": [_strip_item(k, v, path, tensors) for k, v in value.items()]}
    if _is_plain(value):
        return value
    raise CheckpointError(
        f"state{path}: neither tensor nor JSON value, received {type(value).__name__}"
    )


def _strip_item(key: Any, value: Any, path: str, tensors: dict[str, Tensor]) -> list[Any]:
    if not _is_plain(key):
        raise CheckpointError(f"state{path}: a key is no JSON value, received {key!r}")
    return [key, _strip(value, f"{path}/{key}", tensors)]


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _restore(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_restore(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "$tensor" in value:
        return tensors[value["$tensor"]]
    if "$tuple" in value:
        return tuple(_restore(item, tensors) for item in value["$tuple"])
    return {k: _restore(v, tensors) for k, v in value["$items"]}

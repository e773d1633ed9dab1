"""Image embeddings of pretrained models (CLIP, DINOv2), loaded by transformers without torchvision.

Weights are safetensors, and no code that comes with them runs. What is on this machine is taken;
the hub is asked only for what is not there, at the commit that the settings name.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from versus.core.errors import ConfigError, DataError
from versus.core.paths import project_root, shown
from versus.experiments.dsn.data.animation.stage import Image
from versus.experiments.dsn.data.config import Features
from versus.experiments.dsn.data.features.classic import unit

VERSION = 1
DEFAULTS = {
    "clip": "openai/clip-vit-base-patch32",
    "dinov2": "facebook/dinov2-small",
}
CLASSES = {"clip": "CLIPVisionModelWithProjection", "dinov2": "AutoModel"}
OUTPUTS = {"clip": "image_embeds", "dinov2": "pooler_output"}


class Pretrained:
    """A pretrained model and how its pictures are made."""

    def __init__(self, config: Features) -> None:
        """Load what the settings name.

        Raises:
            ConfigError: if a model of the hub is named without its commit.
            DataError: if there is no such model, or it cannot be loaded.
        """
        import transformers

        self._config = config
        self._output = OUTPUTS[config.extractor]
        name, options = named(config)
        kind = getattr(transformers, CLASSES[config.extractor])
        self._model = _loaded(kind.from_pretrained, name, {**options, "use_safetensors": True})
        self._model.eval()
        pictures = transformers.AutoImageProcessor.from_pretrained
        self._pictures = _loaded(pictures, name, {**options, "backend": "pil"})

    def __call__(self, frames: Image) -> npt.NDArray[np.float32]:
        """Embeddings of frames ``[N, H, W, 3]``: ``[N, D]``, rows of norm 1."""
        import torch

        found = []
        for start in range(0, len(frames), self._config.batch):
            batch = list(np.ascontiguousarray(frames[start : start + self._config.batch]))
            pixels = self._pictures(images=batch, return_tensors="pt")["pixel_values"]
            with torch.inference_mode():
                found.append(
                    getattr(self._model(pixel_values=pixels), self._output).float().numpy()
                )
        return unit(np.concatenate(found))


def named(config: Features) -> tuple[str, dict[str, Any]]:
    """Folder or name of the model, and the options that pin it.

    Raises:
        ConfigError: if a model of the hub is named without its commit.
    """
    name = config.model or DEFAULTS[config.extractor]
    folder = project_root() / name
    if folder.is_dir():
        return str(folder), {}
    if not config.revision:
        raise ConfigError(
            f"data.features.revision: {name} is not a folder, so it is looked for on the hub and "
            "its commit must be named: 40 hexadecimal digits, received ''"
        )
    return name, {"revision": config.revision}


def identity(config: Features) -> str:
    """What tells this model from another: its commit, or the SHA-256 of a folder's files."""
    name, options = named(config)
    if options:
        return f"{name}@{options['revision']}"
    digest = hashlib.sha256()
    for path in sorted(Path(name).glob("*")):
        if path.suffix in (".json", ".safetensors"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _loaded(make: Callable[..., Any], name: str, options: dict[str, Any]) -> Any:
    try:
        return make(name, local_files_only=True, **options)
    except (OSError, ValueError) as error:
        if Path(name).is_dir():
            raise _unusable(shown(Path(name)), error) from error
    try:
        return make(name, **options)
    except (OSError, ValueError) as error:
        raise _unusable(name, error) from error


def _unusable(name: str, error: Exception) -> DataError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return DataError(
        f"data.features.model: {name} cannot be loaded ({reason}); name a folder with config.json, "
        "model.safetensors and preprocessor_config.json, or use --data.features.extractor classic"
    )

"""CLIP and DINOv2 through transformers, with small random checkpoints made here."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from versus.core.errors import ConfigError, DataError
from versus.experiments.dsn.data.config import Features
from versus.experiments.dsn.data.features.extractors import extractor, spec

FRAMES = np.random.default_rng(0).integers(0, 255, (5, 45, 80, 3)).astype(np.uint8)
SIZES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
CROP: dict[str, Any] = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}


def checkpoint(folder: Path, kind: str, seed: int = 0) -> Path:
    """A model as ``save_pretrained`` writes it."""
    torch.manual_seed(seed)
    place: dict[str, Any] = {"image_size": 32, "patch_size": 8}
    if kind == "clip":
        config = transformers.CLIPVisionConfig(**SIZES, **place, projection_dim=24)
        transformers.CLIPVisionModelWithProjection(config).save_pretrained(folder)
        transformers.CLIPImageProcessorPil(**CROP).save_pretrained(folder)
    else:
        own = transformers.Dinov2Config(**SIZES, **place)
        transformers.Dinov2Model(own).save_pretrained(folder)
        transformers.BitImageProcessorPil(**CROP).save_pretrained(folder)
    return folder


def configured(kind: str, folder: Path, **others: object) -> Features:
    return Features.model_validate({"extractor": kind, "model": str(folder), **others})


@pytest.mark.parametrize(("kind", "width"), [("clip", 24), ("dinov2", 32)])
def test_embeddings_are_the_models_own_in_any_batch(kind: str, width: int, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, kind)
    features = extractor(configured(kind, folder))(FRAMES)
    assert features.shape == (5, width)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    by_two = extractor(configured(kind, folder, batch=2))(FRAMES)
    np.testing.assert_allclose(by_two, features, atol=1e-5)
    assert np.abs(features[0] - features[1]).max() > 1e-3


def test_clip_is_what_a_plain_forward_gives(tmp_path: Path) -> None:
    """Resized by its shortest side, cropped, normalised, projected."""
    folder = checkpoint(tmp_path, "clip")
    square = np.ascontiguousarray(FRAMES[:, :32, :32])
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    pixels = torch.from_numpy((square / 255 - mean) / std).float().permute(0, 3, 1, 2)
    model = transformers.CLIPVisionModelWithProjection.from_pretrained(folder)
    with torch.no_grad():
        expected = torch.nn.functional.normalize(model(pixel_values=pixels).image_embeds)
    found = extractor(configured("clip", folder))(square)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)


def test_other_weights_are_another_extractor(tmp_path: Path) -> None:
    one, other = (checkpoint(tmp_path / str(seed), "clip", seed) for seed in (0, 1))
    assert spec(configured("clip", one)) == spec(configured("clip", one))
    assert spec(configured("clip", one))["model"] != spec(configured("clip", other))["model"]


def test_a_model_of_the_hub_needs_its_commit() -> None:
    with pytest.raises(ConfigError, match=r"data\.features\.revision: .*40 hexadecimal"):
        extractor(Features(extractor="clip"))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DataError, match=r"data\.features\.model: .*cannot be loaded.*classic"):
        extractor(configured("clip", tmp_path))


def test_pickled_weights_are_not_loaded(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path, "dinov2")
    weights = transformers.Dinov2Model.from_pretrained(folder).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="cannot be loaded"):
        extractor(configured("dinov2", folder))


def test_an_unreachable_hub_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert os.environ["HF_HUB_OFFLINE"]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"data\.features\.model: someone/nothing cannot be loaded"):
        extractor(Features(extractor="dinov2", model="someone/nothing", revision="0" * 40))

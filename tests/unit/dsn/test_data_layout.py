"""Folders in the layout of the seed document: read, and every mistake."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.dsn.staged import made, scene, unit_rows
from versus.core.errors import DataError
from versus.experiments.dsn.data import seed_layout, shards
from versus.experiments.dsn.data.config import SPLITS


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("pictures", [True, False])
def test_a_folder_in_the_seeds_layout_is_read(project: Path, pictures: bool) -> None:
    """Where one scene has no pictures, none has colours."""
    root = project / "seed"
    for name in "abc":
        scene(root / name / "scene_0000", unit_rows(20))
        scene(root / name / "scene_0001", unit_rows(9), first=20, pictures=pictures)
    folder = made(project / "data", source="seed_layout", videos={"folder": "seed"})
    found = [one for split in SPLITS for one in shards.read(folder, split)]
    assert len(found) == 6
    first, second = (one for one in found if one.video == "b")
    np.testing.assert_allclose(first.features.numpy(), unit_rows(20), atol=1e-6)
    assert second.picks.tolist() == list(range(20, 29))
    np.testing.assert_allclose(second.times, second.picks / 12)
    assert (first.scene, second.scene) == (0, 1)
    shape = (3, 16, 32) if pictures else (0, 0, 0)
    assert first.colours.shape == (20, *shape)
    assert second.colours.shape == (9, *shape)
    assert shards.about(folder, "train")["extractor"]["name"] == "seed_layout"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.full((4, 3), np.nan, np.float32), "NaN"),
        (np.zeros(5, np.float32), r"received float32 \[5\]"),
        (np.zeros((0, 5), np.float32), "received"),
        (np.zeros((3, 2), np.int64), "received int64"),
        (np.array([{"run": "code"}], dtype=object), "not readable"),
        (b"torn", "not readable"),
    ],
)
def test_features_of_the_layout_that_are_unusable_are_refused(
    tmp_path: Path, content: Any, message: str
) -> None:
    path = tmp_path / "feats.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(DataError, match=rf"feats\.npy: .*{message}.*make it again"):
        seed_layout.read_features(path)


def test_features_of_different_widths_are_refused(project: Path) -> None:
    for name, width in (("a", 8), ("b", 16), ("c", 16)):
        scene(project / "seed" / name / "scene_0000", unit_rows(6, width))
    with pytest.raises(
        DataError, match=r"different widths: .*8 \(a, scene 0\).*16 \([bc], scene 0\)"
    ):
        made(project / "data", source="seed_layout", videos={"folder": "seed"})


def test_an_empty_layout_is_refused(project: Path) -> None:
    (project / "seed").mkdir()
    with pytest.raises(DataError, match=r"seed holds no VIDEO/scene_XXXX/feats\.npy"):
        made(project / "data", source="seed_layout", videos={"folder": "seed"})

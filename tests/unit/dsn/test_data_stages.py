"""The data stages: whole, alone and again; from clips, the user's files and the seed's layout."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tests.unit.dsn.staged import EXPERIMENT, SMALL, asked, files, made, unit_rows
from versus.core.errors import DataError
from versus.core.paths import read_json
from versus.core.stages import DATA, prepare
from versus.experiments.dsn.batches import batch_of
from versus.experiments.dsn.data import shards
from versus.experiments.dsn.data.assembly import sequences_of, split_of
from versus.experiments.dsn.data.cache import DiskCache
from versus.experiments.dsn.data.config import SPLITS, Videos
from versus.experiments.dsn.data.extraction import Extracted
from versus.experiments.dsn.data.features.motion import COLUMNS
from versus.experiments.dsn.data.ingest import listed_videos
from versus.experiments.dsn.data.stages import stages
from versus.experiments.dsn.data.video import write


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path))
    return tmp_path


# --- generated ------------------------------------------------------------------------------------


def test_sequences_know_their_frames_times_and_key_poses(project: Path) -> None:
    folder = made(project / "data")
    listed = {video["name"]: video for video in listed_videos(folder)}
    counts = {split: SMALL[split] for split in SPLITS}
    for split in SPLITS:
        sequences = shards.read(folder, split)
        names = {one.video for one in sequences}
        assert names == {f"{split}-{number:04d}" for number in range(counts[split])}
        for name in names:
            scenes = [one for one in sequences if one.video == name]
            truth = listed[name]["truth"]
            np.testing.assert_array_equal(
                np.concatenate([one.picks for one in scenes]), np.arange(listed[name]["frames"])
            )
            keys = [key for one in scenes if one.keys is not None for key in one.keys.tolist()]
            assert keys == truth["keys"]
    for one in shards.read(folder, "train"):
        rows = len(one.picks)
        assert one.span == (one.picks[0], one.picks[-1] + 1)
        np.testing.assert_allclose(one.times, one.picks / 24, atol=1e-3)
        assert one.features.shape == (rows, 611)
        assert one.motion.shape == (rows, len(COLUMNS))
        assert one.colours.shape == (rows, 3, 16, 32)
        assert one.features.dtype == one.motion.dtype == torch.float32
        assert one.colours.dtype == torch.uint16
        assert one.keys is not None
        for key, (start, end) in zip(one.keys, one.holds, strict=True):
            assert one.span[0] <= start <= key < end <= one.span[1]
    batch = batch_of(shards.read(folder, "train"))
    assert bool((batch.gram.diagonal(dim1=1, dim2=2)[batch.mask] > 0.999).all())


def test_the_data_are_the_same_every_time_with_and_without_a_cache(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again = files(made(project / "one")), files(made(project / "two"))
    monkeypatch.setenv("VERSUS_ROOT", str(project / "elsewhere"))
    anew = files(made(project / "three"))
    assert first == again == anew
    assert "manifest.json" in first


@pytest.mark.parametrize("stage", ["generate", "scenes", "features", "split"])
def test_a_stage_run_alone_writes_what_it_writes_among_others(project: Path, stage: str) -> None:
    whole = files(made(project / "whole"))
    alone = files(made(project / "alone", stage))
    told = json.loads(alone.pop(f"{stage}.manifest.json"))
    assert set(told["files"]) == set(alone)
    for name, content in alone.items():
        assert content == whole[name]
    last = {"generate": "videos.json", "scenes": "scenes.json", "features": "features.json"}
    assert last.get(stage, "sequences/train.json") in alone


def test_stages_one_after_the_other_make_the_data(project: Path) -> None:
    folder = project / "data"
    for stage in stages():
        made(folder, stage)
    made(folder, DATA)
    assert shards.read(folder, "train")


def test_features_are_not_extracted_twice(project: Path) -> None:
    made(project / "one")
    before = DiskCache().counts().size
    made(project / "two", scenes={"min_scene_len": 30})
    entries = DiskCache().counts().size - before
    assert entries == sum(SMALL[split] for split in SPLITS)  # scenes of each clip, no features


def test_fewer_frames_a_second_keep_original_numbers(project: Path) -> None:
    folder = made(project / "data", features={"fps": 6, "colours": {"enabled": False}})
    for one in shards.read(folder, "train"):
        assert set(one.picks % 4) == {0}
        assert one.span[0] <= one.picks[0] <= one.picks[-1] < one.span[1]
        np.testing.assert_allclose(one.times, one.picks / 24, atol=1e-3)
        assert one.colours.numel() == 0


# --- the user's videos ----------------------------------------------------------------------------


@pytest.fixture
def videos(project: Path) -> Path:
    """Three videos, one of which is 30 fps, two broken files and a text."""
    folder = project / "mine"
    rng = np.random.default_rng(0)
    for number, fps in enumerate((24, 30, 24)):
        halves = [rng.integers(low, low + 60, (1, 36, 64, 3)).repeat(30, 0) for low in (0, 180)]
        write(folder / f"{number}.mp4", np.concatenate(halves).astype(np.uint8), fps)
    (folder / "broken.mp4").write_bytes(b"nothing")
    (folder / "empty.mov").write_bytes(b"")
    (folder / "notes.txt").write_text("not looked at")
    return folder


def of_videos(folder: Path, **others: Any) -> dict[str, Any]:
    return {"source": "videos", "videos": {"folder": str(folder)}, **others}


def test_own_videos_are_read_where_they_are_and_broken_ones_reported(
    project: Path, videos: Path
) -> None:
    before = files(videos)
    folder = made(project / "data", **of_videos(videos, features={"fps": 20}))
    assert files(videos) == before
    skipped = read_json(folder / "videos.json")["skipped"]
    assert [one["file"] for one in skipped] == ["broken.mp4", "empty.mov"]
    assert all("replace it" in one["reason"] for one in skipped)
    found = [one for split in SPLITS for one in shards.read(folder, split)]
    assert sorted((one.video, one.span) for one in found) == [
        (name, span) for name in "012" for span in ((0, 30), (30, 60))
    ]
    for one in found:
        assert one.keys is None
        assert one.holds == ()
        step = 2 if one.video == "1" else 1
        assert one.picks.tolist() == list(range(one.span[0], one.span[1], step))
    assert shards.read(folder, "test_style") == []
    assert len({one.video for one in shards.read(folder, "train")}) == 1


def test_other_files_in_the_folder_are_other_data(project: Path, videos: Path) -> None:
    data = of_videos(videos)
    made(project / "data", **data)
    started = asked(**data)
    frames = np.zeros((9, 36, 64, 3), np.uint8)
    write(videos / "new.mp4", frames, 24)
    with pytest.raises(DataError, match=r"made from other params \(data\.videos\)"):
        made(project / "data", **data)
    with pytest.raises(DataError, match=r"data\.videos\.folder: .*have changed.*start it again"):
        prepare(EXPERIMENT, started, project / "other")


def test_a_folder_without_videos_is_refused(project: Path) -> None:
    (project / "none").mkdir()
    with pytest.raises(DataError, match=r"data\.videos\.folder: none holds no video"):
        made(project / "data", **of_videos(project / "none"))
    with pytest.raises(DataError, match=r"data\.videos\.folder: .*received ''"):
        made(project / "data", source="videos")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            {"folder": "two"},
            r"two has 2 video\(s\) \(not usable: bad\.mp4\), .*for validation; put",
        ),
        ({"folder": "mine", "test": 0}, r"3 video\(s\).*none for test; .*data\.videos\.test \(0\)"),
        ({"folder": "two", "validation": 0}, r"none for validation"),
    ],
)
def test_too_few_videos_for_the_splits_are_refused_before_they_are_read(
    project: Path, videos: Path, words: dict[str, Any], told: str
) -> None:
    for name in "01":
        (project / "two").mkdir(exist_ok=True)
        (project / "two" / f"{name}.mp4").write_bytes((videos / f"{name}.mp4").read_bytes())
    (project / "two" / "bad.mp4").touch()
    with pytest.raises(DataError, match=told):
        made(project / "data", source="videos", videos=words)
    assert DiskCache().counts().size == 0
    assert not (project / "data" / "videos.json").exists()


def test_a_folder_of_broken_files_is_refused(project: Path, videos: Path) -> None:
    for number in range(3):
        (videos / f"{number}.mp4").unlink()
    with pytest.raises(DataError, match=r"none of the 2 files can be read.*broken\.mp4"):
        made(project / "data", **of_videos(videos))


def test_a_single_frame_and_a_single_scene_go_all_the_way(project: Path) -> None:
    folder = project / "mine"
    write(folder / "one.mp4", np.full((1, 36, 64, 3), 80, np.uint8), 24)
    write(folder / "still.mp4", np.full((30, 35, 61, 3), 80, np.uint8), 24)
    write(folder / "two.mp4", np.full((2, 36, 64, 3), 80, np.uint8), 24)
    data = made(project / "data", **of_videos(folder))
    found = {one.video: one for split in SPLITS for one in shards.read(data, split)}
    assert {name: len(one.picks) for name, one in found.items()} == {
        "one": 1,
        "still": 30,
        "two": 2,
    }
    assert all(torch.isfinite(one.motion).all() for one in found.values())


def test_a_path_that_leaves_the_project_is_refused() -> None:
    with pytest.raises(ValidationError, match="leaves the project"):
        Videos(folder="../elsewhere")


@pytest.mark.parametrize(("count", "counts"), [(1, [1, 0, 0]), (2, [1, 0, 1]), (20, [14, 3, 3])])
def test_videos_are_split_by_seed_and_some_are_to_learn_from(count: int, counts: list[int]) -> None:
    names = [f"v{number}" for number in range(count)]
    splits = split_of(names, Videos())
    assert [list(splits.values()).count(split) for split in SPLITS[:3]] == counts
    assert split_of(names[::-1], Videos()) == splits
    assert count < 20 or split_of(names, Videos(seed=1)) != splits


# --- sequences on disk ----------------------------------------------------------------------------


def test_torn_or_missing_sequences_are_refused(project: Path) -> None:
    folder = made(project / "data")
    path = folder / "sequences" / "train.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"train\.safetensors: not readable.*prepare the data"):
        shards.read(folder, "train")
    with pytest.raises(DataError, match=r"there is no 'tests'"):
        shards.read(folder, "tests")
    with pytest.raises(DataError, match=r"train\.json: no such file"):
        shards.read(project / "nowhere", "train")


def test_key_poses_belong_to_the_scene_that_holds_their_middle() -> None:
    truth: Mapping[str, Any] = {"keys": [4, 11, 15], "holds": [[2, 8], [9, 14], [15, 16]]}
    rows = Extracted(
        np.arange(20),
        unit_rows(20),
        np.random.default_rng(0).random((20, 4)).astype(np.float32),
        np.zeros((20, 0, 0, 0), np.uint16),
    )
    first, second = sequences_of("v", rows, np.arange(20) / 24, 24.0, [(0, 12), (12, 20)], truth)
    assert first.keys is not None
    assert second.keys is not None
    assert first.keys.tolist() == [4, 11]
    assert first.holds == ((2, 8), (9, 12))
    assert second.keys.tolist() == [15]
    assert second.holds == ((15, 16),)

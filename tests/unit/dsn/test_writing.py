"""Key frames on disk."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.unit.dsn.selection_samples import scene
from versus.core import paths
from versus.core.errors import DataError
from versus.experiments.dsn.pictures.courses import Course, course
from versus.experiments.dsn.prediction import writing
from versus.experiments.dsn.prediction.keyframe import Keyframe
from versus.experiments.dsn.prediction.sheets import (
    BACKGROUND,
    CELL,
    MARGIN,
    TEXT,
    Picture,
    contact_sheet,
    thumbnail,
)
from versus.experiments.dsn.prediction.writing import folder_name, write

HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "",
    ".hidden",
    "a/b\\c",
    "-rf",
    "nul\0byte",
    "line\nbreak",
    "CON",
    "aux.mp4",
    "ends with dot.",
    " spaces around ",
    "日本のアニメ" * 30,
    "x" * 400,
    "\udcff.mp4",
]


def picture(shade: int, height: int = 36, width: int = 64) -> Picture:
    flat = np.full((height, width, 3), shade, dtype=np.uint8)
    flat[:, : width // 2, 0] = 255
    return flat


def curve() -> Course:
    return course([scene(30)], [np.arange(30.0)], [np.array([3, 17])])


CHOSEN = [Keyframe(3, 0.125, 0.9), Keyframe(17, 17 / 24, 0.75)]


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_everything_is_written_and_can_be_read_again(tmp_path: Path) -> None:
    shots = [picture(10), picture(200)]
    folder = write(tmp_path / "out", "clip.mp4", shots, CHOSEN, curve())
    assert folder == tmp_path / "out" / "clip.mp4"
    assert files(folder) == {
        "keyframes.json",
        "frame_000003.png",
        "frame_000017.png",
        "contact_sheet.png",
        "scores.png",
    }
    index = json.loads((folder / "keyframes.json").read_text())
    assert index["video"] == "clip.mp4"
    assert index["keyframes"] == [
        {"file": "frame_000003.png", "frame": 3, "time": 0.125, "score": 0.9},
        {"file": "frame_000017.png", "frame": 17, "time": 17 / 24, "score": 0.75},
    ]
    for entry, shot in zip(index["keyframes"], shots, strict=True):
        assert (np.asarray(Image.open(folder / entry["file"])) == shot).all()
    assert files(tmp_path / "out") == {"clip.mp4"}


def test_a_second_run_replaces_the_first(tmp_path: Path) -> None:
    write(tmp_path, "clip", [picture(10), picture(200)], CHOSEN, curve())
    folder = write(tmp_path, "clip", [picture(50)], CHOSEN[1:], curve())
    assert "frame_000003.png" not in files(folder)
    assert len(json.loads((folder / "keyframes.json").read_text())["keyframes"]) == 1
    assert files(tmp_path) == {"clip"}


def test_files_of_others_are_never_removed(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match=r"holds thesis\.tex"):
        write(tmp_path, "clip", [picture(10)], CHOSEN[:1], curve())
    assert files(tmp_path / "clip") == {"thesis.tex"}
    target = tmp_path / "elsewhere"
    target.mkdir()
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(DataError, match="is no folder"):
        write(tmp_path, "link", [picture(10)], CHOSEN[:1], curve())
    assert files(tmp_path) == {"clip", "elsewhere", "link"}


def test_a_failure_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, "clip", [picture(10), picture(200)], CHOSEN, curve())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(path: Path, value: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(paths, "write_json", full)
    with pytest.raises(DataError, match="No space left"):
        write(tmp_path, "clip", [picture(50)], CHOSEN[:1], curve())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert files(tmp_path) == {"clip"}


def test_no_key_frame_is_a_result_too(tmp_path: Path) -> None:
    folder = write(tmp_path, "clip", [], [], curve())
    assert json.loads((folder / "keyframes.json").read_text())["keyframes"] == []
    assert files(folder) == {"keyframes.json", "scores.png"}


@pytest.mark.parametrize(
    ("pictures", "keyframes", "message"),
    [
        ([picture(1)], CHOSEN, "1 pictures of 2 key frames"),
        ([picture(1)[:, :, 0]], CHOSEN[:1], r"uint8 of shape \(36, 64\)"),
        ([picture(1) / 255], CHOSEN[:1], "float64 of shape"),
        ([picture(1)], [Keyframe(3, 0.1, float("nan"))], "score nan"),
        ([picture(1), picture(2)], [CHOSEN[0], CHOSEN[0]], "chosen twice"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, pictures: list[Picture], keyframes: list[Keyframe], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        write(tmp_path, "clip", pictures, keyframes, curve())
    assert files(tmp_path) == set()


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    folder = write(out, name, [picture(1)], CHOSEN[:1], curve()._replace(video=name))
    assert folder.resolve().parent == out.resolve()
    assert files(tmp_path) == {"out"}
    assert len(folder.name.encode()) <= writing.LONGEST + 9
    assert folder.name.split(".")[0].lower() not in writing.RESERVED


def test_plain_names_stay_as_they_are() -> None:
    for name in ("clip.mp4", "scene_01-a", "My clip 2.mp4", "映画.mkv", "Émile.mov"):
        assert folder_name(name) == name


@given(st.text(max_size=30), st.text(max_size=30))
def test_two_videos_never_share_a_folder(one: str, other: str) -> None:
    assert (folder_name(one) == folder_name(other)) == (one == other)
    assert "/" not in folder_name(one)
    assert folder_name(one).strip(".")


# --- contact sheets -------------------------------------------------------------------------------


def test_a_sheet_has_every_picture_at_its_place() -> None:
    shots = [picture(shade) for shade in (0, 40, 80, 120, 160, 200)]
    sheet = np.asarray(contact_sheet([thumbnail(s) for s in shots], [str(n) for n in range(6)]))
    height = CELL * 36 // 64
    assert sheet.shape == (
        MARGIN + 2 * (height + TEXT + 2 * MARGIN),
        MARGIN + 5 * (CELL + MARGIN),
        3,
    )
    for number, shade in enumerate((0, 40, 80, 120, 160, 200)):
        left = MARGIN + number % 5 * (CELL + MARGIN)
        top = MARGIN + number // 5 * (height + TEXT + 2 * MARGIN)
        assert sheet[top + height // 2, left + CELL // 4].tolist() == [255, shade, shade]
        assert sheet[top + height // 2, left + 3 * CELL // 4].tolist() == [shade] * 3
        caption = sheet[top + height + 1 : top + height + TEXT + MARGIN, left : left + 40]
        assert (caption < 128).any()
    assert tuple(sheet[-MARGIN - TEXT - 20, -CELL // 2].tolist()) == BACKGROUND


def test_many_pictures_make_a_square() -> None:
    sheet = contact_sheet([thumbnail(picture(0))] * 36, [""] * 36)
    assert sheet.width == MARGIN + 6 * (CELL + MARGIN)
    assert sheet.height == MARGIN + 6 * (CELL * 36 // 64 + TEXT + 2 * MARGIN)


def test_pictures_of_other_shapes_keep_their_shape() -> None:
    shots = [picture(0, 64, 16), picture(0, 16, 64)]
    sheet = np.asarray(contact_sheet([thumbnail(s) for s in shots], ["a", "b"]))
    assert sheet.shape[1] == 3 * MARGIN + 2 * CELL
    dark = sheet[MARGIN : MARGIN + CELL, :, 0] < 128  # no red
    # The right halves of both are black: 32 by 256 and 128 by 64.
    assert dark[:, : MARGIN + CELL].sum() == pytest.approx(32 * 256, rel=0.05)
    assert dark[:, MARGIN + CELL :].sum() == pytest.approx(128 * 64, rel=0.05)

"""Key frames of the user's own videos."""

import json
import os
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from tests.unit.dsn.learners import comparison
from tests.unit.dsn.scored import PARTS, film, part
from versus.core.display import Display
from versus.core.errors import ConfigError, DataError
from versus.experiments.dsn.data.cache import DiskCache
from versus.experiments.dsn.data.scenes import scenes_of
from versus.experiments.dsn.data.video import look
from versus.experiments.dsn.models import make_scorer
from versus.experiments.dsn.prediction import writing
from versus.experiments.dsn.prediction.files import listed, predict_files
from versus.experiments.dsn.prediction.finding import Finder
from versus.experiments.dsn.prediction.sheets import Picture

QUIET = Display(quiet=True)


@pytest.fixture(autouse=True)
def _own_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path))


def chosen(out: Path, name: str) -> list[int]:
    index = json.loads((out / name / writing.INDEX).read_text())
    return [one["frame"] for one in index["keyframes"]]


def opened(path: Path) -> Picture:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_key_frames_are_those_of_the_file(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4")
    predict_files(part(), [path], tmp_path / "out", QUIET)
    picked = chosen(tmp_path / "out", "clip.mp4")
    assert picked == sorted(set(picked))
    for number in picked:
        picture = opened(tmp_path / "out" / "clip.mp4" / f"frame_{number:06d}.png")
        assert picture.shape == (36, 64, 3)
        green = picture[1:6, 30:, 1].mean()  # written in each frame: twice its number
        assert abs(green / 2 - number) < 3
    written = {path.name for path in (tmp_path / "out" / "clip.mp4").iterdir()}
    assert {writing.SHEET, writing.SCORES, writing.INDEX} < written


def test_scenes_and_selection_are_those_of_the_models_settings(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4")
    few = part({"selection": {"least": 1, "most": 1}})
    finder = Finder(few)
    seen, found = finder.in_video(path, DiskCache())
    spans = scenes_of(look(path), finder.settings.data.scenes)
    assert [scene.span for scene in found.scenes] == spans
    assert len(spans) == PARTS
    assert [len(rows) for rows in found.rows] == [1] * PARTS
    for rows, scores in zip(found.rows, found.scores, strict=True):
        assert rows[0] == int(scores.argmax())
    times = [one.time for one in found.keyframes()]
    assert times == [float(seen.times[one.frame]) for one in found.keyframes()]


def test_the_best_seed_answers(tmp_path: Path) -> None:
    path, cache = film(tmp_path / "clip.mp4"), DiskCache()
    both = Finder(part(seeds={3: 0.2, 7: 0.9})).in_video(path, cache)[1]
    alone = Finder(part(seeds={7: 0.9})).in_video(path, cache)[1]
    other = Finder(part(seeds={3: 0.9})).in_video(path, cache)[1]
    assert both.keyframes() == alone.keyframes()
    assert both.keyframes() != other.keyframes()


@pytest.mark.parametrize(
    ("name", "count", "options", "size"),
    [
        ("one.mp4", 1, {}, (36, 64)),
        ("two.mp4", 2, {}, (36, 64)),
        ("odd.mp4", 20, {"height": 35, "width": 63}, (35, 63)),
        ("deep.mp4", 20, {"pixels": "yuv420p10le"}, (36, 64)),
        ("turned.mp4", 20, {"rotation": 90}, (64, 36)),
    ],
)
def test_unusual_videos(
    tmp_path: Path, name: str, count: int, options: dict[str, object], size: tuple[int, int]
) -> None:
    path = film(tmp_path / name, count, **options)
    predict_files(part(), [path], tmp_path / "out", QUIET)
    picked = chosen(tmp_path / "out", name)
    assert picked
    assert set(picked) <= set(range(count))
    shape = opened(tmp_path / "out" / name / f"frame_{picked[0]:06d}.png").shape
    assert shape == (*size, 3)


def sound(path: Path) -> Path:
    """A file with sound alone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        quiet = np.zeros((1, 44100), np.float32)
        frame = av.AudioFrame.from_ndarray(quiet, format="fltp", layout="mono")
        frame.sample_rate = 44100
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    return path


def test_a_folder_survives_what_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "videos"
    (folder / "more").mkdir(parents=True)
    whole = film(folder / "a.mp4")
    (folder / "b.mp4").write_bytes(whole.read_bytes()[:900])
    (folder / "c.mp4").write_bytes(b"")
    sound(folder / "d.mp4")
    film(folder / "more" / "a.mp4", seed=1)
    (folder / "notes.txt").write_text("no video")
    with pytest.raises(DataError, match=r"3 of 5 videos could not be used: .*b\.mp4, .*c\.mp4"):
        predict_files(part(), [folder], tmp_path / "out", Display())
    told = capsys.readouterr()
    assert "[1/5] " in told.out
    assert "a.mp4: 9 key frames of 3 scenes, 120 frames" in told.out
    assert "holds sound and no pictures" in told.err
    assert chosen(tmp_path / "out", "a.mp4")
    assert chosen(tmp_path / "out", writing.folder_name("more/a.mp4"))
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_names_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = film(tmp_path / "clip.mp4", 30)
    odd = clip.rename(tmp_path / os.fsdecode(b"caf\xe9 \n.mp4"))
    predict_files(part(), [odd], tmp_path / "out", Display())
    assert capsys.readouterr().out.startswith("caf? ?.mp4: 3 key frames")
    assert chosen(tmp_path / "out", writing.folder_name(odd.name))


def test_a_torn_video_gives_what_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = film(tmp_path / "long.avi", 120, codec="mpeg4").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) * 2 // 3])
    predict_files(part(), [tmp_path / "cut.avi"], tmp_path / "out", Display())
    assert "is cut short" in capsys.readouterr().err
    assert max(chosen(tmp_path / "out", "cut.avi")) < 100


def test_what_names_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("")
    np.savez(tmp_path / "features.npz", a=np.zeros(3))
    complaints = {
        "gone.mp4": r"gone\.mp4: no such file or folder; name one",
        "empty": r"empty holds no video \(0 other files.*\.mp4, \.mov",
        "other": r"other holds no video \(1 other",
        "features.npz": "holds features and no pictures; give the video itself",
    }
    for name, complaint in complaints.items():
        with pytest.raises(DataError, match=complaint):
            listed([tmp_path / name])


def test_a_video_is_taken_once_and_names_must_differ(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    one, other = film(tmp_path / "x" / "a.mp4"), film(tmp_path / "y" / "a.mp4")
    assert [video.path for video in listed([one, tmp_path / "x"])] == [one]
    with pytest.raises(ConfigError, match=r"would both be written to 'a\.mp4'"):
        listed([one, other])


def test_another_run_replaces_and_an_interruption_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = film(tmp_path / "clip.mp4", 80), tmp_path / "out"
    predict_files(part(), [path], out, QUIET)
    first = {file.name: file.read_bytes() for file in (out / "clip.mp4").iterdir()}
    film(path, 120, seed=1)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writing, "contact_sheet", interrupted)
        with pytest.raises(KeyboardInterrupt):
            predict_files(part(), [path], out, QUIET)
    assert {file.name: file.read_bytes() for file in (out / "clip.mp4").iterdir()} == first
    assert [entry.name for entry in out.iterdir()] == ["clip.mp4"]
    predict_files(part(), [path], out, QUIET)
    assert max(chosen(out, "clip.mp4")) >= 80


def test_what_the_model_cannot_be_told_of_a_video_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4")
    strange = part(extractor={"name": "seed-classic", "version": 0, "model": ""})
    older = part(extractor={**part().config["extractor"], "version": 0})
    moving = part({"motion": "simple"}, motion=5)
    moving = replace(moving, weights=_narrow())
    for model, complaint in (
        (strange, "extractor 'seed-classic', which nothing here can make"),
        (older, r"another extractor \(version 0, here 1\)"),
        (moving, "reads 5 numbers of motion per frame, 11 are made"),
    ):
        with pytest.raises(DataError, match=complaint):
            predict_files(model, [path], tmp_path / "out", QUIET)
    assert not (tmp_path / "out").exists()


def _narrow() -> dict[str, Tensor]:
    """Weights of a network that is told five numbers of motion."""
    scorer = make_scorer(comparison(model={"motion": "simple"}).model, 611, 5, 0)
    return {f"0/scorer.{name}": tensor for name, tensor in scorer.state_dict().items()}


def test_a_critic_and_foreign_weights_are_refused() -> None:
    with pytest.raises(DataError, match="take the model dsn-scorer"):
        Finder(part(part="critic"))
    with pytest.raises(DataError, match="its weights do not fit its settings"):
        Finder(part(features=600))

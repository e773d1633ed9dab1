"""What the registered scorer answers, and the feature files that it reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.dsn.scored import film, part
from versus.core.errors import DataError
from versus.core.experiment import ModelPart, find
from versus.experiments.dsn.data.cache import DiskCache
from versus.experiments.dsn.prediction import feature_files
from versus.experiments.dsn.prediction.finding import Finder, Found


@pytest.fixture(autouse=True)
def _own_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return film(tmp_path / "clip.mp4")


def described(model: ModelPart, path: Path) -> Found:
    return Finder(model).in_video(path, DiskCache())[1]


def answers(model: ModelPart, *paths: Path) -> dict[str, list[Any]]:
    found = find("dsn").predictor(model)({"input": np.array([str(path) for path in paths])})
    assert len({len(column) for column in found.values()}) == 1
    return {name: column.tolist() for name, column in found.items()}


@pytest.mark.parametrize("motion", ["none", "simple"])
def test_features_answer_as_the_video_they_are_of(tmp_path: Path, clip: Path, motion: str) -> None:
    model = part({"motion": motion})
    found, file = described(model, clip), tmp_path / "clip.npz"
    feature_files.write(file, found.scenes, model.config["extractor"])
    of_video, of_features = answers(model, clip), answers(model, file)
    expected = found.keyframes()
    assert of_video["frame"] == [one.frame for one in expected]
    assert of_video["score"] == [one.score for one in expected]
    assert {**of_features, "input": of_video["input"]} == of_video
    assert answers(model, file, clip)["input"] == of_features["input"] + of_video["input"]


def test_the_example_is_answered_and_a_critic_has_none() -> None:
    model = part()
    given = find("dsn").example(model)
    assert given["input"].dtype.kind == "U"
    assert set(find("dsn").predictor(model)(given)) == {"input", "frame", "time", "score"}
    assert find("dsn").example(part(part="critic")) == {}


def test_predicting_leaves_nothing_in_the_project(tmp_path: Path, clip: Path) -> None:
    answers(part(), clip)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_features_of_another_extractor_are_refused_with_both_names(
    tmp_path: Path, clip: Path
) -> None:
    model, file = part(), tmp_path / "clip.npz"
    known = {k: v for k, v in model.config["extractor"].items() if k != "width"}
    feature_files.write(file, described(model, clip).scenes, {**known, "name": "clip"})
    with pytest.raises(DataError, match=r"another extractor \(name 'classic', here 'clip'\)"):
        answers(model, file)
    feature_files.write(file, described(model, clip).scenes, {**known, "version": 7})
    with pytest.raises(DataError, match="version 1, here 7"):
        answers(model, file)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"features": None}, "holds no features; it holds extractor, fps, motion"),
        ({"features": np.ones((3, 611), np.float32)}, "features: 3 rows for 120 picks"),
        ({"features": np.ones((120, 5), np.float32)}, "has 5 numbers per frame, dsn-scorer"),
        ({"features": np.full((120, 611), np.nan)}, "features: NaN or infinity"),
        ({"picks": np.zeros(120, np.int64)}, "expected increasing numbers"),
        ({"picks": np.zeros(0, np.int64)}, "expected increasing numbers"),
        ({"extractor": np.array("{}")}, "expected name and version"),
        ({"extractor": np.array("no JSON")}, "is no feature file"),
        ({"scenes": np.array([[500, 600]])}, "no frame lies in one of"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    tmp_path: Path, clip: Path, changed: dict[str, Any], complaint: str
) -> None:
    model, file = part(), tmp_path / "clip.npz"
    feature_files.write(file, described(model, clip).scenes, model.config["extractor"])
    with np.load(file) as held:
        arrays = {**held, **changed}
    np.savez(file, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(DataError, match=complaint) as caught:
        answers(model, file)
    assert "clip.npz" in str(caught.value)


class Trap:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_nothing_in_a_feature_file_is_run(tmp_path: Path) -> None:
    file = tmp_path / "trap.npz"
    held = np.array([Trap(tmp_path / "run")], dtype=object)
    np.savez(file, features=held, picks=held, times=held, fps=held, extractor=held)
    with pytest.raises(DataError, match="is no feature file"):
        answers(part(), file)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("contents", [b"", b"PK\x03\x04", b"no archive"])
def test_torn_and_missing_files_are_refused(tmp_path: Path, contents: bytes) -> None:
    (tmp_path / "torn.npz").write_bytes(contents)
    with pytest.raises(DataError, match="is no feature file"):
        answers(part(), tmp_path / "torn.npz")
    with pytest.raises(DataError, match="no such file"):
        answers(part(), tmp_path / "gone.npz")


@pytest.mark.parametrize("given", [{}, {"input": np.array([1.5])}, {"input": np.array([["a"]])}])
def test_what_is_no_column_of_paths_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"^input: expected"):
        find("dsn").predictor(part())(given)

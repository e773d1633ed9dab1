"""The seed's checkpoints as models that predict."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.unit.dsn.scored import film
from tests.unit.dsn.selection_samples import scene
from tests.unit.dsn.test_importing import (  # noqa: F401 - a fixture
    Malicious,
    advanced,
    baseline,
    pickled,
    saved,
)
from versus import cli
from versus.core.errors import ConfigError, DataError
from versus.core.experiment import ModelPart, find
from versus.core.models import read_model
from versus.experiments.dsn import importing
from versus.experiments.dsn.conversion import part_of
from versus.experiments.dsn.prediction.finding import Finder


@pytest.fixture(autouse=True)
def _own_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path))


def test_a_checkpoint_becomes_a_folder_that_scores_as_it_did(
    tmp_path: Path,
    pickled: type,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = saved(tmp_path, advanced(pickled, feat_dim=512))
    out = tmp_path / "model"
    assert cli.main(["import", "dsn", str(file), "--out", str(out), "--no-tracking"]) == 0
    assert capsys.readouterr().out == "dsn-scorer: model\n"
    part = read_model(out)
    held = importing.load(file)
    assert {k.removeprefix("0/scorer."): v.tolist() for k, v in part.weights.items()} == {
        name: tensor.tolist() for name, tensor in held.state_dict.items()
    }
    finder = Finder(part)
    one = scene(40, width=512)
    logits = finder.scorer(one.features[None], one.motion[None], torch.ones(1, 40).bool())[0]
    found = finder.among([one], "here")
    np.testing.assert_allclose(found.scores[0], logits.double().sigmoid().detach())
    # The seed takes the best 0.06 of the frames, 3 at least, whatever their distance.
    best = np.sort(np.argsort(-found.scores[0], kind="stable")[:3])
    assert found.rows[0].tolist() == best.tolist()


def test_what_the_file_does_not_tell_is_as_in_the_seed_or_as_asked(
    tmp_path: Path,
    pickled: type,  # noqa: F811
) -> None:
    file = saved(tmp_path, advanced(pickled, feat_dim=512))
    settings = Finder(part_of(file, {})).settings
    assert settings.data.features.fps == 20
    assert settings.data.scenes.detector == "content"
    assert settings.model.selection.gap == 0
    asked = Finder(part_of(file, {"model.selection.gap": 8, "data.features.fps": 12})).settings
    assert (asked.model.selection.gap, asked.data.features.fps) == (8, 12)
    with pytest.raises(ConfigError, match=r"model\.hidden: told by .*; leave the flag out"):
        part_of(file, {"model.hidden": 16})


def named(part: ModelPart) -> str:
    return str(part.config["extractor"]["name"])


def test_features_are_recognised_by_their_width(
    tmp_path: Path,
    pickled: type,  # noqa: F811
) -> None:
    video = film(tmp_path / "clip.mp4", 60)
    expected = {
        512: ("clip", r"extractor 'clip', which is not available .*data\.features\.model FOLDER"),
        1088: ("seed-classic", "extractor 'seed-classic', which nothing here can make"),
        611: ("unknown", "extractor 'unknown', which nothing here can make"),
    }
    for width, (name, complaint) in expected.items():
        part = part_of(saved(tmp_path, advanced(pickled, feat_dim=width)), {})
        assert (named(part), part.config["features"]) == (name, width)
        with pytest.raises(DataError, match=complaint):
            find("dsn").predict_files(part, [video], tmp_path / "out", _quiet())
        answer = find("dsn").predictor(part)(find("dsn").example(part))
        assert len(answer["frame"]) == 3
    file = saved(tmp_path, advanced(pickled, feat_dim=611))
    part = part_of(file, {"data.features.extractor": "classic"})
    find("dsn").predict_files(part, [video], tmp_path / "out", _quiet())
    assert (tmp_path / "out" / "clip.mp4" / "keyframes.json").is_file()


def _quiet() -> Any:
    from versus.core.display import Display

    return Display(quiet=True)


def test_a_baseline_is_imported_too(tmp_path: Path) -> None:
    part = part_of(saved(tmp_path, baseline()[2]), {})
    assert part.config["variant"] == "seed-baseline"
    assert Finder(part).settings.model.kind == "baseline"


def test_a_hostile_file_is_refused_without_being_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(tmp_path, Malicious(tmp_path / "run"))
    assert cli.main(["import", "dsn", str(file), "--out", str(tmp_path / "model")]) == 2
    assert "was not run" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {file.name}


def test_wrong_words_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, complaint in (
        (["dsn"], "name the checkpoint: versus import dsn FILE"),
        (["dsn", str(tmp_path / "gone.pt")], "no such file; name one"),
        (["memory", str(tmp_path / "gone.pt")], "takes no checkpoints"),
    ):
        assert cli.main(["import", *words]) == 2
        assert complaint in capsys.readouterr().err

"""What a trained scorer shows besides numbers, and the seed's tags."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.unit.dsn.learners import learner, prepared
from versus.core import exhibits as core
from versus.core.exhibits import Exhibits, in_a_row
from versus.core.runs import RunKey
from versus.core.stages import Places
from versus.experiments import dsn
from versus.experiments.dsn.data import ingest
from versus.experiments.dsn.data.video import decode
from versus.experiments.dsn.learning.learner import ScorerLearner
from versus.experiments.dsn.learning.reading import read

STEP = {"reward", "selection_count", "mean_prob", "entropy"}
TRAIN = {
    *("mean_reward", "sel_ratio", "entropy", "mean_prob", "budget_gap"),
    *("reward_std", "reward_min", "reward_max", "prob_std"),
}
CACHE = {"hit_rate", "hits", "misses", "size"}
VAL = {
    *("RecErr", "Frechet", "SceneCoverage", "TemporalCoverage_tau0.5", "Diversity", "MS_SWD"),
}
"""The seed document's tags; MLflow takes no @ in a name."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    patch = pytest.MonkeyPatch()
    patch.setenv("VERSUS_ROOT", str(tmp_path_factory.mktemp("project")))
    folder = prepared(tmp_path_factory.mktemp("data"))
    patch.undo()
    return folder


@pytest.fixture(scope="module")
def done(data: Path) -> ScorerLearner:
    one = learner(data)
    for epoch in range(one.total_epochs):
        for batch in one.batches(epoch):
            one.train_step(batch)
        one.evaluated(epoch + 1, one.evaluate())
    one.evaluate()
    return one


def test_every_tag_of_the_seed_is_logged(data: Path) -> None:
    one = learner(data)
    step, evaluated = one.train_step(next(iter(one.batches(0)))), one.evaluate()
    assert {f"step/{name}" for name in STEP} | {f"train/{name}" for name in TRAIN} <= set(step)
    assert {f"cache/{name}" for name in CACHE} <= set(step)
    assert {f"val/{name}_mean" for name in VAL} <= set(evaluated)
    assert float(step["step/reward"]) == float(step["train/mean_reward"])


def test_pictures_are_of_selected_and_rejected_frames(done: ScorerLearner, data: Path) -> None:
    (shown,) = dsn.exhibits(done).values()
    name = done.last["test"].videos[0]
    (listed,) = [video for video in ingest.listed_videos(data) if video["name"] == name]
    film = ingest.open_listed(listed, data)
    every = np.stack([p for _, p in decode(film, np.arange(len(film.times)), (160, 90))])
    scenes = [one for one in read(data, "test") if one.video == name]
    pairs = zip(scenes, done.last["test"].choices[0].rows, strict=True)
    chosen = {int(frame) for scene, rows in pairs for frame in scene.picks[rows]}
    for what, wanted in (("selected_keyframes", True), ("rejected_frames", False)):
        pictures = shown.pictures[f"frames/{what}"]
        assert pictures.shape[1:] == (90, 160, 3)
        assert len(pictures) == 8
        for picture in pictures:
            same = {int(n) for n in np.flatnonzero((every == picture).all((1, 2, 3)))}
            assert same
            assert any((number in chosen) == wanted for number in same)


def test_histograms_are_of_probabilities_and_rewards(done: ScorerLearner) -> None:
    before = {name: t.clone() for name, t in done.parts.network.state_dict().items()}
    (shown,) = dsn.exhibits(done).values()
    (again,) = dsn.exhibits(done).values()
    batch = next(iter(done.batches(0)))
    frames = sum(len(done.sequences[place].picks) for place in batch.sequences)
    chances = shown.histograms["train/prob_distribution"]
    assert chances.shape == (frames,)
    assert ((chances > 0) & (chances < 1)).all()
    rewards = shown.histograms["train/reward_distribution"]
    assert rewards.shape == (len(batch.sequences), 3)  # episodes
    assert (again.histograms["train/reward_distribution"] == rewards).all()
    after = done.parts.network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_a_rule_shows_nothing_and_a_lost_video_no_pictures(
    data: Path, done: ScorerLearner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert dsn.exhibits(learner(data, model={"rule": "holds"})) == {}
    monkeypatch.setattr(done, "data", tmp_path)
    (shown,) = dsn.exhibits(done).values()
    assert shown.pictures == {}
    assert shown.histograms


def test_files_and_event_file_show_the_same(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    pictures = np.random.default_rng(0).integers(0, 255, (8, 90, 160, 3)).astype(np.uint8)
    shown = Exhibits({"train/prob_distribution": np.arange(5) / 5}, {"frames/selected": pictures})
    places = Places(tmp_path, tmp_path, tmp_path / "results", "smoke", tmp_path / "runs")
    core.write({RunKey("own", 3): shown}, places, "events", 12)
    folder = tmp_path / "runs" / "own" / "seed-3"
    assert {path.name for path in folder.iterdir()} == {"histograms.png", "selected.png"}
    with Image.open(folder / "selected.png") as sheet:
        assert (np.asarray(sheet) == in_a_row(pictures)).all()
    events = EventAccumulator(str(tmp_path / "results" / "events" / "own" / "seed-3")).Reload()
    (histogram,) = events.Histograms("train/prob_distribution")
    assert (histogram.step, histogram.histogram_value.num) == (12, 5)
    assert events.Tags()["images"]
    core.write({RunKey("none", 0): shown}, places, "", 12)
    assert not (tmp_path / "results" / "events" / "none").exists()


def test_pictures_in_a_row() -> None:
    pictures = np.stack([np.full((2, 3, 3), shade, np.uint8) for shade in (10, 20)])
    row = in_a_row(pictures)
    assert row.shape == (10, 18, 3)
    assert (row[4:6, 4:7] == 10).all()
    assert (row[4:6, 11:14] == 20).all()
    assert int((row == 255).all(2).sum()) == 180 - 12


def test_the_seeds_classes_are_found_without_torch() -> None:
    code = (
        "import sys; import versus.cli as c; c.main(['--help']); assert 'torch' not in sys.modules;"
        "from versus.experiments.dsn import DSNAdvanced, DSNConfig;"
        "print(sum(p.numel() for p in DSNAdvanced(DSNConfig()).parameters()))"
    )
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, env=paths, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "3092481"
    with pytest.raises(AttributeError, match="no attribute 'DSNOther'"):
        _ = dsn.DSNOther

"""Scenes: kernel segmentation against enumeration, detectors on known cuts, and merging."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from versus.experiments.dsn.data.animation.clips import Clip, clip
from versus.experiments.dsn.data.config import Generated, Scenes
from versus.experiments.dsn.data.scenes import merged, scenes_of
from versus.experiments.dsn.data.segmentation import best_cuts, segment
from versus.experiments.dsn.data.video import look, write


def scatter(rows: np.ndarray, cuts: tuple[int, ...]) -> float:
    """Squared distances to the mean of each segment, written plainly."""
    bounds = [0, *cuts, len(rows)]
    parts = [rows[start:end] for start, end in itertools.pairwise(bounds)]
    return float(sum(((part - part.mean(0)) ** 2).sum() for part in parts))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(1, 3))
def test_change_points_are_the_best_of_all(seed: int, count: int, shortest: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(count, 3))
    cuts, left = best_cuts(rows @ rows.T, 3, shortest)
    for number in range(4):
        possible = [
            chosen
            for chosen in itertools.combinations(range(1, count), number)
            if all(b - a >= shortest for a, b in itertools.pairwise([0, *chosen, count]))
        ]
        if not possible:
            assert left[number] == np.inf
            continue
        best = min(scatter(rows, chosen) for chosen in possible)
        assert left[number] == pytest.approx(best, abs=1e-9)
        assert scatter(rows, tuple(cuts[number])) == pytest.approx(best, abs=1e-9)


def test_the_penalty_decides_how_many_there_are() -> None:
    centres = np.eye(3).repeat([20, 35, 15], axis=0)
    rows = centres + np.random.default_rng(0).normal(0, 0.05, centres.shape)
    assert segment(rows, 10, penalty=1.0) == [20, 55]
    assert segment(rows, 10, penalty=100.0) == []
    assert len(segment(rows, 10, penalty=0.0)) == 10


@pytest.mark.parametrize("count", [1, 2, 5])
def test_short_sequences_are_one_segment(count: int) -> None:
    assert segment(np.ones((count, 4)), 0, shortest=12) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-5, 300)), st.integers(1, 250), st.integers(1, 60))
def test_scenes_tile_the_video_and_none_is_short(
    cuts: list[int], frames: int, shortest: int
) -> None:
    scenes = merged(cuts, frames, shortest)
    assert [start for start, _ in scenes] == [0, *(end for _, end in scenes[:-1])]
    assert scenes[-1][1] == frames
    assert all(start in {0, *cuts} for start, _ in scenes)
    assert len(scenes) == 1 or all(end - start >= shortest for start, end in scenes)


def test_a_short_scene_joins_the_one_before() -> None:
    assert merged([50, 60, 100], 150, 20) == [(0, 60), (60, 100), (100, 150)]
    assert merged([50, 90, 100], 150, 20) == [(0, 50), (50, 100), (100, 150)]
    assert merged([5, 50], 60, 20) == [(0, 60)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[float, list[tuple[Path, Clip]]]:
    """Clips by difficulty: without flickering light, and the default ones."""
    return {
        difficulty: _written(tmp_path_factory.mktemp("clips"), difficulty)
        for difficulty in (0.0, Generated().difficulty)
    }


def _written(folder: Path, difficulty: float) -> list[tuple[Path, Clip]]:
    made = [clip(0, "train", n, size=(96, 54), difficulty=difficulty) for n in range(12)]
    for one in made:
        write(folder / f"{one.name}.mp4", one.frames, 24)
    return [(folder / f"{one.name}.mp4", one) for one in made]


@pytest.mark.parametrize(
    ("detector", "recall", "precision"),
    [("kts", 0.9, 0.8), ("content", 0.7, 0.6), ("adaptive", 0.6, 0.5), ("histogram", 0.75, 0.6)],
)
def test_detectors_find_the_cuts_of_clips(
    clips: dict[float, list[tuple[Path, Clip]]], detector: str, recall: float, precision: float
) -> None:
    """Flickering light is full of cuts to ``histogram``; ``kts``, the default, sees through it."""
    config = Scenes.model_validate({"detector": detector})
    found = true = right = 0
    for path, one in clips[Generated().difficulty if detector == "kts" else 0.0]:
        starts = [start for start, _ in scenes_of(look(path), config)[1:]]
        found, true = found + len(starts), true + len(one.truth.cuts)
        right += sum(any(abs(cut - start) <= 6 for start in starts) for cut in one.truth.cuts)
    assert right / true >= recall
    assert right / max(found, 1) >= precision


@pytest.mark.parametrize("detector", ["kts", "content", "adaptive", "histogram"])
def test_a_hard_cut_is_found_at_its_frame_and_a_single_scene_is_whole(
    tmp_path: Path, detector: str
) -> None:
    rng = np.random.default_rng(0)
    two = [rng.integers(low, low + 80, (1, 36, 64, 3)).repeat(40, 0) for low in (0, 170)]
    write(tmp_path / "two.mp4", np.concatenate(two).astype(np.uint8), 24)
    write(tmp_path / "one.mp4", two[0].astype(np.uint8), 24)
    config = Scenes.model_validate({"detector": detector})
    assert scenes_of(look(tmp_path / "two.mp4"), config) == [(0, 40), (40, 80)]
    assert scenes_of(look(tmp_path / "one.mp4"), config) == [(0, 40)]


@pytest.mark.parametrize("detector", ["kts", "content", "adaptive", "histogram", "none"])
def test_a_video_of_one_frame_is_one_scene(tmp_path: Path, detector: str) -> None:
    write(tmp_path / "one.mp4", np.full((1, 36, 64, 3), 90, np.uint8), 24)
    config = Scenes.model_validate({"detector": detector})
    assert scenes_of(look(tmp_path / "one.mp4"), config) == [(0, 1)]

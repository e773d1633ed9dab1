"""Clips with known key poses: pure, true to their truth, and as hard as they are meant to be."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dsn import rules
from versus.experiments.dsn.data.animation import stage
from versus.experiments.dsn.data.animation.clips import Clip, clip
from versus.experiments.dsn.data.animation.styles import FOREIGN, HOME
from versus.experiments.dsn.data.animation.timeline import EASES, timeline
from versus.experiments.dsn.data.config import Generated

SMALL = (64, 36)
SPLITS = ["train", "validation", "test", "test_style"]


def drawn(number: int, split: str = "train", difficulty: float = 1.0) -> Clip:
    return clip(0, split, number, size=SMALL, difficulty=difficulty)


def test_a_clip_is_a_function_of_its_arguments() -> None:
    first, again = drawn(3), drawn(3)
    assert first.truth == again.truth
    np.testing.assert_array_equal(first.frames, again.frames)


def test_seeds_splits_and_numbers_give_other_clips() -> None:
    others = [drawn(3), drawn(4), drawn(3, "test"), clip(1, "train", 3, size=SMALL)]
    assert len({one.frames.tobytes() for one in others}) == len(others)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(SPLITS), st.floats(0, 1))
def test_the_truth_is_consistent(number: int, split: str, difficulty: float) -> None:
    made = drawn(number, split, difficulty)
    truth, frames = made.truth, len(made.frames)
    assert truth.scenes[0][0] == 0
    assert truth.scenes[-1][1] == frames
    assert all(one[1] == other[0] for one, other in itertools.pairwise(truth.scenes))
    assert truth.cuts == tuple(start for start, _ in truth.scenes[1:])
    assert len(truth.exposures) == len(truth.scenes)
    assert len(truth.keys) == len(truth.holds) >= 2 * len(truth.scenes)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(truth.holds))
    for key, (start, end) in zip(truth.keys, truth.holds, strict=True):
        assert start <= key < end
        assert key == (start + end - 1) // 2
        assert any(first <= start and end <= last for first, last in truth.scenes)


def test_a_figure_stands_still_in_a_hold_and_moves_around_it() -> None:
    """At difficulty 0 nothing else moves, so holds can be read off the pixels."""
    still, moving = [], []
    for number in range(12):
        made = drawn(number, difficulty=0.0)
        ends = {end for _, end in made.truth.scenes}
        steps = np.abs(np.diff(made.frames.astype(np.int16), axis=0)).mean((1, 2, 3))
        for start, end in made.truth.holds:
            still += steps[start : end - 1].tolist()
            moving += [] if end in ends else [steps[end - 1]]
    assert np.quantile(moving, 0.2) > 1.1 * np.median(still)
    assert np.median(moving) > 1.5 * np.median(still)


def test_difficulty_is_what_makes_a_hold_detector_fail() -> None:
    """The default is between: the detector finds some half of the poses, uniform far fewer.

    What changes beyond camera and light tells more: see the next test.
    """
    default = Generated().difficulty
    by_difficulty = {
        difficulty: [clip(0, "train", n, size=(96, 54), difficulty=difficulty) for n in range(40)]
        for difficulty in (0.0, default, 1.0)
    }
    stillest = {d: rules.f1(rules.stillest, clips) for d, clips in by_difficulty.items()}
    uniform = rules.f1(rules.uniform, by_difficulty[default])
    assert stillest[0.0] > 0.65
    assert 0.4 < stillest[default] < 0.6
    assert stillest[1.0] < stillest[default] - 0.05
    assert 0.15 < uniform < 0.35


def test_holds_under_flickering_light_are_found_where_camera_and_light_are_taken_out() -> None:
    clips = [clip(0, "train", n, size=(96, 54), difficulty=0.5) for n in range(40)]
    assert rules.f1(rules.steadiest, clips) > rules.f1(rules.stillest, clips) + 0.06


def test_a_camera_that_looks_around_goes_only_while_a_pose_is_held() -> None:
    holds = ((3, 9), (20, 26))
    paths = [stage.looking(np.random.default_rng(n), 40, holds) for n in range(20)]
    outside = np.ones(40, bool)
    for start, end in holds:
        outside[start:end] = False
    for path in paths:
        steps = np.diff(path, axis=0, prepend=np.zeros((1, 2)))
        assert not steps[outside].any()
        assert np.linalg.norm(steps, axis=1).max() <= stage.PACE[1]
    assert any(np.abs(path).max() > 0.05 for path in paths)


def test_about_six_of_a_hundred_frames_are_key_poses() -> None:
    clips = [drawn(number, difficulty=0.5) for number in range(40)]
    share = sum(len(c.truth.keys) for c in clips) / sum(len(c.frames) for c in clips)
    assert 0.05 < share < 0.07


def test_the_foreign_style_differs_in_timing_and_colour() -> None:
    home, foreign = ([drawn(n, split) for n in range(15)] for split in ("test", "test_style"))
    assert not any(4 in one.truth.exposures for one in home)
    assert any(4 in one.truth.exposures for one in foreign)
    brightness = [np.mean([one.frames.mean() for one in clips]) for clips in (home, foreign)]
    assert brightness[1] < brightness[0] - 20


@pytest.mark.parametrize("name", EASES)
def test_an_ease_goes_from_one_pose_to_the_next(name: str) -> None:
    ease = EASES[name]
    assert ease(0.0) == pytest.approx(0.0)
    assert ease(1.0) == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([HOME, FOREIGN]), st.floats(0, 1))
def test_drawings_stay_for_the_exposure_and_holds_show_the_key_pose(
    seed: int, style: object, difficulty: float
) -> None:
    assert style in (HOME, FOREIGN)
    chosen = HOME if style == HOME else FOREIGN
    time = timeline(np.random.default_rng(seed), chosen, 4, difficulty)
    held = np.zeros(len(time.progress), bool)
    for start, end in time.holds:
        held[start:end] = True
    assert len(time.holds) == 4
    assert (time.progress[held] == 0).all()
    assert (time.progress[~held] != 0).all()
    assert time.leaving.max() + 1 < time.poses
    starts, counts = np.unique(time.drawing, return_counts=True)
    assert (counts[~held[starts]] >= time.on).all()
    if difficulty == 0:
        assert (counts[~held[starts]] == time.on).all()

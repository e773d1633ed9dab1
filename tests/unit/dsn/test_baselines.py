"""Rules without learning."""

import itertools

import numpy as np
import pytest
import torch

from tests.unit.dsn.selection_samples import scene
from versus.core import seeding
from versus.core.errors import ConfigError
from versus.experiments.dsn.baselines import CHOICES, RULES, apply
from versus.experiments.dsn.baselines.kmeans import centres, medoids
from versus.experiments.dsn.data.features.motion import COLUMNS
from versus.experiments.dsn.data.sequences import Sequence
from versus.experiments.dsn.selection import SelectionConfig

CONFIG = SelectionConfig()


def with_motion(values: list[float]) -> Sequence:
    return scene(len(values))._replace(motion=torch.tensor(values)[:, None])


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_scores_and_rows_of_every_scene(rule: str) -> None:
    scenes = [scene(60), scene(100, number=1, start=60, stride=2), scene(2, number=2, start=260)]
    scores, rows = apply(rule, scenes, CONFIG, seed=3)
    assert [len(own) for own in scores] == [60, 100, 2]
    assert [len(own) for own in rows] == [4, 6, 2]
    for own in rows:
        assert (np.diff(own) > 0).all()
        assert own.dtype == np.int64
    if rule in CHOICES:
        assert all(
            np.flatnonzero(s).tolist() == r.tolist() for s, r in zip(scores, rows, strict=True)
        )


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ConfigError, match="'hold' is unknown; choose one of random"):
        apply("hold", [scene(5)], CONFIG)


@pytest.mark.parametrize("rule", ["random", "kmeans"])
def test_draws_follow_seed_video_and_scene_and_nothing_else(rule: str) -> None:
    def rows(one: Sequence, seed: int) -> tuple[int, ...]:
        return tuple(map(int, apply(rule, [one], CONFIG, seed)[1][0]))

    one = scene(80)
    first = rows(one, 0)
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert rows(one, 0) == first
    others = [(one._replace(video="other"), 0), (one._replace(scene=5), 0), (one, 1)]
    assert all(rows(*other) != first for other in others)


def test_random_scores_choose_every_frame_as_often() -> None:
    config = SelectionConfig(gap=0, ratio=0.25, least=1)
    counts = np.zeros(12)
    for seed in range(800):
        counts[apply("random", [scene(12)], config, seed)[1][0]] += 1
    assert counts.sum() == 800 * 3
    assert np.abs(counts - 200).max() < 5 * np.sqrt(800 * 0.25 * 0.75)


def test_uniform_frames_are_the_middles_of_equal_parts() -> None:
    (rows,) = apply("uniform", [scene(60)], SelectionConfig(ratio=0.1))[1]
    # Parts of ten frames: 0 to 9 has its middle between 4 and 5.
    assert rows.tolist() == [4, 14, 24, 34, 44, 54]
    (rows,) = apply("uniform", [scene(15, start=100, stride=3)], CONFIG)[1]
    assert (100 + 3 * rows).tolist() == [106, 121, 136]  # the middles are 107, 122 and 137


def test_uniform_frames_are_uniform_in_time_where_rows_are_not() -> None:
    picks = np.array([*range(20), 40, 60, 80])
    one = scene(23)._replace(picks=picks, span=(0, 90))
    (rows,) = apply("uniform", [one], CONFIG)[1]
    assert picks[rows].tolist() == [14, 40, 80]  # the middles are 14.5, 44.5 and 74.5


def test_the_middle_comes_first_and_the_ends_follow() -> None:
    (rows,) = apply("middle", [scene(41)], CONFIG)[1]
    assert rows.tolist() == [0, 20, 40]
    single = SelectionConfig(least=1, ratio=0)
    assert apply("middle", [scene(41)], single)[1][0].tolist() == [20]


def test_the_hold_detector_finds_minima_of_the_change() -> None:
    values = [3, 2, 1, 2, 3, 4, 4, 4, 3, 0.5, 3, 4, 4, 4, 2, 1.5, 2, 4]
    (rows,) = apply("holds", [with_motion(values)], SelectionConfig(gap=4))[1]
    assert rows.tolist() == [2, 9, 15]
    (rows,) = apply("motion_peaks", [with_motion(values)], SelectionConfig(gap=4, least=2))[1]
    assert rows.tolist() == [5, 11]


def test_the_steady_hold_detector_looks_past_camera_and_light() -> None:
    motion = torch.rand(18, len(COLUMNS), generator=seeding.generator("motion"))
    motion[:, 2] = torch.tensor([3, 2, 1, 2, 3, 4, 4, 4, 3, 0.5, 3, 4, 4, 4, 2, 1.5, 2, 4])
    one = scene(18)._replace(motion=motion)
    assert apply("steady_holds", [one], SelectionConfig(gap=4))[1][0].tolist() == [2, 9, 15]


def test_turns_of_a_steady_movement_are_found_among_holds() -> None:
    motion = torch.zeros(18, len(COLUMNS))
    motion[:, COLUMNS.index("steady_rank")] = torch.tensor([0.0, *[0.5] * 8, 0.0, *[0.5] * 8])
    motion[5, COLUMNS.index("turn_near")] = motion[5, COLUMNS.index("turn_far")] = 1.0
    motion[9, COLUMNS.index("turn_far")] = 0.5
    scores = apply("steady_turns", [scene(18)._replace(motion=motion)], CONFIG)[0][0]
    assert scores.tolist() == [0.0, *[-0.5] * 4, 0.5, *[-0.5] * 3, 0.25, *[-0.5] * 8]


def test_constant_scores_leave_it_to_the_ties() -> None:
    assert apply("constant", [scene(40)], CONFIG)[1][0].tolist() == [0, 6, 12]


HALVES = (2, 10, 4, 7)


def blobs() -> torch.Tensor:
    """Four groups of unequal size, far apart; the first row of each lies in its middle."""
    source = np.random.default_rng(0)
    groups = []
    for place, half in enumerate(HALVES):
        spread = source.normal(size=(half, 3)) * 0.1
        offset = np.array([10.0 * place, 0, 0])
        groups.append(offset + np.concatenate([np.zeros((1, 3)), spread, -spread]))
    return torch.from_numpy(np.concatenate(groups))


def test_medoids_are_the_middles_of_groups_that_are_far_apart() -> None:
    starts = [0, *itertools.accumulate(2 * half + 1 for half in HALVES[:-1])]
    for seed in range(5):
        assert medoids(blobs(), 4, seed).tolist() == starts


def test_medoids_of_few_distinct_rows_are_these() -> None:
    rows = (1e3 * torch.randn(3, 5, generator=torch.Generator().manual_seed(0))).repeat(20, 1)
    found = medoids(rows, 7, "a")
    assert len(found) == 3
    assert sorted(row % 3 for row in found.tolist()) == [0, 1, 2]
    assert len(centres(rows, 7, "a")) == 3
    assert medoids(rows[:1], 3, "a").tolist() == [0]


def test_every_centre_is_the_mean_of_the_rows_that_are_nearest_to_it() -> None:
    rows = torch.from_numpy(np.random.default_rng(1).normal(size=(60, 4)))
    found = centres(rows, 5, "b")
    assert len(found) == 5
    nearest = torch.cdist(rows, found).argmin(1)
    means = torch.stack([rows[nearest == n].mean(0) for n in range(5)])
    assert torch.allclose(means, found)

"""Metrics against independent formulas and exhaustive search."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, stats

from tests.unit.dsn.selection_samples import scene
from versus.experiments.dsn.data.sequences import IntArray, Span
from versus.experiments.dsn.metrics import DIRECTIONS, MetricsConfig, measured
from versus.experiments.dsn.metrics.distances import (
    color_swd,
    diversity,
    frechet,
    rec_err,
    temporal_coverage,
)
from versus.experiments.dsn.metrics.matching import (
    Found,
    around_holds,
    around_keys,
    found,
    matched,
    total,
)
from versus.experiments.dsn.metrics.phases import phases, shares
from versus.experiments.dsn.metrics.ranks import kendall_tau, spearman_rho, stillness, truth
from versus.experiments.dsn.metrics.users import rank_agreement, summary_f1
from versus.experiments.dsn.rewards.colours import directions, distribution

ROWS = torch.tensor([3, 17, 40])


def ints(*values: int) -> IntArray:
    return np.array(values, dtype=np.int64)


# --- features and colours -------------------------------------------------------------------------


def test_distances_are_those_of_loops() -> None:
    features = scene(50).features.double()
    apart = [[1 - float(features[t] @ features[s]) for s in ROWS] for t in range(50)]
    near = [min(row) for row in apart]
    assert rec_err(features, ROWS) == pytest.approx(sum(near) / 50)
    covered = sum(value <= 0.6 for value in near) / 50
    assert 0.1 < covered < 0.9
    assert temporal_coverage(features, ROWS, 0.6) == covered
    pairs = [apart[int(a)][n] for n, b in enumerate(ROWS) for a in ROWS if a != b]
    assert diversity(features, ROWS) == pytest.approx(sum(pairs) / 6)
    assert diversity(features, ROWS[:1]) == 0


def test_frechet_is_the_distance_of_gaussians() -> None:
    features = scene(50).features
    rows = torch.tensor([1, 5, 9, 20, 21, 30, 44])
    every, few = features.double().numpy(), features[rows].double().numpy()
    one, other = np.cov(every, rowvar=False), np.cov(few, rowvar=False)
    root = linalg.sqrtm(one @ other).real
    gap = every.mean(0) - few.mean(0)
    expected = gap @ gap + np.trace(one + other - 2 * root)
    assert frechet(features, rows) == pytest.approx(expected, abs=1e-6)
    assert frechet(features, torch.arange(50)) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="received 1 of 50"):
        frechet(features, rows[:1])


def test_frechet_of_covariances_that_do_not_commute() -> None:
    """Two lines at 45 degrees: S = diag(s, 0), R = r/2 ones, and tr (S R)^(1/2) = sqrt(s r / 2)."""
    along = torch.tensor([[2.0, 0], [-2, 0], [1, 0], [-1, 0]])
    askew = torch.tensor([[3.0, 3], [-3, -3]])
    rows = torch.cat([along, askew])
    centred = rows - rows.mean(0)
    whole = (centred.T @ centred / 5).double().numpy()
    few = np.full((2, 2), 18.0)
    root = np.sqrt(np.maximum(linalg.eigvals(whole @ few).real, 0)).sum()
    expected = np.trace(whole) + np.trace(few) - 2 * root
    assert frechet(rows, torch.tensor([4, 5])) == pytest.approx(expected, rel=1e-6)


def test_color_swd_is_the_mean_wasserstein_distance_of_pooled_pixels() -> None:
    source = np.random.default_rng(0)
    pixels = torch.from_numpy(source.beta(2, 5, size=(6, 40, 3)) * source.random((6, 1, 1))).float()
    bins, count = 4096, 3
    curves = torch.stack([distribution(one, count, bins) for one in pixels])[:, None]
    chosen = torch.tensor([1, 4])
    expected = np.mean(
        [
            stats.wasserstein_distance(
                (pixels @ direction).ravel(), (pixels[chosen] @ direction).ravel()
            )
            for direction in directions(count)
        ]
    )
    assert color_swd(curves, chosen) == pytest.approx(expected, abs=2e-4)
    assert expected > 0.01
    assert color_swd(curves, torch.arange(6)) == pytest.approx(0, abs=1e-9)


# --- matching -------------------------------------------------------------------------------------


def most_pairs(frames: list[int], windows: list[Span]) -> int:
    """The maximum matching, by trying everything."""
    if not frames:
        return 0
    first, rest = frames[0], frames[1:]
    best = most_pairs(rest, windows)
    for number, (start, end) in enumerate(windows):
        if start <= first < end:
            best = max(best, 1 + most_pairs(rest, windows[:number] + windows[number + 1 :]))
    return best


@given(
    st.lists(st.integers(0, 20), max_size=6, unique=True).map(sorted),
    st.lists(st.tuples(st.integers(0, 18), st.integers(1, 9)), max_size=5),
)
def test_no_matching_has_more_hits(frames: list[int], spans: list[tuple[int, int]]) -> None:
    windows = [(start, start + length) for start, length in spans]
    partners = matched(ints(*frames), windows).tolist()
    taken = [n for n in partners if n >= 0]
    assert len(set(taken)) == len(taken)
    for frame, n in zip(frames, partners, strict=True):
        assert n < 0 or windows[n][0] <= frame < windows[n][1]
    assert len(taken) == most_pairs(frames, windows)


def test_the_nearest_key_is_not_always_the_right_one() -> None:
    # 10 could have either key, 12 only the second: who gives 10 the nearer one (11) loses a hit.
    keys = ints(8, 11)
    assert found(ints(10, 12), around_keys(keys, 2)) == Found(2, 2, 2)


def test_the_tolerance_counts_frames_on_both_sides() -> None:
    for frame, hits in ((7, 0), (8, 1), (12, 1), (13, 0)):
        assert found(ints(frame), around_keys(ints(10), 2)).hits == hits
    assert found(ints(10), around_keys(ints(10), 0)).hits == 1


def test_a_hold_is_hit_anywhere_and_once() -> None:
    keys, holds = ints(12, 30), ((8, 16), (40, 44))
    windows = around_holds(keys, holds, 1)
    assert windows == [(7, 17), (29, 32)]  # the second key is in no hold
    assert found(ints(8, 15, 31, 41), windows) == Found(2, 4, 2)


def test_precision_recall_and_f1() -> None:
    counts = total([Found(2, 4, 3), Found(1, 1, 7)])
    assert counts == Found(3, 5, 10)
    assert counts.precision == 0.6
    assert counts.recall == 0.3
    assert counts.f1 == pytest.approx(2 * 0.6 * 0.3 / 0.9)
    empty = Found(0, 0, 0)
    assert [empty.precision, empty.recall, empty.f1] == [0, 0, 0]


# --- ranks, users, phases -------------------------------------------------------------------------


def test_truth_falls_with_the_distance_from_a_hold() -> None:
    picks = ints(0, 3, 5, 6, 9, 10, 14)
    assert truth(picks, ints(6), ((5, 8),)).tolist() == [-5, -2, 0, 0, -2, -3, -7]
    assert truth(picks, ints(6, 14), ()).tolist() == [-6, -3, -1, 0, -3, -4, 0]


def test_stillness_is_a_rank_that_ties_share() -> None:
    assert stillness(np.array([5.0, 1.0, 3.0, 3.0, 9.0])).tolist() == [0.25, 1, 0.625, 0.625, 0]
    assert stillness(np.array([4.0])).tolist() == [1]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=12))
def test_correlations_of_ranks_with_ties(pairs: list[tuple[int, int]]) -> None:
    x, y = (np.array(side, float) for side in zip(*pairs, strict=True))
    signs = [
        (np.sign(x[i] - x[j]), np.sign(y[i] - y[j]))
        for i, j in itertools.combinations(range(len(x)), 2)
    ]
    untied = math.prod(sum(bool(s[side]) for s in signs) for side in (0, 1))
    tau = sum(a * b for a, b in signs) / math.sqrt(untied) if untied else 0.0
    assert kendall_tau(x, y) == pytest.approx(tau)
    ranks = [[(side < v).sum() + (side == v).sum() / 2 for v in side] for side in (x, y)]
    rho = float(np.corrcoef(ranks)[0, 1]) if untied else 0.0
    assert spearman_rho(x, y) == pytest.approx(rho)


def test_constant_scores_agree_with_nothing() -> None:
    assert kendall_tau(np.ones(4), np.arange(4.0)) == 0
    assert spearman_rho(np.ones(4), np.arange(4.0)) == 0


def test_summaries_are_compared_with_each_person() -> None:
    summary = np.array([1, 1, 0, 0, 1, 0], dtype=bool)
    users = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 1], [1, 0, 0, 0, 1, 1]], dtype=bool)
    # Overlaps 2, 0, 2 of sizes (3, 2), (3, 3), (3, 3).
    assert summary_f1(summary, users, "max") == pytest.approx(0.8)
    assert summary_f1(summary, users, "mean") == pytest.approx((0.8 + 0 + 2 / 3) / 3)
    nothing = np.zeros(6, dtype=bool)
    assert summary_f1(nothing, nothing[None], "mean") == 0


def test_scores_are_compared_with_each_person() -> None:
    scores = np.arange(6.0)
    users = np.stack([scores, -scores, np.array([0.0, 1, 2, 3, 5, 4])])
    tau, rho = rank_agreement(scores, users)
    assert tau == pytest.approx((1 - 1 + 13 / 15) / 3)  # one of 15 pairs is the other way round
    assert rho == pytest.approx((1 - 1 + (1 - 6 * 2 / 210)) / 3)


def test_phases_of_frames() -> None:
    at = phases(ints(3, 4, 5, 6, 9, 10), ints(5), ((4, 10),), tolerance=1)
    assert at == ["tween", "key", "key", "key", "hold", "tween"]
    scenes = [
        scene(20, keys=(5,), holds=((4, 10),)),
        scene(20, number=1, start=20, keys=(30,), holds=((28, 33),)),
    ]
    every = shares(scenes, None, tolerance=1)
    assert every == {"key": 6 / 40, "hold": 5 / 40, "tween": 29 / 40}
    few = shares(scenes, [ints(5, 8), ints(3)], tolerance=1)
    assert few == {"key": 1 / 3, "hold": 1 / 3, "tween": 1 / 3}
    assert shares([scene(20)], None, tolerance=1) == {}


# --- all of a video -------------------------------------------------------------------------------


def test_measured_counts_scene_by_scene_in_frames_of_the_file() -> None:
    scenes = [
        scene(30, keys=(10, 29), holds=((8, 13), (28, 30)), colours=True),
        scene(30, number=1, start=30, stride=2, keys=(50,), holds=((48, 53),), colours=True),
    ]
    # Frames 8 and 12 of the first scene; 30 and 52 of the second. 30 is a frame away from the key
    # pose 29, but behind a cut; 8 and 12 share a key pose.
    rows = [ints(8, 12), ints(0, 11)]
    found = measured(scenes, [np.ones(30), np.ones(30)], rows)
    assert found["precision"] == 2 / 4
    assert found["recall"] == 2 / 3
    assert found["F1"] == pytest.approx(4 / 7)
    assert found["SceneCoverage"] == 1
    assert found["HoldShare"] == 3 / 4
    assert found["Kendall_tau"] == 0
    features = torch.cat([one.features for one in scenes])
    chosen = torch.tensor([8, 12, 30, 41])
    assert found["RecErr"] == rec_err(features, chosen)
    assert found["Frechet"] == frechet(features, chosen)
    still = [stillness(one.motion[:, 0].numpy()) for one in scenes]
    assert found["Stillness"] == pytest.approx(np.mean([still[0][[8, 12]], still[1][[0, 11]]]))
    assert found["MS_SWD"] == color_swd(torch.cat([one.colours for one in scenes]), chosen)


def test_scores_that_follow_the_truth_are_recognised() -> None:
    scenes = [scene(30, keys=(10,), holds=((8, 13),)), scene(30, number=1, start=30, keys=(50,))]
    scores = [-np.abs(np.arange(30) - 10.0), -np.abs(np.arange(30) - 20.0)]
    rows = [ints(10), ints(20)]
    found = measured(scenes, scores, rows)
    assert found["F1"] == 1
    assert found["Spearman_rho"] > 0.95
    assert measured(scenes, [-s for s in scores], rows)["Spearman_rho"] < -0.95


def test_holds_may_be_longer_than_the_tolerance() -> None:
    scenes = [scene(30, keys=(10,), holds=((2, 19),))]
    found = measured(scenes, [np.zeros(30)], [ints(3)])
    assert (found["F1"], found["F1_hold"]) == (0, 1)
    wide = measured(scenes, [np.zeros(30)], [ints(3)], MetricsConfig(tolerance=7))
    assert wide["F1"] == 1


def test_what_is_unknown_is_left_out() -> None:
    unknown = measured([scene(20)], [np.zeros(20)], [ints(1, 5)])
    assert set(unknown) == {
        "RecErr",
        "Diversity",
        "Frechet",
        "SceneCoverage",
        "TemporalCoverage_tau0.5",
        "Stillness",
    }
    one = measured([scene(1, keys=())], [np.zeros(1)], [ints(0)])
    assert "Frechet" not in one
    assert "Kendall_tau" not in one
    assert one["F1"] == 0
    none = measured([scene(20, keys=(3,))], [np.zeros(20)], [ints()])
    assert none["SceneCoverage"] == none["F1"] == none["recall"] == 0
    assert "RecErr" not in none


def test_names_are_legal_known_and_finite() -> None:
    scenes = [scene(30, keys=(10,), holds=((8, 13),), colours=True)]
    found = measured(scenes, [np.arange(30.0)], [ints(4, 20)])
    assert {name.split("_tau0")[0] for name in found} == set(DIRECTIONS) - {"MS_SWD_patch"}
    assert all(re.fullmatch(r"[\w.\- /]+", name) for name in found)
    assert all(math.isfinite(value) for value in found.values())

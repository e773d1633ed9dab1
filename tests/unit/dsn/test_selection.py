"""From scores to key frames."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.unit.dsn.selection_samples import scene
from versus.core.errors import DataError
from versus.experiments.dsn.data.sequences import FloatArray, IntArray
from versus.experiments.dsn.selection import SelectionConfig, select
from versus.experiments.dsn.selection.knapsack import best_segments, knapsack, pieces, spread
from versus.experiments.dsn.selection.peaks import above, top


def scores_of(*values: float) -> FloatArray:
    return np.array(values, dtype=float)


def frames(count: int, stride: int = 1) -> IntArray:
    return stride * np.arange(count)


# --- the best frames, apart -----------------------------------------------------------------------


def test_the_best_frames_suppress_their_neighbours() -> None:
    scores = scores_of(0, 5, 9, 8, 0, 0, 4, 3)
    assert top(scores, frames(8), 3, gap=0).tolist() == [1, 2, 3]
    assert top(scores, frames(8), 2, gap=2).tolist() == [2, 6]
    assert top(scores, frames(8), 3, gap=2).tolist() == [0, 2, 6]


def test_the_gap_counts_frames_of_the_file_and_not_rows() -> None:
    scores = scores_of(5, 9, 8, 1, 6)
    assert top(scores, frames(5, stride=3), 2, gap=3).tolist() == [1, 2]
    assert top(scores, frames(5, stride=3), 2, gap=4).tolist() == [1, 4]
    uneven = np.array([0, 2, 7, 9, 10])
    assert top(scores, uneven, 2, gap=5).tolist() == [1, 2]
    assert top(scores, uneven, 2, gap=8).tolist() == [1, 4]


def test_of_equal_scores_the_earlier_wins() -> None:
    assert top(np.ones(12), frames(12), 3, gap=4).tolist() == [0, 4, 8]


def test_a_short_scene_still_gives_the_whole_budget() -> None:
    scores = scores_of(0, 1, 2, 3, 4, 5)
    # With a gap of 8 row 5 stands alone, with 4 row 1 joins it, with 2 row 3.
    assert top(scores, frames(6), 3, gap=8).tolist() == [1, 3, 5]
    for count in range(8):
        assert len(top(scores, frames(6), count, gap=100)) == min(count, 6)


@given(st.data())
def test_no_choice_with_that_gap_is_better_at_any_step(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 25))
    scores = np.array(data.draw(st.lists(st.integers(0, 6), min_size=rows, max_size=rows)), float)
    picks = np.cumsum(data.draw(st.lists(st.integers(1, 4), min_size=rows, max_size=rows)))
    gap = data.draw(st.integers(0, 9))
    kept = above(scores, picks, -1.0, gap, most=rows).tolist()
    assert all(abs(int(picks[a] - picks[b])) >= gap for a, b in itertools.combinations(kept, 2))
    for row in set(range(rows)) - set(kept):
        rivals = [k for k in kept if abs(int(picks[k] - picks[row])) < gap]
        assert any((scores[k], -k) > (scores[row], -row) for k in rivals)


def test_scores_that_cannot_be_ordered_are_refused() -> None:
    with pytest.raises(DataError, match="2 of 3 scores are not finite"):
        top(scores_of(math.nan, 1, math.inf), frames(3), 2, gap=1)
    with pytest.raises(DataError, match="one per frame"):
        top(np.ones(3), frames(4), 2, gap=1)


def test_a_threshold_keeps_what_reaches_it_and_at_least_the_best() -> None:
    scores = scores_of(0.9, 0.8, 0.2, 0.5, 0.7, 0.1)
    assert above(scores, frames(6), 0.5, gap=2, most=9).tolist() == [0, 4]
    assert above(scores, frames(6), 0.5, gap=0, most=9).tolist() == [0, 1, 3, 4]
    assert above(scores, frames(6), 0.5, gap=0, most=3).tolist() == [0, 1, 4]
    assert above(scores, frames(6), 0.95, gap=2, most=9).tolist() == [0]


# --- the knapsack ---------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 12)), max_size=9), st.integers(0, 40))
def test_the_knapsack_is_as_good_as_the_best_of_all_subsets(
    items: list[tuple[int, int]], capacity: int
) -> None:
    values = np.array([v for v, _ in items], dtype=float)
    sizes = np.array([s for _, s in items], dtype=np.int64)
    chosen = knapsack(values, sizes, capacity)
    assert sizes[chosen].sum() <= capacity
    assert len(set(chosen.tolist())) == len(chosen)
    subsets = itertools.chain.from_iterable(
        itertools.combinations(range(len(items)), n) for n in range(len(items) + 1)
    )
    best = max(values[list(s)].sum() for s in subsets if sizes[list(s)].sum() <= capacity)
    assert values[chosen].sum() == best


def test_of_equally_good_choices_the_earlier_items_are_taken() -> None:
    assert knapsack(np.ones(4), np.array([2, 2, 2, 2]), 5).tolist() == [0, 1]
    assert knapsack(scores_of(1, 0, 2), np.array([1, 1, 1]), 3).tolist() == [0, 2]


def test_scores_hold_until_the_next_row() -> None:
    found = spread(scores_of(3, 7), np.array([2, 5]), 8)
    assert found.tolist() == [0, 0, 3, 3, 3, 7, 7, 7]


def test_segments_are_worth_their_mean_and_cost_their_length() -> None:
    scores = np.repeat(scores_of(0.9, 0.5, 0.6, 0.1), [15, 10, 5, 70])
    segments = [(0, 15), (15, 25), (25, 30), (30, 100)]
    # By mean, two short segments (0.5 + 0.6) beat the long one (0.9).
    assert best_segments(scores, segments, 0.15).tolist() == [1, 2]
    assert best_segments(scores, segments, 0.14).tolist() == [2]
    assert best_segments(scores, segments, 0.20).tolist() == [0, 2]


@given(st.integers(0, 50), st.integers(1, 300), st.integers(1, 80))
def test_pieces_are_equal_whole_and_short_enough(start: int, length: int, longest: int) -> None:
    found = pieces((start, start + length), longest)
    assert found[0][0] == start
    assert found[-1][1] == start + length
    assert all(a[1] == b[0] for a, b in itertools.pairwise(found))
    sizes = [end - begin for begin, end in found]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= longest
    assert len(found) == math.ceil(length / longest)


# --- videos ---------------------------------------------------------------------------------------


def test_every_scene_has_its_own_budget_and_cuts_do_not_suppress() -> None:
    scenes = [scene(50), scene(100, number=1, start=50)]
    scores = [np.zeros(50), np.zeros(100)]
    scores[0][49] = scores[1][0] = 1.0
    first, second = select(scenes, scores, SelectionConfig())
    assert len(first) == 3
    assert len(second) == 6
    assert 49 in first
    assert 0 in second
    assert np.diff(second).min() >= 6


def test_a_gap_in_seconds_follows_the_frame_rate() -> None:
    config = SelectionConfig(gap=0.5, gap_unit="seconds", ratio=0.2)
    scores = np.linspace(1, 2, 60)
    (rows,) = select([scene(60, stride=2)], [scores], config)
    # 12 rows are asked for; every sixth row is half a second later, so that is what comes first.
    assert {59, 53, 47, 41, 35, 29, 23, 17, 11, 5} <= set(rows.tolist())
    assert len(rows) == 12
    slow = scene(60)._replace(fps=2.0)
    (rows,) = select([slow], [scores], config)
    assert rows.tolist() == list(range(48, 60))


def test_a_summary_fills_its_share_of_the_video_and_no_more() -> None:
    scenes = [scene(100, stride=2, start=10), scene(200, number=1, start=210)]
    scores = [np.full(100, 0.1), np.full(200, 0.1)]
    # Pieces have 20 frames (10 rows of the first scene), and three of them fill 60 of 400 frames.
    scores[0][20:30], scores[1][:20], scores[1][180:] = 0.9, 0.8, 0.7
    config = SelectionConfig(method="knapsack", segment=0.84, share=0.15)
    first, second = select(scenes, scores, config)
    assert first.tolist() == list(range(20, 30))
    assert second.tolist() == [*range(20), *range(180, 200)]
    first, second = select(scenes, scores, config.model_copy(update={"share": 0.149}))
    assert first.tolist() == list(range(20, 30))
    assert second.tolist() == list(range(20))


def test_a_threshold_acts_in_every_scene() -> None:
    config = SelectionConfig(method="threshold", threshold=0.5, gap=2)
    scores = [np.array([0.9, 0.1, 0.6]), np.array([0.2, 0.3, 0.1])]
    found = select([scene(3), scene(3, number=1, start=3)], scores, config)
    assert [rows.tolist() for rows in found] == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("rows", "budget"), [(1, 1), (2, 2), (40, 3), (50, 3), (51, 4), (100, 6), (1000, 15)]
)
def test_the_budget_is_the_seeds(rows: int, budget: int) -> None:
    assert SelectionConfig().budget(rows) == budget


def test_bounds_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match="received least 5 and most 4"):
        SelectionConfig(least=5, most=4)

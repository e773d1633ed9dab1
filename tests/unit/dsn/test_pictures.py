"""What the pictures show, read from their artists."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from tests.unit.dsn.selection_samples import scene
from versus.core.drawing import Text
from versus.core.errors import DataError
from versus.experiments.dsn.data.sequences import Sequence
from versus.experiments.dsn.pictures import courses, levels, phases, precision_recall, rewards

TEXT = Text("title", "F1", "")


def lines(ax: Axes, label: str) -> list[tuple[list[float], list[float]]]:
    """Points of all lines of that label."""
    found = [line for line in ax.lines if line.get_label() == label]
    return [
        (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist())
        for line in found
    ]


def labels(ax: Axes) -> set[str]:
    return {str(label) for label in ax.get_legend_handles_labels()[1]}


# --- courses --------------------------------------------------------------------------------------


def two_scenes() -> list[Sequence]:
    return [
        scene(20, keys=(10,), holds=((8, 13),)),
        scene(10, number=1, start=20, stride=3, keys=(35,)),
    ]


def test_a_course_shows_scores_keys_holds_cuts_and_hits() -> None:
    scores = [np.arange(20.0), np.arange(10.0) - 5]
    rows = [np.array([9, 18]), np.array([5])]
    one = courses.course(two_scenes(), scores, rows)
    assert one.hits == (True, False, True)
    assert one.chosen.tolist() == [9, 18, 25]
    (ax,) = courses.draw([one], "title").axes
    ((x, y),) = lines(ax, "score")
    assert x[:20] == list(range(20))
    assert np.isnan([x[20], y[20]]).all()
    assert x[21:] == [20 + 3 * n for n in range(10)]
    assert y[21:] == [n - 5 for n in range(10)]
    assert lines(ax, courses.HIT) == [([9, 35], [9, 0])]
    assert lines(ax, courses.MISSED) == [([18], [18])]
    ((keys, _),) = lines(ax, courses.KEY)
    assert keys == [10, 35]
    assert lines(ax, courses.CUT) == [([19.5, 19.5], [0, 1])]
    (hold,) = [patch for patch in ax.patches if patch.get_label() == courses.HOLD]
    box: Any = hold
    assert (box.get_x(), box.get_width()) == (7.5, 5)
    assert ax.get_xlabel() == "frame (24 per second)"


def test_without_truth_there_are_neither_hits_nor_misses() -> None:
    one = scene(20)._replace(video="a_$b$.mp4")
    own = courses.course([one], [np.zeros(20)], [np.array([4])])
    assert own.keys is None
    (ax,) = courses.draw([own], "title").axes
    assert labels(ax) == {"score", courses.CHOSEN}
    assert lines(ax, courses.CHOSEN) == [([4], [0])]
    assert ax.get_title() == r"a_\$b\$.mp4"
    low, high = ax.get_ylim()
    assert low < 0 < high


def test_names_are_shown_as_far_as_they_can_be() -> None:
    own = courses.course([scene(20)], [np.zeros(20)], [np.array([4])])
    many = [own._replace(video=name) for name in ("a\nb\udcff", "x" * 300)]
    first, second = courses.draw(many, "title").axes
    assert first.get_title() == "a?b?"
    assert second.get_title() == "x" * 89 + "…"


def test_every_video_has_its_panel() -> None:
    many = [
        courses.course([scene(20, video=name)], [np.zeros(20)], [np.array([4])]) for name in "abc"
    ]
    assert [ax.get_title() for ax in courses.draw(many, "title").axes] == list("abc")


# --- variants -------------------------------------------------------------------------------------


def test_levels_are_ordered_and_tell_rules_from_what_learns() -> None:
    table = pd.DataFrame(
        {"mean": [0.3, 0.7, 0.5], "low": [0.2, 0.6, np.nan], "high": [0.45, 0.75, np.nan]},
        index=["uniform", "advanced", "holds"],
    )
    (ax,) = levels.draw(table, TEXT, {"uniform", "holds"}, reference="holds").axes
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["advanced", "holds", "uniform"]
    assert lines(ax, levels.LEARNT) == [([0.7], [0])]
    assert lines(ax, levels.RULE) == [([0.5], [1]), ([0.3], [2])]
    assert lines(ax, "mean of holds") == [([0.5, 0.5], [0, 1])]
    spans = [
        np.asarray(line.get_xdata()).tolist() for line in ax.lines if line.get_linewidth() == 1.8
    ]
    assert spans[0] == [0.6, 0.75]
    assert spans[2] == [0.2, 0.45]
    bottom, top = ax.get_ylim()
    assert bottom > top  # the best is above


def test_points_of_precision_and_recall_and_lines_of_equal_f1() -> None:
    table = pd.DataFrame({"precision": [0.9, 0.2], "recall": [0.4, 0.6]}, index=["net", "uniform"])
    (ax,) = precision_recall.draw(table, {"uniform"}).axes
    assert lines(ax, "net") == [([0.4], [0.9])]
    assert lines(ax, "uniform") == [([0.6], [0.2])]
    faces = {str(line.get_label()): line.get_markerfacecolor() for line in ax.lines}
    assert faces["uniform"] == "white" != faces["net"]
    curves = [line for line in ax.lines if len(np.asarray(line.get_xdata())) == 100]
    for line, level in zip(curves, precision_recall.LEVELS, strict=True):
        recall, precision = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        assert 2 * recall * precision / (recall + precision) == pytest.approx(level)
        assert max(recall.max(), precision.max()) == pytest.approx(1)


def test_phases_fill_the_bars() -> None:
    table = pd.DataFrame(
        {"key": [0.5, 0.1], "hold": [0.3, 0.2], "tween": [0.2, 0.7]},
        index=["net", phases.EVERY],
    )
    (ax,) = phases.draw(table).axes
    bars: list[Any] = list(ax.patches)
    found = {
        (to_hex(bar.get_facecolor()).upper(), round(bar.get_y() + bar.get_height() / 2)): (
            round(bar.get_x(), 9),
            round(bar.get_width(), 9),
        )
        for bar in bars
    }
    assert found == {
        (phases.COLOURS["key"], 0): (0, 0.5),
        (phases.COLOURS["hold"], 0): (0.5, 0.3),
        (phases.COLOURS["tween"], 0): (0.8, 0.2),
        (phases.COLOURS["key"], 1): (0, 0.1),
        (phases.COLOURS["hold"], 1): (0.1, 0.2),
        (phases.COLOURS["tween"], 1): (0.3, 0.7),
    }
    assert {text.get_text() for text in ax.texts} == {"50%", "30%", "20%", "10%", "70%"}


# --- courses of training --------------------------------------------------------------------------


def runs(epochs: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"variant": variant, "seed": seed, "epoch": epoch, "train/loss": 1.0}
        | {"reward/div": epoch + 10.0 * seed, "reward/rep": -float(epoch)}
        for variant in ("net", "other")
        for seed in (0, 2)
        for epoch in range(epochs)
    )


def test_every_term_has_a_panel_and_every_variant_a_line() -> None:
    figure = rewards.draw(runs(5))
    assert [ax.get_title() for ax in figure.axes] == ["div", "rep"]
    div, rep = figure.axes
    assert lines(div, "net") == [([0, 1, 2, 3, 4], [10, 11, 12, 13, 14])]  # over seeds 0 and 2
    assert lines(rep, "other") == [([0, 1, 2, 3, 4], [0, -1, -2, -3, -4])]
    assert div.get_xlabel() == "epoch"


def test_many_epochs_are_drawn_as_means_of_blocks() -> None:
    figure = rewards.draw(runs(90))
    ((x, y),) = lines(figure.axes[1], "net")
    assert x == [1 + 3 * n for n in range(30)]
    assert y == pytest.approx([-1 - 3 * n for n in range(30)])
    assert figure.axes[0].get_xlabel() == "epoch (a point: the mean of up to 3)"


def test_a_term_that_only_one_variant_has_is_drawn_for_that_one() -> None:
    table = runs(4)
    table.loc[table["variant"] == "other", "reward/div"] = np.nan
    div, rep = rewards.draw(table).axes
    assert len(lines(div, "net")) == len(lines(rep, "other")) == 1
    assert not lines(div, "other")


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(DataError, match="no rows"):
        rewards.draw(runs(5).drop(columns=["reward/div", "reward/rep"]))
    with pytest.raises(DataError, match="no rows"):
        rewards.draw(runs(1))

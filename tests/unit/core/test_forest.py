"""Charts with a row per condition, read back from their artists."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from versus.core import drawing, forest
from versus.core.drawing import Text
from versus.core.errors import DataError

TEXT = Text("title", "x", "y")


def entry(variant: str, metric: str, outcome: str | None = "better", **changes: Any) -> Any:
    base = {"variant": variant, "baseline": "delta", "metric": metric, "outcome": outcome}
    return {**base, "difference": -2.0, "ci": [-3.0, -1.0], "pairs": 8, **changes}


def labels(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def markers(ax: Axes) -> list[Any]:
    return [line for line in ax.lines if line.get_marker() == "o"]


def legend(ax: Axes) -> tuple[list[Any], list[str]]:
    handles, names = ax.get_legend_handles_labels()
    return list(handles), names


def notes(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_colour_and_filling_tell_the_outcome_and_scale_divides() -> None:
    rows = [entry("a", "loss"), entry("b", "loss", "undecided"), entry("c", "loss", "worse")]
    figure = forest.forest(rows, text=TEXT, scale={("loss", "delta"): 4.0})
    (ax,) = figure.axes
    points = markers(ax)
    assert [np.asarray(point.get_xdata()).item() for point in points] == [-0.5] * 3
    assert [point.get_markerfacecolor() == "white" for point in points] == [False, True, False]
    assert [point.get_color() for point in points] == [
        forest.OUTCOMES[outcome] for outcome in ("better", "undecided", "worse")
    ]
    assert np.asarray(ax.lines[0].get_xdata()).tolist() == [-0.75, -0.25]
    assert labels(ax) == ["a", "b", "c"]
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == ["better", "undecided", "worse"]


def test_panels_are_variants_and_rows_metrics_where_metrics_are_more() -> None:
    figure = forest.forest([entry(v, m) for v in "ab" for m in "xyz"], text=TEXT)
    assert [ax.get_title() for ax in figure.axes] == ["a", "b"]
    assert labels(figure.axes[0]) == ["x", "y", "z"]
    assert [np.asarray(p.get_ydata()).item() for p in markers(figure.axes[1])] == [0, 1, 2]


def test_panels_are_metrics_where_variants_are_more() -> None:
    figure = forest.forest([entry(v, m) for m in "xy" for v in "abc"], text=TEXT)
    assert [ax.get_title() for ax in figure.axes] == ["x", "y"]
    assert labels(figure.axes[0]) == ["a", "b", "c"]


def test_all_panels_share_one_axis() -> None:
    rows = [entry("a", "x"), entry("b", "x", difference=5.0, ci=[4.0, 6.0])]
    rows += [entry(v, m) for v in "ab" for m in "yz"]
    figure = forest.forest(rows, text=TEXT)
    assert len({ax.get_xlim() for ax in figure.axes}) == 1
    assert figure.axes[0].get_xscale() == "linear"


def test_a_variant_about_to_diverge_does_not_squeeze_the_others() -> None:
    rows = [entry("a", m) for m in "xyz"] + [entry("b", "x", difference=9e5, ci=[-2e6, 3e6])]
    figure = forest.forest(rows, text=TEXT)
    assert {ax.get_xscale() for ax in figure.axes} == {"symlog"}


def test_lost_pairs_are_noted() -> None:
    rows = [
        entry("a", "x", pairs=6),
        entry("b", "x", difference=None, ci=None, pairs=0, outcome="worse"),
        entry("c", "x", ci=None, pairs=1),
        entry("d", "x"),
    ]
    figure = forest.forest(rows, text=TEXT, seeds=8)
    assert notes(figure) == [f"{n} of 8 pairs diverged" for n in (2, 8, 7)]
    assert len(markers(figure.axes[0])) == 3
    assert notes(forest.forest(rows[1:2], text=TEXT)) == ["diverged"]


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(DataError, match="no comparison"):
        forest.forest([], text=TEXT)
    with pytest.raises(DataError, match="no rows"):
        forest.dots(runs(), {}, text=TEXT)


def runs() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "variant": ["b"] * 4 + ["a"] * 4,
            "seed": [0, 1, 2, 3] * 2,
            "p": [1.0, 2, 3, 2, 5, 6, 7, np.inf],
            "q": [1.0] * 8,
        }
    )


def test_baseline_means_skip_diverged_runs_and_need_positive_means() -> None:
    rows = [entry("b", "p", baseline="a"), entry("b", "q", baseline="a")]
    assert forest.baseline_means(runs(), rows) == {("p", "a"): 6.0, ("q", "a"): 1.0}
    assert forest.baseline_means(runs().assign(q=-1.0), rows) == {}


def test_dots_show_means_levels_and_diverged_runs() -> None:
    figure = forest.dots(
        runs(), {"p": "first", "q": "second"}, text=TEXT, levels={"p": 0.5}, level_name="theory"
    )
    (ax,) = figure.axes
    handles, names = legend(ax)
    assert sorted(set(names)) == ["a", "b", "closed form: theory"]
    middles = [
        np.asarray(handle.lines[0].get_xdata()).item()
        for handle, name in zip(handles, names, strict=True)
        if name in "ab"
    ]
    assert middles == [2, 6, 1, 1]
    theory = handles[names.index("closed form: theory")]
    assert list(theory.get_xdata()) == [0.5, 0.5]
    assert labels(ax) == ["first", "second"]
    assert notes(figure) == ["1 diverged"]


def test_dots_of_wide_values_are_logarithmic() -> None:
    table = runs().assign(q=0.01)
    (ax,) = forest.dots(table, {"p": "p", "q": "q"}, text=TEXT, reference=1).axes
    assert ax.get_xscale() == "log"
    low, high = ax.get_xlim()
    assert low < 0.01 < 7 < high
    assert drawing.is_wide([0.01, 7])

"""What the figures show, read back from their artists; and the files they become."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scipy import stats

from versus.core import drawing, plots
from versus.core.drawing import Curve, Text
from versus.core.errors import DataError

TEXT = Text("title", "x", "y")


def runs() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {"name": name, "n": n, "seed": seed, "error": generator.normal(level / n, 0.001)}
            for name, level in (("delta", 2.0), ("omega", 1.0))
            for n in (10, 20, 40)
            for seed in range(5)
        ]
    )


def lines(table: pd.DataFrame, **options: Any) -> Figure:
    return plots.lines_with_interval(table, x="n", y="error", series="name", text=TEXT, **options)


def labelled(figure: Figure) -> dict[str, Any]:
    return {
        label: handle
        for ax in figure.axes
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }


def notes(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_summary_matches_scipy_and_counts_diverged() -> None:
    table = pd.DataFrame(
        {"k": [1] * 6 + [2] * 2 + [3], "v": [1, 2, 4, 8, np.nan, np.inf, 5, np.nan, np.nan]}
    )
    summary = drawing.summarise(table, "k", "v")
    values = [1, 2, 4, 8]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    expected = [[3.75, low, high, 4, 2], [5, 5, 5, 1, 1], [np.nan] * 3 + [0, 1]]
    assert summary.to_numpy() == pytest.approx(np.array(expected), nan_ok=True)


def test_lines_show_means_and_closed_forms() -> None:
    table = runs()
    figure = lines(table, curves={"": [Curve("theory", [10, 40], [0.1, 0.02])]})
    shown = labelled(figure)
    assert list(shown) == ["delta", "omega", "closed form: theory"]
    expected = table[table.name == "omega"].groupby("n").error.mean()
    assert shown["omega"].get_ydata() == pytest.approx(expected.to_numpy())
    assert shown["closed form: theory"].get_ydata() == pytest.approx([0.1, 0.02])
    assert [t.get_text() for t in figure.legends[0].get_texts()] == list(shown)


def test_diverged_runs_are_noted_and_not_averaged() -> None:
    table = runs()
    table.loc[(table.name == "omega") & (table.n == 20) & (table.seed < 2), "error"] = np.nan
    table.loc[(table.name == "omega") & (table.n == 40), "error"] = np.inf
    figure = lines(table)
    assert notes(figure) == ["2 diverged", "5 diverged"]
    kept = table[(table.name == "omega") & (table.n == 20) & (table.seed >= 2)].error.mean()
    assert labelled(figure)["omega"].get_xydata()[1] == pytest.approx([20, kept])
    assert len(labelled(figure)["omega"].get_xdata()) == 2


def test_colours_follow_the_order_given_not_what_is_present() -> None:
    order = ["delta", "omega", "rls"]
    table = runs()
    alone = labelled(lines(table[table.name == "omega"], order=order))["omega"].get_color()
    assert alone == labelled(lines(table, order=order))["omega"].get_color()
    assert alone == drawing.colours(order)["omega"]
    assert len(set(drawing.colours("abcdefgh").values())) == 8


def test_lines_that_coincide_still_differ() -> None:
    shown = labelled(lines(runs()))
    looks = {(line.get_linestyle(), line.get_marker()) for line in shown.values()}
    assert len(looks) == 2


def test_facets_and_dashes() -> None:
    table = pd.concat([runs().assign(d=8), runs().assign(d=16)])
    figure = lines(table, facet="d")
    assert [ax.get_title() for ax in figure.axes] == ["8", "16"]
    both = labelled(lines(table, dash="d"))
    assert list(both) == ["delta, d = 8", "delta, d = 16", "omega, d = 8", "omega, d = 16"]
    assert both["delta, d = 8"].get_color() == both["delta, d = 16"].get_color()
    assert both["delta, d = 8"].get_linestyle() != both["delta, d = 16"].get_linestyle()


@pytest.mark.parametrize(
    ("values", "wide"),
    [
        ([1, 5], False),
        ([0.001, 1], True),
        ([0, 100], False),
        ([np.nan, 1, np.inf], False),
        ([], False),
    ],
)
def test_wide_values(values: list[float], wide: bool) -> None:
    assert drawing.is_wide(values) is wide


def test_axes_are_logarithmic_where_values_are_wide() -> None:
    table = runs()
    table["error"] *= 10.0 ** (table["n"] / 10)
    table["n"] = table["n"].map({10: 0, 20: 0.001, 40: 1})
    (ax,) = lines(table).axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("symlog", "log")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "0.001", "1"]
    assert lines(runs().assign(n=5.0)).axes[0].get_xscale() == "linear"
    assert lines(table, linear=True).axes[0].get_yscale() == "linear"


def test_short_logarithmic_axes_have_plain_numbers() -> None:
    table = runs()
    table["error"] = table["n"] * np.where(table["name"] == "delta", 1.0, 20.0)
    (ax,) = lines(table).axes
    labels = {label.get_text() for label in ax.get_yticklabels()}
    assert {"10", "20", "50", "100", "200", "500"} <= labels


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (3, (1, 3)), (4, (2, 2)), (7, (3, 3))])
def test_panels_stand_in_a_grid(count: int, shape: tuple[int, int]) -> None:
    figure, axes = drawing.panels(count, TEXT)
    assert (len(figure.axes), len(axes)) == (count, count)
    grid = axes[0].get_subplotspec()
    assert grid is not None
    assert grid.get_gridspec().get_geometry() == shape


def test_boxes_keep_the_colours_of_the_order_and_leave_no_gaps() -> None:
    table = pd.DataFrame({"name": ["a", "c"], "pair": [0, 0], "error": [1.0, 2.0]})
    figure = plots.paired_boxes(
        table, y="error", series="name", pair="pair", text=TEXT, order=["a", "b", "c"]
    )
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "c"]
    faces = [to_hex(patch.get_facecolor()).upper() for patch in ax.patches]
    assert faces == [drawing.PALETTE[0], drawing.PALETTE[2]]


def test_boxes_join_pairs_and_count_diverged() -> None:
    table = pd.DataFrame(
        {
            "name": ["a", "b"] * 3,
            "pair": [0, 0, 1, 1, 2, 2],
            "error": [1.0, 2.0, 3.0, 4.0, 5.0, np.nan],
        }
    )
    level = {"": [Curve("floor", [], [0.5])]}
    figure = plots.paired_boxes(
        table, y="error", series="name", pair="pair", text=TEXT, curves=level
    )
    (ax,) = figure.axes
    joined = [np.asarray(line.get_ydata()) for line in ax.lines[:3]]
    assert np.array(joined[:2]) == pytest.approx(np.array([[1, 2], [3, 4]]))
    assert np.isnan(joined[2][1])
    assert notes(figure) == ["1 diverged"]
    assert labelled(figure)["closed form: floor"].get_ydata() == pytest.approx([0.5, 0.5])


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(DataError, match="no rows"):
        lines(runs()[:0])


def test_files_are_png_with_equal_bytes(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    paths = [drawing.save(lines(runs()), tmp_path / name / "a.png") for name in "xy"]
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert first.startswith(b"\x89PNG")
    assert b"Software" not in first
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["a.png"]
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    "labels", [["a"], ["a"] * 9, ["long label"] * 5, ["label"] * 4 + ["x" * 44], ["a", "x" * 70]]
)
def test_legend_stays_in_the_figure_and_off_the_axes(tmp_path: Path, labels: list[str]) -> None:
    table = pd.concat([runs()[:15].assign(name=f"{i}{text}") for i, text in enumerate(labels)])
    figure = lines(table)
    drawing.save(figure, tmp_path / "legend.png")
    legend, axes = figure.legends[0].get_window_extent(), figure.axes[0].get_window_extent()
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.x1
    assert legend.y1 <= axes.y0
    assert axes.height > 150

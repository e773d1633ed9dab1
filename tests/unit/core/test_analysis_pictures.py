"""What the pictures of the analysis tools show, read back from their artists, and their files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.unit.core.analysis_samples import VARIANTS, write_work_folder
from versus.core.analysis import convergence, looks, metric_plot, sources, tools
from versus.core.analysis.request import COMMON, Request
from versus.core.arguments import parse
from versus.core.display import Display
from versus.core.errors import ConfigError, DataError

METRICS = ["--metrics", "test/accuracy", "test/loss", "train/loss"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> sources.Recorded:
    work = write_work_folder(tmp_path_factory.mktemp("project"))
    return sources.find("memory", str(work))


def request_of(source: sources.Source, tool: str, *words: str) -> Request:
    options, _ = parse(tool, "", words, *tools.find(tool).load().OPTIONS, *COMMON)
    return Request(tool, "memory", source, options, Display(quiet=True))


def plotted(source: sources.Source, *words: str) -> Figure:
    request = request_of(source, "metric_plot", *words)
    metrics = request.metrics()
    return metric_plot.draw(request, metrics, request.table(metrics, smooth=False))


def heading(figure: Figure) -> str:
    return str(figure.get_suptitle())


def data(line: Any) -> tuple[list[float], list[float]]:
    return list(line.get_xdata()), list(line.get_ydata())


def titles(figure: Figure) -> list[str]:
    return [ax.get_title() for ax in figure.axes]


def labels(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_layouts_have_a_panel_per_metric_or_per_variant(source: sources.Recorded) -> None:
    wanted = METRICS[1:]
    for words in ([], ["--layout", "grid"], ["--layout", "grid", "--group-by", "metric"]):
        figure = plotted(source, *METRICS, *words)
        assert titles(figure) == wanted
        assert labels(figure) == list(VARIANTS)
    figure = plotted(source, *METRICS, "--layout", "grid", "--group-by", "strategy")
    assert titles(figure) == list(VARIANTS)
    assert labels(figure) == wanted


def lines(figure: Figure, panel: int = 0) -> dict[str, Any]:
    found = figure.axes[panel].get_lines()
    return {str(line.get_label()): line for line in found if str(line.get_label())[0] != "_"}


def test_lines_are_means_over_seeds_with_a_colour_per_variant(source: sources.Recorded) -> None:
    figure = plotted(source, *METRICS)
    drawn = lines(figure)
    assert len({to_hex(line.get_color()) for line in drawn.values()}) == len(VARIANTS)
    table = source.table(["test/accuracy"])
    means = table[table["variant"] == "stride"].groupby("epoch")["value"].mean()
    assert drawn["stride"].get_xdata().tolist() == means.index.tolist()
    assert drawn["stride"].get_ydata().tolist() == pytest.approx(means.tolist())
    assert len(figure.axes[0].collections) == len(VARIANTS)  # a band each
    assert "mean of 3 seeds, band: min to max" in heading(figure)


def test_seeds_range_and_axis_are_as_asked(source: sources.Recorded) -> None:
    every = plotted(source, *METRICS, "--seeds", "all", "--variants", "stride")
    assert len(every.axes[0].get_lines()) == 3
    drawn = {to_hex(line.get_color()) for line in every.axes[0].get_lines()}
    assert drawn == {looks.DARK.palette[1].lower()}  # as among all variants
    one = plotted(source, *METRICS, "--seeds", "1", "--range", "10", "20", "--over", "epoch")
    assert data(lines(one)["target"])[0] == list(range(10, 21))
    steps = plotted(source, *METRICS, "--over", "step", "--log-scale", "--log-x")
    assert steps.axes[0].get_xlabel() == "step"
    assert steps.axes[0].get_yscale() == steps.axes[0].get_xscale() == "log"


def test_normalised_metrics_run_from_0_to_1_and_panels_can_share_their_axis(
    source: sources.Recorded,
) -> None:
    figure = plotted(source, *METRICS, "--normalize", "--seeds", "all", "--share-y")
    values = [value for line in figure.axes[1].get_lines() for value in data(line)[1]]
    assert (min(values), max(values)) == (0, 1)
    assert len({ax.get_ylim() for ax in figure.axes}) == 1


def test_a_diverged_seed_is_named_and_its_variant_dotted_from_there(tmp_path: Path) -> None:
    work = write_work_folder(tmp_path, seeds=2, epochs=6, variants=("random",))
    path = work / "stacks" / "0000" / "metrics.jsonl"
    rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    rows[7:] = [
        row.replace(row[row.index('"train/loss": ') :].split(",")[0], '"train/loss": null')
        if '"seed": 1' in row
        else row
        for row in rows[7:]
    ]
    path.write_text("".join(rows), encoding="utf-8")
    figure = plotted(sources.find("memory", str(work)), "--metrics", "train/loss")
    assert labels(figure) == ["random (1 of 2 diverged)"]
    solid, rest = figure.axes[0].get_lines()
    assert (data(solid)[0][-1], data(rest)[0]) == (3, [3, 4, 5, 6])


def test_censored_runs_stand_apart_from_converged_ones(source: sources.Recorded) -> None:
    request = request_of(source, "convergence", *METRICS[:2], "--threshold", "0.9")
    table = request.table(["test/accuracy"])
    found = convergence.crossings(table, 0.9, "above", 3)
    reached = found[np.isfinite(found["at"])]
    assert set(reached["variant"]) == {"stride", "fixed-random"}
    figure = convergence.draw(request, found, "epoch", "≥")
    triangles = [line for line in figure.axes[0].get_lines() if line.get_marker() == ">"]
    assert [data(line)[0] for line in triangles] == [[60] * 3, [60] * 3]


def test_styles_differ_and_their_colours_are_distinct() -> None:
    dark, paper = looks.DARK, looks.PAPER
    assert dark.settings["figure.facecolor"] == "#282C34"
    assert len(set(dark.palette)) == 10
    wong = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    assert set(paper.palette) == wong
    names = [str(i) for i in range(20)]
    looked = {(paper.colours(names)[n], str(paper.dashes(names)[n])) for n in names}
    assert len(looked) == 20


def test_equal_pictures_are_equal_files_and_an_unwritable_place_leaves_nothing(
    source: sources.Recorded, tmp_path: Path
) -> None:
    for ending in ("png", "svg"):
        files = []
        for name in ("a", "b"):
            figure = plotted(source, *METRICS[:2], "--style", "paper")
            files.append(looks.save(figure, tmp_path / f"{name}.{ending}", looks.PAPER, 40))
        assert files[0].read_bytes() == files[1].read_bytes()
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be written"):
        looks.save(figure, tmp_path / "file" / "c.png", looks.PAPER, 40)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.png",
        "a.svg",
        "b.png",
        "b.svg",
        "file",
    ]


def test_file_names_hold_view_and_metrics_and_stay_short(source: sources.Recorded) -> None:
    request = request_of(source, "metric_plot", "--out", "o")
    assert request.path("overlay", ["train/loss"]) == Path("o/overlay_train-loss.png")
    many = [f"norms/norm_layers.{i}.attention.weight" for i in range(30)]
    assert len(request.path("overlay", many).name) < 120
    assert request.path("overlay", many) != request.path("overlay", many[::-1])


def test_too_many_panels_are_refused(source: sources.Recorded) -> None:
    request = request_of(source, "metric_plot", "--metrics", "*")
    metrics = request.metrics() * 2
    with pytest.raises(ConfigError, match="more than 36"):
        metric_plot.draw(request, metrics, request.table(metrics))


def test_nothing_finite_is_drawn_without_complaint(tmp_path: Path) -> None:
    work = write_work_folder(tmp_path, seeds=1, epochs=3, variants=("random",))
    path = work / "stacks" / "0000" / "metrics.jsonl"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"metrics": {', '"metrics": {"bad": null, '), encoding="utf-8")
    figure = plotted(sources.find("memory", str(work)), "--metrics", "bad", "--log-scale")
    assert labels(figure) == ["random (1 of 1 diverged)"]
    assert data(figure.axes[0].get_lines()[0]) == ([], [])

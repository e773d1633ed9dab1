"""Which runs a figure of the memory experiment shows, and its closed forms against simulation."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from versus.core import comparison, drawing
from versus.core.errors import DataError
from versus.core.paths import write_json
from versus.core.tables import write_table
from versus.experiments.memory import naive, oracle_curves, results
from versus.experiments.memory.config import Comparison, DataConfig
from versus.experiments.memory.data import scenarios
from versus.experiments.memory.outputs import plots as plots_of
from versus.experiments.memory.pictures import plot_csv
from versus.experiments.memory.rules import RuleSettings
from versus.experiments.memory.study_pictures import plot_comparison, plot_recall

DIM = 12
FLOOR = "closed form: least squares after n pairs"
LEVEL = "closed form: least squares on all pairs"


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """Figures by file stem, instead of files."""
    caught: dict[str, Figure] = {}

    def keep(figure: Figure, path: Path) -> Path:
        caught[path.stem] = figure
        return path

    monkeypatch.setattr(drawing, "save", keep)
    return caught


def shown(figure: Figure, panel: int = 0) -> dict[str, Any]:
    handles, labels = figure.axes[panel].get_legend_handles_labels()
    return dict(zip(labels, handles, strict=True))


def title(figure: Figure) -> str:
    return figure.get_suptitle()


def synthetic(**changes: list[Any]) -> pd.DataFrame:
    """A full grid whose MSE is a known function of its settings."""
    axes: dict[str, list[Any]] = {
        "mem_size": [8], "dim": [4], "window": [5, 20], "steps": [100, 200], "lr": [0.1, 0.2],
        "reg": [0.0], "seed": [0, 1, 2], "updater": ["Delta", "Omega"],
    }  # fmt: skip
    axes |= changes
    table = pd.DataFrame(list(itertools.product(*axes.values())), columns=list(axes))
    rank = table["window"] / 5 + 10 * table["lr"] + table["seed"] / 10
    return table.assign(
        mse_mean=rank * 100 / table["steps"] * np.where(table["updater"] == "Omega", 0.5, 1.0),
        cos_mean=0.9,
        update_time_s=0.1,
        mem_norm_change=1.0,
    )


def test_files(tmp_path: Path) -> None:
    written = plot_csv(synthetic(), tmp_path)
    names = ["mse_vs_n", "one_minus_cosine_vs_n", "mse_paired", "mse_vs_window", "mse_vs_lr"]
    assert [path.name for path in written] == [f"{name}.png" for name in names]
    assert sorted(tmp_path.iterdir()) == sorted(written)


def test_against_n_shows_the_best_setting_and_says_so(figures: dict[str, Figure]) -> None:
    plot_csv(synthetic(), Path())
    lines = shown(figures["mse_vs_n"])
    assert list(lines) == ["Delta", "Omega"]
    assert lines["Delta"].get_ydata() == pytest.approx([2.1, 1.05])
    assert lines["Omega"].get_ydata() == pytest.approx([1.05, 0.525])
    assert "best window, lr of each updater, chosen on these seeds" in title(figures["mse_vs_n"])
    cosine = shown(figures["one_minus_cosine_vs_n"])["Delta"]
    assert cosine.get_ydata() == pytest.approx([0.1, 0.1])


def test_nothing_is_said_of_choice_where_there_was_none(figures: dict[str, Figure]) -> None:
    plot_csv(synthetic(window=[5], lr=[0.1]), Path())
    assert "best" not in title(figures["mse_vs_n"])
    assert set(figures) == {"mse_vs_n", "one_minus_cosine_vs_n", "mse_paired"}


def test_sensitivity_has_a_line_per_updater_and_n(figures: dict[str, Figure]) -> None:
    plot_csv(synthetic(), Path())
    lines = shown(figures["mse_vs_window"])
    assert list(lines) == [f"{u}, n = {n}" for u in ("Delta", "Omega") for n in (100, 200)]
    assert lines["Delta, n = 100"].get_xydata() == pytest.approx(np.array([[5, 2.1], [20, 5.1]]))
    assert "best lr of each updater" in title(figures["mse_vs_window"])


def test_tasks_are_panels_and_never_averaged(figures: dict[str, Figure]) -> None:
    table = synthetic(mem_size=[8, 16])
    table.loc[table["mem_size"] == 16, "mse_mean"] *= 10
    plot_csv(table, Path())
    figure = figures["mse_vs_n"]
    assert [ax.get_title() for ax in figure.axes] == ["rows = 8", "rows = 16"]
    assert shown(figure, 1)["Delta"].get_ydata() == pytest.approx([21, 10.5])
    plot_csv(synthetic(), Path(), task=("window",))
    assert [ax.get_title() for ax in figures["mse_vs_n"].axes] == ["window = 5", "window = 20"]


def test_repeated_rows_do_not_narrow_the_interval(figures: dict[str, Figure]) -> None:
    bands = []
    for table in (synthetic(), pd.concat([synthetic()] * 3)):
        plot_csv(table, Path())
        bands.append(figures["mse_vs_n"].axes[0].collections[0].get_paths()[0].vertices)
    assert bands[0] == pytest.approx(bands[1])


def test_pairs_are_equal_settings_and_seed(figures: dict[str, Figure]) -> None:
    plot_csv(synthetic(), Path())
    figure = figures["mse_paired"]
    assert [ax.get_title() for ax in figure.axes] == ["n = 100", "n = 200"]
    joined = [np.asarray(line.get_ydata()) for line in figure.axes[0].lines[:12]]
    assert [pair[1] / pair[0] for pair in joined] == pytest.approx([0.5] * 12)


def test_diverged_runs_lose_the_choice_and_are_counted(figures: dict[str, Figure]) -> None:
    table = synthetic()
    best = (table["window"] == 5) & (table["lr"] == 0.1) & (table["updater"] == "Omega")
    table["diverged"] = best & (table["seed"] == 1)
    plot_csv(table, Path())
    assert shown(figures["mse_vs_n"])["Omega"].get_ydata()[0] == pytest.approx(0.5 * 3.1)
    assert [note.get_text() for note in figures["mse_paired"].axes[0].texts] == ["1 diverged"]


def test_empty_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows"):
        plot_csv(synthetic()[:0], tmp_path)


def simulated(updater: str, **settings: Any) -> pd.DataFrame:
    rows = []
    for seed in range(8):
        stream = scenarios.generate("linear", steps=300, dim=DIM, rows=16, seed=seed)
        keys, values = torch.from_numpy(stream.keys), torch.from_numpy(stream.values)
        predictions = naive.run(RuleSettings(updater, **settings), keys, values).predictions
        error = ((predictions - values) ** 2).mean(1)
        for steps in (150, 300):
            row = {"mem_size": 16, "dim": DIM, "window": 5, "lr": 0.5, "reg": 0.0, **settings}
            row |= {"steps": steps, "seed": seed, "updater": updater, "cos_mean": 0.5}
            rows.append({**row, "mse_mean": float(error[:steps].mean())})
    return pd.DataFrame(rows)


def test_closed_form_of_delta_meets_simulation(figures: dict[str, Figure]) -> None:
    table = pd.concat([simulated("Delta", lr=lr) for lr in (0.2, 0.8)])
    plot_csv(table, Path(), noise=0.1, keys="unit")
    lines = shown(figures["mse_vs_n"])
    theory = lines["closed form: Delta"].get_ydata()
    assert lines["Delta"].get_ydata() == pytest.approx(np.array(theory), rel=0.06)
    curve = shown(figures["mse_vs_lr"])["closed form: Delta without decay, n = 300"]
    measured = table[(table["lr"] == 0.2) & (table["steps"] == 300)]["mse_mean"].mean()
    assert curve.get_ydata()[0] == pytest.approx(measured, rel=0.06)


def test_closed_form_of_the_window_meets_simulation(figures: dict[str, Figure]) -> None:
    table = pd.concat([simulated("OmegaRidge", window=c) for c in (3, 6)])
    table = pd.concat([table, table[table["window"] == 6].assign(window=20)])
    plot_csv(table, Path(), noise=0.1, keys="unit")
    curve = shown(figures["mse_vs_window"])[
        "closed form: least squares on the window, n = 300"
    ].get_xydata()
    for window in (3, 6):
        chosen = table[(table["window"] == window) & (table["steps"] == 300)]
        error = curve[curve[:, 0] == window][0, 1]
        assert error == pytest.approx(chosen["mse_mean"].mean(), rel=0.06)
    assert np.isnan(curve[curve[:, 0] == DIM]).any()


@pytest.mark.parametrize("options", [{}, {"noise": 0.1}, {"keys": "unit"}])
def test_closed_forms_only_where_noise_and_keys_are_known(
    figures: dict[str, Figure], options: dict[str, Any]
) -> None:
    plot_csv(synthetic(), Path(), **options)
    labels = {label for figure in figures.values() for label in shown(figure)}
    assert not any(label.startswith("closed form") for label in labels)


def test_gaussian_keys_scale_the_floor_with_noise_only(figures: dict[str, Figure]) -> None:
    floors = []
    for keys in ("unit", "gaussian"):
        plot_csv(synthetic().assign(mse_mean=0.05), Path(), noise=0.1, keys=keys)
        lines = shown(figures["mse_vs_n"])
        floors.append(lines[FLOOR].get_ydata())
        assert ("closed form: Delta" in lines) == (keys == "unit")
        assert shown(figures["mse_paired"])[FLOOR].get_ydata()[0] == pytest.approx(floors[0][0])
    assert floors[0] == pytest.approx(floors[1])
    assert floors[0][-1] == pytest.approx(0.01 * (1 + 4 / (200 - 4 - 1)))


def test_a_floor_far_below_the_runs_is_left_out(figures: dict[str, Figure]) -> None:
    plot_csv(synthetic(), Path(), noise=0.1, keys="gaussian")
    for name in ("mse_vs_n", "mse_paired"):
        assert FLOOR not in shown(figures[name])


def test_the_window_has_no_closed_form_where_no_rule_attains_it(figures: dict[str, Figure]) -> None:
    plot_csv(synthetic(), Path(), noise=0.1, keys="gaussian")
    assert not any(label.startswith("closed") for label in shown(figures["mse_vs_window"]))


@pytest.mark.parametrize("keys", ["unit", "gaussian"])
def test_level_of_least_squares_meets_simulation(keys: str) -> None:
    white = {"kind": "linear", "noise": 0.5, "keys": keys}
    data = DataConfig(streams={"w": white, "ar": {"kind": "ar"}}, dim=DIM, mem_size=16, steps=120)
    ratios = []
    for seed in range(8):
        stream = scenarios.generate(
            "linear", steps=120, dim=DIM, rows=16, seed=seed, noise=0.5, keys=keys
        )
        pairs = torch.from_numpy(stream.keys), torch.from_numpy(stream.values)
        rule = RuleSettings("OmegaRidge", window=120, reg=0.0)
        error = ((naive.run(rule, *pairs).predictions - pairs[1])[60:] ** 2).sum()
        ratios.append(float(error / (pairs[1][60:] ** 2).sum()))
    assert oracle_curves.levels(data) == {"w/nmse": pytest.approx(np.mean(ratios), rel=0.04)}


def test_levels_end_before_the_pole() -> None:
    streams = {"w": {"kind": "linear"}}
    data = DataConfig(streams=streams, dim=(8, 32), mem_size=4, steps=(40, 100))
    assert set(oracle_curves.levels(data)) == {"w-d8-n40/nmse", "w-d8-n100/nmse", "w-d32-n100/nmse"}


@pytest.mark.parametrize(
    ("streams", "known"),
    [
        ({"a": {"kind": "linear", "noise": 0.3}}, (0.3, "unit")),
        ({"a": {"kind": "linear", "power": 0}}, (0.1, "unit")),
        ({"a": {"kind": "linear", "power": 1}}, None),
        ({"a": {"kind": "linear", "period": 7}}, None),
        ({"a": {"kind": "drift"}}, None),
        ({"a": {"kind": "linear"}, "b": {"kind": "linear"}}, None),
    ],
)
def test_closed_forms_need_a_single_white_stream(streams: dict[str, Any], known: Any) -> None:
    assert oracle_curves.only_white_stream(DataConfig(streams=streams)) == known


def study() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {
                "variant": variant,
                "seed": seed,
                "ar/nmse": level * (1 + 0.05 * generator.normal()),
                "white/nmse": level / 50,
                **{f"unrelated-{n}/recall": max(0.0, 1 - 4 / n) + level for n in (2, 4, 8)},
            }
            for variant, level in (("delta", 0.5), ("omega", 0.25))
            for seed in range(8)
        ]
    )


def verdict_of(metrics: pd.DataFrame) -> dict[str, Any]:
    settings = comparison.CompareSettings(
        ("ar/nmse", "white/nmse"), "minimize", {"delta": "delta", "omega": "delta"}
    )
    return comparison.compare(
        metrics, None, settings, experiment="memory", profile="smoke", data_digest="x"
    )


def test_study_shows_relative_differences_and_levels(figures: dict[str, Figure]) -> None:
    metrics = study()
    plot_comparison(metrics, verdict_of(metrics), Path(), levels={"white/nmse": 0.004})
    (forest,) = figures["differences"].axes
    middles = [np.asarray(line.get_xdata())[0] for line in forest.lines if line.get_marker() == "o"]
    assert middles == pytest.approx([-0.5, -0.5], abs=0.1)
    assert "Difference to delta" in title(figures["differences"])
    (ax,) = figures["nmse_by_stream"].axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ar", "white"]
    assert ax.get_xscale() == "log"
    assert shown(figures["nmse_by_stream"])[LEVEL].get_xdata() == pytest.approx([0.004] * 2)
    assert "ratio_to_optimum" not in figures


def test_study_divides_by_the_optimum_where_it_was_computed(figures: dict[str, Figure]) -> None:
    metrics = study().assign(**{"ar/regret_rls": 0.1})
    metrics["ar/nmse"] = np.where(metrics["variant"] == "delta", 0.5, 0.2)
    plot_comparison(metrics, verdict_of(metrics), Path())
    (ax,) = figures["ratio_to_optimum"].axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ar"]
    dots = shown(figures["ratio_to_optimum"])
    ratios = {name: dot.lines[0].get_xdata()[0] for name, dot in dots.items()}
    assert ratios == pytest.approx({"delta": 1.25, "omega": 2.0})


def test_more_variants_than_colours_have_no_figures_by_stream(figures: dict[str, Figure]) -> None:
    few = study()
    copies = len(drawing.PALETTE) // few["variant"].nunique() + 1
    many = pd.concat([few.assign(variant=few["variant"] + str(i)) for i in range(copies)])
    plot_comparison(many, {**verdict_of(few), "comparisons": []}, Path())
    assert not figures


def test_more_streams_than_a_page_holds_have_no_figures(figures: dict[str, Figure]) -> None:
    few = study()
    names = [f"cell{i}/nmse" for i in range(61)]
    plot_comparison(few, {**verdict_of(few), "metric": names}, Path())
    assert not figures


def test_study_counts_diverged_runs(figures: dict[str, Figure]) -> None:
    metrics = study()
    metrics.loc[metrics["variant"] == "omega", "white/nmse"] = np.nan
    plot_comparison(metrics, verdict_of(metrics), Path())
    assert [t.get_text() for t in figures["nmse_by_stream"].axes[0].texts] == ["8 diverged"]
    assert [t.get_text() for t in figures["differences"].axes[0].texts] == ["8 of 8 pairs diverged"]


def test_study_of_one_variant_has_no_forest(tmp_path: Path) -> None:
    metrics = study()
    verdict = verdict_of(metrics[metrics["seed"] == 0])
    assert [p.name for p in plot_comparison(metrics, verdict, tmp_path)] == ["nmse_by_stream.png"]


def test_recall_against_load_with_the_optimum(figures: dict[str, Figure]) -> None:
    plot_recall(study(), Path(), {f"unrelated-{n}": n / 4 for n in (2, 4, 8)})
    assert figures["recall"].axes[0].get_yscale() == "linear"
    lines = shown(figures["recall"])
    assert lines["omega"].get_xydata() == pytest.approx(
        np.array([[0.5, 0.25], [1, 0.25], [2, 0.75]])
    )
    optimum = lines["closed form: optimum 1 - d/n"].get_xydata()
    assert optimum[[0, -1]] == pytest.approx(np.array([[0.5, 0], [2, 0.5]]))
    assert plot_recall(study(), Path(), {"unrelated-2": 0.5}) == []


def finished(folder: Path, **changes: Any) -> Comparison:
    """A comparison of rules on the study's streams, with tables made up."""
    streams: dict[str, Any] = {"white": {"kind": "linear"}, "ar": {"kind": "ar"}}
    streams |= {f"unrelated-{n}": {"kind": "unrelated", "steps": n} for n in (4, 8, 16)}
    settings = {"data": {"streams": streams, "dim": 4, "mem_size": 8, "steps": 100}, **changes}
    metrics = study().rename(columns={"unrelated-2/recall": "unrelated-16/recall"})
    write_table(metrics, folder / "metrics.csv")
    write_json(folder / "verdict.json", verdict_of(metrics))
    results.write_csv(synthetic(), folder / "runs.csv")
    return Comparison(experiment="memory", **settings)


STUDY = {"differences", "nmse_by_stream"}
RUNS = {"mse_vs_n", "one_minus_cosine_vs_n", "mse_paired", "mse_vs_window", "mse_vs_lr"}


def test_a_study_has_recall_and_levels(figures: dict[str, Figure], tmp_path: Path) -> None:
    plots_of(finished(tmp_path), tmp_path)
    assert set(figures) == {*STUDY, "recall"}
    assert LEVEL in shown(figures["nmse_by_stream"])


def test_a_grid_has_figures_of_its_runs(figures: dict[str, Figure], tmp_path: Path) -> None:
    grid = {"model.updater": ["Delta", "Omega"], "model.lr": [0.1, 0.2]}
    data = {"streams": {"any": {"kind": "linear"}}, "dim": 4}
    plots_of(finished(tmp_path, grid=grid, data=data), tmp_path)
    assert set(figures) == STUDY | RUNS
    assert any(label.startswith("closed form") for label in shown(figures["mse_vs_lr"]))
    figures.clear()
    plots_of(finished(tmp_path, grid={"model.updater": ["Delta", "Omega"]}, data=data), tmp_path)
    assert set(figures) == STUDY
    plots_of(finished(tmp_path, data={**data, "steps": [100, 200]}), tmp_path)
    assert set(figures) == STUDY | RUNS


@pytest.mark.parametrize("change", [{"keys": "gaussian"}, {"steps": 4}])
def test_recall_needs_streams_that_differ_in_length_only(
    figures: dict[str, Figure], tmp_path: Path, change: dict[str, Any]
) -> None:
    comparison = finished(tmp_path)
    streams = comparison.data.model_dump(mode="json")["streams"]
    streams["unrelated-8"] |= change
    plots_of(finished(tmp_path, data={"streams": streams, "dim": 4}), tmp_path)
    assert "recall" not in figures

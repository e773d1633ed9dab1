"""What the tools compute, against formulas written out here, NumPy and SciPy."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from versus.core.analysis import (
    area_plot,
    convergence,
    correlation,
    export_table,
    layer_dynamics,
    shaping,
    stored_weights,
    tables,
    weight_compare,
    weight_heatmap,
)
from versus.core.errors import ConfigError


def table(runs: dict[tuple[str, int], list[float]], metric: str = "m") -> pd.DataFrame:
    """Series of one metric; steps 10, 20, ..., epochs 1, 2, ..."""
    return pd.DataFrame(
        {
            "variant": variant,
            "seed": seed,
            "metric": metric,
            "step": 10.0 * (index + 1),
            "epoch": index + 1.0,
            "value": value,
            "x": index + 1.0,
        }
        for (variant, seed), values in runs.items()
        for index, value in enumerate(values)
    )


def test_smoothing_is_the_weighted_mean_of_the_past_within_one_run() -> None:
    draw = np.random.default_rng(0)
    runs = {("a", 0): list(draw.normal(size=9)), ("a", 1): list(draw.normal(size=9))}
    runs["a", 1][4] = math.inf
    smooth = shaping.smoothed(table(runs), 0.8)
    for (_, seed), values in runs.items():
        sums = weights = 0.0
        expected = []
        for value in values:
            if math.isfinite(value):
                sums, weights = 0.8 * sums + value, 0.8 * weights + 1
            expected.append(sums / weights if math.isfinite(value) else math.inf)
        assert smooth.loc[smooth["seed"] == seed, "value"].tolist() == pytest.approx(expected)


def test_means_over_seeds_say_where_the_first_seed_has_ended_or_diverged() -> None:
    runs = table({("a", 0): [1, 2, 3, 4], ("a", 1): [3, 4], ("a", 2): [5, 6, math.inf, math.inf]})
    means = shaping.over_seeds(runs)
    assert means["mean"].tolist() == [3, 4, 3, 4]
    assert means["low"].tolist() == [1, 2, 3, 4]
    assert means["high"].tolist() == [5, 6, 3, 4]
    assert means["n"].tolist() == [3, 3, 1, 1]
    assert means["complete"].tolist() == [True, True, False, False]
    interval = shaping.over_seeds(runs, "ci").iloc[0]
    expected = stats.t.interval(0.95, 2, loc=3, scale=2 / math.sqrt(3))
    assert (interval["low"], interval["high"]) == pytest.approx(expected)


def test_records_of_one_epoch_become_their_mean_and_steps_need_no_epochs() -> None:
    runs = table({("a", 0): [1, 2, 3, 4]})
    runs["epoch"] = [1.0, 1.0, 2.0, 2.0]
    assert shaping.over(runs, None, None)["value"].tolist() == [1.5, 3.5]
    assert shaping.over(runs, "step", (20, 30))["value"].tolist() == [2, 3]
    within_one = runs.assign(epoch=0.0)
    assert shaping.over(within_one, None, None)["x"].tolist() == [10, 20, 30, 40]
    assert shaping.over(within_one, "epoch", None)["value"].tolist() == [2.5]
    with pytest.raises(ConfigError, match="epochs run 1 to 2"):
        shaping.over(runs, "epoch", (5, 6))
    with pytest.raises(ConfigError, match="recorded without epochs"):
        shaping.over(runs.assign(epoch=math.nan), "epoch", None)


def test_a_diverged_run_has_no_final_value_and_is_counted() -> None:
    summary = shaping.summary(table({("a", 0): [1, 2, math.inf], ("a", 1): [3, 1, 5]})).iloc[0]
    assert (summary["final"], summary["min"], summary["max"]) == (5, 1, 5)
    assert (summary["seeds"], summary["diverged"]) == (2, 1)


@pytest.mark.parametrize(
    ("values", "sustain", "at"),
    [
        ([0, 0, 1, 1, 1, 0], 3, 3.0),  # long enough, whatever comes later
        ([0, 1, 0, 1, 1, 1], 3, 4.0),  # a single record beyond is no convergence ...
        ([0, 1, 0, 0, 0, 0], 1, 2.0),  # ... unless one is enough
        ([0, 0, 0, 0, 0, 1], 3, 6.0),  # the run ended there: early stopping
        ([0, 1, 1, 0, 0, 0], 3, math.inf),
        ([0, 1, math.inf, math.inf], 3, math.inf),  # a diverged run is beyond nothing
    ],
)
def test_convergence_is_the_first_record_of_a_sustained_stretch(
    values: list[float], sustain: int, at: float
) -> None:
    found = convergence.crossings(table({("a", 0): values}), 0.5, "above", sustain)
    assert found["at"].tolist() == [at]
    mirrored = [-value for value in values]
    assert convergence.crossings(table({("a", 0): mirrored}), -0.5, "below", sustain)["at"][0] == at


def test_the_median_counts_a_censored_seed_as_later_than_all_others() -> None:
    never, soon, late = [0.0] * 6, [1.0] * 6, [0.0] * 3 + [1.0] * 3
    runs = {("a", 0): soon, ("a", 1): late, ("a", 2): never, ("b", 0): never, ("b", 1): soon}
    rows = convergence.medians(convergence.crossings(table(runs), 0.5, "above", 2))
    a, b = (row for _, row in rows.iterrows())
    assert (a["median"], a["first"], a["latest"], a["censored"]) == (4, 1, 4, 1)
    assert math.isinf(b["median"])
    assert (b["converged"], b["censored"], b["longest"]) == (1, 1, 6)


def test_correlations_equal_those_of_numpy_and_scipy_over_common_rows() -> None:
    draw = np.random.default_rng(1)
    rows = pd.DataFrame(draw.normal(size=(50, 3)), columns=["a", "b", "c"])
    rows["b"] += rows["a"] ** 3
    rows.loc[7, "b"] = math.nan
    common = rows.drop(index=7)
    for stat, expected in (
        ("pearson", np.corrcoef(common["a"], common["b"])[0, 1]),
        ("spearman", stats.spearmanr(common["a"], common["b"]).statistic),
    ):
        found = correlation.matrix(rows, ["a", "b", "c"], stat)
        assert found["a"]["b"] == pytest.approx(expected)
        assert found["b"]["a"] == pytest.approx(expected)
        assert found["c"]["c"] == pytest.approx(1)
    assert math.isnan(correlation.correlation(rows["a"], rows["a"] * 0, "pearson"))


def test_metrics_are_joined_where_run_and_time_are_equal() -> None:
    left, right = table({("a", 0): [1, 2, 3]}, "m"), table({("a", 0): [4, 5]}, "n")
    rows = correlation.joined(pd.concat([left, right]), ["m", "n"])
    assert rows[["m", "n"]].dropna().to_numpy().tolist() == [[1, 4], [2, 5]]


def test_differences_are_paired_by_seed() -> None:
    runs = {("a", s): [v] for s, v in enumerate((1.0, 2.0, 4.0))}
    runs |= {("b", s): [v] for s, v in ((0, 2.0), (1, 2.5), (2, 6.0), (3, 9.0))}
    (row,) = tables.differences(tables.per_seed(table(runs), "final"), "a").to_dict("records")
    test = stats.ttest_rel([2.0, 2.5, 6.0], [1.0, 2.0, 4.0]).confidence_interval()
    assert (row["delta"], row["pairs"]) == (pytest.approx(3.5 / 3), 3)
    assert (row["low"], row["high"]) == pytest.approx((test.low, test.high))


@pytest.mark.parametrize("stat", ["final", "min", "max", "mean"])
def test_table_cells_equal_pandas_and_the_best_is_bold(stat: str) -> None:
    runs = {("a_1", 0): [3.0, 1.0, 2.0], ("a_1", 1): [5.0, 4.0, 3.0], ("b", 0): [9.0, 8.0, 7.0]}
    metric = "test/loss_50%"
    means = tables.mean_and_spread(tables.per_seed(table(runs, metric), stat))
    series = pd.DataFrame({"0": runs["a_1", 0], "1": runs["a_1", 1]})
    each: Any = series.iloc[-1] if stat == "final" else getattr(series, stat)()
    assert means.loc[(metric, "a_1"), "mean"] == pytest.approx(each.mean())
    assert means.loc[(metric, "a_1"), "sd"] == pytest.approx(each.std())
    best = tables.best_variants(means, [metric])
    assert best == {metric: {"a_1"}}  # a loss: less is better
    cells = export_table.cells(means, ["a_1", "b"], [metric], 3)
    assert f"**{each.mean():#.3g} ± " in export_table.as_markdown(cells, [metric], best)
    latex = export_table.as_latex(cells, [metric], best)
    assert r"test/loss\_50\%" in latex
    assert rf"a\_1 & $\mathbf{{{each.mean():#.3g}}} \pm" in latex


def test_variants_that_are_equally_good_are_all_bold() -> None:
    runs = {("a", 0): [1.0], ("b", 0): [1.0], ("c", 0): [0.5]}
    means = tables.mean_and_spread(tables.per_seed(table(runs, "test/accuracy"), "final"))
    best = tables.best_variants(means, ["test/accuracy"])
    cells = export_table.cells(means, ["a", "b", "c"], ["test/accuracy"], 2)
    lines = export_table.as_markdown(cells, ["test/accuracy"], best).splitlines()[2:]
    assert lines == ["| a | **1.0** |", "| b | **1.0** |", "| c | 0.50 |"]


def test_a_part_that_a_run_does_not_track_counts_as_nothing() -> None:
    first = [("v", 0, "f/p_1", 1.0, 0.4), ("v", 0, "f/p_1", 2.0, 0.6), ("v", 0, "f/p_2", 2.0, 0.4)]
    second = [("v", 1, "f/p_2", 2.0, 1.0), ("v", 2, "f/p_2", 2.0, np.inf)]
    rows = pd.DataFrame([*first, *second], columns=["variant", "seed", "metric", "x", "value"])
    rows = pd.concat([rows, rows[rows["x"] == 2].query("seed == 0").assign(x=3.0)])
    times = pd.DataFrame(
        {"variant": "v", "seed": [0, 1, 0, 1, 2, 0], "x": [1.0, 1.0, 2.0, 2.0, 2.0, 3.0]}
    )
    means = area_plot.mean_shares(rows, times, "v", {"1": "f/p_1", "2": "f/p_2"})
    assert means["1"].tolist() == [0.2, *[pytest.approx(0.6 / 3)] * 2]
    assert means["2"].tolist() == [0.0, 0.7, 0.7]
    assert area_plot.label("fourier/freq_powers", "3") == "freq_power 3"


def test_layers_are_averaged_by_block_and_ranked_by_variance() -> None:
    layers = pd.DataFrame(
        {
            "layers.0.a": [0.0, 2.0],
            "layers.0.b": [2.0, 4.0],
            "layers.10.a": [0.0, 9.0],
            "emb.w": [5, 5],
        }
    )
    blocks = layer_dynamics.aggregated(layers)
    assert blocks["layer 0"].tolist() == [1, 3]
    assert list(blocks) == ["layer 0", "layer 10", "emb"]
    spread = layer_dynamics.variances({"v": blocks})
    assert list(spread.index) == ["layer 10", "layer 0", "emb"]
    assert layer_dynamics.chosen(spread, "name", 2) == ["layer 0", "layer 10"]
    assert layer_dynamics.chosen(spread, "variance", None) == ["layer 10", "layer 0", "emb"]


def test_areas_keep_the_strongest_parts_and_the_total() -> None:
    rows = pd.DataFrame({"2": [0, 0, 5.0], "10": [1.0, 1, 1], "3": [0, 2.0, 2]}, index=[1.0, 2, 3])
    shares = {"v": rows}
    assert area_plot.ordered(shares, "power", 2) == ["2", "3"]
    assert area_plot.ordered(shares, "index", 3) == ["2", "3", "10"]
    assert area_plot.ordered(shares, "acquired", 3) == ["10", "3", "2"]
    bands = area_plot.stacked(rows, ["2", "3"], normalise=False)
    assert bands[area_plot.REST].tolist() == [1, 1, 1]
    assert area_plot.stacked(rows, ["2"], normalise=True).sum(axis=1).tolist() == [1, 1, 1]
    first = area_plot.strongest(shares).iloc[0]
    assert (first["strongest"], first["its share"], first["acquired at"]) == ("2", 5 / 8, 3)


def test_weights_are_compared_within_seeds() -> None:
    draw = np.random.default_rng(2)
    models: stored_weights.Models = {
        name: {s: {"w": draw.normal(size=(4, 3)), "v": draw.normal(size=3)} for s in (0, 1, 2)}
        for name in ("a", "b")
    }
    del models["b"][2]  # no partner, so that it counts for nothing
    alike = weight_compare.similarities(models, ["v", "w"])
    pairs = [(models["a"][s]["w"], models["b"][s]["w"]) for s in (0, 1)]
    by_hand = [(x * y).sum() / math.sqrt((x**2).sum() * (y**2).sum()) for x, y in pairs]
    assert alike["w"]["a"]["b"] == pytest.approx(np.mean(by_hand))
    assert weight_compare.effective_rank(np.array([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3)


def test_singular_coordinates_rebuild_the_matrix() -> None:
    matrix = np.random.default_rng(3).normal(size=(20, 4))
    coordinates, order = weight_heatmap.projected(matrix, 4)
    assert coordinates @ coordinates.T == pytest.approx(matrix @ matrix.T)
    assert np.all(np.diff(coordinates[order, 0]) >= 0)

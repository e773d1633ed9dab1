"""Figures of a finished comparison: differences, levels, ratio to the optimum, recall."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from versus.core import drawing, forest, plots
from versus.core.drawing import Curve, Text
from versus.experiments.memory import oracle_curves, oracles

MOST_ROWS = 60
OVER_SEEDS = "mean and 95 % interval over seeds"


def plot_comparison(
    metrics: pd.DataFrame,
    verdict: Mapping[str, Any],
    out: Path,
    *,
    levels: Mapping[str, float] | None = None,
) -> list[Path]:
    """Draw the primary differences, every variant's NMSE by stream, and its ratio to the optimum.

    Args:
        metrics: one row per run: ``variant``, ``seed`` and columns ``<task>/<metric>``.
        verdict: of :func:`versus.core.comparison.compare`; a verdict without a comparison gives
            no differences.
        out: folder of the PNG files.
        levels: NMSE metric -> closed form (:func:`.oracle_curves.levels`).

    Returns:
        The files written. More variants than colours have no figures by stream, and more streams
        than a page holds none at all.

    Raises:
        DataError: if the folder cannot be written.
    """
    primary = [entry for entry in verdict["comparisons"] if entry["primary"]]
    if isinstance(verdict["metric"], list) and len(verdict["metric"]) > MOST_ROWS:
        return []
    figures = {}
    if primary:
        figures["differences"] = _differences(metrics, primary, len(verdict["seeds"]))
    if metrics["variant"].nunique() <= len(drawing.PALETTE):
        figures |= _by_stream(metrics, verdict, levels or {})
    return [drawing.save(figure, out / f"{name}.png") for name, figure in figures.items()]


def _differences(metrics: pd.DataFrame, primary: list[dict[str, Any]], seeds: int) -> Any:
    scale = forest.baseline_means(metrics, primary)
    baselines = {entry["baseline"] for entry in primary}
    name = baselines.pop() if len(baselines) == 1 else "the baseline"
    label = f"difference / mean of {name}" if scale else f"difference to {name}"
    title = f"Difference to {name}, 95 % interval (undecided: not significant after Holm)"
    return forest.forest(primary, text=Text(title, label, ""), scale=scale, seeds=seeds)


def _by_stream(
    metrics: pd.DataFrame, verdict: Mapping[str, Any], levels: Mapping[str, float]
) -> dict[str, Any]:
    named = verdict["metric"] if isinstance(verdict["metric"], list) else [verdict["metric"]]
    scores = {name: name.removesuffix("/nmse") for name in named if name.endswith("/nmse")}
    figures = {}
    if scores:
        title = f"NMSE by stream, {OVER_SEEDS}"
        figures["nmse_by_stream"] = forest.dots(
            metrics,
            scores,
            text=Text(title, "NMSE of the second half of the stream", ""),
            levels=levels,
            level_name=oracle_curves.LEVEL,
        )
    ratios = {name: row for name, row in scores.items() if f"{row}/regret_rls" in metrics}
    if ratios:
        figures["ratio_to_optimum"] = _ratio_to_optimum(metrics, ratios)
    return figures


def _ratio_to_optimum(metrics: pd.DataFrame, scores: Mapping[str, str]) -> Any:
    """The optimum is that of a fixed map: where the map moves, rules that forget fall below 1."""
    ratios = pd.DataFrame(
        {
            name: metrics[name] / (metrics[name] - metrics[f"{row}/regret_rls"])
            for name, row in scores.items()
        }
    )
    title = f"NMSE relative to ridge regression on all pairs, {OVER_SEEDS}"
    label = "NMSE / NMSE of ridge regression on all pairs seen (1 = optimal for a fixed map)"
    return forest.dots(
        ratios.assign(variant=metrics["variant"]), scores, text=Text(title, label, ""), reference=1
    )


def plot_recall(metrics: pd.DataFrame, out: Path, loads: Mapping[str, float]) -> list[Path]:
    """Draw one-pass recall against n/d, with the optimum of every linear memory.

    Args:
        metrics: one row per run: ``variant``, ``seed`` and columns ``<task>/recall``: the NMSE of
            reading n stored pairs whose values are unrelated to their keys.
        out: folder of the PNG file.
        loads: task -> n/d, all different.

    Returns:
        The file written; nothing for fewer than two loads.

    Raises:
        DataError: if the folder cannot be written.
    """
    if len(loads) < 2:
        return []
    columns = {f"{task}/recall": load for task, load in loads.items()}
    long = metrics.melt("variant", list(columns), var_name="metric", value_name="recall")
    grid = np.geomspace(*oracle_curves.span(list(loads.values())), 200)
    ratios = sorted({*grid.tolist(), 1.0})
    optimum = [oracles.one_pass_recall(ratio, 1) for ratio in ratios]  # the load alone counts
    figure = plots.lines_with_interval(
        long.assign(load=long["metric"].map(columns)),
        x="load",
        y="recall",
        series="variant",
        curves={"": [Curve("optimum 1 - d/n", ratios, optimum)]},
        linear=True,
        text=Text(f"One-pass recall, {OVER_SEEDS}", "pairs per dimension n/d", "NMSE of recall"),
    )
    return [drawing.save(figure, out / "recall.png")]

"""Figures of a table of runs, ours or the original project's.

No figure averages over different conditions. Panels separate the tasks; within a panel every point
belongs to one setting of the hyperparameters, the best one where several were run, and the title
says so. Closed forms are drawn where noise and keys are known.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from versus.core import drawing, plots
from versus.core.drawing import Text
from versus.experiments.memory import oracle_curves
from versus.experiments.memory.rules import HYPERPARAMETERS, RULES

TASK = ("stream", "mem_size", "dim")
SWEPT = ("window", "lr", "reg")
SHOWN = {"mem_size": "rows", "dim": "d", "steps": "n"}
BEST = "best {} of each updater, chosen on these seeds"


def plot_csv(
    table: pd.DataFrame,
    out: Path,
    *,
    noise: float | None = None,
    keys: str | None = None,
    task: Sequence[str] = TASK,
) -> list[Path]:
    """Draw error against n, the sensitivity to every swept hyperparameter, and paired boxes.

    Args:
        table: runs, as :func:`versus.experiments.memory.results.read_csv` returns them.
        out: folder of the PNG files.
        noise: standard deviation of the noise; with ``keys``, it allows closed forms. Give both
            only for runs on one white linear stream.
        keys: ``unit`` or ``gaussian``.
        task: columns that change the data and so separate panels. Add ``window`` for tables of
            the original project, whose window also shapes its data.

    Returns:
        The files written.

    Raises:
        DataError: if the table is empty or the folder cannot be written.
    """
    runs = _runs(table, task)
    known = (noise, keys) if noise is not None and keys is not None else None
    figures = {
        "mse_vs_n": _against_n(runs, "mse_mean", "MSE", known),
        "one_minus_cosine_vs_n": _against_n(runs, "one_minus_cos", "1 - cosine", None),
        "mse_paired": _paired(runs, known),
    }
    for name in SWEPT:
        if runs[name].nunique() > 1 and name not in task:
            figures[f"mse_vs_{name}"] = _sensitivity(runs, name, known)
    return [drawing.save(figure, out / f"{name}.png") for name, figure in figures.items()]


def _runs(table: pd.DataFrame, task: Sequence[str]) -> pd.DataFrame:
    """Distinct runs, with panel names; a run marked as diverged has no finite measurement."""
    settings = [c for c in (*task, *HYPERPARAMETERS, "steps", "seed", "updater") if c in table]
    runs = table.drop_duplicates(settings).assign(one_minus_cos=lambda t: 1 - t["cos_mean"])
    if "diverged" in runs:
        measured = ["mse_mean", "one_minus_cos"]
        runs[measured] = runs[measured].astype(float).mask(runs["diverged"].astype(bool))
    present = [name for name in task if name in runs and runs[name].nunique() > 1]
    runs = runs.sort_values([*present, "steps"], kind="stable")
    return runs.assign(panel=_named(runs, present), n=runs["steps"])


def _named(runs: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    return [
        ", ".join(f"{SHOWN.get(c, c)} = {value}" for c, value in zip(columns, row, strict=True))
        for row in runs[list(columns)].itertuples(index=False)
    ]


def _best(runs: pd.DataFrame, metric: str, by: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """The runs of the best setting in every group, and what was chosen, for the title.

    Best is: fewest diverged seeds, then least mean of ``metric`` over the others.
    """
    free = [c for c in HYPERPARAMETERS if c in runs and c not in by and runs[c].nunique() > 1]
    if not free:
        return runs, ""
    finite = runs[metric].where(np.isfinite(runs[metric]))
    scores = (
        runs.assign(lost=finite.isna(), score=finite)
        .groupby([*by, *free], dropna=False)
        .agg(lost=("lost", "sum"), score=("score", "mean"))
        .sort_values(["lost", "score"])
        .reset_index()
        .drop_duplicates(list(by))
    )
    return runs.merge(scores[[*by, *free]], on=[*by, *free]), BEST.format(", ".join(free))


def _against_n(runs: pd.DataFrame, metric: str, label: str, known: tuple[float, str] | None) -> Any:
    chosen, note = _best(runs, metric, ["panel", "updater", "n"])
    curves = {
        str(panel): oracle_curves.against_n(rows, *known) if known else []
        for panel, rows in chosen.groupby("panel")
    }
    return plots.lines_with_interval(
        chosen,
        x="n",
        y=metric,
        series="updater",
        facet="panel",
        order=list(RULES),
        curves=curves,
        text=Text(_title(f"{label} against stream length", note), "stream length n", label),
    )


def _title(what: str, note: str) -> str:
    return f"{what}, mean and 95 % interval over seeds" + (f"\n({note})" if note else "")


def _sensitivity(runs: pd.DataFrame, name: str, known: tuple[float, str] | None) -> Any:
    chosen, note = _best(runs, "mse_mean", ["panel", "updater", "n", name])
    curves = {
        str(panel): oracle_curves.against(name, rows, *known) if known else []
        for panel, rows in chosen.groupby("panel")
    }
    return plots.lines_with_interval(
        chosen,
        x=name,
        y="mse_mean",
        series="updater",
        dash="n",
        facet="panel",
        order=list(RULES),
        curves=curves,
        text=Text(_title(f"MSE against {name}", note), name, "MSE"),
    )


def _paired(runs: pd.DataFrame, known: tuple[float, str] | None) -> Any:
    shared = [c for c in (*HYPERPARAMETERS, "seed") if c in runs]
    names = [
        ", ".join(filter(None, (p, f"n = {n}"))) for p, n in zip(runs.panel, runs.n, strict=True)
    ]
    rows = runs.assign(place=names, pair=runs[shared].astype(str).agg("|".join, axis=1))
    curves = {
        str(place): oracle_curves.floor(some, *known) if known else []
        for place, some in rows.groupby("place")
    }
    return plots.paired_boxes(
        rows,
        y="mse_mean",
        series="updater",
        pair="pair",
        facet="place",
        order=list(RULES),
        curves=curves,
        text=Text("MSE of all runs; lines join equal settings and seed", "", "MSE"),
    )

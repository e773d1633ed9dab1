"""Figures of stored pairs show the metrics that they name."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from versus.core import drawing
from versus.experiments.memory import recall_pictures


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """Figures by file stem, and their files."""
    caught: dict[str, Figure] = {}
    save = drawing.save

    def keep(figure: Figure, path: Path) -> Path:
        caught[path.stem] = figure
        return save(figure, path)

    monkeypatch.setattr(drawing, "save", keep)
    return caught


def metrics() -> pd.DataFrame:
    """Errors that are known functions of age and visit."""
    rows = []
    for rank, variant in enumerate(("Delta", "RLS"), start=1):
        for seed in range(4):
            jitter = 1 + 0.01 * seed
            rows.append(
                {
                    "variant": variant,
                    "seed": seed,
                    **{f"mqar/age{age}": 0.1 * age * rank * jitter for age in range(1, 9)},
                    **{f"mqar/top1_age{age}": 0.1 * age for age in range(1, 9)},
                    **{f"it/new{visit}": rank * 10.0**-visit * jitter for visit in (1, 2, 3)},
                    **{f"it/kept{visit}": rank * 1e-3 * jitter for visit in (1, 2, 3)},
                }
            )
    return pd.DataFrame(rows)


def shown(figure: Figure, panel: int) -> dict[str, Any]:
    handles, labels = figure.axes[panel].get_legend_handles_labels()
    return dict(zip(labels, handles, strict=True))


def test_all_pictures(figures: dict[str, Figure], tmp_path: Path) -> None:
    table = metrics()
    table.loc[table["seed"] == 3, "mqar/age8"] = np.nan  # that seed has no pair of that age
    table.loc[(table["seed"] == 2) & (table["variant"] == "RLS"), "mqar/age1"] = np.inf
    written = recall_pictures.plot(table, ["mqar", "it", "other"], tmp_path)
    names = ["recall_by_age", "top1_by_age", "overwrite", "stability_plasticity"]
    assert [path.stem for path in written] == names == list(figures)
    assert all(path.stat().st_size > 10_000 for path in written)
    ages = figures["recall_by_age"]
    assert shown(ages, 0)["Delta"].get_ydata()[:7] == pytest.approx(0.1 * np.arange(1, 8) * 1.015)
    assert [note.get_text() for note in ages.axes[0].texts] == ["1 diverged"]


def test_changed_and_kept_values_stand_beside_each_other(
    figures: dict[str, Figure], tmp_path: Path
) -> None:
    recall_pictures.plot(metrics(), ["it"], tmp_path)
    axes = figures["overwrite"].axes
    assert [ax.get_title() for ax in axes] == ["it: changed values", "it: kept values"]
    assert axes[0].get_ylim() == axes[1].get_ylim()
    changed, kept = (shown(figures["overwrite"], i)["RLS"].get_ydata() for i in (0, 1))
    assert changed == pytest.approx(2.03 * 10.0 ** -np.arange(1, 4))
    assert kept == pytest.approx([2.03e-3] * 3)


def test_a_point_is_plasticity_and_stability(figures: dict[str, Figure], tmp_path: Path) -> None:
    recall_pictures.plot(metrics(), ["it"], tmp_path)
    figure = figures["stability_plasticity"]
    points = {name: cross.lines[0].get_xydata()[0] for name, cross in shown(figure, 0).items()}
    assert points["RLS"] == pytest.approx([2.03e-2, 2.03e-3])


def test_nothing_to_draw(tmp_path: Path) -> None:
    assert recall_pictures.plot(metrics(), ["other"], tmp_path) == []

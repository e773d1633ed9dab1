"""What the pictures show, read from their artists."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes

from versus.core.experiment import ModelPart
from versus.core.models import write_model
from versus.experiments.ebt import pictures
from versus.experiments.ebt.arms import Arm, arms_of
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.data.draws import draw, draw_inputs
from versus.experiments.ebt.vectors.building import learner_of
from versus.experiments.ebt.vectors.evaluate import models
from versus.experiments.ebt.vectors.measuring import STEPS
from versus.experiments.ebt.vectors.prediction import model_of

SMALL = {"vec_size": 3, "size_train": 80, "size_val": 8, "size_test": 8}


def asked(**changes: Any) -> Comparison:
    kinds = {"model.kind": ["energy", "quadratic"]}
    tree = {"experiment": "ebt", "seeds": 2, "data": SMALL, "grid": kinds, **changes}
    return Comparison.model_validate(tree)


def table(arms: list[Arm]) -> pd.DataFrame:
    """Error r^2 of energy models at r, and 1e-14 of the others."""
    rows = []
    for arm in arms:
        energy = arm.settings.model.kind == "energy"
        for seed in (0, 1):
            row: dict[str, Any] = {"variant": arm.variant, "seed": seed}
            row |= {f"shift_{r:g}/mse": r**2 if energy else 1e-14 for r in (1, 1.5, 2, 3)}
            if energy:
                row |= {f"inner_{r}/mse_at_{k}": r / k for r in (1, 2) for k in STEPS}
                row |= {f"inner_{r}/mse_lowest_energy": 9.0 for r in (1, 2)}
            rows.append(row)
    return pd.DataFrame(rows)


def lines(ax: Axes) -> dict[str, list[Any]]:
    """Label -> points, of lines with a label."""
    known = [line for line in ax.lines if not str(line.get_label()).startswith("_")]
    points = [np.asarray(line.get_xydata()).tolist() for line in known]
    return {str(line.get_label()): own for line, own in zip(known, points, strict=True)}


def marks(ax: Axes) -> list[float]:
    """Places of the vertical lines."""
    found = [np.asarray(line.get_xdata(), float) for line in ax.lines]
    return [float(x[0]) for x in found if len(x) == 2 and x[0] == x[1]]


def test_error_against_shift_has_a_line_per_variant_and_marks_the_training_range() -> None:
    arms = arms_of(asked())
    figure = pictures.by_shift(table(arms), arms)
    assert figure is not None
    (ax,) = figure.axes
    assert ax.get_yscale() == "log"
    assert lines(ax) == {
        "EBT": [[1, 1], [1.5, 2.25], [2, 4], [3, 9]],
        "quadratic": [[r, pytest.approx(1e-9)] for r in (1, 1.5, 2, 3)],
    }
    assert marks(ax) == [1]
    assert {text.get_text() for text in ax.texts} == {"training range ends", "$10^{-9}$ or less"}


def test_error_against_steps_has_both_ranges_and_marks_the_steps_of_training() -> None:
    arms = arms_of(asked(model={"descent": {"steps": 7}}))
    figure = pictures.by_steps(table(arms), arms)
    assert figure is not None
    (ax,) = figure.axes
    assert lines(ax) == {
        "EBT, inputs = in range": [[k, pytest.approx(1 / k)] for k in STEPS],
        "EBT, inputs = out of range": [[k, pytest.approx(2 / k)] for k in STEPS],
    }
    assert [str(line.get_linestyle()) for line in ax.lines[:2]] == ["-", "--"]
    assert marks(ax) == [7]


def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    only = asked(grid={"model.kind": ["quadratic"]})
    drawn = pictures.draw(table(arms_of(only)), tmp_path, tmp_path / "plots", arms_of(only))
    assert [path.name for path in drawn] == ["shift-add.png"]
    lists = asked(data={"tasks": ["listops"]}, grid={"model.kind": ["energy"]})
    metrics = pd.DataFrame({"variant": ["energy,listops"], "seed": [0], "test_iid/error": [0.5]})
    assert pictures.draw(metrics, tmp_path, tmp_path / "plots", arms_of(lists)) == []


def part_of(comparison: Comparison) -> ModelPart:
    """The untrained model of the first variant, as it is published."""
    runs = comparison.expand()[:1]
    learner = learner_of(runs, [draw(comparison.data, "add", 0)])
    ((variant, part),) = models(learner).items()
    about = {"variant": variant, "comparison": comparison.model_dump(mode="json")}
    return ModelPart(part.name, part.weights, {**part.config, "name": part.name, **about})


def test_a_landscape_shows_energies_the_course_and_the_truth() -> None:
    comparison = asked()
    arm, model = arms_of(comparison)[0], model_of(part_of(comparison), 0)
    x = draw_inputs(comparison.data, 0, "test", 8)[:1]
    figure = pictures.landscape(model, arm, {"inside": x, "outside": 2 * x}, "Title")
    axes = [ax for ax in figure.axes if ax.get_title() in ("inside", "outside")]
    first, second = (int(ax.split()[1]) for ax in (axes[0].get_xlabel(), axes[0].get_ylabel()))
    farthest = x.view(2, 3).abs().amax(0)
    assert {first, second} == set(farthest.topk(2).indices.tolist())
    for factor, ax in zip((1, 2), axes, strict=True):
        a, b = (factor * x[0]).chunk(2)
        shown = lines(ax)
        assert shown["truth"] == [pytest.approx([float((a + b)[i]) for i in (first, second)])]
        trace = model.trace(factor * x, 10).answers[:, 0]
        assert shown["descent"] == [pytest.approx(at.tolist()) for at in trace[:, [first, second]]]
        assert [shown["start"], shown["answer"]] == [[shown["descent"][i]] for i in (0, -1)]
        assert ax.get_xlim()[0] <= shown["truth"][0][0] <= ax.get_xlim()[1]


def test_the_energies_of_a_landscape_are_the_models() -> None:
    comparison = asked()
    model = model_of(part_of(comparison), 0)
    x = torch.linspace(-1, 1, 6)[None]
    truth = torch.tensor([[0.1, 0.2, 0.3]])
    grid = [np.linspace(-1, 0, 4), np.linspace(1, 2, 5)]
    energies = pictures._around(model, x, truth, [0, 2], grid)
    assert energies.shape == (5, 4)
    at = torch.tensor([[float(grid[0][3]), 0.2, float(grid[1][1])]])
    assert energies[1, 3] == pytest.approx(float(model.energy(x, at)), rel=1e-5)


def test_all_pictures_of_a_comparison_are_written_once_and_alike(tmp_path: Path) -> None:
    comparison = asked()
    arms = arms_of(comparison)
    write_model(part_of(comparison), tmp_path / "models" / "energy,add")
    first = pictures.draw(table(arms), tmp_path, tmp_path / "plots", arms)
    assert [path.name for path in first] == [
        "shift-add.png",
        "steps-add.png",
        "landscape-energy-add.png",
    ]
    second = pictures.draw(table(arms), tmp_path, tmp_path / "again", arms)
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_there_is_no_landscape_of_a_model_that_has_diverged_or_has_one_coordinate(
    tmp_path: Path,
) -> None:
    comparison = asked()
    arm = arms_of(comparison)[0]
    write_model(part_of(comparison), tmp_path / "models" / "energy,add")
    metrics = table([arm])
    assert pictures.landscape_of(metrics, arm, tmp_path) is not None
    assert pictures.landscape_of(metrics.assign(**{"shift_2/mse": np.inf}), arm, tmp_path) is None
    assert pictures.landscape_of(metrics, arm, tmp_path / "elsewhere") is None
    thin = arms_of(asked(data={**SMALL, "vec_size": 1}))[0]
    assert pictures.landscape_of(metrics, thin, tmp_path) is None

"""The text of a training, held against the seed document's example and fixed pages."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from versus.core.tables import write_table
from versus.experiments.ebt import console
from versus.experiments.ebt.arms import arms_of
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.console import Outcome, digits

GOLDEN = Path(__file__).parent / "golden"
BOTH = {"model.kind": ["energy", "ffn"]}


def asked(**changes: Any) -> Comparison:
    tree = {"experiment": "ebt", "seeds": [0], "data": {"size_test": 256}, "grid": BOTH, **changes}
    return Comparison.model_validate(tree)


def record(step: int, **metrics: float | None) -> dict[str, Any]:
    named = {name.replace("_", "/", 1): value for name, value in metrics.items()}
    return {"step": step, "metrics": named}


def best_of(*outcomes: Outcome) -> str:
    return console.summary(asked(), "add", outcomes)[-2].removeprefix("Best Model: ")


def test_the_whole_text_is_that_of_the_seed_document(tmp_path: Path) -> None:
    comparison = asked()
    energy, ffn = ([run] for run in comparison.expand())
    told = record(0, train_mse=0.123456, val_mse=0.234567, test_seen_mse=0.345678)
    told["metrics"] |= {"val/energy_start": 1.2345, "val/energy_end": 0.5678}
    metrics = pd.DataFrame(
        {"variant": ["energy,add", "ffn,add"], "seed": 0, "shift_2/mse": [0.012345, 0.023456]}
    )
    write_table(metrics, tmp_path / "metrics.csv")
    lines = [
        *console.opening(comparison, "cuda", "NVIDIA GeForce RTX 3090", 3),
        console.heading(energy, 1, 2),
        console.progress_line(energy, "energy,add", [told]),
        "...",
        console.ending(energy, metrics),
        console.heading(ffn, 2, 2),
        "...",
        console.ending(ffn, metrics),
        *console.epilogue(comparison, tmp_path),
    ]
    golden = (GOLDEN / "seed_document.txt").read_text(encoding="utf-8")
    assert "\n".join(lines) + "\n" == golden


def test_tasks_seeds_and_variants_beyond_the_seed_documents(tmp_path: Path) -> None:
    kinds = ["energy", "ffn", "quadratic"]
    data = {"tasks": ["add", "multiply"], "shifts": [1, 2.5]}
    model = {"descent": {"gradient": "all", "extra_steps": 3}}
    vectors = asked(data=data, seeds=2, grid={"model.kind": kinds}, model=model)
    listops = asked(data={"tasks": ["listops"]}, seeds=2)
    arms = [arm for one in (vectors, listops) for arm in arms_of(one)]
    names = list(dict.fromkeys(arm.variant for arm in arms))
    metrics = pd.DataFrame(
        [
            {"variant": name, "seed": seed, **measured(name, at + seed / 10)}
            for at, name in enumerate(names, start=1)
            for seed in (0, 1)
        ]
    )
    metrics.loc[metrics["variant"] == "ffn,multiply", "shift_2.5/mse"] = [math.inf, 5.0]
    metrics.loc[metrics["variant"] == "quadratic,multiply", "shift_2.5/mse"] = [2e-13, 4e-13]
    write_table(metrics, tmp_path / "metrics.csv")
    energy = vectors.expand()[:4]
    lines = [
        *console.opening(vectors, "cpu", "", 4),
        console.heading(energy, 1, 3),
        console.progress_line(
            energy,
            "energy,add",
            [record(12250, val_mse=0.1), record(12250, val_mse=None)],
        ),
        console.ending(energy, metrics),
        console.heading(vectors.expand()[-2:], 3, 3),
        *console.epilogue(vectors, tmp_path),
        *console.opening(listops, "cpu", "", 5),
        console.heading(listops.expand()[:1], 1, 4),
        *console.epilogue(listops, tmp_path),
    ]
    golden = (GOLDEN / "several.txt").read_text(encoding="utf-8")
    assert "\n".join(lines) + "\n" == golden


def measured(variant: str, error: float) -> dict[str, float]:
    return {"test_iid/error" if "listops" in variant else "shift_2.5/mse": error}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.012345, "0.012345"),
        (12.5, "12.500000"),
        (0.0, "0.000000"),
        (1e-4, "0.000100"),
        (9.012e-5, "9.01e-05"),
        (2.6e-13, "2.60e-13"),
        (math.inf, "inf"),
    ],
)
def test_small_numbers_keep_their_digits(value: float, text: str) -> None:
    assert digits(value) == text


def test_an_outcome_tells_of_seeds_and_of_those_lost() -> None:
    assert str(Outcome("EBT", [0.25])) == "0.250000"
    assert str(Outcome("EBT", [0.25, 0.75])) == "0.500000 (mean of 2 seeds)"
    assert str(Outcome("EBT", [math.inf])) == "inf (diverged)"
    assert str(Outcome("EBT", [math.inf] * 3)) == "inf (all 3 seeds diverged)"
    assert str(Outcome("EBT", [0.25, math.inf, 0.75])) == (
        "inf (1 of 3 seeds diverged; mean of the others: 0.500000)"
    )


def test_the_best_model_is_defined_in_every_case() -> None:
    ebt, ffn, lost = Outcome("EBT", [0.1]), Outcome("FFN", [0.4]), Outcome("bag", [math.inf])
    assert best_of(ffn, ebt) == "EBT (Difference: 0.300000)"
    assert best_of(lost, ffn, ebt) == "EBT (Difference to FFN: 0.300000)"
    assert best_of(ebt, lost) == "EBT (the others have diverged)"
    assert best_of(ebt) == "EBT (the only one)"
    assert best_of(lost) == best_of(lost, lost) == "none (all have diverged)"
    assert best_of(ebt, Outcome("FFN", [0.1])) == "none (EBT and FFN are equal)"
    assert best_of() == "none (nothing was measured)"


def test_records_of_training_steps_are_not_told() -> None:
    stack = asked().expand()[:1]
    assert console.progress_line(stack, "energy,add", [record(7, train_step_loss=1.0)]) == ""


def test_a_run_without_test_error_has_diverged(tmp_path: Path) -> None:
    stack = asked().expand()[:1]
    metrics = pd.DataFrame({"variant": ["energy,add"], "seed": [0], "val/mse": [math.inf]})
    ended = "\n✓ EBT Model Training Complete | Test MSE: inf (diverged)"
    assert console.ending(stack, metrics) == ended
    metrics.loc[1] = {"variant": "ffn,add", "seed": 0}
    metrics["shift_2/mse"] = [math.nan, 0.5]
    write_table(metrics, tmp_path / "metrics.csv")
    assert console.epilogue(asked(), tmp_path)[-2] == "Best Model: FFN (the others have diverged)"


def test_the_energy_of_a_descent_is_told_only_of_models_that_have_one() -> None:
    (ffn,) = asked(grid={"model.kind": ["ffn"]}).expand()
    line = console.progress_line([ffn], "ffn,add", [record(250, train_mse=0.5, val_mse=3e-6)])
    assert line == "Epoch  250 | Train Loss: 0.500000 | Val Loss: 3.00e-06"
    told = record(250, val_loss=1.5, val_error=0.625)
    line = console.progress_line([ffn], "ffn,add", [told])
    assert line == "Epoch  250 | Val Loss: 1.500000 | Val Error: 0.625000"
    lost = [record(250, train_mse=None, val_mse=None)]
    assert console.progress_line([ffn], "ffn,add", lost).endswith("Val Loss: inf")


def test_labels_are_names_where_a_kind_does_not_distinguish() -> None:
    variants = {"plain": {}, "bent": {"model": {"energy": "residual"}}}
    comparison = asked(variants=variants, grid={}, data={"tasks": ["add", "subtract"]})
    assert [(a.variant, a.task, a.label) for a in arms_of(comparison)] == [
        ("plain,add", "add", "plain"),
        ("plain,subtract", "subtract", "plain"),
        ("bent,add", "add", "bent"),
        ("bent,subtract", "subtract", "bent"),
    ]
    assert [a.label for a in arms_of(asked(grid={}))] == ["EBT"]
    kinds = ["energy", "ffn", "bag"]
    lists = asked(data={"tasks": ["listops"]}, grid={"model.kind": kinds})
    assert [a.label for a in arms_of(lists)] == ["EBT", "FFN", "bag"]
    assert [a.label for a in arms_of(asked(grid={**BOTH, "train.lr": [0.1, 0.2]}))] == [
        "energy,lr=0.1",
        "energy,lr=0.2",
        "ffn,lr=0.1",
        "ffn,lr=0.2",
    ]


def test_the_test_is_the_seed_documents_where_it_is_measured() -> None:
    def where(*shifts: float) -> tuple[str, str, str]:
        return console.measured(asked(data={"shifts": shifts}), "add")

    assert where(1, 2, 4) == ("MSE", "shift_2/mse", "Out-of-Distribution")
    assert where(1, 1.5) == ("MSE", "shift_1.5/mse", "Out-of-Distribution, inputs times 1.5")
    assert where(1) == ("MSE", "shift_1/mse", "In-Distribution")
    assert where(1, 2.5) == ("MSE", "shift_2.5/mse", "Out-of-Distribution, inputs times 2.5")

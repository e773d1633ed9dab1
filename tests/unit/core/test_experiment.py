"""Arms of a comparison, and experiments found by name."""

import ast
import importlib
import subprocess
import sys
from typing import Any

import pytest

from versus.core.config import Section
from versus.core.errors import ConfigError
from versus.core.experiment import about, available, find
from versus.core.runs import BaseComparison, RunKey


class Model(Section):
    """Two numbers, a word and a list."""

    rate: float = 0.1
    width: int = 4
    rule: str = "plain"
    sizes: tuple[int, ...] = (1,)


class Asked(BaseComparison):
    """The smallest comparison."""

    model: Model = Model()


def asked(**changes: Any) -> Asked:
    return Asked.model_validate({"experiment": "any", "seeds": 2, **changes})


def names(**changes: Any) -> list[str]:
    return [arm.name for arm in asked(**changes).arms()]


def test_arms_are_named_by_what_distinguishes_them() -> None:
    big = {"big": {"model": {"width": 64}}, "small": {}}
    rates = {"model.rate": [0.1, 0.5]}
    rules = {"model.rule": ["plain", "fancy"]}
    assert names() == ["default"]
    assert names(variants=big) == ["big", "small"]
    assert names(grid=rules) == ["plain", "fancy"]
    assert names(grid=rates) == ["rate=0.1", "rate=0.5"]
    # One value distinguishes nothing; a word is a name all the same.
    assert names(grid={"model.rate": 0.3}) == ["default"]
    assert names(grid={"model.rate": 0.3, "model.rule": "fancy"}) == ["fancy"]
    assert names(variants=big, grid={**rates, "model.rule": ["fancy"]}) == [
        "big,fancy,rate=0.1",
        "big,fancy,rate=0.5",
        "small,fancy,rate=0.1",
        "small,fancy,rate=0.5",
    ]


def test_every_run_has_its_variants_values_and_the_grids_win() -> None:
    comparison = asked(
        variants={"wide": {"model": {"width": 64, "rate": 7.0}}, "plain": {}},
        grid={"model.rate": [0.1, 0.5]},
    )
    runs = comparison.expand()
    assert [run.key for run in runs] == [
        RunKey(f"{name},rate={rate}", seed)
        for name in ("wide", "plain")
        for rate in (0.1, 0.5)
        for seed in (0, 1)
    ]
    found = {run.key.variant: (run.config.model.width, run.config.model.rate) for run in runs}
    assert list(found.values()) == [(64, 0.1), (64, 0.5), (4, 0.1), (4, 0.5)]
    assert comparison.model == Model()  # untouched


def test_a_value_twice_in_the_grid_is_refused() -> None:
    with pytest.raises(ConfigError, match="grid: holds a value twice"):
        asked(grid={"model.rate": [0.1, 0.5, 0.10]}).expand()


def test_a_number_of_the_grid_can_be_the_baseline() -> None:
    comparison = asked(
        grid={"model.width": [5, 9], "model.rate": [0.1, 0.5]}, compare={"baseline": "5"}
    )
    assert comparison.baselines() == {
        "width=5,rate=0.1": "width=5,rate=0.1",
        "width=5,rate=0.5": "width=5,rate=0.5",
        "width=9,rate=0.1": "width=5,rate=0.1",
        "width=9,rate=0.5": "width=5,rate=0.5",
    }


def test_lists_can_be_values_of_the_grid() -> None:
    comparison = asked(
        grid={"model.sizes": [[1], [1, 2]], "model.rule": ["plain", "fancy"]},
        compare={"baseline": "plain"},
    )
    assert comparison.baselines()["fancy,sizes=[1, 2]"] == "plain,sizes=[1, 2]"
    assert comparison.expand()[-1].config.model.sizes == (1, 2)


@pytest.mark.parametrize("name", ["memori", "", "memory.config", "../memory", "os"])
def test_an_unknown_experiment_is_refused_and_nothing_imported(name: str) -> None:
    before = set(sys.modules)
    with pytest.raises(ConfigError, match=f"there is no {name!r}; choose one of .*memory"):
        find(name)
    assert set(sys.modules) == before


@pytest.mark.parametrize("name", available())
def test_an_experiment_is_introduced_by_its_first_line(name: str) -> None:
    first = (importlib.import_module(f"versus.experiments.{name}").__doc__ or "").splitlines()[0]
    assert about(name) == first
    assert len(first) > 20
    assert first.endswith(".")


def test_introducing_all_experiments_imports_none() -> None:
    code = (
        "import sys; from versus.core.experiment import about, available; "
        "[about(name) for name in available()]; "
        "print([m for m in sys.modules if m.startswith('versus.experiments.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout) == []

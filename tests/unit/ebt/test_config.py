"""What a comparison accepts, and what it says of what it does not."""

from typing import Any

import pytest

from versus.core import config as configs
from versus.core.errors import ConfigError
from versus.experiments.ebt.config import Comparison


def comparison(**changes: Any) -> Comparison:
    return configs.validate(Comparison, {"experiment": "ebt", **changes})


def test_every_variant_is_trained_for_every_task_and_compared_within_it() -> None:
    asked = comparison(
        data={"tasks": ["add", "multiply"]},
        grid={"model.kind": "both"},
        compare={"baseline": "ffn"},
        seeds=2,
    )
    assert [arm.name for arm in asked.arms()] == [
        "energy,add",
        "energy,multiply",
        "ffn,add",
        "ffn,multiply",
    ]
    assert asked.baselines()["energy,multiply"] == "ffn,multiply"
    runs = {run.key.variant: run.config for run in asked.expand()}
    assert runs["ffn,multiply"].task == "multiply"
    assert runs["energy,add"].model.kind == "energy"


def test_presets_are_the_seed_documents_and_a_fair_one() -> None:
    seed = {"train": {"preset": "seed"}}
    energy, ffn = (comparison(**seed, model={"kind": kind}).recipe for kind in ("energy", "ffn"))
    assert (energy.activation, energy.steps, energy.batch_size, energy.lr) == (
        "silu",
        10_000,
        64,
        1e-3,
    )
    assert (ffn.activation, ffn.steps, ffn.batch_size, ffn.lr) == ("relu", 50_000, 128, 1e-4)
    fair = [comparison(model={"kind": kind}).recipe for kind in ("energy", "ffn")]
    assert fair[0] == fair[1]
    said = comparison(**{"train": {"preset": "seed", "steps": 7, "lr": 0.5}}).recipe
    assert (said.steps, said.lr, said.batch_size) == (7, 0.5, 64)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"data": {"tasks": ["ad"]}}, r"data\.tasks.*did you mean add.*received 'ad'"),
        ({"data": {"tasks": ["add", "listops"]}}, r"data\.tasks.*compare it alone"),
        ({"data": {"tasks": []}}, r"data\.tasks.*at least one task"),
        ({"data": {"size_train": 0}}, r"data\.size_train.*greater than or equal to 1.*received 0"),
        ({"data": {"vec_size": 0}}, r"data\.vec_size.*received 0"),
        ({"data": {"shifts": [1, -2]}}, r"shifts.*received \[1.0, -2.0\]"),
        ({"data": {"tasks": "listops"}, "model": {"kind": "quadratic"}}, r"no quadratic for task"),
        ({"model": {"kind": "bag"}}, r"no bag for task add"),
        ({"data": {"tasks": "listops"}, "model": {"energy": "residual"}}, r"scalar only"),
        ({"model": {"activation": "relu"}}, r"an energy needs silu"),
        ({"data": {"size_train": 9}, "train": {"batch_size": 10}}, r"take at most 9"),
        ({"grid": {"data.tasks": ["add"]}}, r"share their data"),
        ({"model": {"descent": {"step_size": 0}}}, r"model\.descent\.step_size.*received 0"),
        ({"model": {"descent": {"stepsize": 1}}}, r"did you mean model\.descent\.step_size"),
    ],
)
def test_bad_input_is_named_with_its_value_and_a_remedy(changes: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        comparison(**changes)

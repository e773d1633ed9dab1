"""Checkpoints and models of trainings that were killed, or that belong to other settings."""

import os
import pkgutil
from pathlib import Path
from typing import Any

import pytest

from tests.contract.contract import in_child, same
from tests.unit.reoac.learners import LORA, comparison, learner, trained
from versus.core import sinks
from versus.core.errors import CheckpointError, DataError
from versus.core.experiment import ModelPart
from versus.core.trainer import Rhythm, Trainer
from versus.experiments.reoac.evaluate import evaluate, models

pytestmark = pytest.mark.usefixtures("own_project")


@pytest.mark.parametrize(
    "other", [{"model": {"actor": {"hidden_size": 8}}}, LORA], ids=["shape", "parts"]
)
def test_a_checkpoint_of_another_config_is_refused(
    data: Path, tmp_path: Path, other: dict[str, Any]
) -> None:
    Trainer(learner(data, num_iterations=1), tmp_path / "run").run()
    series = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    with pytest.raises(CheckpointError, match=r"does not fit these settings .*; remove the folder"):
        Trainer(learner(data, num_iterations=1, **other), tmp_path / "run").run()
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == series


def test_a_torn_checkpoint_costs_the_steps_after_the_one_before(data: Path, tmp_path: Path) -> None:
    whole = learner(data)
    Trainer(whole, tmp_path / "run", rhythm=Rhythm(1)).run()
    series = sinks.series(tmp_path / "run" / "metrics.jsonl")
    newest = sorted((tmp_path / "run" / "checkpoints").glob("*.safetensors"))[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    again = learner(data)
    Trainer(again, tmp_path / "run", rhythm=Rhythm(1)).run()
    assert same(again.state_dict(), whole.state_dict())
    assert sinks.series(tmp_path / "run" / "metrics.jsonl") == series


PLACES = [
    ("versus.experiments.reoac.rollouts.player.Player._batch", 4),
    ("versus.experiments.reoac.rollouts.looking.Observer.look", 11),
    ("versus.experiments.reoac.learning.updates.descend", 5),
    ("versus.experiments.reoac.learning.tokens.TokenLearning.loss", 3),
    ("versus.core.checkpoint.save_file", 3),
    ("versus.core.paths.os.replace", 5),
]
EVERYTHING: dict[str, Any] = {
    **LORA,
    "buffer_size": 20,
    "rollout": {"temperature": 1.0},
    "lora": {"dropout": 0.2},
    "model": {"actor": {"dropout": 0.2}},
}


def _dies_at(place: str, call: int, data: Path, folder: Path) -> None:
    """Train until a function is called so often, and end there uncleanly."""
    owner, _, name = place.rpartition(".")
    with pytest.MonkeyPatch.context() as patch:
        real, calls = pkgutil.resolve_name(place), 0

        def counted(*args: Any, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == call:
                os._exit(137)
            return real(*args, **more)

        patch.setattr(pkgutil.resolve_name(owner), name, counted)
        Trainer(learner(data, **EVERYTHING), folder, rhythm=Rhythm(1)).run()


@pytest.mark.parametrize(("place", "call"), PLACES, ids=[p.rpartition(".")[2] for p, _ in PLACES])
def test_killed_in_the_middle_of_an_iteration_it_resumes_to_the_bit(
    data: Path, tmp_path: Path, place: str, call: int
) -> None:
    whole = learner(data, **EVERYTHING)
    Trainer(whole, tmp_path / "whole", rhythm=Rhythm(1)).run()
    folder = tmp_path / "killed"
    assert in_child(lambda: _dies_at(place, call, data, folder)) == 137
    again = learner(data, **EVERYTHING)
    Trainer(again, folder, rhythm=Rhythm(1)).run()
    assert same(again.state_dict(), whole.state_dict())
    expected = sinks.series(tmp_path / "whole" / "metrics.jsonl")
    assert sinks.series(folder / "metrics.jsonl") == expected


def test_adapters_of_another_rank_are_named(data: Path) -> None:
    found, _ = trained(data, **LORA)
    part = models(found)["default-actor"]
    settings = comparison(**LORA, lora={"r": 4}).model_dump(mode="json")
    final = {"final_metrics": {"0": {}}, "comparison": settings}
    changed = ModelPart(part.name, part.weights, {**part.config, **final})
    with pytest.raises(DataError, match=r"lora_A.* is \(8, 16\), here \(4, 16\).*; give no other"):
        evaluate(changed, data)

"""The stability guard reports what would blow up, and nothing else."""

import logging
from pathlib import Path

import pytest
import torch

from tests.unit.memory.learning import learn
from tests.unit.memory.test_stored import comparison
from versus.core.display import Display
from versus.core.runs import RunKey
from versus.experiments.memory import steps
from versus.experiments.memory.rules import RuleSettings, canonical
from versus.experiments.memory.tuning import tune

VARIANTS = {
    "calm": {"model": {"updater": "Delta", "lr": 0.5, "reg": 0.0}},
    "wild": {"model": {"updater": "Delta", "lr": 2.5, "reg": 0.0}},
    "rls": {"model": {"updater": "RLS", "window": 30, "reg": 0.1}},
}
STREAMS = {"white": {"kind": "linear"}, "ar": {"kind": "ar"}}


def test_delta_on_unit_keys_has_its_step_size(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = comparison(STREAMS, VARIANTS, dim=6, mem_size=[2, 3], steps=[20, 30])
    with caplog.at_level(logging.WARNING):
        results = learn(asked, tmp_path)
    for task in asked.data.tasks():
        name = f"{task.name}/step_eigenvalue"
        assert results[RunKey("calm", 0)][name] == pytest.approx(0.5, rel=1e-6)
        assert results[RunKey("wild", 1)][name] == pytest.approx(2.5, rel=1e-6)
        assert name not in results[RunKey("rls", 0)]
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == len(STREAMS)
    for stream, message in zip(STREAMS, messages, strict=True):
        assert message.startswith(f"stream {stream}: step size times largest eigenvalue")
        assert "wild (2.5, stable up to 2)" in message
        assert "calm" not in message
        assert message.endswith("choose a smaller lr, or model.step_norm: trace")


def test_tuning_is_silent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked = comparison(STREAMS, VARIANTS, dim=6, mem_size=2, steps=30)
    grids = {"calm": ({"lr": [0.5, 5.0]},)}
    asked = asked.model_validate(
        {**asked.model_dump(), "tuning_seeds": 2, "tune": {"grids": grids}}
    )
    learn(asked, tmp_path / "data")  # writes the data, and warns
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        tune(asked, tmp_path / "data", tmp_path / "tune", Display(quiet=True))
    assert not caplog.records


def test_many_variants_are_not_all_named() -> None:
    rule = canonical(RuleSettings("Delta", lr=3.0))
    found = steps.largest_steps([rule], torch.eye(4)[None])
    text = steps.warning(found, {f"v{i}": rule for i in range(8)})
    assert "v4 (3, stable up to 2) and 3 more; choose" in text
    assert steps.warning({}, {"v": rule}) == ""

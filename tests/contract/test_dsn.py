"""The contract of dsn's learner, for every kind of policy and advantage."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.contract.single import SingleLearnerContract
from versus.core import config as configs
from versus.core import stages
from versus.core.experiment import find
from versus.core.paths import project_root
from versus.core.runs import RunKey
from versus.experiments.dsn.config import Comparison
from versus.experiments.dsn.learning.learner import ScorerLearner

DATA = {
    "generated": {
        **{"train": 5, "validation": 2, "test": 2, "test_style": 1},
        **{"width": 64, "height": 36, "difficulty": 0.0},
    },
    "features": {"colours": {"levels": 1, "directions": 2, "bins": 8}},
}
MODEL = {"hidden": 8, "lstm_hidden": 4, "heads": 2, "layers": 1, "scales": 2, "table": 50}
TRAIN = {"epochs": 2, "videos": 2, "lr": 1e-2, "cache_size": 5}
ONLY_BUDGET = dict.fromkeys(("div", "rep", "rec", "frechet", "color_swd", "motion"), 0.0)


@pytest.fixture(autouse=True)
def _own_project(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips and features are made once for the tests of this file, and for nothing else."""
    monkeypatch.setenv("VERSUS_ROOT", str(tmp_path_factory.getbasetemp() / "dsn-project"))


class DsnContract(SingleLearnerContract):
    """A scorer of a few short clips; the cache is too small for all of them."""

    experiment = "dsn"
    runs: ClassVar = [RunKey("default", 0)]
    model: ClassVar[dict[str, Any]] = {}
    train_settings: ClassVar[dict[str, Any]] = {}

    def _make(self, runs: Sequence[RunKey], data: Path, overrides: Sequence[str]) -> ScorerLearner:
        return self._with({**TRAIN, **self.train_settings})

    def _with(self, train: dict[str, Any]) -> ScorerLearner:
        tree = {"experiment": "dsn", "seeds": [0], "device": "cpu", "data": DATA}
        model = {**MODEL, **self.model}
        comparison = configs.load(Comparison, [("", {**tree, "model": model, "train": train})])
        shared = project_root() / "data"  # of all classes: their data sections are the same
        stages.prepare(find("dsn"), comparison, shared)
        return ScorerLearner(comparison.expand()[0], shared)

    def overfit(self, folder: Path) -> float:
        """How far from the budget the selections still are, which are rewarded for that alone."""
        policy = {"kind": "bernoulli", "episodes": 8}
        rewards = {"weights": {**ONLY_BUDGET, "budget": 1.0}}
        fitting = {"policy": policy, "rewards": rewards, "entropy": 0.0}
        learner = self._with({**TRAIN, **self.train_settings, **fitting})
        batch = next(iter(learner.batches(0)))
        steps = (learner.train_step(batch._replace(epoch=n)) for n in range(300))
        gaps = [abs(float(found["reward/budget"])) for found in steps]
        return min(gaps) / gaps[0]


class TestBaseline(DsnContract):
    """Single frames by chance, as in the seed document, against the others of the sequence."""

    train_settings: ClassVar = {"policy": {"kind": "bernoulli", "episodes": 3}}


class TestAdvanced(DsnContract):
    """All layers, motion by cross-attention, frames that keep their distance."""

    model: ClassVar = {"kind": "advanced", "motion": "cross_attention", "positions": "learned"}
    train_settings: ClassVar = {
        "policy": {"kind": "spaced", "episodes": 3},
        "rewards": {"weights": {**ONLY_BUDGET, "rep": 1.0, "still": 2.0, "turn": 1.0}},
        "patience": 1,
    }


class TestCritic(DsnContract):
    """A critic foretells rewards, and is trained with the scorer."""

    model: ClassVar = {"kind": "advanced", "lstm": False}
    train_settings: ClassVar = {
        "advantage": "critic",
        "policy": {"kind": "plackett_luce", "episodes": 1},
    }


class TestMovingAverage(DsnContract):
    """The seed document's baseline, with one selection of a sequence."""

    train_settings: ClassVar = {
        "advantage": "moving_average",
        "scaled": False,
        "policy": {"kind": "bernoulli", "episodes": 1},
    }

"""The contract of experiments whose runs train alone. Subclass it and name experiment and run."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from tests.contract.contract import LearnerContract, same
from versus import cli
from versus.core import stages
from versus.core.arguments import load
from versus.core.errors import TrainingError
from versus.core.experiment import find
from versus.core.hooks.base import Context, Hook
from versus.core.runs import RunKey
from versus.core.single import SingleLearner
from versus.core.trainer import Trainer

REPOSITORY = Path(__file__).resolve().parents[2]


class Poison(Hook):
    """Makes a weight infinite before the third step."""

    intervenes = True

    def on_step_start(self, context: Context) -> None:
        if context.step == 2:
            poison(context.learner)


def poison(learner: object) -> None:
    """Make one weight infinite."""
    assert isinstance(learner, SingleLearner)
    module = next(iter(learner.modules().values()))
    with torch.no_grad():
        next(module.parameters()).view(-1)[:1] = math.inf


class SingleLearnerContract(LearnerContract):
    """Inherited by the tests of an experiment that builds :class:`SingleLearner`."""

    experiment: ClassVar[str]
    overrides: ClassVar[Sequence[str]] = ()
    """Options that make the smoke profile as small as a contract needs it: a few steps."""
    overfit_overrides: ClassVar[Sequence[str]] = ()
    """Options with which one small batch is learnt."""
    overfit_steps: ClassVar[int] = 200

    def make(self, runs: Sequence[RunKey], folder: Path) -> SingleLearner:
        return self._make(runs, folder / "data", self.overrides)

    def _make(self, runs: Sequence[RunKey], data: Path, overrides: Sequence[str]) -> SingleLearner:
        settings = ["--device", "cpu", *overrides]
        experiment, comparison = load(self.experiment, None, "smoke", settings)
        stages.prepare(experiment, comparison, data)
        (run,) = [run for run in comparison.expand() if run.key in runs]
        learner = find(self.experiment).build([run], data)
        assert isinstance(learner, SingleLearner)
        return learner

    def overfit(self, folder: Path) -> float:
        overrides = [*self.overrides, *self.overfit_overrides]
        learner = self._make(self.runs, folder / "data", overrides)
        batch = next(iter(learner.batches(0)))
        steps = range(self.overfit_steps)
        losses = [float(learner.train_step(batch)["train/step_loss"]) for _ in steps]
        return losses[-1] / losses[0]

    def test_divergence_is_masked_and_counted(self, tmp_path: Path) -> None:
        learner = self.make(self.runs, tmp_path)
        learner.evaluated(0, learner.evaluate())
        poison(learner)
        before = learner.weights().values()
        assert learner.train_step(next(iter(learner.batches(0))))["train/step_loss"] == math.inf
        assert learner.diverged.tolist() == [True]
        assert learner.active.tolist() == [False]
        assert same(learner.weights().values(), before)
        assert set(learner.evaluate().values()) == {math.inf}
        assert find(self.experiment).models(learner) == {}

    def test_training_fails_only_when_all_have_diverged(self, tmp_path: Path) -> None:
        trainer = Trainer(self.make(self.runs, tmp_path), tmp_path / "run", hooks=[Poison()])
        with pytest.raises(TrainingError, match="diverged"):
            trainer.run()


def smoke(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Train the smoke profile by the command line, evaluate it; return the results folder."""
    root = folder / "project"
    for part in ("params", "evaluation"):
        shutil.copytree(REPOSITORY / part, root / part)
    monkeypatch.setenv("VERSUS_ROOT", str(root))
    train = ["train", name, "--profile", "smoke", "--device", "cpu", "--no-tracking"]
    assert cli.main(train) == 0
    (results,) = (root / "runs" / name).glob("*/results")
    assert cli.main(["evaluate", name, "--path", str(results)]) == 0
    return results

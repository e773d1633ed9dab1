"""The contract of the ListOps half of ebt."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from tests.contract.contract import same
from tests.contract.single import SingleLearnerContract, poison
from versus.core.runs import RunKey
from versus.experiments.ebt import listops
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.data.stages import stages
from versus.experiments.ebt.data.tasks import LISTOPS
from versus.experiments.ebt.listops import ListOpsLearner

TREE: dict[str, Any] = {
    "experiment": "ebt",
    "seeds": [0],
    "device": "cpu",
    "data": {"tasks": LISTOPS, "size_train": 40, "size_val": 16, "size_test": 16},
    "train": {"steps": 5, "block": 2, "batch_size": 8},
}


class ListOpsContract(SingleLearnerContract):
    """Each kind of model on a few expressions; the experiment is one half of ebt."""

    runs: ClassVar = [RunKey(LISTOPS, 0)]
    kind: ClassVar[str]
    descent: ClassVar[dict[str, Any]] = {}

    def make(self, runs: Sequence[RunKey], folder: Path) -> ListOpsLearner:
        return self._built(folder, {})

    def _built(self, folder: Path, train: dict[str, float]) -> ListOpsLearner:
        encoder = {"width": 16, "heads": 2, "blocks": 1}
        model = {"kind": self.kind, "latent_dim": 16, "encoder": encoder, "descent": self.descent}
        tree = {**TREE, "model": model, "train": {**TREE["train"], **train}}
        comparison = Comparison.model_validate(tree)
        if not (folder / "data").is_dir():
            (folder / "data").mkdir(parents=True)
            stages()["data"].run(comparison, folder / "data")
        return listops.build(comparison.expand(), folder / "data")

    def overfit(self, folder: Path) -> float:
        learner = self._built(folder, {"lr": 0.01, "steps": 300})
        batch = next(iter(learner.batches(0)))
        losses = [float(learner.train_step(batch)["train/step_loss"]) for _ in range(300)]
        return losses[-1] / losses[0]

    def test_divergence_is_masked_and_counted(self, tmp_path: Path) -> None:
        learner = self.make(self.runs, tmp_path)
        learner.evaluated(0, learner.evaluate())
        poison(learner)
        before = learner.weights().values()
        assert learner.train_step(next(iter(learner.batches(0))))["train/step_loss"] == math.inf
        assert (learner.diverged.tolist(), learner.active.tolist()) == ([True], [False])
        assert same(learner.weights().values(), before)
        assert set(learner.evaluate().values()) == {math.inf}
        assert listops.models(learner) == {}


class TestEnergy(ListOpsContract):
    """With everything that a descent draws."""

    kind = "energy"
    descent: ClassVar = {"steps": 2, "extra_steps": 1, "jitter": 2.0, "learned": True}


class TestFeedForward(ListOpsContract):
    """The same encoder with a linear head."""

    kind = "ffn"


class TestBag(ListOpsContract):
    """Counts of tokens."""

    kind = "bag"

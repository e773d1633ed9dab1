"""The contract of the ListOps half of ebt."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from tests.contract.single import SingleLearnerContract
from versus.core import config as configs
from versus.core import stages
from versus.core.experiment import find
from versus.core.runs import RunKey
from versus.experiments.ebt import listops
from versus.experiments.ebt.config import Comparison
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

    experiment = "ebt"
    runs: ClassVar = [RunKey(LISTOPS, 0)]
    overfit_overrides = ("--train.lr", "0.01", "--train.steps", "300")
    overfit_steps = 300
    kind: ClassVar[str]
    descent: ClassVar[dict[str, Any]] = {}

    def _make(self, runs: Sequence[RunKey], data: Path, overrides: Sequence[str]) -> ListOpsLearner:
        encoder = {"width": 16, "heads": 2, "blocks": 1}
        model = {"kind": self.kind, "latent_dim": 16, "encoder": encoder, "descent": self.descent}
        settings = configs.parse_overrides(overrides, Comparison, {})
        layers = [("", configs.nested(key, value)) for key, value in settings]
        comparison = configs.load(Comparison, [("", {**TREE, "model": model}), *layers])
        stages.prepare(find("ebt"), comparison, data)
        return listops.build(comparison.expand(), data)


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

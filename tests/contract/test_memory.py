"""The memory experiment keeps the trainer's contract."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch

from tests.contract.contract import LearnerContract
from versus.core import stages
from versus.core.experiment import find
from versus.core.runs import RunConfig, RunKey
from versus.experiments.memory.config import Comparison
from versus.experiments.memory.learner import MemoryLearner

VARIANTS = {
    "delta": {"model": {"updater": "Delta", "lr": 0.5}},
    "omega": {"model": {"updater": "Omega", "lr": 0.1, "window": 5, "inner_steps": 2}},
    "clipped": {"model": {"updater": "Omega", "lr": 0.1, "window": 5, "clip": 0.2}},
    "ridge": {"model": {"updater": "OmegaRidge", "window": 12}},
    "rls": {"model": {"updater": "RLS", "window": 9, "reg": 0.1}},
    "exploding": {"model": {"updater": "Delta", "lr": 5.0}},
}

STREAMS = {
    "ar": {"kind": "ar"},
    "switch": {"kind": "switch", "period": 30},
    "overwrite": {"kind": "overwrite", "pool": 5, "passes": 3},
    "forgetting": {"kind": "forgetting-mqar", "vocabulary": 8, "noise": 0.1},
}


def comparison(**changes: object) -> Comparison:
    """A stream of each family, two shapes each, a chunk that divides nothing."""
    return Comparison.model_validate(
        {
            "experiment": "memory",
            "seeds": 2,
            "device": "cpu",
            "data": {
                "streams": STREAMS,
                "dim": 8,
                "mem_size": [3, 4],
                "steps": [50, 90],
            },
            "train": {"chunk": 23, "regret": True},
            "variants": VARIANTS,
            **changes,
        }
    )


class TestMemoryLearner(LearnerContract):
    """Five rules that work and one that explodes."""

    runs: ClassVar = [RunKey(name, seed) for name in VARIANTS for seed in (0, 1)]
    poisoned = "exploding"
    # One run alone or several in a batch may take different matrix kernels.
    tolerance = 2e-5

    def make(self, runs: Sequence[RunKey], folder: Path) -> MemoryLearner:
        asked = comparison()
        stages.prepare(find("memory"), asked, folder / "data")
        stack: list[RunConfig] = [run for run in asked.expand() if run.key in runs]
        return MemoryLearner(stack, folder / "data")

    def overfit(self, folder: Path) -> float:
        one = {"streams": {"few": {"kind": "unrelated", "steps": 6, "noise": 0.0}}, "dim": 8}
        asked = comparison(data=one, variants={"rls": {"model": {"updater": "RLS", "reg": 1e-4}}})
        stages.prepare(find("memory"), asked, folder / "data")
        learner = MemoryLearner(asked.expand(), folder / "data")
        for chunk in learner.batches(0):
            learner.train_step(chunk)
        return float(torch.as_tensor(learner.evaluate()["few/recall"]).max())

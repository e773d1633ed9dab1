"""Learners of a tiny backbone, made once for all tests of a process."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from versus.core import config as configs
from versus.core import stages
from versus.core.experiment import find
from versus.experiments.reoac.config import Comparison
from versus.experiments.reoac.learning.learner import PolicyLearner

TREE: dict[str, Any] = {
    "experiment": "reoac",
    "seeds": [0],
    "device": "cpu",
    "data": {"generated": {"train": 60, "test": 10, "levels": [0]}},
    "backbone": {"embedded": {"width": 16, "layers": 1, "heads": 2, "inner": 16}},
    "pretraining": {"steps": 5, "block": 5, "problems": 60, "probe": 4, "held_out": 4},
    "train": {
        "num_iterations": 4,
        "problems": 4,
        "samples": 2,
        "validation": 10,
        "evaluate_every": 2,
        "rollout": {"max_steps": 4, "gen_len": 26},
    },
}

LORA: dict[str, Any] = {"finetune_mode": "lora", "update": {"backbone_batch": 8}}


def comparison(**train: Any) -> Comparison:
    """The settings with others of the section ``train``; ``model`` is that section."""
    model = {"model": train.pop("model")} if "model" in train else {}
    tree = configs.merge(copy.deepcopy(TREE), {"train": train, **model})
    return configs.load(Comparison, [("", tree)])


def learner(data: Path, **train: Any) -> PolicyLearner:
    """A learner of :func:`comparison`."""
    settings = comparison(**train)
    stages.prepare(find("reoac"), settings, data)
    return PolicyLearner(settings.expand()[0], data)


def trained(data: Path, steps: int = 1, **train: Any) -> tuple[PolicyLearner, Mapping[str, Any]]:
    """A learner after some iterations, and what the last one told."""
    found = learner(data, **train)
    told: Mapping[str, Any] = {}
    for step in range(steps):
        (batch,) = found.batches(step)
        told = found.train_step(batch)
    return found, told


def weights(of: PolicyLearner) -> dict[str, torch.Tensor]:
    """A copy of all that is learnt."""
    state: dict[str, torch.Tensor] = of.state_dict()["weights"]
    return state

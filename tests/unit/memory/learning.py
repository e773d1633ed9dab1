"""A whole training without a trainer."""

from pathlib import Path

from versus.core import stages
from versus.core.experiment import find
from versus.core.runs import RunKey
from versus.core.sinks import per_run
from versus.experiments.memory.config import Comparison
from versus.experiments.memory.learner import MemoryLearner


def learn(asked: Comparison, folder: Path) -> dict[RunKey, dict[str, float]]:
    """Write all streams; the metrics of every run."""
    stages.prepare(find("memory"), asked, folder)
    learner = MemoryLearner(asked.expand(), folder)
    for chunk in learner.batches(0):
        learner.train_step(chunk)
    return dict(zip(learner.runs, per_run(learner.evaluate(), learner.runs), strict=True))

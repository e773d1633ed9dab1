"""Which runs train as one program."""

from collections.abc import Sequence

from versus.core.runs import RunConfig
from versus.core.stacking import chunks
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.data.tasks import LISTOPS


def stacks(runs: Sequence[RunConfig]) -> list[list[RunConfig]]:
    """Runs that differ in task and seed alone, at most ``train.stack``; ListOps runs stay alone."""
    return chunks(runs, _shared, _most)


def _most(settings: Comparison) -> int:
    return 1 if settings.task == LISTOPS else settings.train.stack


def _shared(settings: Comparison) -> object:
    """Vectors of one length make one program, whatever the task."""
    tree = settings.model_dump(mode="json")
    task = LISTOPS if settings.task == LISTOPS else "vectors"
    return {**tree, "data": {**tree["data"], "tasks": task}}

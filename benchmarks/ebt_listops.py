"""Cost of an energy model's training step on ListOps against that of the feed-forward model.

Both read 32 expressions of exactly 500 tokens with the same encoder; the energy model then takes 10
inner steps. Sides take turns; medians of process CPU time, one thread.

    python benchmarks/ebt_listops.py [--out benchmarks/results.json]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from common import RESULTS, merge, row, say

from versus.core import seeding
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.data.stages import stages
from versus.experiments.ebt.listops import ListOpsLearner, build
from versus.experiments.ebt.listops.learner import Batch

COMMAND = "python benchmarks/ebt_listops.py"
LENGTH, BATCH, INNER = 500, 32, 10
TURNS = 15
MOST = 1.3
"""Steps of the feed-forward model that one of the energy model may cost."""
NAME = (
    f"ListOps, {LENGTH} tokens: {MOST:g} feed-forward steps, against one energy step with {INNER} "
    "inner steps"
)


def main() -> None:
    """Measure the ratio, print it and merge it into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        learners = {kind: _learner(kind, Path(folder)) for kind in ("ffn", "energy")}
    seconds: dict[str, list[float]] = {kind: [] for kind in learners}
    batch = _batch()
    for turn in range(TURNS + 1):
        for kind, learner in learners.items():
            taken = _seconds(learner, batch)
            if turn:  # the first warms up
                seconds[kind].append(taken)
    cost = {kind: statistics.median(times) for kind, times in seconds.items()}
    say(f"ffn {cost['ffn']:.3f} s, energy {cost['energy']:.3f} s a step")
    say(f"energy / ffn: {cost['energy'] / cost['ffn']:.2f} (at most {MOST:g})")
    merge(arguments.out, [row("ebt", NAME, MOST * cost["ffn"] / cost["energy"], 1.0, COMMAND)])


def _learner(kind: str, folder: Path) -> ListOpsLearner:
    settings = {
        "experiment": "ebt",
        "device": "cpu",
        "seeds": 1,
        "data": {"tasks": "listops", "size_train": BATCH, "size_val": 1, "size_test": 1},
        "model": {"kind": kind, "descent": {"steps": INNER}},
        "train": {"batch_size": BATCH},
    }
    comparison = Comparison.model_validate(settings)
    stages()["data"].run(comparison, folder)
    return build(comparison.expand(), folder)


def _batch() -> Batch:
    source = seeding.generator("benchmark")
    tokens = torch.randint(1, 18, (BATCH, LENGTH), generator=source)
    return Batch(tokens, torch.randint(10, (BATCH,), generator=source), 0)


def _seconds(learner: ListOpsLearner, batch: Batch) -> float:
    started = time.process_time()
    learner.train_step(batch)
    return time.process_time() - started


if __name__ == "__main__":
    main()

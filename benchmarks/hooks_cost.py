"""CPU time that groups of hooks add to ordering's default training, against none in the same run.

Eight stacked runs (p = 59, 62,000 parameters each) train three times per group, in turns of one
epoch, so that all see the same machine. Where its memory lies makes a training 1 % slower or
faster, so the three are averaged, and how far those without hooks lie apart is printed. Schedules
repeat after 50 epochs: what counts is the sum over such a block, and the median over blocks.
Evaluations are every 10 epochs, so that the base is steps. Takes two minutes.

    python benchmarks/hooks_cost.py [--blocks 2] [--each] [--out benchmarks/results.json]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from common import RESULTS, Row, merge, row, say

from versus.core.experiment import find
from versus.core.hooks import catalogue
from versus.core.hooks.base import Hook
from versus.core.runs import HookChoice
from versus.core.sinks import JsonLines
from versus.core.trainer import Rhythm, Trainer
from versus.experiments import ordering
from versus.experiments.ordering import data
from versus.experiments.ordering.config import Comparison
from versus.experiments.ordering.hooks import HOOK_GROUPS

BLOCK, COPIES = 50, 3
BUDGETS = {"minimal": 1.0, "observers": 10.0}
"""Group -> percent of a training without hooks."""
COMMAND = "python benchmarks/hooks_cost.py"


class Stepwise(Trainer):
    """A trainer that is driven epoch by epoch.

    Attributes:
        wall: seconds so far, for the shares of single hooks, which are timed so.
    """

    wall = 0.0

    def begin(self) -> None:
        """Open the series."""
        self._lines = JsonLines(self.folder / "metrics.jsonl")
        self._request: Any = SimpleNamespace(made=False)
        self._fire("on_train_start")

    def epoch(self) -> float:
        """Train one epoch; return its CPU seconds."""
        started, began = time.process_time(), time.perf_counter()
        self._fire("on_epoch_start")
        for batch in self.learner.batches(self.position.epoch):
            self._step(batch)
        self._end_epoch()
        self.wall += time.perf_counter() - began
        return time.process_time() - started


def main() -> None:
    """Measure, print and merge the ratios into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--each", action="store_true", help="every observer by itself as well")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), arguments.blocks, arguments.each)
    merge(arguments.out, rows)


def measure(folder: Path, blocks: int, each: bool) -> list[Row]:
    """Train all groups in turns; one row per budget."""
    settings = _settings(blocks)
    data.write_splits(settings, folder)
    choices = {name: HookChoice(group=name, reference="given") for name in ("none", *BUDGETS)}
    if each:
        names = HOOK_GROUPS["observers"]
        choices |= {name: HookChoice(names=(name,), reference="given") for name in names}
    trainers = {
        (name, copy): _trainer(settings, folder, f"{name}-{copy}", choice)
        for name, choice in choices.items()
        for copy in range(COPIES)
    }
    seconds: dict[tuple[str, int], list[float]] = {key: [] for key in trainers}
    keys = list(trainers)
    for epoch in range(blocks * BLOCK):
        for key in keys[epoch % len(keys) :] + keys[: epoch % len(keys)]:
            seconds[key].append(trainers[key].epoch())
    means = {name: _mean([seconds[name, copy] for copy in range(COPIES)]) for name in choices}
    steps = trainers["none", 0].position.step
    say(f"without hooks: {1e3 * sum(means['none']) / steps:.2f} CPU ms per step of 8 runs")
    costs = {name: _percent(means[name], means["none"]) for name in choices}
    for copy in range(COPIES):
        say(f"none, copy {copy}: {_percent(seconds['none', copy], means['none']):+.2f} %")
    for name, percent in costs.items():
        say(f"{name}: {percent:+.2f} %")
    for name, spent in trainers["observers", 0].hooks.seconds.items():
        say(f"  of observers, {name}: {100 * spent / trainers['none', 0].wall:.2f} %")
    idle = _idle(trainers["none", 0], means["none"], steps)
    say(f"hook points without hooks: {idle:.3f} %")
    return [
        _row("hook points without a hook", 0.1, idle),
        *(_row(f"group {name}", budget, costs[name]) for name, budget in BUDGETS.items()),
    ]


def _settings(blocks: int) -> Comparison:
    train = {"stop": "never", "epochs": blocks * BLOCK, "eval_every": 10}
    orders = ("random", "fixed-random", "stride", "target")
    tree = {"experiment": "ordering", "seeds": 2, "train": train, "grid": {"train.order": orders}}
    return Comparison.model_validate(tree)


def _trainer(settings: Comparison, data_folder: Path, name: str, choice: HookChoice) -> Stepwise:
    (stack,) = ordering.stacks(settings.expand())
    made = ordering.build(stack, data_folder)
    hooks: Sequence[Hook] = catalogue.choose(find("ordering"), choice, made)
    shape = made.weights().values().shape
    reference = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    trainer = Stepwise(
        made,
        data_folder / name,
        hooks=hooks,
        rhythm=Rhythm(0, log_steps=0),
        reference=reference,
    )
    trainer.begin()
    return trainer


def _mean(copies: list[list[float]]) -> list[float]:
    """Mean seconds of each epoch."""
    return [statistics.fmean(epoch) for epoch in zip(*copies, strict=True)]


def _percent(seconds: list[float], base: list[float]) -> float:
    """Median over blocks of the time beyond the base, in percent of it."""
    starts = range(0, len(base), BLOCK)
    ratios = [sum(seconds[i : i + BLOCK]) / sum(base[i : i + BLOCK]) for i in starts]
    return 100 * (statistics.median(ratios) - 1)


def _idle(trainer: Stepwise, seconds: list[float], steps: int, calls: int = 100_000) -> float:
    """Percent of a step that its two points cost where there is no hook."""
    started = time.process_time()
    for _ in range(calls):
        trainer._fire("on_step_start")
        trainer._fire("on_step_end")
    return 100 * (time.process_time() - started) / calls / (sum(seconds) / steps)


def _row(what: str, budget: float, measured: float) -> Row:
    name = f"hooks: {what}, {budget:g} % of a training without hooks divided by the measured cost"
    return row("ordering", name, budget / max(measured, 0.01), 1.0, COMMAND)


if __name__ == "__main__":
    main()

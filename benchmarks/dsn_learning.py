"""CPU seconds until a keyframe scorer reaches an F1, beside those of an epoch.

Process CPU time of one thread. Both sides learn the same network (the baseline with motion) from
the reward terms ``steady`` and ``turn`` of the same generated clips, and are measured on the same
validation clips after every pass; measuring is not counted. Ours is the learner of the package:
minibatches of videos, spaced selections, advantages over the other selections. The loop is that of
Zhou et al.: a video at a time, Bernoulli selections one at a time, a moving average as baseline;
of three rates its fastest counts. Where it never reaches the F1, its passes until then count, and
the ratio is a lower bound.

    python benchmarks/dsn_learning.py [--out benchmarks/results.json]
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from common import RESULTS, Row, merge, row, say
from peers import dsn_loops
from torch import Tensor
from torch.nn import Module
from torch.optim import Adam

from versus.core import config as configs
from versus.core import stages
from versus.core.experiment import find
from versus.experiments.dsn.config import Comparison
from versus.experiments.dsn.data.features.motion import COLUMNS
from versus.experiments.dsn.data.sequences import Sequence
from versus.experiments.dsn.learning.learner import ScorerLearner
from versus.experiments.dsn.selection import SelectionConfig

COMMAND = "python benchmarks/dsn_learning.py"
TARGET_F1, PASSES, EPISODES, SEEDS = 0.6, 30, 8, (0, 1, 2)
RATES = (1e-4, 5e-4, 2e-3)
STEADY = COLUMNS.index("steady_rank")
TURNS = [COLUMNS.index("turn_near"), COLUMNS.index("turn_far")]
NONE = dict.fromkeys(("div", "rep", "rec", "frechet", "color_swd", "motion"), 0.0)
SETTINGS = {
    "experiment": "dsn",
    "device": "cpu",
    "seeds": list(SEEDS),
    "data": {
        "generated": {"train": 32, "validation": 24, "test": 1, "test_style": 0},
        "features": {"colours": {"enabled": False}},
    },
    "model": {
        **{"kind": "baseline", "hidden": 64, "lstm_hidden": 32, "dropout": 0.1},
        **{"motion": "simple", "selection": {"gap": 10}},
    },
    "train": {
        **{"epochs": PASSES, "videos": 4, "lr": 2e-3},
        "policy": {"kind": "spaced", "episodes": EPISODES},
        "rewards": {"weights": {**NONE, "steady": 2.0, "turn": 1.0}},
    },
}


class Reached(NamedTuple):
    """One training.

    Attributes:
        seconds: CPU seconds until the F1, or of all passes.
        reached: whether it was.
        epoch: CPU seconds of a pass.
        best: highest F1 on the way.
    """

    seconds: float
    reached: bool
    epoch: float
    best: float


class Odds(Module):
    """A scorer of the package as the loops expect one: probabilities of one scene."""

    def __init__(self, scorer: Module, features: int) -> None:
        super().__init__()
        self.scorer, self.features = scorer, features

    def forward(self, rows: Tensor) -> Tensor:
        """``[1, T, D + M]`` to ``[1, T, 1]``."""
        features, motion = rows[..., : self.features], rows[..., self.features :]
        mask = torch.ones(rows.shape[:2], dtype=torch.bool)
        chances: Tensor = self.scorer(features, motion, mask).sigmoid()[..., None]
        return chances


def main() -> None:
    """Measure, print, and merge the ratio into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        merge(arguments.out, [_compared(Path(folder))])


def _compared(data: Path) -> Row:
    comparison = configs.load(Comparison, [("", SETTINGS)])
    stages.prepare(find("dsn"), comparison, data)
    runs = comparison.expand()
    ours = [_until(*_ours(ScorerLearner(run, data))) for run in runs]
    loops = {rate: [_until(*_loop(ScorerLearner(r, data), rate)) for r in runs] for rate in RATES}
    fastest = min(loops, key=lambda rate: _seconds(loops[rate]))
    _tell("ours", ours)
    for rate, found in loops.items():
        _tell(f"loop, rate {rate:g}", found)
    ratio = _seconds(loops[fastest]) / _seconds(ours)
    title = f"CPU seconds to a validation F1 of {TARGET_F1:g}, against a loop as of Zhou et al."
    return row("dsn", title, ratio if all(one.reached for one in ours) else 0.0, 3.0, COMMAND)


def _seconds(several: list[Reached]) -> float:
    return sum(one.seconds for one in several) / len(several)


def _tell(side: str, several: list[Reached]) -> None:
    count, epochs = sum(one.reached for one in several), [one.epoch for one in several]
    best = ", ".join(f"{one.best:.3f}" for one in several)
    say(
        f"{side}: F1 {TARGET_F1:g} after {_seconds(several):.2f} s in {count} of {len(several)} "
        f"trainings, a pass {sum(epochs) / len(epochs):.3f} s, best F1 {best}"
    )


def _until(epoch: Callable[[], None], f1: Callable[[], float]) -> Reached:
    """Passes until the F1 is reached."""
    seconds, best, passes = 0.0, 0.0, 0
    while best < TARGET_F1 and passes < PASSES:
        started = time.process_time()
        epoch()
        seconds, passes = seconds + time.process_time() - started, passes + 1
        best = max(best, f1())
    return Reached(seconds, best >= TARGET_F1, seconds / passes, best)


def _ours(learner: ScorerLearner) -> tuple[Callable[[], None], Callable[[], float]]:
    epochs: Iterator[int] = itertools.count()

    def epoch() -> None:
        for batch in learner.batches(next(epochs)):
            learner.train_step(batch)

    return epoch, lambda: _f1(learner)


def _loop(learner: ScorerLearner, rate: float) -> tuple[Callable[[], None], Callable[[], float]]:
    """The learner lends its network, its data and its measure."""
    network = Odds(learner.parts.network, learner.parts.sizes[0])
    adam = Adam(network.parameters(), lr=rate)
    rows = [torch.cat([one.features, one.motion], 1) for one in learner.sequences]
    worth = _reward(learner.sequences[0], learner.settings.model.selection)
    baselines = [0.0] * len(rows)

    def epoch() -> None:
        learner.parts.network.train()
        dsn_loops.zhou_epoch(network, adam, rows, baselines, EPISODES, worth)

    return epoch, lambda: _f1(learner)


def _reward(one: Sequence, selection: SelectionConfig) -> Callable[[Tensor, Tensor], Tensor]:
    """Stillness and turns of the chosen frames, and the seed's budget."""
    motion = one.features.shape[1]

    def worth(rows: Tensor, actions: Tensor) -> Tensor:
        picked = actions.nonzero()[:, 0]
        if not len(picked):
            return torch.zeros(())
        moves = rows[picked, motion:]
        turns = moves[:, TURNS].mean()
        over = len(picked) - selection.budget(len(rows))
        missed = 0.05 * (max(0, over) + 0.5 * max(0, -over))
        return 2 * (1 - moves[:, STEADY].mean()) + turns - missed

    return worth


def _f1(learner: ScorerLearner) -> float:
    return float(learner.measured(learner.validation).items["F1"].mean())


if __name__ == "__main__":
    main()

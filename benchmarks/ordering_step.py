"""Speed of the stacked engine against PyTorch's encoder, and what a default run costs.

Both sides train the network of the modular addition experiments (p = 97, d = 64, 4 heads, 1 layer,
256 neurons, batches of 32) on the same pairs, from batch indices to updated weights. The reference
is a loop as anybody would write it: ``nn.TransformerEncoder`` (pre-norm, no dropout), ``AdamW`` as
it comes, all data resident as tensors, no loader. Sides take turns; medians of process CPU time.

    python benchmarks/ordering_step.py [--out benchmarks/results.json]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import RESULTS, Row, merge, row, say, side_by_side, steps_of
from torch import Tensor, nn

from versus.core import stages
from versus.core.experiment import find
from versus.core.trainer import Rhythm, Trainer
from versus.experiments.ordering.config import Comparison
from versus.experiments.ordering.learner import OrderingLearner

COMMAND = "python benchmarks/ordering_step.py"
SIZES = {"data": {"p": 97, "train_fraction": 0.3}, "train": {"batch_size": 32}}
STACK = 8
TURNS, STEPS = 31, 60
SINGLE, STACKED = 2.0, 4.0
DEFAULT = {
    "batch_size": 64,
    "lr": 2e-3,
    "weight_decay": 0.5,
    "epochs": 300,
    "eval_every": 5,
}
BUDGET = 10.0
"""CPU-seconds per model in which a default run must have generalised."""

Step = Callable[[], object]


def main() -> None:
    """Measure all ratios, print them and merge them into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = [*_speed(Path(folder, "speed")), _default_run(Path(folder, "default"))]
    merge(arguments.out, rows)


def _speed(folder: Path) -> list[Row]:
    single, stacked = (_learner(runs, folder / str(runs)) for runs in (1, STACK))
    sides = {"1": steps_of(single), str(STACK): steps_of(stacked), "reference": _reference(single)}
    medians = side_by_side(sides, TURNS, STEPS)
    names = {1: ("one model", SINGLE), STACK: (f"a model, {STACK} stacked", STACKED)}
    rows = []
    for models, (name, target) in names.items():
        own, reference = medians[str(models)] / models, medians["reference"]
        ratio = reference / own
        title = f"training step of {name}, against nn.TransformerEncoder and AdamW"
        say(f"{title}: {reference * 1e6:.0f} against {own * 1e6:.0f} us: {ratio:.2f}")
        rows.append(row("ordering", title, ratio, target, COMMAND))
    return rows


def _learner(runs: int, folder: Path, **changes: Any) -> OrderingLearner:
    settings = {"experiment": "ordering", "device": "cpu", "seeds": runs, **SIZES, **changes}
    comparison = Comparison.model_validate(settings)
    stages.prepare(find("ordering"), comparison, folder)
    return OrderingLearner(comparison.expand(), folder)


class Reference(nn.Module):
    """Embedding, position, encoder, mean, linear."""

    def __init__(self, p: int, d: int, heads: int, neurons: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(p, d)
        self.position = nn.Parameter(torch.randn(2, d))
        layer = nn.TransformerEncoderLayer(
            d, heads, neurons, dropout=0.0, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.output = nn.Linear(d, p)

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits (B, p) of pairs (B, 2)."""
        logits: Tensor = self.output(
            self.encoder(self.embedding(pairs) + self.position).mean(dim=1)
        )
        return logits


def _reference(learner: OrderingLearner) -> Step:
    model = Reference(learner.p, learner.d, learner.model.heads, learner.model.ffn)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1.0)
    loss_of = nn.CrossEntropyLoss()
    pairs, labels = learner.train_pairs[0], learner.train_labels[0]
    size = learner.train.batch_size

    def batches() -> Any:
        while True:
            yield from torch.split(torch.randperm(len(pairs)), size)

    source = batches()

    def step() -> None:
        batch = next(source)
        optimizer.zero_grad()
        loss_of(model(pairs[batch]), labels[batch]).backward()
        optimizer.step()

    return step


def _default_run(folder: Path) -> Row:
    """Eight seeds of addition modulo 59 in random order: all must generalise."""
    data = {"p": 59, "train_fraction": 0.4}
    learner = _learner(STACK, folder / "data", data=data, train=DEFAULT)
    started = time.process_time()
    metrics = Trainer(learner, folder / "run", rhythm=Rhythm(0, 0, 0)).run()
    per_model = (time.process_time() - started) / STACK
    epochs = torch.as_tensor(metrics["epochs/generalised"])
    say(f"default run: generalised after {epochs.tolist()} epochs, {per_model:.1f} CPU-s each")
    reached = bool(epochs.isfinite().all())
    name = f"CPU-seconds that a model may take to generalise, {BUDGET:g}, by those that it takes"
    return row("ordering", name, BUDGET / per_model if reached else 0.0, 1.0, COMMAND)


if __name__ == "__main__":
    main()

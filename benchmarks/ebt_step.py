"""Speed of a training step of the energy model: 10 inner steps, gradient through the last.

All sides train the seed document's network (d = 10, 128 hidden units, batches of 64) with Adam on
the same sums, from indices to updated weights. References are an eager step as anybody would write
it (tensors resident, ``autograd.grad`` with ``create_graph`` at the last step), and the seed
document's own style: the same behind a ``DataLoader`` over a ``TensorDataset``. Sides take turns;
medians of process CPU time.

    python benchmarks/ebt_step.py [--out benchmarks/results.json]
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from common import RESULTS, Row, merge, row, say, side_by_side, steps_of
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from versus.core.examples import Examples
from versus.experiments.ebt.config import Comparison
from versus.experiments.ebt.data import draws
from versus.experiments.ebt.vectors.building import learner_of
from versus.experiments.ebt.vectors.learner import VectorLearner

COMMAND = "python benchmarks/ebt_step.py"
TURNS, STEPS = 15, 40
INNER, STACK = 10, 16
SEED = "the seed document's own style"
EAGER = "an eager autograd step"


def main() -> None:
    """Measure all ratios, print them and merge them into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    merge(arguments.out, _speed())


def _speed() -> list[Row]:
    examples = draws.draw(_comparison().data, "add", 0)["train"]
    sides = {
        "one": steps_of(_learner()),
        "compiled": steps_of(_learner(train={"compile": True})),
        "stack": steps_of(_learner(STACK)),
        "compiled stack": steps_of(_learner(STACK, train={"compile": True})),
        "ffn stack": steps_of(_learner(8, model={"kind": "ffn"})),
        "energy stack": steps_of(_learner(8)),
        EAGER: _reference(_indexed(examples)),
        SEED: _reference(_loaded(examples)),
    }
    seconds = side_by_side(sides, TURNS, STEPS)
    for name, time in seconds.items():
        say(f"{name}: {time * 1e3:.2f} ms")
    eager = seconds[EAGER]
    measured = [
        ("compiled step", EAGER, eager / seconds["compiled"], 2.0),
        ("step that is not compiled", EAGER, eager / seconds["one"], 1.5),
        ("compiled step", SEED, seconds[SEED] / seconds["compiled"], 2.5),
        (
            f"compiled step of one of {STACK} stacked",
            EAGER,
            eager * STACK / seconds["compiled stack"],
            2.0,
        ),
        (f"step of one of {STACK} stacked", EAGER, eager * STACK / seconds["stack"], 1.8),
    ]
    ratio = seconds["energy stack"] / seconds["ffn stack"]
    say(f"steps of the feed-forward network that cost one of the energy's, 8 stacked: {ratio:.1f}")
    rows = []
    for name, other, found, target in measured:
        title = f"energy model: {name}, against {other}"
        say(f"{title}: {found:.2f}")
        rows.append(row("ebt", title, found, target, COMMAND))
    return rows


def _comparison(**changes: Any) -> Comparison:
    settings = {"experiment": "ebt", "device": "cpu", "data": {"tasks": ["add"]}, **changes}
    return Comparison.model_validate(settings)


def _learner(runs: int = 1, **changes: Any) -> VectorLearner:
    stack = _comparison(seeds=runs, **changes).expand()
    return learner_of(stack, [draws.draw(r.config.data, "add", r.key.seed) for r in stack])


class Energy(nn.Module):
    """Three hidden layers of x and y, and one output."""

    def __init__(self, d: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Linear(3 * d if i == 0 else width, width if i < 3 else 1) for i in range(4)
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Energies (B, 1)."""
        h = torch.cat([x, y], dim=1)
        for layer in list(self.layers)[:3]:
            h = nn.functional.silu(layer(h))
        energies: Tensor = self.layers[3](h)
        return energies


def _indexed(examples: Examples) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        for rows in torch.randperm(len(examples.inputs))[:-16].split(64):
            yield examples.inputs[rows], examples.labels[rows]


def _loaded(examples: Examples) -> Iterator[tuple[Tensor, Tensor]]:
    loader = DataLoader(TensorDataset(*examples), batch_size=64, shuffle=True, drop_last=True)
    while True:
        yield from loader


def _reference(batches: Iterator[tuple[Tensor, Tensor]]) -> Callable[[], object]:
    model = Energy(10, 128)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> None:
        x, target = next(batches)
        y = torch.randn_like(target)
        for k in range(INNER):
            y = y.detach().requires_grad_()
            total = model(x, y).sum()
            (slope,) = torch.autograd.grad(total, y, create_graph=k == INNER - 1)
            y = y - slope
        optimizer.zero_grad()
        (y - target).square().mean().backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    main()

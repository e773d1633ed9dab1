"""Speed of the fast memory rules against the one-by-one loops of ``naive``, in one process.

The grid is the 192-run example of the seed document's README; each side computes the mean squared
error of all 96 runs of a rule from the same streams. The fast side drops duplicates, shares keys
over runs, and reads shorter streams and smaller memories off as prefixes of the largest.

    python benchmarks/memory_rules.py [--out benchmarks/results.json]
"""

import argparse
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from common import RESULTS, Row, merge, row
from torch import Tensor

from versus.experiments.memory import fast, naive, scenarios
from versus.experiments.memory.rules import RULES, RuleSettings, canonical

DIM = 64
ROWS = (32, 64)
STEPS = (100, 200)
WINDOWS = (20, 50)
LEARNING_RATES = (0.01, 0.005)
REGS = (0.0, 0.001)
SEEDS = (0, 1, 2)
TARGETS = {
    "Delta": 50.0,
    "GatedDelta": 50.0,
    "NLMS": 50.0,
    "Longhorn": 50.0,
    "Titans": 50.0,
    "OmegaRidge": 40.0,
    "RLS": 5.0,
    "Mesa": 5.0,
    "Omega": 5.0,
    "ProxOmega": 5.0,
    # Every token needs the Newton-Schulz products of every run, and the loop already runs at the
    # speed of these. Its memories have no prefixes either: what is saved is the shorter stream.
    "Atlas": 1.5,
}
COMMAND = "python benchmarks/memory_rules.py"

Errors = dict[tuple[RuleSettings, int, int], list[float]]
"""Mean squared error per seed, by (settings, steps, rows)."""


class Case(NamedTuple):
    """One ratio to measure: two ways to the same numbers."""

    name: str
    target: float
    loop: Callable[[], Errors]
    fast: Callable[[], Errors]
    tolerance: float = 1e-5


def main() -> None:
    """Measure all ratios, print them and merge them into the results file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keys, values = _streams()
    rows = [_measure(case, arguments.repeats) for case in _cases(keys, values)]
    merge(arguments.out, rows)


def _cases(keys: Tensor, values: Tensor) -> list[Case]:
    single = ([RuleSettings("Delta", lr=0.01)], (200,), (64,), keys[:1], values[:1])
    return [
        Case(
            "Delta: one run of 200 steps, chunked against loop",
            8.0,
            partial(_one_by_one, *single),
            partial(_stacked, *single),
        ),
        *(
            Case(
                f"{updater}: 96-run grid, stacked against loop",
                target,
                partial(_one_by_one, _grid(updater), STEPS, ROWS, keys, values),
                partial(_stacked, _grid(updater), STEPS, ROWS, keys, values),
            )
            for updater, target in TARGETS.items()
        ),
    ]


def _streams() -> tuple[Tensor, Tensor]:
    """Keys (S, T, dim) and values (S, T, rows); unit keys, with which no run diverges."""
    streams = [
        scenarios.generate("linear", steps=max(STEPS), dim=DIM, rows=max(ROWS), seed=seed)
        for seed in SEEDS
    ]
    keys, values = np.stack([s.keys for s in streams]), np.stack([s.values for s in streams])
    return torch.from_numpy(keys), torch.from_numpy(values)


def _grid(updater: str) -> list[RuleSettings]:
    # RLS and Mesa have no solution without a ridge.
    regs = [reg + 0.001 for reg in REGS] if updater in ("RLS", "Mesa") else REGS
    axes = itertools.product(WINDOWS, LEARNING_RATES, regs)
    return [
        RuleSettings(updater, window=window, lr=lr, reg=reg, momentum=0.5)
        for window, lr, reg in axes
    ]


def _one_by_one(
    grid: Sequence[RuleSettings],
    steps: Sequence[int],
    rows: Sequence[int],
    keys: Tensor,
    values: Tensor,
) -> Errors:
    """Every run by itself, as a user's script would do it."""
    errors: Errors = {}
    for settings, length, size in itertools.product(grid, steps, rows):
        errors[settings, length, size] = []
        for stream_keys, stream_values in zip(keys, values, strict=True):
            k, v = stream_keys[:length], stream_values[:length, :size]
            predictions = naive.run(settings, k, v).predictions
            errors[settings, length, size].append(float(((predictions - v) ** 2).mean()))
    return errors


def _stacked(
    grid: Sequence[RuleSettings],
    steps: Sequence[int],
    rows: Sequence[int],
    keys: Tensor,
    values: Tensor,
) -> Errors:
    """All distinct runs of a group as one program on the largest sizes."""
    distinct = sorted({canonical(s) for s in grid}, key=repr)
    found: Errors = {}
    for _, members in itertools.groupby(distinct, fast.group_key):
        group = list(members)
        # Where rows interact, no memory is a part of a larger one.
        apart = RULES[group[0].updater].rows_interact
        for sizes in [[size] for size in rows] if apart else [rows]:
            rule = fast.make(group, len(keys), max(sizes), DIM)
            targets = values[..., : max(sizes)]
            squares = (rule.write(keys, targets) - targets[:, None]).square_()
            for length, size in itertools.product(steps, sizes):
                means = squares[:, :, :length, :size].mean((2, 3)).T.tolist()
                found.update({(s, length, size): m for s, m in zip(group, means, strict=True)})
    runs = itertools.product(grid, steps, rows)
    return {(s, length, size): found[canonical(s), length, size] for s, length, size in runs}


def _measure(case: Case, repeats: int) -> Row:
    """Best process CPU time of each side, taken in turns."""
    times: dict[str, list[float]] = {"loop": [], "fast": []}
    for _ in range(repeats):
        times["loop"].append(_seconds(case.loop))
        times["fast"] += [_seconds(case.fast) for _ in range(3)]
    _check(case)
    slow, quick = min(times["loop"]), min(times["fast"])
    ratio = slow / quick
    sys.stdout.write(
        f"{case.name:52s} {slow * 1e3:9.1f} ms {quick * 1e3:8.2f} ms"
        f" {ratio:6.1f}x (target {case.target:g}x)\n"
    )
    return row("memory", case.name, ratio, case.target, COMMAND)


def _seconds(action: Callable[[], Errors]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def _check(case: Case) -> None:
    """Both sides must have computed the same numbers."""
    expected, received = case.loop(), case.fast()
    for run, errors in expected.items():
        if not np.allclose(errors, received[run], rtol=case.tolerance, atol=0):
            raise RuntimeError(f"{case.name}: {run}: loop {errors}, fast {received[run]}")


if __name__ == "__main__":
    main()

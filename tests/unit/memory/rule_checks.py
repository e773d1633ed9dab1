"""What the tests of the rules share: streams, writing them, comparing with the loop."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from versus.experiments.memory import fast, naive
from versus.experiments.memory.rules import RuleSettings

F32, F64 = torch.float32, torch.float64
RIDGE_ONLY = ("RLS", "Mesa")
"""Rules without a solution at reg = 0."""


def white(
    streams: int, steps: int, dim: int, rows: int, seed: int = 0, dtype: torch.dtype = F64
) -> tuple[Tensor, Tensor]:
    """Unit keys and standard normal values."""
    generator = torch.Generator().manual_seed(seed)
    keys = torch.randn(streams, steps, dim, generator=generator, dtype=F64)
    values = torch.randn(streams, steps, rows, generator=generator, dtype=F64)
    return (keys / keys.norm(dim=2, keepdim=True)).to(dtype), values.to(dtype)


def write(
    group: list[RuleSettings], keys: Tensor, values: Tensor, chunks: Sequence[int] = ()
) -> tuple[fast.FastRule, Tensor]:
    """Write a stream in chunks of these sizes, the rest in one, and give rule and predictions."""
    rule = fast.make(group, len(keys), values.shape[2], keys.shape[2], keys.dtype)
    cuts = [c for c in itertools.accumulate(chunks) if c < keys.shape[1]]
    parts = zip(keys.tensor_split(cuts, 1), values.tensor_split(cuts, 1), strict=True)
    predictions = torch.cat([rule.write(k, v) for k, v in parts], 2)
    return rule, predictions


def deviation(received: Tensor, expected: Tensor, scale: float = 1e-30) -> float:
    """Largest difference, relative to the largest expected number."""
    return float((received - expected).abs().max() / expected.abs().max().clamp(min=scale))


def assert_equals_naive(
    group: list[RuleSettings], keys: Tensor, values: Tensor, chunks: list[int], tolerance: float
) -> None:
    """Deviations count relative to the largest number, predicted or to be predicted.

    Delta's block form finds v - M k, whose rounding is relative to v. A small memory, of one number
    say, may end near zero: it counts relative to what was read from it before.
    """
    scale = float(values.abs().max())
    rule, predictions = write(group, keys, values, chunks)
    for s, r in itertools.product(range(len(keys)), range(len(group))):
        expected = naive.run(group[r], keys[s], values[s])
        assert deviation(predictions[s, r], expected.predictions, scale) < tolerance
        read = float(expected.predictions.abs().max())
        assert deviation(rule.state["memory"][s, r], expected.memory, read) < tolerance
        assert rule.state["clipped"][s, r] == expected.clipped

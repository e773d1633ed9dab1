"""Training needs the memory of minibatches, however many scenes there are."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.contract.contract import in_child
from tests.unit.dsn.learners import comparison
from versus.experiments.dsn.data import shards
from versus.experiments.dsn.data.features.motion import COLUMNS
from versus.experiments.dsn.data.sequences import Sequence
from versus.experiments.dsn.learning.inputs import Inputs
from versus.experiments.dsn.learning.measuring import BLOCK, KEPT, Gauge
from versus.experiments.dsn.rewards import Rewards

ROWS, WIDTH, COLOURS = 60, 64, (3, 16, 32)
MEGABYTE = 1 << 20


def synthetic(count: int) -> list[Sequence]:
    """Scenes of noise, four of each video, with colours of the default size."""
    rng = np.random.default_rng(count)
    found = []
    for number in range(count):
        start = number % 4 * ROWS
        rows = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
        one = Sequence(
            video=f"v{number // 4:05d}",
            scene=number % 4,
            fps=24.0,
            span=(start, start + ROWS),
            picks=np.arange(start, start + ROWS),
            times=np.arange(start, start + ROWS) / 24,
            features=torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True)),
            motion=torch.from_numpy(rng.random((ROWS, len(COLUMNS)), np.float32)),
            colours=torch.from_numpy(rng.integers(0, 65535, (ROWS, *COLOURS), np.uint16)),
            keys=np.array([start + 10]),
            holds=((start + 8, start + 12),),
        )
        found.append(one)
    return found


def own_memory() -> int:
    """Bytes of this process that are no part of a file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("RssAnon:")]
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_training_does_not_hold_what_it_trains_on(tmp_path: Path) -> None:
    def write() -> None:
        shards.write(tmp_path, "train", synthetic(640), {})

    assert in_child(write) == 0
    size = (tmp_path / "sequences" / "train.safetensors").stat().st_size
    assert size > 100 * MEGABYTE
    rewards = Rewards(comparison().reward_settings)
    before, most = own_memory(), 0
    sequences = shards.read(tmp_path, "train")
    inputs = Inputs(sequences, rewards, torch.device("cpu"), len(sequences))
    for first in range(0, len(sequences), 8):
        ready = inputs.ready(range(first, first + 8), counted=True)
        most = max(most, own_memory())
    assert ready.batch.colours.shape == (8, ROWS, *COLOURS)
    assert most - before < 0.4 * size, (before, most, size)


def test_a_large_split_is_measured_in_blocks_and_like_a_small_one(tmp_path: Path) -> None:
    """Beyond the blocks that are kept the same numbers are found again and again."""
    settings, cpu = comparison(), torch.device("cpu")
    sequences = synthetic((KEPT + 2) * BLOCK)
    large = Gauge(sequences, settings, cpu)
    twice = [large.by_rule("holds", 0) for _ in range(2)]
    assert large._kept.counts().size == KEPT
    last = Gauge(sequences[-BLOCK:], settings, cpu).by_rule("holds", 0)
    for name, values in last.items.items():
        torch.testing.assert_close(twice[0].items[name][-len(values) :], values)
        assert torch.equal(twice[0].items[name], twice[1].items[name])

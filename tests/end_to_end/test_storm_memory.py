"""The memory experiment in the fault storm."""

from typing import ClassVar

from tests.contract.storm import FaultStorm

OVERLAY = """
experiment: memory
seeds: 2
tuning_seeds: 2
data:
  streams: {linear: null, white: {kind: linear}}
  dim: 4
  mem_size: 2
  steps: 24
train: {chunk: 6}
grid: {model.updater: [Delta, RLS]}
tune:
  grids:
    Delta: [{lr: [0.1, 0.5], reg: 0.0}]
    RLS: [{window: 24, reg: [0.01, 0.1]}]
checkpoint: {every: 1}
"""
SUITE = """
experiment: memory
models: [models:/memory-delta@candidate, models:/memory-rls@candidate]
metrics: [nmse]
promotion: {metric: score, direction: minimize}
"""


class TestMemoryStorm(FaultStorm):
    """Two variants, two seeds, one short stream."""

    experiment: ClassVar = "memory"
    overlay: ClassVar = OVERLAY
    suite: ClassVar = SUITE

"""The ordering experiment in the fault storm, with every hook and every file of its runs."""

from typing import ClassVar

from tests.contract.storm import FaultStorm

OVERLAY = """
experiment: ordering
seeds: 2
tuning_seeds: 2
data: {p: 7, train_fraction: 0.6}
model: {embed_dim: 8, heads: 2}
train: {epochs: 4, batch_size: 8, stop: never}
grid: {train.order: [random, stride]}
hooks:
  group: full
  snapshot_every: 2
  trajectory: true
checkpoint: {every: 3, epochs: 1}
log: {every: 2, sinks: [console, csv, mlflow], hook_csv: true, hook_jsonl: true}
search:
  space:
    lr: {key: train.lr, low: 0.0003, high: 0.005, log: true}
    order: {key: train.order, choices: [stride, random]}
    stride: null
    batch_size: null
"""
SUITE = """
experiment: ordering
models: [models:/ordering-transformer@candidate]
metrics: [test_accuracy]
promotion: {metric: score, direction: maximize}
"""


class TestOrderingStorm(FaultStorm):
    """Two orders, two seeds, four epochs of four steps."""

    experiment: ClassVar = "ordering"
    overlay: ClassVar = OVERLAY
    suite: ClassVar = SUITE
    stormed: ClassVar = ("train", "search")

"""Phases of learning, seen from snapshot to snapshot."""

from typing import ClassVar

import torch
from torch import Tensor

from versus.core.hooks import readings
from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import columns, norm, ratio
from versus.core.learner import Metrics

BOUNDS = (5.0, 20.0, 80.0, 99.0)
"""Validation accuracy in percent at which the next phase begins."""


class PhasesSettings(HookSettings):
    """When phases looks: in the epochs of the usual snapshots, number 10, 20, ..."""

    every: int = 10
    """Distance in epochs from one burst to the next; a multiple of ``hooks.snapshot_every``."""
    warmup: int = 9
    """First epoch that is due, from 0."""


class Phases(KeepingHook):
    """How gradient and embedding change between snapshots, and how far generalisation is.

    The embedding is the first parameter whose name contains ``embedding``. Where there is none, or
    no validation accuracy, the metrics about it are left out.
    """

    name = "phases"
    unit = "epoch"
    uses = frozenset({"epoch_gradient"})
    points = ("SNAPSHOT",)
    cost = "as norms, and a copy of the embedding per snapshot (0.1 % of a step)"
    metrics: ClassVar = {
        "grad_velocity": "change of the norm of the epoch's mean gradient since the last snapshot",
        "grad_acceleration": "change of grad_velocity since the last snapshot",
        "embedding_change": "norm of the embedding's change since the last snapshot",
        "embedding_change_normalized": "embedding_change / norm of the embedding",
        "phase_code": "0 to 4: validation accuracy below 5, 20, 80, 99 percent, or above",
    }
    Settings = PhasesSettings
    kept = ("_norm", "_velocity", "_embedding")

    _norm: Tensor | None = None
    _velocity: Tensor | None = None
    _embedding: Tensor | None = None

    def compute(self, context: Context) -> Metrics:
        """Differences to the last snapshot, and the phase."""
        return {**self._gradient(context), **self._embedding_change(context), **_phase(context)}

    def _gradient(self, context: Context) -> Metrics:
        size = norm(context.epoch_gradient)
        velocity = None if self._norm is None else size - self._norm
        metrics = {} if velocity is None else {"grad_velocity": velocity}
        if velocity is not None and self._velocity is not None:
            metrics["grad_acceleration"] = velocity - self._velocity
        self._norm, self._velocity = size, velocity
        return metrics

    def _embedding_change(self, context: Context) -> Metrics:
        name = next((name for name in context.shapes if "embedding" in name.lower()), None)
        if name is None:
            return {}
        before, now = self._embedding, columns(context.values, context.shapes)[name].clone()
        self._embedding = now
        if before is None:
            return {}
        change = norm(now - before)
        return {
            "embedding_change": change,
            "embedding_change_normalized": ratio(change, norm(now)),
        }


def _phase(context: Context) -> Metrics:
    accuracy = readings.percent(context.metrics, readings.VALIDATION_ACCURACY)
    if accuracy is None:
        return {}
    bounds = torch.tensor(BOUNDS, device=accuracy.device)
    code = torch.bucketize(accuracy, bounds, right=True).float()
    return {"phase_code": torch.where(accuracy.isfinite(), code, torch.nan)}

"""When a run has memorised, when it has generalised, and which weights were best.

Memorised: training accuracy at or above its threshold for so many evaluations in a row;
generalised: the same of the test accuracy. The first evaluation of such a row counts. The delay
between the two is what is called grokking (A. Power et al., "Grokking: generalization beyond
overfitting on small algorithmic datasets", 2022).
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from versus.experiments.ordering.config import TrainConfig

_TIMES = ("memorised", "generalised", "first_hit")


@dataclass(frozen=True)
class Progress:
    """What the evaluations so far have shown; one entry per run, NaN where not yet.

    Attributes:
        epoch: of the last evaluation, -1 before the first.
        memorised: epoch from which the run has memorised.
        generalised: epoch from which it has generalised.
        first_hit: first epoch whose test accuracy reached the target.
        memorised_for: evaluations in a row at or above the training threshold.
        generalised_for: the same for the test.
        memorised_since: first epoch of the present row; likewise ``generalised_since``.
        best_accuracy: best test accuracy, with ``best_loss`` and ``best_epoch``; ties go to the
            lower loss, then to the earlier epoch.
    """

    epoch: int
    memorised: Tensor
    generalised: Tensor
    first_hit: Tensor
    memorised_for: Tensor
    generalised_for: Tensor
    memorised_since: Tensor
    generalised_since: Tensor
    best_accuracy: Tensor
    best_loss: Tensor
    best_epoch: Tensor

    @classmethod
    def none(cls, runs: int) -> "Progress":
        """Before the first evaluation."""
        fields = [field.name for field in dataclasses.fields(cls)][1:]
        unknown = {name: torch.full((runs,), torch.nan, dtype=torch.float64) for name in fields}
        counts = {f"{name}_for": torch.zeros(runs, dtype=torch.float64) for name in _TIMES[:2]}
        return cls(-1, **{**unknown, **counts})

    def after(
        self, epoch: int, metrics: Mapping[str, Any], live: Tensor, settings: TrainConfig
    ) -> "Progress":
        """With one more evaluation; the same where it is already known.

        Args:
            epoch: epochs trained.
            metrics: ``train/accuracy``, ``test/accuracy``, ``test/loss``, (S,) each.
            live: runs that it counts for, (S,).
            settings: thresholds.
        """
        if epoch <= self.epoch:
            return self
        train = metrics["train/accuracy"] >= settings.memorised_accuracy
        test = metrics["test/accuracy"] >= settings.target_accuracy
        found: dict[str, Tensor] = {}
        for name, holds in (("memorised", train & live), ("generalised", test & live)):
            found |= self._row(name, holds, live, epoch, settings.sustained)
        fresh = test & live & self.first_hit.isnan()
        found["first_hit"] = self.first_hit.masked_fill(fresh, epoch)
        return Progress(epoch, **found, **self._best(epoch, metrics, live))

    def _row(
        self, name: str, holds: Tensor, live: Tensor, epoch: int, sustained: int
    ) -> dict[str, Tensor]:
        when, count, since = (getattr(self, name + end) for end in ("", "_for", "_since"))
        since = since.masked_fill(holds & (count == 0), epoch)
        count = torch.where(live, (count + 1) * holds, count)
        reached = (count >= sustained) & when.isnan()
        return {
            name: torch.where(reached, since, when),
            f"{name}_for": count,
            f"{name}_since": since,
        }

    def _best(self, epoch: int, metrics: Mapping[str, Any], live: Tensor) -> dict[str, Tensor]:
        accuracy, loss = metrics["test/accuracy"], metrics["test/loss"]
        better = (accuracy > self.best_accuracy) | self.best_accuracy.isnan()
        better |= (accuracy == self.best_accuracy) & (loss < self.best_loss)
        better &= live
        return {
            "best_accuracy": torch.where(better, accuracy, self.best_accuracy),
            "best_loss": torch.where(better, loss, self.best_loss),
            "best_epoch": self.best_epoch.masked_fill(better, epoch),
        }

    def metrics(self, over: Tensor, steps_per_epoch: int) -> dict[str, Tensor]:
        """As metrics, (S,) each: a time that will never come is infinite where ``over``."""
        times = {
            name: getattr(self, name).masked_fill(getattr(self, name).isnan() & over, torch.inf)
            for name in _TIMES
        }
        delay = times["generalised"] - times["memorised"]
        never = times["generalised"].isinf() | times["memorised"].isinf()
        return {
            **{f"epochs/{name}": time for name, time in times.items()},
            "epochs/delay": delay.masked_fill(never, torch.inf),
            "steps/generalised": times["generalised"] * steps_per_epoch,
            "best/test_accuracy": self.best_accuracy,
            "best/test_loss": self.best_loss,
            "best/epoch": self.best_epoch,
        }

    def state_dict(self) -> dict[str, Any]:
        """All fields."""
        return dict(vars(self))

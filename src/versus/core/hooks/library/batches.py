"""How the gradients of neighbouring batches are related."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import effective_rank, ratio, share, spectrum
from versus.core.learner import Metrics


class BatchDynamicsSettings(HookSettings):
    """When batch_dynamics looks: bursts of 51 steps, so that lag 50 has one pair."""

    every: int = 3000
    """Steps from one burst to the next."""
    burst: int = 51
    """Steps in a row."""
    lags: tuple[int, ...] = (1, 2, 5, 10, 20, 50)
    """Distances in steps at which gradients are compared."""
    spans: tuple[int, ...] = (2, 5, 10, 20, 50)
    """Numbers of last steps over which gradients are summed."""


class BatchDynamics(KeepingHook):
    """Autocorrelation of step gradients, how well they add up, and the rank of what they span.

    The gradients of a burst are kept, the last max(lags) + 1 at most, and described at the end of
    the epoch in which the burst ends.
    """

    name = "batch_dynamics"
    unit = "step"
    uses = frozenset({"gradients"})
    cost = (
        "a copy of the gradient per step of a burst and the products of all of them after it "
        "(1.7 % of a step); keeps 51 gradients"
    )
    metrics: ClassVar = {
        "lag_{k}": "mean cosine of gradients k steps apart",
        "autocorrelation_mean": "mean of lag_{k} over the lags",
        "efficiency_{n}": "norm of the sum of the last n gradients / sum of their norms",
        "effective_rank": "(sum s)^2 / sum s^2 of their singular values, not centred",
        "top1_variance": "s_1^2 / sum s^2",
    }
    Settings = BatchDynamicsSettings

    def __init__(self, settings: HookSettings | None = None) -> None:
        super().__init__(settings)
        self._size = max(*self.settings.lags, *self.settings.spans) + 1
        self._ring: Tensor | None = None
        self._count = 0
        self._last = -1

    def on_step_end(self, context: Context) -> None:
        """Keep the gradient; a gap in the steps starts anew."""
        gradients = context.gradients
        if context.step != self._last + 1:
            self._count = 0
        if self._ring is None:
            runs, width = gradients.shape
            self._ring = gradients.new_empty(runs, self._size, width)
        self._ring[:, self._count % self._size] = gradients
        self._count += 1
        self._last = context.step

    def on_epoch_end(self, context: Context) -> None:
        """Describe a burst that is over, or what a schedule without end has gathered."""
        goes_on = self.settings.due(context.step)
        if self._ring is None or self._count < 2 or (goes_on and self._count < self._size):
            return
        kept = self._in_order(self._ring)
        context.log(_gram_metrics(kept @ kept.mT, self.settings.lags, self.settings.spans))
        if not goes_on:
            self._count = 0

    def _in_order(self, ring: Tensor) -> Tensor:
        """The kept gradients, (S, n, P), oldest first."""
        if self._count <= self._size:
            return ring[:, : self._count]
        return ring.roll(-(self._count % self._size), dims=1)

    def state_dict(self) -> dict[str, Any]:
        """The gradients of an open burst."""
        kept = None if self._ring is None or not self._count else self._in_order(self._ring)
        return {"gradients": kept, "last": self._last}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        kept, self._last = state["gradients"], state["last"]
        self._ring, self._count = None, 0
        if kept is not None:
            runs, self._count, width = kept.shape
            self._ring = kept.new_empty(runs, self._size, width)
            self._ring[:, : self._count] = kept


def _gram_metrics(gram: Tensor, lags: tuple[int, ...], spans: tuple[int, ...]) -> Metrics:
    """From inner products (S, n, n) of gradients in their order."""
    n = gram.shape[-1]
    lengths = gram.diagonal(dim1=-2, dim2=-1).clamp(min=0).sqrt()
    cosines = ratio(gram, lengths[..., :, None] * lengths[..., None, :])
    by_lag = {f"lag_{k}": cosines.diagonal(k, dim1=-2, dim2=-1).nanmean(-1) for k in lags if k < n}
    efficiency = {
        f"efficiency_{w}": ratio(
            gram[..., n - w :, n - w :].sum((-2, -1)).clamp(min=0).sqrt(),
            lengths[..., n - w :].sum(-1),
        )
        for w in spans
        if w <= n
    }
    variances = spectrum(gram)[0]
    mean = torch.stack(list(by_lag.values())).mean(0) if by_lag else torch.nan
    return {
        **by_lag,
        "autocorrelation_mean": mean,
        **efficiency,
        "effective_rank": effective_rank(variances.sqrt()),
        "top1_variance": share(variances)[..., 0],
    }

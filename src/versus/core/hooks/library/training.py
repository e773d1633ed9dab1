"""Loss, accuracy and the health of training."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from versus.core.hooks import readings
from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import autocorrelation, norm, ratio, spread
from versus.core.learner import Metrics


class TrainingMetrics(KeepingHook):
    """Loss, accuracies and learning rate of each epoch.

    What an experiment does not measure is left out: accuracies appear in epochs with an evaluation,
    the learning rate where there is an optimiser.
    """

    name = "training_metrics"
    unit = "epoch"
    cost = "one addition per step (0.5 % of a step)"
    metrics: ClassVar = {
        "loss": "mean training loss of the epoch's steps",
        "training_accuracy": "accuracy on the training data, in percent",
        "validation_accuracy": "accuracy on unseen data, in percent",
        "learning_rate": "step size at the end of the epoch",
        "perplexity": "exp(loss)",
    }
    kept = ("_sum", "_count", "_metric")

    _sum: Tensor | None = None
    _count = 0
    _metric = ""

    def on_epoch_start(self, context: Context) -> None:
        """Start the mean."""
        self._sum, self._count = None, 0

    def on_step_end(self, context: Context) -> None:
        """Add the step's loss."""
        if self._sum is not None:
            self._sum.add_(context.metrics[self._metric])
            self._count += 1
            return
        self._metric = readings.step_loss(context.metrics)
        if self._metric:
            self._sum = torch.as_tensor(context.metrics[self._metric]).detach().float().clone()
            self._count = 1

    def on_epoch_end(self, context: Context) -> None:
        """Log what there is."""
        if self._sum is not None:
            loss = self._sum / self._count
            context.log({"loss": loss, "perplexity": loss.exp()})
        for name, value in {
            "training_accuracy": readings.percent(context.metrics, readings.TRAINING_ACCURACY),
            "validation_accuracy": readings.percent(context.metrics, readings.VALIDATION_ACCURACY),
            "learning_rate": readings.learning_rate(context.learner),
        }.items():
            if value is not None:
                context.log({name: value.expand(len(context.learner.runs))})


class DiagnosticsSettings(HookSettings):
    """When training_diagnostics looks."""

    every: int = 5
    """Distance in epochs from one burst to the next."""
    gradient_every: int = Field(10, ge=1)
    """Steps between measurements of the gradient's norm."""
    update_every: int = Field(20, ge=1)
    """Steps between measurements of the update, which need a copy of the weights."""


class TrainingDiagnostics(KeepingHook):
    """Volatility of the loss, size of gradients and updates within an epoch.

    Standard deviations divide by the number of steps. Without weights only the loss is described.
    """

    name = "training_diagnostics"
    unit = "epoch"
    cost = "a norm of the gradient, and a copy of the weights, in some steps (0.6 % of a step)"
    metrics: ClassVar = {
        "loss_mean": "mean training loss of the epoch's steps",
        "loss_std": "its standard deviation over the steps",
        "loss_volatility": "loss_std / loss_mean",
        "loss_autocorrelation": "lag-1 autocorrelation of the step losses",
        "grad_norm_mean": "mean norm of the measured steps' gradients",
        "grad_norm_std": "its standard deviation over the measured steps",
        "grad_norm_cv": "grad_norm_std / grad_norm_mean",
        "grad_norm_max": "largest of these norms",
        "update_ratio_mean": "mean of norm(update) / norm(weights before it)",
        "update_ratio_std": "its standard deviation over the measured steps, from two on",
        "weight_norm": "norm of all weights after the epoch",
    }
    Settings = DiagnosticsSettings
    kept = ("_losses", "_norms", "_ratios")

    def __init__(self, settings: HookSettings | None = None) -> None:
        super().__init__(settings)
        self._losses: list[Tensor] = []
        self._norms: list[Tensor] = []
        self._ratios: list[Tensor] = []

    def on_epoch_start(self, context: Context) -> None:
        """Forget the epoch before."""
        self._losses, self._norms, self._ratios = [], [], []

    def on_step_start(self, context: Context) -> None:
        """Keep the weights in those steps whose update is measured."""
        if context.step % self.settings.update_every == 0 and context.has_weights:
            context.keep_before()

    def on_step_end(self, context: Context) -> None:
        """Note loss, gradient and update."""
        name = readings.step_loss(context.metrics)
        if name:
            self._losses.append(torch.as_tensor(context.metrics[name]).detach().float().clone())
        step = context.step - 1
        if step % self.settings.gradient_every == 0 and context.has_weights:
            self._norms.append(norm(context.gradients))
        if step % self.settings.update_every == 0 and context.has_weights:
            before = norm(context.values - context.update)
            self._ratios.append(ratio(norm(context.update), before))

    def on_epoch_end(self, context: Context) -> None:
        """Describe the series."""
        if self._losses:
            context.log(_loss_metrics(torch.stack(self._losses)))
        if self._norms:
            context.log(_gradient_metrics(torch.stack(self._norms)))
            context.log({"weight_norm": norm(context.values)})
        if self._ratios:
            ratios = torch.stack(self._ratios)
            context.log({"update_ratio_mean": ratios.mean(0)})
            if len(ratios) > 1:
                context.log({"update_ratio_std": spread(ratios)})


def _loss_metrics(losses: Tensor) -> Metrics:
    mean, std = losses.mean(0), spread(losses)
    return {
        "loss_mean": mean,
        "loss_std": std,
        "loss_volatility": ratio(std, mean),
        "loss_autocorrelation": autocorrelation(losses),
    }


def _gradient_metrics(norms: Tensor) -> Metrics:
    mean, std = norms.mean(0), spread(norms)
    return {
        "grad_norm_mean": mean,
        "grad_norm_std": std,
        "grad_norm_cv": ratio(std, mean),
        "grad_norm_max": norms.amax(0),
    }

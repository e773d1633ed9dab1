"""How the curvature of one batch turns the gradient of another."""

from typing import ClassVar

import torch
from torch import Tensor

from versus.core.hooks import readings
from versus.core.hooks.base import Context, HookSettings
from versus.core.hooks.keeping import KeepingHook
from versus.core.hooks.measures import cosine, dot, norm, ratio
from versus.core.hooks.needs import Differentiable
from versus.core.learner import Metrics


class HessianSettings(HookSettings):
    """When hessian looks: bursts, whose first step only keeps weights and gradient."""

    every: int = 1000
    """Steps from one burst to the next."""
    burst: int = 11
    """Steps in a row, one more than are measured."""


class Hessian(KeepingHook):
    """Entanglement of two batches in a row: the Hessian of one times the gradient of the other.

    Step A with gradient g_A leads from the weights w to those at which batch B takes its gradient
    g. To first order g = g_B - lr H_B g_A for plain gradient descent, with the gradient ("content")
    g_B and the Hessian H_B of batch B both at w. The product is exact, by differentiating the
    gradient (Pearlmutter 1994), not a finite difference. Entanglement means e = lr H_B g_A: what
    step B descends along less than it would have, had step A not been taken.
    """

    name = "hessian"
    needs = (Differentiable,)
    cost = (
        "a gradient and a Hessian-vector product per measured step, as long as 8 steps (8 % of a "
        "step)"
    )
    metrics: ClassVar = {
        "entanglement_norm": "norm(e)",
        "content_norm": "norm(g_B)",
        "observed_grad_norm": "norm of the gradient that step B has taken",
        "entanglement_energy_ratio": "norm(e)^2 / (norm(e)^2 + norm(g_B)^2)",
        "entanglement_content_cossim": "cosine of e and g_B",
        "rayleigh_quotient": "g_A' H_B g_A / norm(g_A)^2",
        "amplification_ratio": "norm(H_B g_A) / norm(g_A)",
        "edge_of_stability": "lr * rayleigh_quotient; plain descent is unstable along g_A above 2 "
        "(Cohen et al. 2021)",
        "entanglement_coherence": "cosine of e and that of the step before",
        "entanglement_cossim_to_solution": "cosine of e and (reference - w), with a reference",
        "content_cossim_to_solution": "cosine of -g_B and (reference - w), with a reference",
    }
    Settings = HessianSettings
    kept = ("_weights", "_gradient", "_rate", "_entanglement", "_step")

    _before: tuple[Tensor, Tensor] | None = None
    _weights: Tensor | None = None
    _gradient: Tensor | None = None
    _rate: Tensor | None = None
    _entanglement: Tensor | None = None
    _step = -1

    def on_step_start(self, context: Context) -> None:
        """Keep the weights that the step starts from, and its size."""
        rate = readings.learning_rate(context.learner)
        rate = torch.tensor(torch.nan) if rate is None else rate
        self._before = (context.values.clone(), rate.to(context.values.device))

    def on_step_end(self, context: Context) -> None:
        """Measure against the step before, if it was looked at; then take its place."""
        if context.step == self._step + 1:
            self._measure(context)
        else:
            self._entanglement = None
        if self._before is not None:
            self._weights, self._rate = self._before
        self._before = None
        self._gradient, self._step = context.gradients.clone(), context.step
        if not self.settings.due(context.step):  # the burst is over
            self._weights = self._gradient = self._rate = self._entanglement = None

    def _measure(self, context: Context) -> None:
        weights, earlier, rate = self._weights, self._gradient, self._rate
        if weights is None or earlier is None or rate is None:
            return
        content, product = gradient_and_product(context, weights, earlier)
        entanglement = rate.reshape(-1, 1) * product
        context.log(_products(content, product, earlier, rate))
        context.log({"observed_grad_norm": norm(context.gradients)})
        context.log(_relations(entanglement, content))
        if self._entanglement is not None:
            context.log({"entanglement_coherence": cosine(entanglement, self._entanglement)})
        if context.has_reference:
            ahead = context.reference - weights
            context.log({"entanglement_cossim_to_solution": cosine(entanglement, ahead)})
            context.log({"content_cossim_to_solution": cosine(-content, ahead)})
        self._entanglement = entanglement


def gradient_and_product(
    context: Context, weights: Tensor, vectors: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradient of the current batch's loss and its Hessian times ``vectors``, (S, P) each."""
    with torch.enable_grad():
        at = weights.detach().clone().requires_grad_()
        loss = context.learner.loss(at, context.batch).sum()  # type: ignore[attr-defined]
        (gradient,) = torch.autograd.grad(loss, at, create_graph=True)
        (product,) = torch.autograd.grad((gradient * vectors).sum(), at)
    return gradient.detach(), product


def _products(content: Tensor, product: Tensor, earlier: Tensor, rate: Tensor) -> Metrics:
    rayleigh = ratio(dot(earlier, product), dot(earlier, earlier))
    return {
        "content_norm": norm(content),
        "rayleigh_quotient": rayleigh,
        "amplification_ratio": ratio(norm(product), norm(earlier)),
        "edge_of_stability": rate * rayleigh,
    }


def _relations(entanglement: Tensor, content: Tensor) -> Metrics:
    energy = dot(entanglement, entanglement)
    return {
        "entanglement_norm": energy.sqrt(),
        "entanglement_energy_ratio": ratio(energy, energy + dot(content, content)),
        "entanglement_content_cossim": cosine(entanglement, content),
    }

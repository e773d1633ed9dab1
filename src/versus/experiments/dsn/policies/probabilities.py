"""Logarithms of the probability of a selection, by kind of policy.

Shapes: B sequences, E selections of each, T frames, K frames of the largest selection.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

NEVER = -1e30
"""Score of a frame that cannot be selected; finite, so that its gradient is 0 and not undefined."""


def of_bernoulli(logits: Tensor, mask: Tensor, selection: Tensor) -> Tensor:
    """Sum over frames of ``log sigmoid(+-logit)``, ``[B, E]``.

    Args:
        logits: ``[B, T]``.
        mask: ``[B, T]``.
        selection: ``[B, E, T]`` bool.
    """
    each = logsigmoid(torch.where(selection, logits[:, None], -logits[:, None]))
    return (each * mask[:, None]).sum(2)


def of_order(logits: Tensor, mask: Tensor, order: Tensor, counts: Tensor) -> Tensor:
    """Of drawing frames in this order without putting back, ``[B, E]`` (Plackett and Luce).

    ``sum over k of logit_k - log sum of exp(logits that are left at k)``.

    Args:
        logits: ``[B, T]``.
        mask: ``[B, T]``.
        order: frames in the order drawn, ``[B, E, K]``.
        counts: how many of them count, ``[B]``.
    """
    episodes, most = order.shape[1:]
    scores = logits.masked_fill(~mask, NEVER)[:, None].expand(-1, episodes, -1)
    taken = scores.gather(2, order)
    drawn = torch.arange(most, device=order.device) < counts[:, None]
    rest = torch.zeros_like(scores, dtype=torch.bool).scatter(
        2, order, drawn[:, None].expand_as(order)
    )
    # What is left at k: the frames never drawn, and those drawn from k on.
    never = scores.masked_fill(rest, NEVER).logsumexp(2, keepdim=True)
    later = taken.masked_fill(~drawn[:, None], NEVER).flip(2).logcumsumexp(2).flip(2)
    left = torch.logaddexp(later, never)
    return ((taken - left) * drawn[:, None]).sum(2)


def of_set(logits: Tensor, mask: Tensor, selection: Tensor) -> Tensor:
    """Of drawing these frames in any order without putting back, ``[B, E]``.

    With ``a_i = exp(logit_i) / sum of exp(logits that are not selected)``, the probability is
    ``integral over s > 0 of exp(-s) prod_i (1 - exp(-a_i s))``: all that are selected come before
    the first of the others in a race of exponential clocks (Kool, van Hoof and Welling 2020:
    Estimating gradients for discrete random variables by sampling without replacement, appendix
    B). In ``x = log s`` the integrand has one peak and falls off exponentially, so that equal steps
    are exact to about 1e-8. The gradient is that of the integral; there is no second derivative.

    Args:
        logits: ``[B, T]``.
        mask: ``[B, T]``.
        selection: ``[B, E, T]`` bool.
    """
    scores = logits.double().masked_fill(~mask, NEVER)[:, None]
    others = scores.masked_fill(selection, NEVER).logsumexp(2, keepdim=True)
    ratios = _compact(scores - others, selection)
    all_selected = (selection.sum(2) == mask.sum(1)[:, None]) | ~selection.any(2)
    value, slopes = _integral(ratios.detach())
    value = value + (slopes * (ratios - ratios.detach())).sum(2)
    return torch.where(all_selected, 0.0, value).to(logits.dtype)


def _compact(values: Tensor, selection: Tensor) -> Tensor:
    """The values of selected frames, ``[B, E, K]``; a large one where there are fewer.

    A clock that is that fast has run down in any case: it changes nothing.
    """
    most = max(int(selection.sum(2).max()), 1)
    kept, places = selection.int().topk(most, 2)
    found = values.expand(selection.shape).gather(2, places)
    return torch.where(kept.bool(), found, -0.1 * NEVER)


def _integral(ratios: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithm of the integral, ``[B, E]``, and its slope in each log ratio, ``[B, E, K]``.

    Half of the range lies where the integrand is below ``exp(x)``, and no clock narrows its peak
    to less than ``1 / sqrt(K + 1)``, which is as long as a step may be.
    """
    most = ratios.shape[2]
    top = torch.tensor(most + 1.0).log().item() + 4.0
    step = min(0.12, (most + 1) ** -0.5)
    nodes = torch.arange(-26.0, top, step, dtype=ratios.dtype, device=ratios.device)
    clocks = (ratios[..., None] + nodes).clamp(-700, 40).exp()  # a_i s
    heights = nodes - nodes.exp() + torch.expm1(-clocks).neg().log().sum(2)
    shares = heights.softmax(2)
    slopes = (clocks / torch.expm1(clocks) * shares[:, :, None]).sum(3)
    return heights.logsumexp(2) + torch.tensor(step).log(), slopes

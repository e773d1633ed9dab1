"""Policies: selections drawn from scores, how probable they were, and how undecided the scores are.

Scores are logits ``[B, T]``. The gradient of the expected reward is the mean over draws of
``(reward - baseline) * gradient of log_prob`` (Williams 1992), whichever the policy: both the
probability of the set and that of its order give it without bias, because the reward depends on
the set alone. The set's varies less; they are the same distribution over sets.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from versus.experiments.dsn.policies import probabilities


class Draw(NamedTuple):
    """Selections drawn.

    Attributes:
        selection: ``[B, E, T]`` bool, False at padding.
        log_prob: logarithm of what the policy learns from, ``[B, E]``, with gradient.
        entropy: how undecided the scores are, ``[B]``, with gradient.
    """

    selection: Tensor
    log_prob: Tensor
    entropy: Tensor


Policy = Callable[[Tensor, Tensor, Tensor, Tensor], Draw]
"""Maps ``(logits [B, T], mask [B, T], budgets [B], uniforms [B, E, T])`` to a draw."""


def bernoulli(logits: Tensor, mask: Tensor, budgets: Tensor, uniforms: Tensor) -> Draw:
    """Each frame by itself, with probability ``sigmoid(logit)``; the budget is not looked at.

    The entropy is the mean of those of the frames, in nats.
    """
    selection = (uniforms < logits.detach().double().sigmoid()[:, None]) & mask[:, None]
    each = softplus(logits) - logits * logits.sigmoid()
    entropy = (each * mask).sum(1) / mask.sum(1)
    return Draw(selection, probabilities.of_bernoulli(logits, mask, selection), entropy)


def plackett_luce(logits: Tensor, mask: Tensor, budgets: Tensor, uniforms: Tensor) -> Draw:
    """As many frames as the budget has, or as there are, drawn by softmax one after the other.

    ``log_prob`` is that of the order in which they were drawn. The entropy is that of the first
    frame drawn, as a share of the largest there is.
    """
    counts = budgets.minimum(mask.sum(1))
    order, selection = _drawn(logits, mask, counts, uniforms)
    log_prob = probabilities.of_order(logits, mask, order, counts)
    return Draw(selection, log_prob, first_entropy(logits, mask))


def gumbel_topk(logits: Tensor, mask: Tensor, budgets: Tensor, uniforms: Tensor) -> Draw:
    """The same selections as :func:`plackett_luce`, with ``log_prob`` of the set in any order."""
    _, selection = _drawn(logits, mask, budgets.minimum(mask.sum(1)), uniforms)
    log_prob = probabilities.of_set(logits, mask, selection)
    return Draw(selection, log_prob, first_entropy(logits, mask))


POLICIES: dict[str, Policy] = {
    "bernoulli": bernoulli,
    "gumbel_topk": gumbel_topk,
    "plackett_luce": plackett_luce,
}
"""By the names of :class:`versus.experiments.dsn.policies.config.PolicyConfig`."""


def _drawn(logits: Tensor, mask: Tensor, counts: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """Order ``[B, E, K]`` and selection ``[B, E, T]``: the largest of logits and Gumbel noise.

    (Yellott 1977; Kool, van Hoof and Welling 2019: Stochastic beams and where to find them.)
    """
    raised = (logits.detach()[:, None] + gumbels(uniforms)).masked_fill(~mask[:, None], -torch.inf)
    order = raised.topk(int(counts.max()), 2).indices
    counted = torch.arange(order.shape[2], device=order.device) < counts[:, None]
    nothing = torch.zeros_like(raised, dtype=torch.bool)
    return order, nothing.scatter(2, order, counted[:, None].expand_as(order))


def gumbels(uniforms: Tensor) -> Tensor:
    """Gumbel noise from uniform numbers."""
    return -(-uniforms.clamp(1e-300, 1 - 1e-16).log()).log()


def first_entropy(logits: Tensor, mask: Tensor) -> Tensor:
    """Entropy of the first frame drawn, as a share of the largest there is, ``[B]``."""
    chances = logits.masked_fill(~mask, probabilities.NEVER).log_softmax(1)
    entropy = -(chances.exp() * chances.masked_fill(~mask, 0.0)).sum(1)
    return entropy / mask.sum(1).log().clamp_min(1e-9)

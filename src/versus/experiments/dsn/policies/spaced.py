"""Selections whose frames keep their distance, as those of the selection with suppression do."""

import torch
from torch import Tensor

from versus.experiments.dsn.policies import probabilities
from versus.experiments.dsn.policies.policies import Draw, first_entropy, gumbels


def spaced(logits: Tensor, mask: Tensor, budgets: Tensor, uniforms: Tensor, *, gap: int) -> Draw:
    """Frames drawn by softmax one after the other, each ``gap`` rows at least from all before it.

    The largest of logits and Gumbel noise among the frames that are left is such a draw (Yellott
    1977), whichever are left. ``log_prob`` is that of the order in which frames were drawn. Where
    no frame is left, there are fewer than the budget has.

    Args:
        logits: ``[B, T]``.
        mask: ``[B, T]``.
        budgets: frames that may be selected, ``[B]``.
        uniforms: ``[B, E, T]``.
        gap: rows; 1 or less = neighbours may both be selected.
    """
    raised = logits.detach()[:, None] + gumbels(uniforms)
    scores = logits.masked_fill(~mask, probabilities.NEVER)[:, None].expand(raised.shape)
    left = mask[:, None].expand(raised.shape)
    selection = torch.zeros_like(left)
    log_prob = logits.new_zeros(raised.shape[:2])
    rows = torch.arange(logits.shape[1], device=logits.device)
    for number in range(int(budgets.max())):
        goes_on = left.any(2) & (number < budgets[:, None])
        best = raised.masked_fill(~left, -torch.inf).argmax(2, keepdim=True)
        chance = scores.gather(2, best)[..., 0] - scores.masked_fill(
            ~left, probabilities.NEVER
        ).logsumexp(2)
        log_prob = log_prob + torch.where(goes_on, chance, 0.0)
        selection = selection | ((rows == best) & goes_on[..., None])
        left = left & ((rows - best).abs() >= max(gap, 1))
    return Draw(selection, log_prob, first_entropy(logits, mask))

"""What the steps of roll-outs were worth, and by how much they were better than expected."""

import torch
from torch import Tensor

from versus.core.advantages import leave_one_out


def to_go(reward: Tensor, cost: Tensor, alive: Tensor, weight: float) -> Tensor:
    """Return from every step on, ``[T, B]``: the reward less what this and later steps cost.

    Args:
        reward: ``[B]``.
        cost: of the steps, ``[T, B]``.
        alive: whether the sample took part in the step, ``[T, B]``.
        weight: of costs.
    """
    spent = torch.where(alive, cost, 0.0)
    later = spent.flip(0).cumsum(0).flip(0)
    return reward - weight * later


def within_problems(returns: Tensor, samples: int) -> Tensor:
    """Returns less the mean of the others of the same problem, ``[B]``.

    Costs that were sunk before a step are in both, so that this is also the advantage of the return
    from that step on.

    Args:
        returns: ``[B]``, ``samples`` of every problem in a row.
        samples: of a problem, 2 at least.
    """
    return leave_one_out(returns.view(-1, samples)).flatten()


def against_critic(to_go: Tensor, values: Tensor, log_probs: Tensor) -> Tensor:
    """Returns less the policy's expected value, ``[...]``.

    Args:
        to_go: return from the step on, ``[...]``.
        values: the critic's Q, ``[..., O]``.
        log_probs: of the policy over operators, ``[..., O]``.
    """
    return to_go - (log_probs.exp() * values).sum(-1)


def bounded(advantage: Tensor, positive: bool, largest: float) -> Tensor:
    """Advantages without those below 0, and none beyond the largest (0 = any)."""
    if positive:
        advantage = advantage.clamp_min(0)
    return advantage.clamp(-largest, largest) if largest else advantage

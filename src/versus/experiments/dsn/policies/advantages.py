"""By how much selections were better than the others of their sequence."""

from torch import Tensor

from versus.core.advantages import leave_one_out

LEAST_SPREAD = 1e-6
"""Advantages that differ by less are not scaled."""


def advantages(total: Tensor, *, scaled: bool = False) -> Tensor:
    """Rewards less the mean of the other episodes of the same sequence, ``[B, E]``.

    Args:
        total: ``[B, E]``, two episodes at least.
        scaled: see :func:`to_unit`.
    """
    found = leave_one_out(total)
    return to_unit(found) if scaled else found


def to_unit(found: Tensor) -> Tensor:
    """Advantages divided by their root mean square over the batch.

    This bounds the step. It is a factor that depends on the draws: the direction is kept, the
    length is no longer that of the expected reward's gradient.
    """
    return found / found.square().mean().sqrt().clamp_min(LEAST_SPREAD)

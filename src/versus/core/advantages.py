"""How much better samples were than the others of their group."""

from torch import Tensor


def leave_one_out(returns: Tensor) -> Tensor:
    """Returns less the mean of the others of the same group, ``[..., samples]``.

    Without bias, because what is subtracted depends on no draw of the sample itself (Kool, van Hoof
    and Welling 2019: Buy 4 REINFORCE samples, get a baseline for free).

    Args:
        returns: ``[..., samples]``, two samples at least.
    """
    others = (returns.sum(-1, keepdim=True) - returns) / (returns.shape[-1] - 1)
    return returns - others

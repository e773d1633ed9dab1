"""How selections are drawn."""

from typing import Literal

from pydantic import Field

from versus.core.config import Section


class PolicyConfig(Section):
    """How selections are drawn from scores."""

    kind: Literal["bernoulli", "gumbel_topk", "plackett_luce", "spaced"] = "bernoulli"
    """bernoulli: each frame by itself, any number of them. The others select exactly the budget,
    one frame after the other without putting back: gumbel_topk learns from the probability of the
    set, plackett_luce from that of the order in which it was drawn; spaced is plackett_luce with
    the gap of model.selection between frames."""
    episodes: int = Field(5, ge=1)
    """Selections drawn of each sequence in an epoch."""

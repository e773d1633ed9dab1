"""ListOps expressions: grammar, tokens, splits and heuristic floors."""

from versus.experiments.ebt.data.listops.config import ListOpsConfig
from versus.experiments.ebt.data.listops.splits import draw, tensors

__all__ = ["ListOpsConfig", "draw", "tensors"]

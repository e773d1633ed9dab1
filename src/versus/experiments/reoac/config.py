"""What a comparison of operator policies can be asked for."""

from versus.core.runs import BaseComparison
from versus.experiments.reoac.data.config import DataConfig

__all__ = ["Comparison"]


class Comparison(BaseComparison):
    """A comparison of operator policies."""

    data: DataConfig = DataConfig()

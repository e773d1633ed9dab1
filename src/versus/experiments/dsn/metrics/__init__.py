"""How good a selection is."""

from versus.experiments.dsn.metrics.config import MetricsConfig
from versus.experiments.dsn.metrics.measure import DIRECTIONS, measured

__all__ = ["DIRECTIONS", "MetricsConfig", "measured"]

"""From scores to key frames."""

from versus.experiments.dsn.selection.config import SelectionConfig
from versus.experiments.dsn.selection.select import select

__all__ = ["SelectionConfig", "select"]

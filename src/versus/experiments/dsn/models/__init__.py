"""Networks that score frames."""

from versus.experiments.dsn.models.config import ModelConfig
from versus.experiments.dsn.models.scorers import Scorer, make_scorer
from versus.experiments.dsn.models.seed_names import DSNAdvanced, DSNConfig

__all__ = ["DSNAdvanced", "DSNConfig", "ModelConfig", "Scorer", "make_scorer"]

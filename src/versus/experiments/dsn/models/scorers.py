"""Scorers by their configuration."""

from versus.core.module_state import initialised
from versus.experiments.dsn.models.advanced import Advanced
from versus.experiments.dsn.models.baseline import Baseline
from versus.experiments.dsn.models.config import ModelConfig

Scorer = Baseline | Advanced
"""Maps ``(features [B, T, D], motion [B, T, M], mask [B, T])`` to logits ``[B, T]``."""


def make_scorer(config: ModelConfig, features: int, motion: int, *key: int | str) -> Scorer:
    """A scorer with weights that depend on ``key`` alone.

    Args:
        config: kind and sizes.
        features: numbers per frame, D.
        motion: numbers of motion per frame, M.
        key: such as the seed.
    """
    return initialised(lambda: blank(config, features, motion), "dsn scorer", *key)


def blank(config: ModelConfig, features: int, motion: int) -> Scorer:
    """A scorer whose weights are about to be loaded."""
    kind = Baseline if config.kind == "baseline" else Advanced
    return kind(config, features, motion)

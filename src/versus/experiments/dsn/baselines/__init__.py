"""Rules that score frames without learning."""

from versus.experiments.dsn.baselines.rules import CHOICES, RULES, SCORES, apply

__all__ = ["CHOICES", "RULES", "SCORES", "apply"]
